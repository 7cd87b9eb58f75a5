"""What a day's window makes of calls that are up together."""

from itertools import count

import pytest

from policy.acceptable_use.call import Call
from policy.acceptable_use.window import Day
from policy.model import NumberClass

_ids = count()


def day_of(*spans: tuple[int, int], parties: int = 2) -> Day:
    """A day with these calls, answered and ended at these minutes."""
    day = Day(1)
    for start, end in sorted(spans, key=lambda span: span[1]):
        duration = (end - start) * 60_000
        call = Call(f"c{next(_ids)}", start * 60_000, 1, 600, True, "+33145678901", True, 0,
                    duration, "caller", 200, NumberClass.NATIONAL, parties=parties)  # fmt: skip
        day.add(call, 0.0)
    return day


@pytest.mark.parametrize(
    ("spans", "together"),
    [
        (((0, 10), (10, 20)), 0),
        (((0, 10), (4, 20)), 6),
        (((0, 60), (0, 60)), 60),
        (((0, 60), (0, 60), (0, 60)), 60),  # three in common count once
        (((0, 60), (5, 10), (20, 30)), 15),
        (((0, 570), (0, 570), (100, 102), (200, 203), (540, 550)), 570),  # and calls meanwhile
        ((), 0),
    ],
)
def test_calls_that_are_up_together_are_a_conference(
    spans: tuple[tuple[int, int], ...], together: int
) -> None:
    assert day_of(*spans).conference_ms == together * 60_000


def test_the_longest_and_a_conference_whose_size_is_known() -> None:
    day = day_of((0, 500), (0, 500), (600, 620), (600, 620))
    assert day.longest_ms == 500 * 60_000
    assert day.conference_ms == 520 * 60_000
    assert day_of((0, 30), parties=3).conference_ms == 30 * 60_000
