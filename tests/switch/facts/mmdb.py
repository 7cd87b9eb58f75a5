"""Writes small MaxMind DB files (format 2.0), so that no test needs a real one."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path

MARKER = b"\xab\xcd\xefMaxMind.com"


def _control(kind: int, size: int) -> bytes:
    if kind <= 7:
        return bytes([kind << 5 | size])
    return bytes([size, kind - 7])


def _value(value: object) -> bytes:
    match value:
        case str():
            text = value.encode()
            assert len(text) < 29
            return _control(2, len(text)) + text
        case Mapping():
            return _control(7, len(value)) + b"".join(
                _value(key) + _value(each) for key, each in value.items()
            )
        case list():
            return _control(11, len(value)) + b"".join(map(_value, value))
        case int():
            number = value.to_bytes((value.bit_length() + 7) // 8)
            return _control(9, len(number)) + number  # uint64
    raise TypeError(type(value))


def write(path: Path, rows: Mapping[str, object], built: int, ip_version: int = 6) -> Path:
    """A database whose networks have these records; IPv4 lives in ::/96, as in the real ones."""
    nodes: list[list[int | bytes | None]] = [[None, None]]
    for network, record in rows.items():
        parsed = ipaddress.ip_network(network)
        bits = f"{int(parsed.network_address):0{parsed.max_prefixlen}b}"[: parsed.prefixlen]
        if ip_version == 6 and parsed.version == 4:
            bits = "0" * 96 + bits
        at = 0
        for bit in bits[:-1]:
            following = nodes[at][int(bit)]
            if not isinstance(following, int):
                following = len(nodes)
                nodes[at][int(bit)] = following
                nodes.append([None, None])
            at = following
        nodes[at][int(bits[-1])] = _value(record)
    data, tree = b"", b""
    for node in nodes:
        for record in node:
            if record is None:
                pointer = len(nodes)
            elif isinstance(record, int):
                pointer = record
            else:
                pointer = len(nodes) + 16 + len(data)
                data += record
            tree += pointer.to_bytes(4)
    metadata = {
        "node_count": len(nodes),
        "record_size": 32,
        "ip_version": ip_version,
        "database_type": "Test-Country",
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": built,
        "description": {"en": "made by a test"},
    }
    path.write_bytes(tree + b"\0" * 16 + data + MARKER + _value(metadata))
    return path
