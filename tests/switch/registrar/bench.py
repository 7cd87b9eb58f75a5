"""A registrar with its wheel and outbox, and a phone whose CSeq grows; time is jumped."""

import orjson

from switch.clock import Wheel
from switch.registrar.registrar import Registrar
from switch.registrar.wanted import Limits
from switch.sip.build import make_request
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox

WALL = 1_800_000_000.0
US = ("192.0.2.10", 5060)
PHONE = ("192.0.2.1", 5060)
CONTACT = "<sip:101@192.0.2.1:5060>"
UDP = Flow("UDP", US, PHONE)
TCP = Flow("TCP", US, ("192.0.2.1", 40000), 7)
OUTBOUND = '<sip:101@10.0.0.5:5062>;+sip.instance="<urn:uuid:a>";reg-id={}'


class Bench:
    """A registrar with its wheel and outbox, and a phone's counters."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.wheel, self.outbox = Wheel(), Outbox()
        self.registrar = Registrar(limits or Limits(contacts=3), self.wheel, self.outbox)
        self.cseq = 0

    def request(self, *contacts: str, expires: str | None = None, **headers: str) -> Request:
        self.cseq += 1
        lines = [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("From", "<sip:101@vigie>;tag=1"),
            ("To", "<sip:101@vigie>"),
            ("Call-ID", headers.pop("call_id", "one")),
            ("CSeq", f"{headers.pop('cseq', self.cseq)} REGISTER"),
        ]
        lines += [("Contact", contact) for contact in contacts]
        if expires is not None:
            lines.append(("Expires", expires))
        lines += [(name.replace("_", "-").title(), value) for name, value in headers.items()]
        return make_request("REGISTER", "sip:vigie", lines)

    def register(
        self,
        *contacts: str,
        now: float = 0.0,
        flow: Flow = UDP,
        aor: str = "101",
        expires: str | None = None,
        origin: Flow | None = None,
        **headers: str,
    ) -> Response:
        request = self.request(*contacts, expires=expires, **headers)
        return self.registrar.register(request, flow, aor, now, WALL + now, origin)

    def contacts(self, now: float = 0.0, aor: str = "101") -> list[str]:
        return [str(binding.contact) for binding in self.registrar.bindings(aor, now)]

    def restarted(self, now: float, wall: float) -> "Bench":
        other = Bench()
        records = [orjson.loads(line) for line in self.outbox.journal]
        other.registrar.restore(records, now, wall)
        assert other.outbox.journal == []
        return other
