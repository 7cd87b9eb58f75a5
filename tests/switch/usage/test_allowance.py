"""From what an operator configures to milliseconds."""

from dataclasses import dataclass

import pytest

from switch.usage.allowance import Cap, caps_of


@dataclass(frozen=True)
class Terms:
    minutes_per_day: float | None = None
    minutes_per_cycle: float | None = None
    euros_per_day: float | None = None
    euros_per_cycle: float | None = None
    euros_per_minute: float | None = None


def test_minutes() -> None:
    assert caps_of(Terms(minutes_per_day=1.5, minutes_per_cycle=60)) == (
        Cap("minutes_per_day", 90_000, is_daily=True),
        Cap("minutes_per_cycle", 3_600_000, is_daily=False),
    )


@pytest.mark.parametrize(
    ("euros", "rate", "ms"), [(100, 0.25, 24_000_000), (0.3, 0.1, 180_000), (1, 3, 20_000)]
)
def test_euros_buy_minutes_exactly(euros: float, rate: float, ms: int) -> None:
    (cap,) = caps_of(Terms(euros_per_cycle=euros, euros_per_minute=rate))
    assert cap == Cap("euros_per_cycle", ms, is_daily=False)


def test_a_cap_of_nothing_is_a_cap() -> None:
    assert caps_of(Terms(minutes_per_day=0)) == (Cap("minutes_per_day", 0, is_daily=True),)


@pytest.mark.parametrize("rate", [None, 0])
def test_what_costs_nothing_has_no_cap_of_spend(rate: float | None) -> None:
    assert caps_of(Terms(euros_per_day=1, euros_per_minute=rate)) == ()


def test_no_terms_no_caps() -> None:
    assert caps_of(Terms()) == ()
