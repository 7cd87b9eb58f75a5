"""Our registration at one carrier (RFC 3261 §10.2): REGISTER, its challenge, refresh, back-off.

The Contact's user is a token that nobody can guess: the carrier puts it into the Request-URI of the
calls that it brings, and they are recognised by it wherever they come from. Next hops are tried in
their order (RFC 3263 §4.3); waiting times after failures are those of RFC 5626 §4.5.

Deliberately absent: un-registering when the switch stops (its calls go on, and the next start has the
same token), Service-Route (RFC 3608), GRUU and outbound (RFC 5626), which carriers don't ask of us.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from switch.clock import Timer, Wheel
from switch.dialog.dialog import host_port, via_value
from switch.routing.target import Credentials
from switch.sip.build import MAX_FORWARDS, make_request
from switch.sip.digest import Challenge, authorize, choose_challenge
from switch.sip.flow import Flow
from switch.sip.ids import new_call_id, new_tag
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox
from switch.transaction.client import ClientTransaction
from switch.transaction.transactions import Transactions
from switch.trunk.answers import granted_s, least_s, seconds, words
from switch.trunk.registration_machine import Action, Event, State, step

BASE_WAIT_S: Final = 15.0  # a carrier's proxy restarts in about this time
MAX_WAIT_S: Final = 1800.0  # RFC 5626 §4.5
_MIN_RETRY_S: Final = 2.0
_TOKEN_DIGITS: Final = 32  # 128 bits


def contact_token(key: bytes, trunk: str) -> str:
    """The Contact user of our registration: unguessable, and the same after a restart.

    `key` is secret and kept in the data directory. The carrier may hold the binding of the process
    before, and its calls are still recognised.
    """
    digest = hmac.new(key, b"trunk contact " + trunk.encode(), hashlib.sha256)
    return digest.hexdigest()[:_TOKEN_DIGITS]


def refresh_after(granted_s: float) -> float:
    """When to refresh a binding of this lifetime: early enough for one lost try (64*T1) and more."""
    return granted_s - max(granted_s * 0.15, min(40.0, granted_s / 2))


class NextHops(Protocol):
    """Where REGISTER can be sent."""

    def next_flow(self, tried: Collection[Flow]) -> Flow | None:
        """The best next hop that wasn't tried, None when there is none."""

    def failed(self, flow: Flow, now: float) -> None:
        """Nothing answered on this flow, or 503."""

    def look(self) -> None:
        """The registration's state changed."""


@dataclass(frozen=True, slots=True)
class Account:
    """What we register, and as whom. `aor` is a SIP URI; `token` the user of our Contact."""

    trunk: str
    aor: str
    credentials: Credentials
    expires_s: int
    token: str

    @property
    def registrar(self) -> str:
        """The Request-URI of REGISTER: the domain of the AOR, without a user (§10.2)."""
        scheme, _, rest = self.aor.partition(":")
        return f"{scheme}:{rest.rpartition('@')[2]}"


class Registration:
    """One registration. `state`, `reason` and `expires_at` (boottime seconds) are for others to read.

    `reason` says why it failed last, "" when it did not.
    """

    __slots__ = (
        "_answers",
        "_call_id",
        "_challenge",
        "_cseq",
        "_draw",
        "_expires_s",
        "_expiry",
        "_flow",
        "_hops",
        "_is_lengthened",
        "_is_proxy",
        "_nonce_count",
        "_outbox",
        "_retry_after",
        "_sent_at",
        "_tag",
        "_timer",
        "_transactions",
        "_tried",
        "_tx",
        "_wheel",
        "account",
        "expires_at",
        "failures",
        "reason",
        "state",
    )

    def __init__(
        self,
        account: Account,
        hops: NextHops,
        wheel: Wheel,
        transactions: Transactions,
        outbox: Outbox,
        draw: Callable[[], float],
    ) -> None:
        """`draw` gives numbers in [0, 1), so that many trunks don't come back in step."""
        self.account = account
        self.state = State.UNREGISTERED
        self.reason = ""
        self.expires_at = 0.0
        self.failures = 0
        self._hops = hops
        self._wheel = wheel
        self._transactions = transactions
        self._outbox = outbox
        self._draw = draw
        self._call_id = new_call_id()  # one for all REGISTERs to a registrar (§10.2.4)
        self._tag = new_tag()
        self._cseq = 0
        self._expires_s = account.expires_s
        self._flow: Flow | None = None
        self._tried: set[Flow] = set()
        self._tx: ClientTransaction | None = None
        self._sent_at = 0.0
        self._challenge: Challenge | None = None
        self._is_proxy = False
        self._nonce_count = 0
        self._answers = 0
        self._is_lengthened = False
        self._retry_after = 0.0
        self._timer: Timer | None = None
        self._expiry: Timer | None = None

    @property
    def is_registered(self) -> bool:
        """Whether the carrier has our binding."""
        return self.state in (State.REGISTERED, State.REFRESHING)

    @property
    def is_failing(self) -> bool:
        """Whether the carrier has it not, although we tried."""
        return self.failures > 0 and not self.is_registered

    def renew(self, now: float) -> None:
        """Register or refresh now: at start, when the connection was lost, when names were found."""
        if self.state in (State.UNREGISTERED, State.REGISTERED, State.FAILED):
            self.on_timer("due", now)

    def on_flow_closed(self, flow: Flow, now: float) -> None:
        """The connection that the carrier would call us by is gone: make a new one.

        Not at once, lest a carrier that closes after each answer keeps us busy.
        """
        ours = self._flow
        if self.state is not State.REGISTERED or ours is None or not flow.is_reliable:
            return
        if (flow.transport, flow.remote) == (ours.transport, ours.remote):
            self._arm(now + _MIN_RETRY_S)

    # -- what happens --------------------------------------------------------------------------

    def on_timer(self, name: str, now: float) -> None:
        """The next REGISTER is due, or the binding's lifetime is over."""
        if name == "expired":
            self._expiry = None
            self._step(Event.EXPIRED, now)
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tried.clear()
        self._is_lengthened = False
        self._retry_after = 0.0
        self._step(Event.DUE, now)

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """The carrier's answer."""
        if tx is not self._tx or response.status < 200:
            return
        self._tx = None
        self._step(self._read(response, now), now, response)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """None came."""
        self._lost(tx, "timeout", now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """It can't be sent."""
        self._lost(tx, "unreachable", now)

    def _lost(self, tx: ClientTransaction, reason: str, now: float) -> None:
        if tx is not self._tx:
            return
        self._tx = None
        self._step(self._next_or_refused(reason, now), now)

    def _read(self, response: Response, now: float) -> Event:
        """What a final response means."""
        status = response.status
        if status < 300:
            if granted_s(response, self.account.token, self._expires_s) > 0:
                return Event.ACCEPTED
            self.reason = "no binding in the answer"
            return Event.REFUSED
        self.reason = words(response)
        if status in (401, 407):
            return self._read_challenge(response)
        if status == 423 and least_s(response) > self._expires_s and not self._is_lengthened:
            return Event.TOO_BRIEF
        self._retry_after = max(self._retry_after, seconds(response.get("Retry-After")))
        if status == 503:
            return self._next_or_refused(self.reason, now)
        return Event.REFUSED

    def _read_challenge(self, response: Response) -> Event:
        """Whether to answer: once, and once more if only the nonce was stale (RFC 7616 §3.4)."""
        self._is_proxy = response.status == 407
        name = "Proxy-Authenticate" if self._is_proxy else "WWW-Authenticate"
        challenge = choose_challenge(response.get_all(name))
        if challenge is None:
            self._challenge = None
            return Event.REFUSED
        if self._answers and not (challenge.stale and self._answers == 1):
            self._challenge = None
            self.reason = "bad_credentials"
            return Event.REFUSED
        self._challenge = challenge
        self._nonce_count = 0
        return Event.CHALLENGED

    def _next_or_refused(self, reason: str, now: float) -> Event:
        self.reason = reason
        if self._flow is not None:
            self._hops.failed(self._flow, now)
        return Event.REFUSED if self._hops.next_flow(self._tried) is None else Event.UNREACHABLE

    # -- what is done about it -----------------------------------------------------------------

    def _step(self, event: Event, now: float, response: Response | None = None) -> None:
        action, self.state = step(self.state, event)
        self._perform(action, now, response)
        self._hops.look()

    def _perform(self, action: Action, now: float, response: Response | None) -> None:
        match action:
            case Action.SEND:
                self._begin(now)
            case Action.ANSWER:
                self._answers += 1
                self._send(now)
            case Action.LENGTHEN:
                assert response is not None
                self._is_lengthened = True
                self._expires_s = least_s(response)
                self._send(now)
            case Action.KEEP:
                assert response is not None
                self._keep(granted_s(response, self.account.token, self._expires_s), now)
            case Action.BACK_OFF:
                self._back_off(now)
            case Action.LAPSE:
                self.failures = max(self.failures, 1)
                self._note_failure()

    def _begin(self, now: float) -> None:
        """Send to the next hop that wasn't tried."""
        self._flow = self._hops.next_flow(self._tried)
        if self._flow is None:
            self.reason = "no address"
            self._step(Event.REFUSED, now)
            return
        self._tried.add(self._flow)
        self._answers = 0
        self._send(now)

    def _send(self, now: float) -> None:
        assert self._flow is not None
        self._cseq += 1
        self._sent_at = now
        self._tx = self._transactions.request(self._request(self._flow), self._flow, self, now)

    def _request(self, flow: Flow) -> Request:
        account = self.account
        fields = [
            ("Via", via_value(flow)),
            ("Max-Forwards", MAX_FORWARDS),
            ("From", f"<{account.aor}>;tag={self._tag}"),
            ("To", f"<{account.aor}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", self._contact(flow)),
            ("Expires", str(self._expires_s)),
        ]
        if self._challenge is not None:
            self._nonce_count += 1
            answer = authorize(
                self._challenge,
                account.credentials.username,
                account.credentials.password,
                "REGISTER",
                account.registrar,
                self._nonce_count,
                new_tag(),
            )
            fields.append(("Proxy-Authorization" if self._is_proxy else "Authorization", answer))
        return make_request("REGISTER", account.registrar, fields)

    def _contact(self, flow: Flow) -> str:
        transport = f";transport={flow.transport.lower()}" if flow.is_reliable else ""
        return f"<sip:{self.account.token}@{host_port(flow.local)}{transport}>"

    def _keep(self, granted: int, now: float) -> None:
        is_news = self.failures > 0 or not self.expires_at
        self.reason = ""
        self.failures = 0
        # From the sending on: when the carrier began to count, we can't know.
        self.expires_at = self._sent_at + granted
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._wheel.arm(self.expires_at, self, "expired")
        self._arm(max(now + _MIN_RETRY_S, self._sent_at + refresh_after(granted)))
        if is_news:
            self._outbox.note("trunk.registered", trunk=self.account.trunk, expires_s=granted)

    def _back_off(self, now: float) -> None:
        self.failures += 1
        longest = min(MAX_WAIT_S, BASE_WAIT_S * 2.0 ** min(self.failures, 20))
        wait = max(longest * (0.5 + 0.5 * self._draw()), min(self._retry_after, MAX_WAIT_S))
        if self.is_registered:  # several tries before the binding ends
            wait = min(wait, max(_MIN_RETRY_S, (self.expires_at - now) / 2))
        self._arm(now + wait)
        self._note_failure()

    def stop(self) -> None:
        """Ask no more: the configuration names this carrier no longer."""
        for timer in (self._timer, self._expiry):
            if timer is not None:
                timer.cancel()
        self._timer = self._expiry = None

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._wheel.arm(at, self, "due")

    def _note_failure(self) -> None:
        self._outbox.note(
            "trunk.registration_failed",
            trunk=self.account.trunk,
            reason=self.reason or "expired",
            registered=self.is_registered,
            failures=self.failures,
        )
