"""What a carrier's answer to REGISTER says (RFC 3261 §10.2, §20.23, §20.33): lifetimes and reasons."""

from typing import Final

from switch.sip.errors import ParseError
from switch.sip.message import Response

MAX_EXPIRES_S: Final = 86_400  # a carrier that asks for more than a day has a mistake in its 423
_MAX_REASON: Final = 80  # characters of the carrier's own words that are shown


def granted_s(response: Response, token: str, asked: int) -> int:
    """The lifetime that a 2xx gives the binding of our Contact user `token` (§10.2.4), in seconds.

    Its own `expires`, else the Expires header, else what was asked for. 0 = there is no binding.
    """
    try:
        for contact in response.contacts:
            if contact.uri.user == token and contact.param("expires") is not None:
                return int(seconds(contact.param("expires")))
        given = response.expires
    except ParseError:
        given = None
    return asked if given is None else given


def least_s(response: Response) -> int:
    """Min-Expires of a 423, 0 if it is absent or beyond reason."""
    least = int(seconds(response.get("Min-Expires")))
    return least if least <= MAX_EXPIRES_S else 0


def words(response: Response) -> str:
    """Status and reason phrase for people, without control characters."""
    phrase = "".join(char for char in response.reason if char.isprintable())
    return f"{response.status} {phrase}"[:_MAX_REASON].strip()


def seconds(value: str | None) -> float:
    """Delta-seconds at the start of a header value (Retry-After goes on with a comment), else 0."""
    digits = (value or "").partition(";")[0].partition("(")[0].strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 11 else 0.0
