"""The CSeq header value (RFC 3261 §20.16)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from switch.sip.errors import ParseError
from switch.sip.grammar import TOKEN, parse_number
from switch.sip.limits import MAX_CSEQ, MAX_METHOD_CHARS
from switch.sip.names import METHODS


class CSeq(NamedTuple):
    """Sequence number (0 to 2**31 - 1) and method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read "314159 INVITE". Raises ParseError."""
        return _parse(text)

    def __str__(self) -> str:
        """As on the wire."""
        return f"{self.number} {self.method}"


# All messages of a transaction carry the same one, and phones count from 1.
@lru_cache(maxsize=1024)
def _parse(text: str) -> CSeq:
    parts = text.split()
    if len(parts) != 2:
        raise ParseError("bad CSeq")
    method = METHODS.get(parts[1])
    if method is None:
        method = parts[1]
        if len(method) > MAX_METHOD_CHARS or not TOKEN.fullmatch(method):
            raise ParseError("bad method in CSeq")
    return CSeq(parse_number(parts[0], MAX_CSEQ, "CSeq number"), method)
