"""The table of updates: every row, and an illegal event in every state."""

import pytest

from firmware_agent.agent.table import (
    ABSORBED,
    BEFORE_REBOOT,
    ENDED,
    TABLE,
    IllegalUpdateEventError,
    UpdateEvent,
    step,
)
from firmware_agent.messages.reported import UpdateState


def test_every_row_leads_somewhere_and_every_state_is_reached_and_left() -> None:
    assert {state for state, _ in TABLE} == set(UpdateState)
    reached = {state for state, _ in TABLE.values()} | {UpdateState.IDLE}
    assert reached == set(UpdateState)
    for (state, event), row in TABLE.items():
        assert step(state, event) == row
        assert row[0] in UpdateState


@pytest.mark.parametrize("state", UpdateState)
def test_event_in_no_row_is_a_mistake_or_absorbed(state: UpdateState) -> None:
    missing = [event for event in UpdateEvent if (state, event) not in TABLE]
    illegal = [event for event in missing if event not in ABSORBED]
    assert illegal, "each state has something that can't happen in it"
    for event in illegal:
        with pytest.raises(IllegalUpdateEventError, match=f"{event.name} in {state.name}"):
            step(state, event)
    for event in set(missing) & ABSORBED:
        assert step(state, event) is None


def test_nothing_ends_in_a_reboot_but_a_window_or_a_failed_trial() -> None:
    reboots = {
        key for key, row in TABLE.items() if row[1].name in ("REBOOT_INTO_TRIAL", "ROLL_BACK")
    }
    assert reboots == {
        (UpdateState.WAIT_WINDOW, UpdateEvent.MAY_REBOOT),
        (UpdateState.TRIAL, UpdateEvent.TRIAL_OVER),
        (UpdateState.ROLLING_BACK, UpdateEvent.BOOTED_TRIAL),
    }


def test_only_health_confirms_a_trial() -> None:
    confirms = {key for key, row in TABLE.items() if row[1].name == "CONFIRM"}
    assert confirms == {
        (UpdateState.TRIAL, UpdateEvent.HEALTHY),
        (UpdateState.CONFIRMED, UpdateEvent.BOOTED_TRIAL),  # it was healthy before the power went
    }


def test_every_state_before_the_reboot_can_be_withdrawn() -> None:
    for state in BEFORE_REBOOT:
        assert step(state, UpdateEvent.WITHDRAWN) is not None
        assert TABLE[state, UpdateEvent.WITHDRAWN][0] is UpdateState.IDLE
    assert not set(BEFORE_REBOOT) & ENDED
