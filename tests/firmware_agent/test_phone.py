"""The score of a call, after ITU-T G.107."""

import pytest

from firmware_agent.phone import EMERGENCY, mos


@pytest.mark.parametrize(
    ("lost", "delay_ms", "at_least", "at_most"),
    [
        (0.0, 20, 4.35, 4.45),  # what G.711 reaches at best
        (0.01, 50, 3.6, 4.1),
        (0.05, 100, 2.0, 2.6),
        (0.0, 400, 3.0, 3.9),
        (0.5, 100, 1.0, 1.2),
        (1.0, 1000, 1.0, 1.0),
    ],
)
def test_score(lost: float, delay_ms: float, at_least: float, at_most: float) -> None:
    assert at_least <= mos(lost, delay_ms) <= at_most


def test_score_falls_with_loss_and_delay() -> None:
    by_loss = [mos(lost / 100, 50) for lost in range(30)]
    by_delay = [mos(0.01, delay) for delay in range(0, 800, 50)]
    assert by_loss == sorted(by_loss, reverse=True)
    assert by_delay == sorted(by_delay, reverse=True)


def test_the_numbers_after_which_the_rescue_services_call_back() -> None:
    assert {"15", "17", "18", "112", "114", "115", "119", "191", "196", "197"} < EMERGENCY
