"""What a change of a line's contract does to its calls: within the turn of the loop that makes it."""

from typing import Any

import pytest

from policy.model import LineState
from switch.console.contract import Contract
from switch.console.contract_acts import Acts
from switch.console.line_life import LineLives
from switch.terms.contracts import Contracts
from switch.terms.settings import ContractSettings
from tests.flows.actors import World
from tests.flows.talk import Talk, established, hang_up, sdp


class Rows:
    """No database."""

    async def steps(self, line: str | None = None) -> list[dict[str, Any]]:
        raise NotImplementedError


def contract(world: World, *release: str) -> Contract:
    exchange = world.exchange
    settings = ContractSettings.model_validate({"release_live_calls": release} if release else {})
    lives = LineLives(exchange, exchange.facts.renewed)
    acts = Acts(
        exchange, lives, Contracts(exchange.outbox), world.pump, lambda: settings, lambda: world.now
    )
    return Contract(exchange, acts, Rows())


def talking(world: World, dialled: str) -> tuple[Talk, Talk]:
    return established(world.phone("101"), world.carrier(1), dialled)


def test_a_suspension_leaves_a_live_call_alone_and_refuses_the_next(world: World) -> None:
    caller, callee = talking(world, "0145678901")
    contract(world).suspend({"line": "101", "ground": "2(k)(a)"})
    world.after(300)
    assert len(world.exchange.calls) == 1
    world.speakers.free = 0
    refused = caller.actor.call("0145678901").fails(403)
    assert 'text="suspended"' in refused.get("Reason")
    hang_up(caller, callee)


def test_a_blocked_callee_is_not_called_and_all_others_are(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    world.speakers.free = 0
    desk = contract(world)
    desk.table()["line.block"]({"line": "101", "number": "0145678901"})
    for dialled in ("0145678901", "0033145678901"):
        assert 'text="not_permitted"' in phone.call(dialled).fails(403).get("Reason")
    carrier.silent()
    hang_up(*established(phone, carrier, "0145678902"))
    desk.table()["line.block"]({"line": "101", "number": "0145678901", "lift": True})
    hang_up(*established(phone, carrier, "0145678901"))


def test_a_limited_line_makes_fewer_calls_at_once_but_emergency_calls(world: World) -> None:
    caller, callee = talking(world, "0145678901")
    desk = contract(world)
    desk.table()["line.limit"]({"line": "101", "channels": 1})
    assert 'text="limit"' in caller.actor.call("0145678902").fails(480).get("Reason")
    hang_up(*established(caller.actor, callee.actor, "18"))
    desk.table()["line.limit"]({"line": "101"})
    hang_up(*established(caller.actor, callee.actor, "0145678902"))
    hang_up(caller, callee)


@pytest.mark.parametrize("ground", ["2(k)(d)", "stolen", "insolvency"])
def test_where_configured_a_live_call_ends_at_once(world: World, ground: str) -> None:
    caller, callee = talking(world, "0145678901")
    desk = contract(world, "suspended", "stolen", "terminated")
    match ground:
        case "stolen":
            desk.stolen({"line": "101"})
        case "insolvency":
            desk.terminate({"line": "101", "way": ground})
        case _:
            desk.suspend({"line": "101", "ground": ground})
    state = world.exchange.facts.lines["101"].state
    assert state in (LineState.SUSPENDED, LineState.STOLEN, LineState.TERMINATED)
    for side in (caller, callee):
        assert f'text="{state.value}"' in side.expect("BYE").get("Reason")
    [cdr] = world.cdrs
    assert (cdr["ending"], cdr["hangup_by"]) == (state.value, "switch")


@pytest.mark.parametrize("ground", ["2(k)(d)", "stolen", "insolvency"])
def test_an_emergency_call_is_never_cut(world: World, ground: str) -> None:
    caller, callee = talking(world, "18")
    desk = contract(world, "suspended", "stolen", "terminated")
    if ground == "stolen":
        desk.stolen({"line": "101"})
    elif ground == "insolvency":
        desk.terminate({"line": "101", "way": ground})
    else:
        desk.suspend({"line": "101", "ground": ground})
    world.after(60)
    assert len(world.exchange.calls) == 1
    caller.actor.silent()
    callee.actor.silent()


def test_stolen_hardware_that_shows_itself_is_refused_and_told(world: World) -> None:
    phone = world.phone("101")
    contract(world).stolen({"line": "101"})
    assert phone.register().status == 403
    told = [f for name, f in world.events if name == "notice.due" and f["kind"] == "stolen_seen"]
    assert [(each["line"], each["audience"], each["clause"]) for each in told] == [
        ("101", "operator", "2(b)")
    ]


def test_a_stolen_secret_is_known_also_when_the_line_has_another(world: World) -> None:
    """The line was given new hardware: the thief's secret is wrong now, and still says whose it was."""
    line = world.exchange.facts.lines["101"]
    world.exchange.authenticator.use(lambda user, algorithm: "0" * 64)
    world.exchange.authenticator.lost = lambda user, algorithm: line.ha1.get(algorithm)
    assert world.phone("101").register().status == 403
    assert world.phone("102").register().status == 403  # somebody who merely guesses
    told = [f for name, f in world.events if name == "line.stolen_seen"]
    assert {each["line"] for each in told} == {"101"}


@pytest.mark.parametrize(
    ("line", "state", "says"),
    [
        ("101", LineState.SUSPENDED, "suspended"),
        ("101", LineState.UNPAID, "unpaid"),
        ("101", LineState.PENDING, "not_activated"),
        ("101", LineState.TERMINATED, "terminated"),
        ("101", LineState.FRAUD_HOLD, "fraud_hold"),
        ("101", LineState.ACTIVE, "not_permitted"),
    ],
)
def test_a_refused_caller_hears_why(world: World, line: str, state: LineState, says: str) -> None:
    phone, speaker = world.phone(line), world.speaker()
    if state is not LineState.ACTIVE:
        lives = LineLives(world.exchange, world.exchange.facts.renewed)
        lives.change(line, state, "", "a test", 0)
    dialled = "0899123456" if says == "not_permitted" else "0044207946000"
    caller = phone.call(dialled)
    words = speaker.called()
    assert world.speakers.asked == [says]
    words.answer(183, body=sdp("words"))
    caller.expect(183)
    words.answer(403)
    assert f'text="{says}"' in caller.fails(403).get("Reason")
