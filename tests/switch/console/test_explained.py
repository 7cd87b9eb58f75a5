"""docs/operating.md shows what `vigie explain call` really prints, from each of the demo's networks."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from switch.app.offline import offline
from switch.console.explain import app
from switch.console.house import House

ROOT = Path(__file__).resolve().parents[3]
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
COMMAND = re.compile(r"\$ vigie (explain call [^\n]+)\n(.*?)(?=\n\n\$ |\n```)", re.DOTALL)
# The version of the demo's table: digest and day of the file in hand.
VERSION = re.compile(r"networks\.csv [0-9a-f]{8} \d{4}-\d\d-\d\d")


def shown(command: str, data: Path) -> str:
    """What a command prints, the version of the data made equal."""
    house = House(run=lambda config, data: 0, offline=offline)
    words = [*command.split()[1:], "--config", str(ROOT / "configs" / "demo"), "--data", str(data)]
    result = CliRunner().invoke(app, words, obj=house)
    assert result.exit_code == 0
    return normal(result.stdout)


def normal(text: str) -> str:
    return VERSION.sub("networks.csv", text).strip()


@pytest.mark.parametrize(("command", "output"), COMMAND.findall(OPERATING))
def test_the_page_shows_the_real_output(command: str, output: str, tmp_path: Path) -> None:
    assert normal(output) == shown(command, tmp_path)


def test_every_demo_network_is_there_and_one_as_json() -> None:
    commands = [command for command, _ in COMMAND.findall(OPERATING)]
    text = " ".join(commands)
    assert all(f"127.0.{third}.1" in text for third in range(2, 7)) and "127.0.0.1" in text
    (found,) = [output for command, output in COMMAND.findall(OPERATING) if "--json" in command]
    answer: Any = json.loads(found)
    assert answer["action"] == "block"
