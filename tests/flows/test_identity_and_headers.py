"""Who calls (RFC 3323, RFC 3325), and which fields cross (the table of switch.call.headers)."""

import pytest

from switch.call.headers import CROSSING_REQUEST, FROM_TRUNK
from tests.flows.actors import World, established, sdp

CROSS_FROM_A_PHONE = sorted(CROSSING_REQUEST["INVITE"] - FROM_TRUNK)


def test_the_number_is_the_lines_whatever_the_phone_writes(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call(
        "0145678901",
        ("P-Asserted-Identity", "<sip:+33140000000@evil>"),
        ("P-Preferred-Identity", "<sip:+33140000000@evil>"),
        ("Remote-Party-ID", "<sip:+33140000000@evil>"),
        from_='"The President" <sip:+33140000000@evil>;tag=1',
    )
    invite = c.expect("INVITE")
    text = invite.to_bytes()
    assert b"140000000" not in text and b"evil" not in text
    assert invite.from_.uri.user == "+33199000101"
    assert invite.get_all("P-Asserted-Identity") == ["<sip:+33199000101@127.0.0.1>"]


def test_a_colleague_sees_the_extension_or_the_number(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    a.call("102")
    invite = b.expect("INVITE")
    assert invite.from_.uri.user in ("101", "+33199000101")
    assert not invite.has("P-Asserted-Identity")


@pytest.mark.parametrize("privacy", ["id", "user", "header;id"])
def test_a_withheld_number(world: World, privacy: str) -> None:
    """Withheld from the callee, told to the trusted carrier."""
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    a.call("0145678901", ("Privacy", privacy))
    invite = c.expect("INVITE")
    assert invite.from_.uri.host == "anonymous.invalid"
    assert "+33199000101" in invite.get("P-Asserted-Identity")
    assert "id" in invite.get("Privacy")
    a.call("102", ("Privacy", privacy))
    invite = b.expect("INVITE")
    assert b"199000101" not in invite.to_bytes()
    assert b"sip:101@" not in invite.to_bytes()


def test_only_one_privacy_field(world: World) -> None:
    a, c = world.phone("101"), world.carrier(1)
    a.call("0145678901", ("Privacy", "id"))
    assert len(c.expect("INVITE").get_all("Privacy")) == 1


@pytest.mark.parametrize("name", CROSS_FROM_A_PHONE)
def test_a_field_of_the_table_crosses(world: World, name: str) -> None:
    a, b = world.phone("101"), world.phone("102")
    a.call("102", (name, "<sip:x@y>"))
    assert b.expect("INVITE").get(name) == "<sip:x@y>"


@pytest.mark.parametrize(
    "name",
    [
        "P-Access-Network-Info",
        "P-Charging-Vector",
        "Geolocation",
        "Resource-Priority",
        "X-Anything",
        "Organization",
        "Call-Info",
        "Server",
        "User-Agent",
        "Authorization",
        "Accept-Contact",
        "Priority",
    ],
)
def test_other_fields_of_a_phone_stay(world: World, name: str) -> None:
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    mark = "only-here" if name != "Authorization" else 'Digest username="only-here"'
    fields = [(name, mark)] if name != "Authorization" else []
    a.call("102", *fields)
    a.call("0145678901", *fields)
    for phone in (b, c):
        invite = phone.expect("INVITE")
        assert b"only-here" not in invite.to_bytes()
        assert not invite.has("Authorization")


def test_identity_crosses_towards_a_carrier_only(world: World) -> None:
    a, b, c = world.phone("101"), world.phone("102"), world.carrier(1)
    a.call("0145678901", ("Identity", "abc;info=<https://x>"))
    assert c.expect("INVITE").get("Identity") == "abc;info=<https://x>"
    a.call("102", ("Identity", "abc;info=<https://x>"))
    assert not b.expect("INVITE").has("Identity")


def test_a_long_history_is_cut(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    a.call("102", *[("Diversion", f"<sip:{n}@y>") for n in range(30)])
    assert len(b.expect("INVITE").get_all("Diversion")) == 10


def test_max_forwards_counts_down(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    a.call("102", max_forwards="7")
    assert b.expect("INVITE").max_forwards == 6


def test_the_reason_of_a_bye_crosses(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("BYE", ("Reason", "Q.850;cause=16"), ("X-Secret", "1"))
    bye = callee.expect("BYE")
    assert bye.get("Reason") == "Q.850;cause=16"
    assert not bye.has("X-Secret")


# -- requests that cross in the dialog -----------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "content_type", "headers"),
    [
        ("INFO", "application/dtmf-relay", []),
        ("MESSAGE", "text/plain", []),
        ("NOTIFY", "message/sipfrag", [("Event", "refer"), ("Subscription-State", "active")]),
    ],
)
@pytest.mark.parametrize("asker", ["caller", "callee"])
def test_relayed(
    world: World, method: str, content_type: str, headers: list[tuple[str, str]], asker: str
) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    first, second = (caller, callee) if asker == "caller" else (callee, caller)
    first.send(method, *headers, ("X-Secret", "1"), body=b"what", content_type=content_type)
    crossed = second.expect(method)
    assert (crossed.body, crossed.content_type) == (b"what", content_type)
    assert not crossed.has("X-Secret")
    for name, value in headers:
        assert crossed.get(name) == value
    second.actor.reply(crossed, 200)
    first.expect(200)


def test_a_relayed_request_without_answer_is_408(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, callee = established(a, b, "102")
    caller.send("INFO", body=b"x", content_type="application/dtmf-relay")
    callee.expect("INFO")
    world.after(33)
    assert 408 in a.got


def test_a_body_type_that_may_not_cross(world: World) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, _callee = established(a, b, "102")
    caller.send("INFO", body=b"x", content_type="application/x-secret")
    caller.expect(415)
    b.silent()


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("REFER", 405), ("SUBSCRIBE", 489)]
)
def test_answered_here(world: World, method: str, status: int) -> None:
    a, b = world.phone("101"), world.phone("102")
    caller, _callee = established(a, b, "102")
    caller.send(method)
    caller.expect(status)
    b.silent()
    assert sdp("x")
