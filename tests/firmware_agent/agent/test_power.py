"""Power cut at every write and fsync of a device's life: it always comes back, in service, and goes on."""

from collections.abc import Callable

import pytest

from firmware_agent.messages.desired import Op
from firmware_agent.messages.envelope import sign
from tests.firmware_agent.agent.life import SERVICE, Life, document, firmware
from tests.firmware_agent.cut_files import UNSYNCED, CutFiles, PowerCut

IN_SERVICE = sign(document(1), SERVICE)
UPDATE = sign(document(2, firmware()), SERVICE)
"""The broker has these very documents retained: after a cut they come again as they were."""


def device() -> Life:
    return Life(CutFiles())


def story(life: Life) -> None:
    life.boot()
    life.receive_retained(IN_SERVICE)
    life.beacon()
    life.receive_retained(UPDATE)


def emergency_and_moves(life: Life) -> None:
    story(life)
    life.calls(1, is_emergency=True)
    life.calls(0)
    life.order(Op.REGISTER)


def steps_of(tell: Callable[[Life], None]) -> tuple[int, int]:
    life = device()
    before = len(life.files.log)  # type: ignore[attr-defined]
    tell(life)
    assert life.states[-1] == "CONFIRMED"
    return before, len(life.files.log)  # type: ignore[attr-defined]


@pytest.mark.parametrize("unsynced", UNSYNCED)
@pytest.mark.parametrize("tell", [story, emergency_and_moves], ids=lambda tell: tell.__name__)
def test_power_cut_at_every_step_of_a_life(tell: Callable[[Life], None], unsynced: str) -> None:
    before, after = steps_of(tell)
    assert after - before > 50
    for step in range(before, after):
        life = device()
        assert isinstance(life.files, CutFiles)
        life.files.cut_at = step
        with pytest.raises(PowerCut):
            tell(life)
        again = Life(life.files.after_cut(unsynced))
        again.boot()
        # Whatever was cut, the line that was in service is in service without a word from the service.
        if again.agent.config.kept.good is not None:
            assert again.reported.emergency_ready, step
        again.receive_retained(IN_SERVICE)
        again.receive_retained(UPDATE)
        again.beacon()
        again.pass_time(3000, step=20)
        assert again.reported.fw.version == "1.1.0", (step, life.files.log[-1])
        assert again.reported.fw.state == "CONFIRMED", (step, life.files.log[-1])
        assert again.slots.flag().trial is None
        assert again.reported.state == "applied"
        assert again.reported.emergency_ready
