"""What an emergency call changes in a session description, and what counts as hold."""

import pytest

from switch.call.emergency_media import held_to, is_hold, speech_only
from switch.call.vocabulary import Body

OFFER = (
    b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 8 13\r\na=rtpmap:13 CN/8000\r\n"
    b"a=sendrecv\r\n"
)
TEXT_ONLY = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=text 4000 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n"


def body(content: bytes, content_type: str = "application/sdp") -> Body:
    return Body(content_type, content)


def directed(direction: bytes) -> Body:
    return body(OFFER.replace(b"sendrecv", direction))


@pytest.mark.parametrize(
    ("offer", "holds"),
    [
        (directed(b"sendonly"), True),
        (directed(b"inactive"), True),
        (directed(b"recvonly"), False),
        (directed(b"sendrecv"), False),
        (body(OFFER.replace(b"192.0.2.1", b"0.0.0.0")), True),
        (body(OFFER.replace(b"4000", b"0")), True),
        (body(b"sendonly", "text/plain"), False),
        (None, False),
    ],
)
def test_what_counts_as_hold(offer: Body | None, holds: bool) -> None:
    assert is_hold(offer, body(OFFER)) is holds


def test_a_call_by_text_is_not_held_for_having_no_speech() -> None:
    assert not is_hold(body(TEXT_ONLY), body(TEXT_ONLY))


def test_other_bodies_are_let_alone() -> None:
    for other in (body(OFFER, "multipart/mixed"), body(b"", "application/sdp"), body(TEXT_ONLY)):
        assert speech_only(other) is other


def test_a_content_type_may_have_parameters() -> None:
    changed = speech_only(body(OFFER, "Application/SDP; charset=utf-8"))
    assert b"m=audio 4000 RTP/AVP 8 0\r\n" in changed.content
    assert changed.content_type == "Application/SDP; charset=utf-8"


@pytest.mark.parametrize(
    ("offered", "answered", "goes_on"),
    [
        (b"sendrecv", b"inactive", b"sendrecv"),
        (b"sendrecv", b"sendonly", b"sendrecv"),
        (b"sendrecv", b"recvonly", b"recvonly"),
        (b"sendonly", b"inactive", b"inactive"),
        (b"sendonly", b"recvonly", b"recvonly"),
    ],
)
def test_an_answer_holds_only_if_the_offer_did(
    offered: bytes, answered: bytes, goes_on: bytes
) -> None:
    answer = held_to(directed(answered), directed(offered))
    assert answer is not None
    assert b"a=" + goes_on in answer.content


def test_no_answer_is_none() -> None:
    assert held_to(None, directed(b"sendrecv")) is None
