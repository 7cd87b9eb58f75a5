"""The little of SDP (RFC 4566, RFC 3264) that a switch reads or changes; all else stays as it came.

Bodies are bytes: text fields may be in any character set. Every rewriting function returns the same
object when there is nothing to change. Deliberately absent: a model of sessions and streams. Codecs
and candidates are negotiated by the phones, not by us.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from switch.sip.errors import LocalProtocolError

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")  # RFC 3264 §5.1

_RTPMAP: Final = re.compile(rb"a=rtpmap:([0-9]{1,3}) ([^/\s]+)/([0-9]{1,9})")
_ANNEX_B: Final = re.compile(rb"(annexb=)yes", re.IGNORECASE)
_DTX: Final = re.compile(rb"(usedtx=)1", re.IGNORECASE)
_SILENCE: Final = re.compile(
    rb"silenceSupp|annexb|usedtx|g729|m=audio [^\r\n]* 18\b", re.IGNORECASE
)
_NULL_ADDRESS: Final = "0.0.0.0"  # the hold of RFC 2543

# RFC 3551 §6: payload types that need no rtpmap.
_STATIC: Final = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    13: ("CN", 8000),
    15: ("G728", 8000),
    18: ("G729", 8000),
}
_UNNAMED: Final = ("?", 0)
# Not codecs a call can be heard with: they accompany one.
_ACCESSORIES: Final = frozenset({"CN", "TELEPHONE-EVENT", "RED"})


@dataclass(frozen=True, slots=True)
class Codec:
    """A format of the audio stream: payload type, encoding name in upper case, clock rate in Hz."""

    payload: int
    name: str
    rate: int


def has_audio(body: bytes) -> bool:
    """Whether there is an audio stream that isn't refused (port 0)."""
    section = _audio(_lines(body))
    return section is not None and section.port != 0


def has_fax(body: bytes) -> bool:
    """Whether there is a stream of T.38 fax (ITU-T T.38 annex D) that isn't refused."""
    return b"m=image" in body and any(
        words[0] == b"m=image"
        and len(words) > 3
        and words[1] != b"0"
        and words[3].lower() == b"t38"
        for line in _lines(body)
        if (words := line.split())
    )


def codecs(body: bytes) -> list[Codec]:
    """The formats of the first audio stream, in order of preference; unknown ones left out."""
    lines = _lines(body)
    section = _audio(lines)
    if section is None:
        return []
    named = _names(lines, section)
    return [Codec(payload, *named[payload]) for payload in section.payloads() if payload in named]


def direction(body: bytes) -> str:
    """The direction of the first audio stream, seen from who wrote the body (RFC 3264 §5.1).

    The stream's own attribute counts, else the session's, else sendrecv. A null connection address
    reads as inactive: the hold of RFC 2543.
    """
    lines = _lines(body)
    address = connection_address(body)
    if address is not None and address[0] == _NULL_ADDRESS:
        return "inactive"
    section = _audio(lines)
    scopes = [] if section is None else [range(section.start, section.end)]
    for scope in (*scopes, range(_first_media(lines))):
        for place in scope:
            found = _direction_of(lines[place])
            if found:
                return found
    return DIRECTIONS[0]


def connection_address(body: bytes) -> tuple[str, int] | None:
    """Where the audio is to be sent: (address as written, port); None when that isn't said."""
    lines = _lines(body)
    section = _audio(lines)
    if section is None:
        return None
    for scope in (range(section.start, section.end), range(_first_media(lines))):
        for place in scope:
            parts = lines[place].split()
            if len(parts) == 3 and parts[0] == b"c=IN":
                return parts[2].decode("ascii", "replace"), section.port
    return None


def set_direction(body: bytes, wanted: str) -> bytes:
    """The body with the direction of the first audio stream set, and the session's removed.

    Raises LocalProtocolError when `wanted` is none of DIRECTIONS.
    """
    if wanted not in DIRECTIONS:
        raise LocalProtocolError("no such media direction")
    lines = _lines(body)
    section = _audio(lines)
    if section is None or direction(body) == wanted:
        return body
    attribute = b"a=" + wanted.encode()
    kept = [
        line
        for place, line in enumerate(lines)
        if not (_direction_of(line) and section.owns_or_precedes(place, _first_media(lines)))
    ]
    section = _audio(kept)
    assert section is not None  # no m= line was dropped
    kept.insert(section.end, attribute)
    return _join(body, kept)


def choose_codecs(body: bytes, first: str = "", without: str = "") -> bytes:
    """The body with one encoding first where the stream offers it, and without another and its
    attributes; never without the last speech codec. Names of encodings in upper case."""

    def choose(payloads: list[int], names: dict[int, tuple[str, int]]) -> list[int]:
        named = [(payload, names.get(payload, _UNNAMED)[0]) for payload in payloads]
        kept = [each for each in named if each[1] != without]
        if all(name in _ACCESSORIES for _, name in kept):
            kept = named
        preferred = [payload for payload, name in kept if name == first]
        return preferred + [payload for payload, name in kept if name != first]

    return _rewrite_formats(body, choose)


def without_silence_suppression(body: bytes) -> bytes:
    """The body whose audio stream asks for sound also while nobody speaks: `silenceSupp` off (RFC
    3108 §5.7.2), no Annex B of G.729 (on unless denied, RFC 4856 §2.1.9), no DTX of Opus (RFC 7587 §6.1)."""
    if _SILENCE.search(body) is None:
        return body
    lines = _lines(body)
    section = _audio(lines)
    if section is None:
        return body
    named = _names(lines, section)
    undenied = {payload for payload, (name, _) in named.items() if name == "G729"}
    changed = list(lines)
    for place in range(section.start + 1, section.end):
        line = lines[place]
        payload = _payload_of(line) if line.startswith(b"a=fmtp:") else None
        if line.startswith(b"a=silenceSupp:on"):
            changed[place] = b"a=silenceSupp:off - - - -"
        elif payload is not None:
            line = _ANNEX_B.sub(rb"\1no", line)
            changed[place] = _DTX.sub(rb"\g<1>0", line)
            if b"annexb=" in line.lower():
                undenied.discard(payload)
    denials = [b"a=fmtp:%d annexb=no" % payload for payload in sorted(undenied)]
    changed[section.end : section.end] = denials
    return body if changed == lines else _join(body, changed)


# One stream of the body


@dataclass(frozen=True, slots=True)
class _Section:
    """The lines of one m= section: `start` is the m= line, `end` is one past the last."""

    start: int
    end: int
    words: tuple[bytes, ...]

    @property
    def port(self) -> int:
        digits = self.words[1].partition(b"/")[0]
        return int(digits) if digits.isdigit() and len(digits) <= 5 else 0

    def payloads(self) -> list[int]:
        return [int(word) for word in self.words[3:] if word.isdigit() and len(word) <= 3]

    def owns_or_precedes(self, place: int, first_media: int) -> bool:
        """Whether a line is this stream's or the session's."""
        return place < first_media or self.start <= place < self.end


def _lines(body: bytes) -> list[bytes]:
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _join(body: bytes, lines: list[bytes]) -> bytes:
    """The lines with the line ends the body had."""
    end = b"\r\n" if b"\r\n" in body or b"\n" not in body else b"\n"
    return end.join(lines) + end


def _first_media(lines: list[bytes]) -> int:
    for place, line in enumerate(lines):
        if line.startswith(b"m="):
            return place
    return len(lines)


def _audio(lines: list[bytes]) -> _Section | None:
    """The first audio stream; None when there is none that can be read."""
    for start, line in enumerate(lines):
        if not line.startswith(b"m=audio "):
            continue
        words = tuple(line.split())
        if len(words) < 4:
            return None
        end = start + 1
        while end < len(lines) and not lines[end].startswith(b"m="):
            end += 1
        return _Section(start, end, words)
    return None


def _direction_of(line: bytes) -> str | None:
    name = line[2:].strip().decode("ascii", "replace") if line.startswith(b"a=") else ""
    return name if name in DIRECTIONS else None


def _names(lines: list[bytes], section: _Section) -> dict[int, tuple[str, int]]:
    """Encoding name and clock rate of each payload type of a stream."""
    named = {p: _STATIC[p] for p in section.payloads() if p in _STATIC}
    for line in lines[section.start : section.end]:
        match = _RTPMAP.match(line)
        if match:
            payload, name, rate = match.groups()
            named[int(payload)] = name.decode("ascii", "replace").upper(), int(rate)
    return named


def _rewrite_formats(
    body: bytes, choose: Callable[[list[int], dict[int, tuple[str, int]]], list[int]]
) -> bytes:
    """The body with the formats of its audio stream as `choose` orders them."""
    lines = _lines(body)
    section = _audio(lines)
    if section is None:
        return body
    payloads = section.payloads()
    if len(payloads) != len(section.words) - 3:  # formats that aren't RTP's (RFC 4566 §5.14)
        return body
    chosen = choose(payloads, _names(lines, section))
    if chosen == payloads or not chosen:
        return body
    dropped = set(payloads) - set(chosen)
    words = (*section.words[:3], *(str(payload).encode() for payload in chosen))
    lines[section.start] = b" ".join(words)
    kept = [
        line
        for place, line in enumerate(lines)
        if not (section.start < place < section.end and _payload_of(line) in dropped)
    ]
    return _join(body, kept)


def _payload_of(line: bytes) -> int | None:
    """The payload type that an rtpmap, fmtp or rtcp-fb attribute speaks of."""
    for prefix in (b"a=rtpmap:", b"a=fmtp:", b"a=rtcp-fb:"):
        if line.startswith(prefix):
            digits = line[len(prefix) :].split(b" ", 1)[0]
            return int(digits) if digits.isdigit() and len(digits) <= 3 else None
    return None
