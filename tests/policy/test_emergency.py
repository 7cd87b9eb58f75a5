"""The evidence of where a phone is, and the table's own soundness."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.emergency import (
    TABLE,
    AbroadRules,
    EmergencyNumber,
    EmergencyRules,
    place,
    rests_on_address_alone,
    weigh,
)
from policy.model import (
    EvidenceLevel,
    Line,
    LineState,
    Location,
    NumberClass,
    Says,
    Signal,
)
from switch.routing.dialplan import load

RULES = load(Path(__file__).parents[2] / "dialplans" / "fr.toml").emergency
E = EvidenceLevel
SIGNAL = st.builds(
    Signal,
    st.sampled_from([*RULES.max_age_s, "horoscope"]),
    st.just(""),
    st.sampled_from(Says),
    st.one_of(st.sampled_from(list(RULES.max_age_s.values())), st.floats()),
)


def _fresh(signal: Signal) -> bool:
    return 0 <= signal.age_s <= RULES.max_age_s.get(signal.kind, -1.0)


def _abroad(kind: str, age_s: float = 0.0) -> Signal:
    return Signal(kind, "DE", Says.ABROAD, age_s)


def test_the_table_has_every_number_of_the_list() -> None:
    assert {entry.number: entry.urn.rpartition("service:")[2] for entry in RULES.numbers} == {
        "112": "sos", "15": "sos.ambulance", "17": "sos.police", "18": "sos.fire",
        "196": "sos.marine", "116117": "sos.physician",
        **{n: f"sos.country-specific.fr.{n}" for n in ("191", "197", "114", "115", "119", "116000")},
    }  # fmt: skip


def test_france_is_more_than_fr() -> None:
    assert (
        frozenset(["FR", "GP", "MQ", "GF", "RE", "YT", "BL", "MF", "PM"]) == RULES.french_countries
    )


def test_every_level_has_its_row() -> None:
    assert set(TABLE) == set(EvidenceLevel)
    assert [level for level, row in TABLE.items() if row.blocks] == [E.E5]


@given(signals=st.lists(SIGNAL, max_size=6).map(tuple))
def test_never_abroad_while_any_fresh_signal_says_france(signals: tuple[Signal, ...]) -> None:
    level = weigh(signals, RULES).level
    french = any(s.says in (Says.FRANCE, Says.SITE) and _fresh(s) for s in signals)
    foreign = any(s.says is Says.ABROAD and _fresh(s) for s in signals)
    if french:
        assert level is not E.E5
    if level is E.E5:
        assert foreign
    if foreign and not french and not any(s.age_s < 0 for s in signals):
        assert level is E.E5


@given(signals=st.lists(SIGNAL, max_size=6), shuffled=st.randoms())
def test_the_order_of_signals_is_nothing(signals: list[Signal], shuffled: object) -> None:
    level = weigh(tuple(signals), RULES).level
    shuffled.shuffle(signals)  # type: ignore[attr-defined]
    assert weigh(tuple(signals), RULES).level is level


@pytest.mark.parametrize("kind", list(RULES.max_age_s))
def test_each_kind_ages(kind: str) -> None:
    limit = RULES.max_age_s[kind]
    assert weigh((_abroad(kind, limit),), RULES).level is E.E5
    assert weigh((_abroad(kind, limit + 1),), RULES).level is E.E3


def test_two_databases_of_one_address_are_one_signal() -> None:
    two = replace(RULES, abroad=AbroadRules(signals=2))
    address = (_abroad("source_country"), _abroad("usual_network"))
    assert weigh(address, two).level is E.E3
    assert weigh((*address, _abroad("device_report")), two).level is E.E5


def test_what_rests_on_the_address_alone() -> None:
    address, device = _abroad("source_country"), _abroad("device_report")
    assert rests_on_address_alone(weigh((address,), RULES))
    assert not rests_on_address_alone(weigh((address, device), RULES))
    stale = replace(device, age_s=901.0)
    assert rests_on_address_alone(weigh((address, stale), RULES))


@pytest.mark.parametrize(
    ("own", "site", "insee", "validated"),
    [
        (Location("75108", {}), Location("75101", {}), "75108", True),
        (Location("75108", {}, validated=False), Location("75101", {}), "75101", False),
        (None, Location("75101", {}), "75101", False),
        (None, None, "75056", False),
    ],
)
def test_place(own: Location | None, site: Location | None, insee: str, validated: bool) -> None:
    line = Line("1", "a", "+33199000101", LineState.ACTIVE, "", frozenset(), own, site,
                Location("75056", {}))  # fmt: skip
    location, is_own = place(line)
    assert (location.insee, is_own) == (insee, validated)


def test_urns_are_the_same_in_any_case() -> None:
    general = EmergencyNumber("112", NumberClass.EMERGENCY_VITAL, "urn:service:sos")
    fire = EmergencyNumber("18", NumberClass.EMERGENCY_VITAL, "urn:service:SOS.Fire")
    rules = EmergencyRules.compile(date(2026, 1, 1), [general, fire], ["FR"], {})
    assert rules.classify("URN:service:sos.fire") is fire


def test_a_table_that_cannot_work_is_refused() -> None:
    fire = EmergencyNumber("18", NumberClass.EMERGENCY_VITAL, "urn:service:sos.fire")
    general = EmergencyNumber("112", NumberClass.EMERGENCY_VITAL, "urn:service:sos")
    day = date(2026, 1, 1)
    with pytest.raises(ValueError, match="lacks 112"):
        EmergencyRules.compile(day, [fire], ["FR"], {})
    with pytest.raises(ValueError, match="not in the table"):
        EmergencyRules.compile(day, [general, replace(fire, voice_number="113")], ["FR"], {})
    with pytest.raises(ValueError, match="at least 1"):
        EmergencyRules.compile(day, [general], ["FR"], {}, AbroadRules(signals=0))
