"""Copies of the demo's configuration with changes, and what is said of them."""

from pathlib import Path

import pytest

from switch import config
from switch.toml import ConfigError

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "configs" / "demo"


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


def lines_of(path: Path, text: str) -> list[int]:
    lines = (path / "vigie.toml").read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if text in line]
