"""The table of fields that cross: every row, and nothing beside it."""

import pytest

from switch.call.headers import (
    CROSSING_REQUEST,
    FROM_TRUNK,
    IN_EMERGENCY,
    MAX_HISTORY,
    MAX_IN_EMERGENCY,
    TOWARDS_TRUNK,
    crossing,
    crossing_in_emergency,
)
from switch.sip.build import make_request

ROWS = [(method, name) for method, names in CROSSING_REQUEST.items() for name in sorted(names)]


@pytest.mark.parametrize(("method", "name"), ROWS)
def test_rows(method: str, name: str) -> None:
    request = make_request(method, "sip:x", [(name, "v"), ("X-Other", "w")])
    assert crossing(request, method, from_trunk=True, to_trunk=False) == [(name, "v")]
    expected = [] if name in FROM_TRUNK else [(name, "v")]
    assert crossing(request, method, from_trunk=False, to_trunk=False) == expected


@pytest.mark.parametrize("name", sorted(TOWARDS_TRUNK))
def test_towards_carriers_only(name: str) -> None:
    request = make_request("INVITE", "sip:x", [(name, "v")])
    assert crossing(request, "INVITE", from_trunk=False, to_trunk=True) == [(name, "v")]
    assert crossing(request, "INVITE", from_trunk=True, to_trunk=False) == []


def test_a_method_without_a_row_lets_nothing_cross() -> None:
    request = make_request("UPDATE", "sip:x", [("Subject", "v")])
    assert crossing(request, "UPDATE", from_trunk=True, to_trunk=True) == []


def test_a_forward_loop_is_cut() -> None:
    fields = [("Diversion", str(n)) for n in range(50)]
    request = make_request("INVITE", "sip:x", fields)
    crossed = crossing(request, "INVITE", from_trunk=False, to_trunk=False)
    assert crossed == fields[:MAX_HISTORY]


def test_a_call_for_help_takes_a_signature_along_and_nothing_else() -> None:
    every = sorted({name for names in CROSSING_REQUEST.values() for name in names} | TOWARDS_TRUNK)
    fields = [(name, "v") for name in every]
    assert {name for name, _ in crossing_in_emergency(fields)} == IN_EMERGENCY == {"Identity"}


def test_nor_does_it_take_one_that_is_too_large_for_a_signature() -> None:
    assert crossing_in_emergency([("Identity", "x" * MAX_IN_EMERGENCY)])
    assert not crossing_in_emergency([("Identity", "x" * (MAX_IN_EMERGENCY + 1))])
