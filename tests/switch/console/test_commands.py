"""The list of commands: a wrong name or wrong arguments are refused before anything is done."""

import pytest

from switch.console import commands
from switch.console.commands import COMMANDS, CommandRefused, checked


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_described_in_the_docstring(name: str) -> None:
    assert any(line.startswith(f"{name} ") for line in (commands.__doc__ or "").splitlines())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_required_arguments_are_enough(name: str) -> None:
    checked(name, dict.fromkeys(COMMANDS[name].required, "x"))


@pytest.mark.parametrize(
    ("name", "args", "slug"),
    [
        ("usage.shwo", {}, "unknown_command"),
        ("usage.show", {}, "bad_args"),
        ("usage.show", {"line": None}, "bad_args"),
        ("usage.show", {"line": "101", "since": 1}, "bad_args"),
        ("reg.list", {"password": "x"}, "bad_args"),
    ],
)
def test_refused(name: str, args: dict[str, object], slug: str) -> None:
    with pytest.raises(CommandRefused) as refusal:
        checked(name, args)
    assert refusal.value.slug == slug


def test_absent_optional_arguments_may_be_none() -> None:
    checked("explain.call", {"line": "101", "dial": "18", "source_ip": None, "at": None})
