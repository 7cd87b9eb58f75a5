"""The situations of RFC 4475 at the switch: what goes back, or why nothing does."""

from typing import Any

import pytest

from switch.sip.flow import Flow
from tests.flows.actors import SWITCH, World
from tests.switch.sip.test_torture import CASES, wire

STRANGER = Flow("UDP", SWITCH, ("192.0.2.2", 5060))


def answer(world: World, datagram: bytes) -> str:
    """The statuses that a stranger gets, or what was counted; "absorbed" for neither."""
    world.deliver(datagram, STRANGER)
    # An answer to damage repeats it, so that it can't be read as a whole.
    statuses = [data.split(maxsplit=2)[1].decode() for _, data in world.strays]
    counted = [f"dropped: {reason}" for reason in world.core.dropped]
    return ", ".join(statuses or counted or ["absorbed"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_case_has_its_answer(world: World, case: dict[str, Any]) -> None:
    assert answer(world, wire(case)) == case["switch"]
    assert not world.exchange.calls
