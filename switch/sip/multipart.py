"""Reading multipart bodies (RFC 2046 §5.1, RFC 5621): a phone's SDP with its own location beside it.

Deliberately absent: nested multiparts, transfer encodings other than binary (RFC 3261 §7.4 gives SIP
bodies none to undo), and writing, which routing/location.py does for the one body that we make.
"""

import re
from typing import Final, NamedTuple

MAX_PARTS: Final = 8  # SDP, a location or two, and someone's additions
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^;"\s]{1,70}))', re.IGNORECASE)


class Part(NamedTuple):
    """One part. `content_type` is in lower case without parameters; `content_id` without brackets."""

    content_type: str
    content_id: str
    content: bytes


def split_parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of a multipart body in their order; [] for another body or a damaged one."""
    if not content_type.lower().startswith("multipart/"):
        return []
    found = _BOUNDARY.search(content_type)
    if found is None:
        return []
    delimiter = b"\r\n--" + (found[1] or found[2]).encode()
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        return []
    # What stands before the first delimiter is the preamble, after the last the epilogue.
    parts = [_part(piece) for piece in pieces[1:-1][:MAX_PARTS]]
    return [part for part in parts if part is not None]


def _part(piece: bytes) -> Part | None:
    """A part behind its delimiter: the rest of that line, fields, an empty line, the content."""
    padding, line_end, rest = piece.partition(b"\r\n")
    if padding.strip(b" \t") or not line_end:
        return None
    if rest.startswith(b"\r\n"):
        return Part("text/plain", "", rest[2:])  # RFC 2046 §5.1: no fields at all
    head, empty_line, content = rest.partition(b"\r\n\r\n")
    if not empty_line:
        return None
    fields = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    kind = fields.get("content-type", "text/plain").partition(";")[0].strip().lower()
    return Part(kind, fields.get("content-id", "").strip("<> "), content)
