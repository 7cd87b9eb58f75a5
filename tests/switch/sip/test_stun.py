import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.errors import ParseError
from switch.sip.parser import is_stun
from switch.sip.stun import binding_response

COOKIE = 0x2112A442
ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")  # of RFC 5769 §2


def binding(attributes: bytes = b"", kind: int = 1) -> bytes:
    return struct.pack("!HHI", kind, len(attributes), COOKIE) + ID + attributes


# The mapped addresses of the sample responses of RFC 5769 §2.2 and §2.3.
@pytest.mark.parametrize(
    ("remote", "value"),
    [
        (("192.0.2.1", 32853), "0001a147e112a643"),
        (
            ("2001:db8:1234:5678:11:2233:4455:6677", 32853),
            "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
        ),
    ],
)
def test_the_mapped_address(remote: tuple[str, int], value: str) -> None:
    answer = binding_response(binding(), remote)
    attribute = bytes.fromhex(value)
    assert answer[:2] == b"\x01\x01"
    assert answer[4:20] == struct.pack("!I", COOKIE) + ID
    assert answer[20:] == struct.pack("!HH", 0x0020, len(attribute)) + attribute
    assert struct.unpack("!H", answer[2:4])[0] == len(answer) - 20
    assert is_stun(answer)


def test_optional_attributes_are_ignored() -> None:
    software = struct.pack("!HH", 0x8022, 5) + b"phone\0\0\0"
    assert binding_response(binding(software), ("192.0.2.1", 1))[:2] == b"\x01\x01"


def test_an_unknown_mandatory_attribute_is_named() -> None:
    answer = binding_response(binding(struct.pack("!HHI", 0x0003, 4, 0)), ("192.0.2.1", 1))
    assert answer[:2] == b"\x01\x11"
    assert b"\x04\x14Unknown" in answer
    assert answer.endswith(struct.pack("!HHH", 0x000A, 2, 0x0003) + b"\0\0")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        binding()[:19],
        binding(kind=0x0101),
        binding(kind=0x0011),
        binding() + b"\0",
        binding(b"\0\3\0\x09"),
        binding(b"\0\0\0"),
        binding().replace(struct.pack("!I", COOKIE), b"\0\0\0\0"),
        binding(bytes(1000)),
    ],
)
def test_what_is_not_answered(octets: bytes) -> None:
    with pytest.raises(ParseError):
        binding_response(octets, ("192.0.2.1", 1))


@given(st.binary(max_size=80))
def test_attributes_of_noise(noise: bytes) -> None:
    try:
        binding_response(binding(noise), ("192.0.2.1", 1))
    except ParseError:
        return
