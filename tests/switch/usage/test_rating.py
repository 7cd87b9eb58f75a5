"""Runs cases/rating.toml."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from switch.usage.rating import Pulse

CASES = tomllib.loads((Path(__file__).parent / "cases" / "rating.toml").read_text())


@pytest.mark.parametrize("case", CASES["call"], ids=lambda case: case["note"])
def test_a_call_is_rated(case: dict[str, Any]) -> None:
    rated = {pulse: Pulse.parse(pulse).rated_s(case["ms"]) for pulse in case["seconds"]}
    assert rated == case["seconds"]


@pytest.mark.parametrize("text", ["", "60", "60/", "/1", "0/1", "60/0", "-1/1", "1.5/1", "a/b"])
def test_what_is_no_pulse(text: str) -> None:
    with pytest.raises(ValueError, match="pulse"):
        Pulse.parse(text)
