"""Overload and drain (the switch refuses what it can, never what someone's safety hangs on)."""

import pytest

from switch.call.shedding import SHED_ABOVE_S, SHED_REGISTER_ABOVE_S, Shedding
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.parser import parse
from tests.flows.actors import Actor, World, established


def overloaded(world: World, age: float = 1.0) -> Shedding:
    """The state after a second in which each datagram waited for `age`."""
    shedding = Shedding(world.exchange)
    for tick in range(1000):
        now = world.now + tick / 1000
        shedding.measure(now - age, now)
    return shedding


def refused(shedding: Shedding, request: Request, flow: Flow) -> Response | None:
    answer = shedding.refusal(request.to_bytes(), flow)
    if answer is None:
        return None
    response = parse(answer)
    assert isinstance(response, Response)
    return response


def test_overload_begins_with_old_datagrams_and_ends_with_fresh_ones(world: World) -> None:
    shedding = overloaded(world)
    assert shedding.is_overloaded and shedding.age == pytest.approx(1.0, rel=0.01)
    assert not shedding.measure(
        world.now + 10, world.now + 10
    )  # nothing for a while, then a fresh one
    assert [name for name, _ in world.exchange.outbox.events] == [
        "overload.started",
        "overload.ended",
    ]


def test_a_pause_of_the_machine_is_no_overload(world: World) -> None:
    shedding = Shedding(world.exchange)
    assert not shedding.measure(world.now - 0.5, world.now)


def test_waiting_below_the_limit_is_no_overload(world: World) -> None:
    assert not overloaded(world, SHED_ABOVE_S * 0.9).is_overloaded


def test_a_phone_gets_480_and_nothing_that_silences_it(world: World) -> None:
    phone = world.phone("101")
    shedding = overloaded(world)
    invite = phone.request("INVITE", "sip:102@vigie")
    response = refused(shedding, invite, phone.flow)
    assert response is not None and response.status == 480
    assert response.get("Reason") == 'Q.850;cause=42;text="overload"'
    assert not response.has("Retry-After")
    assert response.via.branch == invite.via.branch and response.to_tag
    again = refused(shedding, invite, phone.flow)
    assert again is not None and again.to_tag == response.to_tag  # a repetition, not a fork
    assert shedding.refused == 2
    assert len(world.exchange.transactions) == world.exchange.transactions.server_count
    assert not world.exchange.calls


def test_a_carrier_gets_503_without_retry_after(world: World) -> None:
    carrier = world.carrier()
    response = refused(
        overloaded(world), carrier.request("INVITE", "sip:+33199000101@v"), carrier.flow
    )
    assert response is not None and response.status == 503
    assert not response.has("Retry-After")


@pytest.mark.parametrize(
    "uri",
    [
        "sip:18@vigie",
        "sips:112@vigie;x=y",
        "sip:1%38@vigie",
        "tel:15",
        "urn:service:sos.fire",
        "sip:\x80",
        " sip:18@vigie",
        "<sip:18@vigie>",
        "urn:service:sos?x",
    ],
)
def test_an_emergency_call_is_never_refused(world: World, uri: str) -> None:
    phone = world.phone("101")
    octets = (
        phone.request("INVITE", "sip:102@vigie")
        .to_bytes()
        .replace(b"sip:102@vigie", uri.encode(), 1)
    )
    assert overloaded(world).refusal(octets, phone.flow) is None


def test_a_psap_that_calls_back_is_never_refused(world: World) -> None:
    carrier, phone = world.carrier(), world.phone("101")
    callback = ("priority", "PSAP-callback")
    shedding = overloaded(world)
    invite = carrier.request("INVITE", "sip:+33199000101@v", callback)
    assert refused(shedding, invite, carrier.flow) is None
    assert refused(shedding, phone.request("INVITE", "sip:102@v", callback), phone.flow) is not None
    for number in ("+33800112112", "0800112112"):
        caller = f"<sip:{number}@psap>;tag=1"
        invite = carrier.request("INVITE", "sip:+33199000101@v", from_=caller)
        assert refused(shedding, invite, carrier.flow) is None
        assert shedding.turn_of(invite.to_bytes(), carrier.flow) == 0
    other = carrier.request("INVITE", "sip:+33199000101@v", from_="<sip:+33145000000@x>;tag=1")
    assert refused(shedding, other, carrier.flow) is not None


def test_what_is_under_way_is_never_refused(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    shedding = overloaded(world)
    for method in ("ACK", "BYE", "CANCEL", "PRACK", "UPDATE"):
        assert refused(shedding, a.request(method, "sip:102@v"), a.flow) is None, method
    within = a.request("INVITE", "sip:102@v", to="<sip:102@v> ; Tag = x")
    assert refused(shedding, within, a.flow) is None
    assert shedding.refusal(b"SIP/2.0 200 OK\r\n\r\n", a.flow) is None
    assert shedding.refusal(b"\r\n\r\n", a.flow) is None
    assert shedding.refusal(b"INVITE sip:102@v SIP/2.0\r\nbroken", a.flow) is None  # 400 tells more
    established(a, b, "102")


def test_a_refresh_is_never_refused_and_a_new_registration_last(world: World) -> None:
    phone = Actor(world, "101", Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.1", 20999)), "demo-101")
    new = phone.request("REGISTER", "sip:vigie", to="<sip:101@vigie>")
    assert (
        refused(overloaded(world, (SHED_ABOVE_S + SHED_REGISTER_ABOVE_S) / 2), new, phone.flow)
        is None
    )
    shedding = overloaded(world, 2 * SHED_REGISTER_ABOVE_S)
    assert refused(shedding, new, phone.flow) is not None
    new.add("Authorization", 'Digest username="101"')
    assert refused(shedding, new, phone.flow) is None


def test_a_drain_refuses_calls_but_neither_registrations_nor_emergencies(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier()
    world.exchange.is_draining = True
    assert phone.register().status == 200
    refusal = phone.call("102").expect(480)
    assert refusal.get("Reason") == 'Q.850;cause=42;text="draining"'
    phone.call("18")
    assert carrier.called().invite.uri.startswith("sip:18@")


def test_the_ack_to_a_refusal_is_let_go_unread_and_any_other_is_not(world: World) -> None:
    phone = world.phone("101")
    shedding = overloaded(world)
    invite = phone.request("INVITE", "sip:102@vigie")
    response = refused(shedding, invite, phone.flow)
    assert response is not None
    ack = phone.request("ACK", "sip:102@vigie", to=response.get("To") or "")
    ack.set("Via", invite.get("Via") or "")
    now = world.now + 1
    assert shedding.take(ack.to_bytes(), phone.flow, now, now)
    ack.set("Via", phone.request("ACK", "sip:102@vigie").get("Via") or "")
    assert not shedding.take(ack.to_bytes(), phone.flow, now, now)


def test_only_what_begins_something_is_measured(world: World) -> None:
    phone = world.phone("101")
    shedding = overloaded(world)
    now = world.now + 10
    bye = phone.request("BYE", "sip:102@v").to_bytes()
    assert not shedding.take(bye, phone.flow, now, now)
    assert shedding.is_overloaded
    emergency = phone.request("INVITE", "sip:18@vigie").to_bytes()
    assert not shedding.take(emergency, phone.flow, now, now)


def test_overload_ends_in_silence_too(world: World) -> None:
    shedding = overloaded(world)
    shedding.rest(world.now + 1.1)
    assert shedding.is_overloaded
    shedding.rest(world.now + 2)
    assert not shedding.is_overloaded
    assert world.exchange.outbox.events[-1][0] == "overload.ended"


@pytest.mark.parametrize(
    ("method", "uri", "fields", "turn", "strangers"),
    [
        ("INVITE", "sip:102@v", (), 2, 2),
        ("OPTIONS", "sip:102@v", (), 2, 2),
        ("REGISTER", "sip:v", (), 2, 2),
        ("INVITE", "sip:18@v", (), 0, 1),
        ("INVITE", "urn:service:sos", (), 0, 1),
        ("INVITE", "sip:102@v", (("Priority", "psap-callback"),), 1, 1),
        ("BYE", "sip:102@v", (), 0, 0),
        ("CANCEL", "sip:102@v", (), 0, 0),
        ("ACK", "sip:102@v", (), 0, 0),
    ],
)
def test_whose_turn_it_is(
    world: World,
    method: str,
    uri: str,
    fields: tuple[tuple[str, str], ...],
    turn: int,
    strangers: int,
) -> None:
    """Strangers who flood the switch with calls for help don't delay those of its phones."""
    phone = world.phone("101")
    data, shedding = phone.request(method, uri, *fields).to_bytes(), Shedding(world.exchange)
    moved = phone.flow._replace(remote=("127.0.0.1", 19_999))  # a NAT gave it another port
    assert shedding.turn_of(data, phone.flow) == turn
    assert shedding.turn_of(data, moved) == turn
    stranger = phone.flow._replace(remote=("127.0.0.77", 5060))
    assert shedding.turn_of(data, stranger) == strangers


def test_what_belongs_to_a_dialog_cannot_wait(world: World) -> None:
    phone = world.phone("101")
    within = phone.request("INVITE", "sip:102@v", to="<sip:102@v>;tag=x")
    shedding = Shedding(world.exchange)
    for data in (within.to_bytes(), b"SIP/2.0 200 OK\r\n\r\n", b"\r\n\r\n"):
        assert shedding.turn_of(data, phone.flow) == 0


def test_a_registered_phone_that_refreshes_without_credentials_is_not_refused(world: World) -> None:
    phone = world.phone("101")
    shedding = overloaded(world, 2 * SHED_REGISTER_ABOVE_S)
    refresh = phone.request("REGISTER", "sip:vigie", to="<sip:101@vigie>")
    assert refused(shedding, refresh, phone.flow) is None
    stranger = Flow("UDP", phone.flow.local, ("127.0.0.1", 20998))
    assert refused(shedding, refresh, stranger) is not None
