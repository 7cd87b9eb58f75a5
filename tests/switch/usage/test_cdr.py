"""The call detail record: round trips, and the fields that the contract names."""

import orjson

from switch.usage.cdr import Cdr, CdrAttempt, CdrLeg

CALL = Cdr(
    call_id="c1",
    line="101",
    account="demo",
    direction="outbound",
    src="+33199000101",
    dst="+33145678901",
    dst_raw="0145678901",
    start=1_000,
    answer=3_000,
    end=63_000,
    counted_ms=60_000,
    exempt_reason=None,
    disposition="answered",
    ending="ok",
    hangup_by="caller",
    sip_status=200,
    legs=(CdrLeg("c1/a", line="101", counted_ms=60_000), CdrLeg("c1/b", trunk="carrier")),
    attempts=(CdrAttempt(trunk="carrier", status=200, ms=1_900),),
)

CONTRACT = [
    "call_id",
    "line",
    "account",
    "direction",
    "src",
    "dst",
    "dst_raw",
    "start",
    "answer",
    "end",
    "counted_ms",
    "exempt_reason",
    "disposition",
    "ending",
    "hangup_by",
    "sip_status",
    "rule",
    "clause",
    "emergency",
    "forwarded_by",
    "estimated",
    "plan",
    "feature",
    "legs",
    "attempts",
]


def test_round_trip_by_the_journal() -> None:
    record = CALL.to_record()
    assert record.startswith(b'{"k":"cdr",')
    assert Cdr.from_record(orjson.loads(record)) == CALL


def test_shows_the_fields_of_the_contract() -> None:
    assert list(CALL.as_json()) == CONTRACT
    leg = [
        "leg",
        "line",
        "trunk",
        "sip_call_id",
        "direction",
        "answer",
        "end",
        "counted_ms",
        "exempt_reason",
    ]
    assert list(CALL.as_json()["legs"][0]) == leg


def test_fields_of_a_later_version_are_dropped() -> None:
    record = orjson.loads(CALL.to_record())
    record["mood"] = "good"
    record["legs"][0]["mood"] = "good"
    assert Cdr.from_record(record) == CALL
