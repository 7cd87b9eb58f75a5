"""Session timers (RFC 4028): the table of §9 and what follows from it."""

import pytest

from switch.dialog.session_timer import (
    SessionTimer,
    TooBrief,
    answer_headers,
    answer_timer,
    parse_session_expires,
    raised_interval,
    read_answer,
    supports,
)
from switch.sip.build import make_request
from switch.sip.message import Request, Response


def invite(*headers: tuple[str, str]) -> Request:
    return make_request("INVITE", "sip:x", headers)


def response(*headers: tuple[str, str]) -> Response:
    return Response(200, "OK", [n for n, _ in headers], [v for _, v in headers])


TIMER = ("Supported", "100rel, Timer")


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("1800", (1800, "")),
        ("1800;refresher=UAS", (1800, "uas")),
        (" 90 ; x=1 ; refresher = uac", (90, "uac")),
        (None, None),
        ("", None),
        ("soon", None),
        ("١", None),
    ],
)
def test_parsing(value: str | None, parsed: tuple[int, str] | None) -> None:
    assert parse_session_expires(value) == parsed


@pytest.mark.parametrize(
    ("headers", "agreed"),
    [
        ([], SessionTimer(1800, is_refresher=True)),
        ([TIMER], SessionTimer(1800, is_refresher=False)),
        ([TIMER, ("Session-Expires", "600")], SessionTimer(600, is_refresher=False)),
        ([TIMER, ("Session-Expires", "600;refresher=uac")], SessionTimer(600, is_refresher=False)),
        ([TIMER, ("Session-Expires", "600;refresher=uas")], SessionTimer(600, is_refresher=True)),
        ([("Session-Expires", "600;refresher=uac")], SessionTimer(600, is_refresher=True)),
        ([TIMER, ("Session-Expires", "7200")], SessionTimer(1800, is_refresher=False)),
        (
            [TIMER, ("Session-Expires", "7200"), ("Min-SE", "3600")],
            SessionTimer(3600, is_refresher=False),
        ),
        ([TIMER, ("Session-Expires", "30")], TooBrief(90)),
        ([("Session-Expires", "30")], SessionTimer(90, is_refresher=True)),
    ],
)
def test_the_uas_agrees(headers: list[tuple[str, str]], agreed: SessionTimer | TooBrief) -> None:
    assert answer_timer(invite(*headers), 1800, 90) == agreed


def test_the_answer_requires_timer_only_of_a_peer_that_refreshes() -> None:
    assert answer_headers(None, peer_supports=True) == []
    ours = SessionTimer(600, is_refresher=True)
    assert answer_headers(ours, peer_supports=True) == [("Session-Expires", "600;refresher=uas")]
    theirs = SessionTimer(600, is_refresher=False)
    assert ("Require", "timer") in answer_headers(theirs, peer_supports=True)
    assert ("Require", "timer") not in answer_headers(theirs, peer_supports=False)


@pytest.mark.parametrize(
    ("value", "agreed"),
    [
        (None, SessionTimer(1800, is_refresher=True)),
        ("600;refresher=uac", SessionTimer(600, is_refresher=True)),
        ("600;refresher=uas", SessionTimer(600, is_refresher=False)),
    ],
)
def test_the_uac_reads(value: str | None, agreed: SessionTimer) -> None:
    fields = [("Session-Expires", value)] if value else []
    assert read_answer(response(*fields), 1800) == agreed


def test_delays() -> None:
    assert SessionTimer(600, is_refresher=True).delay_s == 300
    assert SessionTimer(600, is_refresher=False).delay_s == 568
    assert SessionTimer(90, is_refresher=False).delay_s == 60


def test_after_a_422() -> None:
    assert raised_interval(response(("Min-SE", "3600")), 1800) == 3600
    assert raised_interval(response(("Min-SE", "90")), 1800) is None
    assert raised_interval(response(), 1800) is None


def test_supports_is_a_whole_word() -> None:
    assert supports(invite(("Require", "TIMER")), "timer")
    assert not supports(invite(("Supported", "timers, x-timer")), "timer")
