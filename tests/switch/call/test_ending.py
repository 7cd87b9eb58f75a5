"""Every way that a call ends: one row each."""

import pytest

from switch.call.ending import ENDINGS, ending_headers, slug_of, status_for_caller

CONTRACT = [
    "ok",
    "abroad",
    "abroad_overridden",
    "suspended",
    "unpaid",
    "terminated",
    "stolen",
    "not_permitted",
    "fraud_hold",
    "unknown_number",
    "unknown_line",
    "bad_credentials",
    "no_route",
    "no_answer",
    "busy",
    "cancelled",
    "rejected",
    "unreachable",
    "overload",
    "loop",
    "limit",
    "draining",
    "media_failed",
    "switch_error",
]


@pytest.mark.parametrize("slug", CONTRACT)
def test_the_contract_has_its_row(slug: str) -> None:
    assert ENDINGS[slug].slug == slug


@pytest.mark.parametrize("slug", ENDINGS)
def test_no_phone_gets_503_and_causes_are_of_q850(slug: str) -> None:
    ending = ENDINGS[slug]
    assert ending.status != 503
    assert 1 <= ending.cause <= 127
    assert ending.text
    reason, warning = ending_headers(slug, "vigie")
    assert reason == ("Reason", f'Q.850;cause={ending.cause};text="{slug}"')
    assert warning == ("Warning", f'399 vigie "{slug}: {ending.text}"')


@pytest.mark.parametrize("status", range(300, 700))
def test_every_status_has_an_ending_and_a_status_for_the_caller(status: int) -> None:
    slug = slug_of(status)
    assert slug in ENDINGS
    shown = status_for_caller(status, slug)
    assert 400 <= shown <= 699
    assert shown not in (401, 407, 503)


@pytest.mark.parametrize(
    ("status", "shown"), [(486, 486), (404, 404), (603, 603), (503, 480), (401, 480), (408, 480)]
)
def test_what_the_caller_is_shown(status: int, shown: int) -> None:
    assert status_for_caller(status, slug_of(status)) == shown
