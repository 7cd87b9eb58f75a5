"""Addresses as nonces and locks see them."""

import pytest

from switch.auth.address import address_class, address_key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("192.0.2.1", "::ffff:192.0.2.9", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_a_nonce_is_good_in_the_neighbourhood(one: str, other: str, same: bool) -> None:
    assert (address_class(one) == address_class(other)) is same


def test_a_lock_names_one_ipv4_address_and_one_ipv6_customer() -> None:
    assert address_key("192.0.2.1") == "192.0.2.1"
    assert address_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert address_key("2001:db8::1") == address_key("2001:db8::2%eth0") == "2001:db8::/64"
    assert address_key("not an address") == "not an address"
    assert address_class("not an address") == b""
