"""A PSAP calls back: the phone that called rings first, past all that bars other calls."""

from dataclasses import replace

import pytest

from tests.flows.actors import Actor, Talk, World, established, hang_up, sdp

HALF_AN_HOUR = 1800
MARK = ("Priority", "psap-callback")
PSAP = "+33800112112"


def after_an_emergency_call(world: World, phone: Actor, dialled: str = "18") -> None:
    """The phone called for help, and hung up."""
    c = world.carrier(1)
    caller = phone.call(dialled)
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.after(20)
    hang_up(caller, callee)


def call_back(
    world: World, line: str = "101", *headers: tuple[str, str], trunk: int = 1, number: str = PSAP
) -> Talk:
    carrier = world.carrier(trunk)
    return carrier.call(f"+33199000{line}", *headers, from_=f"<sip:{number}@psap>;tag=t{world.now}")


def distrust(world: World) -> None:
    """The carriers are not trusted any more."""
    for trunk in world.exchange.trunks.by_id.values():
        trunk.carrier = replace(trunk.carrier, trusted=False)


@pytest.mark.parametrize("headers", [(), (MARK,)], ids=["by number", "by header"])
def test_the_phone_that_called_rings_alone_at_first(
    world: World, headers: tuple[tuple[str, str], ...]
) -> None:
    other, phone = world.phone("101"), world.phone("101")
    after_an_emergency_call(world, phone)
    number = PSAP if not headers else "+33145000018"
    caller = call_back(world, "101", *headers, number=number)
    callee = phone.called()
    other.silent()
    assert callee.invite.get("Priority") == "psap-callback", "so that the phone lets it through"
    callee.answer(180)
    caller.expect(180)
    world.after(14.9)
    other.silent()
    world.after(0.2)
    second = other.called()
    assert phone.got == [], "and the first goes on ringing"
    second.answer(180)
    callee.answer(200, body=sdp("101"))
    other.reply(second.expect("CANCEL"), 200)
    second.answer(487)
    other.expect("ACK")
    callee.expect("ACK")
    caller.expect(180)
    caller.expect(200)
    caller.ack()
    hang_up(caller, callee)
    cdr = world.cdrs[-1]
    assert (cdr["exempt_reason"], cdr["counted_ms"]) == ("psap_callback", 0)


@pytest.mark.parametrize("status", [480, 486, 603])
def test_when_it_refuses_the_others_ring_at_once(world: World, status: int) -> None:
    other, phone = world.phone("101"), world.phone("101")
    after_an_emergency_call(world, phone)
    caller = call_back(world)
    phone.called().answer(status)
    second = other.called()
    second.answer(180)
    caller.expect(180)
    world.after(100)
    caller.actor.silent()
    second.answer(200, body=sdp("101"))
    caller.expect(200)


def test_its_redirection_is_not_followed(world: World) -> None:
    phone = world.phone("101")
    after_an_emergency_call(world, phone)
    caller = call_back(world)
    phone.reply(phone.called().invite, 302, ("Contact", "<sip:+33612345678@vigie>"))
    caller.fails(603)
    assert not world.exchange.calls


def test_it_rings_beside_an_ordinary_call_of_the_phone(world: World) -> None:
    phone, friend = world.phone("101"), world.phone("102")
    after_an_emergency_call(world, phone)
    established(phone, friend, "102")
    call_back(world)
    phone.called()


def test_it_rings_beside_the_emergency_call_itself(world: World) -> None:
    phone, c = world.phone("101"), world.carrier(1)
    caller = phone.call("18")
    callee = c.called()
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    call_back(world)
    phone.called()


def test_the_window_lasts_half_an_hour_from_the_end_of_the_call(world: World) -> None:
    other, phone = world.phone("101"), world.phone("101")
    after_an_emergency_call(world, phone)
    ended = world.now
    world.after(HALF_AN_HOUR - 1)
    call_back(world)
    phone.expect("INVITE")
    other.silent()
    world.after(ended + HALF_AN_HOUR + 1 - world.now)
    assert "INVITE" not in other.got, "the first call has not ended yet, and its CANCEL came"
    phone.inbox.clear()
    call_back(world)
    phone.expect("INVITE")
    other.expect("INVITE")


def test_the_window_survives_a_kill(world: World) -> None:
    other, phone = world.phone("101"), world.phone("101")
    after_an_emergency_call(world, phone)
    world = world.restarted()
    phone.inbox.clear()  # the BYE may not have left: it is said again
    call_back(world)
    phone.expect("INVITE")
    other.silent()


def test_a_checkpoint_restates_the_window(world: World) -> None:
    other, phone = world.phone("101"), world.phone("101")
    after_an_emergency_call(world, phone)
    exchange = world.exchange
    head = [*exchange.registrar.records(), *exchange.callbacks.records()]
    world = world.restarted(head)
    call_back(world)
    phone.expect("INVITE")
    other.silent()


def test_a_call_that_never_reached_a_carrier_opens_none(world: World) -> None:
    other, phone = world.phone("101"), world.phone("101", "127.0.2.1")
    phone.call("18")
    assert not list(world.exchange.callbacks.records())
    call_back(world)
    other.expect("INVITE")


def test_the_phone_is_known_again_after_it_registered_anew(world: World) -> None:
    other, phone = world.phone("101"), world.phone("101")
    after_an_emergency_call(world, phone)
    phone.register()
    call_back(world)
    phone.expect("INVITE")
    other.silent()


def test_a_contact_that_nobody_can_read_does_not_hinder_the_call(world: World) -> None:
    phone, c = world.phone("101"), world.carrier(1)
    caller = phone.call("18")
    callee = c.called()
    (call,) = world.exchange.calls.values()
    assert call.caller is not None
    assert call.caller.dialog is not None
    call.caller.dialog.remote_target = "nonsense"
    callee.answer(200, body=sdp("psap"))
    callee.expect("ACK")
    caller.expect(200)
    caller.ack()
    world.phone("102").call("101").fails(486)


@pytest.mark.parametrize("line", ["105", "108"])
@pytest.mark.parametrize("in_window", [True, False])
def test_suspension_does_not_stop_it(world: World, line: str, in_window: bool) -> None:
    phone = world.phone(line)
    if in_window:
        after_an_emergency_call(world, phone)
    call_back(world, line, MARK)
    phone.called()


def test_a_terminated_line_is_not_called_back(world: World) -> None:
    caller = call_back(world, "106", MARK)
    caller.fails(404)


def test_no_limit_stops_it(world: World) -> None:
    phone = world.phone("101")
    after_an_emergency_call(world, phone)
    exchange = world.exchange
    exchange.is_draining = True
    exchange.settings = replace(exchange.settings, max_calls=0)
    line = exchange.facts.lines["101"]
    exchange.live_by_line["101"] = line.channels
    for trunk in exchange.trunks.by_id.values():
        trunk.carrier = replace(trunk.carrier, channels=0)
    call_back(world)
    phone.called()
    ordinary = world.carrier(1).call("+33199000101", from_="<sip:+33145000000@x>;tag=9")
    ordinary.fails(503)


@pytest.mark.parametrize("headers", [(), (MARK,)], ids=["by number", "by header"])
def test_a_forged_one_is_an_ordinary_call(
    world: World, headers: tuple[tuple[str, str], ...]
) -> None:
    other, phone = world.phone("101"), world.phone("101")
    after_an_emergency_call(world, phone)
    distrust(world)
    call_back(world, "101", *headers)
    assert phone.expect("INVITE").get("Priority") is None, "nor does the phone believe it"
    other.expect("INVITE")
    suspended = world.phone("105")
    call_back(world, "105", *headers).fails(403)
    suspended.silent()
    world.exchange.is_draining = True
    call_back(world, "101", *headers).fails(503)


def test_a_phone_can_not_claim_it(world: World) -> None:
    phone, suspended = world.phone("101"), world.phone("105")
    phone.call("105", MARK)
    suspended.silent()
    callee = world.phone("102")
    phone.call("102", MARK)
    assert callee.expect("INVITE").get("Priority") is None


def test_another_priority_of_a_carrier_still_crosses(world: World) -> None:
    phone = world.phone("101")
    world.carrier(1).call(
        "+33199000101", ("Priority", "urgent"), from_="<sip:+33145000000@x>;tag=9"
    )
    assert phone.expect("INVITE").get("Priority") == "urgent"
