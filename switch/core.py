"""THE PAGE: a datagram or a stream's message arrives; which room takes it.

    datagram -> message           sip.parser
    message  -> transaction       transaction
    response -> its owner         a leg, a trunk's probe
    in-dialog request -> leg      call.leg, found by our tag
    INVITE   -> call              call.incoming: who, may they, where to
    REGISTER -> binding           call.registering: who, is it theirs; then the registrar
    the rest -> an answer         below

Everything is synchronous: when `on_datagram` returns, all that the message led to is in the outbox,
and the driver performs it. Deliberately absent: sockets, clocks, files.
"""

from collections import Counter
from collections.abc import Callable

from switch.call import mishap
from switch.call.caller_leg import CallerLeg
from switch.call.ending import ENDINGS, ending_headers
from switch.call.exchange import Exchange
from switch.call.headers import ALLOW
from switch.call.incoming import dialled_number, receive_invite, unsupported
from switch.call.mending import mended
from switch.call.registering import receive_register
from switch.call.shedding import Shedding
from switch.dialog.dialog import host_port
from switch.sip.build import make_response, stamp_source
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.ids import new_tag, stateless_tag
from switch.sip.message import Request, Response
from switch.sip.parser import check_values, is_keepalive, is_stun, parse
from switch.sip.stun import binding_response
from switch.transaction.server import ServerTransaction

PONG = b"\r\n"  # RFC 5626 §3.5.1
KEEPALIVE_BYTES = 8  # no more than these are line ends for their own sake
SCHEMES = ("sip:", "sips:", "tel:", "urn:")


class Core:
    """Messages in, work for the rooms out. Counters only grow."""

    __slots__ = ("_take", "dropped", "exchange", "messages", "responses", "shedding")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.shedding = Shedding(exchange)
        self.dropped: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()  # requests by method
        self.responses: Counter[int] = Counter()  # by status
        self._take: dict[str, Callable[[ServerTransaction, Request, Flow, float], None]] = {
            "INVITE": self._invite,
            "REGISTER": self._register,
            "CANCEL": self._cancel,
            "OPTIONS": self._options,
            "SUBSCRIBE": self._subscribe,
        }

    # -- arrivals ------------------------------------------------------------------------------

    def on_datagram(self, data: bytes, flow: Flow, at: float, now: float) -> None:
        """A datagram was received at boottime `at`; it is `now`."""
        if self.shedding.take(data, flow, at, now):
            return
        if data[:1] < b"!":  # no token of a start line begins with a control character or a space
            data = data.lstrip(b"\r\n") if len(data) > KEEPALIVE_BYTES else data  # §7.5
            if data[:1] < b"!":
                self._not_sip(data, flow)
                return
        try:
            message = parse(data)
        except ParseError as error:
            self._unreadable(error, flow, at)
            return
        self.on_message(message, flow, at)

    def on_message(self, message: Request | Response, flow: Flow, at: float) -> None:
        """A message was read from a datagram or a stream."""
        self.exchange.received_at = at
        if type(message) is Request:
            self._request(message, flow, at)
        elif type(message) is Response:
            try:
                self._response(message, flow, at)
            except ParseError as error:
                self.dropped[error.reason] += 1

    def on_unreadable(self, error: ParseError, flow: Flow, at: float) -> None:
        """A stream sent what can't be read; the stream is closed by its transport."""
        self._unreadable(error, flow, at)

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """A stream ended: its transactions fail, its bindings wait for the phone's next flow."""
        self.exchange.note_closed(flow.connection)
        self.exchange.transactions.transport_failed(flow, now)
        self.exchange.registrar.on_flow_closed(flow, now)
        self.exchange.trunks.on_flow_closed(flow, now)

    def on_transport_error(self, flow: Flow, now: float) -> None:
        """Something sent on `flow` could not be delivered."""
        self.exchange.transactions.transport_failed(flow, now)

    def on_announcer_lost(self, address: tuple[str, int], now: float) -> None:
        """A media worker died with the announcements that it was playing."""
        for call in list(self.exchange.calls.values()):
            call.lose_announcement(address, now)

    # -- the way of a message ------------------------------------------------------------------

    def _response(self, response: Response, flow: Flow, now: float) -> None:
        self.responses[response.status] += 1
        try:
            if self.exchange.transactions.receive_response(response, flow, now):
                return
        except Exception:
            mishap.with_response(self.exchange, response, now)
            raise  # for the log
        # A 2xx outlives its transaction: whoever made the dialog acknowledges it again.
        leg = self.exchange.legs.get(response.from_tag or "")
        if leg is not None and response.cseq.method == "INVITE" and 200 <= response.status < 300:
            leg.on_stray_2xx(response, now)
        else:
            self.dropped["stray response"] += 1

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        exchange, method = self.exchange, request.method
        self.messages[method if method in self._take or method in ALLOW else "other"] += 1
        stamp_source(request, flow)
        if method == "ACK":
            self._ack(request, flow, now)
            return
        tx = exchange.transactions.receive_request(request, flow, now)
        if tx is None:
            return
        try:
            self._dispatch(tx, request, flow, now)
        except ParseError as error:
            # Values are parsed when asked for; nothing was changed before one that can't be read.
            if tx.is_answered:
                raise
            self._bad_request(tx, request, error, flow, now)
        except Exception:
            mishap.with_request(exchange, tx, request, now)
            raise  # for the log

    def _dispatch(self, tx: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """A new request: to its leg by our tag, else by its method."""
        exchange, method = self.exchange, request.method
        to_tag = request.to_tag
        if "Require" in request.names and self._is_beyond_us(tx, request, now):
            return
        if to_tag is not None and method != "CANCEL":
            leg = exchange.legs.get(to_tag)
            if leg is not None:
                leg.on_request(tx, request, now, exchange.received_at)
            else:
                self._of_no_dialog(tx, request, flow, now)
            return
        if method != "REGISTER":  # the registrar reads what it needs, twice a minute per phone
            check_values(request)
        if not request.uri.lower().startswith(SCHEMES):
            self._reply(tx, request, 416, now)
            return
        take = self._take.get(method)
        if take is not None:
            take(tx, request, flow, now)
        elif method in ("BYE", "PRACK", "UPDATE", "INFO", "NOTIFY"):
            self._reply(tx, request, 481, now)
        elif method in ("MESSAGE", "PUBLISH", "REFER"):
            self._reply(tx, request, 405, now, [("Allow", ALLOW)])
        else:
            self._reply(tx, request, 501, now, [("Allow", ALLOW)])

    def _of_no_dialog(
        self, tx: ServerTransaction, request: Request, flow: Flow, now: float
    ) -> None:
        """A To tag that isn't ours (§12.2.2): only phones that register have a reason to keep one."""
        if request.method == "REGISTER":
            self._register(tx, request, flow, now)
        elif not self._is_mended(tx, request, "a tag of no dialog", flow, now):
            self._reply(tx, request, 481, now)

    def _is_beyond_us(self, tx: ServerTransaction, request: Request, now: float) -> bool:
        """Whether it requires an extension that we don't have. A new INVITE is told so by `incoming`; a
        BYE ends its call all the same, and Require means nothing in CANCEL (§8.2.2.3)."""
        unknown, in_dialog = unsupported(request), request.to_tag is not None
        if not unknown or request.method == ("BYE" if in_dialog else "INVITE"):
            return False
        if request.method == "CANCEL":
            return False
        self._reply(tx, request, 420, now, [("Unsupported", unknown)])
        return True

    def _ack(self, request: Request, flow: Flow, now: float) -> None:
        if self.exchange.transactions.receive_ack(request, flow, now):
            return
        leg = self.exchange.legs.get(request.to_tag or "")
        if leg is not None:
            leg.on_ack(request, now)
        elif request.to_tag != stateless_tag(request.via.branch or request.call_id):
            self.dropped["stray ACK"] += 1  # else it is the ACK to a challenge

    def _invite(self, tx: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        self._open(tx, request, self.exchange.settings.origin(request, flow), now)

    def _open(self, tx: ServerTransaction, invite: Request, origin: Flow, now: float) -> None:
        if self._is_merged(invite):
            self._refuse(tx, invite, "loop", now)
        else:
            receive_invite(self.exchange, tx, invite, origin, now)

    def _cancel(self, tx: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        """CANCEL answers for itself, then the INVITE's leg gives up (§9.2)."""
        invite_tx = self.exchange.transactions.find_invite(request)
        if invite_tx is None:
            self._reply(tx, request, 481, now)
            return
        owner = invite_tx.owner
        # The tag of the INVITE's responses (§9.2), while it is known.
        tag = owner.local_tag if isinstance(owner, CallerLeg) else new_tag()
        tx.respond(make_response(request, 200, to_tag=tag), now)
        # A re-INVITE has no owner: its leg is known by our tag.
        leg = (
            owner if isinstance(owner, CallerLeg) else self.exchange.legs.get(request.to_tag or "")
        )
        if leg is not None:
            leg.on_cancel(request.get("Reason") or "", now)

    def _register(self, tx: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        receive_register(self.exchange, tx, request, flow, now)

    def _options(self, tx: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        headers = [
            ("Allow", ALLOW),
            ("Accept", "application/sdp"),
            ("Accept-Encoding", "identity"),
            ("Accept-Language", "fr, en"),
            ("Supported", "timer, 100rel, path, outbound"),
        ]
        self._reply(tx, request, 200, now, headers)

    def _subscribe(self, tx: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        self._reply(tx, request, 489, now, [("Allow-Events", "")])

    # -- inside --------------------------------------------------------------------------------

    def _is_merged(self, request: Request) -> bool:
        """The same INVITE by another way (§8.2.2.2): a fork that joins here, or a loop."""
        return (request.call_id, request.from_tag, request.cseq.number) in self.exchange.invites

    def _not_sip(self, data: bytes, flow: Flow) -> None:
        if is_stun(data):
            self.exchange.outbox.send(flow, binding_response(data, flow.remote))
        elif is_keepalive(data):
            if data == b"\r\n\r\n":
                self.exchange.outbox.send(flow, PONG)
        else:
            self.dropped["not SIP"] += 1

    def _unreadable(self, error: ParseError, flow: Flow, now: float) -> None:
        """400 with the reason where an answer can find its way, else dropped and counted."""
        request = error.request
        if request is None or request.method == "ACK":
            self.dropped[error.reason] += 1
            return
        stamp_source(request, flow)
        tx = self.exchange.transactions.receive_request(request, flow, now)
        if tx is not None and error.ends_stream:
            self._refuse_unreadable(tx, request, error, now)
        elif tx is not None:
            self._bad_request(tx, request, error, flow, now)

    def _bad_request(
        self, tx: ServerTransaction, request: Request, error: ParseError, flow: Flow, now: float
    ) -> None:
        """A call for help goes on with what can be read of it; all else is refused."""
        if not self._is_mended(tx, request, error.reason, flow, now):
            self._refuse_unreadable(tx, request, error, now)

    def _is_mended(
        self, tx: ServerTransaction, request: Request, why: str, flow: Flow, now: float
    ) -> bool:
        """Whether a request that would be refused is an INVITE to an emergency number, which was taken."""
        exchange = self.exchange
        if request.method != "INVITE" or request.to_tag in exchange.legs:
            return False
        try:
            invite = mended(request, flow, exchange.settings.host)
            if exchange.rules.emergency.classify(dialled_number(invite)) is None:
                return False
        except ParseError:
            return False
        # Where it comes from, a trusted proxy may have said in a field that the mended one lacks.
        self._open(tx, invite, exchange.settings.origin(request, flow), now)
        if tx.owner is not None:  # it made a call: not a stranger, who could fill the log
            exchange.outbox.note("emergency.mended", peer=host_port(flow.remote), why=why)
        return True

    def _refuse_unreadable(
        self, tx: ServerTransaction, request: Request, error: ParseError, now: float
    ) -> None:
        """The status that the error suggests (400, 414, 505, 513), with the reason."""
        self.dropped[error.reason] += 1
        headers = [("Warning", f'399 {self.exchange.settings.host} "{error.reason}"')]
        tx.respond(
            make_response(request, error.status, error.reason, to_tag=new_tag(), headers=headers),
            now,
        )

    def _refuse(self, tx: ServerTransaction, request: Request, slug: str, now: float) -> None:
        headers = ending_headers(slug, self.exchange.settings.host)
        self._reply(tx, request, ENDINGS[slug].status, now, headers)

    def _reply(
        self,
        tx: ServerTransaction,
        request: Request,
        status: int,
        now: float,
        headers: list[tuple[str, str]] | tuple[()] = (),
    ) -> None:
        tx.respond(make_response(request, status, to_tag=new_tag(), headers=headers), now)
