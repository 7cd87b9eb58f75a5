"""From a decision to groups of targets: where its destination can be reached at this moment.

A group is tried in parallel, groups one after the other. `explain` asks the same question.
"""

from fnmatch import fnmatchcase

from policy.model import Action, Decision, ToEmergency, ToFeature, ToLine, ToNumber
from switch.call.ending import ENDINGS
from switch.call.exchange import Exchange
from switch.routing.dialplan import EMERGENCY_ROUTE
from switch.routing.select import (
    announcement_target,
    binding_targets,
    carrier_targets,
    emergency_targets,
)
from switch.routing.target import Target

Groups = list[tuple[Target, ...]]


def announcement(exchange: Exchange, decision: Decision, *, early: bool) -> Target | None:
    """The worker that speaks the decision's announcement, as early media or in an answered call;
    None when nobody can."""
    refused = decision.action is not Action.CONNECT
    return _spoken(
        exchange,
        decision.announcement,
        early,
        urgent=decision.action is Action.BLOCK,
        keys=decision.override_key,
        status=ENDINGS[decision.reason].status if refused else 480,
    )


def last_words(exchange: Exchange, *, has_offer: bool) -> Target | None:
    """The worker that says what to do when no route took an emergency call."""
    return _spoken(exchange, "emergency_failed", has_offer, urgent=True)


def _spoken(
    exchange: Exchange, name: str, early: bool, *, urgent: bool, keys: str = "", status: int = 480
) -> Target | None:
    address = exchange.announcer.acquire(name, urgent)
    if address is None:
        return None
    local = exchange.local_flow("UDP", address)
    return announcement_target(
        name, address, local, answer=not early, keys=keys, final_status=status
    )


def destination_groups(
    exchange: Exchange, decision: Decision, line: str | None, call_id: str, at: float, now: float
) -> Groups:
    """Phones in parallel, carriers one by one. `at` is UTC seconds, `now` boottime."""
    match decision.destination:
        case ToLine(callee):
            phones = binding_targets(exchange.registrar.bindings(callee, now), callee)
            return [phones] if phones else []
        case ToEmergency() as emergency:
            carriers = exchange.trunks.for_emergency(_route(exchange, EMERGENCY_ROUTE))
            caller = decision.caller_number
            return _one_by_one(
                emergency_targets(emergency, carriers, caller, exchange.voice, call_id, at)
            )
        case ToNumber() as number:
            carriers = exchange.trunks.able(_route(exchange, number.route))
            return _one_by_one(carrier_targets(number, carriers))
        case ToFeature(name):
            return _feature(exchange, decision, name, line)
        case _:
            return []


def _route(exchange: Exchange, name: str) -> tuple[str, ...]:
    route = exchange.routes.get(name)
    return route.order(exchange.draw) if route else ()


def hears_early_media(exchange: Exchange, line: str | None, user_agent: str) -> bool:
    """Whether the caller's phone plays early media, as far as the settings know."""
    return not any(
        fnmatchcase(f"line:{line}", pattern) or fnmatchcase(user_agent, pattern)
        for pattern in exchange.voice.abroad_answer_mode
    )


def _one_by_one(targets: list[Target]) -> Groups:
    return [(target,) for target in targets]


def _feature(exchange: Exchange, decision: Decision, name: str, line: str | None) -> Groups:
    """A service of the switch itself, played in an answered call."""
    spoken = name
    if name == "readback":
        spoken = (
            f"readback-{line}+{_VERDICTS.get(decision.evidence.level.value, 'verdict-connect')}"
        )
    address = exchange.announcer.acquire(spoken, False)
    if address is None:
        return []
    local = exchange.local_flow("UDP", address)
    return [(announcement_target(spoken, address, local, answer=True),)]


_VERDICTS = {"E3": "verdict-unverified", "E4": "verdict-unverified", "E5": "verdict-block"}
