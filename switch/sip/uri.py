"""SIP and SIPS URIs (RFC 3261 §19.1), with tel (RFC 3966), urn and other schemes kept whole.

Parts are held as written, escapes included, so that a phone's Contact comes back to it unchanged.
Deliberately absent: resolving (RFC 3263) and unescaping on the way in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote as unescape

from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.grammar import (
    Params,
    find_param,
    parse_params,
    replace_param,
)
from switch.sip.limits import MAX_URI_CHARS

# Tolerant of characters that should be escaped (phones send "#" in a user); never of those that
# could end the URI or its line. Every part is delimited by a character the part before excludes.
_SIP: Final = re.compile(
    r"(sips?):"
    r'(?:([^\x00-\x20"<>@:\x7f]+)(?::([^\x00-\x20"<>@\x7f]*))?@)?'
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)"
    r"(?::([0-9]{1,5}))?"
    r'((?:;[^\x00-\x20"<>@?\x7f]*)?)'
    r'(?:\?([^\x00-\x20"<>@\x7f]*))?',
    re.IGNORECASE | re.ASCII,
)
_OTHER: Final = re.compile(r'([a-z][a-z0-9+.\-]*):([^\x00-\x20"<>\x7f]+)', re.IGNORECASE | re.ASCII)
_UNWRITABLE: Final = re.compile(r'[\x00-\x20"<>\x7f]')
_MAX_PORT: Final = 65_535

# §19.1.4: when only one of two URIs has one of these, they differ.
_SIGNIFICANT: Final = ("user", "ttl", "method", "maddr", "transport")


class Uri(NamedTuple):
    """A URI. `scheme` is in lower case; an IPv6 `host` carries no brackets.

    For tel, `user` is the subscriber number and `host` is empty. For urn and every other scheme,
    `host` is all that follows the colon.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read a URI without brackets or spaces around it. Raises ParseError."""
        return _parse(text)

    @classmethod
    def sip(cls, user: str | None, host: str, port: int | None = None, params: Params = ()) -> Uri:
        """A sip: URI of ours."""
        return cls("sip", user, None, host, port, params)

    def __str__(self) -> str:
        """As on the wire. Raises LocalProtocolError for what would break out of the URI."""
        if self.scheme in {"sip", "sips"}:
            text = f"{self.scheme}:{self.host_and_port}"
            if self.user is not None:
                secret = "" if self.password is None else ":" + self.password
                if "@" in self.user or ":" in self.user or "@" in secret:
                    raise LocalProtocolError("a separator in the user part of a URI")
                text = f"{self.scheme}:{self.user}{secret}@{self.host_and_port}"
        elif self.scheme == "tel":
            text = f"tel:{self.user}"
        else:
            text = f"{self.scheme}:{self.host}"
        for name, value in self.params:
            text += f";{name}" if value is None else f";{name}={value}"
        if self.headers:
            text += "?" + "&".join(f"{name}={value}" for name, value in self.headers)
        if _UNWRITABLE.search(text):
            raise LocalProtocolError("a space, bracket or control character in a URI")
        return text

    @property
    def host_and_port(self) -> str:
        """The hostport of §25.1, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def aor(self) -> str:
        """Scheme, user and host: the form in which a registrar keys its table (§10.3 step 5)."""
        user = "" if self.user is None else unescape(self.user) + "@"
        return f"{self.scheme}:{user}{self.host.lower()}"

    @property
    def user_text(self) -> str:
        """The user with its escapes resolved ("%2A43" is "*43"); "" when there is none."""
        return unescape(self.user) if self.user else ""

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case, or None."""
        value = find_param(self.params, "transport") if self.params else None
        return value.lower() if value else None

    @property
    def is_loose(self) -> bool:
        """Whether lr is present: the hop is a loose router (§16.12)."""
        return find_param(self.params, "lr") is not None

    def param(self, name: str) -> str | None:
        """The value of a parameter; "" when it has none; None when absent. `name` in lower case."""
        return find_param(self.params, name)

    def with_params(self, **params: str | None) -> Uri:
        """A copy with parameters set in place or added; None makes a flag such as lr."""
        changed = self.params
        for name, value in params.items():
            changed = replace_param(changed, name, value)
        return self._replace(params=changed)

    def is_equivalent(self, other: Uri) -> bool:
        """Whether both name the same resource (§19.1.4): the rule for a registrar's Contacts."""
        if self.scheme != other.scheme or self.port != other.port:
            return False
        if self.host.lower() != other.host.lower() or self.user_text != other.user_text:
            return False
        if (self.user is None) != (other.user is None):
            return False
        if unescape(self.password or "") != unescape(other.password or ""):
            return False
        return _params_agree(self, other) and _headers(self) == _headers(other)


# Values are frozen and the same few recur: an address of record in each of its calls, a Contact in
# each message of a dialog. A hit costs a tenth of parsing; the bound is about 2 MB of usual URIs.
@lru_cache(maxsize=4096)
def _parse(text: str) -> Uri:
    if len(text) > MAX_URI_CHARS:
        raise ParseError("URI too long", status=414)
    match = _SIP.fullmatch(text)
    if match is None:
        return _parse_other(text)
    scheme, user, password, host, digits, params, headers = match.groups()
    port = None
    if digits is not None:
        port = int(digits)
        if not 0 < port <= _MAX_PORT:
            raise ParseError("bad port in a URI")
    if host[0] == "[":
        host = host[1:-1]
    return Uri(
        scheme.lower(),
        user,
        password,
        host,
        port,
        parse_params(params[1:]) if params else (),
        _parse_headers(headers) if headers else (),
    )


def _parse_other(text: str) -> Uri:
    match = _OTHER.fullmatch(text)
    if match is None:
        raise ParseError("bad URI")
    scheme, rest = match.group(1).lower(), match.group(2)
    if scheme in {"sip", "sips"}:
        raise ParseError("bad SIP URI")
    if scheme == "tel":
        number, semicolon, params = rest.partition(";")
        if not number:
            raise ParseError("bad tel URI")
        return Uri("tel", number, None, "", None, parse_params(params) if semicolon else ())
    return Uri(scheme, None, None, rest)


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for piece in text.split("&"):
        name, equals, value = piece.partition("=")
        if not name or not equals:
            raise ParseError("bad headers in a URI")
        pairs.append((name, value))
    return tuple(pairs)


def _params_agree(one: Uri, other: Uri) -> bool:
    ours = {name.lower(): unescape(value or "").lower() for name, value in one.params}
    theirs = {name.lower(): unescape(value or "").lower() for name, value in other.params}
    if any((name in ours) != (name in theirs) for name in _SIGNIFICANT):
        return False
    return all(theirs.get(name, value) == value for name, value in ours.items())


def _headers(uri: Uri) -> list[tuple[str, str]]:
    return sorted((name.lower(), unescape(value)) for name, value in uri.headers)
