"""Lock-out of password guessing, so keyed that nobody can lock out somebody else.

Two counts: failures of a (user, address) pair, and distinct unknown users that an address tried.
Never a user alone, for then a stranger could unregister a line; never a pair that registered in the
last 30 days, for then a typo at a shared address would silence its phones. Emergency calls of
registered phones don't pass here at all. Deliberately absent: notices, and any answer that differs
from that of a wrong password.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

K = TypeVar("K")
V = TypeVar("V")

DAY_S = 86_400.0
KNOWN = "known"  # the kind of journal record of a pair that registered


@dataclass(frozen=True, slots=True)
class LockoutLimits:
    """How much guessing is borne. Ages in seconds of the boottime clock.

    `entries` bounds each table; when one is full, the oldest entry goes: a guesser with so many
    addresses is not stopped by locks anyway.
    """

    failures: int = 10
    unknown_users: int = 10
    window_s: float = 600.0
    lock_s: float = 600.0
    remembered_s: float = 30 * DAY_S
    entries: int = 50_000


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0
    locked_until: float = 0.0


@dataclass(slots=True)
class _Unknown:
    since: float
    users: set[str]
    locked_until: float = 0.0


class Lockout:
    """Counts failures. `address` is a source address in the form of `address_key`."""

    __slots__ = ("_addresses", "_limits", "_pairs", "_registered")

    def __init__(self, limits: LockoutLimits | None = None) -> None:
        """`limits` None = the defaults."""
        self._limits = limits or LockoutLimits()
        self._pairs: dict[tuple[str, str], _Failures] = {}
        self._addresses: dict[str, _Unknown] = {}
        self._registered: dict[tuple[str, str], float] = {}

    def is_locked(self, user: str, address: str, now: float) -> bool:
        """Whether a password of this user from this address is refused unheard."""
        pair = self._pairs.get((user, address))
        tried = self._addresses.get(address)
        locked = (pair is not None and now < pair.locked_until) or (
            tried is not None and now < tried.locked_until
        )
        return locked and not self.is_remembered(user, address, now)

    def is_remembered(self, user: str, address: str, now: float) -> bool:
        """Whether this user registered from this address in the last 30 days."""
        at = self._registered.get((user, address))
        return at is not None and now - at <= self._limits.remembered_s

    def failed(self, user: str, address: str, is_known: bool, now: float) -> bool:
        """Count a wrong password, or an unknown user. True if that locked the pair or address."""
        if self.is_remembered(user, address, now):
            return False
        locked = self._count_pair(user, address, now)
        if not is_known:
            locked = self._count_address(user, address, now) or locked
        return locked

    def registered(self, user: str, address: str, now: float) -> bool:
        """Remember a pair that registered; call it for each 200 to a REGISTER.

        True when the pair is new or was last recorded a day ago or more: then it is worth writing
        down, for `restore`.
        """
        pair = (user, address)
        self._pairs.pop(pair, None)
        before = self._registered.get(pair)
        if before is not None and now - before < DAY_S:
            return False
        self.restore(user, address, now)
        return True

    def restore(self, user: str, address: str, at: float) -> None:
        """Remember a pair that registered at `at` (boottime seconds; negative = before this boot)."""
        self._registered.pop((user, address), None)
        _make_room(self._registered, self._limits.entries)
        self._registered[user, address] = at

    def records(self, now: float, wall: float) -> Iterator[bytes]:
        """The journal records of all pairs that registered; `now` boottime, `wall` UTC seconds."""
        for (user, address), at in self._registered.items():
            yield known_record(user, address, wall - (now - at))

    def take(self, records: Iterable[Mapping[str, Any]], now: float, wall: float) -> None:
        """Restore the pairs of a journal; other kinds of record are skipped."""
        for record in records:
            if record.get("k") == KNOWN:
                self.restore(record["user"], record["address"], now - (wall - record["wall"]))

    def forget(self, user: str) -> None:
        """Drop the locks of one user: its password was changed, or an operator says so."""
        for pair in [pair for pair in self._pairs if pair[0] == user]:
            del self._pairs[pair]

    def _count_pair(self, user: str, address: str, now: float) -> bool:
        pair = self._pairs.get((user, address))
        if pair is None or now - pair.since > self._limits.window_s:
            self._pairs.pop((user, address), None)
            _make_room(self._pairs, self._limits.entries)
            pair = self._pairs[user, address] = _Failures(now)
        pair.count += 1
        if pair.count < self._limits.failures:
            return False
        pair.locked_until = now + self._limits.lock_s
        pair.count, pair.since = 0, pair.locked_until
        return True

    def _count_address(self, user: str, address: str, now: float) -> bool:
        tried = self._addresses.get(address)
        if tried is None or now - tried.since > self._limits.window_s:
            self._addresses.pop(address, None)
            _make_room(self._addresses, self._limits.entries)
            tried = self._addresses[address] = _Unknown(now, set())
        tried.users.add(user)
        if len(tried.users) < self._limits.unknown_users:
            return False
        tried.locked_until = now + self._limits.lock_s
        tried.users.clear()
        tried.since = tried.locked_until
        return True


def _make_room(table: dict[K, V], limit: int) -> None:
    while len(table) >= limit:
        del table[next(iter(table))]


def known_record(user: str, address: str, wall: float) -> bytes:
    """The journal record of a pair that registered at UTC seconds `wall`."""
    return orjson.dumps({"k": KNOWN, "user": user, "address": address, "wall": wall})
