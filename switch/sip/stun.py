"""STUN binding requests on the SIP port (RFC 5389, as RFC 5626 §4.4.2 uses them for keep-alive).

Deliberately absent: everything but the binding response with XOR-MAPPED-ADDRESS: no credentials, no
client, no TURN, no ICE.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Final

from switch.sip.errors import ParseError

_COOKIE: Final = 0x2112A442
_BINDING_REQUEST: Final = 0x0001
_BINDING_SUCCESS: Final = 0x0101
_BINDING_ERROR: Final = 0x0111
_XOR_MAPPED_ADDRESS: Final = 0x0020
_ERROR_CODE: Final = 0x0009
_UNKNOWN_ATTRIBUTES: Final = 0x000A
_HEADER: Final = struct.Struct("!HHI12s")
_FIRST_OPTIONAL: Final = 0x8000  # §15: an attribute from here on may be ignored
# RFC 5389 §15 attributes that a plain binding request may carry and that change nothing here:
# MAPPED-ADDRESS, USERNAME, MESSAGE-INTEGRITY, REALM, NONCE, and PRIORITY/USE-CANDIDATE of ICE.
_IGNORED: Final = frozenset({0x0001, 0x0006, 0x0008, 0x0014, 0x0015, 0x0024, 0x0025})
_MAX_REQUEST_BYTES: Final = 548  # §7.1: what fits any IPv4 path; a binding request takes 20-100


def binding_response(request: bytes, remote: tuple[str, int]) -> bytes:
    """The answer to a binding request from `remote` (IP literal, port): success, or 420.

    Raises ParseError for what is not a well-formed binding request: it is dropped, never answered,
    or two servers could answer each other for ever.
    """
    if len(request) < _HEADER.size or len(request) > _MAX_REQUEST_BYTES:
        raise ParseError("bad STUN length")
    kind, length, cookie, transaction = _HEADER.unpack_from(request)
    if kind != _BINDING_REQUEST or cookie != _COOKIE:
        raise ParseError("not a STUN binding request")
    if length % 4 or length != len(request) - _HEADER.size:
        raise ParseError("bad STUN length")
    unknown = _unknown_attributes(request)
    if unknown:
        return _message(_BINDING_ERROR, transaction, _refusal(unknown))
    mapped = _attribute(_XOR_MAPPED_ADDRESS, _xor_address(remote, transaction))
    return _message(_BINDING_SUCCESS, transaction, mapped)


def _unknown_attributes(request: bytes) -> list[int]:
    unknown = []
    place = _HEADER.size
    while place < len(request):
        kind, length = struct.unpack_from("!HH", request, place)
        place += 4 + (length + 3) // 4 * 4
        if place > len(request):
            raise ParseError("bad STUN attribute length")
        if kind < _FIRST_OPTIONAL and kind not in _IGNORED:
            unknown.append(kind)
    return unknown


def _refusal(unknown: list[int]) -> bytes:
    """420 with the attributes not understood (§7.3.1)."""
    reason = _attribute(_ERROR_CODE, struct.pack("!HBB", 0, 4, 20) + b"Unknown Attribute")
    return reason + _attribute(_UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown))


def _xor_address(remote: tuple[str, int], transaction: bytes) -> bytes:
    """Family, port and address, masked by cookie and transaction id (§15.2)."""
    address = ip_address(remote[0].partition("%")[0])
    key = struct.pack("!I", _COOKIE) + transaction
    masked = bytes(a ^ b for a, b in zip(address.packed, key, strict=False))
    family = 1 if address.version == 4 else 2
    return struct.pack("!BBH", 0, family, remote[1] ^ (_COOKIE >> 16)) + masked


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, transaction: bytes, attributes: bytes) -> bytes:
    return _HEADER.pack(kind, len(attributes), _COOKIE, transaction) + attributes
