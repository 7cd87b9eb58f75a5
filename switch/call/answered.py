"""A 2xx to an INVITE, repeated until its ACK (RFC 3261 §13.3.1.4): the UAS core's own timer."""

from typing import Protocol

from switch.call.exchange import Exchange
from switch.clock import Timer
from switch.sip.flow import Flow
from switch.transaction.server import ServerTransaction


class Answerer(Protocol):
    """The leg whose 2xx it is."""

    def on_never_acknowledged(self, now: float) -> None:
        """No ACK came for 64*T1."""


class Repeated2xx:
    """One 2xx. `had_offer`: its ACK carries the answer."""

    __slots__ = (
        "cseq",
        "data",
        "exchange",
        "flow",
        "gives_up_at",
        "had_offer",
        "interval",
        "leg",
        "timer",
        "tx",
    )

    def __init__(
        self, leg: Answerer, exchange: Exchange, cseq: int, data: bytes, flow: Flow, now: float
    ) -> None:
        self.leg: Answerer | None = leg
        self.exchange = exchange
        self.cseq = cseq
        self.data = data
        self.flow = flow
        self.had_offer = False
        self.interval = exchange.timings.t1
        self.gives_up_at = now + 64 * exchange.timings.t1
        self.tx: ServerTransaction | None = None  # none after a restart
        self.timer: Timer | None = exchange.wheel.arm(now + self.interval, self, "2xx")

    def stop(self) -> None:
        """The ACK came, or the leg is over."""
        if self.timer is not None:
            self.timer.cancel()
        if self.tx is not None:
            self.tx.acknowledged()
        self.timer = self.leg = self.tx = None

    def on_timer(self, name: str, now: float) -> None:
        """Send it again, after T1, 2*T1 and so on up to T2, also on streams (§13.3.1.4)."""
        leg = self.leg
        if leg is None:
            return
        if now >= self.gives_up_at:
            self.stop()
            leg.on_never_acknowledged(now)
            return
        if self.tx is not None:
            self.tx.retransmit()  # where the INVITE came from
        else:
            self.exchange.outbox.send(self.flow, self.data)
        self.interval = min(2 * self.interval, self.exchange.timings.t2)
        at = min(now + self.interval, self.gives_up_at)
        self.timer = self.exchange.wheel.arm(at, self, "2xx")
