import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.cseq import CSeq
from switch.sip.errors import ParseError


@given(st.integers(0, 2**31 - 1), st.sampled_from(["INVITE", "BYE", "X-new.1"]))
def test_round_trip(number: int, method: str) -> None:
    assert CSeq.parse(str(CSeq(number, method))) == (number, method)


def test_tolerant_of_space() -> None:
    assert CSeq.parse("0009\t  INVITE") == (9, "INVITE")


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "INVITE 1", "1 INVITE x", "-1 BYE", "2147483648 BYE", "1 B,E",
             "1 " + "M" * 65, "٣ BYE"]
)  # fmt: skip
def test_texts_that_are_no_cseq(text: str) -> None:
    with pytest.raises(ParseError):
        CSeq.parse(text)
