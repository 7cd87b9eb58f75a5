"""Caller numbers (CLI): which a line may show, and which a carrier's call may claim.

French rules: a line presents only numbers assigned to its account, and a fixed line none of a mobile
range. A call that comes from abroad with a French number is marked, and an unauthenticated mobile
number is masked (law 2020-901 and the numbering plan's rules since 1 January 2026).

The mark travels to our phones in `X-Vigie-CLI`, stands in the event and is a plain word, so that
tools can count it. Deliberately absent: checking STIR signatures (RFC 8224); the carrier's verdict is
read from `verstat` (3GPP TS 24.229 §7.2A.20).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from switch.routing.carrier import Carrier
from switch.routing.numbers import country_of, parse_number

MARK_HEADER: Final = "X-Vigie-CLI"
FRENCH_FROM_ABROAD: Final = "french-from-abroad"
FRENCH_FROM_ABROAD_VERIFIED: Final = "french-from-abroad-verified"

# 06 and 07, and in the overseas plans what follows their country code (0692: +262 692).
_MOBILE: Final = ("6", "7")
_PASSED: Final = "verstat=tn-validation-passed"


@dataclass(frozen=True, slots=True)
class InboundCaller:
    """A caller as a trunk brings it: E.164 number, its mark ("" = none), and whether to hide it."""

    number: str
    mark: str = ""
    is_masked: bool = False

    def headers(self) -> list[tuple[str, str]]:
        """What the INVITE to one of our phones says about it."""
        return [(MARK_HEADER, self.mark)] if self.mark else []


def is_mobile(number: str) -> bool:
    """Whether an E.164 number is of a French mobile range, overseas included."""
    country = country_of(number)
    return bool(country) and number[1 + len(country) :].startswith(_MOBILE)


def refusal_to_present(number: str, assigned: Collection[str]) -> str:
    """Why a fixed line may not show an E.164 number: "mobile", "not_assigned"; "" when it may.

    `assigned` are the numbers of the line's account.
    """
    if is_mobile(number):
        return "mobile"
    return "" if number in assigned else "not_assigned"


def presented_number(asked: str, own: str, assigned: Collection[str]) -> str:
    """The number that a call shows: the one asked for (P-Preferred-Identity, RFC 3325 §9.2) if the
    account has it, else the line's own, else "" (anonymous)."""
    for number in (parse_number(asked, "national"), own):
        if number and not refusal_to_present(number, assigned):
            return number
    return ""


def inbound_caller(user: str, carrier: Carrier) -> InboundCaller:
    """Read the user part of a trunk's P-Asserted-Identity or From, as written, parameters included.

    A trunk with `origin` "abroad" brings calls that began abroad: a French number there is marked.
    """
    number = parse_number(user, carrier.number_in, carrier.portability_prefixes)
    if carrier.origin != "abroad" or not country_of(number):
        return InboundCaller(number)
    if _PASSED in user.lower():
        return InboundCaller(number, FRENCH_FROM_ABROAD_VERIFIED)
    return InboundCaller(number, FRENCH_FROM_ABROAD, is_masked=is_mobile(number))
