"""[usage]: the fair-use threshold of terms 3(a) and what counts towards it."""

from typing import Annotated, Literal

from pydantic import Field

from switch.settings import Section

Percentage = Annotated[int, Field(ge=1, le=100)]


class UsageSettings(Section):
    """An indicator, never a cap: nothing here refuses or cuts a call.

    `answer_within_days` is the time that a customer has to answer a review: the terms leave it open.
    """

    threshold_minutes: int = Field(default=5000, ge=1)
    percentages: tuple[Percentage, ...] = (80, 90, 100)
    answer_within_days: float = Field(default=7, gt=0)
    counted: frozenset[Literal["inbound", "outbound"]] = frozenset({"inbound", "outbound"})

    @property
    def threshold_ms(self) -> int:
        """The threshold in the unit of the meters."""
        return self.threshold_minutes * 60_000

    @property
    def answer_within_ms(self) -> int:
        """The time to answer, in milliseconds."""
        return round(self.answer_within_days * 86_400_000)
