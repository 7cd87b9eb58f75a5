"""Which failure the caller hears (RFC 3261 §16.7 step 6)."""

import pytest

from switch.call.forking import best_failure
from switch.call.vocabulary import Fail


@pytest.mark.parametrize(
    ("statuses", "best"),
    [
        ([486], 486),
        ([486, 603], 603),
        ([503, 486], 486),
        ([408, 486], 486),
        ([487, 404], 404),
        ([486, 484], 484),
        ([486, 415], 415),
        ([500, 408], 408),
        ([503, 500], 503),
    ],
)
def test_the_best(statuses: list[int], best: int) -> None:
    found = best_failure([Fail(status, "x") for status in statuses])
    assert found is not None and found.status == best


def test_none_of_none() -> None:
    assert best_failure([]) is None
