"""The loop: the only place that waits, and the only one that performs what the machines ask.

One wake-up = some datagrams or stream messages, or timers that are due; then everything that they led
to, in this order: journal (one write), datagrams, and what observers want to know. So nothing leaves
the switch that a restart would not know of.

Deliberately absent: any decision.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from switch.clock import Wheel, boottime
from switch.core import Core
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.outbox import Event, Outbox

MAX_ROUNDS = 100  # a send error leads to new sends at most this often in one wake-up


class Sender(Protocol):
    """A transport."""

    def send(self, flow: Flow, data: bytes) -> None:
        """Send now, or queue on a stream; failures come back as on_transport_error."""


class Journal(Protocol):
    """Where records go before the datagrams."""

    def write(self, records: list[bytes]) -> bool:
        """Append; never raises for the disk."""


class Driver:
    """Performs the outbox of one core. It is the sink of all transports."""

    def __init__(
        self,
        core: Core,
        wheel: Wheel,
        outbox: Outbox,
        journal: Journal,
        observe: Callable[[Sequence[Event]], None],
        store: Callable[[list[bytes]], None],
    ) -> None:
        self._core = core
        self._wheel = wheel
        self._outbox = outbox
        self._journal = journal
        self._observe = observe
        self._store = store
        self._senders: dict[str, Sender] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._is_performing = False
        self._is_stopped = False

    def start(self, loop: asyncio.AbstractEventLoop, senders: dict[str, Sender]) -> None:
        """Begin to keep time. `senders` by transport: "UDP", "TCP", "TLS"."""
        self._loop = loop
        self._senders = senders
        self.perform()

    def stop(self) -> None:
        """Keep no more time, and let nothing more happen to calls: the journal has them."""
        self._is_stopped = True
        if self._alarm is not None:
            self._alarm.cancel()
        self._loop = None

    # -- sink of the transports ----------------------------------------------------------------

    def on_datagram(self, data: bytes, flow: Flow, at: float) -> None:
        """A datagram, received at boottime `at`."""
        try:
            self._core.on_datagram(data, flow, at, boottime())
        except Exception:
            self._failed()

    def turn_of(self, data: bytes, flow: Flow) -> int:
        """When a datagram is handled, because more come than can be."""
        try:
            return self._core.shedding.turn_of(data, flow)
        except Exception:
            self._failed()
            return 0

    def on_stream_message(self, message: Request | Response, flow: Flow, at: float) -> None:
        """A message of a TCP or TLS connection."""
        try:
            self._core.on_message(message, flow, at)
        except Exception:
            self._failed()

    def on_stream_error(self, error: ParseError, flow: Flow, at: float) -> None:
        """A connection carries something that can't be read; it is about to be closed."""
        try:
            self._core.on_unreadable(error, flow, at)
        except Exception:
            self._failed()

    def on_batch_end(self) -> None:
        """The messages of one wake-up are through."""
        self.perform()

    def on_flow_closed(self, flow: Flow) -> None:
        """A connection ended or could not be opened."""
        if self._is_stopped:
            return  # we closed it: its calls go on after the next start
        try:
            self._core.on_flow_closed(flow, boottime())
        except Exception:
            self._failed()
        self.perform()

    def on_transport_error(self, flow: Flow) -> None:
        """What was sent to `flow` can't arrive."""
        if self._is_stopped:
            return
        try:
            self._core.on_transport_error(flow, boottime())
        except Exception:
            self._failed()
        self.perform()

    # -- performing ----------------------------------------------------------------------------

    def perform(self) -> None:
        """Empty the outbox, then sleep until the next timer."""
        if self._is_performing or self._loop is None:
            # An error while sending: the round that is under way takes what it led to. Before the
            # start nothing can leave yet, and after the end the journal takes no more.
            return
        self._is_performing = True
        outbox = self._outbox
        try:
            for _ in range(MAX_ROUNDS):
                if not (outbox.journal or outbox.datagrams or outbox.events):
                    break
                self._perform_round()
        finally:
            self._is_performing = False
        self._set_alarm()

    def _perform_round(self) -> None:
        outbox = self._outbox
        if outbox.journal:
            records = outbox.journal
            outbox.journal = []
            self._journal.write(records)
            self._store(records)
        if outbox.datagrams:
            datagrams = outbox.datagrams
            outbox.datagrams = []
            senders = self._senders
            for flow, data in datagrams:
                senders[flow.transport].send(flow, data)
        if outbox.events:
            events = outbox.events
            outbox.events = []
            try:
                self._observe(events)
            except Exception:  # whoever looks on must not end what goes on
                self._failed()

    def _set_alarm(self) -> None:
        next_at = self._wheel.next_at()
        if self._loop is None or next_at is None:
            return
        if self._alarm is not None:
            if self._alarm_at <= next_at:
                return
            self._alarm.cancel()
        self._alarm_at = next_at
        delay = max(0.0, next_at - boottime())
        self._alarm = self._loop.call_later(delay, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        now = boottime()
        self._core.exchange.received_at = now
        for timer in self._wheel.due(now):
            target, timer.target = timer.target, None
            if target is not None:
                try:
                    target.on_timer(timer.name, now)
                except Exception:
                    self._failed()
        self.perform()

    def _failed(self) -> None:
        """Say what went wrong, and go on."""
        self._outbox.note("switch.error", exc_info=sys.exc_info())
