"""The shape of a dial plan file: frozen models, one per kind of table.

What a plan means once compiled is `switch.routing.dialplan`; unknown keys are errors.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from policy.model import NumberClass
from switch.settings import Section

Short = Annotated[str, Field(pattern=r"^\d{2,6}$")]
Digits = Annotated[str, Field(pattern=r"^\d{1,4}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
# Kinds of evidence (policy.model.Signal); one without an age counts for nothing.
SignalKind = Literal[
    "enrolled_network",
    "usual_network",
    "source_country",
    "declared_location",
    "device_report",
    "device_address",
]


class NumberingSection(Section):
    """[numbering]: the prefixes of the country."""

    country_code: Digits
    international_prefix: Digits
    national_prefix: Digits


class CallerIdSection(Section):
    """[caller_id]: E.164 ranges that a line may not present."""

    forbidden: tuple[Annotated[str, Field(pattern=r"^\+\d+$")], ...] = ()


class AbroadSection(Section):
    """[emergency.abroad]: what it takes to block, and the ways out."""

    signals: int = Field(default=1, ge=1)
    override: bool = True
    override_key: str = Field(default="1", pattern=r"^[0-9*#]$")
    redial_s: float = Field(default=60, ge=0)


class EmergencyNumberSection(Section):
    """[[emergency.number]]: one short number and its service URN (RFC 5031)."""

    number: Short
    number_class: Literal[NumberClass.EMERGENCY_VITAL, NumberClass.EMERGENCY_SOCIAL] = Field(
        alias="class"
    )
    urn: str = Field(pattern=r"^urn:service:sos(\.[a-z0-9.-]+)?$")
    voice: str = ""
    voice_number: str = ""


class EmergencySection(Section):
    """[emergency]: the numbers and the evidence in force since `effective`."""

    effective: date
    default_number: Short = "112"
    french_countries: frozenset[Country] = Field(min_length=1)
    abroad: AbroadSection = AbroadSection()
    max_age_s: dict[SignalKind, Annotated[float, Field(ge=0)]]
    number: tuple[EmergencyNumberSection, ...] = Field(min_length=1)


class RuleSection(Section):
    """[[rule]]: patterns of one class, and what becomes of the number."""

    name: str
    patterns: tuple[str, ...] = Field(min_length=1)
    number_class: NumberClass = Field(alias="class")
    route: str = ""
    tariff: str = ""
    strip: int = Field(default=0, ge=0)
    prefix: str = Field(default="", pattern=r"^(\+?\d*)$")
    caller_id: Literal["line", "shown"] = "line"
    priority: int = 100
    feature: Literal["", "echo", "readback"] = ""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        feature = self.number_class in (NumberClass.FEATURE, NumberClass.TEST)
        if feature != bool(self.feature):
            raise ValueError("feature is for the classes feature and test, and they need it")
        nowhere = feature or self.number_class in (NumberClass.INTERNAL, NumberClass.UNKNOWN)
        if nowhere == bool(self.route):
            raise ValueError(
                f"class {self.number_class} takes no route" if nowhere else "a route is missing"
            )
        if self.number_class in (NumberClass.EMERGENCY_VITAL, NumberClass.EMERGENCY_SOCIAL):
            raise ValueError("emergency numbers stand in [[emergency.number]], never in a rule")
        return self


class HopSection(Section):
    """One trunk of a route; priority and weight as in RFC 2782."""

    trunk: str
    priority: int = Field(default=1, ge=0)
    weight: int = Field(default=100, ge=0)


class RouteSection(Section):
    """[[route]]: the trunks that calls of this route leave by."""

    name: str
    hops: tuple[HopSection, ...] = Field(min_length=1)


class TestSection(Section):
    """[[test]]: what one dialled string must become; keys that are absent are not compared."""

    __test__ = False  # not a test case, whatever its name makes pytest think

    dial: str
    number_class: NumberClass = Field(alias="class")
    number: str | None = None
    route: str | None = None
    tariff: str | None = None
    rule: str | None = None
    note: str = ""


class PlanFile(Section):
    """A whole dial plan file."""

    schema_version: Literal[1]
    name: str
    numbering: NumberingSection
    caller_id: CallerIdSection = CallerIdSection()
    tariffs: dict[str, str] = Field(default_factory=dict)
    emergency: EmergencySection
    rule: tuple[RuleSection, ...] = Field(min_length=1)
    route: tuple[RouteSection, ...] = ()
    test: tuple[TestSection, ...] = ()
