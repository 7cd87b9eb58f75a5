"""Requests outside any dialog, and INVITEs that make no call."""

import pytest

from tests.flows.actors import World, established, hang_up, sdp


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("SUBSCRIBE", 489),
        ("REFER", 405),
        ("PUBLISH", 405),
        ("MESSAGE", 405),
        ("BYE", 481),
        ("CANCEL", 481),
        ("INFO", 481),
        ("NOTIFY", 481),
        ("UPDATE", 481),
        ("PRACK", 481),
        ("FROBNICATE", 501),
    ],
)
def test_methods(world: World, method: str, status: int) -> None:
    a = world.phone("101")
    a.ask(method, "sip:102@vigie")
    response = a.expect(status)
    if status in (405, 501):
        assert "REFER" not in response.get("Allow")
    if status == 489:
        assert response.has("Allow-Events")
    a.silent()


def test_a_stray_ack_is_dropped(world: World) -> None:
    a = world.phone("101")
    a.ask("ACK", "sip:102@vigie", to="<sip:102@vigie>;tag=nobody")
    a.silent()


def test_no_hops_left(world: World) -> None:
    a = world.phone("101")
    a.call("102", max_forwards="0").fails(483)


def test_unknown_requirements(world: World) -> None:
    a, _b = world.phone("101"), world.phone("102")
    refusal = a.call("102", ("Require", "precondition, 100rel")).fails(420)
    assert refusal.get("Unsupported") == "precondition"
    a.call("102", ("Require", "replaces")).fails(420)


def test_a_body_that_is_no_session_description(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    refusal = a.call("102", body=b"x", content_type="application/x-secret").fails(415)
    assert refusal.get("Accept") == "application/sdp"
    b.silent()


def test_an_interval_below_the_minimum(world: World) -> None:
    a, _b = world.phone("101"), world.phone("102")
    refusal = a.call("102", ("Supported", "timer"), ("Session-Expires", "30")).fails(422)
    assert refusal.get("Min-SE") == "90"
    world.assert_idle()


def test_a_request_that_arrives_by_two_ways_is_merged(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller = a.call("102")
    b.expect("INVITE")
    copy = a.request("INVITE", "sip:102@vigie", body=sdp("101"))
    for name in ("From", "Call-ID", "CSeq", "Authorization"):
        copy.set(name, caller.invite.get(name) or "")
    a.put(copy)
    assert 'text="loop"' in a.expect(482).get("Reason")
    b.silent()


def test_an_unknown_extension(world: World) -> None:
    a = world.phone("101")
    assert 'text="unknown_number"' in a.call("199").fails(404).get("Reason")


def test_a_phone_without_credentials_is_challenged(world: World) -> None:
    a = world.phone("101")
    a.password, a.challenge = "", None
    a.call("102").fails(401)


def test_a_channel_limit(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    limit = world.exchange.facts.lines["101"].channels
    for _ in range(limit):
        a.call("102")
    b.got  # noqa: B018
    refusal = a.call("102").fails(480)
    assert 'Q.850;cause=34;text="limit"' in refusal.get("Reason")
    assert world.speakers.asked == []


def test_a_stun_request_and_a_keepalive_are_answered(world: World) -> None:
    flow = world.phone("101").flow
    world.core.on_datagram(b"\r\n\r\n", flow, world.now, world.now)
    assert world.exchange.outbox.datagrams == [(flow, b"\r\n")]


def test_draining_takes_no_new_call_but_an_emergency_call(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    world.exchange.is_draining = True
    assert 'text="draining"' in a.call("102").fails(480).get("Reason")
    c.call("+33199000101").fails(503)
    assert [(cdr["line"], cdr["ending"]) for cdr in world.cdrs] == [("101", "draining")] * 2
    assert a.register().status == 200
    a.call("18")
    c.expect("INVITE")


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "BYE", "UPDATE"])
def test_an_unknown_extension_is_named(world: World, method: str) -> None:
    a = world.phone("101")
    a.ask(method, "sip:vigie", ("Require", "nothing-has-this"))
    assert a.expect(420).get("Unsupported") == "nothing-has-this"


def test_an_unknown_extension_in_a_dialog_ends_nothing(world: World) -> None:
    caller, callee = established(world.phone("101"), world.phone("102"), "102")
    caller.send("UPDATE", ("Require", "precondition"), body=sdp("101", 2))
    assert caller.expect(420).get("Unsupported") == "precondition"
    hang_up(caller, callee)


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE", "MESSAGE"])
def test_a_scheme_that_nobody_speaks_is_416(world: World, method: str) -> None:
    a = world.phone("101")
    a.ask(method, "soap.beep://192.0.2.103:3002")
    a.expect(416)
