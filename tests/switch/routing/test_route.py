"""Order of trunks by priority and weight."""

from itertools import cycle

import pytest

from switch.routing.route import Route, RouteHop

EQUALS = Route("r", (RouteHop("a", 1, 75), RouteHop("b", 1, 25), RouteHop("c", 2)))


@pytest.mark.parametrize(("drawn", "order"), [(0.0, "abc"), (0.74, "abc"), (0.76, "bac")])
def test_equals_share_by_weight_and_later_priorities_wait(drawn: float, order: str) -> None:
    assert "".join(EQUALS.order(lambda: drawn)) == order


def test_shares_follow_the_weights() -> None:
    draws = cycle(n / 100 for n in range(100))
    first = [EQUALS.order(lambda: next(draws))[0] for _ in range(100)]
    assert (first.count("a"), first.count("b")) == (75, 25)


def test_zero_weight_is_last_among_equals() -> None:
    route = Route("r", (RouteHop("spare", 1, 0), RouteHop("used", 1, 1)))
    assert route.order(lambda: 0.0) == ("used", "spare")


def test_only_zero_weights() -> None:
    route = Route("r", (RouteHop("a", 1, 0), RouteHop("b", 1, 0)))
    assert set(route.order(lambda: 0.9)) == {"a", "b"}
