"""Sets of bounded size: who was called, without keeping the numbers.

A bitmap counts distinct values by linear counting (Whang et al., 1990) and tells members from others
with a small error; the values themselves are gone, which is what terms 2(g) want.
"""

import math
from zlib import crc32

_SCATTER = 2_654_435_761  # Knuth, The Art of Computer Programming 3, 6.4


class Sketch:
    """About how many distinct texts were added; `bits` is a power of two, the error some
    1/sqrt(bits) up to twice as many values as bits."""

    __slots__ = ("_bits", "_mask", "_set")

    def __init__(self, bits: int = 1024) -> None:
        self._bits = bytearray(bits // 8)
        self._mask = bits - 1
        self._set = 0

    def add(self, text: str) -> bool:
        """Add a text; False if one like it was there already."""
        place = _place(text) & self._mask
        byte, bit = place >> 3, 1 << (place & 7)
        if self._bits[byte] & bit:
            return False
        self._bits[byte] |= bit
        self._set += 1
        return True

    def __contains__(self, text: str) -> bool:
        """Whether a text like it was added."""
        place = _place(text) & self._mask
        return bool(self._bits[place >> 3] & (1 << (place & 7)))

    @property
    def free(self) -> float:
        """The share of texts never added that it tells from those that were."""
        return 1 - self._set / (self._mask + 1)

    def __len__(self) -> int:
        """The estimate."""
        size = self._mask + 1
        unset = size - self._set
        return round(size * math.log(size / unset)) if unset else size * 8


def _place(text: str) -> int:
    """Numbers of one block follow each other, and so do their checksums: they are scattered."""
    return crc32(text.encode()) * _SCATTER >> 13


class Few:
    """At most `limit` distinct texts, the rest is only counted: user agents, countries, subnets."""

    __slots__ = ("_limit", "_seen", "more")

    def __init__(self, limit: int = 16) -> None:
        self._limit = limit
        self._seen: dict[str, int] = {}
        self.more = 0

    def add(self, text: str, at: int) -> bool:
        """Note a text at UTC ms; True if it is new. "" is unknown and never new."""
        if not text:
            return False
        new = text not in self._seen
        if not new or len(self._seen) < self._limit:
            self._seen[text] = at
        else:
            self.more += 1
        return new

    def since(self, at: int) -> int:
        """How many were noted at `at` or later."""
        return sum(seen >= at for seen in self._seen.values()) + self.more

    def __len__(self) -> int:
        """How many there are."""
        return len(self._seen) + self.more
