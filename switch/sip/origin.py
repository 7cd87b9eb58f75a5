"""Where a request comes from, if a proxy of ours stands between the phone and us.

One answer for all who need an address: evidence of being abroad, nonces and lock-out, bindings,
trunks. A trusted proxy is believed, in this order: its own header field (when one is named), the
`received` of its Path (RFC 3327; Kamailio's add_path_received), the Via that it stamped (RFC 3261
§18.2.1, RFC 3581). From anyone else all of these count for nothing: who sent it is who it is.

A proxy must remove the named field from what phones send; Path is read from the top, so that what a
phone wrote below counts for nothing. Deliberately absent: names, which would need the DNS.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.grammar import split_commas
from switch.sip.message import Request
from switch.sip.nameaddr import NameAddr
from switch.sip.uri import Uri
from switch.sip.via import Via

_TRANSPORTS: Final = frozenset({"UDP", "TCP", "TLS"})


@dataclass(frozen=True, slots=True)
class Proxies:
    """Who is believed: `trusts` says so of an IP literal; `field` names the proxies' own header field,
    "sip:192.0.2.7:5060;transport=tcp", "" when they have none."""

    trusts: Callable[[str], object]
    field: str = ""

    def origin(self, request: Request, flow: Flow) -> Flow:
        """The flow between the phone and the outermost trusted proxy; `flow` itself when no trusted
        proxy sent it, or spoke for itself. It holds no connection of ours: nothing is sent on it."""
        if not self.trusts(flow.remote[0]):
            return flow
        try:
            seen = self._told(request, flow) or self._of_path(request, flow)
            return seen or self._of_via(request, flow) or flow
        except ParseError:
            return flow

    def _told(self, request: Request, flow: Flow) -> Flow | None:
        value = request.get(self.field) if self.field else None
        return None if value is None else _of_uri(value, flow)

    def _of_path(self, request: Request, flow: Flow) -> Flow | None:
        """The first proxy from the top that got it from somebody else."""
        for value in request.split("Path") if request.method == "REGISTER" else ():
            received = NameAddr.parse(value).uri.param("received")
            seen = _of_uri(unquote(received), flow) if received else None
            if seen is not None and not self.trusts(seen.remote[0]):
                return seen
        return None

    def _of_via(self, request: Request, flow: Flow) -> Flow | None:
        values = [piece for line in request.get_all("Via") for piece in split_commas(line)]
        for value in values[1:]:
            via = Via.parse(value)
            seen = _flow(via.transport, *via.response_address(), flow)
            if seen is None or not self.trusts(seen.remote[0]):
                return seen
        return None


def is_address(host: str) -> bool:
    """Whether it is an IP literal, without brackets."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _of_uri(text: str, flow: Flow) -> Flow | None:
    uri = Uri.parse(text.strip().strip("<>"))
    transport = (uri.transport or "udp").upper()
    return _flow(transport, uri.host, uri.port or (5061 if transport == "TLS" else 5060), flow)


def _flow(transport: str, host: str, port: int, flow: Flow) -> Flow | None:
    """None for what is no address, or no transport of ours."""
    if transport not in _TRANSPORTS or not is_address(host):
        return None
    return Flow(transport, flow.local, (str(ipaddress.ip_address(host)), port))
