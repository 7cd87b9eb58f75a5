"""From a decision to groups of targets: where its destination can be reached at this moment.

A group is tried in parallel, groups one after the other. `explain` asks the same question.
"""

from fnmatch import fnmatchcase

from policy.model import (
    Action,
    Decision,
    NumberClass,
    ToEmergency,
    ToFeature,
    ToLine,
    ToNumber,
)
from switch.call import callback
from switch.call.ending import ENDINGS
from switch.call.exchange import Exchange
from switch.routing.dialplan import EMERGENCY_ROUTE
from switch.routing.emergency import EmergencyRouting
from switch.routing.select import (
    announcement_target,
    binding_targets,
    carrier_targets,
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
    outcome = "started" if address is not None else "unavailable"
    # A read-back is named after its line, which has no place in a metric's label.
    kind = "readback" if name.startswith("readback-") else name
    exchange.outbox.note("media.announcement", announcement=kind, outcome=outcome)
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
        case ToLine(callee) if decision.exempt_reason == callback.EXEMPT:
            return callback.phone_groups(exchange, callee, now)
        case ToLine(callee):
            phones = binding_targets(callback.free_phones(exchange, callee, now), callee)
            return [phones] if phones else []
        case ToEmergency() as emergency:
            routing = EmergencyRouting(
                decision.caller_number, exchange.voice, exchange.psap, call_id, at
            )
            return _emergency(exchange, decision, emergency, routing)
        case ToNumber() as number:
            carriers = exchange.trunks.able(_route(exchange, number.route))
            return _one_by_one(carrier_targets(number, carriers))
        case ToFeature(name):
            return _feature(exchange, decision, name, line)
        case _:
            return []


def is_vital(decision: Decision) -> bool:
    """Whether a life may hang on the call: it then goes on to 112, and to the last words."""
    return decision.number_class is NumberClass.EMERGENCY_VITAL


def _emergency(
    exchange: Exchange, decision: Decision, destination: ToEmergency, routing: EmergencyRouting
) -> Groups:
    """The emergency route, then whoever else may carry a call, then 112."""
    trunks, order = exchange.trunks, _route(exchange, EMERGENCY_ROUTE)
    others = dict.fromkeys(
        hop.trunk
        for route in exchange.routes.values()
        for hop in route.hops
        if hop.trunk not in order
    )
    return _one_by_one(
        routing.targets(
            destination,
            trunks.for_emergency(order),
            trunks.for_emergency(others),
            is_vital=is_vital(decision),
        )
    )


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
    target = _spoken(exchange, spoken, False, urgent=False)
    return [] if target is None else [(target,)]


_VERDICTS = {"E3": "verdict-unverified", "E4": "verdict-unverified", "E5": "verdict-block"}
