import pytest

from switch.sip.build import (
    make_ack_non2xx,
    make_cancel,
    make_request,
    make_response,
    stamp_source,
)
from switch.sip.errors import LocalProtocolError
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.parser import parse


def invite(**changes: str) -> Request:
    headers = {
        "Via": "SIP/2.0/UDP h:5062;branch=z9hG4bK1;rport, SIP/2.0/UDP second",
        "Record-Route": "<sip:edge;lr>",
        "From": "Ann <sip:101@h>;tag=f",
        "To": "<sip:102@h>",
        "Call-ID": "c",
        "CSeq": "7 INVITE",
        "Route": "<sip:next;lr>",
        "Max-Forwards": "9",
        "Timestamp": "54",
        "Require": "100rel",
        "Subject": "private",
    }
    return make_request("INVITE", "sip:102@h", (headers | changes).items(), b"v=0")


def test_a_request_is_what_it_was_made_of() -> None:
    message = parse(invite().to_bytes())
    assert isinstance(message, Request)
    assert (message.names, message.values) == (invite().names, invite().values)
    assert (message.method, message.uri, message.body) == ("INVITE", "sip:102@h", b"v=0")


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (100, ["Via", "From", "To", "Call-ID", "CSeq", "Timestamp"]),
        (180, ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"]),
        (200, ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"]),
        (302, ["Via", "From", "To", "Call-ID", "CSeq"]),
        (486, ["Via", "From", "To", "Call-ID", "CSeq"]),
    ],
)
def test_a_response_copies_what_it_must_and_no_more(status: int, names: list[str]) -> None:
    response = make_response(invite(), status, to_tag=None)
    assert response.names == names
    assert response.get("Via") == invite().get("Via")


def test_the_to_tag_is_added_once() -> None:
    assert make_response(invite(), 180, to_tag="t").to_tag == "t"
    again = make_response(invite(To="<sip:102@h>;tag=old"), 200, to_tag="t")
    assert again.get("To") == "<sip:102@h>;tag=old"
    assert make_response(invite(To="sip:102@h"), 200, to_tag="t").to.tag == "t"


def test_reason_headers_and_body() -> None:
    response = make_response(
        invite(), 403, "No", to_tag="t", headers=[("Reason", "Q.850;cause=21")], body=b"x"
    )
    assert response.start_line() == "SIP/2.0 403 No"
    assert response.get("Reason") == "Q.850;cause=21"
    assert response.to_bytes().endswith(b"Content-Length: 1\r\n\r\nx")
    assert make_response(invite(), 404, to_tag="t").reason == "Not Found"


def test_content_length_is_nobodys() -> None:
    with pytest.raises(LocalProtocolError):
        make_request("INVITE", "sip:a", [("Content-Length", "3")])
    with pytest.raises(LocalProtocolError):
        make_response(invite(), 200, to_tag="t", headers=[("Content-Length", "3")])


def test_the_ack_of_a_refusal_is_of_the_same_hop() -> None:
    refusal = make_response(invite(), 486, to_tag="t")
    ack = make_ack_non2xx(invite(), refusal)
    assert (ack.method, ack.uri, ack.cseq) == ("ACK", "sip:102@h", (7, "ACK"))
    assert ack.get_all("Via") == ["SIP/2.0/UDP h:5062;branch=z9hG4bK1;rport"]
    assert (ack.from_tag, ack.to_tag, ack.call_id) == ("f", "t", "c")
    assert ack.get("Route") == "<sip:next;lr>"
    assert not ack.has("Require")
    assert ack.body == b""


def test_a_cancel_is_of_the_same_hop() -> None:
    cancel = make_cancel(invite())
    assert (cancel.method, cancel.uri, cancel.cseq) == ("CANCEL", "sip:102@h", (7, "CANCEL"))
    assert cancel.via.branch == "z9hG4bK1"
    assert (cancel.from_tag, cancel.to_tag, cancel.call_id) == ("f", None, "c")
    # §9.1: no Require or Proxy-Require
    assert cancel.names == [
        "Via", "From", "To", "Call-ID", "Route", "CSeq", "Max-Forwards",
    ]  # fmt: skip


def test_the_source_is_stamped_on_the_top_via_only() -> None:
    message = invite()
    stamp_source(message, Flow("UDP", ("192.0.2.9", 5060), ("198.51.100.1", 1024)))
    assert message.get("Via") == (
        "SIP/2.0/UDP h:5062;branch=z9hG4bK1;received=198.51.100.1;rport=1024, SIP/2.0/UDP second"
    )
    assert message.via.response_address() == ("198.51.100.1", 1024)
    assert message.call_id == "c"


def test_nothing_to_stamp_changes_nothing() -> None:
    message = invite(Via="SIP/2.0/TCP 198.51.100.1;branch=z9hG4bK1")
    before = list(message.values)
    stamp_source(message, Flow("TCP", ("192.0.2.9", 5060), ("198.51.100.1", 1024), 1))
    assert message.values == before
