"""Making messages: requests, responses (RFC 3261 §8.2.6), ACK and CANCEL of a transaction, source.

Deliberately absent: what a dialog adds (route sets, ACK to 2xx), which is the dialog room's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from switch.sip.errors import LocalProtocolError
from switch.sip.flow import Flow
from switch.sip.grammar import split_commas
from switch.sip.message import Request, Response
from switch.sip.status import reason_phrase

MAX_FORWARDS: Final = "70"  # §8.1.1.6

_COPIED: Final = ("From", "To", "Call-ID", "CSeq")
_COPIED_BY_HOP: Final = frozenset({"Via", "From", "To", "Call-ID", "Route"})


def make_request(
    method: str, uri: str, headers: Iterable[tuple[str, str]], body: bytes = b""
) -> Request:
    """A request with these headers in this order, names in canonical spelling."""
    names: list[str] = []
    values: list[str] = []
    for name, value in headers:
        names.append(name)
        values.append(value)
    if "Content-Length" in names:
        raise LocalProtocolError("Content-Length is written from the body")
    return Request(method, uri, names, values, body)


def make_response(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """A response to `request` (§8.2.6.2).

    Copies Via, From, To, Call-ID and CSeq as written, Timestamp into a 100 (§8.2.6.1), Record-Route
    into 101-299 (§12.1.1). `to_tag` is added to a To that has none; None adds nothing, which only a
    100 may do outside a dialog.
    """
    given = request.first_values()
    values = request.get_all("Via")
    names = ["Via"] * len(values)
    if "Record-Route" in given and 100 < status < 300:
        routes = request.get_all("Record-Route")
        names += ["Record-Route"] * len(routes)
        values += routes
    to = given["To"]
    if to_tag is not None and request.to_tag is None:
        to = f"{to};tag={to_tag}"
    names += _COPIED
    values += (given["From"], to, given["Call-ID"], given["CSeq"])
    if status == 100 and "Timestamp" in given:
        names.append("Timestamp")
        values.append(given["Timestamp"])
    for name, value in headers:
        names.append(name)
        values.append(value)
    if "Content-Length" in names:
        raise LocalProtocolError("Content-Length is written from the body")
    phrase = reason_phrase(status) if reason is None else reason
    return Response(status, phrase, names, values, body, request.encoding)


def make_ack_non2xx(invite: Request, response: Response) -> Request:
    """The ACK to a 300-699, of the INVITE's own transaction (§17.1.1.3)."""
    to = response.get("To")
    return _same_hop(invite, "ACK", to if to is not None else invite.get("To"))


def make_cancel(invite: Request) -> Request:
    """The CANCEL of `invite` (§9.1)."""
    return _same_hop(invite, "CANCEL", invite.get("To"))


def _same_hop(invite: Request, method: str, to: str | None) -> Request:
    """Request-URI, top Via, From, Call-ID, number of CSeq and Route as in the INVITE."""
    if to is None:
        raise LocalProtocolError("an INVITE without To")
    names = ["Via"]
    values = [str(invite.via)]
    for name, value in zip(invite.names, invite.values, strict=True):
        if name in _COPIED_BY_HOP and name != "Via":
            names.append(name)
            values.append(to if name == "To" else value)
    names += ["CSeq", "Max-Forwards"]
    values += [f"{invite.cseq.number} {method}", MAX_FORWARDS]
    return Request(method, invite.uri, names, values, b"", invite.encoding)


def stamp_source(request: Request, flow: Flow) -> None:
    """Write into the top Via where the request came from (§18.2.1, RFC 3581 §4)."""
    via = request.via
    stamped = via.with_source(*flow.remote)
    if stamped is via:
        return
    place = request.names.index("Via")
    line = request.values[place]
    others = split_commas(line)[1:] if "," in line else []
    request.replace_via(place, ", ".join([str(stamped), *others]), stamped)
