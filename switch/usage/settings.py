"""[usage]: the fair-use threshold of terms 3(a) and what counts towards it; [[tariff]]: its other plan."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from policy.model import NumberClass
from switch.settings import Section
from switch.usage.rating import Pulse, Tariff

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


def _pulse(text: str) -> str:
    Pulse.parse(text)
    return text


class TariffSettings(Section):
    """What the per-minute plan bills for one class of numbers, before VAT: pulse "60/1" = the first 60
    seconds whole, then each begun second. `since`: the first day of a later price list; it holds for
    who was told of that day in time (`vigie account announce`) or came to it."""

    number_class: NumberClass = Field(alias="class")
    since: date | None = None
    pulse: Annotated[str, AfterValidator(_pulse)] = "60/1"
    euros_per_minute: Decimal = Field(ge=0)
    euros_per_call: Decimal = Field(default=Decimal(0), ge=0)

    @property
    def name(self) -> str:
        """What tells it from the others: its class, and from when on."""
        return f"{self.number_class} since {self.since}" if self.since else self.number_class.value

    def tariff(self) -> Tariff:
        """The tariff as rating takes it."""
        return Tariff(Pulse.parse(self.pulse), self.euros_per_minute, self.euros_per_call)
