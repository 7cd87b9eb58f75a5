"""An address and its INSEE code: what contradicts, what lacks, what looks odd, what follows."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.facts import geography
from switch.facts.address import completed, doubt, is_valid, problems

CONFIGS = Path(__file__).parents[3] / "configs"
PARIS = {"country": "FR", "A3": "Paris", "PC": "75008", "RD": "rue La Boétie", "HNO": "100"}
CURRENT = [
    place
    for prefix in geography._table()
    for place in geography._of(prefix)
    if place.is_current and place.postcodes and not geography.arrondissements(place.code)
]


def messages(insee: str, civic: dict[str, str]) -> list[str]:
    return [found.message for found in problems(insee, civic)]


@pytest.mark.parametrize(
    ("insee", "changed", "key", "says"),
    [
        (
            "75056",
            {},
            "insee",
            "75101 to 75120: 75108 Paris 8e Arrondissement for the postcode 75008",
        ),
        ("13055", {"PC": "13008"}, "insee", "13201 to 13216: 13208"),
        ("69123", {"PC": ""}, "insee", "69381 to 69389"),
        ("75008", {}, "insee", "75008 is a postcode; the INSEE code of its commune is 75108"),
        ("51700", {}, "insee", "more"),
        ("99999", {}, "insee", "no commune has the INSEE code 99999"),
        ("01120", {"PC": "01120"}, "insee", "01120 Cordieux is a part of 01262 Montluel now"),
        (
            "75107",
            {},
            "civic",
            "75008 is not of 75107 Paris 7e Arrondissement (75007); it is of 75108",
        ),
        ("75108", {"PC": "75379"}, "civic", "75379 is not of 75108"),  # a CEDEX
        ("97411", {"PC": "97400"}, "civic", "country is RE in 97411 Saint-Denis, not FR"),
        ("75108", {"country": "RE"}, "civic", "country is FR in 75108"),
        ("98411", {"country": "TF", "PC": "98413"}, "civic", "(none)"),
    ],
)
def test_contradictions(insee: str, changed: dict[str, str], key: str, says: str) -> None:
    (found,) = problems(insee, PARIS | changed)
    assert (found.key, found.is_missing) == (key, False)
    assert says in found.message


@pytest.mark.parametrize(
    ("changed", "says"), [({"PC": ""}, "no postcode"), ({"RD": ""}, "where in the commune")]
)
def test_what_lacks(changed: dict[str, str], says: str) -> None:
    (found,) = problems("75108", PARIS | changed)
    assert found.is_missing
    assert says in found.message


def test_a_landmark_or_a_named_building_is_as_good_as_a_street() -> None:
    place = {name: text for name, text in PARIS.items() if name != "RD"}
    assert is_valid("75108", {**place, "NAM": "Gare Saint-Lazare"})
    assert is_valid("75108", {**place, "LMK": "Parc Monceau"})


@pytest.mark.parametrize(
    ("insee", "written"),
    [
        ("75108", "PARIS"),
        ("75108", "Paris 8e arrondissement"),
        ("97411", "St-Denis"),
        ("59183", "dunkerque"),
        ("18033", "Bourges"),
        ("62041", "arras"),
        ("01262", "Cordieux"),  # a part of the merged commune
        ("14118", "Caen"),
        ("85194", "Les Sables d’Olonne"),
        ("75108", ""),
    ],
)
def test_names_as_people_write_them(insee: str, written: str) -> None:
    assert doubt(insee, {"A3": written}) == ""


def test_another_commune_s_name_is_doubted() -> None:
    assert doubt("75108", {"A3": "Lyon"}) == "75108 is Paris 8e Arrondissement, and A3 says Lyon"


def test_what_follows_from_the_code() -> None:
    assert completed("69383", {"RD": "rue Paul Bert"}) == {
        "country": "FR",
        "A1": "Auvergne-Rhône-Alpes",
        "A2": "Rhône",
        "A3": "Lyon",
        "A4": "3e arrondissement",
        "PC": "69003",
        "RD": "rue Paul Bert",
    }
    assert completed("97411", {})["country"] == "RE"
    assert "PC" not in completed("97411", {}), "Saint-Denis has three"
    assert completed("75108", {"A3": "Lutèce"})["A3"] == "Lutèce", "what is given stays"
    assert completed("99999", {"RD": "x"}) == {"RD": "x"}


def test_the_addresses_of_the_samples_are_valid() -> None:
    addresses = []
    for name in ("demo", "production"):
        content = tomllib.loads((CONFIGS / name / "vigie.toml").read_text("utf-8"))
        addresses += content["site"]
        addresses += [
            line["location"] for line in content["line"] if "insee" in line.get("location", "")
        ]
    assert len(addresses) >= 3
    for each in addresses:
        assert messages(each["insee"], each["civic"]) == []
        assert doubt(each["insee"], each["civic"]) == ""


@given(st.sampled_from(CURRENT), st.data())
def test_every_commune_s_own_address_is_valid_and_another_s_postcode_is_not(
    place: geography.Place, data: Any
) -> None:
    street = {"RD": "rue de la Mairie", "PC": data.draw(st.sampled_from(place.postcodes))}
    whole = completed(place.code, street)
    assert messages(place.code, whole) == []
    assert doubt(place.code, whole) == ""
    other = data.draw(st.sampled_from(CURRENT))
    postcode = data.draw(st.sampled_from(other.postcodes))
    assert is_valid(place.code, {**whole, "PC": postcode}) == (postcode in place.postcodes)
    assert is_valid(place.code, {**whole, "country": "DE"}) is False


@given(st.text(max_size=6), st.dictionaries(st.sampled_from(["PC", "country", "RD"]), st.text()))
def test_no_input_breaks_the_check(insee: str, civic: dict[str, str]) -> None:
    assert all(found.message for found in problems(insee, civic))
    assert completed(insee, civic).items() >= {k: v for k, v in civic.items() if v}.items()
