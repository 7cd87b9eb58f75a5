"""One next hop of a carrier (RFC 3263 §4), and whether it lives.

OPTIONS keeps an eye on it: a silent carrier is noticed before someone needs it. Between two probes,
calls tell what they meet: a hop that didn't answer one is tried last for a while (RFC 3263 §4.3).

Deliberately absent: which calls may go there (trunk.py), DNS.
"""

from collections.abc import Callable
from typing import Final

from switch.clock import Timer, Wheel
from switch.routing.carrier import Carrier
from switch.sip.message import Response
from switch.transaction.client import ClientTransaction
from switch.transaction.transactions import Transactions
from switch.trunk.enquiry import NO_ANSWER, UNREACHABLE, options_request

DOWN_AFTER: Final = 2  # lost probes in a row: one loss is the network's daily business
SILENCE_S: Final = 5.0  # by then UDP has sent a probe five times; transactions wait for 32 s
AGAIN_S: Final = 2.0  # after one lost probe, so that a dead carrier is known in 12 s
AVOIDED_S: Final = 30.0  # RFC 3263 §4.3 leaves it open: a restart takes about as long
_SAYS_NOTHING: Final = (408, 503)  # from a proxy in between, or from someone who can't serve


class NextHop:
    """One place that a carrier's requests go to. `carrier` has its flows.

    `is_up` is what probes say; `is_avoided` that a call failed there a short while ago. `reason` says
    why it is down, "" while it is up.
    """

    __slots__ = (
        "_changed",
        "_misses",
        "_ping",
        "_ping_s",
        "_probe",
        "_silence",
        "_transactions",
        "_wheel",
        "avoided",
        "carrier",
        "is_up",
        "reason",
    )

    def __init__(
        self,
        carrier: Carrier,
        ping_s: float,
        wheel: Wheel,
        transactions: Transactions,
        changed: Callable[["NextHop"], None],
    ) -> None:
        """Up until the contrary is known. `ping_s` 0 = no probes; `changed` hears of up and down."""
        self.carrier = carrier
        self.is_up = True
        self.reason = ""
        self.avoided: Timer | None = None
        self._misses = 0
        self._ping_s = ping_s
        self._ping: Timer | None = None
        self._silence: Timer | None = None
        self._probe: ClientTransaction | None = None
        self._wheel = wheel
        self._transactions = transactions
        self._changed = changed

    @property
    def is_avoided(self) -> bool:
        """Whether a call failed there a short while ago."""
        return self.avoided is not None

    @property
    def rank(self) -> int:
        """0 lives, 1 failed a call lately, 2 is down: the order of trying, least first."""
        return 2 if not self.is_up else int(self.is_avoided)

    def start(self, now: float) -> None:
        """Send the first probe; the rest follow by time. Without effect when probes go already."""
        if self._ping_s > 0 and self._ping is None:
            self._send_probe(now)

    def stop(self) -> None:
        """No more probes: the DNS doesn't name this place any longer."""
        for timer in (self._ping, self._silence, self.avoided):
            if timer is not None:
                timer.cancel()
        self._ping = self._silence = self.avoided = None
        if self._probe is not None:
            self._probe.owner = None
            self._probe = None

    def avoid(self, now: float, seconds: float = AVOIDED_S) -> None:
        """A request got no answer there, or 503: try it last for a while, and look soon."""
        if self.avoided is not None:
            self.avoided.cancel()
        self.avoided = self._wheel.arm(now + seconds, self, "avoided")
        if self._ping is not None and self._probe is None and self._ping.at > now + AGAIN_S:
            self._ping.cancel()
            self._ping = self._wheel.arm(now + AGAIN_S, self, "ping")

    def answered(self) -> None:
        """It answered a request: it lives."""
        self._misses = 0
        if self.avoided is not None:
            self.avoided.cancel()
            self.avoided = None
        self._become(True, "")

    # -- probes --------------------------------------------------------------------------------

    def on_timer(self, name: str, now: float) -> None:
        """Probe once more, give a probe up, or forget that a call failed."""
        match name:
            case "ping" if self._silence is not None:  # pings more frequent than patience
                self._ping = self._wheel.arm(self._silence.at, self, "ping")
            case "ping":
                self._send_probe(now)
            case "silence":
                self._missed(NO_ANSWER, now)
            case "avoided":
                self.avoided = None

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """Any final answer but 408 and 503 is a sign of life, also to a probe given up."""
        if response.status < 200:
            return
        if response.status in _SAYS_NOTHING:
            self._lost(tx, f"{response.status} to OPTIONS", now)
            return
        self._probe = None
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        self.answered()

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """No answer."""
        self._lost(tx, NO_ANSWER, now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """No path."""
        self._lost(tx, UNREACHABLE, now)

    def _send_probe(self, now: float) -> None:
        if self._ping is not None:
            self._ping.cancel()
        self._ping = self._wheel.arm(now + self._ping_s, self, "ping")
        self._silence = self._wheel.arm(now + SILENCE_S, self, "silence")
        flow = self.carrier.flow
        request = options_request(self.carrier.host, flow)
        self._probe = self._transactions.request(request, flow, self, now)

    def _lost(self, tx: ClientTransaction, reason: str, now: float) -> None:
        if tx is self._probe:  # else it was given up and counted
            self._missed(reason, now)

    def _missed(self, reason: str, now: float) -> None:
        """Count a lost probe, once; ask again soon while it is not sure yet."""
        self._probe = None
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        self._misses += 1
        if self._misses >= DOWN_AFTER:
            self._become(False, reason)
        elif self._ping is not None and self._ping.at > now + AGAIN_S:
            self._ping.cancel()
            self._ping = self._wheel.arm(now + AGAIN_S, self, "ping")

    def _become(self, is_up: bool, reason: str) -> None:
        self.reason = reason
        if self.is_up != is_up:
            self.is_up = is_up
            self._changed(self)
