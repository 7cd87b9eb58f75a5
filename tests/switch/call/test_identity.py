"""Who calls, as written to each kind of target (RFC 3323, RFC 3325)."""

import pytest

from switch.call.identity import (
    ANONYMOUS,
    Caller,
    asserted_by_trunk,
    from_value,
    identity_headers,
    quoted,
    wants_privacy,
)
from switch.routing.carrier import Carrier
from switch.routing.target import Target, TargetKind
from switch.sip.build import make_request
from switch.sip.flow import Flow

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5062))


def target(*, trusted: bool) -> Target:
    return Target(TargetKind.TRUNK, "t", FLOW, "sip:x", "sip:x", "vigie", trusts_identity=trusted)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ([], False),
        ([("Privacy", "none")], False),
        ([("Privacy", "ID")], True),
        ([("Privacy", "header; user")], True),
        ([("From", "<sip:anonymous@anonymous.invalid>;tag=1")], True),
    ],
)
def test_privacy(headers: list[tuple[str, str]], wanted: bool) -> None:
    assert wants_privacy(make_request("INVITE", "sip:x", headers)) is wanted


def test_a_number_is_shown() -> None:
    caller = Caller("+33199000101", "Démo")
    assert from_value(caller, target(trusted=True)) == '"Démo" <sip:+33199000101@vigie>'
    assert identity_headers(caller, target(trusted=False)) == []
    assert identity_headers(caller, target(trusted=True)) == [
        ("P-Asserted-Identity", "<sip:+33199000101@vigie>")
    ]


def test_a_withheld_number_goes_to_trusted_targets_only() -> None:
    caller = Caller("+33199000101", "Démo", is_withheld=True)
    assert from_value(caller, target(trusted=True)) == ANONYMOUS
    assert identity_headers(caller, target(trusted=False)) == [("Privacy", "id")]
    assert identity_headers(caller, target(trusted=True)) == [
        ("P-Asserted-Identity", "<sip:+33199000101@vigie>"),
        ("Privacy", "id"),
    ]


def test_a_carriers_assertion_goes_before_from() -> None:
    carrier = Carrier("c", "c", FLOW)
    fields = [
        ("From", '"X" <sip:+33111111111@c>;tag=1'),
        ("P-Asserted-Identity", '"Y" <sip:+33222222222@c>'),
    ]

    def asserted(count: int) -> Caller:
        headers = fields[:count]
        return asserted_by_trunk(make_request("INVITE", "sip:x", headers), carrier)[0]

    assert asserted(2).number == "+33222222222"
    assert asserted(1).number == "+33111111111"
    assert asserted(0).is_withheld


def test_a_display_name_can_not_break_out_of_its_quotes() -> None:
    assert quoted('a"b\\c\r\nX: y') == '"a\\"b\\\\cX: y" '
    assert quoted("") == ""
