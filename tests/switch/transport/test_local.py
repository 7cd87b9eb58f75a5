"""What a peer is told of our end of a flow."""

import pytest

from switch.sip.via import Via
from switch.transport.local import LocalFlow

REMOTE = ("192.0.2.1", 5060)
UDP = {"UDP": [("192.0.2.10", 5062)]}


def test_the_listener_of_the_transport_and_family_is_told() -> None:
    flows = LocalFlow({**UDP, "TCP": [("2001:db8::1", 5060), ("192.0.2.10", 5070)]}, "")
    assert flows("TCP", REMOTE).local == ("192.0.2.10", 5070)
    assert flows("TCP", ("2001:db8::2", 5060)).local == ("2001:db8::1", 5060)


def test_on_a_wildcard_the_public_address_is_told() -> None:
    assert LocalFlow({"UDP": [("0.0.0.0", 5060)]}, "198.51.100.1")("UDP", REMOTE).local == (
        "198.51.100.1",
        5060,
    )


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
def test_a_via_can_be_written_where_nothing_listens_on_the_transport(transport: str) -> None:
    """An emergency INVITE that is too large for UDP goes by TCP, whether we listen there or not."""
    host, port = LocalFlow(UDP, "")(transport, REMOTE).local
    assert Via.parse(f"SIP/2.0/{transport} {host}:{port};branch=z9hG4bK1").port == 5062
