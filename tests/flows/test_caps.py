"""Caps of minutes and spend, channel limits, and the number that a phone chooses to show."""

from dataclasses import replace
from typing import Any

import pytest

from policy.model import NumberClass
from switch.config import Configuration
from switch.facts.settings import CapSettings
from tests.flows.actors import World, established, hang_up, sdp

ABROAD = "0044123456789"
CAPPED = "international"


def limit_line(world: World, line: str = "101", **changed: Any) -> None:
    """Change a line's definition, as a reload would."""
    facts = world.exchange.facts
    found = facts.lines[line]
    permitted = replace(found.policy, permissions=frozenset(NumberClass))
    changed_line = replace(found, policy=permitted, **changed)
    world.exchange.facts = replace(
        facts,
        lines={**facts.lines, line: changed_line},
        numbers={**facts.numbers, found.number: permitted},
    )


def cap(world: World, number_class: str = CAPPED, **terms: float) -> None:
    limit_line(world, caps={number_class: CapSettings(**terms)})


def used(world: World, number_class: str = CAPPED) -> int:
    return world.exchange.caps.used_ms("101", number_class, world.now)[0]


# -- caps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number_class", "number"),
    [
        ("international", ABROAD),
        ("premium", "0899123456"),
        ("special_paid", "0825123456"),
        ("mobile", "0612345678"),
    ],
)
def test_a_call_is_cut_at_the_cap_and_the_next_refused(
    world: World, number_class: str, number: str
) -> None:
    a, c = world.phone("101"), world.carrier(1)
    cap(world, number_class, minutes_per_day=2)
    established(a, c, number)
    world.after(119.99)
    assert a.got == []
    world.after(0.01)
    assert 'text="limit"' in a.expect("BYE").get("Reason")
    c.expect("BYE")
    (cdr,) = world.cdrs
    assert (cdr["ending"], cdr["hangup_by"], cdr["counted_ms"]) == ("limit", "switch", 120_000)
    refusal = a.call(number).fails(480)
    assert 'text="limit"' in (refusal.get("Reason") or "")
    assert not refusal.has("Retry-After")
    c.silent()
    assert world.cdrs[1]["ending"] == "limit"
    assert world.events[-2][0] == "usage.capped"
    assert world.events[-2][1]["cap"] == "minutes_per_day"


def test_a_cap_of_spend(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    cap(world, euros_per_cycle=1, euros_per_minute=0.5)
    established(a, c, ABROAD)
    world.after(120)
    a.expect("BYE")
    c.expect("BYE")


def test_simultaneous_calls_share_what_is_left(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    cap(world, minutes_per_day=2)
    for _ in range(3):
        established(a, c, ABROAD)
    world.after(39.9)
    assert a.got == []
    world.after(0.1)
    assert a.got == ["BYE", "BYE", "BYE"]
    assert c.got == ["BYE", "BYE", "BYE"]
    assert used(world) == 120_000


def test_ringing_costs_nothing(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    cap(world, minutes_per_day=2)
    caller = a.call(ABROAD)
    c.called().answer(180)
    caller.expect(180)
    world.after(60)
    assert used(world) == 0


def test_a_call_that_ends_counts_what_it_lasted(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    cap(world, minutes_per_day=2)
    caller, callee = established(a, c, ABROAD)
    world.after(50)
    hang_up(caller, callee)
    world.after(100)
    assert used(world) == 50_000
    assert len(world.exchange.caps) == 0
    world.assert_idle()


def test_a_caller_that_never_acknowledges_pays_all_the_same(world: World) -> None:
    """The carrier charges from its 200; withholding the ACK must not be a way around the cap."""
    a, c = world.phone("101"), world.carrier(1)
    cap(world, minutes_per_day=2)
    a.call(ABROAD)
    c.called().answer(200, body=sdp("x"))
    c.expect("ACK")
    world.after(40)
    assert world.cdrs[0]["counted_ms"] == 0
    assert 30_000 <= used(world) <= 33_000


@pytest.mark.parametrize("number", ["18", "0145678901", "102", "3114", "0800123456"])
def test_other_calls_go_on(world: World, number: str) -> None:
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    cap(world, minutes_per_day=0)
    a.call(ABROAD).fails(480)
    a.call(number)
    assert "INVITE" in b.got + c.got


def test_an_emergency_call_outlives_the_cap(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    cap(world, minutes_per_day=1)
    established(a, c, ABROAD)
    world.after(30)
    established(a, c, "18")
    world.after(300)
    (call,) = world.exchange.calls.values()
    assert call.is_emergency


def test_midnight_frees_the_line(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    cap(world, minutes_per_day=1)
    established(a, c, ABROAD)
    world.after(60)
    a.expect("BYE")
    c.expect("BYE")
    a.call(ABROAD).fails(480)
    real = world.exchange.wall
    world.exchange.wall = lambda now: real(now) + 86_400
    a.call(ABROAD)
    c.expect("INVITE")


def test_a_restart_keeps_totals_and_cuts_live_calls_in_time(demo: Configuration) -> None:
    terms = {CAPPED: CapSettings(minutes_per_day=1.5)}
    lines = tuple(line.model_copy(update={"caps": terms}) for line in demo.settings.lines)
    world = World(replace(demo, settings=demo.settings.model_copy(update={"lines": lines})))
    a, c = world.phone("101"), world.carrier(1)
    caller, callee = established(a, c, ABROAD)
    world.after(20)
    hang_up(caller, callee)
    established(a, c, ABROAD)
    world.after(50)
    world = world.restarted(after=10)
    assert used(world) == 80_000
    world.after(9.9)
    assert len(world.exchange.calls) == 1
    world.after(0.1)
    assert not world.exchange.calls
    assert used(world) == 90_000
    assert world.cdrs[-1]["ending"] == "limit"


# -- channels ------------------------------------------------------------------------------------


def test_a_full_line_still_reaches_support(world: World) -> None:
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    limit_line(world, channels=1)
    a.call("102")
    a.call("103").fails(480)
    assert (world.cdrs[0]["ending"], world.cdrs[0]["attempts"]) == ("limit", [])
    assert b.got == ["INVITE"]
    for number in ("+80044331345", "18"):
        a.call(number)
        c.expect("INVITE")


def test_a_full_carrier_still_brings_a_psap(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    trunk = world.exchange.trunks.by_id["carrier-1"]
    trunk.carrier = replace(trunk.carrier, channels=1)
    c.call("+33199000101")
    a.expect("INVITE")
    c.call("+33199000101").fails(503)
    c.call("+33199000101", ("Priority", "psap-callback"))
    a.expect("INVITE")


def test_a_full_carrier_is_passed_over(world: World) -> None:
    a, b, c1, c2 = world.phone("101"), world.phone("102"), world.carrier(1), world.carrier(2)
    trunk = world.exchange.trunks.by_id["carrier-1"]
    trunk.carrier = replace(trunk.carrier, channels=1)
    first = a.call("0145678901")
    callee = c1.called()
    callee.answer(180)
    first.expect(180)
    b.call("0145678901")
    c1.silent()
    c2.expect("INVITE")
    first.cancel()
    first.expect(200)
    c1.reply(c1.expect("CANCEL"), 200)
    callee.answer(487)
    c1.expect("ACK")
    a.call("0145678901")
    c1.expect("INVITE")


def test_an_ended_call_gives_its_channel_back(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    limit_line(world, channels=1)
    caller, callee = established(a, b, "102")
    a.call("102").fails(480)
    hang_up(caller, callee)
    a.call("102")
    b.expect("INVITE")


# -- the number shown ----------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["+33199000102", "0199000102", "0033199000102"])
def test_a_number_of_the_account_is_shown(world: World, asked: str) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("0145678901", ("P-Preferred-Identity", f'"X" <sip:{asked}@vigie>'))
    invite = c.expect("INVITE")
    assert invite.from_.uri.user == "+33199000102"
    assert invite.get_all("P-Asserted-Identity") == ["<sip:+33199000102@127.0.0.1>"]
    assert not invite.has("P-Preferred-Identity")


@pytest.mark.parametrize("asked", ["+33145678901", "+33612345678", "anonymous", "<<"])
def test_any_other_number_is_not(world: World, asked: str) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("0145678901", ("P-Preferred-Identity", f"<sip:{asked}@vigie>"))
    assert c.expect("INVITE").from_.uri.user == "+33199000101"


def test_a_colleague_sees_who_it_is(world: World) -> None:
    a, b = world.phone("101"), world.phone("103")
    a.call("103", ("P-Preferred-Identity", "<sip:+33199000102@vigie>"))
    assert b.expect("INVITE").from_.uri.user == "101"


def test_an_emergency_call_shows_the_line_itself(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("18", ("P-Preferred-Identity", "<sip:+33199000102@vigie>"))
    assert c.expect("INVITE").from_.uri.user == "+33199000101"


def test_the_cdr_names_both(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    caller, callee = established(
        a, c, "0145678901", ("P-Preferred-Identity", "<sip:+33199000102@vigie>")
    )
    hang_up(caller, callee)
    (cdr,) = world.cdrs
    assert (cdr["line"], cdr["src"]) == ("101", "+33199000102")


def test_what_was_used_outlives_a_journal_that_was_shortened(world: World) -> None:
    """A checkpoint restates the totals; the records before it are gone."""
    cap(world, minutes_per_day=2)
    caller, callee = established(world.phone("101"), world.carrier(1), ABROAD)
    world.after(60)
    hang_up(caller, callee)
    exchange = world.exchange
    world = world.restarted(list(exchange.caps.live_records(exchange.wall(world.now))))
    cap(world, minutes_per_day=2)
    assert used(world) == 60_000
    phone = world.phone("101")
    established(phone, world.carrier(1), ABROAD)
    world.after(60)
    assert 'text="limit"' in phone.expect("BYE").get("Reason")
