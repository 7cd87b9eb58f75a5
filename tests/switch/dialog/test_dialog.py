"""One dialog (RFC 3261 §12): how it is made, what it writes, what it takes."""

import pytest

from switch.dialog.dialog import Dialog, bare_uri, contact_value, host_port, is_loose, via_value
from switch.sip.build import make_request, make_response
from switch.sip.flow import Flow
from switch.sip.message import Request, Response

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5062))


def invite(*headers: tuple[str, str]) -> Request:
    return make_request(
        "INVITE",
        "sip:102@vigie",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1"),
            ("From", "<sip:101@vigie>;tag=theirs"),
            ("To", "<sip:102@vigie>"),
            ("Call-ID", "one"),
            ("CSeq", "7 INVITE"),
            ("Contact", '"A" <sip:101@192.0.2.9:5062;ob>;q=1'),
            *headers,
        ],
    )


def answer(request: Request, *headers: tuple[str, str]) -> Response:
    contact = ("Contact", "<sip:102@192.0.2.7>")
    response = make_response(request, 200, to_tag="theirs", headers=[contact, *headers])
    for name, value in headers:
        assert value in response.get_all(name)
    return response


def test_the_uas_side() -> None:
    dialog = Dialog.from_invite(invite(("Record-Route", "<sip:p1;lr>, <sip:p2;lr>")), "ours", FLOW)
    assert dialog.remote_tag == "theirs"
    assert dialog.remote_cseq == 7
    bye = dialog.request("BYE")
    assert bye.uri == "sip:101@192.0.2.9:5062;ob"
    assert bye.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"], "in their order (§12.1.1)"
    assert bye.get("From") == "<sip:102@vigie>;tag=ours"
    assert bye.get("To") == "<sip:101@vigie>;tag=theirs"
    assert (bye.cseq.number, bye.cseq.method) == (1, "BYE")


def test_the_uac_side_reverses_the_route_set() -> None:
    request = invite()
    response = answer(request)
    response.add("Record-Route", "<sip:p1;lr>, <sip:p2;lr>")
    dialog = Dialog.from_response(request, response, "theirs-not", FLOW)
    bye = dialog.request("BYE")
    assert bye.get_all("Route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert bye.uri == "sip:102@192.0.2.7"
    assert bye.cseq.number == 8


def test_a_strict_router_gets_its_uri_in_the_request_line() -> None:
    """§12.2.1.1: without lr, the route's URI is the Request-URI and the target goes last."""
    dialog = Dialog.from_invite(invite(("Record-Route", "<sip:p1>, <sip:p2;lr>")), "ours", FLOW)
    bye = dialog.request("BYE")
    assert bye.uri == "sip:p1"
    assert bye.get_all("Route") == ["<sip:p2;lr>", "<sip:101@192.0.2.9:5062;ob>"]


def test_an_ack_repeats_the_cseq_of_its_invite() -> None:
    request = invite()
    dialog = Dialog.from_response(request, answer(request), "ours", FLOW)
    dialog.request("PRACK")
    assert dialog.build("ACK", 7).cseq.number == 7
    assert dialog.request("BYE").cseq.number == 9


def test_a_fork_has_its_own_tag_and_the_siblings_call_id() -> None:
    request = invite()
    first = Dialog.from_response(request, answer(request), "ours", FLOW)
    second = make_response(request, 200, to_tag="other")
    fork = Dialog.from_fork(first, second, 7)
    assert (fork.call_id, fork.remote_tag) == (first.call_id, "other")
    assert fork.remote_target == first.remote_target, "a 2xx without Contact"
    assert first.remote_tag == "theirs"


def test_cseq_order() -> None:
    dialog = Dialog.from_invite(invite(), "ours", FLOW)
    assert not dialog.accept_cseq(make_request("BYE", "sip:x", [("CSeq", "6 BYE")]))
    assert dialog.remote_cseq == 7
    assert dialog.accept_cseq(make_request("BYE", "sip:x", [("CSeq", "20 BYE")]))
    assert dialog.remote_cseq == 20


def test_matching_by_call_id_and_the_remote_tag() -> None:
    dialog = Dialog.from_invite(invite(), "ours", FLOW)
    fields = {"From": "<sip:x@y>;tag=theirs", "Call-ID": "one", "To": "<sip:x@y>;tag=ours"}
    assert dialog.matches(make_request("BYE", "sip:x", fields.items()))
    for name, other in (("From", "<sip:x@y>;tag=else"), ("Call-ID", "two")):
        assert not dialog.matches(make_request("BYE", "sip:x", (fields | {name: other}).items()))


def test_target_refresh() -> None:
    dialog = Dialog.from_invite(invite(), "ours", FLOW)
    dialog.refresh_target(make_request("UPDATE", "sip:x", [("Contact", "<sip:new@192.0.2.8>")]))
    assert dialog.remote_target == "sip:new@192.0.2.8"
    dialog.refresh_target(make_request("UPDATE", "sip:x", []))
    assert dialog.remote_target == "sip:new@192.0.2.8"


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("<sip:a@b;lr>;q=1", "sip:a@b;lr"),
        ('"x" <sip:a@b>', "sip:a@b"),
        ("sip:a@b;expires=3", "sip:a@b"),
    ],
)
def test_the_uri_of_a_value(value: str, uri: str) -> None:
    assert bare_uri(value) == uri


def test_loose_routing() -> None:
    assert is_loose("<sip:p;LR>")
    assert not is_loose("<sip:p>")


@pytest.mark.parametrize(
    ("transport", "contact"),
    [
        ("UDP", "<sip:[2001:db8::1]:5060>"),
        ("TCP", "<sip:[2001:db8::1]:5060;transport=tcp>"),
        ("TLS", "<sip:[2001:db8::1]:5060;transport=tls>"),
    ],
)
def test_our_addresses_in_ipv6(transport: str, contact: str) -> None:
    flow = Flow(transport, ("2001:db8::1", 5060), ("2001:db8::9", 5060))
    assert contact_value(flow) == contact
    assert via_value(flow).startswith(f"SIP/2.0/{transport} [2001:db8::1]:5060;branch=z9hG4bK")
    assert host_port(("192.0.2.1", 5060)) == "192.0.2.1:5060"
