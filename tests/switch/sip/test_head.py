import pytest

from switch.sip.errors import ParseError
from switch.sip.head import build_message, decode_head, is_answerable, read_head
from switch.sip.message import Request

LINES = [
    "OPTIONS sip:a SIP/2.0",
    "Via: SIP/2.0/UDP h",
    "From: <sip:a>",
    "To: <sip:b>",
    "Call-ID: c",
    "CSeq: 1 OPTIONS",
]


def test_character_sets() -> None:
    assert decode_head("é".encode()) == ("é", "utf-8")
    assert decode_head(b"\xe9") == ("é", "latin-1")


def test_a_plain_head() -> None:
    message = build_message(list(LINES), "utf-8", b"body", None)
    assert isinstance(message, Request)
    assert message.names == ["Via", "From", "To", "Call-ID", "CSeq"]
    assert message.body == b"body"


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_any_line_ends(end: str) -> None:
    assert read_head(end.join(LINES).encode(), b"", None).call_id == "c"


def test_a_known_fault_is_raised_with_the_request() -> None:
    fault = ParseError("known before", status=513)
    with pytest.raises(ParseError) as caught:
        build_message(list(LINES), "utf-8", b"", fault)
    assert caught.value is fault
    assert caught.value.request is not None
    assert caught.value.request.call_id == "c"


def test_a_fault_in_one_line_leaves_the_others_readable() -> None:
    with pytest.raises(ParseError) as caught:
        build_message([*LINES[:1], "no colon", *LINES[1:]], "utf-8", b"", None)
    assert caught.value.request is not None
    assert caught.value.request.names == ["Via", "From", "To", "Call-ID", "CSeq"]


def test_a_fold_before_any_header_is_a_fault() -> None:
    with pytest.raises(ParseError, match="folded start line"):
        build_message([LINES[0], " x", *LINES[1:]], "utf-8", b"", None)


@pytest.mark.parametrize(
    ("method", "names", "values", "answer"),
    [
        ("BYE", "Via From To Call-ID CSeq", "SIP/2.0/UDP h|f|t|c|1 BYE", True),
        ("ACK", "Via From To Call-ID CSeq", "SIP/2.0/UDP h|f|t|c|1 ACK", False),
        ("BYE", "Via From To Call-ID CSeq", "nonsense|f|t|c|1 BYE", False),
        ("BYE", "Via From To Call-ID", "SIP/2.0/UDP h|f|t|c", False),
    ],
)
def test_what_can_be_answered(method: str, names: str, values: str, answer: bool) -> None:
    assert is_answerable(Request(method, "sip:a", names.split(), values.split("|"))) is answer
