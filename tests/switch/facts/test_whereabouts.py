"""How a network becomes usual, and how it is forgotten."""

import pytest

from switch.facts.whereabouts import (
    DAY_S,
    KEPT_S,
    MAX_NEW,
    MAX_USUAL,
    NOWHERE,
    USUAL_DAYS,
    Whereabouts,
    fingerprint_key,
    learn,
    network_key,
    network_name,
)


def registered(times: list[tuple[str, float]], seen: Whereabouts = NOWHERE) -> Whereabouts:
    for address, now in times:
        key = network_key(address)
        assert key is not None
        seen = learn(seen, key, network_name(address), now) or seen
    return seen


def usual(seen: Whereabouts) -> list[str]:
    return sorted(network.name for network in seen.networks.values() if network.is_usual)


def days(address: str, number: int, since: float = 0.0) -> list[tuple[str, float]]:
    return [(address, since + day * 86_400.0) for day in range(number)]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2ff::9", "2001:db8:1:200::/56"),
        ("fe80::1%eth0", "fe80::/56"),
    ],
)
def test_a_network_is_what_a_provider_gives_to_a_site(address: str, network: str) -> None:
    assert network_name(address) == network


def test_neighbours_share_a_network_and_strangers_do_not() -> None:
    assert network_key("192.0.2.1") == network_key("192.0.2.254") != network_key("192.0.3.1")
    assert network_key("2001:db8:1:2ff::9") == network_key("2001:db8:1:201::1")
    assert network_key("2001:db8:1:2ff::9") != network_key("2001:db8:1:3ff::9")
    assert network_key("") is network_key("phone.example") is None
    assert fingerprint_key("") != network_key("0.0.0.0")
    with pytest.raises(ValueError, match="no IP address"):
        network_name("x")


def test_days_make_a_network_usual_and_refreshes_do_not() -> None:
    hourly = [("192.0.2.1", hour * 3600.0) for hour in range(int(DAY_S // 3600))]
    assert usual(registered(hourly)) == []
    assert usual(registered(days("192.0.2.1", USUAL_DAYS - 1))) == []
    assert usual(registered(days("192.0.2.1", USUAL_DAYS))) == ["192.0.2.0/24"]


def test_what_adds_nothing_is_not_written() -> None:
    seen = registered(days("192.0.2.1", USUAL_DAYS))
    key = network_key("192.0.2.1")
    assert key is not None
    last = seen.networks[key].last
    assert learn(seen, key, "", last + DAY_S - 1) is None
    assert learn(seen, key, "192.0.2.0/24", last + DAY_S) is not None


def test_ninety_days_of_absence_forget_a_network() -> None:
    seen = registered(days("192.0.2.1", USUAL_DAYS))
    seen = registered([("198.51.100.1", 2 * 86_400.0 + KEPT_S + 1)], seen)
    assert [network.name for network in seen.networks.values()] == ["198.51.100.0/24"]
    again = registered([("198.51.100.1", 3 * KEPT_S)], seen)
    assert [network.days for network in again.networks.values()] == [1]


def test_a_phone_that_travels_flushes_no_usual_network() -> None:
    seen = registered(days("192.0.2.1", USUAL_DAYS))
    many = [(f"198.51.{third}.1", 3 * 86_400.0 + third) for third in range(100)]
    seen = registered(many, seen)
    assert usual(seen) == ["192.0.2.0/24"]
    assert len(seen.networks) == 1 + MAX_NEW
    assert "198.51.99.0/24" in {network.name for network in seen.networks.values()}


def test_of_many_usual_networks_the_oldest_goes() -> None:
    seen = NOWHERE
    for third in range(MAX_USUAL + 1):
        seen = registered(days(f"10.0.{third}.1", USUAL_DAYS, third * 4 * 86_400.0), seen)
    assert len(seen.networks) == MAX_USUAL
    assert "10.0.0.0/24" not in usual(seen)
