"""A message from the lines of its head (RFC 3261 §7.2, §7.3): start line, header lines, checks.

`parser` finds where heads and bodies begin and end.
"""

from __future__ import annotations

from itertools import repeat
from typing import Final

from switch.sip.errors import ParseError
from switch.sip.grammar import TOKEN, WHITESPACE, parse_number
from switch.sip.limits import (
    MAX_CALL_ID_CHARS,
    MAX_DATAGRAM_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADER_LINES,
    MAX_LINE_CHARS,
    MAX_METHOD_CHARS,
    MAX_NAME_CHARS,
    MAX_URI_CHARS,
)
from switch.sip.message import Encoding, Request, Response
from switch.sip.names import CANONICAL, METHODS, SINGLE_VALUED, canonical

_MANDATORY: Final = ("Via", "From", "To", "Call-ID", "CSeq")
_MANDATORY_SET: Final = frozenset(_MANDATORY)
_VERSION: Final = "SIP/2.0"
_VERSION_SPACE: Final = "SIP/2.0 "
_STATUS: Final = {str(status): status for status in range(100, 700)}


class _Names(dict[str, str]):
    """Canonical names, with odd case and unknown names resolved on the way.

    KeyError: not simply a name. The message is then read line by line.
    """

    def __missing__(self, raw: str) -> str:
        if len(raw) > MAX_NAME_CHARS or not TOKEN.fullmatch(raw):
            raise KeyError(raw)
        return canonical(raw)


_look_up: Final = _Names(CANONICAL).__getitem__


def decode_head(head: bytes) -> tuple[str, Encoding]:
    """The text of a head: UTF-8 (§7), or what the sender's older software writes instead."""
    try:
        return head.decode(), "utf-8"
    except UnicodeDecodeError:
        return head.decode("latin-1"), "latin-1"


def read_head(head: bytes, rest: bytes, fault: ParseError | None) -> Request | Response:
    """A message of a head with any line ends, less its empty line, and of what follows it."""
    if len(head) > MAX_HEAD_BYTES:
        fault = ParseError("header too large", status=513)
    text, encoding = decode_head(head)
    text = text.replace("\r\n", "\n")
    if "\r" in text:  # one reader's line end, another's text
        fault = fault or ParseError("bare CR in the header")
        text = text.replace("\r", " ")
    lines = text.split("\n")
    if max(map(len, lines)) > MAX_LINE_CHARS:
        fault = fault or ParseError("header line too long", status=513)
    return build_message(lines, encoding, rest, fault)


def build_message(
    lines: list[str], encoding: Encoding, rest: bytes, fault: ParseError | None
) -> Request | Response:
    """The message of these lines; `fault` is what is known to be wrong. Raises ParseError."""
    start = lines[0]
    del lines[0]
    try:
        raw, colons, tails = zip(*map(str.partition, lines, repeat(":")), strict=True)
        names = list(map(_look_up, raw))
        values = list(map(str.strip, tails, repeat(WHITESPACE)))
        is_plain = "" not in colons and len(lines) <= MAX_HEADER_LINES
    except (KeyError, ValueError):  # not simply a name; no lines at all
        is_plain = False
    if not is_plain:
        names, values, bad_line = _read_lines(lines)
        fault = bad_line or fault
    message: Request | Response
    if start.startswith(_VERSION_SPACE):
        message = _response(start, names, values)
    else:
        message, bad_start = _request(start, names, values)
        fault = bad_start or fault
    message.encoding = encoding
    message.body = rest
    try:
        if fault is not None:
            raise fault
        _check(message, rest)
    except ParseError as error:
        if isinstance(message, Request):
            if not message.has("To"):
                message.add("To", f"<{message.uri}>")  # an answer must name one
            if is_answerable(message):
                error.request = message
        raise
    return message


def _read_lines(lines: list[str]) -> tuple[list[str], list[str], ParseError | None]:
    """Names and values line by line, with the last fault: for heads that aren't plain."""
    names: list[str] = []
    values: list[str] = []
    fault = None
    for line in lines[:MAX_HEADER_LINES]:
        fault = _read_line(line, names, values) or fault
    if len(lines) > MAX_HEADER_LINES:
        fault = ParseError("too many header lines", status=513)
    return names, values, fault


def _read_line(line: str, names: list[str], values: list[str]) -> ParseError | None:
    """Append one header line, or a folded one to the value before it. Returns what is wrong."""
    if line[:1] in (" ", "\t"):
        if not values:
            return ParseError("folded start line")
        if len(values[-1]) + len(line) > MAX_LINE_CHARS:
            return ParseError("header line too long", status=513)
        values[-1] = f"{values[-1]} {line.strip(WHITESPACE)}".strip(WHITESPACE)
        return None
    name, colon, value = line.partition(":")
    name = name.rstrip(WHITESPACE)
    if not colon:
        return ParseError("header line without a colon")
    if len(name) > MAX_NAME_CHARS:
        return ParseError("header name too long")
    if not TOKEN.fullmatch(name):
        return ParseError("bad header name")
    names.append(canonical(name))
    values.append(value.strip(WHITESPACE))
    return None


def _response(line: str, names: list[str], values: list[str]) -> Response:
    code, _, reason = line[len(_VERSION_SPACE) :].partition(" ")
    status = _STATUS.get(code)
    if status is None:
        raise ParseError("bad status code")
    return Response(status, reason, names, values)


def _request(line: str, names: list[str], values: list[str]) -> tuple[Request, ParseError | None]:
    """The request of a request line, and what is wrong with the line, if anything."""
    fault = None
    method, _, rest = line.rstrip(WHITESPACE).partition(" ")
    uri, _, version = rest.rpartition(" ")
    if version != _VERSION:
        if not version[:4].upper() == "SIP/":
            raise ParseError("neither a request nor a response")
        if version.upper() != _VERSION:
            fault = ParseError("SIP version not supported", status=505)
    known = METHODS.get(method)
    if known is None:
        known = method
        if len(method) > MAX_METHOD_CHARS or not TOKEN.fullmatch(method):
            raise ParseError("bad method")
    if not uri or " " in uri or "\t" in uri:
        fault = fault or ParseError("spaces in the request line")
    elif len(uri) > MAX_URI_CHARS:
        fault = fault or ParseError("Request-URI too long", status=414)
    return Request(known, uri, names, values), fault


def is_answerable(request: Request) -> bool:
    """Whether a response could be built and would be understood; an ACK has none (§17)."""
    if request.method == "ACK":
        return False
    if not all(request.has(name) for name in _MANDATORY):
        return False
    try:
        return bool(request.via)
    except ParseError:
        return False


def _check(message: Request | Response, rest: bytes) -> None:
    """What must hold before anybody looks at the message. Sets the body. Raises ParseError."""
    names, values, first = message.names, message.values, message.first_values()
    if not first.keys() >= _MANDATORY_SET:
        raise ParseError(f"no {next(name for name in _MANDATORY if name not in first)}")
    if len(first) != len(names):
        _check_repeated(message)
    length = first.get("Content-Length")
    if length is None:
        message.body = rest
    else:
        expected = parse_number(length, MAX_DATAGRAM_BYTES, "Content-Length")
        if expected > len(rest):
            raise ParseError("body shorter than Content-Length")
        message.body = rest if expected == len(rest) else rest[:expected]
        while "Content-Length" in names:
            place = names.index("Content-Length")
            del names[place], values[place]
        del first["Content-Length"]
    check_call_id(first["Call-ID"])
    _ = message.via
    method = message.cseq.method
    if isinstance(message, Request) and method != message.method:
        raise ParseError("CSeq method differs from the request's")


def check_call_id(call_id: str) -> None:
    """Raises ParseError for a Call-ID that can't name a call (§20.8)."""
    if not call_id or " " in call_id or len(call_id) > MAX_CALL_ID_CHARS:
        raise ParseError("bad Call-ID")


def _check_repeated(message: Request | Response) -> None:
    names = message.names
    for name in SINGLE_VALUED:
        if names.count(name) > 1:
            raise ParseError(f"more than one {name}")
    if len(set(message.get_all("Content-Length"))) > 1:
        raise ParseError("conflicting Content-Length")
