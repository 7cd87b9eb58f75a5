"""One dialog (RFC 3261 §12): identifiers, sequence numbers, route set and remote target.

It builds in-dialog requests and says whether one that arrived is in order. Transactions, timers and
what the requests mean are elsewhere.
"""

from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.grammar import without_quoted
from switch.sip.ids import new_branch
from switch.sip.message import Request, Response

RESTORE_CSEQ_JUMP = (
    1000  # a crash may have lost the last requests; their numbers are not used twice
)


def host_port(address: tuple[str, int]) -> str:
    """`host:port` as a URI and a Via write it; IPv6 literals get brackets (RFC 3261 §25.1)."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def via_value(flow: Flow) -> str:
    """A top Via for a request of ours on `flow`, with a new branch and `rport` (RFC 3581)."""
    return f"SIP/2.0/{flow.transport} {host_port(flow.local)};branch={new_branch()};rport"


def contact_value(flow: Flow) -> str:
    """Our Contact towards the peer at the other end of `flow`."""
    match flow.transport:
        case "UDP":
            return f"<sip:{host_port(flow.local)}>"
        case "TLS":
            return f"<sip:{host_port(flow.local)};transport=tls>"
        case _:
            return f"<sip:{host_port(flow.local)};transport=tcp>"


def is_loose(route: str) -> bool:
    """Whether a Route value names a loose router (RFC 3261 §19.1.1)."""
    return ";lr" in route.lower()


def bare_uri(value: str) -> str:
    """The URI inside a Contact or Route value: `"A" <sip:a@b>;q=1` gives `sip:a@b`."""
    if '"' in value:  # a display name may hold brackets
        value = without_quoted(value)
    start = value.find("<")
    if start < 0:
        return value.partition(";")[0].strip()
    return value[start + 1 : value.find(">", start)]


def target_of(message: Request | Response, otherwise: str) -> str:
    """The remote target that a message's Contact names (§12.1.1); `otherwise` when there is none,
    or none that can stand in a request line."""
    contact = message.get("Contact")
    uri = bare_uri(contact) if contact else ""
    return uri if uri and uri.isprintable() and " " not in uri else otherwise


def routes_of(message: Request | Response) -> tuple[str, ...]:
    """The Record-Route values, topmost first; none when one can't be read: a route that can't be
    written again leads nowhere, and the flow of the message still does."""
    try:
        return tuple(message.split("Record-Route")) if message.record_route else ()
    except ParseError:
        return ()


class Dialog:
    """An early or confirmed dialog, seen from our side.

    `local` and `remote` are the From/To values with their tags as they go into our requests.
    `route_set` holds Route values in the order in which they are sent.
    """

    __slots__ = (
        "call_id",
        "flow",
        "local",
        "local_cseq",
        "local_tag",
        "remote",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "route_set",
    )

    def __init__(  # noqa: PLR0913 (a dialog is these ten things: RFC 3261 §12)
        self,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        *,
        local_cseq: int,
        remote_cseq: int | None,
        remote_target: str,
        route_set: tuple[str, ...],
        flow: Flow,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.remote_target = remote_target
        self.route_set = route_set
        self.flow = flow

    @classmethod
    def from_invite(cls, invite: Request, local_tag: str, flow: Flow) -> "Dialog":
        """The UAS's side of the dialog that our response to `invite` makes (§12.1.1)."""
        return cls(
            invite.call_id,
            f"{invite.get('To')};tag={local_tag}",
            local_tag,
            invite.get("From") or "",
            invite.from_tag or "",
            local_cseq=0,
            remote_cseq=invite.cseq.number,
            remote_target=target_of(invite, ""),
            route_set=routes_of(invite),
            flow=flow,
        )

    @classmethod
    def from_response(
        cls, invite: Request, response: Response, local_tag: str, flow: Flow
    ) -> "Dialog":
        """The UAC's side of the dialog that `response` to our `invite` made (§12.1.2)."""
        return cls(
            invite.call_id,
            invite.get("From") or "",
            local_tag,
            response.get("To") or "",
            response.to_tag or "",
            local_cseq=invite.cseq.number,
            remote_cseq=None,
            remote_target=target_of(response, invite.uri),
            route_set=routes_of(response)[::-1],
            flow=flow,
        )

    @classmethod
    def from_fork(cls, sibling: "Dialog", response: Response, cseq: int) -> "Dialog":
        """The dialog of a second 2xx to the INVITE that made `sibling` (§13.2.2.4)."""
        return cls(
            sibling.call_id,
            sibling.local,
            sibling.local_tag,
            response.get("To") or "",
            response.to_tag or "",
            local_cseq=cseq,
            remote_cseq=None,
            remote_target=target_of(response, sibling.remote_target),
            route_set=routes_of(response)[::-1],
            flow=sibling.flow,
        )

    def request(self, method: str) -> Request:
        """A request in this dialog with the next CSeq (§12.2.1.1), to be completed by the caller."""
        self.local_cseq += 1
        return self.build(method, self.local_cseq)

    def build(self, method: str, cseq: int) -> Request:
        """A request with a given CSeq number: ACK and CANCEL repeat the INVITE's (§13.2.2.4)."""
        uri, routes = self.remote_target, self.route_set
        if routes and not is_loose(routes[0]):
            uri, routes = bare_uri(routes[0]), (*routes[1:], f"<{uri}>")
        names = ["Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq"]
        values = [
            via_value(self.flow),
            "70",
            self.local,
            self.remote,
            self.call_id,
            f"{cseq} {method}",
        ]
        if routes:
            names[1:1] = ["Route"] * len(routes)
            values[1:1] = routes
        return Request(method, uri, names, values)

    def matches(self, request: Request) -> bool:
        """Whether an in-dialog request carries this dialog's identifiers (§12.2.2)."""
        return request.call_id == self.call_id and (request.from_tag or "") == self.remote_tag

    def accept_cseq(self, request: Request) -> bool:
        """Note the CSeq of an in-dialog request; False when it is out of order (§12.2.2)."""
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, message: Request | Response) -> None:
        """Take the peer's new Contact from a target refresh (§12.2.1.2, §12.2.2)."""
        self.remote_target = target_of(message, self.remote_target)
