"""A call that nobody places: the decision and the targets that it would have at this moment."""

from dataclasses import dataclass

from policy.engine import decide
from policy.model import Action, CallRequest, Decision, Step, ToFeature, ToLine, ToNumber
from switch.call.capping import reached_cap
from switch.call.destination import destination_groups
from switch.call.exchange import Exchange
from switch.call.incoming import is_unlimited
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused
from switch.routing.target import Target
from switch.sip.origin import is_address


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was asked of the policy, its answer, and all targets in their order."""

    request: CallRequest
    decision: Decision
    targets: tuple[Target, ...]


def rehearse(exchange: Exchange, args: Args, line: str, call_id: str) -> Rehearsal:
    """Take `dial`, `source_ip`? and `at`? (UTC ms) of `args`; without an address that of the line's
    phone, which is the switch's own machine if none is registered."""
    _check(args)
    now, at = boottime(), args.get("at")
    when = at / 1000 if isinstance(at, int) else exchange.wall(now)
    bindings = exchange.registrar.bindings(line, now)
    source = str(args.get("source_ip") or (bindings[0].source if bindings else "127.0.0.1"))
    request = CallRequest(dialled=str(args["dial"]), line=line, source_ip=source, at=when)
    moment = now + when - exchange.wall(now)
    seen = exchange.sightings.of(line)
    facts = exchange.facts.policy_facts(line, source, moment, seen)
    decision = decide(request, facts, exchange.rules)
    targets: tuple[Target, ...] = ()
    if not isinstance(decision.destination, ToFeature):  # asking for it would take a media slot
        groups = destination_groups(exchange, decision, line, call_id, when, now)
        targets = tuple(target for group in groups for target in group)
    return Rehearsal(request, decision, targets)


def _check(args: Args) -> None:
    if not str(args["dial"]).strip():
        raise CommandRefused("bad_args", "nothing is dialled")
    source = args.get("source_ip")
    if source is not None and not is_address(str(source)):
        raise CommandRefused("bad_args", f"{source} is no IP address")


def limits(exchange: Exchange, found: Rehearsal) -> list[Step]:
    """Steps of `explain` for what would refuse this call at this moment although the rules let it
    pass: the line's channels, a cap, no phone or no carrier that takes it."""
    request, decision = found.request, found.decision
    if decision.action is not Action.CONNECT:
        return []
    steps: list[Step] = []
    line = exchange.facts.lines[request.line or ""]
    live = exchange.live_by_line.get(line.id, 0)
    if live >= line.channels and not is_unlimited(decision):
        because = f"{live} of {line.channels} channels of the line are in use"
        steps.append(Step("channels", "limit", because))
    reached = reached_cap(exchange, request, decision, boottime())
    if reached is not None:
        because = f"{reached[1]} of class {reached[0].number_class} is reached"
        steps.append(Step("cap", "limit", because))
    if not found.targets:
        match decision.destination:
            case ToLine(called):
                steps.append(Step("phones", "limit", f"no phone of line {called} is registered"))
            case ToNumber(route=route):
                steps.append(Step("carriers", "limit", f"no carrier of route {route!r} is up"))
    return steps


def known_line(exchange: Exchange, args: Args) -> str:
    """The line that `args` name; CommandRefused for an unknown one."""
    line = str(args["line"])
    if line not in exchange.facts.lines:
        raise CommandRefused("unknown_line", f"there is no line {line}")
    return line
