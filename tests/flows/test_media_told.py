"""A phone's word about its media, in its BYE or in the answer to ours."""

from tests.flows.actors import World, established

STAT = ("X-RTP-Stat", "PS=3000;OS=480000;PR=50;OR=8000;PL=0;JI=1;LA=40")


def told(world: World) -> list[dict[str, object]]:
    return [fields for name, fields in world.events if name == "call.media"]


def test_in_the_bye_of_the_phone(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    caller, callee = established(phone, carrier, "0145678901")
    world.after(60)
    caller.send("BYE", STAT)
    bye = callee.expect("BYE")
    assert not bye.has("X-RTP-Stat"), "it is not the carrier's to know"
    leg = world.cdrs[-1]["legs"][0]
    assert told(world) == [
        {"line": "101", "sip_call_id": leg["sip_call_id"], "sent_ms": 60_000, "received_ms": 1_000}
    ]


def test_in_the_answer_to_ours(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    _, callee = established(phone, carrier, "0145678901")
    world.after(60)
    callee.send("BYE", STAT)  # a carrier's word is about the other side, and not taken
    assert told(world) == []
    phone.reply(phone.expect("BYE"), 200, STAT)
    assert [each["sent_ms"] for each in told(world)] == [60_000]


def test_of_a_phone_that_is_called(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    _, callee = established(carrier, phone, "+33199000101")
    callee.send("BYE", STAT)
    leg = world.cdrs[-1]["legs"][1]
    assert [each["sip_call_id"] for each in told(world)] == [leg["sip_call_id"]]


def test_nonsense_ends_the_call_like_any_other(world: World) -> None:
    phone, carrier = world.phone("101"), world.carrier(1)
    caller, callee = established(phone, carrier, "0145678901")
    caller.send("BYE", ("X-RTP-Stat", "PS=;;=PR=\x01" + "9" * 500))
    callee.expect("BYE")
    assert told(world) == []
    assert world.cdrs[-1]["ending"] == "ok"
