"""Every way that a call can end: one slug each, with its SIP status, Q.850 cause and announcement.

The one list behind the Reason and Warning headers, the log, the CDR and `explain`. Phones never get
503 from here: with Retry-After it would forbid them every further request, 18 included (RFC 3261
§21.5.4).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ending:
    """One row. `status` is what a caller gets; `cause` is ITU-T Q.850; `announcement` names what is
    spoken before the final response, "" for nothing; `text` says it to a person."""

    slug: str
    status: int
    cause: int
    text: str
    announcement: str = ""


_ROWS = (
    Ending("ok", 200, 16, "The call ended normally"),
    Ending("abroad", 403, 21, "Emergency calls are not available outside France", "abroad"),
    Ending("abroad_overridden", 200, 16, "The caller confirmed to be in France"),
    Ending("suspended", 403, 21, "The line is suspended", "suspended"),
    Ending("unpaid", 403, 21, "The line is barred until the account is paid", "unpaid"),
    Ending("terminated", 403, 21, "The line's contract has ended", "terminated"),
    Ending("not_activated", 403, 21, "The line is not activated yet", "not_activated"),
    Ending("stolen", 403, 21, "The device was reported stolen"),
    Ending("retired", 403, 21, "The device was taken out of service"),
    Ending("not_permitted", 403, 21, "The line may not call this kind of number", "not_permitted"),
    Ending("fraud_hold", 403, 21, "Calls are held on suspicion of fraud", "fraud_hold"),
    Ending("unknown_number", 404, 1, "The number is not in service"),
    Ending("unknown_line", 403, 21, "The calling line is not known"),
    Ending("bad_credentials", 403, 21, "The credentials were refused"),
    Ending("no_route", 480, 3, "No carrier takes this call"),
    Ending("no_answer", 480, 19, "Nobody answered"),
    Ending("busy", 486, 17, "The called party is busy"),
    Ending("cancelled", 487, 16, "The caller hung up before the answer"),
    Ending("rejected", 603, 21, "The called party declined"),
    Ending("unreachable", 480, 20, "The called phone is not reachable"),
    Ending("overload", 480, 42, "The switch is overloaded"),
    Ending("loop", 482, 25, "The call came back to the switch"),
    Ending("too_many_hops", 483, 25, "The call passed too many servers"),
    Ending("limit", 480, 34, "A limit of channels, minutes or spend is reached"),
    Ending("draining", 480, 42, "The switch is being taken out of service"),
    Ending("media_failed", 480, 41, "No announcement could be played"),
    Ending("incompatible", 488, 88, "The two sides have no media in common"),
    Ending("bad_extension", 420, 127, "A required extension is not supported"),
    Ending("not_answered_in_dialog", 481, 41, "The other side no longer knows the call"),
    Ending("not_acknowledged", 408, 41, "The caller never confirmed the answer"),
    Ending("session_expired", 408, 102, "The other side fell silent"),
    Ending("hung_up_by_operator", 200, 16, "An operator ended the call"),
    Ending("switch_restarted", 480, 41, "The switch restarted while the call was being set up"),
    Ending("bad_request", 400, 95, "The request could not be read"),
    Ending("switch_error", 500, 41, "The switch failed"),
)

ENDINGS: dict[str, Ending] = {row.slug: row for row in _ROWS}

_BY_STATUS = {
    400: "bad_request",
    404: "unknown_number",
    408: "no_answer",
    410: "unknown_number",
    420: "bad_extension",
    480: "unreachable",
    482: "loop",
    483: "too_many_hops",
    484: "unknown_number",
    486: "busy",
    487: "cancelled",
    488: "incompatible",
    600: "busy",
    603: "rejected",
    604: "unknown_number",
    606: "incompatible",
}

# Statuses of a callee that a caller must not see: challenges are ours to answer, 503 silences phones,
# and the rest concern the hop between the switch and the callee.
_HIDDEN = frozenset(
    {305, 401, 407, 408, 421, 422, 424, 428, 429, 430, 436, 437, 438, 439, 503, 504}
)


def slug_of(status: int) -> str:
    """The ending behind a callee's final status."""
    slug = _BY_STATUS.get(status)
    if slug is not None:
        return slug
    return "unreachable" if status >= 500 or status in _HIDDEN else "rejected"


def status_for_caller(status: int, slug: str) -> int:
    """The status that the caller gets when the callee answered `status` (RFC 3261 §16.7 step 6)."""
    if 400 <= status <= 699 and status not in _HIDDEN:
        return status
    return ENDINGS[slug].status


def ending_headers(slug: str, host: str) -> list[tuple[str, str]]:
    """Reason (RFC 3326) and Warning (RFC 3261 §20.43) for a final response or a BYE."""
    ending = ENDINGS[slug]
    return [
        ("Reason", f'Q.850;cause={ending.cause};text="{slug}"'),
        ("Warning", f'399 {host} "{slug}: {ending.text}"'),
    ]
