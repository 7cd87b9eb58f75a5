import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.via import Via

TOKENS = st.text("abcZ09-.", min_size=1, max_size=8)
VIAS = st.builds(
    Via,
    st.sampled_from(["UDP", "TCP", "TLS", "WSS"]),
    st.sampled_from(["example.net", "192.0.2.1", "2001:db8::1"]),
    st.one_of(st.none(), st.integers(1, 65535)),
    st.lists(st.tuples(TOKENS, st.one_of(st.none(), TOKENS)), max_size=4).map(tuple),
)


@given(VIAS)
def test_round_trip(via: Via) -> None:
    assert Via.parse(str(via)) == via


def test_parts() -> None:
    via = Via.parse("SIP / 2.0 / udp [2001:db8::1] : 5062 ;Branch=z9;rport=5070;received=192.0.2.9")
    assert (via.transport, via.host, via.port) == ("UDP", "2001:db8::1", 5062)
    assert (via.branch, via.rport, via.received) == ("z9", 5070, "192.0.2.9")
    assert via.sent_by == "[2001:db8::1]:5062"
    assert via.param("branch") == "z9"


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0/UDP", "SIP/2.0 h", "HTTP/1.1/TCP h", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:99999",
     "SIP/2.0/UDP h h", "SIP/2.0/UDP 2001:db8::1", "SIP/2.0/UDP h;=x", "SIP/2.0/UDP h\r\nX: y"],
)  # fmt: skip
def test_texts_that_are_no_via(text: str) -> None:
    with pytest.raises(ParseError):
        Via.parse(text)


@pytest.mark.parametrize(
    "via",
    [Via("UDP", "h\r\nX: y"), Via("UDP", ""), Via("UDP", "h", None, (("branch", "a\r\nb"),))],
)
def test_injection_is_refused_when_writing(via: Via) -> None:
    with pytest.raises(LocalProtocolError):
        str(via)


@pytest.mark.parametrize("value", ["", "x", "0", "65536", "٣", "9" * 5000])
def test_an_rport_that_is_no_port_is_none(value: str) -> None:
    via = Via("UDP", "h", 5062, (("rport", value),))
    assert via.rport is None
    assert via.response_address() == ("h", 5062)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        # the examples of RFC 3581 §4 and RFC 3261 §18.2.1
        ("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9",
         "SIP/2.0/UDP 10.1.1.1:4540;branch=z9;received=192.0.2.1;rport=9988"),
        ("SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9",
         "SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9;received=192.0.2.1"),
        ("SIP/2.0/UDP 192.0.2.1;branch=z9", "SIP/2.0/UDP 192.0.2.1;branch=z9"),
        # what the sender claims is not believed
        ("SIP/2.0/UDP 192.0.2.1;received=198.51.100.7", "SIP/2.0/UDP 192.0.2.1"),
        ("SIP/2.0/UDP h;received=198.51.100.7;rport=1",
         "SIP/2.0/UDP h;received=192.0.2.1;rport=9988"),
    ],
)  # fmt: skip
def test_the_source_is_written(text: str, written: str) -> None:
    assert str(Via.parse(text).with_source("192.0.2.1", 9988)) == written


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("SIP/2.0/UDP h", ("h", 5060)),
        ("SIP/2.0/TLS h", ("h", 5061)),
        ("SIP/2.0/UDP h:5062", ("h", 5062)),
        ("SIP/2.0/UDP h:5062;received=192.0.2.1", ("192.0.2.1", 5062)),
        ("SIP/2.0/UDP h:5062;received=[2001:db8::1];rport=7", ("2001:db8::1", 7)),
        ("SIP/2.0/UDP h;maddr=198.51.100.7", ("h", 5060)),
    ],
)
def test_where_responses_go(text: str, address: tuple[str, int]) -> None:
    assert Via.parse(text).response_address() == address
