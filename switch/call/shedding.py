"""Overload: what is refused before it is read, so that what matters is still in time.

The measure is the age of a datagram when it is handled: how long it lay in the kernel's queue. It
grows as soon as work comes faster than it is done, whatever makes it so. Decided on the raw
octets, before parsing and without remembering anything: a refused INVITE leaves no transaction, its
ACK finds nothing, and its repetition is decided anew (a stateless UAS, RFC 3261 §8.2.7).

Never refused: emergency calls and PSAPs that call back, whatever belongs to a dialog or a
transaction (ACK, BYE, CANCEL, PRACK, all with a To tag), responses, and a REGISTER with credentials.
Phones get 480 with Q.850 cause 42, never 503: with Retry-After it would forbid them every request,
18 included (§21.5.4). Carriers get 503 without Retry-After, and try elsewhere.

Deliberately absent: streams, whose peers wait when we don't read (TCP's own flow control); fairness
among lines, which is the matter of channel limits.
"""

import re
from typing import Final

from switch.call.ending import ending_headers
from switch.call.exchange import Exchange
from switch.sip.build import make_response, stamp_source
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.ids import stateless_tag
from switch.sip.message import Request
from switch.sip.parser import parse
from switch.sip.uri import Uri

# Phones repeat an INVITE after T1 = 500 ms (§17.1.1.2): from then on overload feeds itself.
SHED_ABOVE_S: Final = 0.2
CALM_BELOW_S: Final = 0.1
# A phone that can't register can't be called: new registrations are refused last.
SHED_REGISTER_ABOVE_S: Final = 0.4
SMOOTHED_OVER_S: Final = 0.1
# One late datagram after silence (a pause of the machine) is no overload.
_MOST_OF_ONE: Final = 0.25

_SHEDDABLE: Final = frozenset(
    {b"INVITE", b"OPTIONS", b"SUBSCRIBE", b"MESSAGE", b"PUBLISH", b"REFER", b"NOTIFY", b"INFO"}
)
_TO_TAG: Final = re.compile(
    rb"^(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE | re.MULTILINE
)
_CREDENTIALS: Final = re.compile(rb"^(?:proxy-)?authorization[ \t]*:", re.IGNORECASE | re.MULTILINE)
_CALLBACK: Final = re.compile(rb"^priority[ \t]*:[ \t]*psap-callback", re.IGNORECASE | re.MULTILINE)
_SIP: Final = (b"sip:", b"sips:")


class Shedding:
    """Measures, and refuses what may be refused. `refused` only grows."""

    __slots__ = ("_exchange", "_last", "age", "is_overloaded", "refused")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._last = 0.0
        self.age = 0.0  # seconds, smoothed
        self.is_overloaded = False
        self.refused = 0

    def measure(self, at: float, now: float) -> bool:
        """Note a datagram that was received at `at` and is handled at `now` (boottime seconds);
        whether the switch is overloaded."""
        passed = (now - self._last) / SMOOTHED_OVER_S
        self._last = now
        weight = min(1.0, passed)
        age = now - at
        self.age += weight * ((age if weight < _MOST_OF_ONE else age * _MOST_OF_ONE) - self.age)
        if self.is_overloaded != (
            self.age > (CALM_BELOW_S if self.is_overloaded else SHED_ABOVE_S)
        ):
            self._turn()
        return self.is_overloaded

    def refusal(self, data: bytes, flow: Flow) -> bytes | None:
        """The answer to a datagram that is refused now, None for one that must be handled."""
        if not self._may_refuse(data, flow):
            return None
        try:
            request = parse(data)
        except ParseError:
            return None  # the usual way finds the right answer
        if not isinstance(request, Request):
            return None
        self.refused += 1
        stamp_source(request, flow)
        status = 503 if self._exchange.trunks.of_flow(flow) is not None else 480
        response = make_response(
            request,
            status,
            to_tag=stateless_tag(request.via.branch or request.call_id),
            headers=ending_headers("overload", self._exchange.settings.host),
        )
        return response.to_bytes()

    def _may_refuse(self, data: bytes, flow: Flow) -> bool:
        """Whether nobody's safety, and nothing under way, hangs on this datagram."""
        method, _, rest = data.partition(b" ")
        if method == b"REGISTER":
            return self.age > SHED_REGISTER_ABOVE_S and _CREDENTIALS.search(data) is None
        if method not in _SHEDDABLE or _TO_TAG.search(data) is not None:
            return False
        if method != b"INVITE":
            return True
        if _CALLBACK.search(data) is not None and self._exchange.trunks.of_flow(flow) is not None:
            return False
        return not self._is_emergency(rest.partition(b" ")[0])

    def _is_emergency(self, uri: bytes) -> bool:
        """Whether a Request-URI names an emergency service; one that can't be read might."""
        try:
            text = uri.decode()
            dialled = (Uri.parse(text).user or "") if uri[:5].lower().startswith(_SIP) else text
        except (ParseError, UnicodeDecodeError):
            return True
        return self._exchange.rules.emergency.classify(dialled) is not None

    def _turn(self) -> None:
        self.is_overloaded = not self.is_overloaded
        name = "overload.started" if self.is_overloaded else "overload.ended"
        self._exchange.outbox.note(name, age_ms=round(self.age * 1000), refused=self.refused)
