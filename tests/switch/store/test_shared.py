"""Several nodes on one PostgreSQL: each counts its own legs, all see the whole, one tells people."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from switch.app.gather import STALE_S, Gather
from switch.clock import Wheel
from switch.sip.outbox import Event, Outbox
from switch.store.journal import Journal
from switch.store.read import Reader
from switch.store.read_audit import AuditReader
from switch.store.shared import Gazette
from switch.store.writer import Writer
from switch.usage.adjustment import Adjustment
from switch.usage.cycle import Calendar
from switch.usage.meter import Meters
from tests.switch.store.postgresql import Server

CALENDAR = Calendar.from_request(1_767_000_000_000)
WALL = 1_770_332_400.0
CYCLE = CALENDAR.cycle_at(round(WALL * 1000))
LIMIT_S = 20.0


class House:
    """What `Gather` needs of an exchange: meters, the lines there are, and the wall clock."""

    def __init__(self, meters: Meters, offset: float) -> None:
        self.meters = meters
        self.lines = dict.fromkeys(("101", "102"), _Line())
        self.accounts = {"demo": None}
        self.offset = offset

    @property
    def facts(self) -> "House":
        return self

    def wall(self, now: float) -> float:
        return now + self.offset

    def calendar(self, account: object) -> Calendar:
        return CALENDAR


class _Line:
    account = "demo"


class Node:
    """A switch's meters, journal and writer, with a boottime of its own; time is the test's."""

    def __init__(self, name: str, url: str, home: Path, boottime: float) -> None:
        self.name = name
        self.now = boottime
        self.wheel = Wheel()
        self.outbox = Outbox()
        self.meters = Meters(self.wheel, self.outbox, boot=name)
        self.journal = Journal(home / name, segment_bytes=1 << 20)
        self.alarms: list[str] = []
        self.writer = Writer(
            url,
            lambda: self.journal.replay(whole=True),
            node=name,
            alarm=lambda alarm, _: self.alarms.append(alarm),
            interval_s=0.005,
        )
        self.reader = Reader(url)
        self.announced: list[Event] = []
        self.house = House(self.meters, WALL - boottime)
        self.gazette = Gazette(url, name)
        self.gather = Gather(
            self.house,  # type: ignore[arg-type]
            self.gazette,
            self.announced.extend,
            self.perform,
            lambda alarm, _: self.alarms.append(alarm),
            clock=lambda: self.now,
        )

    def perform(self) -> None:
        """What the driver does with the outbox."""
        lines, self.outbox.journal = self.outbox.journal, []
        self.journal.write(lines)
        self.writer.feed(lines)

    def start(self, leg: str, direction: str = "outbound", exempt: str | None = None) -> None:
        wall = self.house.wall(self.now)
        self.meters.start(leg, "101", direction, self.now, wall, exempt, CYCLE)  # type: ignore[arg-type]
        self.meters.confirm(leg)

    def beat(self) -> None:
        self.meters.beat(self.now, self.house.wall(self.now))

    def turn(self, seconds: float) -> None:
        to = self.now + seconds
        while (due := self.wheel.next_at()) is not None and due <= to:
            self.wheel.fire(due)
        self.now = to

    @property
    def used_ms(self) -> int:
        return self.meters.used_ms("101", self.now)

    @property
    def crossings(self) -> list[tuple[int, int]]:
        return [
            (int(str(fields["percentage"])), int(str(fields["occurred_at"])))
            for name, fields in self.outbox.events
            if name == "usage.threshold"
        ]


class Fleet:
    """Nodes that share a database, and the same time."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = nodes

    async def settle(self) -> None:
        """Everything is written."""
        for node in self.nodes:
            node.beat()
            node.perform()
            await node.writer.settle()

    async def share(self) -> None:
        """Everything is written, and everybody has looked."""
        await self.settle()
        for node in self.nodes:
            await node.gather.look()

    def turn(self, seconds: float) -> None:
        for node in self.nodes:
            node.turn(seconds)


@asynccontextmanager
async def fleet(server: Server, name: str, home: Path) -> AsyncIterator[Fleet]:
    """Two nodes whose machines were started at different times."""
    url = server.url(name)
    nodes = [Node("a", url, home, 5_000.0), Node("b", url, home, 900_000.0)]
    tasks = [asyncio.create_task(node.writer.run()) for node in nodes]
    try:
        async with asyncio.timeout(LIMIT_S):
            yield Fleet(*nodes)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for node in nodes:
            await node.reader.close()
            await node.gazette.close()
            node.journal.close()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_both_nodes_see_ended_and_live_legs_of_the_other(
    postgresql: Server, tmp_path: Path
) -> None:
    async def work() -> None:
        async with fleet(postgresql, "seen", tmp_path) as both:
            a, b = both.nodes
            a.start("ended")
            a.start("free", exempt="free")
            both.turn(60)
            a.meters.stop("ended", a.now)
            a.start("live", "inbound")
            both.turn(5)
            b.start("own")
            both.turn(5)
            await both.share()
            assert a.used_ms == b.used_ms == 60_000 + 10_000 + 5_000
            for node in (a, b):
                reading = node.meters.reading("101", node.now, CYCLE)
                assert reading.by_direction == {"outbound": 65_000, "inbound": 10_000}
                assert reading.live_ms == 15_000
            both.turn(1)
            assert a.used_ms == b.used_ms == 77_000
            a.meters.stop("live", a.now)
            await both.share()
            both.turn(10)
            assert a.used_ms == b.used_ms == 60_000 + 11_000 + 16_000

    run(work)


def test_a_crossing_that_needs_both_is_announced_once_at_its_own_instant(
    postgresql: Server, tmp_path: Path
) -> None:
    async def work() -> None:
        async with fleet(postgresql, "crossing", tmp_path) as both:
            a, b = both.nodes
            a.meters.load(
                "101", CYCLE, {"outbound": 299_990_000}, [80, 90], a.now, a.house.wall(a.now)
            )
            for node in (a, b):
                node.perform()
            # The sum as it was loaded is a's: tell b by a row, as a's ended legs would have.
            a.journal.write([usage_of("old", 299_990_000)])
            a.writer.feed([usage_of("old", 299_990_000)])
            a.start("x")
            b.start("y")
            await both.share()
            both.turn(4)
            await both.share()
            assert a.crossings == b.crossings == [] or b.crossings[-1][0] == 90
            both.turn(4)  # each alone has 8 s; together they passed 10 s at the fifth
            await both.share()
            expected = (100, round(WALL * 1000) + 5_000)
            assert expected in a.crossings  # b may have learnt it from a's row instead
            await both.share()
            told = [event for node in both.nodes for event in node.announced]
            hundred = [fields for _, fields in told if fields["percentage"] == 100]
            assert [fields["occurred_at"] for fields in hundred] == [expected[1]]
            await both.share()
            assert [event for node in both.nodes for event in node.announced] == told

    run(work)


def usage_of(leg: str, ms: int) -> bytes:
    return orjson.dumps(
        {
            "k": "usage",
            "leg": leg,
            "line": "101",
            "cycle": CYCLE.n,
            "direction": "outbound",
            "ms": ms,
            "counts": True,
            "exempt_reason": None,
            "final": True,
            "estimated": False,
            "clock": "boot",
            "at": round(WALL * 1000),
        }
    )


def test_no_crossing_beyond_what_the_other_node_has_said(
    postgresql: Server, tmp_path: Path
) -> None:
    """b's leg ended at 3 s, but its word comes late: a must not announce what never came to pass."""

    async def work() -> None:
        async with fleet(postgresql, "late", tmp_path) as both:
            a, b = both.nodes
            for node in (a, b):
                old = [80, 90]
                node.meters.load("101", CYCLE, {}, old, node.now, node.house.wall(node.now))
            a.writer.feed([usage_of("old", 299_990_000)])
            a.meters.load(
                "101", CYCLE, {"outbound": 299_990_000}, [80, 90], a.now, a.house.wall(a.now)
            )
            a.start("x")
            b.start("y")
            await both.share()
            both.turn(3)
            b.meters.stop("y", b.now)
            a.turn(3.5)  # 10 s by what a knows (x 6.5, y 6.5), 9.5 s in truth
            assert a.crossings == []
            b.turn(3.5)
            await both.share()
            assert a.crossings == []
            assert a.used_ms == 299_990_000 + 6_500 + 3_000
            both.turn(1)
            await both.share()
            assert a.crossings == [(100, round(WALL * 1000) + 7_000)]

    run(work)


def test_a_partition_heals(postgresql: Server, tmp_path: Path) -> None:
    """Both go on alone; each counts what it has, and afterwards both have all, told once."""

    async def work() -> None:
        async with fleet(postgresql, "partition", tmp_path) as both:
            a, b = both.nodes
            a.start("x")
            b.start("y")
            await both.share()
            await asyncio.to_thread(postgresql.stop)
            try:
                both.turn(1)
                for node in both.nodes:
                    await node.gather.look()
                    assert "nodes.unreadable" in node.alarms
                both.turn(200_000)  # 55 h: each alone has 200,000 s, both together 400,000 s
                for node in both.nodes:
                    node.beat()
                    await node.gather.look()
                    assert node.used_ms < 200_000_000 + 2_000 + STALE_S * 1000
                a.meters.stop("x", a.now)
                a.perform()
            finally:
                await asyncio.to_thread(postgresql.start)
            await both.share()
            await both.share()
            assert a.used_ms == b.used_ms == 400_002_000
            await both.share()
            told = [event[1]["percentage"] for node in both.nodes for event in node.announced]
            assert sorted(told) == [80, 90, 100]
            assert "nodes.readable" in a.alarms

    run(work)


def test_the_legs_of_a_node_that_died_stand_still(postgresql: Server, tmp_path: Path) -> None:
    async def work() -> None:
        async with fleet(postgresql, "dead", tmp_path) as both:
            a, b = both.nodes
            b.start("y")
            both.turn(10)
            await both.share()
            a.turn(100)  # b's last word was at 10 s
            await a.gather.look()
            assert a.used_ms == 10_000
            a.turn(50)
            assert a.used_ms == 10_000

    run(work)


def test_a_correction_made_on_one_node_counts_on_both(postgresql: Server, tmp_path: Path) -> None:
    async def work() -> None:
        async with fleet(postgresql, "adjusted", tmp_path) as both:
            a, b = both.nodes
            made = Adjustment("adj-1", "101", 300_000_000, "test", "somebody", 1)
            a.meters.adjust(made, CYCLE, a.now, a.house.wall(a.now))
            await both.share()
            await both.share()
            assert a.used_ms == b.used_ms == 300_000_000
            told = [event[1]["percentage"] for node in both.nodes for event in node.announced]
            assert sorted(told) == [80, 90, 100]
            assert [each for each, _ in await b.reader.adjustments()] == [made]

    run(work)


def test_the_audit_is_one_chain_of_all_nodes(postgresql: Server, tmp_path: Path) -> None:
    async def work() -> None:
        async with fleet(postgresql, "audit", tmp_path) as both:
            for n in range(40):
                for node in both.nodes:
                    call = f"{node.name}{n}"
                    record = {"k": "audit", "call_id": call, "at": n, "line": "101"}
                    node.writer.feed([orjson.dumps(record)])
                await asyncio.sleep(0)
            for node in both.nodes:
                await node.writer.settle()
                assert node.writer.rejected == 0
            found = await AuditReader(both.nodes[0].reader).verify()
            assert (found.rows, found.broken_at) == (80, None)

    run(work)


def test_a_restarted_node_says_its_live_legs_anew(postgresql: Server, tmp_path: Path) -> None:
    async def work() -> None:
        async with fleet(postgresql, "restart", tmp_path) as both:
            a, b = both.nodes
            b.start("y")
            b.start("z")
            b.meters.stop("z", b.now + 1)
            await both.share()
            b.writer._behind = True  # as at a start: the whole journal is written again
            both.turn(2)
            await both.share()
            assert a.used_ms == 1_000 + 2_000

    run(work)
