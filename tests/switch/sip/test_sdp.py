import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import sdp
from switch.sip.errors import LocalProtocolError

OFFER = (
    b"v=0\r\n"
    b"o=- 20083 7 IN IP4 192.0.2.20\r\n"
    b"s=caf\xe9\r\n"
    b"c=IN IP4 192.0.2.20\r\n"
    b"t=0 0\r\n"
    b"m=audio 11796 RTP/AVP 0 8 13 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-15\r\n"
    b"a=rtpmap:13 CN/8000\r\n"
    b"a=sendrecv\r\n"
    b"m=video 0 RTP/AVP 97\r\n"
    b"a=recvonly\r\n"
)


def test_reading() -> None:
    assert sdp.has_audio(OFFER)
    assert sdp.connection_address(OFFER) == ("192.0.2.20", 11796)
    assert sdp.direction(OFFER) == "sendrecv"
    assert [(codec.payload, codec.name, codec.rate) for codec in sdp.codecs(OFFER)] == [
        (0, "PCMU", 8000), (8, "PCMA", 8000), (13, "CN", 8000), (101, "TELEPHONE-EVENT", 8000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"v=0\r\n",
        b"m=video 1 RTP/AVP 97\r\n",
        b"m=audio\r\n",
        b"m=audio 0 RTP/AVP 0\r\n",
        b"m=audio x RTP/AVP 0\r\n",
    ],
)
def test_without_audio(body: bytes) -> None:
    assert not sdp.has_audio(body)


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        (b"a=sendrecv\r\n", b"", "sendrecv"),
        (b"a=sendrecv", b"a=sendonly", "sendonly"),
        (b"a=sendrecv\r\n", b"a=inactive \r\n", "inactive"),
        (b"c=IN IP4 192.0.2.20", b"c=IN IP4 0.0.0.0", "inactive"),
    ],
)
def test_directions(old: bytes, new: bytes, direction: str) -> None:
    assert sdp.direction(OFFER.replace(old, new)) == direction


def test_the_sessions_direction_counts_when_the_stream_has_none() -> None:
    body = OFFER.replace(b"a=sendrecv\r\n", b"").replace(b"t=0 0\r\n", b"t=0 0\r\na=recvonly\r\n")
    assert sdp.direction(body) == "recvonly"
    changed = sdp.set_direction(body, "sendrecv")
    assert sdp.direction(changed) == "sendrecv"
    assert changed.count(b"a=recvonly") == 1  # that of the video stream


@pytest.mark.parametrize("wanted", sdp.DIRECTIONS)
def test_setting_a_direction_changes_nothing_else(wanted: str) -> None:
    changed = sdp.set_direction(OFFER, wanted)
    assert changed == OFFER.replace(b"a=sendrecv", b"a=" + wanted.encode())
    assert sdp.direction(changed) == wanted


def test_a_direction_that_is_none() -> None:
    with pytest.raises(LocalProtocolError):
        sdp.set_direction(OFFER, "both\r\na=x")


def test_preferring_a_codec() -> None:
    changed = sdp.choose_codecs(OFFER, first="PCMA")
    assert changed == OFFER.replace(b"0 8 13 101", b"8 0 13 101")
    assert sdp.choose_codecs(changed, first="PCMA") is changed
    assert sdp.choose_codecs(OFFER, first="G722") is OFFER


def test_preferring_one_codec_and_removing_another() -> None:
    changed = sdp.choose_codecs(OFFER, first="PCMA", without="CN")
    assert changed == sdp.choose_codecs(sdp.choose_codecs(OFFER, without="CN"), first="PCMA")
    assert b" 8 0 101\r\n" in changed


def test_removing_a_codec() -> None:
    changed = sdp.choose_codecs(OFFER, without="CN")
    assert changed == OFFER.replace(b"0 8 13 101", b"0 8 101").replace(
        b"a=rtpmap:13 CN/8000\r\n", b""
    )
    assert sdp.choose_codecs(changed, without="CN") is changed


def test_the_last_speech_codec_stays() -> None:
    body = OFFER.replace(b"0 8 13 101", b"0 13 101")
    assert sdp.choose_codecs(body, without="PCMU") is body
    assert sdp.choose_codecs(body, without="CN") != body


def test_formats_that_are_not_rtps_are_left_alone() -> None:
    body = b"v=0\r\nm=audio 9 RTP/AVP 8 * 0\r\n"
    assert sdp.choose_codecs(body, without="PCMU") is body


def test_line_feeds_alone_stay_so() -> None:
    body = OFFER.replace(b"\r\n", b"\n")
    assert sdp.choose_codecs(body, without="CN") == sdp.choose_codecs(OFFER, without="CN").replace(
        b"\r\n", b"\n"
    )


@given(st.lists(st.sampled_from(OFFER.split(b"\r\n")), max_size=14), st.binary(max_size=8))
def test_no_body_breaks_the_reader(lines: list[bytes], noise: bytes) -> None:
    body = b"\r\n".join(lines) + noise
    sdp.has_audio(body)
    sdp.codecs(body)
    sdp.direction(body)
    for changed in (
        sdp.choose_codecs(body, first="PCMA"),
        sdp.choose_codecs(body, without="CN"),
        sdp.set_direction(body, "inactive"),
    ):
        sdp.connection_address(changed)


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        (b"a=silenceSupp:on - - - -", b"a=silenceSupp:off - - - -"),
        (b"a=silenceSupp:off - - - -", b"a=silenceSupp:off - - - -"),
        (b"a=fmtp:18 annexb=yes", b"a=fmtp:18 annexb=no"),
        (b"a=fmtp:96 useinbandfec=1;usedtx=1", b"a=fmtp:96 useinbandfec=1;usedtx=0"),
        (b"a=fmtp:101 0-15", b"a=fmtp:101 0-15"),
    ],
)
def test_silence_suppression_is_taken_out(line: bytes, becomes: bytes) -> None:
    head = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 opus/48000/2\r\n"
    tail = b"\r\nm=audio 4002 RTP/AVP 8\r\na=silenceSupp:on - - - -\r\n"
    changed = sdp.without_silence_suppression(head + line + tail)
    assert changed == head + becomes + tail, "the second stream is another's affair"


def test_g729_is_asked_for_without_its_annex_b() -> None:
    """Which is on unless it is denied (RFC 4856)."""
    offer = b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 18 8\r\na=ptime:20\r\n"
    assert sdp.without_silence_suppression(offer) == offer + b"a=fmtp:18 annexb=no\r\n"
    denied = offer + b"a=fmtp:18 annexb=no\r\n"
    assert sdp.without_silence_suppression(denied) is denied


def test_what_has_no_audio_stays() -> None:
    for body in (b"", b"v=0\r\nm=text 4000 RTP/AVP 98\r\n", b"nonsense"):
        assert sdp.without_silence_suppression(body) is body
