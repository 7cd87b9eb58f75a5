"""Every file in configs/ loads, and the demo is what its documents say."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from policy.engine import decide
from policy.model import Action, CallRequest, LineState
from switch import config
from switch.config import Configuration
from switch.settings import CREDENTIALS_DIRECTORY
from tests.switch.config_copies import DEMO, ROOT

CONFIGS = ROOT / "configs"
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


def test_the_samples_are_plain_toml() -> None:
    for path in CONFIGS.rglob("*.toml"):
        assert tomllib.loads(path.read_text())["schema_version"] == 1
