"""The Via header value (RFC 3261 §20.42) with received and rport (RFC 3581).

Deliberately absent: maddr and ttl when answering (§18.2.2). They serve multicast only, and obeying
maddr from the open Internet would let anyone point our responses at a third party.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.grammar import (
    Params,
    find_param,
    parse_params,
    write_params,
)

# Any version: a request of another one is still to be answered, with 505.
_SENT: Final = re.compile(
    r"[ \t]*SIP[ \t]*/[ \t]*[0-9]\.[0-9][ \t]*/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)"
    r"(?:[ \t]*:[ \t]*([0-9]{1,5}))?[ \t]*",
    re.IGNORECASE | re.ASCII,
)
_UNWRITABLE: Final = re.compile(r'[\x00-\x20\x7f;,<>"]')
_SOURCE: Final = frozenset({"rport", "received"})
_MAX_PORT: Final = 65_535
_DEFAULT_PORT: Final = 5060
_DEFAULT_TLS_PORT: Final = 5061


# Each phone sends the same sent-by for ever; only the parameters differ.
@lru_cache(maxsize=4096)
def _parse_sent(text: str) -> tuple[str, str, int | None]:
    """Transport, host and port of the part before the parameters. Raises ParseError."""
    match = _SENT.fullmatch(text)
    if match is None:
        raise ParseError("bad Via")
    transport, host, digits = match.groups()
    port = None
    if digits is not None:
        port = int(digits)
        if not 0 < port <= _MAX_PORT:
            raise ParseError("bad port in Via")
    return transport.upper(), host[1:-1] if host[0] == "[" else host, port


class Via(NamedTuple):
    """One hop. `transport` in upper case; `host` (sent-by) without the brackets of IPv6."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one value (no commas). Raises ParseError."""
        sent, semicolon, params = text.partition(";")
        return cls(*_parse_sent(sent), parse_params(params) if semicolon else ())

    def __str__(self) -> str:
        """As on the wire. Raises LocalProtocolError for a host or parameter that isn't one."""
        sent_by = self.sent_by
        if not self.host or _UNWRITABLE.search(sent_by):
            raise LocalProtocolError("bad host in Via")
        return f"SIP/2.0/{self.transport} {sent_by}{write_params(self.params)}"

    @property
    def sent_by(self) -> str:
        """Host and port as written: part of the key of a transaction (§17.2.3)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The branch, or None (RFC 2543 peers)."""
        return find_param(self.params, "branch")

    @property
    def received(self) -> str | None:
        """The source address a server saw, without brackets."""
        value = find_param(self.params, "received")
        return value.strip("[]") if value else None

    @property
    def rport(self) -> int | None:
        """The source port a server saw; None when absent, empty or not a port."""
        value = find_param(self.params, "rport")
        if not value or not value.isdigit() or not value.isascii() or len(value) > 5:
            return None
        port = int(value)
        return port if 0 < port <= _MAX_PORT else None

    @property
    def has_rport(self) -> bool:
        """Whether the client asks for symmetric response routing (RFC 3581 §3)."""
        return find_param(self.params, "rport") is not None

    def param(self, name: str) -> str | None:
        """The value of a parameter; "" when it has none; None when absent. `name` in lower case."""
        return find_param(self.params, name)

    def with_source(self, address: str, port: int) -> Via:
        """The value a server writes on receipt (§18.2.1, RFC 3581 §4).

        What the sender itself wrote as received, or as the value of rport, is replaced: it is our
        word where the request came from.
        """
        kept = tuple([param for param in self.params if param[0].lower() not in _SOURCE])
        if self.has_rport:
            params: Params = (*kept, ("received", address), ("rport", str(port)))
        elif address != self.host:
            params = (*kept, ("received", address))
        elif len(kept) < len(self.params):
            params = kept
        else:
            return self
        return Via(self.transport, self.host, self.port, params)

    def response_address(self) -> tuple[str, int]:
        """Where a response goes over UDP, or when its stream is gone (§18.2.2, RFC 3581 §4)."""
        default = _DEFAULT_TLS_PORT if self.transport == "TLS" else _DEFAULT_PORT
        host = self.received or self.host
        return host, self.rport or self.port or default
