"""The outline of a call: from what a CDR says, on the account's clock."""

from typing import Any

import pytest

from policy.model import NumberClass
from switch.terms.outline import Circumstances, country, outline

START = 1_775_001_600_000  # 1 April 2026, 00:00 UTC: 02:00 in Paris


def record(**changes: Any) -> dict[str, Any]:
    return {
        "call_id": "c1",
        "direction": "outbound",
        "src": "+33199000101",
        "dst": "+33145678901",
        "start": START,
        "answer": START + 4_000,
        "end": START + 64_000,
        "hangup_by": "caller",
        "sip_status": 200,
        **changes,
    }


def read(**changes: Any):
    around = Circumstances("Europe/Paris", 2, "Phone", "192.0.2")
    return outline(record(**changes), around, lambda number: NumberClass.NATIONAL)


def test_an_answered_call() -> None:
    call = read()
    assert (call.ring_ms, call.duration_ms, call.answered) == (4_000, 60_000, True)
    assert (call.peer, call.country, call.caller_id) == ("+33145678901", "FR", "+33199000101")
    assert (call.minute, call.concurrent, call.user_agent) == (120, 3, "Phone")
    assert call.is_weekday
    assert call.ended_at == START + 64_000


def test_a_fax_is_one_by_what_both_sides_agreed_on() -> None:
    assert read(feature="fax").is_fax
    assert not read().is_fax


@pytest.mark.parametrize(
    ("media", "spoken", "heard", "two_way"),
    [
        (None, None, None, None),
        ((54_000, 3_000), 0.9, 0.05, 0.05),
        ((90_000, 60_000), 1.0, 1.0, 1.0),
    ],
)
def test_what_the_phone_said_of_its_media(
    media: tuple[int, int] | None, spoken: float, heard: float, two_way: float
) -> None:
    around = Circumstances("Europe/Paris", media=media)
    call = outline(record(), around, lambda number: NumberClass.NATIONAL)
    assert (call.spoken, call.heard, call.two_way) == (spoken, heard, two_way)
    missed = outline(record(answer=None), around, lambda number: NumberClass.NATIONAL)
    assert missed.two_way is None


def test_a_caller_who_gave_up() -> None:
    call = read(answer=None, sip_status=487)
    assert call.is_cancelled
    assert (call.ring_ms, call.duration_ms) == (64_000, 0)
    assert not read(answer=None, hangup_by=None).is_cancelled


def test_a_call_that_came_in_has_the_caller_as_its_peer_and_presents_nothing() -> None:
    call = read(direction="inbound", src="+33612345678")
    assert (call.peer, call.outbound, call.caller_id, call.forwarded) == (
        "+33612345678",
        False,
        "",
        False,
    )


def test_a_forwarded_call_came_in_and_went_on() -> None:
    """Its record is of the leg that the line had opened: outbound, to where it went."""
    around = Circumstances("Europe/Paris")
    forwarded = record(src="+33612345678", dst="+5371234567", forwarded_by="101")
    call = outline(forwarded, around, lambda number: {"+5": NumberClass.INTERNATIONAL}[number[:2]])
    assert (call.outbound, call.forwarded, call.peer) == (False, True, "+33612345678")
    assert (call.onward, call.is_high_risk) == ("+5371234567", True)


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+5371234567", "CU"), ("+33145678901", "FR"), ("102", ""), ("+", ""), ("+999", "")],
)
def test_countries(number: str, expected: str) -> None:
    assert country(number) == expected
