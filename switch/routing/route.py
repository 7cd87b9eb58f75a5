"""A route: the trunks that a call may leave by, in the order in which they are tried.

Priority and weight mean what they mean in DNS SRV (RFC 2782). Whether a trunk is up is not known
here: whoever turns a route into targets skips the dead ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class RouteHop:
    """One trunk of a route: lower `priority` first, `weight` is the share among equals."""

    trunk: str
    priority: int = 1
    weight: int = 100


@dataclass(frozen=True, slots=True)
class Route:
    """A named route; `hops` are sorted by priority."""

    name: str
    hops: tuple[RouteHop, ...]

    def order(self, draw: Callable[[], float]) -> tuple[str, ...]:
        """Trunk ids, best first. `draw` gives numbers in [0, 1) and settles equal priorities."""
        ordered: list[str] = []
        for _, equals in groupby(self.hops, key=lambda hop: hop.priority):
            left = list(equals)
            while len(left) > 1:
                ordered.append(left.pop(_pick([hop.weight for hop in left], draw())).trunk)
            ordered.append(left[0].trunk)
        return tuple(ordered)


def _pick(weights: list[int], drawn: float) -> int:
    """The index that a number in [0, 1) falls on; a weight of 0 is taken only after all others."""
    mark = drawn * sum(weights)
    for index, weight in enumerate(weights):
        if mark < weight:
            return index
        mark -= weight
    return 0
