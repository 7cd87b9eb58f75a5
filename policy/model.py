"""The values that a decision is made of: what is asked, what is known, what was decided.

Frozen and free of SIP: statuses, headers and targets are the switch's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NumberClass(StrEnum):
    """What kind of number was dialled; the words of CDRs, permissions and explanations."""

    EMERGENCY_VITAL = "emergency_vital"
    EMERGENCY_SOCIAL = "emergency_social"
    SOCIAL = "social"
    SUPPORT = "support"
    INTERNAL = "internal"
    NATIONAL = "national"
    MOBILE = "mobile"
    SPECIAL_FREE = "special_free"
    SPECIAL_PAID = "special_paid"
    DIRECTORY = "directory"
    INTERNATIONAL = "international"
    PREMIUM = "premium"
    FEATURE = "feature"
    TEST = "test"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What becomes of the call: connected, blocked (emergency from abroad) or refused."""

    CONNECT = "connect"
    BLOCK = "block"
    REFUSE = "refuse"


class LineState(StrEnum):
    """Where a line stands in its contract (terms 1(d), 2(k)–2(m)); pending = not activated yet."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    UNPAID = "unpaid"
    FRAUD_HOLD = "fraud_hold"
    STOLEN = "stolen"
    TERMINATED = "terminated"


class Says(StrEnum):
    """What one signal says about the phone's place."""

    SITE = "site"  # on the enrolled network of the registered building
    FRANCE = "france"
    ABROAD = "abroad"
    NOTHING = "nothing"  # no data, private, VPN or hosting address


class EvidenceLevel(StrEnum):
    """How sure it is that the phone is in France; E5 alone is positive evidence of being abroad."""

    E0 = "E0"
    E1 = "E1"
    E2 = "E2"
    E3 = "E3"
    E4 = "E4"
    E5 = "E5"


@dataclass(frozen=True, slots=True)
class Signal:
    """One independent hint at where the phone is.

    `kind` is one of enrolled_network, usual_network, source_country, declared_location,
    device_report, device_address; `value` is readable ("DE", "127.0.0.1/32"); `age_s` is seconds
    since it was true. `source` says who tells, with the version of a table or a database.
    """

    kind: str
    value: str
    says: Says
    age_s: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All signals that were looked at, the level they add up to, and the ages (seconds, by kind) up to
    which a signal counted."""

    level: EvidenceLevel
    signals: tuple[Signal, ...]
    max_age_s: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)

    def counts(self, signal: Signal) -> bool:
        """Whether a signal was part of the verdict: it says something and isn't too old. One from
        abroad must not come from the future either: that is a clock that jumped."""
        limit = self.max_age_s.get(signal.kind)
        if limit is None or signal.says is Says.NOTHING or not signal.age_s <= limit:
            return False
        return signal.says is not Says.ABROAD or signal.age_s >= 0


@dataclass(frozen=True, slots=True)
class Location:
    """A registered location: the civic address that a PSAP needs.

    `civic` maps RFC 5139 element names ("country", "A1", "A3", "RD", "HNO", "PC", "NAM", "FLR",
    "LOC"...) to text; `insee` is the commune code (arrondissement code in Paris, Lyon, Marseille);
    `version` counts changes of this line's location from 1; `registered_at` is since when it stands
    (UTC seconds), None when nobody remembers.
    """

    insee: str
    civic: Mapping[str, str]
    version: int = 1
    validated: bool = True
    confirmed: bool = True
    registered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What a decision needs of one line. `number` is E.164 with `+`; `ground` cites the clause of a
    suspension, "2(k)(a)"; `permissions` are the classes that the line may call, `blocked` numbers (E.164,
    or short ones) that it may not call any more. `in_service` is false while its device hasn't
    acknowledged the newest location."""

    id: str
    account: str
    number: str
    state: LineState
    ground: str
    permissions: frozenset[NumberClass]
    location: Location | None
    site_location: Location | None
    default_location: Location
    in_service: bool = True
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One call attempt, as the policy sees it.

    `dialled` is the user part of the Request-URI, or the whole of a tel: or urn: URI. `line` is the
    authenticated line, None for a call that a trunk brings. `at` is UTC seconds. `warned_at` is
    when this line was last blocked without hearing the warning (UTC seconds), None if it was not.
    """

    dialled: str
    line: str | None
    source_ip: str
    at: float
    trunk: str | None = None
    trunk_trusted: bool = False
    caller: str = ""
    priority: str = ""
    warned_at: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the call arrives: the calling line, its signals, and who can be called.

    `extensions` maps (account, extension) and `numbers` maps E.164 to lines of this switch.
    """

    line: Line | None
    signals: tuple[Signal, ...] = ()
    extensions: Mapping[tuple[str, str], Line] = field(default_factory=dict)
    numbers: Mapping[str, Line] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToLine:
    """The call goes to a line of this switch."""

    line: str


@dataclass(frozen=True, slots=True)
class ToNumber:
    """The call leaves by a trunk; `number` is E.164 with `+`, or a short number as dialled."""

    number: str
    number_class: NumberClass
    route: str


@dataclass(frozen=True, slots=True)
class ToEmergency:
    """The call goes to a PSAP with the registered location. `number` is the short number ("18"),
    `urn` its service URN (RFC 5031)."""

    number: str
    urn: str
    location: Location


@dataclass(frozen=True, slots=True)
class ToFeature:
    """A service of the switch itself: "echo", "readback"."""

    name: str


Destination = ToLine | ToNumber | ToEmergency | ToFeature


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was tried: its name, what it said ("pass", "connect", "refuse"...), and why."""

    rule: str
    verdict: str
    because: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the call and why.

    `reason` is a slug of the one list (ok, abroad, suspended, ...); `audit` is the audit word of
    the emergency decision table, "" for other calls; `announcement` names what is spoken ("" =
    nothing); before the destination if the action is connect, instead of it otherwise.
    `override_key` is the key that connects a blocked call to `destination`. `exempt_reason` says
    why minutes don't count.
    `may_withhold` is whether the caller may hide their number (never towards a PSAP).
    `alerts` are words "who:what" for after the call ("operator:suspect_abroad",
    "customer:confirm_address"); they never delay it.
    """

    number_class: NumberClass
    action: Action
    reason: str
    rule: str
    clause: str
    destination: Destination | None
    evidence: Evidence
    announcement: str = ""
    override_key: str = ""
    audit: str = ""
    exempt_reason: str | None = None
    caller_number: str = ""
    may_withhold: bool = True
    alerts: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
