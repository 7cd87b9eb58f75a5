"""The snapshot joins definitions with lives; nothing of it shows a secret."""

import hashlib
from datetime import date
from types import SimpleNamespace

import pytest

from policy.model import LineState, Location, NumberClass, Says
from switch.facts.line import LineLife, Sighting
from switch.facts.networks import Networks, Place, PrefixTable
from switch.facts.settings import AccountSettings, LineSettings, LocationSettings, SiteSettings
from switch.facts.snapshot import Snapshot

PARIS = {"country": "FR", "A3": "Paris", "FLR": "3"}
NETWORKS = Networks(
    frozenset({"FR"}),
    PrefixTable(
        (place.network, place)
        for place in (Place("127.0.2.0/24", "DE"), Place("127.0.6.0/24", "FR"))
    ),
)


def line(name: str, **values: object) -> LineSettings:
    return LineSettings.model_validate(
        {
            "id": name,
            "account": "demo",
            "site": "paris",
            "number": f"+33199000{name[-3:]}",
            "password": f"demo-{name}",
        }
        | values
    )


def build(*lines: LineSettings, **lives: LineLife) -> Snapshot:
    definitions = SimpleNamespace(
        realm="vigie",
        accounts=(AccountSettings(id="demo", name="Demo", activation_requested=date(2026, 1, 1)),),
        sites=(SiteSettings(id="paris", insee="75108", civic=PARIS, networks=("127.0.0.1/32",)),),
        lines=lines or (line("101"),),
        default_location=LocationSettings(insee="75101", civic={"country": "FR"}),
    )
    overrides = {name.removeprefix("line_"): life for name, life in lives.items()}
    return Snapshot.build(definitions, overrides, NETWORKS)


def kinds(snapshot: Snapshot, source: str, at: float = 0.0) -> list[tuple[str, str, Says]]:
    signals = snapshot.policy_facts("101", source, at).signals
    return [(signal.kind, signal.value, signal.says) for signal in signals]


def test_a_line_is_found_by_id_number_and_extension() -> None:
    snapshot = build(line("101"), line("fax", number="+33199000199", extension="199"))
    assert snapshot.by_number["+33199000101"] == "101"
    assert set(snapshot.extensions) == {("demo", "101"), ("demo", "199")}
    assert snapshot.numbers["+33199000199"].id == "fax"
    assert snapshot.accounts["demo"].time_zone == "Europe/Paris"


def test_the_files_state_is_initial_and_the_stores_wins() -> None:
    suspended = line("105", state="suspended", ground="2(k)(a)")
    assert build(suspended).lines["105"].state is LineState.SUSPENDED
    assert build(suspended).lines["105"].policy.ground == "2(k)(a)"
    resumed = build(suspended, line_105=LineLife(state=LineState.ACTIVE)).lines["105"]
    assert (resumed.state, resumed.policy.ground) == (LineState.ACTIVE, "")
    stopped = build(line_101=LineLife(state=LineState.SUSPENDED, ground="2(k)(f)")).lines["101"]
    assert (stopped.state, stopped.policy.ground) == (LineState.SUSPENDED, "2(k)(f)")


def test_locations_come_from_the_site_the_line_or_the_store() -> None:
    elsewhere = {"insee": "2B033", "civic": {"country": "FR", "A3": "Bastia"}}
    lines = build(
        line("101"),
        line("102", place={"FLR": "5", "ROOM": "512"}),
        line("103", location=elsewhere),
        line("107", location="none"),
        line("104"),
        line_104=LineLife(location=Location("13055", {"country": "FR"}, 2), is_located=True),
        line_103=LineLife(location=None, is_located=True),
    ).lines
    assert lines["101"].policy.location == Location("75108", PARIS)
    assert lines["102"].policy.location == Location("75108", PARIS | {"FLR": "5", "ROOM": "512"})
    assert lines["107"].policy.location is None
    assert lines["104"].policy.location == Location("13055", {"country": "FR"}, 2)
    assert lines["103"].policy.location is None
    assert lines["107"].policy.site_location == Location("75108", PARIS)
    assert lines["107"].policy.default_location.insee == "75101"
    assert build(line("103", location=elsewhere)).lines["103"].policy.location == Location(
        "2B033", {"country": "FR", "A3": "Bastia"}
    )


def test_an_emergency_permission_cannot_be_taken_away() -> None:
    barred = build(line("101", permissions=[])).lines["101"].policy.permissions
    assert NumberClass.EMERGENCY_VITAL in barred
    assert NumberClass.SUPPORT in barred
    assert NumberClass.NATIONAL not in barred
    assert NumberClass.PREMIUM not in build().lines["101"].policy.permissions


def test_signals_best_first() -> None:
    life = LineLife(
        declared=Sighting("ES", 100.0),
        device_report=Sighting("", 150.0),
        usual={"127.0.6.0/24": 50.0, "127.0.2.0/24": 60.0},
    )
    snapshot = build(line_101=life)
    declared = ("declared_location", "ES", Says.ABROAD)
    device = ("device_report", "unknown", Says.NOTHING)
    assert kinds(snapshot, "127.0.0.1", 200.0) == [
        ("enrolled_network", "127.0.0.1/32", Says.SITE),
        declared,
        device,
        ("source_country", "unknown", Says.NOTHING),
    ]
    assert kinds(snapshot, "127.0.6.9", 200.0) == [
        ("usual_network", "127.0.6.0/24", Says.FRANCE),
        declared,
        device,
        ("source_country", "FR", Says.FRANCE),
    ]
    ages = [signal.age_s for signal in snapshot.policy_facts("101", "127.0.6.9", 200.0).signals]
    assert ages == [150.0, 100.0, 50.0, 0.0]


def test_a_usual_network_abroad_is_no_sign_of_france() -> None:
    snapshot = build(line_101=LineLife(usual={"127.0.2.0/24": 0.0}))
    assert kinds(snapshot, "127.0.2.1") == [("source_country", "DE", Says.ABROAD)]


def test_the_registered_address_is_never_a_signal() -> None:
    assert kinds(build(), "127.0.3.1") == [("source_country", "unknown", Says.NOTHING)]


def test_a_trunk_or_an_unknown_line_has_no_signals() -> None:
    for name in (None, "999"):
        facts = build().policy_facts(name, "127.0.2.1", 0.0)
        assert (facts.line, facts.signals) == (None, ())
        assert ("demo", "101") in facts.extensions


@pytest.mark.parametrize(
    ("algorithm", "hashed"), [("MD5", hashlib.md5), ("SHA-256", hashlib.sha256)]
)
def test_a_password_becomes_a_hash_per_algorithm(algorithm: str, hashed: type) -> None:
    expected = hashed(b"101:vigie:demo-101").hexdigest()
    assert build().ha1("101", algorithm) == expected
    assert build().ha1("101", "MD4") is None
    assert build().ha1("999", algorithm) is None


def test_given_hashes_are_taken_as_they_are() -> None:
    given = line("101", password=None, ha1="A" * 32, ha1_sha256="b" * 64)
    assert build(given).lines["101"].ha1 == {"MD5": "a" * 32, "SHA-256": "b" * 64}
    rotated = build(given, line_101=LineLife(ha1={"MD5": "c" * 32}))
    assert (rotated.ha1("101", "MD5"), rotated.ha1("101", "SHA-256")) == ("c" * 32, None)


def test_no_secret_shows_in_a_repr() -> None:
    snapshot = build(line("101", ha1="a" * 32))
    shown = repr(snapshot) + repr(snapshot.lines) + repr(line("101"))
    assert "demo-101" not in shown
    assert "a" * 32 not in shown
    assert (snapshot.ha1("101", "MD5") or "?") not in shown


@pytest.mark.parametrize(
    "values",
    [
        {"password": None},
        {"ha1": "no hash"},
        {"number": "0199000101"},
        {"state": "suspended"},
        {"state": "gone"},
        {"location": "home"},
        {"location": {"insee": "75008x", "civic": {"country": "FR"}}},
        {"place": {"FLOOR": "3"}},
        {"permissions": ["everything"]},
        {"caps": {"emergency_vital": {"minutes_per_day": 1}}},
        {"caps": {"premium": {"euros_per_day": 1}}},
        {"extension": "1a"},
        {"unknown": 1},
    ],
)
def test_a_wrong_line_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        line("101", **values)
