"""Emergency numbers, evidence of where the caller is, and the decision table.

Service URNs are RFC 5031 and RFC 7163. The numbers, the French countries and the ages are dated
data that the dial plan brings; none is written here. The blocking rule is terms 1(c), and it needs
positive evidence: whoever can't be placed is connected. How a call is built for a trunk (headers,
PIDF-LO) is the switch's business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from policy.model import (
    Evidence,
    EvidenceLevel,
    Line,
    Location,
    NumberClass,
    Says,
    Signal,
)
from policy.numbering import bare

URN = "urn:service:"
SOS = "sos"

# What is read off addresses is one signal, however many addresses and databases: they err together.
ORIGIN: Mapping[str, str] = {
    "enrolled_network": "address",
    "usual_network": "address",
    "source_country": "address",
    "device_address": "address",
    "declared_location": "declaration",
    "device_report": "device",
}


@dataclass(frozen=True, slots=True)
class EmergencyNumber:
    """One number: its class (emergency_vital or emergency_social) and its service URN.

    `voice` names the announcement that a voice call hears first, and `voice_number` the number it
    then goes to: 114 is reached by text only.
    """

    number: str
    number_class: NumberClass
    urn: str
    voice: str = ""
    voice_number: str = ""


@dataclass(frozen=True, slots=True)
class AbroadRules:
    """How calls from abroad are treated.

    `signals` is how many independent foreign signals make E5. `override_key` connects a blocked
    caller, "" if that is off; a redial within `redial_s` of a block that nobody could hear
    connects as well, unless it is off.
    """

    signals: int = 1
    override_key: str = "1"
    redial_s: float = 60.0


ABROAD_DEFAULTS = AbroadRules()


@dataclass(frozen=True, slots=True)
class EmergencyRules:
    """The emergency configuration in force since `effective`; build it with `compile`.

    `max_age_s` is by kind of signal; a kind that is not in it counts for nothing. `default_number`
    is the one that every other falls back to.
    """

    effective: date
    numbers: tuple[EmergencyNumber, ...]
    french_countries: frozenset[str]
    max_age_s: Mapping[str, float]
    abroad: AbroadRules
    default_number: str
    spellings: Mapping[str, EmergencyNumber]
    urns: Mapping[str, EmergencyNumber]

    @classmethod
    def compile(
        cls,
        effective: date,
        numbers: Iterable[EmergencyNumber],
        french_countries: Iterable[str],
        max_age_s: Mapping[str, float],
        abroad: AbroadRules = ABROAD_DEFAULTS,
        default_number: str = "112",
    ) -> "EmergencyRules":
        """Index every accepted spelling. Raises ValueError for a table that can't work."""
        table = tuple(numbers)
        by_number = {entry.number: entry for entry in table}
        if default_number not in by_number:
            raise ValueError(f"the emergency table lacks {default_number}")
        for entry in table:
            if entry.voice_number and entry.voice_number not in by_number:
                raise ValueError(f"{entry.number} goes to {entry.voice_number}: not in the table")
        if abroad.signals < 1:
            raise ValueError("abroad_signals is at least 1: a block needs positive evidence")
        spellings = {}
        for entry in table:
            number = entry.number
            for spelling in (number, f"0{number}", f"+33{number}", f"0033{number}"):
                spellings[spelling] = entry
        # The only one that is dialled with a bare + (GSM phones store it so).
        spellings[f"+{default_number}"] = by_number[default_number]
        return cls(
            effective,
            table,
            frozenset(french_countries),
            dict(max_age_s),
            abroad,
            default_number,
            spellings,
            {entry.urn.lower(): entry for entry in table},
        )

    def classify(self, dialled: str) -> EmergencyNumber | None:
        """The emergency number that was dialled, in any accepted spelling, else None."""
        found = self.spellings.get(dialled)
        if found is not None or dialled.isdigit():
            return found
        dialled = dialled.partition("?")[0]  # what some phones add means nothing in tel: and urn:
        if dialled[:4].lower() == "urn:":
            return self._service(dialled.lower().partition(";")[0])
        if dialled[:4].lower() == "tel:" or ";" in dialled or "%" in dialled:
            return self.spellings.get(bare(dialled))
        return None

    def _service(self, urn: str) -> EmergencyNumber | None:
        found = self.urns.get(urn)
        if found is not None:
            return found
        service = urn.removeprefix(URN)
        if urn.startswith(URN) and (service == SOS or service.startswith(SOS + ".")):
            # RFC 5031 §4.1: a sub-service nobody offers falls back to the service above it.
            return self.spellings[self.default_number]
        return None

    def spoken(self, entry: EmergencyNumber) -> EmergencyNumber:
        """Where a voice call to `entry` goes."""
        return self.spellings[entry.voice_number] if entry.voice_number else entry


def weigh(signals: tuple[Signal, ...], rules: EmergencyRules) -> Evidence:
    """Add up the signals to a level E0–E5; stale and empty ones count for nothing."""
    site = usual = french = enrolled = located_abroad = False
    foreign: set[str] = set()
    max_age_s = rules.max_age_s
    for signal in signals:
        says = signal.says
        if says is Says.NOTHING:
            continue
        kind = signal.kind
        limit = max_age_s.get(kind)
        if limit is None or not signal.age_s <= limit:
            continue
        if says is Says.ABROAD:
            # An age below zero is a clock that jumped: no ground to block a call on.
            if signal.age_s < 0:
                continue
            if kind == "source_country":
                located_abroad = True
            else:
                foreign.add(ORIGIN.get(kind, kind))
            continue
        french = True
        usual = usual or kind == "usual_network"
        if says is Says.SITE:
            site = True
            enrolled = enrolled or kind == "enrolled_network"
    # The building's own range is better knowledge of its addresses than any country database.
    if located_abroad and not enrolled:
        foreign.add("address")
    level = _level(site, usual, french, len(foreign), rules.abroad.signals)
    return Evidence(level, signals, max_age_s)


def _level(site: bool, usual: bool, french: bool, foreign: int, needed: int) -> EvidenceLevel:
    if foreign:
        if french:
            return EvidenceLevel.E4
        # Too few foreign signals for this configuration: not positive evidence.
        return EvidenceLevel.E5 if foreign >= needed else EvidenceLevel.E3
    if site:
        return EvidenceLevel.E0
    if usual:
        return EvidenceLevel.E1
    return EvidenceLevel.E2 if french else EvidenceLevel.E3


def rests_on_address_alone(evidence: Evidence) -> bool:
    """Whether nothing but addresses speaks for abroad; such a block must be audible."""
    return all(
        ORIGIN.get(signal.kind) == "address"
        for signal in evidence.signals
        if signal.says is Says.ABROAD and evidence.counts(signal)
    )


def place(line: Line) -> tuple[Location, bool]:
    """The location to send, and whether it is the line's own validated one.

    Without one: the site's address (or bare INSEE), else the configured default.
    """
    if line.location is not None and line.location.validated:
        return line.location, True
    return line.site_location or line.default_location, False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the decision table for lines in service: level -> verdict."""

    audit: str
    rule: str
    blocks: bool = False
    alerts: tuple[str, ...] = ()


# The order of the table is the order of the levels: exactly one row fits each.
TABLE: Mapping[EvidenceLevel, Row] = {
    EvidenceLevel.E0: Row("connected", "emergency_at_site"),
    EvidenceLevel.E1: Row("connected", "emergency_usual_network"),
    EvidenceLevel.E2: Row(
        "moved_in_fr", "emergency_moved_in_france", alerts=("customer:confirm_address",)
    ),
    EvidenceLevel.E3: Row("loc_unverified", "emergency_no_evidence"),
    EvidenceLevel.E4: Row(
        "suspect_abroad", "emergency_contradicted", alerts=("operator:suspect_abroad",)
    ),
    EvidenceLevel.E5: Row(
        "blocked_abroad",
        "emergency_abroad",
        blocks=True,
        alerts=("customer:blocked_abroad", "operator:blocked_abroad"),
    ),
}
