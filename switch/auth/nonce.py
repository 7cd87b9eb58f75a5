"""Nonces that prove themselves, and which counts of each were seen (RFC 7616 §3.3, §5.4).

A nonce carries its time, the boot epoch and a serial number, with an HMAC over them and the class
of the address that asked. So issuing one stores nothing; only a nonce that was used with a right
password takes a place in a bounded table. A nonce that is too old, of an earlier epoch, of another
place, forged, or forgotten is stale: the phone gets another one, and nobody is suspected.
"""

import hmac
import struct

_LAYOUT = struct.Struct(">III")  # seconds since boot, boot epoch, serial number
_MAC_BYTES = 12  # 96 bits: more than can be guessed within a nonce's life
_STAMP_CHARS = 2 * _LAYOUT.size
_NONCE_CHARS = _STAMP_CHARS + 2 * _MAC_BYTES
_WINDOW = 64  # UDP reorders: counts this far below the highest may still arrive
_SEEN_BITS = (1 << _WINDOW) - 1
_WRAP = 0xFFFFFFFF


class Nonces:
    """Issues nonces and refuses to see a count twice.

    `key` is at least 16 secret bytes; `boot_epoch` grows with every start of the switch;
    `limit` bounds the table (about 200 bytes an entry). Times are seconds of the boottime clock.
    """

    __slots__ = ("_epoch", "_forgotten", "_key", "_lifetime_s", "_limit", "_serial", "_windows")

    def __init__(
        self, key: bytes, boot_epoch: int, lifetime_s: float = 600, limit: int = 100_000
    ) -> None:
        if len(key) < 16:
            raise ValueError("a nonce key has at least 16 bytes")
        self._key = key
        self._epoch = boot_epoch & _WRAP
        self._lifetime_s = lifetime_s
        self._limit = limit
        self._serial = 0
        # Serial numbers up to this one that are not in the table may have been used and forgotten.
        self._forgotten = 0
        # stamp of a nonce -> highest count << 64 | bits of the counts at and below it
        self._windows: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def issue(self, address_class: bytes, now: float) -> str:
        """A fresh nonce for a challenge to an address of this class."""
        self._serial = (self._serial + 1) & _WRAP
        stamp = _LAYOUT.pack(int(now) & _WRAP, self._epoch, self._serial)
        return (stamp + self._mac(stamp, address_class)).hex()

    def is_fresh(self, nonce: str, address_class: bytes, now: float) -> bool:
        """Whether a password may be judged by this nonce. False means stale, never a guess."""
        if len(nonce) != _NONCE_CHARS:
            return False
        try:
            whole = bytes.fromhex(nonce)
        except ValueError:
            return False
        stamp, mac = whole[: _LAYOUT.size], whole[_LAYOUT.size :]
        if len(mac) != _MAC_BYTES:  # fromhex skips spaces
            return False
        issued, epoch, serial = _LAYOUT.unpack(stamp)
        if epoch != self._epoch or not 0 <= now - issued <= self._lifetime_s + 1:
            return False
        if serial <= self._forgotten and stamp not in self._windows:
            return False
        return hmac.compare_digest(mac, self._mac(stamp, address_class))

    def use(self, nonce: str, count: int, now: float) -> bool:
        """Note that a fresh nonce was used with this count. False if it was before (a replay)."""
        stamp = bytes.fromhex(nonce[:_STAMP_CHARS])
        window = self._windows.get(stamp)
        if window is None:
            self._make_room(now)
            self._windows[stamp] = count << _WINDOW | 1
            return True
        highest = window >> _WINDOW
        if count > highest:
            seen = (window & _SEEN_BITS) << min(count - highest, _WINDOW) & _SEEN_BITS
            self._windows[stamp] = count << _WINDOW | seen | 1
            return True
        bit = 1 << highest - count if highest - count < _WINDOW else 0
        if not bit or window & bit:
            return False
        self._windows[stamp] = window | bit
        return True

    def _mac(self, stamp: bytes, address_class: bytes) -> bytes:
        return hmac.digest(self._key, stamp + address_class, "sha256")[:_MAC_BYTES]

    def _make_room(self, now: float) -> None:
        """Forget the oldest entries: those whose life is over, and one more if the table is full."""
        windows = self._windows
        while windows:
            oldest = next(iter(windows))
            issued, _, serial = _LAYOUT.unpack(oldest)
            if now - issued <= self._lifetime_s + 1 and len(windows) < self._limit:
                return
            del windows[oldest]
            self._forgotten = max(self._forgotten, serial)
