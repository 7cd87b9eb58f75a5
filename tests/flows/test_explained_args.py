"""`explain call` refuses what is no question."""

import pytest

from switch.console.commands import CommandRefused
from switch.console.rehearsal import rehearse
from tests.flows.actors import World


@pytest.mark.parametrize(
    "args",
    [{"dial": " "}, {"dial": "18", "source_ip": "nonsense"}, {"dial": "18", "source_ip": "1"}],
)
def test_wrong_questions(world: World, args: dict[str, object]) -> None:
    with pytest.raises(CommandRefused) as refused:
        rehearse(world.exchange, args, "101", "explain")
    assert refused.value.slug == "bad_args"
