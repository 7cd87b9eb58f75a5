"""What a REGISTER asks for: its Contacts with lifetimes and preferences, checked before any change.

RFC 3261 §10.2 and §10.3 steps 6 and 7, RFC 3327, RFC 5626 §6. A request is refused as a whole.
"""

from dataclasses import dataclass, field

from switch.facts.networks import PrefixTable
from switch.sip.errors import LocalProtocolError, ParseError, RemoteProtocolError
from switch.sip.grammar import Params, write_params
from switch.sip.message import Request
from switch.sip.nameaddr import NameAddr
from switch.sip.uri import Uri

# RFC 3261 §20.19: a malformed lifetime is taken as 3600.
_MALFORMED_EXPIRES_S = 3600
_HOUR_S = 3600
_MAX_DELTA = 2**32 - 1
_MAX_DIGITS = 10
_OUR_PARAMS = frozenset({"expires", "q", "received"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The registrar's bounds; times in seconds. Path is believed of `trusted_proxies` only, because
    it tells us where to send."""

    contacts: int = 20
    min_expires_s: int = 60
    max_expires_s: int = 7200
    default_expires_s: int = 3600
    trusted_proxies: PrefixTable[bool] = field(default_factory=lambda: PrefixTable(()))


class TooBriefError(Exception):
    """423: a lifetime below the minimum."""


@dataclass(frozen=True, slots=True)
class WantedContact:
    """One Contact: `lifetime_s` 0 asks for its removal; `reg_id` only when outbound applies. `text`
    is the Contact value that goes back, less its expires."""

    uri: Uri
    lifetime_s: int
    q: float
    instance: str | None
    reg_id: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A whole REGISTER. `removes_all` is "Contact: *"; no contacts at all is a query."""

    contacts: tuple[WantedContact, ...]
    removes_all: bool
    path: tuple[str, ...]

    @property
    def is_outbound(self) -> bool:
        """Whether a contact is bound to its flow by RFC 5626."""
        return any(contact.reg_id is not None for contact in self.contacts)


def read(request: Request, limits: Limits, is_proxied: bool) -> Wanted:
    """Check a REGISTER. `is_proxied` = it came from a trusted proxy.

    Raises RemoteProtocolError with the status to answer, ParseError (400) and TooBriefError (423).
    """
    path = tuple(request.split("Path")) if is_proxied else ()
    default = _lifetime(request.get("Expires"), limits.default_expires_s)
    values = request.split("Contact")
    if "*" in values:
        # §10.2.2: the asterisk stands alone, and only with Expires: 0.
        if values != ["*"] or default != 0 or not request.has("Expires"):
            raise RemoteProtocolError(400, "Contact: * needs Expires: 0 and no other Contact")
        return Wanted((), True, path)
    if len(values) > limits.contacts:
        raise RemoteProtocolError(400, "Too Many Contacts")
    addresses = [NameAddr.parse(value) for value in values]
    outbound = _outbound_applies(request, path, addresses)
    contacts = tuple(_contact(address, default, limits, outbound) for address in addresses)
    if len(contacts) > 1 and any(contact.reg_id is not None for contact in contacts):
        raise RemoteProtocolError(400, "reg-id needs a single Contact")  # RFC 5626 §6
    return Wanted(contacts, False, path)


def _contact(address: NameAddr, default: int, limits: Limits, outbound: bool) -> WantedContact:
    if address.uri.scheme not in ("sip", "sips") or address.uri.headers:
        # Headers can't stand in the Request-URI that the contact will become (§19.1.1).
        raise RemoteProtocolError(400, "Contact is not a SIP URI without headers")
    lifetime = _lifetime(address.param("expires"), default)
    # §10.3: too brief is below the minimum and below an hour; 0 is a removal.
    if 0 < lifetime < min(limits.min_expires_s, _HOUR_S):
        raise TooBriefError
    instance = address.param("+sip.instance") or None
    reg_id = _reg_id(address) if outbound and instance else None
    q = _q(address.param("q"))
    text = _text(address, q)
    lifetime = min(lifetime, limits.max_expires_s)
    return WantedContact(address.uri, lifetime, q, instance, reg_id, text)


def _text(address: NameAddr, q: float) -> str:
    """The parameters of the phone go back to it: it finds its own contact by them."""
    kept: Params = tuple(
        (name, value) for name, value in address.params if name.lower() not in _OUR_PARAMS
    )
    try:
        preference = "" if q == 1.0 else f";q={q:g}"
        return f"<{address.uri}>{preference}{write_params(kept) if kept else ''}"
    except LocalProtocolError as error:
        # We read more than we would write.
        raise ParseError("Contact can't be repeated") from error


def _outbound_applies(request: Request, path: tuple[str, ...], addresses: list[NameAddr]) -> bool:
    """Whether the phone asks for outbound and its first hop can do it (RFC 5626 §6)."""
    if not request.has("Supported"):
        return False
    if "outbound" not in (tag.lower() for tag in request.split("Supported")):
        return False
    if path:
        # The last value is the proxy nearest to the phone.
        if NameAddr.parse(path[-1]).uri.param("ob") is not None:
            return True
    elif len(request.split("Via")) == 1:
        return True
    if any(address.param("reg-id") is not None for address in addresses):
        raise RemoteProtocolError(439, "First Hop Lacks Outbound Support")
    return False


def _lifetime(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        return _MALFORMED_EXPIRES_S
    # int() refuses thousands of digits, and nothing above 2^32 - 1 has a meaning (§20.19).
    return min(int(text), _MAX_DELTA) if len(text) <= _MAX_DIGITS else _MAX_DELTA


def _q(text: str | None) -> float:
    """A qvalue from 0 to 1; what is none counts as the default of §20.10, 1."""
    try:
        value = float(text) if text else 1.0
    except ValueError:
        return 1.0
    return value if 0.0 <= value <= 1.0 else 1.0


def _reg_id(address: NameAddr) -> int | None:
    text = address.param("reg-id")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:12]) < 2**31):
        raise ParseError("bad reg-id")
    return int(text)
