"""Digest access authentication in SIP (RFC 3261 §22, RFC 8760): challenges, credentials, responses.

MD5 and SHA-256 with qop=auth, and without qop as RFC 2069 clients do. Whether a nonce is ours, and
fresh, is the auth room's. Deliberately absent: -sess variants, auth-int, userhash and username*,
which no phone or carrier of the field uses with SIP.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.grammar import quote, unquote

ALGORITHMS: Final = ("SHA-256", "MD5")
"""Those we know, the stronger first (RFC 8760 §2.4)."""

_HASHES: Final[dict[str, Callable[[bytes], hashlib._Hash]]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
}
_PARAM: Final = re.compile(
    r"[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*=[ \t]*"
    r'("[^"\\]*(?:\\.[^"\\]*)*"|[^\s",]*)[ \t]*(?:,|$)',
    re.DOTALL,
)
_NC: Final = re.compile(r"[0-9a-fA-F]{8}")
_SCHEME: Final = "digest"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate or Proxy-Authenticate. `algorithm` as in ALGORITHMS when known."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    def __str__(self) -> str:
        """The header value."""
        parts = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f"qop={quote(','.join(self.qop))}")
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An Authorization or Proxy-Authorization. `nc` is the eight hexadecimal digits as sent."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    qop: str | None = None
    nc: str | None = None
    cnonce: str | None = None
    opaque: str | None = None

    def __str__(self) -> str:
        """The header value."""
        parts = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
            f"algorithm={self.algorithm}",
        ]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.qop is not None:
            parts += [f"qop={self.qop}", f"nc={self.nc}", f"cnonce={quote(self.cnonce or '')}"]
        return "Digest " + ", ".join(parts)

    @property
    def nonce_count(self) -> int | None:
        """nc as a number, or None without qop."""
        return None if self.nc is None else int(self.nc, 16)


def is_digest(value: str) -> bool:
    """Whether a header value is of the Digest scheme; others are ignored (§22.1)."""
    scheme, _, rest = value.partition(" ")
    return scheme.lower() == _SCHEME and bool(rest)


def parse_challenge(value: str) -> Challenge:
    """Read one header value. Raises ParseError, also for another scheme than Digest."""
    found = _parameters(value)
    qop = tuple(part.strip().lower() for part in found.get("qop", "").split(",") if part.strip())
    return Challenge(
        _required(found, "realm"),
        _required(found, "nonce"),
        found.get("algorithm", "MD5").upper(),
        qop,
        found.get("opaque"),
        found.get("stale", "").lower() == "true",
    )


def parse_credentials(value: str) -> Credentials:
    """Read one header value. Raises ParseError, also for another scheme than Digest."""
    found = _parameters(value)
    qop = found.get("qop")
    nc = found.get("nc")
    cnonce = found.get("cnonce")
    if qop is not None and (nc is None or cnonce is None or not _NC.fullmatch(nc)):
        raise ParseError("bad nonce count in credentials")
    return Credentials(
        _required(found, "username"),
        _required(found, "realm"),
        _required(found, "nonce"),
        _required(found, "uri"),
        _required(found, "response").lower(),
        found.get("algorithm", "MD5").upper(),
        None if qop is None else qop.lower(),
        None if qop is None else nc,
        cnonce,
        found.get("opaque"),
    )


def _parameters(value: str) -> dict[str, str]:
    if not is_digest(value):
        raise ParseError("not Digest authentication")
    found: dict[str, str] = {}
    place = value.index(" ") + 1
    while place < len(value):
        match = _PARAM.match(value, place)
        if match is None:
            raise ParseError("bad Digest parameters")
        name = match.group(1).lower()
        if name in found:  # two readers could take a different one
            raise ParseError(f"more than one {name} in Digest parameters")
        found[name] = unquote(match.group(2))
        place = match.end()
    return found


def _required(found: dict[str, str], name: str) -> str:
    value = found.get(name)
    if value is None:
        raise ParseError(f"no {name} in Digest parameters")
    return value


def _hash(algorithm: str, text: str) -> str:
    hasher = _HASHES.get(algorithm)
    if hasher is None:
        raise LocalProtocolError("unknown digest algorithm")
    return hasher(text.encode()).hexdigest()


def ha1(user: str, realm: str, password: str, algorithm: str) -> str:
    """H(user:realm:password) in hexadecimal: what is stored instead of the password."""
    return _hash(algorithm, f"{user}:{realm}:{password}")


def response(
    ha1: str,
    nonce: str,
    nc: str | None,
    cnonce: str | None,
    qop: str | None,
    method: str,
    uri: str,
    algorithm: str,
) -> str:
    """The request-digest (RFC 2617 §3.2.2), in lower-case hexadecimal.

    Compare it with hmac.compare_digest. Raises LocalProtocolError for an unknown algorithm.
    """
    ha2 = _hash(algorithm, f"{method}:{uri}")
    if qop is None:
        return _hash(algorithm, f"{ha1}:{nonce}:{ha2}")
    return _hash(algorithm, f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")


def choose_challenge(values: list[str]) -> Challenge | None:
    """Of several header values, the topmost that we can answer (RFC 8760 §2.4), or None."""
    for value in values:
        try:
            challenge = parse_challenge(value)
        except ParseError:
            continue
        if challenge.algorithm in _HASHES and (not challenge.qop or "auth" in challenge.qop):
            return challenge
    return None


def authorize(
    challenge: Challenge, user: str, password: str, method: str, uri: str, nc: int, cnonce: str
) -> str:
    """The value of Authorization or Proxy-Authorization that answers `challenge`.

    `uri` is the Request-URI as written; `nc` counts the uses of this nonce from 1. Raises
    LocalProtocolError when the challenge asks for what `choose_challenge` would have refused.
    """
    if challenge.qop and "auth" not in challenge.qop:
        raise LocalProtocolError("a challenge without qop=auth")
    secret = ha1(user, challenge.realm, password, challenge.algorithm)
    count = f"{nc:08x}" if challenge.qop else None
    qop = "auth" if challenge.qop else None
    algorithm = challenge.algorithm
    digest = response(secret, challenge.nonce, count, cnonce, qop, method, uri, algorithm)
    return str(
        Credentials(
            user,
            challenge.realm,
            challenge.nonce,
            uri,
            digest,
            algorithm,
            qop,
            count,
            cnonce if qop else None,
            challenge.opaque,
        )
    )
