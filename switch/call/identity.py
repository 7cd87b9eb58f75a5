"""Who is calling, as the callee may see it (RFC 3323, RFC 3325).

The number comes from the authenticated line or from the trunk's assertion, never from what a phone
writes; but a phone may choose among its account's numbers (P-Preferred-Identity), except in an
emergency call, whose PSAP calls back the line itself. A withheld number still travels to trunks that
are trusted with it, in P-Asserted-Identity.
"""

from contextlib import suppress
from dataclasses import dataclass

from policy.model import Decision, ToLine, ToNumber
from switch.facts.line import Line
from switch.facts.snapshot import Snapshot
from switch.routing.caller_id import inbound_caller, presented_number
from switch.routing.carrier import Carrier
from switch.routing.numbers import format_number, parse_number
from switch.routing.target import Target
from switch.sip.errors import ParseError
from switch.sip.message import Request
from switch.sip.nameaddr import NameAddr

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: E.164 number or extension, display name, and whether both are withheld."""

    number: str
    display: str = ""
    is_withheld: bool = False


def shown_number(facts: Snapshot, decision: Decision, line: str | None, request: Request) -> str:
    """The number that a line's call shows; "" for none, and for an unknown line.

    A refused call has its line's own, for the CDR. Colleagues see what the decision says, the
    extension.
    """
    known = facts.lines.get(line or "")
    if known is None:
        return ""
    own = decision.caller_number or known.number
    leaves = isinstance(decision.destination, ToNumber | ToLine)
    if not leaves or decision.exempt_reason == "internal":
        return own
    asked = _preferred(request)
    return presented_number(asked, own, {known.number, *_assigned(facts, known, asked)})


def _preferred(request: Request) -> str:
    """The user of the first P-Preferred-Identity that can be read (RFC 3325 §9.2), "" without."""
    users = (address.uri.user for address in _addresses(request, "P-Preferred-Identity"))
    return next((user for user in users if user), "")


def _assigned(facts: Snapshot, line: Line, asked: str) -> list[str]:
    """The number asked for, if a line of the same account has it."""
    number = parse_number(asked, "national")
    holder = facts.lines.get(facts.by_number.get(number, ""))
    return [number] if holder is not None and holder.account == line.account else []


def wants_privacy(request: Request) -> bool:
    """Whether the INVITE asks to hide the caller (RFC 3323 §4.2; `none` asks not to)."""
    value = (request.get("Privacy") or "").lower()
    tokens = {token.strip() for token in value.split(";")}
    if tokens & {"id", "user", "header"}:
        return True
    return "anonymous.invalid" in (request.get("From") or "").lower()


def asserted_by_trunk(request: Request, carrier: Carrier) -> tuple[Caller, list[tuple[str, str]]]:
    """The caller as a trunk tells it (P-Asserted-Identity before From), and how our phones are told
    what to think of the number."""
    for name in ("P-Asserted-Identity", "From"):
        for address in _addresses(request, name):
            if address.uri.user:
                found = inbound_caller(address.uri.user, carrier)
                withheld = found.is_masked or wants_privacy(request)
                return Caller(found.number, address.display or "", withheld), found.headers()
    return Caller("", "", is_withheld=True), []


def _addresses(request: Request, name: str) -> list[NameAddr]:
    """The first two addresses of a field; what can't be read is as good as absent, and refuses no call."""
    found: list[NameAddr] = []
    with suppress(ParseError):
        for value in request.split(name)[:2]:
            with suppress(ParseError):
                found.append(NameAddr.parse(value))
    return found


def quoted(display: str) -> str:
    """A display name as a quoted string (RFC 3261 §25.1), control characters dropped."""
    text = "".join(char for char in display if char.isprintable())[:80]
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" ' if text else ""


def from_value(caller: Caller, target: Target) -> str:
    """The From of the INVITE to `target`, without its tag."""
    if caller.is_withheld or not caller.number:
        return ANONYMOUS
    number = format_number(caller.number, target.caller_format)
    return f"{quoted(caller.display)}<sip:{number}@{target.from_host}>"


def identity_headers(caller: Caller, target: Target) -> list[tuple[str, str]]:
    """Privacy, once and in our words; P-Asserted-Identity for targets that are trusted with it."""
    privacy = [("Privacy", "id")] if caller.is_withheld else []
    if not target.trusts_identity or not caller.number:
        return privacy
    number = format_number(caller.number, target.caller_format)
    return [("P-Asserted-Identity", f"<sip:{number}@{target.from_host}>"), *privacy]
