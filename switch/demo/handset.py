"""Drives a `switch.demo.phone` process from Python, for the tour and the wire tests.

Blocking, with a time limit on every wait: meant for a script that tells a story in
order. Deliberately absent: asyncio; the switch never uses this.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Self

import orjson

from switch.media.lifeline import child_environment

Event = dict[str, Any]


class HandsetError(Exception):
    """The phone did not do what was awaited; the message lists what it said instead."""


class Handset:
    """One phone process. Leave it as a context manager, or `close` it."""

    def __init__(self, *arguments: str, ready_limit_s: float = 15.0) -> None:
        command = [
            sys.executable,
            "-m",
            "switch.demo.phone",
            "--parent",
            str(os.getpid()),
            *arguments,
        ]
        self._process = subprocess.Popen(  # noqa: S603 -- our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            process_group=0,  # a terminal's Ctrl-C is for who drives the phone
            bufsize=0,
        )
        self._rest = b""
        self.events: list[Event] = []
        """Every event so far, in order; `wait` looks from `seen` on."""
        self.seen = 0
        try:
            self.ready = self.wait("ready", limit_s=ready_limit_s)
        except HandsetError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the phone."""
        return self._process.pid

    def do(self, verb: str, **fields: object) -> None:
        """Send one command (see `switch.demo.phone`)."""
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": verb, **fields}) + b"\n")

    def wait(
        self,
        event: str,
        limit_s: float = 5.0,
        test: Callable[[Event], bool] | None = None,
        **expected: object,
    ) -> Event:
        """The next event of this name whose fields are as `expected`; those before it
        are passed over. Raises HandsetError after `limit_s`, or when the phone errs."""
        until = time.monotonic() + limit_s
        while True:
            while self.seen < len(self.events):
                found = self.events[self.seen]
                self.seen += 1
                if (
                    found["event"] == event
                    and expected.items() <= found.items()
                    and (not test or test(found))
                ):
                    return found
                if found["event"] in ("error", "unavailable"):
                    raise HandsetError(f"{found}")
            if not self._read(until - time.monotonic()):
                raise HandsetError(
                    f"no {event} {expected} in {limit_s} s; heard {self.events[-8:]}"
                )

    def register(
        self, user: str, password: str, registrar: str, transport: str = "udp", **fields: object
    ) -> Event:
        """Register and wait for the 200."""
        self.do(
            "register",
            user=user,
            password=password,
            registrar=registrar,
            transport=transport,
            **fields,
        )
        return self.wait("registered", limit_s=10.0)

    def call(self, uri: str, **fields: object) -> int:
        """Place a call; the phone's number for it."""
        self.do("call", uri=uri, **fields)
        return int(self.wait("calling")["call"])

    def close(self) -> None:
        """Hang up, quit; after 3 s the process is killed."""
        if self._process.poll() is None and self._process.stdin is not None:
            try:
                self.do("quit")
                self._process.wait(3)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, limit_s: float) -> bool:
        assert self._process.stdout is not None
        out = self._process.stdout.fileno()
        if limit_s <= 0 or not select.select([out], [], [], limit_s)[0]:
            return False
        chunk = os.read(out, 65536)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self.events.extend(orjson.loads(line) for line in lines)
        return bool(chunk)
