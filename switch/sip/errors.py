"""Whose fault it is: ours (LocalProtocolError) or the peer's (RemoteProtocolError, ParseError)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switch.sip.message import Request


class LocalProtocolError(Exception):
    """Our own code asked for something the protocol forbids: a bug of the switch."""


class RemoteProtocolError(Exception):
    """The peer broke the protocol. `status` is the response it deserves, `reason` says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class ParseError(RemoteProtocolError):
    """Something received can't be read.

    `request` is there when it can be answered with `status` (400, or a more exact one): the request
    line was readable as such and Via, From, To, Call-ID and CSeq are present. Otherwise the message
    is dropped and counted. On a stream, `preceding` holds what was read before the stream broke, and
    `ends_stream` says that nothing can be read from it after this.
    """

    def __init__(self, reason: str, request: Request | None = None, status: int = 400) -> None:
        super().__init__(status, reason)
        self.request = request
        self.preceding: list[object] = []
        self.ends_stream = False
