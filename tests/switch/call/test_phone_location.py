"""What a phone says of its own place: which values go on, and which documents."""

import pytest

from switch.call.phone_location import MAX_PIDF, MAX_VALUES, claimed_values, take_apart
from switch.call.vocabulary import Body
from switch.sip.build import make_request


def claimed(*values: str) -> list[str]:
    fields = [("Geolocation", value) for value in values]
    return [value for _, value in claimed_values(make_request("INVITE", "sip:18@x", fields))]


@pytest.mark.parametrize(
    "value",
    ["<cid:a@b>", "<https://x.example/1>", "<sip:7@x.example>", "<sips:7@x>", "<pres:7@x>"],
)
def test_what_goes_on(value: str) -> None:
    assert claimed(value) == [value]
    assert claimed(f"{value};inserted-by=x") == [value], "parameters are an intermediary's words"


@pytest.mark.parametrize(
    "value",
    [
        "<cid:a@b>;loc-src=x",
        "<cid:a@b> ; x=1 ;Loc-Src = x",
        "cid:a@b",
        "<file:/etc/passwd>",
        "<cid:>",
        "<cid:a b>",
        f"<cid:{'a' * 300}@b>",
        '"<cid:a@b>',
    ],
)
def test_what_does_not(value: str) -> None:
    assert claimed(value) == []


def test_a_few_values() -> None:
    assert claimed("<cid:a@b>, <cid:c@d>;loc-src=x", "<cid:e@f>") == ["<cid:a@b>", "<cid:e@f>"]
    assert len(claimed(*["<cid:a@b>"] * 9)) == MAX_VALUES


def body(pidf: bytes, cid: str = "a@b") -> Body:
    content = (
        b"--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--x\r\nContent-Type: "
        b"application/pidf+xml\r\nContent-ID: <" + cid.encode() + b">\r\n\r\n" + pidf + b"\r\n--x--"
    )
    return Body("multipart/mixed;boundary=x", content)


def test_the_document_that_is_named() -> None:
    offered = take_apart(body(b"<p/>"), [("Geolocation", "<cid:a@b>")])
    assert offered.body == Body("application/sdp", b"v=0\r\n")
    assert [(place.pidf, place.content_id) for place in offered.places] == [(b"<p/>", "a@b")]


@pytest.mark.parametrize(("pidf", "cid"), [(b"<p/>", "other@b"), (b"x" * (MAX_PIDF + 1), "a@b")])
def test_documents_that_are_left_out(pidf: bytes, cid: str) -> None:
    offered = take_apart(body(pidf, cid), [("Geolocation", "<cid:a@b>")])
    assert offered.body == Body("application/sdp", b"v=0\r\n")
    assert offered.places == ()


def test_other_bodies() -> None:
    sdp = Body("application/sdp", b"v=0")
    assert take_apart(sdp, []) == (sdp, ())
    assert take_apart(Body("multipart/mixed;boundary=x", b"damaged"), []) == (None, ())
