"""Tags, branches and Call-IDs: unguessable (RFC 3261 §19.3 wants 32 random bits) and cheap.

Random bytes come from the kernel in blocks and are handed out by slices, which costs as little as a
pseudo-random generator and, unlike one, can't be predicted from the tags a phone has seen.
"""

import hashlib
import os
from typing import Final

MAGIC_COOKIE: Final = "z9hG4bK"  # RFC 3261 §8.1.1.7

_BLOCK_BYTES: Final = 4096  # one system call per about 500 identifiers
_TAG_DIGITS: Final = 16  # 64 bits
_BRANCH_DIGITS: Final = 20  # 80 bits: a branch is the key of a table over many peers
_CALL_ID_DIGITS: Final = 32  # 128 bits: unique in space and time without a host part


class _Digits:
    """Random hexadecimal digits, drawn from the kernel a block at a time."""

    __slots__ = ("_block", "_next")

    def __init__(self) -> None:
        self._block = ""
        self._next = 0

    def take(self, count: int) -> str:
        start = self._next
        end = start + count
        if end > len(self._block):
            self._block = os.urandom(_BLOCK_BYTES).hex()
            start, end = 0, count
        self._next = end
        return self._block[start:end]


_take: Final = _Digits().take


def new_tag() -> str:
    """A From or To tag."""
    return _take(_TAG_DIGITS)


def new_branch() -> str:
    """A Via branch with the magic cookie of RFC 3261."""
    return MAGIC_COOKIE + _take(_BRANCH_DIGITS)


def new_call_id() -> str:
    """A Call-ID, without a host: it would tell the topology."""
    return _take(_CALL_ID_DIGITS)


_TAG_KEY: Final = os.urandom(16)


def stateless_tag(seed: str) -> str:
    """A To tag that a repetition of the same request gets again (§8.2.7), by its branch as `seed`."""
    digest = hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8, key=_TAG_KEY)
    return digest.hexdigest()
