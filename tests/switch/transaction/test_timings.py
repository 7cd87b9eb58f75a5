"""The derived timers of RFC 3261 table 4."""

import pytest

from switch.transaction import Timings


def test_defaults_are_those_of_the_rfc() -> None:
    timings = Timings()
    assert (timings.t1, timings.t2, timings.t4) == (0.5, 4.0, 5.0)
    assert timings.transaction_timeout == 32.0
    assert timings.wait_for_responses == 32.0


@pytest.mark.parametrize(("t1", "timeout", "wait"), [(1.0, 64.0, 64.0), (0.01, 0.64, 0.64)])
def test_everything_follows_t1(t1: float, timeout: float, wait: float) -> None:
    timings = Timings(t1=t1)
    assert timings.transaction_timeout == pytest.approx(timeout)
    assert timings.wait_for_responses == pytest.approx(wait)
