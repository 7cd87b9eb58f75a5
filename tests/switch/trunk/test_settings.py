"""What a trunk's settings must agree on."""

import pytest

from switch.trunk.settings import EmergencySettings, TrunkSettings


def test_the_least_that_a_trunk_needs() -> None:
    trunk = TrunkSettings(id="a", address="192.0.2.1")
    assert (trunk.port, trunk.transport, trunk.profile, trunk.trusted) == (5060, "udp", "A", False)
    assert (trunk.number_out, trunk.number_in, trunk.stir, trunk.channels) == (
        "e164",
        "e164",
        "carrier",
        None,
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"username": "u"}, "go together"),
        ({"password": "p"}, "go together"),
        ({"register_expires_s": 600}, "needs username"),
        ({"ca": "x"}, 'transport = "tls"'),
        ({"transport": "tls", "cert": "x"}, "cert and key"),
        ({"profile": "C"}, "pidf_lo"),
        ({"corsica": {"2C": "20"}}, "2A"),
        ({"failover_on": [200]}, "greater than"),
        ({"number_out": "local"}, "e164"),
        ({"port": -1}, "greater than"),
    ],
)
def test_what_a_trunk_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrunkSettings.model_validate({"id": "a", "address": "192.0.2.1"} | values)


def test_a_trunks_password_is_not_shown() -> None:
    trunk = TrunkSettings.model_validate(
        {"id": "a", "address": "192.0.2.1", "username": "u", "password": "hush"}
    )
    assert "hush" not in repr(trunk)


def test_emergency_timing_follows_the_decided_rules() -> None:
    emergency = EmergencySettings.model_validate(
        {"operator_code": "XX", "default_location": {"insee": "75101", "civic": {"country": "FR"}}}
    )
    assert (emergency.no_100_s, emergency.emergency_pdd_s, emergency.tcp_connect_s) == (1.5, 8, 0.5)
    assert emergency.callback_s == 1800
