"""Requests and responses (RFC 3261 §7) as two parallel lists of header names and raw values.

Values are parsed when first asked for and kept. Content-Length is never in the lists: the parser
checks and drops it, and `to_bytes` writes it from the body, so that the two can't disagree.
Deliberately absent: a class per header. A header without a property here is text for its own room.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from switch.sip.cseq import CSeq
from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.grammar import WHITESPACE, find_param, parse_number, parse_params, split_commas
from switch.sip.limits import MAX_DELTA_SECONDS, MAX_MAX_FORWARDS
from switch.sip.nameaddr import NameAddr
from switch.sip.status import reason_phrase
from switch.sip.uri import Uri
from switch.sip.via import Via

Encoding = Literal["utf-8", "latin-1"]

_VERSION: Final = "SIP/2.0"
_LINE: Final = ": ".join
_UNREAD: Final = "\0"  # no tag: not asked for yet


class Message:
    """What requests and responses share.

    Header names given to the methods are in canonical spelling ("Call-ID"; see `names.canonical`).
    Change `names` and `values` only through the methods, which forget what was parsed. Properties
    raise ParseError when the value can't be read, and KeyError never: a missing mandatory header is
    a ParseError too.
    """

    __slots__ = (
        "_cseq",
        "_first",
        "_from",
        "_lists",
        "_to",
        "_to_tag",
        "_via",
        "body",
        "encoding",
        "names",
        "values",
    )

    def __init__(
        self,
        names: list[str],
        values: list[str],
        body: bytes = b"",
        encoding: Encoding = "utf-8",
    ) -> None:
        self.names = names
        self.values = values
        self.body = body
        self.encoding = encoding  # as read, so that what is echoed is echoed byte for byte
        self._first: dict[str, str] | None = None
        self._via: Via | None = None
        self._cseq: CSeq | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._to_tag: str | None = _UNREAD
        self._lists: dict[str, list[NameAddr]] | None = None

    # The lists

    def first_values(self) -> dict[str, str]:
        """The first raw value by name: made once, since a message is asked for twenty of them."""
        first = self._first
        if first is None:
            # From the last to the first, so that of several lines the first one stays.
            first = self._first = dict(zip(self.names[::-1], self.values[::-1], strict=True))
        return first

    def get(self, name: str) -> str | None:
        """The first raw value of `name`, or None."""
        return (self._first or self.first_values()).get(name)

    def get_all(self, name: str) -> list[str]:
        """The raw value of every line of `name`, in order."""
        count = self.names.count(name)
        if count < 2:
            return [self.first_values()[name]] if count else []
        return [value for key, value in zip(self.names, self.values, strict=True) if key == name]

    def split(self, name: str) -> list[str]:
        """The comma-separated values of all lines of `name`, less empty ones. Raises ParseError."""
        found: list[str] = []
        for value in self.get_all(name):
            found += [piece for piece in split_commas(value) if piece]
        return found

    def has(self, name: str) -> bool:
        """Whether there is a line of `name`."""
        return name in self.names

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        self._forget(name)
        self.names.append(name)
        self.values.append(value)

    def insert_first(self, name: str, value: str) -> None:
        """Put a line before all others (a Via, a Record-Route)."""
        self._forget(name)
        self.names.insert(0, name)
        self.values.insert(0, value)

    def set(self, name: str, value: str) -> None:
        """Replace all lines of `name` by one, in the place of the first."""
        if name not in self.names:
            self.add(name, value)
            return
        place = self.names.index(name)
        self.remove(name)
        self.names.insert(place, name)
        self.values.insert(place, value)

    def remove(self, name: str) -> None:
        """Drop all lines of `name`, if any."""
        self._forget(name)
        if name not in self.names:
            return
        kept = [(n, v) for n, v in zip(self.names, self.values, strict=True) if n != name]
        self.names[:] = [n for n, _ in kept]
        self.values[:] = [v for _, v in kept]

    def replace_via(self, place: int, line: str, top: Via) -> None:
        """Set the Via line at index `place`, whose first value is `top`; the rest stays parsed."""
        self.values[place] = line
        self.first_values()["Via"] = line
        self._via = top

    def _forget(self, name: str) -> None:
        if name == "Content-Length":
            raise LocalProtocolError("Content-Length is written from the body")
        self._first = self._via = self._cseq = self._from = self._to = self._lists = None
        self._to_tag = _UNREAD

    def _mandatory(self, name: str) -> str:
        value = (self._first or self.first_values()).get(name)
        if value is None:
            raise ParseError(f"no {name}")
        return value

    # Values

    @property
    def via(self) -> Via:
        """The topmost Via."""
        via = self._via
        if via is None:
            value = self._mandatory("Via")
            via = self._via = _parse_via(split_commas(value)[0] if "," in value else value)
        return via

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        cseq = self._cseq
        if cseq is None:
            cseq = self._cseq = CSeq.parse(self._mandatory("CSeq"))
        return cseq

    @property
    def from_(self) -> NameAddr:
        """From."""
        address = self._from
        if address is None:
            address = self._from = NameAddr.parse(self._mandatory("From"))
        return address

    @property
    def to(self) -> NameAddr:
        """To."""
        address = self._to
        if address is None:
            address = self._to = NameAddr.parse(self._mandatory("To"))
        return address

    @property
    def from_tag(self) -> str | None:
        """The tag of From, found without parsing the address; None when absent or empty."""
        return tag_of(self._mandatory("From"))

    @property
    def to_tag(self) -> str | None:
        """The tag of To, found without parsing the address; None when absent or empty."""
        tag = self._to_tag
        if tag is _UNREAD:
            tag = self._to_tag = tag_of(self._mandatory("To"))
        return tag

    @property
    def call_id(self) -> str:
        """Call-ID: compared byte by byte (§8.1.1.4)."""
        return self._mandatory("Call-ID")

    def _addresses(self, name: str) -> list[NameAddr]:
        lists = self._lists
        if name not in (self._first or self.first_values()):
            return []
        if lists is None:
            lists = self._lists = {}
        found = lists.get(name)
        if found is None:
            found = lists[name] = [_parse_recurring(value) for value in self.split(name)]
        return found

    @property
    def contact_is_star(self) -> bool:
        """Whether "*" is the only Contact, which only a REGISTER may have (§10.2.2)."""
        return self.get("Contact") == "*" and self.names.count("Contact") == 1

    @property
    def contacts(self) -> list[NameAddr]:
        """The addresses of Contact; empty for "*"."""
        return [] if self.contact_is_star else self._addresses("Contact")

    @property
    def route(self) -> list[NameAddr]:
        """Route, topmost first."""
        return self._addresses("Route")

    @property
    def record_route(self) -> list[NameAddr]:
        """Record-Route, topmost first."""
        return self._addresses("Record-Route")

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards (0-255), or None when absent."""
        value = self.get("Max-Forwards")
        return None if value is None else parse_number(value, MAX_MAX_FORWARDS, "Max-Forwards")

    @property
    def expires(self) -> int | None:
        """Expires in seconds, or None when absent."""
        value = self.get("Expires")
        return None if value is None else parse_number(value, MAX_DELTA_SECONDS, "Expires")

    @property
    def content_type(self) -> str | None:
        """The media type in lower case without parameters ("application/sdp"), or None."""
        value = self.get("Content-Type")
        return None if value is None else value.partition(";")[0].strip(WHITESPACE).lower()

    # Writing

    def start_line(self) -> str:
        """The request line or status line."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """The message as on the wire, with Content-Length.

        Raises LocalProtocolError when a name, a value or the start line contains a line end: it
        would be read as a further header.
        """
        lines = [self.start_line(), *map(_LINE, zip(self.names, self.values, strict=True))]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        head = "\r\n".join(lines)
        ends = len(lines) + 1
        if head.count("\n") != ends or head.count("\r") != ends:
            raise LocalProtocolError("a line end in a header or start line")
        try:
            return head.encode(self.encoding) + self.body
        except UnicodeEncodeError:
            # Ours among what a Latin-1 peer wrote; lone surrogates come from no parser of ours.
            return head.encode("utf-8", "replace") + self.body

    @property
    def size(self) -> int:
        """Octets of the message on the wire, found without writing it; for Latin-1 text a few more."""
        end = f"\r\nContent-Length: {len(self.body)}\r\n\r\n"
        text = "".join((self.start_line(), *self.names, *self.values, end))
        fields = len(": \r\n") * len(self.names)
        return len(text.encode("utf-8", "replace")) + fields + len(self.body)


class Request(Message):
    """A request. `uri` is the Request-URI as written; `request_uri` the same, parsed."""

    __slots__ = ("_parsed_uri", "method", "uri")

    def __init__(
        self,
        method: str,
        uri: str,
        names: list[str],
        values: list[str],
        body: bytes = b"",
        encoding: Encoding = "utf-8",
    ) -> None:
        super().__init__(names, values, body, encoding)
        self.method = method
        self.uri = uri
        self._parsed_uri: tuple[str, Uri] | None = None  # of which text, and what it was

    @property
    def request_uri(self) -> Uri:
        """The parsed Request-URI. Raises ParseError."""
        parsed = self._parsed_uri
        if parsed is None or parsed[0] != self.uri:
            parsed = self._parsed_uri = (self.uri, Uri.parse(self.uri))
        return parsed[1]

    def start_line(self) -> str:
        """The request line. Raises LocalProtocolError when a space would split it otherwise."""
        if " " in self.uri or " " in self.method:
            raise LocalProtocolError("a space in a method or Request-URI")
        return f"{self.method} {self.uri} {_VERSION}"

    def __repr__(self) -> str:
        """For tests and debuggers only: no header values, which may be secret."""
        return f"<Request {self.method} {self.uri}>"


class Response(Message):
    """A response. `reason` is the phrase as read; when building, pass "" for the registered one."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str,
        names: list[str],
        values: list[str],
        body: bytes = b"",
        encoding: Encoding = "utf-8",
    ) -> None:
        super().__init__(names, values, body, encoding)
        self.status = status
        self.reason = reason

    def start_line(self) -> str:
        """The status line."""
        return f"{_VERSION} {self.status} {self.reason or reason_phrase(self.status)}"

    def __repr__(self) -> str:
        """For tests and debuggers only."""
        return f"<Response {self.status} {self.reason}>"


# Our own Via comes back in each response to a request.
_parse_via: Final = lru_cache(maxsize=1024)(Via.parse)
# A phone's Contact and the hops of a route are the same in each message; From and To differ by tag.
_parse_recurring: Final = lru_cache(maxsize=2048)(NameAddr.parse)


def tag_of(value: str) -> str | None:
    """The tag of a From or To value; None when absent, empty or unreadable.

    The common form is found by searching; it never raises, so that matching can rely on it.
    """
    address, tag, last = value.rpartition(">;tag=")
    if tag and address and ";" not in last and '"' not in last and ">" not in last:
        return last.strip(WHITESPACE) or None
    tail = value[value.rfind(">") + 1 :]
    start = tail.find(";tag=")
    if start >= 0 and '"' not in tail:
        end = tail.find(";", start + 5)
        return (tail[start + 5 :] if end < 0 else tail[start + 5 : end]).strip(WHITESPACE) or None
    if ";" not in tail and '"' not in tail:
        return None
    try:
        # Rare: a quoted parameter, spaces or capitals ("; Tag = x").
        if value.find("<") >= 0:
            return NameAddr.parse(value).tag or None
        return find_param(parse_params(tail.partition(";")[2]), "tag") or None
    except ParseError:
        return None
