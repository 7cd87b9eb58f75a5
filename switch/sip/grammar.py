"""Lexical rules shared by header values (RFC 3261 §25.1): tokens, quotes, lists, parameters.

Reading is tolerant where nothing is at risk; what the writers accept can't break out of a value.
"""

import re
from typing import Final

from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.limits import MAX_LIST_VALUES, MAX_PARAMETERS

Params = tuple[tuple[str, str | None], ...]
"""Parameters in wire order, names and values as written; None: a parameter without "="."""

WHITESPACE: Final = " \t"  # LWS once a line is unfolded; str.strip() alone also eats U+0085, U+00A0

TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_QUOTED: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETED: Final = re.compile(r"<[^>]*>")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_BAD_IN_PARAMS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f,<>]")
_UNWRITABLE_PARAM: Final = re.compile(r'[\x00-\x20\x7f,<>"]')
_LINE_END: Final = re.compile(r"[\r\n]")


def _filler(match: re.Match[str]) -> str:
    return "_" * (match.end() - match.start())


def mask_quoted(text: str) -> str:
    """`text` with its quoted strings overwritten, so that separators in them aren't seen.

    Raises ParseError when a quote is never closed.
    """
    masked = _QUOTED.sub(_filler, text)
    if '"' in masked:
        raise ParseError("unbalanced quotes")
    return masked


def without_quoted(text: str) -> str:
    """`text` less its quoted strings; a quote that is never closed stays."""
    return _QUOTED.sub("", text)


def _split(text: str, masked: str, separator: str) -> list[str]:
    pieces = []
    start = 0
    for piece in masked.split(separator):
        end = start + len(piece)
        pieces.append(text[start:end].strip(WHITESPACE))
        start = end + 1
    return pieces


def split_commas(text: str) -> list[str]:
    """The values of a comma-separated header field (§7.3.1), empty ones included.

    Commas in quoted strings and in angle brackets don't separate. Raises ParseError for unbalanced
    quotes and for more than MAX_LIST_VALUES values.
    """
    if "," not in text:
        return [text]
    masked = mask_quoted(text) if '"' in text else text
    if "<" in masked:
        masked = _BRACKETED.sub(_filler, masked)
    pieces = _split(text, masked, ",")
    if len(pieces) > MAX_LIST_VALUES:
        raise ParseError("too many values in one header field")
    return pieces


def parse_params(text: str) -> Params:
    """Parameters separated by semicolons; `text` starts after the first one.

    Empty ones (";;") are skipped, as phones send them. Raises ParseError for what could be read in
    two ways: spaces inside a value, a missing name, unbalanced quotes, too many.
    """
    if _UNWRITABLE_PARAM.search(text):
        return _parse_rare_params(text)
    params: list[tuple[str, str | None]] = []
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if name:
            params.append((name, value if equals else None))
        elif equals:
            raise ParseError("parameter without a name")
    if len(params) > MAX_PARAMETERS:
        raise ParseError("too many parameters")
    return tuple(params)


def _parse_rare_params(text: str) -> Params:
    """The same with quoted values, or spaces around separators."""
    masked = mask_quoted(text)
    if _BAD_IN_PARAMS.search(masked):  # what the writer would refuse isn't let in
        raise ParseError("a separator or control character in a parameter")
    pieces = [piece for piece in _split(text, masked, ";") if piece]
    if len(pieces) > MAX_PARAMETERS:
        raise ParseError("too many parameters")
    return tuple(_parse_rare_param(piece) for piece in pieces)


def _parse_rare_param(piece: str) -> tuple[str, str | None]:
    name, equals, value = piece.partition("=")
    name = name.rstrip(WHITESPACE)
    value = value.lstrip(WHITESPACE)
    if not name or _UNWRITABLE_PARAM.search(name):
        raise ParseError("bad parameter name")
    if not equals:
        return name, None
    if _UNWRITABLE_PARAM.search(value) and not _QUOTED.fullmatch(value):
        raise ParseError("space or quote in a parameter value")
    return name, value


def find_param(params: Params, name: str) -> str | None:
    """The value of `name` (lower case), without quotes; "" when it has none; None when absent."""
    for key, value in params:
        if key == name or key.lower() == name:
            if value is None:
                return ""
            return unquote(value) if value[:1] == '"' else value
    return None


def replace_param(params: Params, name: str, value: str | None) -> Params:
    """`params` with `name` set to `value` (None: a flag), in its place or at the end."""
    changed = [(k, value) if k.lower() == name else (k, v) for k, v in params]
    if not any(k.lower() == name for k, _ in params):
        changed.append((name, value))
    return tuple(changed)


def write_params(params: Params) -> str:
    """ ";a=b;c", as on the wire. Raises LocalProtocolError for what would end the value early."""
    text = "".join([f";{k}" if v is None else f";{k}={v}" for k, v in params])
    plain = text
    if '"' in text:
        for _, value in params:
            if value and '"' in value and not _is_quoted(value):
                raise LocalProtocolError("a quoted parameter that isn't one quoted string")
        plain = _QUOTED.sub("", text)
    if _UNWRITABLE_PARAM.search(plain) or plain.count(";") != len(params):
        raise LocalProtocolError("a separator or control character in a parameter")
    return text


def _is_quoted(value: str) -> bool:
    return _QUOTED.fullmatch(value) is not None and not _LINE_END.search(value)


def quote(text: str) -> str:
    """`text` as a quoted string, less NULs. Raises LocalProtocolError for line ends.

    A NUL may be read (as a quoted-pair); it isn't passed on to peers that could end the text there.
    """
    if _LINE_END.search(text):
        raise LocalProtocolError("a line end in a quoted string")
    return '"' + text.replace("\0", "").replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The text of a quoted string, quotes and escapes removed; anything else unchanged."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def parse_number(text: str, most: int, what: str) -> int:
    """A decimal number from 0 to `most`. Raises ParseError naming `what`.

    int() alone would take signs, underscores, spaces and the digits of other scripts.
    """
    if text.isdigit() and text.isascii() and len(text) <= 20:
        number = int(text)
        if number <= most:
            return number
    raise ParseError(f"bad {what}")
