"""Every file in configs/ loads; what is wrong with a file is told with its line."""

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policy.engine import decide
from policy.model import Action, CallRequest, LineState, NumberClass
from switch import config
from switch.app.compose import tariffs_of
from switch.config import Configuration
from switch.facts.line import LineLife
from switch.settings import CREDENTIALS_DIRECTORY
from switch.toml import ConfigError

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
DEMO = CONFIGS / "demo"
PRODUCTION = CONFIGS / "production"


@pytest.fixture(scope="module")
def demo() -> Configuration:
    return config.load(DEMO)


@pytest.fixture
def production_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What systemd and the environment hand over in production."""
    monkeypatch.setenv(CREDENTIALS_DIRECTORY, str(tmp_path))
    for name, secret in {
        "line-2001": "a password",
        "line-fax-md5": "0" * 32,
        "line-fax-sha256": "0" * 64,
    }.items():
        (tmp_path / name).write_text(secret)
    monkeypatch.setenv("VIGIE_CARRIER_B_PASSWORD", "secret-b")
    monkeypatch.setenv("VIGIE_SMTP_SECRET", "secret-mail")
    monkeypatch.setenv("VIGIE_WEBHOOK_SECRET", "secret-webhook")
    monkeypatch.setenv("VIGIE_LINE_2003_PASSWORD", "secret-2003")


def copied(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the demo with the first of each text replaced."""
    text = (DEMO / "vigie.toml").read_text()
    text = text.replace("../../dialplans", str(ROOT / "dialplans"))
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    (tmp_path / "networks.csv").write_text((DEMO / "networks.csv").read_text())
    (tmp_path / "vigie.toml").write_text(text)
    return tmp_path


def problems(path: Path) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    return [(problem.line, problem.key, problem.message) for problem in caught.value.problems]


# Every file in configs/


@pytest.mark.usefixtures("production_secrets")
@pytest.mark.parametrize(
    "path", sorted(CONFIGS.glob("*/vigie.toml")), ids=lambda path: path.parent.name
)
def test_every_configuration_loads_and_its_plan_passes_its_own_tests(path: Path) -> None:
    loaded = config.load(path)
    assert loaded.plan.run_tests() == []
    assert loaded.snapshot({}).lines


def test_no_file_in_configs_is_left_out() -> None:
    unloaded = {path.name for path in CONFIGS.rglob("*") if path.is_file()}
    assert unloaded - {"vigie.toml", "networks.csv"} == set()
    assert {path.parent.name for path in CONFIGS.rglob("vigie.toml")} >= {"demo", "production"}


@pytest.mark.usefixtures("production_secrets")
def test_what_the_production_sample_comments_out_is_the_default(tmp_path: Path) -> None:
    """Each commented key is known, and stands for the value that it shows."""
    text = (
        (PRODUCTION / "vigie.toml").read_text().replace("../../dialplans", str(ROOT / "dialplans"))
    )
    commented = re.compile(r"^# ([a-z0-9_]+ = .*|\[[a-z_]+\])$", re.MULTILINE)
    files = ("tls_certificate", "tls_key", "mmdb", "sounds", "ca", "cert", "key")
    lent = (
        "url",
        "node",
        "nonce_key",
        "trusted_proxies",
        "portability_prefixes",
        "failover_on",
        "limits",
        *files,
    )
    spoken: set[str] = set()

    def uncomment(match: re.Match[str]) -> str:
        name = match[1].partition(" = ")[0]
        if name in lent:
            return match[0]
        spoken.add(name)
        return match[1]

    (tmp_path / "networks.csv").write_text((PRODUCTION / "networks.csv").read_text())
    (tmp_path / "vigie.toml").write_text(commented.sub(uncomment, text))
    assert len(spoken) > 20
    # The dial plan's path is the copy's, and the abroad_ settings stand for the dial plan's own.
    besides: dict[str, Any] = {"dialplan": True, "emergency": {"abroad_signals", "abroad_override"}}
    shown, silent = config.load(tmp_path), config.load(PRODUCTION)
    assert shown.rules == silent.rules
    assert shown.settings.model_dump(exclude=besides) == silent.settings.model_dump(exclude=besides)


# The demo, as the design promises it


def test_the_lines_of_the_demo(demo: Configuration) -> None:
    lines = demo.snapshot({}).lines
    assert sorted(lines) == [str(number) for number in range(101, 110)]
    states = {
        name: line.state for name, line in lines.items() if line.state is not LineState.ACTIVE
    }
    assert states == {
        "105": LineState.SUSPENDED,
        "106": LineState.TERMINATED,
        "108": LineState.UNPAID,
    }
    assert lines["105"].policy.ground == "2(k)(a)"
    assert {name for name, line in lines.items() if line.policy.location is None} == {"107"}
    assert {name for name, line in lines.items() if line.device_model} == {"109"}
    assert lines["109"].device_model == "ooma-office"
    for name, line in lines.items():
        assert (line.number, line.account, line.extension) == (f"+33199000{name}", "demo", name)
        assert line.policy.site_location is not None
        assert line.policy.site_location.insee == "75108"


def test_passwords_follow_the_line(demo: Configuration) -> None:
    for line in demo.settings.lines:
        assert line.password is not None
        assert line.password.get_secret_value() == f"demo-{line.id}"
    assert "demo-101" not in repr(demo)


@pytest.mark.parametrize(
    ("source", "level"),
    [
        ("127.0.0.1", "E0"),
        ("127.0.2.1", "E5"),
        ("127.0.3.1", "E3"),
        ("127.0.4.1", "E2"),
        ("127.0.5.1", "E5"),
        ("127.0.6.1", "E2"),
    ],
)
def test_where_the_demo_networks_are(demo: Configuration, source: str, level: str) -> None:
    facts = demo.snapshot({}).policy_facts("101", source, 0.0)
    decision = decide(CallRequest("18", "101", source, 0.0), facts, demo.rules)
    assert decision.evidence.level == level
    assert decision.action is (Action.BLOCK if level == "E5" else Action.CONNECT)


@pytest.mark.parametrize(
    ("line", "dialled", "action", "reason"),
    [
        ("101", "102", Action.CONNECT, "ok"),
        ("101", "933", Action.CONNECT, "ok"),
        ("101", "*43", Action.CONNECT, "ok"),
        ("101", "0145678901", Action.CONNECT, "ok"),
        ("101", "199", Action.REFUSE, "unknown_number"),
        ("105", "18", Action.CONNECT, "ok"),
        ("105", "0145678901", Action.REFUSE, "suspended"),
        ("106", "18", Action.REFUSE, "terminated"),
        ("107", "18", Action.CONNECT, "ok"),
        ("108", "18", Action.CONNECT, "ok"),
        ("108", "0145678901", Action.REFUSE, "unpaid"),
    ],
)
def test_what_the_demo_lines_may_dial(
    demo: Configuration, line: str, dialled: str, action: Action, reason: str
) -> None:
    facts = demo.snapshot({}).policy_facts(line, "127.0.0.1", 0.0)
    decision = decide(CallRequest(dialled, line, "127.0.0.1", 0.0), facts, demo.rules)
    assert (decision.action, decision.reason) == (action, reason)


def test_the_demo_trunks(demo: Configuration) -> None:
    first, second = demo.settings.trunks
    assert demo.emergency_order() == (first.id, second.id)
    assert (first.address, first.port, first.transport, first.profile) == (
        "127.0.1.1",
        5070,
        "udp",
        "A",
    )
    assert (second.address, second.port, second.transport, second.profile) == (
        "127.0.1.1",
        5071,
        "tcp",
        "C",
    )
    assert [str(address) for address in demo.settings.demo.carrier] == [
        "127.0.1.1:5070",
        "127.0.1.1:5071",
    ]


def test_where_the_demo_listens(demo: Configuration) -> None:
    sip = demo.settings.sip
    assert [str(address) for address in (*sip.udp, *sip.tcp, *sip.tls)] == [
        "127.0.0.1:5060",
        "127.0.0.1:5060",
        "127.0.0.1:5061",
    ]
    assert [str(address) for address in demo.settings.http.listen] == ["127.0.0.1:8080"]


# What rooms are given


def test_the_store_outlives_the_file(demo: Configuration) -> None:
    snapshot = demo.snapshot({"101": LineLife(state=LineState.SUSPENDED, ground="2(k)(f)")})
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


def test_emergency_settings_reach_the_rules(tmp_path: Path, demo: Configuration) -> None:
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


# What is wrong, and where


def lines_of(path: Path, text: str) -> list[int]:
    lines = (path / "vigie.toml").read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if text in line]


@pytest.mark.parametrize(
    ("before", "after", "key", "message"),
    [
        ('realm = "vigie"', "relm = 1", "sip.relm", "unknown key"),
        ('realm = "vigie"', "t1_s = 99", "sip.t1_s", "less than or equal to 5"),
        ('realm = "vigie"', "max_expires_s = 60", "sip", "min_expires_s <= default_expires_s"),
        ('realm = "vigie"', 'tls_key = "x"', "sip", "go together"),
        (
            'udp = ["127.0.0.1:5060"]',
            'udp = ["0.0.0.0:5060"]',
            "sip",
            "listening on 0.0.0.0 needs public_address",
        ),
        ('udp = ["127.0.0.1:5060"]', 'udp = ["localhost:5060"]', "sip.udp[0]", "localhost"),
        ("workers = 2", "workers = 1", "media", "reserved_workers is less than workers"),
        ('id = "103"', 'id = "102"', "line[2].id", "102 stands twice"),
        ('id = "103"', 'id = "115"', "line[2].id", "emergency number 115"),
        ('"+33199000103"', '"+33699000103"', "line[2].number", "not for fixed lines"),
        ('"+33199000103"', '"+33199000102"', "line[2].number", "stands twice"),
        ('"+33199000103"', "33199000103", "line[2].number", "string"),
        ('ground = "2(k)(a)"', 'ground = "2(k)"', "line[4]", "cites its ground"),
        ('location = "none"', 'location = "nowhere"', "line[6].location", "'site' or 'none'"),
        ('account = "demo"', 'account = "other"', "line[0].account", "no [[account]] other"),
        ('site = "paris-8"', 'site = "lyon"', "line[0].site", "no [[site]] lyon"),
        ('insee = "75108"', 'insee = "7508"', "site[0].insee", "INSEE commune code"),
        (
            'civic = { country = "FR"',
            'civic = { country = "DE"',
            "emergency.default_location.civic",
            "cover",
        ),
        ('test_number = "933"', 'test_number = "112"', "emergency.test_number", "112"),
        ("port = 5071", "port = 5070", "trunk[1]", "told apart"),
        ('id = "carrier-2"', 'id = "carrier-3"', "dialplan", "not there, carrier-2"),
        ('csv = ["networks.csv"]', 'csv = ["other.csv"]', "networks.csv", "there is no other.csv"),
        ('id = "103"', 'id = "103"\nextension = "933"', "line[2].extension", "test number"),
        ('email = "demo@example.org"', 'email = "demo"', "account[0].email", "name@domain"),
        ('udp = ["127.0.0.1:5060"]', 'udp = "127.0.0.1:5060"', "sip.udp", "expected a list"),
        ('password = "demo-103"', f'ha1_sha256 = "{"0" * 64}"', "line[2]", "no MD5 hash"),
    ],
)
def test_a_wrong_value_is_found_with_its_line(
    tmp_path: Path, before: str, after: str, key: str, message: str
) -> None:
    changes = [(before, after)]
    if key == "trunk[1]":
        changes.append(('transport = "tcp"', 'transport = "udp"'))
        key = "trunk[1].address"
    path = copied(tmp_path, *changes)
    found = problems(path)
    named = [entry for entry in found if entry[1] == key]
    assert named, found
    assert message in named[0][2]
    if key.split(".")[-1].partition("[")[0] in after:
        assert named[0][0] in lines_of(path, after.splitlines()[-1])


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ('[[tariff]]\nclass = "mobile"\neuros_per_minute = 1\n', "tariff[1].class", "mobile"),
        (
            '[[route]]\nname = "mobile"\nhops = [{ trunk = "carrier-1" }]\n',
            "route[1].name",
            "mobile",
        ),
    ],
)
def test_a_table_that_stands_twice(tmp_path: Path, table: str, key: str, message: str) -> None:
    path = copied(tmp_path, ("[demo]", f"{table}{table}[demo]"))
    assert [found[1:] for found in problems(path)] == [(key, f"{message} stands twice")]


def test_a_class_has_one_price_from_each_day_on(tmp_path: Path) -> None:
    first = '[[tariff]]\nclass = "mobile"\neuros_per_minute = 1\n'
    later = f"{first}since = 2027-03-01\n"
    found = config.load(copied(tmp_path, ("[demo]", f"{first}{later}[demo]")))
    assert set(tariffs_of(found.settings)[NumberClass.MOBILE]) == {date.min, date(2027, 3, 1)}
    path = copied(tmp_path, ("[demo]", f"{later}{later}[demo]"))
    [problem] = problems(path)
    assert problem[1:] == ("tariff[1].class", "mobile since 2027-03-01 stands twice")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = copied(
        tmp_path,
        ("schema_version = 1", "schema_version = 2"),
        ('realm = "vigie"', "relm = 1"),
        ('password = "demo-101"', ""),
    )
    found = problems(path)
    assert [key for _, key, _ in found] == ["schema_version", "sip.relm", "line[0]"]
    assert found[2][2] == "a line needs password, ha1 or ha1_sha256"


def test_an_error_never_shows_a_password(tmp_path: Path) -> None:
    path = copied(tmp_path, ('password = "demo-101"', 'pasword = "demo-101"'))
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert "pasword: unknown key" in str(caught.value)
    assert "demo-101" not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_wrong_row_of_a_table_is_found_in_its_file(tmp_path: Path) -> None:
    path = copied(tmp_path)
    with (path / "networks.csv").open("a") as file:
        file.write("10.0.0.1/8,DE,access,x\n")
    with pytest.raises(ConfigError, match=r"networks\.csv:\d+: .*host bits"):
        config.load(path)


@pytest.mark.parametrize("name", ["networks.csv", "vigie.toml"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path, name: str) -> None:
    path = copied(tmp_path)
    text = (path / name).read_text("utf-8").lstrip("#")  # so that the mark is before a key
    (path / name).write_text(f"\ufeff# {text}", "utf-8")
    config.load(path)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = copied(tmp_path)
    (path / "networks.csv").unlink()
    (path / "networks.csv").mkdir()
    with pytest.raises(ConfigError, match=r"/networks\.csv: Is a directory$"):
        config.load(path)
    with pytest.raises(ConfigError, match=r"/nowhere: No such file or directory$"):
        config.load(tmp_path / "nowhere")


def test_a_broken_country_database_is_named(tmp_path: Path) -> None:
    path = copied(tmp_path, ('csv = ["networks.csv"]', 'mmdb = "country.mmdb"'))
    (path / "country.mmdb").write_bytes(b"not a database")
    assert [key for _, key, _ in problems(path)] == ["networks.mmdb"]


def test_toml_that_cannot_be_read_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = copied(tmp_path, ('realm = "vigie"', "realm = vigie"))
    ((line, _, _),) = problems(path)
    assert [line] == lines_of(path, "realm = vigie")


def test_the_samples_are_plain_toml() -> None:
    for path in CONFIGS.rglob("*.toml"):
        assert tomllib.loads(path.read_text())["schema_version"] == 1


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("siret", "73282932000075", "its check digit is wrong"),
        ("vat", "FR45732829320", "its key is wrong"),
    ],
)
def test_a_company_number_that_nobody_has_is_named(
    tmp_path: Path, key: str, value: str, said: str
) -> None:
    text = (DEMO / "vigie.toml").read_text().replace("../../dialplans", str(ROOT / "dialplans"))
    path = tmp_path / "vigie.toml"
    path.write_text(text.replace('id = "demo"\n', f'id = "demo"\n{key} = "{value}"\n', 1))
    (tmp_path / "networks.csv").write_bytes((DEMO / "networks.csv").read_bytes())
    with pytest.raises(ConfigError) as refused:
        config.load(tmp_path)
    assert said in str(refused.value)
    number = 1 + path.read_text().splitlines().index(f'{key} = "{value}"')
    assert f"vigie.toml:{number}" in str(refused.value)
