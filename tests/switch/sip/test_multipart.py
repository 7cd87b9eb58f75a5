"""Multipart bodies of phones, against the email package, and what is no multipart."""

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.multipart import MAX_PARTS, split_parts

KIND = 'multipart/mixed;boundary="b1"'


def test_parts_in_their_order() -> None:
    body = (
        b"a preamble\r\n--b1\r\nContent-Type: application/SDP; charset=x\r\n\r\nv=0\r\n"
        b"\r\n--b1  \r\ncontent-id:  <a@b> \r\nContent-Type:application/pidf+xml\r\n\r\n<x/>"
        b"\r\n--b1\r\n\r\nplain\r\n--b1--\r\nan epilogue"
    )
    assert split_parts(KIND, body) == [
        ("application/sdp", "", b"v=0\r\n"),
        ("application/pidf+xml", "a@b", b"<x/>"),
        ("text/plain", "", b"plain"),
    ]
    assert split_parts("Multipart/Mixed; Boundary=b1", body) == split_parts(KIND, body)


def test_what_another_library_writes() -> None:
    message = EmailMessage()
    message.make_mixed()
    for kind, content in (("sdp", b"v=0\r\n"), ("pidf+xml", b"<presence/>")):
        message.add_attachment(content, "application", kind, cte="8bit", cid=f"<{kind}@x>")
    whole = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    body = whole.partition(b"\r\n\r\n")[2]
    parts = split_parts(message["Content-Type"], body)
    assert [part.content_type for part in parts] == ["application/sdp", "application/pidf+xml"]
    assert [part.content_id for part in parts] == ["sdp@x", "pidf+xml@x"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/sdp", b"--b1\r\n\r\nx\r\n--b1--"),
        ("multipart/mixed", b"--b1\r\n\r\nx\r\n--b1--"),
        (KIND, b""),
        (KIND, b"--b1\r\n\r\nx"),
        (KIND, b"--b1\r\n\r\nx\r\n--b1"),
        (KIND, b"--b1--\r\n"),
        (KIND, b"--b1\r\nContent-Type: a/b\r\n--b1--"),
        (KIND, b"--b12\r\n\r\nx\r\n--b12--"),
    ],
)
def test_what_has_no_parts(kind: str, body: bytes) -> None:
    assert split_parts(kind, body) == []


def test_no_more_parts_than_anyone_needs() -> None:
    assert len(split_parts(KIND, b"--b1\r\n\r\nx\r\n" * 100 + b"--b1--")) == MAX_PARTS


@given(st.binary(max_size=300), st.text(max_size=40))
def test_nothing_breaks_it(body: bytes, boundary: str) -> None:
    for kind in (KIND, f"multipart/mixed;boundary={boundary}"):
        assert all(part.content in body for part in split_parts(kind, body))
