"""Scenes of whole calls through the switch: SIP in, CDR and meter out."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from policy.acceptable_use.window import BRIEF_MS
from policy.engine import decide
from policy.model import CallRequest
from switch import config
from switch.clock import boottime, wall
from switch.console.cdr import is_billable
from switch.facts.snapshot import Snapshot
from switch.terms.outline import Circumstances, outline
from tests.flows.actors import DEMO, Actor, World, established, hang_up, sdp
from tests.switch.usage.placed import LINE, Placed, next_call, outcome
from tests.switch.usage.vector_meters import PERCENT
from tests.switch.usage.vector_scenes import Values, scene

OUTSIDE = "0145678901"
STRANGER = "+33612345678"
ABROAD = "127.0.2.9"


@cache
def demo() -> config.Configuration:
    return config.load(DEMO)


def placed(**case: Any) -> tuple[World, Values]:
    """Place a call as cases/calls.toml tells it; what remains of it."""
    world = World(demo())
    with pytest.MonkeyPatch.context() as patch:
        Placed(world, {"dial": OUTSIDE, **case}, patch).place()
    return world, left(world)


def left(world: World) -> Values:
    """What may be expected of the last call."""
    shown, cdr = outcome(world), world.cdrs[-1]
    return {
        **shown,
        "flag": "never_established" if shown["ending"] == "not_acknowledged" else None,
        "segments": shown["usage_records"],
        "stops": shown["usage_records"],
        "leg": "forward" if shown["forwarded_by"] else shown["direction"],
        "cdr": True,
        "on_invoice": is_billable(cdr),
        "exempt_reason": cdr["exempt_reason"],
        "emergency": cdr["emergency"],
        "event": f"emergency.{shown['audited']}" if shown["audited"] else None,
        "notices": shown["crossed"].count(100),
        "call_cut": cdr["hangup_by"] != "caller",
        "tone": bool(world.speakers.asked),
        "short_call": cdr["end"] - (cdr["answer"] or cdr["end"]) <= BRIEF_MS,
        "forwarding_bypassed": cdr["forwarded_by"] is None,
    }


# -- when a call counts ------------------------------------------------------------------------------


@scene("ring_ms", "final")
def rings(given: Values, _: Values) -> Values:
    final = int(given["final"])
    end = {"cancel": True} if final == 487 else {"final": final}
    return placed(ring_s=given["ring_ms"] / 1000, **end)[1]


@scene("183_media_ms", "final")
def early_media(given: Values, _: Values) -> Values:
    final = int(given["final"])
    return placed(ring_s=given["183_media_ms"] / 1000, progress=183, final=final)[1]


@scene("200_at", "bye_at", maybe=("ack", "ack_at"))
def answered(given: Values, _: Values) -> Values:
    """A 200 that comes more than once is what the switch sends until its ACK comes."""
    talk_s = given["bye_at"] / 1000
    if given.get("ack_at") is None:
        return placed(ack=False, talk_s=talk_s + 1)[1]
    return placed(ack_after_s=given["ack_at"] / 1000, talk_s=talk_s)[1]


@scene("answer", "bye", maybe=("hold", "reinvite_200"))
def talks(given: Values, _: Values) -> Values:
    begin = given["answer"]
    steps = [{"at": (at - begin) / 1000, "do": "reinvite"} for at in given.get("reinvite_200", ())]
    for at, do in zip(given.get("hold", ()), ("hold", "resume"), strict=False):
        steps.append({"at": (at - begin) / 1000, "do": do})
    return placed(talk_s=(given["bye"] - begin) / 1000, steps=steps)[1]


@scene("answer", "bye_from_a", "bye_from_b")
def glare(given: Values, _: Values) -> Values:
    assert given["bye_from_b"] - given["bye_from_a"] == 4, "what `both` does"
    return placed(talk_s=given["bye_from_a"] / 1000, bye="both")[1]


@scene("t38_ms")
def fax(given: Values, _: Values) -> Values:
    return placed(talk_s=given["t38_ms"] / 1000, steps=[{"at": 0.1, "do": "t38"}])[1]


@scene("200", "kept", "bye_b2", "bye_b1")
def two_answers(given: Values, _: Values) -> Values:
    """Two phones of a line answer 20 ms apart."""
    world = World(demo())
    phones = [world.phone(LINE), world.phone(LINE)]
    carrier = world.carrier(1)
    caller = carrier.call("+33199000101", from_=f"<sip:{STRANGER}@carrier>;tag=in")
    first, second = (phone.called() for phone in phones)
    (at, _name), (later, _other) = given["200"]
    for callee in (first, second):
        callee.answer(180)
    caller.expect(180)
    first.answer(200, body=sdp("b1"))
    caller.expect(200)
    caller.ack()
    world.after((later - at) / 1000)
    second.answer(200, body=sdp("b2"))
    assert set(phones[1].got) >= {"CANCEL", "ACK", "BYE"}
    phones[0].inbox.clear()
    world.after((given["bye_b1"] - later) / 1000)
    caller.send("BYE")
    return left(world)


# -- which calls count -------------------------------------------------------------------------------


@scene("dial", maybe=("ms", "location"))
def dialled(given: Values, _: Values) -> Values:
    """One number, or several of which all must show the same."""
    numbers = given["dial"] if isinstance(given["dial"], list) else [given["dial"]]
    found = [_dial(number, given) for number in numbers]
    common = found[0].items()
    return {key: value for key, value in common if all(each[key] == value for each in found)}


def _dial(number: str, given: Values) -> Values:
    if given.get("location") == "outside FR":
        return placed(dial=number, address=ABROAD, cancel=True)[1]
    if "ms" not in given:
        return _decided(number)
    world, shown = placed(dial=number, talk_s=given["ms"] / 1000)
    plan = world.exchange.rules.plan
    call = outline(
        world.cdrs[-1],
        Circumstances("Europe/Paris"),
        lambda text: plan.classify_canonical(plan.canonical(text)).number_class,
    )
    return {**shown, "detector_ms": call.duration_ms}


def _decided(number: str) -> Values:
    """What the policy says of a number, and what ten minutes of it come to on the meter."""
    world = World(demo())
    exchange, source, now = world.exchange, "127.0.0.1", boottime()
    request = CallRequest(number, LINE, source, wall())
    facts = exchange.facts.policy_facts(LINE, source, now, exchange.sightings.of(LINE))
    decision = decide(request, facts, exchange.rules)
    exempt: Any = decision.exempt_reason
    cycle = exchange.calendar(exchange.facts.accounts["demo"]).cycle_at(round(wall() * 1000))
    exchange.meters.start("a", LINE, "outbound", now, wall(), exempt, cycle)
    exchange.meters.confirm("a")
    return {
        "used_ms": exchange.meters.stop("a", now + 600),
        "emergency": decision.number_class.value.startswith("emergency"),
        "exempt_reason": exempt,
    }


@scene("inbound_from", "within_s", "ms")
def call_back(given: Values, _: Values) -> Values:
    """A PSAP calls back so many seconds after an emergency call; the phone that called rings."""
    assert given["inbound_from"] == "psap"
    world = World(demo())
    phone, carrier = world.phone(LINE), world.carrier(1)
    hang_up(*established(phone, carrier, "18"))
    world.after(given["within_s"])
    phone.register()
    caller = carrier.call(
        "+33199000101", ("Priority", "psap-callback"), from_="<sip:+33145000018@psap>;tag=in"
    )
    callee = phone.called()
    callee.answer(200, body=sdp(LINE))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.after(given["ms"] / 1000)
    caller.send("BYE")
    return left(world)


@scene("ext_to_ext_ms", maybe=("other_account", "used_ms"))
def between_lines(given: Values, _: Values) -> Values:
    """101 calls 102: of one account, or of two."""
    world = World(demo())
    exchange = world.exchange
    if given.get("other_account"):
        exchange.facts = _moved_out(exchange.facts, "102")
    for line, used in given.get("used_ms", {}).items():
        cycle = exchange.calendar(exchange.facts.accounts["demo"]).cycle_at(
            round(exchange.wall(world.now) * 1000)
        )
        reached = [each for each in (80, 90, 100) if used >= each * PERCENT]
        exchange.meters.load(
            line, cycle, {"outbound": used}, reached, world.now, exchange.wall(world.now)
        )
    a, b = world.phone(LINE), world.phone("102")
    caller, _callee = established(a, b, "+33199000102" if given.get("other_account") else "102")
    _pass_time(world, given["ext_to_ext_ms"] / 1000, a, b)
    used_ms = {line: exchange.meters.used_ms(line, world.now) for line in (LINE, "102")}
    caller.send("BYE")
    crossed = sorted(
        [str(fields["line"]), fields["percentage"]]
        for name, fields in world.events
        if name == "usage.threshold"
    )
    both = set(used_ms.values())
    return {
        "used_ms": both.pop() if len(both) == 1 else used_ms,
        "by_line": used_ms,
        "crossed": crossed,
        "cdrs": len(world.cdrs),
        "exempt_reason": world.cdrs[-1]["exempt_reason"],
    }


def _moved_out(facts: Snapshot, line: str) -> Snapshot:
    """A line of the demonstration belongs to another account."""
    other = facts.accounts["demo"].model_copy(update={"id": "other"})
    known = facts.lines[line]
    moved = replace(known, account="other", policy=replace(known.policy, account="other"))
    extensions = {key: each for key, each in facts.extensions.items() if each.id != line}
    return replace(
        facts,
        accounts={**facts.accounts, "other": other},
        lines={**facts.lines, line: moved},
        numbers={**facts.numbers, known.number: moved.policy},
        extensions=extensions,
    )


def _pass_time(world: World, seconds: float, *phones: Actor) -> None:
    """Phones answer what keeps a session alive."""
    end = world.now + seconds
    while world.now < end:
        world.after(min(30.0, end - world.now))
        for phone in phones:
            for message in list(phone.inbox):
                phone.inbox.remove(message)
                if getattr(message, "method", "ACK") != "ACK":
                    phone.reply(message, 200)


@scene("inbound", "forward_leg")
def forwarded(given: Values, _: Values) -> Values:
    begin, end = given["forward_leg"]
    ring_s, talk_s = (begin - given["inbound"][0]) / 1000, (end - begin) / 1000
    case = {"from": STRANGER, "forwarded_by": LINE, "ring_s": ring_s, "talk_s": talk_s}
    return placed(**case)[1]


# -- what reaching the threshold does ----------------------------------------------------------------


@scene("used_ms", "call_ms")
def reached_in_a_call(given: Values, _: Values) -> Values:
    used, talk_s = given["used_ms"], given["call_ms"] / 1000
    return placed(used_ms=used, crossed=_reached(used), talk_s=talk_s)[1]


@scene("used_pct")
def after_it(given: Values, _: Values) -> Values:
    used = given["used_pct"] * PERCENT
    world, shown = placed(used_ms=used, crossed=_reached(used), talk_s=60)
    return {**shown, "admitted": world.cdrs[-1]["disposition"] == "answered"}


def _reached(used_ms: int) -> list[int]:
    return [each for each in (80, 90, 100) if used_ms >= each * PERCENT]


@scene("store")
def without_a_store(given: Values, _: Values) -> Values:
    """No database is there in a flow at all: the call goes through, and the journal has what it left."""
    assert given["store"] == "unavailable"
    world, shown = placed(talk_s=60)
    rescue = World(demo())
    carrier = rescue.carrier(1)
    rescue.phone(LINE).call("112")
    kept = {kind for kind in ("usage", "cdr") if world.records(kind)}
    return {
        "admitted": shown["disposition"] == "answered",
        "journal": "local" if kept == {"usage", "cdr"} else None,
        "emergency": carrier.got == ["INVITE"],
    }


@scene("line", "did", "ms")
def renumbered(given: Values, _: Values) -> Values:
    """One call for each number that the line has, one after the other."""
    world = World(demo())
    numbers = {did: f"+3319900019{n}" for n, did in enumerate(given["did"])}
    with pytest.MonkeyPatch.context() as patch:
        for did, ms in zip(given["did"], given["ms"], strict=True):
            call = Placed(world, {"dial": OUTSIDE, "talk_s": ms / 1000}, patch)
            number = numbers[did]
            call.change(
                lambda line, number=number: replace(
                    line, number=number, policy=replace(line.policy, number=number)
                )
            )
            call.place()
    assert [cdr["src"] for cdr in world.cdrs] == list(numbers.values())
    return {f"{given['line']}_ms": outcome(world)["used_ms"]}


@scene("line", "device", "ms")
def replaced(given: Values, _: Values) -> Values:
    """One call from each device that the line has, one after the other."""
    world = World(demo())
    with pytest.MonkeyPatch.context() as patch:
        for ms in given["ms"]:  # each with a phone of its own
            Placed(world, {"dial": OUTSIDE, "talk_s": ms / 1000}, patch).place()
    assert len(world.cdrs) == len(given["device"])
    return {f"{given['line']}_ms": outcome(world)["used_ms"]}


@scene("suspend_at_ms", "bye", "release_active")
def suspended(given: Values, _: Values) -> Values:
    assert not given["release_active"], "what the demonstration is configured for"
    world = World(demo())
    steps = [{"at": given["suspend_at_ms"] / 1000, "do": "suspend"}]
    with pytest.MonkeyPatch.context() as patch:
        call = Placed(
            world, {"dial": OUTSIDE, "talk_s": given["bye"] / 1000, "steps": steps}, patch
        )
        call.place()
        shown = left(world)
        after = {"next_outbound": next_call(call, OUTSIDE), "next_112": next_call(call, "112")}
    return {**shown, **after}


@scene("plan_at_answer", "plan_changed_at_ms", "bye")
def plan(given: Values, _: Values) -> Values:
    assert given["plan_at_answer"] == "unlimited", "what the line of the demonstration has"
    steps = [{"at": given["plan_changed_at_ms"] / 1000, "do": "per_minute"}]
    return placed(talk_s=given["bye"] / 1000, steps=steps)[1]
