"""Bytes to messages (RFC 3261 §7, §18.3): datagrams by parse(), streams by StreamParser.

Tolerant where nothing is at risk: compact and odd-cased names, folded lines, bare LF line ends,
UTF-8 or Latin-1, unknown headers kept in order. Strict where two readers could see two messages:
Content-Length, repeated single-valued headers, bare CR, sizes.

parse() guarantees a readable topmost Via, CSeq and Call-ID and the presence of From and To. The
rest is parsed when asked for; `check_values` asks for all that the switch relies on.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from switch.sip.errors import ParseError
from switch.sip.grammar import split_commas
from switch.sip.head import build_message, decode_head, is_answerable, read_head
from switch.sip.limits import MAX_BODY_BYTES, MAX_DATAGRAM_BYTES, MAX_HEAD_BYTES, MAX_LINE_CHARS
from switch.sip.message import Request, Response
from switch.sip.via import Via

_CR: Final = 13
_LINE_ENDS: Final = b"\r\n"
_MAX_LENGTH_DIGITS: Final = 10
_CONTENT_LENGTH: Final = re.compile(
    rb"^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
_STUN_COOKIE: Final = b"\x21\x12\xa4\x42"
_STUN_HEADER_BYTES: Final = 20


def is_keepalive(data: bytes) -> bool:
    """Whether a datagram is a keep-alive: empty, CRLFs only, or the NULs some phones send."""
    return len(data) <= 8 and not data.strip(b"\r\n\0 ")


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN (RFC 5389 §6): SIP never starts with two zero bits."""
    return len(data) >= _STUN_HEADER_BYTES and data[0] < 0x40 and data[4:8] == _STUN_COOKIE


def parse(datagram: bytes) -> Request | Response:
    """Read one message from one datagram; bytes after Content-Length are ignored (§18.3).

    Raises ParseError, with `request` when it can be answered.
    """
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise ParseError("message too large", status=513)
    if datagram[:1] in (b"\r", b"\n"):  # §7.5: line ends before the start line are ignored
        datagram = datagram.lstrip(b"\r\n")
    end = datagram.find(b"\r\n\r\n")
    if 0 <= end <= MAX_LINE_CHARS:  # so that no line can be longer
        head, encoding = decode_head(datagram[:end])
        lines = head.split("\r\n")
        if len(lines) - 1 == head.count("\n") == head.count("\r"):
            return build_message(lines, encoding, datagram[end + 4 :], None)
    end, start = find_empty_line(datagram, 0)
    if end < 0:
        fault = ParseError("no empty line after the header")
        return read_head(datagram.rstrip(b"\r\n"), b"", fault)
    return read_head(datagram[:end], datagram[start:], None)


def find_empty_line(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """(end of the head, start of the body) of the first empty line after `start`, or (-1, -1).

    Line ends may be CRLF or LF in any mixture; the first empty line ends the head in every case.
    """
    lf = data.find(b"\n\n", start)
    crlf = data.find(b"\n\r\n", start, lf + 1 if lf >= 0 else len(data))
    end, body = (crlf, crlf + 3) if crlf >= 0 else (lf, lf + 2)
    if end < 0:
        return -1, -1
    return (end - 1 if end and data[end - 1] == _CR else end), body


def check_values(message: Request | Response) -> None:
    """Read every value that the switch relies on. Raises ParseError, with `request` if answerable.

    For the core, once for each request it is going to process: whatever it asks for afterwards is
    parsed already, and no ParseError comes up half-way through a call.
    """
    try:
        _read_values(message)
    except ParseError as error:
        if isinstance(message, Request) and is_answerable(message):
            error.request = message
        raise


def _read_values(message: Request | Response) -> None:
    vias = message.get_all("Via")
    if len(vias) > 1 or "," in vias[0]:  # the topmost is parsed already
        for line in vias:
            for value in split_commas(line):
                Via.parse(value)
    if isinstance(message, Request) and message.request_uri.headers:
        raise ParseError("headers in the Request-URI")  # §19.1.5: never copied into one
    _ = message.from_, message.to, message.max_forwards, message.expires
    _ = message.contacts, message.route, message.record_route


class KeepAlive(Enum):
    """CRLF keep-alives of a stream (RFC 5626 §4.4.1)."""

    PING = b"\r\n\r\n"
    PONG = b"\r\n"


StreamItem = Request | Response | KeepAlive | ParseError


class StreamParser:
    """Messages of one TCP or TLS connection (§18.3): Content-Length is mandatory there.

    A ParseError among the items is a message that was well framed but can't be used: answer or drop
    it, and go on. A ParseError raised means that the end of the message is unknown: close.
    """

    __slots__ = ("_buffer", "_frame", "_half_ping", "_seen")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0  # bytes in which no empty line begins: not searched again
        self._frame: tuple[int, int, int] | None = None  # head end, body start, body end
        self._half_ping = False  # one CRLF was reported as a pong; a second makes it a ping

    def feed(self, data: bytes) -> list[StreamItem]:
        """Add what was received and return what is complete. Raises ParseError to close."""
        self._buffer += data
        items: list[StreamItem] = []
        try:
            while (item := self._next()) is not None:
                items.append(item)
        except ParseError as error:
            error.preceding, error.ends_stream = list(items), True
            raise
        return items

    def _next(self) -> StreamItem | None:
        buffer = self._buffer
        if buffer and buffer[0] in _LINE_ENDS and not self._seen:
            return self._line_end()
        if not buffer:
            return None
        if self._frame is not None:
            end, start, stop = self._frame
            return self._message(end, start) if len(buffer) >= stop else None
        end, start = find_empty_line(buffer, self._seen)
        if end < 0:
            if len(buffer) > MAX_HEAD_BYTES:
                raise ParseError("header too large", status=513)
            self._seen = max(0, len(buffer) - 2)  # an empty line takes three bytes
            return None
        if end > MAX_HEAD_BYTES:
            raise ParseError("header too large", status=513)
        return self._message(end, start)

    def _line_end(self) -> StreamItem | None:
        """Line ends between messages: a ping, a pong, or LFs to be ignored (§7.5)."""
        buffer = self._buffer
        while buffer[:1] == b"\n":
            del buffer[:1]
        if buffer[:4] == b"\r\n\r\n" or (self._half_ping and buffer[:2] == b"\r\n"):
            del buffer[: 2 if self._half_ping else 4]
            self._half_ping = False
            return KeepAlive.PING
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            self._half_ping = True
            return KeepAlive.PONG
        if buffer[:1] == b"\r" and len(buffer) > 1:
            raise ParseError("bare CR between messages")
        return self._next() if buffer and buffer[:1] != b"\r" else None

    def _message(self, end: int, start: int) -> StreamItem | None:
        """The message whose head ends at `end`, once its body is there."""
        buffer = self._buffer
        head = bytes(buffer[:end])
        length = _stream_length(head)
        stop = start + length
        if len(buffer) < stop:
            self._frame = (end, start, stop)
            return None
        body = bytes(buffer[start:stop])
        del buffer[:stop]
        self._frame = None
        self._seen = 0
        self._half_ping = False
        try:
            return read_head(head, body, None)
        except ParseError as error:
            return error


def _stream_length(head: bytes) -> int:
    """The one Content-Length of a head. Raises ParseError: without it the stream is lost."""
    lengths = set(_CONTENT_LENGTH.findall(head))
    if len(lengths) == 1:
        digits = lengths.pop()
        if digits.isdigit() and len(digits) <= _MAX_LENGTH_DIGITS:
            length = int(digits)
            if length <= MAX_BODY_BYTES:
                return length
            read_head(head, b"", ParseError("body too large", status=513))
    reason = "conflicting Content-Length" if len(lengths) > 1 else "no usable Content-Length"
    read_head(head, b"", ParseError(reason))
    raise ParseError(reason)  # not reached: read_head raises the fault it is given
