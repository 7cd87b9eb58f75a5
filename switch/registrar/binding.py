"""One binding: where an address of record can be reached, by which flow, and until when."""

from dataclasses import dataclass

from switch.sip.flow import Flow
from switch.sip.nameaddr import NameAddr
from switch.sip.origin import is_address
from switch.sip.uri import Uri

_SIP_PORT = 5060
_SIPS_PORT = 5061


@dataclass(frozen=True, slots=True)
class Binding:
    """A Contact that a REGISTER bound to an AOR (RFC 3261 §10.3 step 7).

    `contact` is as registered: it becomes the Request-URI, parameters included. `flow` is how the
    REGISTER came, `path` the Path values to put into Route, topmost first (RFC 3327). `instance` and
    `reg_id` are those of RFC 5626, `reg_id` only when outbound applies. `expires_at` and
    `updated_at` are boottime seconds; `journalled_until` is the expiry that the journal has, in UTC
    seconds. `origin` is the phone's own end: `flow`, or what a trusted proxy told. `is_live` is False
    when the flow is known to be gone. `text` is the Contact value of a response, less its expires.
    """

    aor: str
    contact: Uri
    flow: Flow
    path: tuple[str, ...]
    instance: str | None
    reg_id: int | None
    q: float
    expires_at: float
    updated_at: float
    journalled_until: float
    call_id: str
    cseq: int
    user_agent: str
    origin: Flow
    text: str
    is_live: bool = True

    @property
    def source(self) -> str:
        """The phone's own IP address."""
        return self.origin.remote[0]

    @property
    def is_outbound(self) -> bool:
        """Whether requests must use the flow, whatever the contact says (RFC 5626 §5.3)."""
        return self.reg_id is not None

    @property
    def is_natted(self) -> bool:
        """Whether the contact names another host than the one that the REGISTER came from."""
        return self.contact.host.lower() != self.source

    @property
    def destination(self) -> Flow:
        """Where a request for this binding is sent.

        The flow, unless the phone is a plain UDP one on the same network as we are: then the port
        of its contact, which may differ from the one it sends from. A connection is always kept,
        because few phones listen where their contact says.
        """
        flow = self.flow
        if flow.transport != "UDP" or self.path or self.is_outbound or self.is_natted:
            return flow
        if self.contact.transport not in (None, "udp"):
            return flow
        return Flow("UDP", flow.local, (self.source, self.contact.port or _SIP_PORT))

    @property
    def key(self) -> tuple[str, str, int]:
        """What names this binding for as long as the phone keeps it: AOR with instance and reg-id,
        else AOR with contact and 0. A leg of a call remembers this, not a socket."""
        if self.instance is not None and self.reg_id is not None:
            return (self.aor, self.instance, self.reg_id)
        return (self.aor, str(self.contact), 0)

    def replaces(self, other: "Binding") -> bool:
        """Whether this is the later state of another binding of the AOR."""
        return other.is_at(self.contact, self.instance, self.reg_id)

    def is_at(self, contact: Uri, instance: str | None, reg_id: int | None) -> bool:
        """Whether this binding is what a Contact is about: the same instance and reg-id (RFC 5626
        §6), else an equivalent URI (RFC 3261 §10.3 step 7)."""
        if self.reg_id is not None or reg_id is not None:
            return (self.instance, self.reg_id) == (instance, reg_id)
        return self.contact.is_equivalent(contact)


def way_back(flow: Flow, origin: Flow, path: tuple[str, ...]) -> Flow:
    """The flow by which the phone behind a REGISTER is reached: as the REGISTER came, and behind a
    proxy where its Path says (RFC 3327 §5.3), by whichever connection leads there then."""
    if path:
        proxy = NameAddr.parse(path[0]).uri
        transport = (proxy.transport or "udp").upper()
        if transport == flow.transport and is_address(proxy.host):
            port = proxy.port or (_SIPS_PORT if transport == "TLS" else _SIP_PORT)
            return Flow(transport, flow.local, (proxy.host, port))
    return flow if origin == flow else flow._replace(connection=0)
