"""How far long work on images is: written by the thread that does it, read by whoever looks on."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Work:
    """`done` of `total`, in what `what` counts ("bytes hashed"); `what` is "" while nothing is done."""

    what: str = ""
    done: int = 0
    total: int = 0

    @contextmanager
    def of(self, what: str, total: int) -> Iterator[None]:
        """A part of the work, from its beginning to its end."""
        self.what, self.done, self.total = what, 0, total
        try:
            yield
        finally:
            self.what = ""

    def over(self, things: Iterable[T]) -> Iterator[T]:
        """The things, each counted when the next one is asked for."""
        for each in things:
            yield each
            self.done += 1

    def shown(self) -> dict[str, Any]:
        """As it is told."""
        return {"what": self.what, "done": self.done, "total": self.total}
