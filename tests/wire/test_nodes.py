"""Two switch processes on one PostgreSQL: one line, counted by both, shown alike by both."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switch.demo.handset import Handset, HandsetError
from tests.switch.store.postgresql import Server, running
from tests.wire.rig import Rig, until
from tests.wire.sipp import Sipp

LINE, NUMBER = "102", "0145678901"
SEEN_WITHIN_S = 8.0  # 6 s are promised; the machine may be busy
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
