"""One announcement call as a machine: what was ordered, and when and how it ends.

The order comes in the INVITE that the core sends to a worker: the Request-URI's user
names the sounds (joined by "+"), private headers say the rest. Time is an argument.
Deliberately absent: pjsua2, and the final response's Reason and Warning, which the
switch adds itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

KEY_WINDOW_S = 5.0
"""A key still counts this long after the end: people press once the voice has stopped."""

MEDIA_WAIT_S = 5.0
"""Media that is not up by then never will be (no common codec, no ACK)."""

ECHO_LIMIT_S = 600.0
"""An echo test left off the hook would hold a slot for ever."""

SILENT_PEER_S = 30.0
"""pjsua2 has no RTP time-out of its own: an echo test whose caller sends nothing ends."""

KEY_STATUS = 380
"""380 Alternative Service: the caller chose another treatment (RFC 3261 §21.3.5)."""


class Mode(Enum):
    """How the call is taken: 183 with early media, or 200."""

    EARLY = "early"
    ANSWER = "answer"


class State(Enum):
    """Where a playback stands."""

    WAITING = "waiting"
    PLAYING = "playing"
    LINGERING = "lingering"
    ECHOING = "echoing"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Order:
    """What one INVITE asks for. `final` is the status that ends early media."""

    names: tuple[str, ...]
    mode: Mode = Mode.ANSWER
    final: int = 480
    keys: frozenset[str] = frozenset()

    @property
    def is_echo(self) -> bool:
        """Whether the caller's sound is sent back once the names were spoken."""
        return self.names[-1] == "echo"

    @classmethod
    def parse(cls, message: str) -> Order:
        """Read an INVITE as it came off the wire; ValueError names what is wrong."""
        line = message.split("\n", 1)[0]
        match = re.match(r"INVITE sips?:([^@;?>\s]+)@", line)
        if match is None:
            raise ValueError("the Request-URI names no announcement")
        mode = Mode(read_header(message, "X-Vigie-Answer") or "answer")
        final = read_header(message, "X-Vigie-Final") or "480"
        if not (final.isascii() and final.isdigit() and 300 <= int(final) <= 699):
            raise ValueError(f"X-Vigie-Final: {final!r} is no final refusal")
        keys = frozenset(read_header(message, "X-Vigie-Keys") or "") - frozenset(", ")
        return cls(tuple(match[1].split("+")), mode, int(final), keys)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the call is to end: `status` refuses an early call, BYE ends an answered one."""

    status: int
    key: str = ""


def read_header(message: str, name: str) -> str | None:
    """The first value of header `name` in a SIP message's text, or None."""
    head = re.split(r"\r?\n\r?\n", message, maxsplit=1)[0]
    match = re.search(
        rf"^{re.escape(name)}[ \t]*:[ \t]*(.*?)[ \t\r]*$", head, re.IGNORECASE | re.MULTILINE
    )
    return match[1] if match else None


class Playback:
    """The course of one order whose sounds last `total_s` seconds in all."""

    __slots__ = ("_ends_at", "order", "state", "total_s")

    def __init__(self, order: Order, total_s: float, now: float) -> None:
        self.order = order
        self.total_s = total_s
        self.state = State.WAITING
        self._ends_at = now + MEDIA_WAIT_S

    def start(self, now: float) -> bool:
        """Media is up. True the first time: the caller starts the sound then."""
        if self.state is not State.WAITING:
            return False
        self.state = State.PLAYING
        self._ends_at = now + self.total_s
        return True

    def press(self, key: str) -> Ending | None:
        """A key was pressed; an ending when it is one of the order's."""
        if self.state is State.FINISHED or key not in self.order.keys:
            return None
        self.state = State.FINISHED
        return Ending(KEY_STATUS, key)

    def poll(self, now: float) -> Ending | None:
        """The ending when time has run out, else None; steps the state on the way."""
        if self.state is State.FINISHED or now < self._ends_at:
            return None
        if self.state is State.PLAYING and self.order.is_echo:
            return self._linger(State.ECHOING, self._ends_at + ECHO_LIMIT_S, now)
        if self.state is State.PLAYING and self.order.keys:
            return self._linger(State.LINGERING, self._ends_at + KEY_WINDOW_S, now)
        self.state = State.FINISHED
        return Ending(self.order.final)

    def _linger(self, state: State, until: float, now: float) -> Ending | None:
        self.state = state
        self._ends_at = until
        return self.poll(now)
