"""The pool of media workers: who can play an announcement now, and is everybody alive.

Supervision runs in the switch's own loop: a reader on each worker's socket and one timer
for the whole pool. `acquire` is synchronous and looks at memory only. A worker that ends,
or is not heard for `SILENCE_LIMIT_S`, is killed, reported and replaced.
Some workers are reserved for urgent announcements (the emergency warning), so that no
number of other announcements, and no fault that they meet, can take their place.
Deliberately absent: SIP; the core sends its INVITE to the address that it gets here.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from switch.media.catalogue import Announcement, Catalogue, announcements
from switch.media.process import WorkerProcess
from switch.media.sounds import find_stale
from switch.media.speech import SpeechProcess

CALLS_PER_WORKER = 4
"""A compile-time limit of the pjsua2 wheel."""

TICK_S = 0.1
SILENCE_LIMIT_S = 1.5
"""Six heartbeats. Shorter would cut calls when the machine is merely busy; longer keeps a caller
who is abroad waiting for a warning that a hung worker will never speak."""
START_LIMIT_S = 15.0
LEASE_GRACE_S = 15.0
"""A lease whose INVITE has not reached the worker by then was forgotten by the core."""
BACKOFF_S = (0.0, 0.2, 1.0, 5.0)
"""Wait before the nth replacement in a row of a worker that did not last."""
LASTING_S = 10.0

Note = Callable[[str, Mapping[str, object]], None]


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What the pool is to run. `media_address` is where phones can send RTP to; SIP
    between the switch and its workers stays on `address`. `sounds` is the operator's
    directory, or None; `cache` holds the generated sounds."""

    cache: Path
    sounds: Path | None = None
    workers: int = 2
    reserved: int = 1
    address: str = "127.0.0.1"
    media_address: str = ""
    rtp_port: int = 0
    rtp_ports_per_worker: int = 40

    @property
    def directories(self) -> tuple[Path, ...]:
        """Where WAVs are looked for, the operator's first."""
        return (self.cache,) if self.sounds is None else (self.sounds, self.cache)


@dataclass(slots=True)
class Seat:
    """One worker's place in the pool, whoever sits there at the moment."""

    index: int
    is_reserved: bool
    process: WorkerProcess | None = None
    port: int = 0
    leases: list[float] = field(default_factory=list)
    calls: int = 0
    started_at: float = 0.0
    heard_at: float = 0.0
    falls: int = 0
    start_at: float = 0.0

    @property
    def free(self) -> int:
        """Calls that this worker could still take; 0 unless it is ready."""
        return CALLS_PER_WORKER - max(len(self.leases), self.calls) if self.port else 0


class Pool:
    """Workers under supervision.

    `on_lost(address, port)` is called when a worker with that SIP address is gone, after
    its place was given up: every leg towards it is dead. `note(event, fields)` receives
    structured facts for the log. Neither may raise.
    """

    def __init__(
        self,
        options: PoolOptions,
        on_lost: Callable[[str, int], None] = lambda address, port: None,
        note: Note = lambda event, fields: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self.catalogue = Catalogue(options.directories)
        self._on_lost = on_lost
        self._note = note
        self._clock = clock
        self._seats = [Seat(n, n < options.reserved) for n in range(options.workers)]
        self._fallen: list[WorkerProcess] = []
        self._speech = SpeechProcess(options.cache, note)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.unavailable = _why_unavailable(options)
        """Why nothing is played, or "" while workers are run."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the workers and the generation of sounds that are missing. Call it on
        the main thread: the workers die with the thread that started them."""
        self._loop = loop
        if self.unavailable:
            self._note("media.unavailable", {"reason": self.unavailable})
            return
        for fault in self.catalogue.faults():
            self._note("media.bad_sound", {"reason": fault})
        own = Catalogue([self.options.sounds] if self.options.sounds else [])
        self._speech.want(a for a in announcements().values() if own.find(a.name) is None)
        self.tick()

    def speak(self, wanted: Iterable[Announcement]) -> None:
        """Have `wanted` (such as 933 read-backs) generated in the background.

        An old sound of the same name is gone at once: no address is better than a wrong one.
        """
        if not self.unavailable:
            stale = find_stale(self.options.cache, wanted)
            for each in stale:
                (self.options.cache / f"{each.name}.wav").unlink(missing_ok=True)
            self._speech.want(stale)

    def acquire(self, announcement: str, urgent: bool = False) -> tuple[str, int] | None:
        """Address and port of a worker that will play `announcement` (names joined by
        "+"), or None when none can. Each success is paired with one `release`.

        Only `urgent` announcements are given the reserved workers; those come first for
        them, so that the others stay free for the rest.
        """
        if self.unavailable or not self.can_play(announcement):
            return None
        open_to = [
            seat for seat in self._seats if seat.free > 0 and (urgent or not seat.is_reserved)
        ]
        if not open_to:
            return None
        seat = max(open_to, key=lambda each: (each.is_reserved, each.free))
        seat.leases.append(self._clock())
        return self.options.address, seat.port

    def release(self, port: int) -> None:
        """The leg to the worker at `port` has ended; unknown ports are of dead workers."""
        for seat in self._seats:
            if seat.port == port and seat.leases:
                seat.leases.pop(0)

    def can_play(self, announcement: str) -> bool:
        """Whether every part of `announcement` has a sound; an echo needs none."""
        names = announcement.split("+")
        return names == ["echo"] or all(self.catalogue.find(name) is not None for name in names)

    def count_free(self, reserved: bool) -> int:
        """Announcements that could start now, on reserved or on ordinary workers."""
        return sum(max(0, seat.free) for seat in self._seats if seat.is_reserved is reserved)

    def pids(self) -> Sequence[int]:
        """Process ids of the live workers, by place."""
        return [seat.process.pid for seat in self._seats if seat.process is not None]

    def stop(self, limit_s: float = 1.0) -> None:
        """End all workers; waits up to `limit_s`. For the end of the switch."""
        if self._timer is not None:
            self._timer.cancel()
        self._speech.kill()
        leaving = list(self._fallen)
        for seat in self._seats:
            if seat.process is not None:
                self._unwatch(seat.process)
                seat.process.dismiss()
                leaving.append(seat.process)
                seat.process, seat.port = None, 0
        until = self._clock() + limit_s
        for process in leaving:
            process.join(max(0.05, until - self._clock()))

    def tick(self) -> None:
        """Start who is due, kill who is silent, reap who is gone; arms itself again."""
        now = self._clock()
        for seat in self._seats:
            if seat.process is None:
                if not self.unavailable and now >= seat.start_at:
                    self._seat(seat, now)
            elif now - seat.heard_at > (SILENCE_LIMIT_S if seat.port else START_LIMIT_S):
                self._lose(seat, "silent")
            else:
                self._reconcile(seat, now)
        self._fallen = [process for process in self._fallen if not process.is_gone()]
        self._speech.tick()
        if self._loop is not None:
            self._timer = self._loop.call_later(TICK_S, self.tick)

    def _seat(self, seat: Seat, now: float) -> None:
        options = self.options
        rtp = options.rtp_port and options.rtp_port + seat.index * options.rtp_ports_per_worker
        arguments = ["--address", options.address, "--media-address", options.media_address]
        arguments += ["--rtp-port", str(rtp)]
        arguments += ["--rtp-ports", str(options.rtp_ports_per_worker if rtp else 0)]
        for directory in options.directories:
            arguments += ["--sounds", str(directory)]
        seat.started_at = seat.heard_at = now
        try:
            process = WorkerProcess(arguments)
        except OSError as error:
            self._retreat(seat, now)
            self._note("media.start_failed", {"reason": str(error)})
            return
        seat.process = process
        if self._loop is not None:
            self._loop.add_reader(process.fileno(), self._read, seat, process)

    def _read(self, seat: Seat, process: WorkerProcess) -> None:
        if seat.process is not process:
            return
        lines = process.read()
        for line in lines or ():
            self._hear(seat, line)
        if lines is None and seat.process is process:
            self._lose(seat, "ended")

    def _hear(self, seat: Seat, line: Mapping[str, object]) -> None:
        seat.heard_at = self._clock()
        match line:
            case {"event": "ready", "port": int(port)}:
                seat.port = port
                self._note("media.worker_ready", {"worker": seat.index, "port": port})
            case {"event": "heartbeat", "calls": int(calls)}:
                seat.calls = calls
            case {"event": "unavailable", "reason": str(reason)}:
                self.unavailable = reason
                self._note("media.unavailable", {"reason": reason})
            case {"event": "failed", "reason": str(reason)}:
                self._note("media.worker_failed", {"worker": seat.index, "reason": reason})

    def _lose(self, seat: Seat, why: str) -> None:
        process, port, now = seat.process, seat.port, self._clock()
        assert process is not None
        self._unwatch(process)
        process.kill()
        self._fallen.append(process)
        seat.process, seat.port, seat.calls = None, 0, 0
        seat.leases.clear()
        self._retreat(seat, now)
        self._note("media.worker_lost", {"worker": seat.index, "port": port, "why": why})
        if port:
            self._on_lost(self.options.address, port)
        if now >= seat.start_at and self._loop is not None and not self.unavailable:
            self._seat(seat, now)

    def _retreat(self, seat: Seat, now: float) -> None:
        if now - seat.started_at >= LASTING_S:
            seat.falls = 0
        seat.start_at = now + BACKOFF_S[min(seat.falls, len(BACKOFF_S) - 1)]
        seat.falls += 1

    def _reconcile(self, seat: Seat, now: float) -> None:
        if len(seat.leases) > seat.calls and now - seat.leases[-1] > LEASE_GRACE_S:
            lost = len(seat.leases) - seat.calls
            del seat.leases[:lost]
            self._note("media.leases_forgotten", {"worker": seat.index, "count": lost})

    def _unwatch(self, process: WorkerProcess) -> None:
        if self._loop is not None:
            self._loop.remove_reader(process.fileno())


def _why_unavailable(options: PoolOptions) -> str:
    if not options.workers:
        return "no media workers are configured"
    if importlib.util.find_spec("pjsua2") is None:
        return "pjsua2 is not installed for this Python"
    return ""
