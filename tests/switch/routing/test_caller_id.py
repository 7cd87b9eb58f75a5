"""Which number a call may show, and what is made of a number that a carrier shows us."""

import pytest

from switch.routing.caller_id import inbound_caller, is_mobile, presented_number, refusal_to_present
from switch.routing.carrier import Carrier
from switch.sip.flow import Flow

FLOW = Flow("UDP", ("127.0.0.1", 5060), ("192.0.2.1", 5060))
HOME = Carrier("home", "192.0.2.1", FLOW, number_in="national", portability_prefixes=("60012",))
ABROAD = Carrier("abroad", "192.0.2.1", FLOW, origin="abroad")
OWN = "+33199000101"
ASSIGNED = frozenset({OWN, "+33199000102"})


@pytest.mark.parametrize(
    ("number", "slug"),
    [
        (OWN, ""),
        ("+33199000102", ""),
        ("+33199000999", "not_assigned"),
        ("+33612345678", "mobile"),
        ("+33712345678", "mobile"),
        ("+262692123456", "mobile"),
        ("+4930123456", "not_assigned"),
    ],
)
def test_a_fixed_line_shows_assigned_fixed_numbers_only(number: str, slug: str) -> None:
    assert refusal_to_present(number, ASSIGNED) == slug


def test_a_mobile_number_is_refused_even_if_it_was_assigned() -> None:
    assert refusal_to_present("+33612345678", {"+33612345678"}) == "mobile"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("+33199000102", "+33199000102"),
        ("0199000102", "+33199000102"),
        ("+33145678901", OWN),
        ("+33612345678", OWN),
        ("anonymous", OWN),
        ("", OWN),
    ],
)
def test_a_phone_may_choose_among_the_numbers_of_its_account(asked: str, shown: str) -> None:
    assert presented_number(asked, OWN, ASSIGNED) == shown


def test_a_line_whose_own_number_is_mobile_shows_none() -> None:
    assert presented_number("", "+33612345678", {"+33612345678"}) == ""


@pytest.mark.parametrize(
    ("user", "number", "mark", "masked"),
    [
        ("+33145678901", "+33145678901", "french-from-abroad", False),
        ("+33612345678", "+33612345678", "french-from-abroad", True),
        ("+262692123456", "+262692123456", "french-from-abroad", True),
        (
            "+33612345678;verstat=TN-Validation-Passed",
            "+33612345678",
            "french-from-abroad-verified",
            False,
        ),
        ("+33612345678;verstat=TN-Validation-Failed", "+33612345678", "french-from-abroad", True),
        ("+4930123456", "+4930123456", "", False),
        ("anonymous", "anonymous", "", False),
    ],
)
def test_a_french_number_from_abroad_is_marked(
    user: str, number: str, mark: str, *, masked: bool
) -> None:
    caller = inbound_caller(user, ABROAD)
    assert (caller.number, caller.mark, caller.is_masked) == (number, mark, masked)
    assert caller.headers() == ([("X-Vigie-CLI", mark)] if mark else [])


def test_from_a_french_carrier_nothing_is_marked_and_the_number_is_read_in_its_format() -> None:
    caller = inbound_caller("60012612345678;npdi", HOME)
    assert (caller.number, caller.mark, caller.is_masked) == ("+33612345678", "", False)
    assert inbound_caller("0145678901", HOME).number == "+33145678901"


def test_mobile_ranges() -> None:
    assert is_mobile("+33612345678")
    assert is_mobile("+508708412345")
    assert not is_mobile("+33145678901")
    assert not is_mobile("+508411234")
    assert not is_mobile("0612345678")
