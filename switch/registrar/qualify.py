"""Keeps the way to UDP phones open through their NAT, and notices phones that are gone.

OPTIONS in a steady rhythm (RFC 3261 §11; the keep-alive of RFC 5626 §4.4.2 is the phone's to send,
and many don't). NATs forget UDP after 30 s at the least (RFC 4787 §4.3 wants 2 minutes).

One timer for all: each tick asks its share of the bindings, so that 10,000 phones make an even
stream, also after a restart. Any final answer shows that the phone lives, 404 and 501 too. A phone
that misses two in a row is lost: it is noted and called last, but its binding stays until it ends
(the network may be back before that), and it is still asked.

Deliberately absent: TCP and TLS, whose connections tell by themselves, and bindings behind a proxy
(Path), which keeps its own.
"""

from collections import deque
from typing import Final

from switch.clock import Timer, Wheel
from switch.dialog.dialog import host_port, via_value
from switch.registrar.binding import Binding
from switch.registrar.registrar import Registrar
from switch.sip.build import MAX_FORWARDS, make_request
from switch.sip.ids import new_call_id, new_tag
from switch.sip.message import Response
from switch.transaction.client import ClientTransaction
from switch.transaction.transactions import Transactions

# UDP has sent each OPTIONS eleven times before it is missed (Timer F, 32 s): two are a minute.
LOST_AFTER: Final = 2
TICK_S: Final = 0.25

Key = tuple[str, str, int]
"""`Binding.key`: what names a binding as long as the phone keeps it."""


class Qualifier:
    """Asks every UDP binding once in `interval_s` seconds (0 = never)."""

    __slots__ = (
        "_asked",
        "_credit",
        "_interval_s",
        "_misses",
        "_pending",
        "_queue",
        "_registrar",
        "_timer",
        "_transactions",
        "_wheel",
    )

    def __init__(
        self, registrar: Registrar, transactions: Transactions, wheel: Wheel, interval_s: float
    ) -> None:
        self._registrar = registrar
        self._transactions = transactions
        self._wheel = wheel
        self._interval_s = interval_s
        self._queue: deque[str] = deque()  # AORs that this round has still to ask
        self._credit = 0.0
        self._asked: dict[ClientTransaction, Key] = {}
        self._pending: set[Key] = set()
        self._misses: dict[Key, int] = {}
        self._timer: Timer | None = None

    def __len__(self) -> int:
        """How many answers are awaited."""
        return len(self._asked)

    def start(self, now: float) -> None:
        """Begin a first round, spread over a whole interval. Harmless when it has begun."""
        if self._interval_s > 0 and self._timer is None:
            self._timer = self._wheel.arm(now + TICK_S, self, "tick")

    def stop(self) -> None:
        """Ask no more; answers under way are still taken."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_timer(self, name: str, now: float) -> None:
        """Ask the share of one tick."""
        self._timer = self._wheel.arm(now + TICK_S, self, "tick")
        if not self._queue:
            self._begin_round(now)
        share = max(self._registrar.aor_count, len(self._queue)) * TICK_S / self._interval_s
        self._credit += share
        while self._credit >= 1.0 and self._queue:
            self._credit -= 1.0
            for binding in self._registrar.bindings(self._queue.popleft(), now):
                if binding.flow.transport == "UDP" and not binding.path:
                    self._ask(binding, now)
        self._credit = min(self._credit, 1.0)

    def _begin_round(self, now: float) -> None:
        self._queue.extend(self._registrar.aors())
        self._registrar.forget_lost(now)
        known = self._registrar.binding
        self._misses = {k: n for k, n in self._misses.items() if known(k, now) is not None}

    def _ask(self, binding: Binding, now: float) -> None:
        """OPTIONS to the contact; a phone that still owes an answer isn't asked again."""
        key = binding.key
        if key in self._pending:
            return
        self._pending.add(key)
        flow = binding.destination
        uri = str(binding.contact)
        own = f"<sip:{host_port(flow.local)}>"
        fields = [
            ("Via", via_value(flow)),
            ("Max-Forwards", MAX_FORWARDS),
            ("From", f"{own};tag={new_tag()}"),
            ("To", f"<{uri}>"),
            ("Call-ID", new_call_id()),
            ("CSeq", "1 OPTIONS"),
            ("Accept", "application/sdp"),
        ]
        request = make_request("OPTIONS", uri, fields)
        self._asked[self._transactions.request(request, flow, self, now)] = key

    # -- ClientOwner ---------------------------------------------------------------------------

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """Any final answer is a sign of life, but 408 and 503, which others give for it."""
        if response.status < 200:
            return
        if response.status in (408, 503):
            self._missed(tx, now)
            return
        key = self._settle(tx)
        if key is not None and self._misses.pop(key, 0) >= LOST_AFTER:
            self._registrar.mark_reachable(key, True)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """No answer."""
        self._missed(tx, now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """ICMP: nobody is there."""
        self._missed(tx, now)

    def _settle(self, tx: ClientTransaction) -> Key | None:
        """Note the answer, or its absence; None when there was one before."""
        key = self._asked.pop(tx, None)
        if key is not None:
            self._pending.discard(key)
        return key

    def _missed(self, tx: ClientTransaction, now: float) -> None:
        key = self._settle(tx)
        if key is None or self._registrar.binding(key, now) is None:
            return
        misses = self._misses[key] = self._misses.get(key, 0) + 1
        if misses == LOST_AFTER:
            self._registrar.mark_reachable(key, False)
