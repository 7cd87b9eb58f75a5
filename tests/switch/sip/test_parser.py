"""Datagrams and streams: what is tolerated and what is not."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import limits, parser
from switch.sip.build import make_response
from switch.sip.errors import ParseError
from switch.sip.message import Request, Response
from switch.sip.parser import (
    KeepAlive,
    StreamParser,
    check_values,
    find_empty_line,
    is_keepalive,
    is_stun,
    parse,
)

INVITE = (
    b"INVITE sip:102@pbx.example.net SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.20:5062;branch=z9hG4bK776;rport\r\n"
    b'From: "Zo\xc3\xa9" <sip:101@pbx.example.net>;tag=1928\r\n'
    b"To: <sip:102@pbx.example.net>\r\n"
    b"Call-ID: a84b4c76@192.0.2.20\r\n"
    b"CSeq: 31 INVITE\r\n"
    b"Contact: <sip:101@192.0.2.20:5062;transport=udp>\r\n"
    b"X-Unknown: kept\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"v=0\r\n"
)
OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
)


def request(datagram: bytes) -> Request:
    message = parse(datagram)
    assert isinstance(message, Request)
    return message


def fault(datagram: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        check_values(parse(datagram))
    return caught.value


def changed(old: bytes, new: bytes) -> bytes:
    assert old in INVITE
    return INVITE.replace(old, new)


class TestDatagrams:
    def test_a_request(self) -> None:
        message = request(INVITE)
        assert (message.method, message.uri) == ("INVITE", "sip:102@pbx.example.net")
        assert message.names == [
            "Via", "From", "To", "Call-ID", "CSeq", "Contact", "X-Unknown", "Content-Type",
        ]  # fmt: skip
        assert message.from_.display == "Zoé"
        assert message.cseq == (31, "INVITE")
        assert message.body == b"v=0\r\n"

    def test_a_response(self) -> None:
        message = parse(OK)
        assert isinstance(message, Response)
        assert (message.status, message.reason) == (200, "OK")

    def test_line_feeds_alone(self) -> None:
        message = request(INVITE.replace(b"\r\n", b"\n").replace(b"th: 5", b"th: 4"))
        assert message.values == request(INVITE).values
        assert message.body == b"v=0\n"

    def test_mixed_line_ends_stop_at_the_first_empty_line(self) -> None:
        message = request(changed(b"To: <sip:102@pbx.example.net>\r\n", b"To: <sip:1@b>\n"))
        assert message.to.uri.user == "1"
        assert message.body == b"v=0\r\n"
        early = changed(b"X-Unknown: kept\r\n", b"X-Unknown: kept\n\n")
        assert request(early).body.startswith(b"Content-Type")

    def test_empty_lines_before_the_start_line(self) -> None:
        assert request(b"\r\n\r\n" + INVITE).method == "INVITE"

    def test_compact_and_odd_cased_names(self) -> None:
        message = request(
            INVITE.replace(b"Via:", b"v:").replace(b"From:", b"F :").replace(b"To:", b"tO\t:")
        )
        assert message.names[:3] == ["Via", "From", "To"]

    def test_folded_lines(self) -> None:
        message = request(changed(b"X-Unknown: kept", b"X-Unknown:\r\n a\r\n\tb "))
        assert message.get("X-Unknown") == "a b"

    def test_latin_1_is_read_and_echoed(self) -> None:
        message = request(INVITE.replace(b"\xc3\xa9", b"\xe9"))
        assert message.from_.display == "Zoé"
        assert b'"Zo\xe9"' in message.to_bytes()

    def test_several_values_in_one_line(self) -> None:
        message = request(
            changed(
                b"X-Unknown: kept", b'Record-Route: <sip:a;lr>,"x,\\"<y" <sip:b;lr>\r\nk: x,, y'
            )
        )
        assert [str(hop.uri) for hop in message.record_route] == ["sip:a;lr", "sip:b;lr"]
        assert message.split("Supported") == ["x", "y"]

    def test_octets_after_the_body_are_ignored(self) -> None:
        assert request(INVITE + b"more").body == b"v=0\r\n"

    def test_a_body_without_content_length_is_the_rest(self) -> None:
        assert request(changed(b"Content-Length: 5\r\n", b"")).body == b"v=0\r\n"

    def test_equal_lengths_twice_are_one(self) -> None:
        message = request(changed(b"Content-Length: 5\r\n", b"Content-Length: 5\r\nl: 5\r\n"))
        assert message.body == b"v=0\r\n"
        assert not message.has("Content-Length")


REJECTED: list[tuple[bytes, bytes, int, str]] = [
    (b"Content-Length: 5", b"Content-Length: 5\r\nl: 4", 400, "conflicting Content-Length"),
    (b"Content-Length: 5", b"Content-Length: 5, 5", 400, "bad Content-Length"),
    (b"Content-Length: 5", b"Content-Length: +5", 400, "bad Content-Length"),
    (b"Content-Length: 5", "Content-Length: ٥".encode(), 400, "bad Content-Length"),
    (b"Content-Length: 5", b"Content-Length: 6", 400, "body shorter than Content-Length"),
    (b"kept", b"a\rInjected: b", 400, "bare CR in the header"),
    (b"X-Unknown: kept", b"no colon here", 400, "header line without a colon"),
    (b"X-Unknown: kept", b"Subject", 400, "header line without a colon"),
    (b"X-Unknown:", b"X(Unknown):", 400, "bad header name"),
    (b"INVITE sip", b"INVITE\t sip", 400, "bad method"),
    (b"CSeq: 31", b"CSeq: 2147483648", 400, "bad CSeq number"),
    (b"CSeq: 31", b"CSeq: -1", 400, "bad CSeq number"),
    (b"CSeq: 31 INVITE", b"CSeq: 31", 400, "bad CSeq"),
    (b"Call-ID: a84b4c76@192.0.2.20", b"Call-ID:", 400, "bad Call-ID"),
    (b"a84b4c76@", b"a" * (limits.MAX_CALL_ID_CHARS + 1), 400, "bad Call-ID"),
    (b"X-Unknown", b"X" * (limits.MAX_NAME_CHARS + 1), 400, "header name too long"),
    (b"kept", b"k" * limits.MAX_LINE_CHARS, 513, "header line too long"),
    (b"kept", b"a" + (b"\r\n " + b"b" * 88) * 120, 513, "header line too long"),
    (b"kept", b"k" * limits.MAX_HEAD_BYTES, 513, "header too large"),
    (b"X-Unknown: kept", b"\r\n".join([b"A: b"] * limits.MAX_HEADER_LINES), 513, "too many"),
    (b"sip:102@pbx.example.net S", b"sip:" + b"1" * limits.MAX_URI_CHARS + b" S", 414, "too long"),
    (b"kept", b"x\r\nMax-Forwards: 256", 400, "bad Max-Forwards"),
    (b"kept", b"x\r\nExpires: 4294967296", 400, "bad Expires"),
    (b"kept", b"x\r\nMax-Forwards: 1\r\nMax-Forwards: 1", 400, "more than one Max-Forwards"),
    (b"kept", b"x\r\nm: " + b",".join([b"<sip:a@b>"] * 129), 400, "too many values"),
    (b";rport", b";a" * (limits.MAX_PARAMETERS + 1), 400, "too many parameters"),
    (b"192.0.2.20:5062;branch", b"192.0.2.20:65536;branch", 400, "bad port in Via"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "status", "reason"), REJECTED)
def test_what_is_rejected(old: bytes, new: bytes, status: int, reason: str) -> None:
    error = fault(changed(old, new))
    assert error.status == status
    assert reason in error.reason


def test_without_to_the_answer_names_the_request_uri() -> None:
    lines = [line for line in INVITE.split(b"\r\n") if not line.startswith(b"To:")]
    error = fault(b"\r\n".join(lines))
    assert error.reason == "no To"
    assert error.request is not None
    assert error.request.get("To") == "<sip:102@pbx.example.net>"


@pytest.mark.parametrize("name", [b"Via", b"From", b"Call-ID", b"CSeq"])
def test_without_a_mandatory_header_nothing_can_be_answered(name: bytes) -> None:
    lines = [line for line in INVITE.split(b"\r\n") if not line.startswith(name + b":")]
    error = fault(b"\r\n".join(lines))
    assert error.request is None
    assert error.reason == f"no {name.decode()}"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\r\n",
        b"hello",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"SIP/2.0 099 Low\r\n\r\n",
        b"SIP/2.0 700 High\r\n\r\n",
        b"SIP/2.0 2000 Long\r\n\r\n",
        OK.replace(b"CSeq: 1 BYE", b"CSeq: x BYE"),
        INVITE.replace(b"SIP/2.0/UDP", b"SIPPY"),
        INVITE.replace(b"INVITE", b"ACK").replace(b"kept", b"a\rb"),
        b"x" * (limits.MAX_DATAGRAM_BYTES + 1),
    ],
)
def test_what_is_dropped(datagram: bytes) -> None:
    assert fault(datagram).request is None


def test_a_datagram_too_large() -> None:
    assert fault(b"x" * (limits.MAX_DATAGRAM_BYTES + 1)).reason == "message too large"


def test_a_method_too_long() -> None:
    error = fault(INVITE.replace(b"INVITE", b"M" * (limits.MAX_METHOD_CHARS + 1)))
    assert error.reason == "bad method"
    longest = b"M" * limits.MAX_METHOD_CHARS
    assert request(INVITE.replace(b"INVITE", longest)).method == longest.decode()


def test_a_bare_cr_can_be_answered() -> None:
    error = fault(changed(b"tag=1928", b"tag=19\rVia: x"))
    assert error.request is not None
    assert b"19 Via: x" in make_response(error.request, 400, to_tag="t").to_bytes()


def test_a_truncated_head_is_answered() -> None:
    error = fault(INVITE[: INVITE.index(b"Content-Type")])
    assert error.request is not None
    assert error.reason == "no empty line after the header"


def test_many_folds_take_no_quadratic_time() -> None:
    folded = changed(b"kept", b"a" + b"\r\n b" * 4000)
    start = time.perf_counter()
    fault(folded)
    assert time.perf_counter() - start < 0.2  # linear: about 1 ms


class TestKeepAlive:
    @pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b" \r\n"])
    def test_is_one(self, data: bytes) -> None:
        assert is_keepalive(data)

    @pytest.mark.parametrize("data", [INVITE, b"x", b"\r\n" * 5])
    def test_is_none(self, data: bytes) -> None:
        assert not is_keepalive(data)

    def test_stun_is_told_from_sip(self) -> None:
        assert is_stun(bytes.fromhex("000100002112a442") + bytes(12))
        assert not is_stun(INVITE)
        assert not is_stun(bytes.fromhex("000100002112a442"))


class TestStreams:
    def test_two_messages_in_one_piece(self) -> None:
        items = StreamParser().feed(INVITE + OK)
        assert [type(item) for item in items] == [Request, Response]

    def test_octet_by_octet(self) -> None:
        stream = StreamParser()
        items = [item for octet in INVITE + OK for item in stream.feed(bytes([octet]))]
        assert [type(item) for item in items] == [Request, Response]

    @given(st.lists(st.integers(0, len(INVITE + OK) - 1), max_size=6))
    def test_any_division_reads_the_same(self, cuts: list[int]) -> None:
        wire = INVITE + OK
        places = [0, *sorted(cuts), len(wire)]
        stream = StreamParser()
        items = []
        for start, end in pairwise(places):
            items += stream.feed(wire[start:end])
        assert [type(item) for item in items] == [Request, Response]
        first = items[0]
        assert isinstance(first, Request)
        assert (first.values, first.body) == (request(INVITE).values, b"v=0\r\n")

    def test_ping_and_pong(self) -> None:
        stream = StreamParser()
        assert stream.feed(b"\r\n\r\n") == [KeepAlive.PING]
        assert stream.feed(b"\r\n") == [KeepAlive.PONG]
        assert stream.feed(b"\r") == []
        # The half of a ping is taken for a pong at first; the ping is still answered.
        assert stream.feed(b"\n") == [KeepAlive.PING]
        items = stream.feed(b"\r\n" + OK)
        assert items[0] is KeepAlive.PONG
        assert isinstance(items[1], Response)
        assert stream.feed(b"\r\n\r\n\r\n\r\n") == [KeepAlive.PING, KeepAlive.PING]

    def test_line_feeds_between_messages_are_ignored(self) -> None:
        assert [type(item) for item in StreamParser().feed(b"\n" + OK + b"\n\n" + OK)] == [
            Response,
            Response,
        ]

    def test_a_bad_message_that_is_well_framed_leaves_the_stream_alive(self) -> None:
        items = StreamParser().feed(changed(b"CSeq: 31", b"CSeq: x") + OK)
        assert isinstance(items[0], ParseError)
        assert items[0].request is not None
        assert not items[0].ends_stream
        assert isinstance(items[1], Response)

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            (b"Content-Length: 5\r\n", b"", "no usable Content-Length"),
            (b"Content-Length: 5", b"Content-Length: -5", "no usable Content-Length"),
            (b"Content-Length: 5", b"Content-Length: 5\r\nl : 6", "conflicting Content-Length"),
            (b"Content-Length: 5", b"Content-Length: 5 5", "no usable Content-Length"),
            (b"Content-Length: 5", b"Content-Length: 65537", "body too large"),
            (b"kept", b"k" * limits.MAX_HEAD_BYTES, "header too large"),
        ],
    )
    def test_what_closes_the_stream(self, old: bytes, new: bytes, reason: str) -> None:
        with pytest.raises(ParseError) as caught:
            StreamParser().feed(OK + changed(old, new))
        assert caught.value.reason == reason
        assert caught.value.ends_stream
        assert [type(item) for item in caught.value.preceding] == [Response]

    def test_a_head_without_end_closes_the_stream(self) -> None:
        stream = StreamParser()
        assert stream.feed(b"x" * limits.MAX_HEAD_BYTES) == []
        with pytest.raises(ParseError):
            stream.feed(b"x")

    def test_a_bare_cr_between_messages_closes_the_stream(self) -> None:
        with pytest.raises(ParseError):
            StreamParser().feed(b"\rINVITE")

    def test_a_slow_body_costs_no_second_look_at_the_head(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks: list[int] = []

        def look(data: bytes | bytearray, start: int) -> tuple[int, int]:
            looks.append(start)
            return find_empty_line(data, start)

        monkeypatch.setattr(parser, "find_empty_line", look)
        wire = changed(b"Content-Length: 5\r\n\r\nv=0\r\n", b"Content-Length: 2000\r\n\r\n")
        stream = StreamParser()
        items = [item for octet in wire + b"x" * 2000 for item in stream.feed(bytes([octet]))]
        assert len(items) == 1
        assert len(looks) <= len(wire)
        # Nor is the head searched again from its start with each octet.
        assert all(start >= place - 2 for place, start in enumerate(looks))
