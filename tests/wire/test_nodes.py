"""Two switch processes on one PostgreSQL: one line, counted by both, shown alike by both; and what an
operator does on one of them holds on the other."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switch.demo.handset import Handset, HandsetError
from tests.switch.store.postgresql import Server, running
from tests.wire.rig import Rig, until
from tests.wire.sipp import Sipp

LINE, NUMBER = "102", "0145678901"
SEEN_WITHIN_S = 8.0  # 6 s are promised; the machine may be busy
HEARD_WITHIN_S = 2.0
STAY_S = SEEN_WITHIN_S + 2
CLOCKS_MS = 4 * 5  # four legs, whose starts each node puts on its own clock


class Node(Rig):
    """A switch by a name, on a database that others share."""

    def __init__(self, home: Path, url: str, name: str) -> None:
        self._store = f'\n[store]\nurl = "{url}"\nnode = "{name}"\n'
        super().__init__(home)

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8")
        text = text.replace("[mqtt]", '[mqtt]\nnode = "a"', 1)
        path.write_text(text.replace("[http]", f"{self._store}\n[http]", 1), "utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def calling(rig: Rig, home: Path, stay_s: float) -> Sipp:
    """Two calls at once of the line."""
    return Sipp(
        "caller-stays",
        rig.address,
        LINE,
        home,
        dial=NUMBER,
        calls=2,
        at_once=2,
        stay_s=stay_s,
        extra=("-aa",),
    )


def shown(rig: Rig) -> dict[str, Any]:
    found = rig.ask("usage.show", line=LINE)
    assert isinstance(found, dict)
    return found


def sees_more_than_two(rig: Rig, begun: float) -> bool:
    """More minutes than the node's own two calls can have come to: it heard of the other's."""
    live = shown(rig)["live_ms"]
    return bool(live > 2 * 1_000 * (time.monotonic() - begun))


def test_two_processes_count_one_line(server: Server, tmp_path: Path) -> None:
    url = server.url("nodes").replace("+asyncpg", "")
    with Node(tmp_path / "a", url, "a") as a, Node(tmp_path / "b", url, "b") as b:
        begun = time.monotonic()
        with calling(a, tmp_path, STAY_S) as first, calling(b, tmp_path, STAY_S) as second:
            for rig in (a, b):
                until(
                    lambda rig=rig: sees_more_than_two(rig, begun),  # type: ignore[misc]
                    SEEN_WITHIN_S,
                    "minutes of four calls",
                )
            # What b shows lies between what a shows before and after.
            before, other, after = (shown(rig)["used_ms"] for rig in (a, b, a))
            assert before - CLOCKS_MS <= other <= after + CLOCKS_MS
            first.verdict()
            second.verdict()

        def cdrs() -> list[dict[str, Any]]:
            found = a.ask("cdr.list")
            assert isinstance(found, list)
            return found

        until(lambda: len(cdrs()) == 4, SEEN_WITHIN_S, "four CDRs", every_s=0.2)
        counted = sum(cdr["counted_ms"] for cdr in cdrs())
        for rig in (a, b):
            until(
                lambda rig=rig: (shown(rig)["used_ms"], shown(rig)["live_ms"]) == (counted, 0),  # type: ignore[misc]
                SEEN_WITHIN_S,
                f"{counted} ms on both",
                every_s=0.2,
            )
        b.ask("usage.adjust", line=LINE, ms=300_000_000, reason="a test")
        until(lambda: shown(a)["crossed"] == [80, 90, 100], SEEN_WITHIN_S, "told to a", every_s=0.2)

        def notices() -> list[dict[str, Any]]:
            found = a.ask("notice.list", line=LINE)
            assert isinstance(found, list)
            return [notice for notice in found if notice["kind"] == "fair_use"]

        until(lambda: len({n["percentage"] for n in notices()}) == 3, SEEN_WITHIN_S, "notices")
        said = [(n["percentage"], n["channel"]) for n in notices()]
        assert len(said) == len(set(said)), "told once, whoever crossed"


def decided(rig: Rig, line: str, dial: str = "0145678901") -> str:
    found = rig.ask("explain.call", line=line, dial=dial)
    assert isinstance(found, dict)
    return str(found["reason"])


@pytest.fixture
def nodes(server: Server, tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    url = server.url("contracts").replace("+asyncpg", "")
    with Node(tmp_path / "a", url, "a") as a, Node(tmp_path / "b", url, "b") as b:
        yield a, b


def soon(test: Callable[[], Any], what: str) -> Any:
    return until(test, HEARD_WITHIN_S, what, every_s=0.05)


def standing(rig: Rig, line: str) -> dict[str, Any]:
    rows = rig.ask("account.show", account="demo")["lines"]
    return next(row for row in rows if row["line"] == line)


def test_what_is_done_on_one_node_holds_on_the_other(nodes: tuple[Node, Node]) -> None:
    """Within two seconds; a database starts empty, so all that matters is in one test."""
    a, b = nodes
    _states_are_heard(a, b)
    _files_are_heard(a, b)
    _places_are_heard(a, b)
    _disclosures_are_heard(a, b)
    assert b.process is not None
    b.process.kill()
    b.process.wait()
    b.start()
    assert standing(b, "101")["state"] == "terminated"
    assert standing(b, "104")["channels"] == 1
    names = (path.stem for rig in (a, b) for path in (rig.data / "outbox").iterdir())
    told = [name.partition("-")[2] for name in names]
    assert any(name.startswith("location_reminder") for name in told)
    assert len(set(told)) == len(told), "by one of them"


def _states_are_heard(a: Node, b: Node) -> None:
    """A phone is at home on b; its line's contract is changed on a."""
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", b.address)
        a.ask("line.suspend", line="101", ground="2(k)(c)", by="claire")
        soon(lambda: decided(b, "101") == "suspended", "the suspension")
        refused = phone.call(b.uri("0145678902"))
        phone.wait("call", call=refused, state="disconnected")
        assert b.cdr_after(0, dst_raw="0145678902")["clause"] == "2(k)(c)"
        b.ask("line.resume", line="101", by="marc")
        soon(lambda: decided(a, "101") == "ok", "the reinstatement")
        call = phone.call(b.uri("0145678901"))
        phone.wait("call", call=call, state="confirmed")
        a.ask("line.terminate", line="101", way="insolvency", by="claire")
        phone.wait("call", call=call, state="disconnected")
        assert b.cdr_after(0, dst_raw="0145678901")["ending"] == "terminated"
        soon(lambda: b.ask("reg.list", line="101") == [], "the end of the registration")


def _files_are_heard(a: Node, b: Node) -> None:
    a.ask("line.terminate", line="102", by="claire")
    a.ask("line.warn", line="103", about="unpaid", by="claire")
    a.ask("line.limit", line="104", channels=1, by="claire")
    soon(lambda: standing(b, "102").get("ends"), "a termination that waits")
    soon(lambda: standing(b, "103").get("warned_at"), "a warning")
    soon(lambda: standing(b, "104").get("channels") == 1, "a limit")
    b.ask("line.terminate", line="103", way="for_arrears", by="marc")
    soon(lambda: standing(a, "103")["state"] == "terminated", "an end by b on a's warning")


def _places_are_heard(a: Node, b: Node) -> None:
    def placed() -> Any:
        return b.ask("line.show", line="104")["location"]

    before = placed()["version"]
    civic = {"RD": "rue Paul Bert", "HNO": "1", "PC": "69003"}
    a.ask("line.locate", line="104", insee="69383", by="claire", civic=civic)
    soon(lambda: placed()["version"] > before, "the new address")
    assert placed()["insee"] == "69383"
    a.ask("line.confirm", line="104", by="M. Durand")
    soon(lambda: placed()["state"] == "confirmed", "its confirmation")


def _disclosures_are_heard(a: Node, b: Node) -> None:
    def stage(rig: Rig) -> Any:
        return {each["id"]: each["stage"] for each in rig.ask("disclosure.list")}.get(asked["id"])

    asked = a.ask("disclosure.request", line="104", since=0, until=1, classes="traffic",
                  ground="authority", reference="PV 1", by="claire")  # fmt: skip
    soon(lambda: stage(b), "the request")
    for by in ("marc", "anne"):
        b.ask("disclosure.approve", id=asked["id"], by=by)
    soon(lambda: stage(a) == "approved", "two approvals")


def test_devices_are_one_nodes_and_a_theft_is_everybodys(server: Server, tmp_path: Path) -> None:
    url = server.url("owner").replace("+asyncpg", "")
    with Node(tmp_path / "a", url, "a") as a, Node(tmp_path / "b", url, "b") as b:
        assert [row["id"] for row in a.ask("device.list")] == ["dev-ooma-109"]
        refused = b.run("device", "list")
        assert (refused.returncode, "node a" in refused.stderr) == (1, True)
        with Handset("--address", "127.0.0.1") as phone:
            phone.register("103", "demo-103", b.address)
            assert a.run("line", "stolen", "103").returncode == 0
            until(
                lambda: b.ask("line.show", line="103")["state"] == "stolen",
                SEEN_WITHIN_S,
                "stolen at b",
            )
            assert b.ask("reg.list", line="103") == []
        with Handset("--address", "127.0.0.1") as thief, pytest.raises(HandsetError):
            thief.register("103", "demo-103", b.address)
