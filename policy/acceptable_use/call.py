"""One finished attempt of a line, as a detector sees it: its outline, no content."""

from dataclasses import dataclass

from policy.model import NumberClass

# Where calls cost the most per minute, so that fraud goes there.
HIGH_RISK = frozenset({NumberClass.INTERNATIONAL, NumberClass.PREMIUM})
MONDAY_TO_FRIDAY = 5


@dataclass(frozen=True, slots=True)
class Call:
    """An attempt that a line made (`outbound`) or got.

    `at` is the INVITE's UTC milliseconds; `day` and `minute` are the same on the account's clock: the
    ordinal of the local date and the minute of that day. `ended_by` is "caller", "callee" or "".
    `country` is the other side's, "" if unknown. A call that was `forwarded` came in, and went `onward`.
    `concurrent` counts the line's live external legs, this one included; `parties` is 2 unless it was a
    conference. `spoken` and `heard` are the greatest shares of the time in which the line's side can have
    spoken and heard something, None without RTP statistics, which is not silence. `caller_id`,
    `user_agent` and `subnet` are what the line presented and came from, "" if unknown.
    """

    call_id: str
    at: int
    day: int
    minute: int
    outbound: bool
    peer: str
    answered: bool
    ring_ms: int
    duration_ms: int
    ended_by: str
    status: int
    number_class: NumberClass
    country: str = ""
    forwarded: bool = False
    onward: str = ""
    is_fax: bool = False
    parties: int = 2
    concurrent: int = 1
    spoken: float | None = None
    heard: float | None = None
    caller_id: str = ""
    user_agent: str = ""
    subnet: str = ""

    @property
    def ended_at(self) -> int:
        """When it was over, UTC milliseconds."""
        return self.at + self.ring_ms + self.duration_ms

    @property
    def is_cancelled(self) -> bool:
        """Whether the caller gave up while it rang."""
        return not self.answered and self.ended_by == "caller"

    @property
    def two_way(self) -> float | None:
        """The greatest share of the time in which both can have spoken, None if that is unknown."""
        if self.spoken is None or self.heard is None:
            return None
        return min(self.spoken, self.heard)

    @property
    def is_high_risk(self) -> bool:
        """Whether it went where fraud pays, by dialling or by forwarding."""
        return (self.outbound or self.forwarded) and self.number_class in HIGH_RISK

    @property
    def is_weekday(self) -> bool:
        """Whether it was made from Monday to Friday (day 1 of the calendar, 1 January 1, was one)."""
        return (self.day - 1) % 7 < MONDAY_TO_FRIDAY
