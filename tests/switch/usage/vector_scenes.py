"""Finds the scene of a vector by the keys of its `given`, plays it, and returns what it shows.

A scene is a function of (given, expect) that returns everything that can be expected of it by name. `expect`
is there for series without an end: it says how many of them to show, and nothing else is taken from it.
"""

from collections.abc import Callable
from typing import Any

Values = dict[str, Any]
Scene = Callable[[Values, Values], Values]
_SCENES: list[tuple[frozenset[str], frozenset[str], Scene]] = []


def scene(*keys: str, maybe: tuple[str, ...] = ()) -> Callable[[Scene], Scene]:
    """Register a scene for a `given` with all of `keys`, and any of `maybe`."""

    def register(played: Scene) -> Scene:
        _SCENES.append((frozenset(keys), frozenset(maybe), played))
        return played

    return register


def scene_of(given: Values, expect: Values | None = None) -> Values:
    """Play the scene of a vector. LookupError unless exactly one knows all its keys."""
    there = given.keys()
    found = [play for keys, maybe, play in _SCENES if keys <= there <= keys | maybe]
    if len(found) != 1:
        raise LookupError(f"{'no' if not found else 'more than one'} scene: {', '.join(there)}")
    return found[0](given, expect or {})
