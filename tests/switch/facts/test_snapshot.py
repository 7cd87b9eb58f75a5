"""The snapshot joins definitions with lives; nothing of it shows a secret."""

import hashlib
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from policy.model import LineState, Location, NumberClass, Says
from switch.facts.line import LineLife
from switch.facts.networks import Networks, Place, PrefixTable
from switch.facts.registered import Address, Registered, Source
from switch.facts.settings import AccountSettings, LineSettings, LocationSettings, SiteSettings
from switch.facts.snapshot import Snapshot
from switch.facts.whereabouts import (
    NOWHERE,
    Declaration,
    DeviceReport,
    SeenNetwork,
    Whereabouts,
    fingerprint_key,
    network_key,
)

PARIS = {"country": "FR", "A3": "Paris", "RD": "rue La Boétie", "PC": "75008", "FLR": "3"}
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


def kinds(
    snapshot: Snapshot, source: str, now: float = 0.0, seen: Whereabouts = NOWHERE
) -> list[tuple[str, str, Says]]:
    signals = snapshot.policy_facts("101", source, now, seen).signals
    return [(signal.kind, signal.value, signal.says) for signal in signals]


def usual(*addresses: str, days: int = 3, last: float = 50.0) -> dict[bytes, SeenNetwork]:
    found = {
        network_key(address): SeenNetwork(f"net {address}", days, last) for address in addresses
    }
    return {key: network for key, network in found.items() if key is not None}


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


def registered(insee: str | None, civic: dict[str, str], **more: Any) -> LineLife:
    address = None if insee is None else Address(insee, civic)
    kept: dict[str, Any] = {"source": Source.STORE, "site": "paris", "confirmed_at": 9, **more}
    return LineLife(registered=Registered("any", 2, 5, address, validated=True, **kept))


def test_locations_come_from_the_site_the_line_or_the_store() -> None:
    bastia = {"country": "FR", "A3": "Bastia", "RD": "boulevard Paoli", "PC": "20200"}
    elsewhere = {"insee": "2B033", "civic": bastia}
    lines = build(
        line("101"),
        line("102", place={"FLR": "5", "ROOM": "512"}),
        line("103", location=elsewhere),
        line("107", location="none"),
        line("104"),
        line_104=registered("13208", {"country": "FR"}),
        line_103=registered(None, {}),
    ).lines
    assert lines["101"].policy.location == Location("75108", PARIS)
    assert lines["102"].policy.location == Location("75108", PARIS | {"FLR": "5", "ROOM": "512"})
    assert lines["107"].policy.location is None
    assert lines["104"].policy.location == Location(
        "13208", {"country": "FR"}, 2, registered_at=0.005
    )
    assert lines["103"].policy.location is None
    assert lines["107"].policy.site_location == Location("75108", PARIS)
    assert lines["107"].policy.default_location.insee == "75101"
    assert build(line("103", location=elsewhere)).lines["103"].policy.location == Location(
        "2B033", bastia
    )


def test_what_is_remembered_of_a_file_s_location_is_its_version_and_confirmation() -> None:
    life = registered("99999", {}, source=Source.FILE, confirmed_at=None)
    place = build(line_101=life).lines["101"].policy.location
    assert place == Location("75108", PARIS, 2, confirmed=False, registered_at=0.005)


def test_an_address_that_contradicts_its_code_is_not_validated() -> None:
    wrong = {"insee": "75107", "civic": PARIS}
    place = build(line("101", location=wrong)).lines["101"].policy.location
    assert place is not None and not place.validated


def test_a_moved_line_is_in_the_other_site_as_long_as_there_is_one() -> None:
    definitions = build(line_101=registered("75108", PARIS, site="lyon")).lines["101"]
    assert (definitions.site, definitions.filed_site) == ("paris", "paris")


def test_an_emergency_permission_cannot_be_taken_away() -> None:
    barred = build(line("101", permissions=[])).lines["101"].policy.permissions
    assert NumberClass.EMERGENCY_VITAL in barred
    assert NumberClass.SUPPORT in barred
    assert NumberClass.NATIONAL not in barred
    assert NumberClass.PREMIUM not in build().lines["101"].policy.permissions


def test_signals_best_first() -> None:
    seen = Whereabouts(
        declared=Declaration("ES", 100.0),
        device=DeviceReport("", "", "", 150.0),
        networks=usual("127.0.6.0", "127.0.2.0"),
    )
    snapshot = build()
    declared = ("declared_location", "ES", Says.ABROAD)
    device = ("device_report", "unknown", Says.NOTHING)
    assert kinds(snapshot, "127.0.0.1", 200.0, seen) == [
        ("enrolled_network", "127.0.0.1/32", Says.SITE),
        declared,
        device,
        ("source_country", "unknown", Says.NOTHING),
    ]
    assert kinds(snapshot, "127.0.6.9", 200.0, seen) == [
        ("usual_network", "net 127.0.6.0", Says.FRANCE),
        declared,
        device,
        ("source_country", "FR", Says.FRANCE),
    ]
    signals = snapshot.policy_facts("101", "127.0.6.9", 200.0, seen).signals
    assert [signal.age_s for signal in signals] == [150.0, 100.0, 50.0, 0.0]
    assert [signal.source for signal in signals][:3] == ["registrations", "declaration", "device"]


def test_a_usual_network_abroad_is_no_sign_of_france() -> None:
    seen = Whereabouts(networks=usual("127.0.2.0"))
    assert kinds(build(), "127.0.2.1", seen=seen) == [("source_country", "DE", Says.ABROAD)]


def test_a_network_that_was_seen_twice_is_not_usual_yet() -> None:
    seen = Whereabouts(networks=usual("127.0.6.0", days=2))
    assert kinds(build(), "127.0.6.1", seen=seen) == [("source_country", "FR", Says.FRANCE)]


def test_a_declaration_ends_when_it_said_so() -> None:
    seen = Whereabouts(declared=Declaration("DE", 0.0, until=100.0))
    assert kinds(build(), "127.0.3.1", 99.0, seen)[0] == ("declared_location", "DE", Says.ABROAD)
    assert kinds(build(), "127.0.3.1", 100.0, seen) == [("source_country", "unknown", Says.NOTHING)]


def test_what_became_known_while_a_call_lay_in_a_queue_is_of_now() -> None:
    seen = Whereabouts(device=DeviceReport("DE", "", "", 102.0))
    for now, age_s in ((100.0, 0.0), (103.0, 1.0), (2.0, -100.0)):
        signals = build().policy_facts("101", "127.0.3.1", now, seen).signals
        assert signals[0].age_s == age_s


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.2.7", ("device_address", "DE", Says.ABROAD)),
        ("127.0.0.1", ("device_address", "127.0.0.1/32", Says.SITE)),
        ("10.0.0.1", ("device_address", "private", Says.NOTHING)),
        ("", None),
        ("127.0.6.200", None),  # the network that the call itself comes from
    ],
)
def test_a_devices_own_address_is_looked_up_unless_it_is_the_calls(
    address: str, told: tuple[str, str, Says] | None
) -> None:
    seen = Whereabouts(device=DeviceReport("", address, "", 0.0))
    expected = [
        ("device_report", "unknown", Says.NOTHING),
        told,
        ("source_country", "FR", Says.FRANCE),
    ]
    assert kinds(build(), "127.0.6.9", seen=seen) == [each for each in expected if each]


def test_a_local_network_that_is_usual_speaks_for_france() -> None:
    key = fingerprint_key("ab12")
    seen = Whereabouts(
        device=DeviceReport("DE", "", "ab12", 0.0),
        networks={key: SeenNetwork("local network ab12", 3, 0.0)},
    )
    assert kinds(build(), "127.0.3.1", seen=seen)[:2] == [
        ("device_report", "DE", Says.ABROAD),
        ("device_report", "local network ab12", Says.FRANCE),
    ]


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
