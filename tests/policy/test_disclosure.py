"""Two people must agree before data leave, and neither is who asked."""

from dataclasses import replace

import pytest

from policy.disclosure import (
    Class,
    Disclosure,
    Ground,
    NotAllowedError,
    Stage,
    approve,
    export,
    refuse,
)

ASKED = Disclosure("d1", "101", 1, 2, (Class.TRAFFIC,), Ground.AUTHORITY, "PV 12", "ana")


def test_two_others_agree_and_data_leave_once() -> None:
    once = approve(ASKED, "bob")
    assert once.stage is Stage.REQUESTED
    twice = approve(once, "claire")
    assert (twice.stage, twice.approved_by) == (Stage.APPROVED, ("bob", "claire"))
    assert export(twice).stage is Stage.EXPORTED
    with pytest.raises(NotAllowedError, match="left already"):
        export(export(twice))


@pytest.mark.parametrize(
    ("request_", "by", "why"),
    [
        (ASKED, "ana", "ana asked for d1: 2 others must agree"),
        (approve(ASKED, "bob"), "bob", "bob agreed to d1 already"),
        (approve(approve(ASKED, "bob"), "claire"), "dora", "is approved already"),
        (refuse(ASKED), "bob", "is refused already"),
    ],
)
def test_who_may_not_agree(request_: Disclosure, by: str, why: str) -> None:
    with pytest.raises(NotAllowedError, match=why):
        approve(request_, by)


def test_nothing_leaves_without_both_or_after_a_refusal() -> None:
    for request, why in (
        (ASKED, "2 approvals are missing"),
        (approve(ASKED, "bob"), "1 approvals are missing"),
        (refuse(approve(approve(ASKED, "bob"), "claire")), "it was refused"),
    ):
        with pytest.raises(NotAllowedError, match=why):
            export(request)
    with pytest.raises(NotAllowedError, match="exported already"):
        refuse(replace(ASKED, stage=Stage.EXPORTED))
