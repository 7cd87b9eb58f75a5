"""The simulated carrier's numbers and its SDP."""

import pytest

from switch.demo import answers
from switch.sip import sdp

HERE = ("127.0.1.1", 40000)


def offered(media: str, *attributes: str) -> bytes:
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        media,
        *attributes,
    ]
    return "\r\n".join([*lines, ""]).encode()


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sip:18@127.0.1.1:5070", 200),
        ("sip:+33145678901@127.0.1.1", 200),
        ("sip:+33145678486@127.0.1.1", 486),
        ("sip:0145678404@127.0.1.1;user=phone", 404),
        ("tel:+33-1-45-67-85-03", 503),
        ("sip:+33145678408@127.0.1.1", None),
        ("sip:3486@127.0.1.1", 200),  # short numbers are always answered
        ("sip:11848600@127.0.1.1", 200),
        ("urn:service:sos.fire", 200),
        ("sip:carrier@127.0.1.1", 200),
    ],
)
def test_status_by_number(uri: str, status: int | None) -> None:
    assert answers.status_for(uri) == status


def test_pcma_is_preferred_and_events_keep_their_number() -> None:
    body = answers.answer(
        offered("m=audio 9000 RTP/AVP 0 8 96", "a=rtpmap:96 telephone-event/8000"), HERE
    )
    assert body is not None
    assert [codec.payload for codec in sdp.codecs(body)] == [8, 96]
    assert sdp.connection_address(body) == HERE


def test_pcmu_alone_is_taken() -> None:
    body = answers.answer(offered("m=audio 9000 RTP/AVP 0"), HERE)
    assert body is not None
    assert b"m=audio 40000 RTP/AVP 0\r\n" in body


@pytest.mark.parametrize(
    "media", ["m=audio 9000 RTP/AVP 18", "m=video 9000 RTP/AVP 31", "m=audio 0 RTP/AVP 8"]
)
def test_nothing_in_common(media: str) -> None:
    assert answers.answer(offered(media), HERE) is None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
        ("sendrecv", "sendrecv"),
    ],
)
def test_directions_are_mirrored(theirs: str, ours: str) -> None:
    body = answers.answer(offered("m=audio 9000 RTP/AVP 8", f"a={theirs}"), HERE)
    assert body is not None
    assert sdp.direction(body) == ours


def test_an_offer_can_be_answered() -> None:
    assert answers.answer(answers.offer(HERE), ("192.0.2.9", 5000)) is not None
