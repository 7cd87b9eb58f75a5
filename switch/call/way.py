"""By which way the peer of a leg is reached after the INVITE (RFC 3261 §12.2.1.1, RFC 3581, RFC 5626 §5.3).

    a carrier      where its first Route or its Contact says, which may be another host than it sent from
    a phone        where it last spoke from: in the dialog, or by a registration with the same Contact;
                   without `rport` in its INVITE, at the port of its Contact
    behind a proxy of ours, and on a connection that is up: the way its last request came

Deliberately absent: names, which would need the DNS; who may speak in a dialog (peer.py).
"""

import ipaddress
from typing import TYPE_CHECKING

from switch.dialog.dialog import Dialog, bare_uri
from switch.registrar.binding import Binding
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.origin import is_address
from switch.sip.uri import Uri

if TYPE_CHECKING:
    from switch.call.leg import Leg

_PORT = 5060


def of_caller(leg: "Leg", invite: Request) -> None:
    """The INVITE came: set where requests to its sender go."""
    dialog = leg.dialog
    if dialog is None:
        return
    if leg.is_trunk:
        of_carrier(dialog)
    elif dialog.flow.transport == "UDP" and not dialog.route_set and not invite.via.has_rport:
        dialog.flow = _at_contact(dialog, dialog.flow)


def of_carrier(dialog: Dialog) -> None:
    """A carrier named its Contact, in an INVITE, an answer or a target refresh."""
    hop = _next_hop(dialog)
    if hop is not None and dialog.flow.transport == "UDP" and _leads_out(hop[0], dialog.flow):
        dialog.flow = dialog.flow._replace(remote=hop)


def follow(leg: "Leg", source: Flow, has_rport: bool) -> None:
    """A phone's request in the dialog came from `source`: its NAT may have given it another port, or it
    has another connection or network."""
    dialog = leg.dialog
    if not leg.aor or dialog is None or dialog.route_set or source == dialog.flow:
        return
    if source.transport == "UDP" and not has_rport:
        source = _at_contact(dialog, source)
    leg.flow = dialog.flow = source


def present(leg: "Leg", dialog: Dialog, now: float) -> Flow:
    """The flow for a request in the dialog: the dialog's own while it lives, and no later registration
    of the same phone has another."""
    flow, exchange = dialog.flow, leg.exchange
    is_closed = flow.connection in exchange.closed_connections
    if not leg.aor:
        return _again(leg, dialog) if is_closed else flow
    # A phone's connection of the process before has no number, and is gone too.
    is_gone = flow.is_reliable and (is_closed or not flow.connection)
    bindings = exchange.registrar.bindings(leg.aor, now)
    if any(flow in (binding.flow, binding.destination) for binding in bindings):
        return flow
    same = [b for b in bindings if _is_at(b, dialog) and (is_gone or b.updated_at > leg.heard_at)]
    if is_gone and not same:
        same = [binding for binding in bindings if binding.source == flow.remote[0]]
        if (
            not same
            and len(bindings) == 1
            and not exchange.registrar.is_expected_back(leg.aor, now)
        ):
            same = bindings
    if not same or (dialog.route_set and not is_gone):
        return flow
    return max(same, key=lambda binding: binding.updated_at).destination


def _again(leg: "Leg", dialog: Dialog) -> Flow:
    """A carrier's connection has closed: a new one, to where the carrier listens."""
    flow, trunk = dialog.flow, leg.exchange.trunks.by_id.get(leg.label)
    if trunk is not None and trunk.carrier.flow.transport == flow.transport:
        return trunk.carrier.flow
    hop = _next_hop(dialog)
    return flow if hop is None else flow._replace(remote=hop, connection=0)


def _next_hop(dialog: Dialog) -> tuple[str, int] | None:
    """Address and port of the first Route, else of the remote target; None when it is a name, or for
    another transport."""
    value = bare_uri(dialog.route_set[0]) if dialog.route_set else dialog.remote_target
    uri = _parsed(value)
    if uri is None or uri.scheme != "sip" or not is_address(uri.host):
        return None
    if uri.transport not in (None, dialog.flow.transport.lower()):
        return None
    return str(ipaddress.ip_address(uri.host)), uri.port or _PORT


def _leads_out(host: str, flow: Flow) -> bool:
    """Whether an address can be the carrier's, seen from here: not a private one that it has behind its
    own NAT."""
    address, sender = ipaddress.ip_address(host), ipaddress.ip_address(flow.remote[0])
    if address.is_unspecified or address.is_multicast or address.version != sender.version:
        return False
    return sender.is_private or not address.is_private


def _at_contact(dialog: Dialog, source: Flow) -> Flow:
    """The port of the Contact, if no NAT is between: a phone may send from another."""
    hop = None if dialog.route_set else _next_hop(dialog)
    return source if hop is None or hop[0] != source.remote[0] else source._replace(remote=hop)


def _is_at(binding: Binding, dialog: Dialog) -> bool:
    """Whether the peer of the dialog is the phone that is registered there, by its Contact."""
    uri, contact = _parsed(dialog.remote_target), binding.contact
    return uri is not None and (uri.user_text, uri.host.lower(), uri.port) == (
        contact.user_text,
        contact.host.lower(),
        contact.port,
    )


def _parsed(value: str) -> Uri | None:
    try:
        return Uri.parse(value)
    except ParseError:
        return None
