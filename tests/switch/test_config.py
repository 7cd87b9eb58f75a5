"""What a configuration gives the rooms: plain values, each with its origin."""

from pathlib import Path

from policy.model import LineState
from switch import config
from switch.facts.line import LineLife
from tests.switch.config_copies import DEMO, copied, lines_of


def test_the_store_outlives_the_file() -> None:
    snapshot = config.load(DEMO).snapshot(
        {"101": LineLife(state=LineState.SUSPENDED, ground="2(k)(f)")}
    )
    assert snapshot.lines["101"].state is LineState.SUSPENDED


LINE_110 = """
[[line]]
id = "110"
account = "demo"
site = "paris-8"
number = "+33199000110"
password = "demo-110"
[line.caps.premium]
minutes_per_day = 1
"""


def test_where_a_value_of_a_line_comes_from(tmp_path: Path) -> None:
    path = copied(tmp_path)
    with (path / "vigie.toml").open("a") as file:
        file.write(LINE_110)
    origins = config.load(path).origins("110")
    (caps,) = lines_of(path, "[line.caps.premium]")
    assert origins["caps"] == f"vigie.toml:{caps}"
    assert origins["number"] == f"vigie.toml:{caps - 2}"
    assert origins["state"] == "default"


def test_rooms_get_plain_values(tmp_path: Path) -> None:
    path = copied(
        tmp_path,
        ('realm = "vigie"', 'realm = "vigie"\nt1_s = 0.3\ntrusted_proxies = ["192.0.2.0/24"]'),
    )
    loaded = config.load(path)
    assert loaded.timings().t1 == 0.3
    limits = loaded.registrar_limits()
    assert (limits.contacts, limits.default_expires_s) == (20, 3600)
    assert limits.trusted_proxies.find("192.0.2.9") is True
    assert limits.trusted_proxies.find("192.0.3.9") is None
    assert loaded.resolve("x/y") == tmp_path / "x/y"


def test_emergency_settings_reach_the_rules(tmp_path: Path) -> None:
    demo = config.load(DEMO)
    assert demo.rules.emergency.abroad == demo.plan.emergency.abroad
    code = 'operator_code = "VG"'
    path = copied(
        tmp_path,
        ('test_number = "933"', 'test_number = "934"'),
        (
            code,
            f"{code}\nabroad_signals = 2\nabroad_override = false\npsap_numbers = ['+33100000000']",
        ),
    )
    rules = config.load(path).rules
    assert (rules.emergency.abroad.signals, rules.emergency.abroad.override_key) == (2, "")
    assert rules.readback_number == "934"
    assert rules.psap_callback_numbers == {"+33100000000"}


def test_a_route_of_the_file_replaces_the_plans(tmp_path: Path) -> None:
    own = '[[route]]\nname = "emergency"\nhops = [{ trunk = "carrier-2" }]\n\n[[account]]'
    loaded = config.load(copied(tmp_path, ("[[account]]", own)))
    assert loaded.emergency_order() == ("carrier-2",)
    assert [hop.trunk for hop in loaded.routes["national"].hops] == ["carrier-1", "carrier-2"]
