"""What a line keeps while the ACK of a leg is awaited, and no longer; and legs that no call owns."""

import orjson

from switch.usage.line import LineMeter
from tests.switch.usage.test_meter import AT, CALENDAR, CYCLE, WALL, Node


def line_of(node: Node) -> LineMeter:
    return node.meters._lines["101"]


def test_nothing_is_kept_of_ended_legs_when_no_ack_is_awaited() -> None:
    node = Node()
    for n in range(100):
        node.call(f"c{n}", AT + n, WALL + n)
        node.meters.stop(f"c{n}", AT + n + 0.5)
    assert line_of(node).ended == {}
    assert b"ended" not in b"".join(node.meters.live_records())


def test_it_is_let_go_when_the_ack_has_come_or_will_not_come() -> None:
    for end in ("confirm", "cancel"):
        node = Node()
        node.meters.start("waits", "101", "outbound", AT, WALL, None, CYCLE)
        node.call("a", AT + 1, WALL + 1)
        node.meters.stop("a", AT + 2)
        assert set(line_of(node).ended) == {"a"}
        getattr(node.meters, end)("waits")
        node.call("b", AT + 60, WALL + 60)
        assert line_of(node).ended == {}


def test_the_past_cycle_is_let_go_with_the_next_one() -> None:
    node = Node()
    wall = CYCLE.end / 1000 - 10
    node.meters.start("waits", "101", "outbound", AT, wall, None, CYCLE)
    node.call("a", AT + 11, wall + 11, cycle=CALENDAR.cycle(1))
    assert line_of(node).past is not None
    node.meters.cancel("waits")
    node.call("b", AT + 40 * 86_400, wall + 40 * 86_400, cycle=CALENDAR.cycle(2))
    assert line_of(node).past is None


def test_a_leg_that_no_call_owns_ends_at_the_last_heartbeat_and_says_so() -> None:
    node = Node()
    node.call("a", AT, WALL)
    node.meters.start("b", "101", "outbound", AT, WALL, None, CYCLE)
    node.meters.beat(AT + 60, WALL + 60)
    again = node.after(node.records(), AT + 65, WALL + 65)
    again.meters.abandon("a")
    again.meters.abandon("b")  # its ACK never came
    ended = [r for r in map(orjson.loads, again.outbox.journal) if r["k"] == "usage"]
    assert [(r["leg"], r["ms"], r["estimated"]) for r in ended] == [
        ("a", 60_000, True),
        ("b", 0, False),
    ]


def test_an_end_before_the_answer_is_the_answer() -> None:
    """Stamps of two sockets: never negative, nor an instant before the call was one."""
    node = Node()
    node.call("a", AT, WALL)
    assert node.meters.stop("a", AT - 0.005) == 0
    (usage,) = [r for r in node.records() if r["k"] == "usage"]
    assert usage["at"] == round(WALL * 1000)
