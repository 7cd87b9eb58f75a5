"""The files beside vigie.toml: certificates that can't be used, and contents kept elsewhere."""

import shutil
from pathlib import Path

import pytest

from switch import config
from switch.store.configurations import Configurations
from switch.toml import ConfigError

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "configs" / "demo"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The demo's configuration with a dial plan of its own."""
    shutil.copytree(DEMO, tmp_path / "config")
    shutil.copy(ROOT / "dialplans" / "fr.toml", tmp_path / "config" / "plan.toml")
    replace(tmp_path / "config" / "vigie.toml", '"../../dialplans/fr.toml"', '"plan.toml"')
    return tmp_path / "config"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def problems(directory: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as error:
        config.load(directory)
    return [(problem.key, problem.message) for problem in error.value.problems]


def test_a_certificate_that_is_none_is_named(copied: Path) -> None:
    (copied / "own.pem").write_text("no certificate")
    replace(
        copied / "vigie.toml",
        "[sip]",
        '[sip]\ntls_certificate = "own.pem"\ntls_key = "own.pem"',
    )
    ((key, message),) = problems(copied)
    assert key == "sip.tls_certificate" and message.startswith("can't be used: ")


@pytest.mark.parametrize("key", ["ca", "cert"])
def test_a_carriers_too(copied: Path, key: str) -> None:
    (copied / "carrier.pem").write_text("no certificate")
    named = 'ca = "carrier.pem"' if key == "ca" else 'cert = "carrier.pem"\nkey = "carrier.pem"'
    replace(copied / "vigie.toml", 'transport = "tcp"', f'transport = "tls"\n{named}')
    ((told, message),) = problems(copied)
    assert told == f"trunk[1].{key}" and message.startswith("can't be used: ")


@pytest.mark.parametrize("key", ["ca", "certificate"])
def test_a_brokers_too(copied: Path, key: str) -> None:
    (copied / "own.pem").write_text("no certificate")
    named = f'{key} = "own.pem"' + ('\nkey = "own.pem"' if key == "certificate" else "")
    replace(
        copied / "vigie.toml", "[http]", f'[mqtt]\nurl = "mqtts://mqtt.example"\n{named}\n\n[http]'
    )
    ((told, message),) = problems(copied)
    assert told == f"mqtt.{key}" and message.startswith("can't be used: ")


def test_what_was_kept_is_read_instead_of_the_files(copied: Path, tmp_path: Path) -> None:
    kept = Configurations(tmp_path / "kept")
    before = config.load(copied)
    kept.keep(before.sources(), 0)
    replace(copied / "vigie.toml", 'number = "+33199000104"', 'number = "+33199000144"')
    replace(copied / "plan.toml", 'name = "fr', 'name = "other-fr')
    (copied / "networks.csv").write_text("network,country,kind,name\n192.0.2.0/24,FR,access,x\n")
    after = config.load(copied)
    kept.keep(after.sources(), 1)
    previous = kept.previous()
    assert previous is not None
    (copied / "networks.csv").unlink()
    again = config.load(previous.path, previous.files)
    assert (again.settings, again.plan.name) == (before.settings, before.plan.name)
    assert again.contents == before.contents != after.contents
    assert again.networks.table.find("127.0.2.1") == before.networks.table.find("127.0.2.1")
