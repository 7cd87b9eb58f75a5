"""The hands on a played adapter: JSON lines on stdin, with `run --control`.

    {"do": "call", "line": "109", "uri": "sip:18@vigie.example"}     {"do": "hang_up"}
    {"do": "move", "gateway_mac": "02:00:00:00:00:07", "dhcp_domain": "elsewhere.example"}
    {"do": "open"}

For tests and trials; nothing of it is reachable from a network. A line that is none of these is told in the
log and passed over.
"""

import asyncio
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from firmware_agent.messages.codec import MessageError, Text, parse


class Do(StrEnum):
    """What hands do."""

    CALL = "call"
    HANG_UP = "hang_up"
    MOVE = "move"
    OPEN = "open"
    """The case: its contact tells."""


@dataclass(frozen=True, slots=True)
class Hand:
    """One line."""

    do: Do
    line: Text = ""
    uri: Text = ""
    gateway_mac: Text = ""
    dhcp_domain: Text = ""


class Device(Protocol):
    """What hands are laid on."""

    def obey(self, hand: Hand) -> None:
        """Do it."""

    def misunderstood(self, error: MessageError) -> None:
        """A line that is none of ours."""


def listen(device: Device) -> None:
    """Read stdin on the running loop, until its end."""
    loop, rest = asyncio.get_running_loop(), bytearray()

    def read() -> None:
        chunk = os.read(0, 65536)
        if not chunk:
            loop.remove_reader(0)
        rest.extend(chunk)
        *lines, left = rest.split(b"\n")
        rest[:] = left
        for line in lines:
            try:
                device.obey(parse(Hand, line))
            except MessageError as error:
                device.misunderstood(error)

    loop.add_reader(0, read)
