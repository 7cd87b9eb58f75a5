"""Addresses with a display name: the values of From, To, Contact, Route and their like (§20.10)."""

from __future__ import annotations

from typing import NamedTuple

from switch.sip.errors import ParseError
from switch.sip.grammar import (
    WHITESPACE,
    Params,
    find_param,
    mask_quoted,
    parse_params,
    quote,
    replace_param,
    unquote,
    write_params,
)
from switch.sip.uri import Uri


class NameAddr(NamedTuple):
    """A URI with a display name and header parameters: From, To, Contact, Route (§20.10).

    `display` is plain text, without quotes and escapes. Parameter values are as written.
    """

    display: str
    uri: Uri
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read one value; without brackets, parameters are the header's. Raises ParseError."""
        if '"' in text:
            # The common form is one quoted name without escapes; anything else takes longer.
            close = text.find('"', 1) if text[0] == '"' else -1
            start = text.find("<", close)
            is_plain = 0 < close < start and text.find('"', close + 1) < 0 and "\\" not in text
            if not is_plain or text[close + 1 : start].strip(WHITESPACE):
                return cls._parse_quoted(text)
            display = text[1:close]
        else:
            start = text.find("<")
            if start < 0:
                return cls._parse_bare(text.strip(WHITESPACE))
            display = text[:start].strip(WHITESPACE)
        return cls._of_parts(display, text, start, text.find(">", start))

    @classmethod
    def _parse_quoted(cls, text: str) -> NameAddr:
        """The same where quotes may hide a bracket or an escape."""
        masked = mask_quoted(text)
        start = masked.find("<")
        if start < 0:
            return cls._parse_bare(text.strip(WHITESPACE))
        display = text[:start].strip(WHITESPACE)
        if display[:1] == '"':
            if masked[:start].strip(WHITESPACE).strip("_"):
                raise ParseError("text around a quoted display name")
            display = unquote(display)
        return cls._of_parts(display, text, start, masked.find(">", start))

    @classmethod
    def _of_parts(cls, display: str, text: str, start: int, end: int) -> NameAddr:
        if end < 0:
            raise ParseError("unbalanced angle brackets")
        tail = text[end + 1 :].lstrip(WHITESPACE)
        if tail and tail[0] != ";":
            raise ParseError("text after an address")
        return cls(
            display, Uri.parse(text[start + 1 : end]), parse_params(tail[1:]) if tail else ()
        )

    @classmethod
    def _parse_bare(cls, text: str) -> NameAddr:
        address, semicolon, params = text.partition(";")
        address = address.rstrip(WHITESPACE)
        # §20.10: with a comma, semicolon or question mark the URI must be in brackets; a URI with
        # headers outside them could be meant either way (RFC 4475 §3.1.2.13).
        if "?" in address or "," in address:
            raise ParseError("address needs angle brackets")
        return cls("", Uri.parse(address), parse_params(params) if semicolon else ())

    def __str__(self) -> str:
        """As on the wire, always with brackets. Raises LocalProtocolError as its parts do."""
        params = write_params(self.params) if self.params else ""
        if not self.display:
            return f"<{self.uri}>{params}"
        return f"{quote(self.display)} <{self.uri}>{params}"

    @property
    def tag(self) -> str | None:
        """The tag of From or To; None when absent."""
        return find_param(self.params, "tag")

    def param(self, name: str) -> str | None:
        """The value of a parameter, without quotes; "" when it has none; None when absent."""
        return find_param(self.params, name)

    def with_params(self, **params: str | None) -> NameAddr:
        """A copy with header parameters set in place or added; None makes a flag."""
        changed = self.params
        for name, value in params.items():
            changed = replace_param(changed, name, value)
        return self._replace(params=changed)
