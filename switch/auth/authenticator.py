"""Digest authentication of phones (RFC 3261 §22, RFC 7616, RFC 8760): challenge and verdict.

qop is "auth"; a phone that leaves qop out may use a nonce once. The digest's uri is not compared
with the Request-URI, because proxies between us and a phone rewrite that; a captured answer is
useless anyway, as its nonce count was seen. Deliberately absent: auth-int, userhash, the realm of
anybody else, and which status a rejection gets. A registered phone's emergency call never comes
here: it is known by its flow.
"""

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from switch.auth.address import address_class, address_key
from switch.auth.lockout import Lockout
from switch.auth.nonce import Nonces
from switch.sip import digest
from switch.sip.digest import Credentials
from switch.sip.errors import ParseError
from switch.sip.message import Request

Header = tuple[str, str]

_QOPS = ("auth", None)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request comes from this user. `is_next`: by the secret that is to replace the present one."""

    user: str
    is_next: bool = False


@dataclass(frozen=True, slots=True)
class Challenge:
    """Answer 401 (407 for a proxy) with these headers. `stale`: the answer to our last challenge
    was too old to be judged."""

    headers: tuple[Header, ...]
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The password is wrong, or guessing is locked out: the same answer for both. `lost` is the
    user whose password it is that went with stolen hardware, "" for any other."""

    slug: str = "bad_credentials"
    locked: bool = False
    lost: str = ""


Verdict = Accepted | Challenge | Rejected
Credential = Callable[[str, str], str | None]


class Authenticator:
    """Judges credentials of one realm.

    `credentials` gives the HA1 of a user for "MD5" or "SHA-256", None if there is none; `algorithms`
    are offered in this order. `key` and `boot_epoch` are those of `Nonces`.
    """

    __slots__ = (
        "_algorithms",
        "_coming",
        "_credentials",
        "_nobody",
        "_prefix",
        "_realm",
        "accepted",
        "challenged",
        "lockout",
        "lost",
        "nonces",
    )

    def __init__(
        self,
        realm: str,
        key: bytes,
        boot_epoch: int,
        credentials: Credential,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        nonce_lifetime_s: float = 600,
        lockout: Lockout | None = None,
    ) -> None:
        self._realm = realm
        self._prefix = f'Digest realm="{realm}", nonce="'
        self._credentials = credentials
        self._coming: Credential = lambda user, algorithm: None
        self.lost: Credential = self._coming  # secrets that went with stolen hardware
        self._algorithms = tuple(algorithms)
        self._nobody = secrets.token_hex(16)
        self.accepted = 0
        self.challenged = 0
        self.nonces = Nonces(key, boot_epoch, nonce_lifetime_s)
        self.lockout = lockout if lockout is not None else Lockout()

    def use(self, credentials: Credential, coming: Credential | None = None) -> None:
        """Judge by other passwords from now on: the facts were swapped. `coming` gives those that are
        about to replace them: both are accepted."""
        self._credentials = credentials
        if coming is not None:
            self._coming = coming

    def verify(self, request: Request, source_ip: str, now: float, proxy: bool = False) -> Verdict:
        """Judge one request. `source_ip` is where it came from, `now` boottime seconds; `proxy`
        reads and writes the Proxy- headers of 407."""
        given = self._given(request, proxy)
        place = address_class(source_ip)
        if given is None:
            return self._challenge(place, now, proxy, stale=False)
        if not self.nonces.is_fresh(given.nonce, place, now):
            return self._challenge(place, now, proxy, stale=True)
        address = address_key(source_ip)
        if self.lockout.is_locked(given.username, address, now):
            return Rejected(locked=True)
        ha1 = self._credentials(given.username, given.algorithm)
        # An unknown user costs the same work, so that time doesn't tell.
        fits = _fits(given, ha1 or self._nobody, request.method) and ha1 is not None
        is_next = not fits and _fits_any(given, self._coming, request.method)
        if not fits and not is_next:
            locked = self.lockout.failed(given.username, address, ha1 is not None, now)
            is_lost = _fits_any(given, self.lost, request.method)
            return Rejected(locked=locked, lost=given.username if is_lost else "")
        # Without qop there is no count: the nonce serves once (as count 1).
        if not self.nonces.use(given.nonce, given.nonce_count or 1, now):
            return self._challenge(place, now, proxy, stale=True)
        self.accepted += 1
        return Accepted(given.username, is_next)

    def registered(self, user: str, source_ip: str, now: float) -> bool:
        """Note that this user's REGISTER was answered 200; see `Lockout.registered`."""
        return self.lockout.registered(user, address_key(source_ip), now)

    def _given(self, request: Request, proxy: bool) -> Credentials | None:
        """The credentials for our realm, None if there are none that answer what we ask."""
        name = "Proxy-Authorization" if proxy else "Authorization"
        if name not in request.names:  # spares the first REGISTER of each pair a list
            return None
        for value in request.get_all(name):
            try:
                credentials = digest.parse_credentials(value)
            except ParseError:
                continue
            answers = credentials.algorithm in self._algorithms and credentials.qop in _QOPS
            if answers and credentials.realm == self._realm:
                return credentials
        return None

    def _challenge(self, place: bytes, now: float, proxy: bool, stale: bool) -> Challenge:
        self.challenged += 1
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        start = f'{self._prefix}{self.nonces.issue(place, now)}", '
        end = ', stale=true, qop="auth"' if stale else ', qop="auth"'
        headers = tuple(
            (name, f"{start}algorithm={algorithm}{end}") for algorithm in self._algorithms
        )
        return Challenge(headers, stale)


def _fits_any(given: Credentials, known: Credential, method: str) -> bool:
    """Whether it is the other secret that is known of this user."""
    ha1 = known(given.username, given.algorithm)
    return ha1 is not None and _fits(given, ha1, method)


def _fits(given: Credentials, ha1: str, method: str) -> bool:
    expected = digest.response(
        ha1,
        given.nonce,
        given.nc,
        given.cnonce,
        given.qop,
        method,
        given.uri,
        given.algorithm,
    )
    return hmac.compare_digest(expected.encode(), given.response.encode())
