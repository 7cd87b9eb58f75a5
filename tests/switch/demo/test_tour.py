"""What the tour makes of what phones tell. The stations themselves need a switch (tests/wire)."""

from typing import Any

from switch.demo.tour import _arrows, _evidence


def event(at: float, name: str, **fields: Any) -> dict[str, Any]:
    return {"t": at, "event": name, **fields}


def test_the_caller_side_of_a_ladder() -> None:
    events = [
        event(1.0, "calling", call=0),
        event(1.1, "call", state="early", code=180, reason="Ringing"),
        event(1.15, "call", state="early", code=180, reason="Ringing"),
        event(1.2, "call", state="connecting", code=200, reason="OK"),
        event(1.3, "call", state="confirmed", code=200, reason="OK"),
        event(1.4, "media", active=True),
        event(2.0, "call", state="disconnected", code=200, reason=""),
    ]
    assert [(a.source, a.target, a.label) for a in _arrows(events, phone=0)] == [
        (0, 1, "INVITE"),
        (1, 0, "180 Ringing"),
        (1, 0, "200 OK"),
        (0, 1, "ACK"),
        (0, 1, "BYE"),
    ]


def test_the_callee_side_of_a_ladder() -> None:
    events = [
        event(1.0, "incoming", call=0),
        event(1.1, "call", state="early", code=180, reason="Ringing"),
        event(1.2, "call", state="connecting", code=200, reason="OK"),
        event(1.3, "call", state="confirmed", code=200, reason="OK"),
        event(2.0, "call", state="disconnected", code=200, reason=""),
    ]
    assert [(a.source, a.target, a.label) for a in _arrows(events, phone=2)] == [
        (1, 2, "INVITE"),
        (2, 1, "180 Ringing"),
        (2, 1, "200 OK"),
        (1, 2, "ACK"),
        (1, 2, "BYE"),
    ]


def test_evidence_is_one_sentence() -> None:
    signals = [{"kind": "source_country", "value": "DE", "says": "abroad", "age_s": 0}]
    why = {"evidence": {"level": "E5", "signals": signals}}
    assert _evidence(why) == "E5 (source_country DE says abroad)"
    assert _evidence({}) == "no evidence"
