"""Contact and Record-Route values that can't be written again never become part of our requests."""

import pytest

from switch.dialog.dialog import Dialog, routes_of, target_of
from switch.sip.build import make_request, make_response
from switch.sip.flow import Flow
from switch.sip.message import Request

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("198.51.100.1", 5060))


def request(*headers: tuple[str, str]) -> Request:
    fields = [
        ("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"),
        ("From", "<sip:a@b>;tag=1"),
        ("To", "<sip:c@d>"),
    ]
    return make_request(
        "INVITE", "sip:c@d", [*fields, ("Call-ID", "x"), ("CSeq", "1 INVITE"), *headers]
    )


@pytest.mark.parametrize(
    "contact", ["<sip:x y>", "<>", "", "<sip:a\u2028b>", "<sip:a\tb>", "sip:a b;x"]
)
def test_an_unwritable_contact_leaves_the_target_as_it_was(contact: str) -> None:
    assert target_of(request(("Contact", contact)), "sip:before") == "sip:before"


def test_a_contact_is_the_target() -> None:
    assert target_of(request(("Contact", '"A" <sip:é@b;x=y>;q=1')), "sip:before") == "sip:é@b;x=y"
    assert target_of(request(), "sip:before") == "sip:before"


@pytest.mark.parametrize("route", ["garbage", "<sip:x y>", '"'])
def test_an_unreadable_route_set_is_none(route: str) -> None:
    assert routes_of(request(("Record-Route", route), ("Record-Route", "<sip:p;lr>"))) == ()


def test_a_200_full_of_damage_still_gets_its_ack_and_bye() -> None:
    invite = request()
    damage = [("Contact", "<sip:x y>"), ("Record-Route", '"'), ("Record-Route", "<sip:q r>")]
    response = make_response(invite, 200, to_tag="2", headers=damage)
    dialog = Dialog.from_response(invite, response, "1", FLOW)
    for message in (dialog.build("ACK", 1), dialog.request("BYE")):
        assert message.uri == "sip:c@d"
        assert not message.has("Route")
        assert message.to_bytes()
