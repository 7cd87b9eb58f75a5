"""Overload: what is refused before it is read, so that what matters is still in time.

The measure is the age of a datagram when it is handled: how long it lay in the kernel's queue. It
grows as soon as work comes faster than it is done, whatever makes it so. Decided on the raw
octets, before parsing and without remembering anything: a refused INVITE leaves no transaction, its
ACK finds nothing, and its repetition is decided anew (a stateless UAS, RFC 3261 §8.2.7).

Never refused: emergency calls and PSAPs that call back, whatever belongs to a dialog or a
transaction (ACK, BYE, CANCEL, PRACK, all with a To tag), responses, and a REGISTER with credentials
or from where a phone is registered: a refresh.
Phones get 480 with Q.850 cause 42, never 503: with Retry-After it would forbid them every request,
18 included (§21.5.4). Carriers get 503 without Retry-After, and try elsewhere.

Before anything is refused, what can't wait goes first: the UDP transport asks `turn_of` when more
comes than is handled in one go, and keeps what begins something ordinary for short turns between
(transport/udp.py). So an emergency call is handled within milliseconds, however long the queue is.

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
# A line's beginning as an octet: five times as fast as ^ with re.MULTILINE.
_TO_TAG: Final = re.compile(
    rb"\n(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=[ \t]*(\w*)", re.IGNORECASE
)
_CONTACT_USER: Final = re.compile(
    rb"\n(?:contact|m)[ \t]*:[^\r\n]*?sips?:([^@;>\s]+)@", re.IGNORECASE
)
_CREDENTIALS: Final = re.compile(rb"\n(?:proxy-)?authorization[ \t]*:", re.IGNORECASE)
_CALLBACK: Final = re.compile(rb"\npriority[ \t]*:[ \t]*psap-callback", re.IGNORECASE)
_BRANCH: Final = re.compile(rb";[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)", re.IGNORECASE)
_DIGITS: Final = 9  # of a number, which its spellings have in common
_SIP: Final = (b"sip:", b"sips:")
# Whose age is measured: what belongs to something goes ahead of the queue, and is never old.
_BEGINS: Final = frozenset({b"I", b"O", b"R"})  # INVITE, OPTIONS, REGISTER and kin
_QUIET_S: Final = 0.5


class Shedding:
    """Measures, and refuses what may be refused. `refused` only grows."""

    __slots__ = ("_exchange", "_last", "age", "is_overloaded", "refused")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._last = 0.0
        self.age = 0.0  # seconds, smoothed
        self.is_overloaded = False
        self.refused = 0

    def turn_of(self, data: bytes, flow: Flow) -> int:
        """When a datagram is handled: at once (0), soon (1) or later (2). What begins something ordinary
        comes last. A stranger's call for help comes before that, but not before a phone's of ours: it
        is only challenged, and whoever wants to hinder calls for help would send many of them."""
        method, _, rest = data.partition(b" ")
        if method == b"REGISTER":
            return 2
        if method not in _SHEDDABLE or _TO_TAG.search(data) is not None:
            return 0
        if method != b"INVITE":
            return 2
        if self._calls_back(data):
            return 0 if self._exchange.trunks.of_flow(flow) is not None else 1
        if not self._is_emergency(rest):
            return 2
        return 0 if self._is_ours(data, flow) else 1

    def _is_ours(self, data: bytes, flow: Flow) -> bool:
        """Whether a registered phone, or a trusted proxy in front of one, sent it."""
        exchange = self._exchange
        proxies = exchange.settings.proxies
        if proxies is not None and proxies.trusts(flow.remote[0]):
            return True
        contact = _CONTACT_USER.search(data)
        user = "" if contact is None else contact[1].decode("utf-8", "replace")
        return exchange.registrar.find(flow, user) is not None

    def take(self, data: bytes, flow: Flow, at: float, now: float) -> bool:
        """Whether a datagram, received at `at` and handled at `now`, is dealt with: refused, or
        the ACK to a refusal. All others are to be handled."""
        if data[:1] in _BEGINS:
            if not self.measure(at, now):
                return False
            answer = self.refusal(data, flow)
            if answer is not None:
                self._exchange.outbox.send(flow, answer)
            return answer is not None
        return self.is_overloaded and self._acknowledges_refusal(data)

    def rest(self, now: float) -> None:
        """Asked now and then: when nothing has come for a while, there is no overload."""
        if self.is_overloaded and now - self._last > _QUIET_S:
            self.age = 0.0
            self._turn()

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
            return (
                self.age > SHED_REGISTER_ABOVE_S
                and _CREDENTIALS.search(data) is None
                and not self._exchange.registrar.knows(flow)
            )
        if method not in _SHEDDABLE or _TO_TAG.search(data) is not None:
            return False
        if method != b"INVITE":
            return True
        if self._calls_back(data) and self._exchange.trunks.of_flow(flow) is not None:
            return False
        return not self._is_emergency(rest)

    def _calls_back(self, data: bytes) -> bool:
        """Whether an INVITE looks like a PSAP's call-back: by the header, or by a number in whatever
        spelling. Whether it is one, the policy decides."""
        if _CALLBACK.search(data) is not None:
            return True
        numbers = self._exchange.rules.psap_callback_numbers
        return any(number[-_DIGITS:].encode() in data for number in numbers)

    def _acknowledges_refusal(self, data: bytes) -> bool:
        """Whether this is the ACK to a refusal of ours: the tag follows from the branch."""
        if data[:4] != b"ACK ":
            return False
        tag, branch = _TO_TAG.search(data), _BRANCH.search(data)
        return (
            tag is not None
            and branch is not None
            and stateless_tag(branch[1].decode("utf-8", "replace"))
            == tag[1].decode("ascii", "replace")
        )

    def _is_emergency(self, rest: bytes) -> bool:
        """Whether the Request-URI, with which `rest` begins, names an emergency service; one that can't be
        read might, and call/mending.py looks closer."""
        uri = rest.lstrip(b" <").partition(b" ")[0]
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
