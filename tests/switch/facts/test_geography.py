"""The official geography as it is packed: communes of today, of yesterday, overseas, and in parts."""

import json
from pathlib import Path

import pytest

from switch.facts import geography
from switch.facts.geography import OVERSEAS, TABLE, Kind
from switch.facts.geography_build import communes, rows


@pytest.mark.parametrize(
    ("insee", "name", "postcode", "country", "departement"),
    [
        ("01001", "L'Abergement-Clémenciat", "01400", "FR", "Ain"),
        ("2A004", "Ajaccio", "20090", "FR", "Corse-du-Sud"),
        ("2B033", "Bastia", "20200", "FR", "Haute-Corse"),
        ("75108", "Paris 8e Arrondissement", "75008", "FR", "Paris"),
        ("75116", "Paris 16e Arrondissement", "75116", "FR", "Paris"),
        ("69381", "Lyon 1er Arrondissement", "69001", "FR", "Rhône"),
        ("13201", "Marseille 1er Arrondissement", "13001", "FR", "Bouches-du-Rhône"),
        ("97105", "Basse-Terre", "97100", "GP", "Guadeloupe"),
        ("97209", "Fort-de-France", "97200", "MQ", "Martinique"),
        ("97302", "Cayenne", "97300", "GF", "Guyane"),
        ("97411", "Saint-Denis", "97400", "RE", "La Réunion"),
        ("97502", "Saint-Pierre", "97500", "PM", "Saint-Pierre-et-Miquelon"),
        ("97611", "Mamoudzou", "97600", "YT", "Mayotte"),
        ("97701", "Saint-Barthélemy", "97133", "BL", "Saint-Barthélemy"),
        ("97801", "Saint-Martin", "97150", "MF", "Saint-Martin"),
        ("98818", "Nouméa", "98800", "NC", "Nouvelle-Calédonie"),
    ],
)
def test_communes_of_today(
    insee: str, name: str, postcode: str, country: str, departement: str
) -> None:
    place, of = geography.find(insee), geography.departement_of(insee)
    assert place is not None and of is not None
    assert (place.name, place.is_current) == (name, True)
    assert postcode in place.postcodes
    assert geography.country_of(insee) == country
    assert of.name == departement
    assert geography.region_of(insee) is not None


@pytest.mark.parametrize(("town", "count"), [("75056", 20), ("69123", 9), ("13055", 16)])
def test_towns_with_arrondissements(town: str, count: int) -> None:
    found = geography.arrondissements(town)
    assert len(found) == count
    assert geography.ordinal(found[0]) == "1er arrondissement"
    assert geography.ordinal(found[1]) == "2e arrondissement"
    assert {each.part_of for each in found} == {town}


def test_a_part_of_a_merged_commune_names_the_whole() -> None:
    place = geography.find("01120")
    assert place is not None
    assert (place.kind, place.is_current, place.part_of) == (Kind.ASSOCIATED, False, "01262")
    assert place in geography.parts("01262")


def test_the_centre_of_a_merged_commune_stands_for_all_of_it() -> None:
    place = geography.find("93066")
    assert place is not None
    assert place.kind is Kind.COMMUNE, "Saint-Denis merged with Pierrefitte in 2025"


@pytest.mark.parametrize("code", ["", "00000", "97127", "75", "R", "751080", ";", "20004"])
def test_what_is_no_commune(code: str) -> None:
    assert geography.find(code) is None


def test_a_region_and_a_departement_of_one_code_are_told_apart() -> None:
    departement, region = geography.departement_of("01001"), geography.region_of("97105")
    assert departement is not None and departement.name == "Ain"
    assert region is not None and (region.code, region.name) == ("01", "Guadeloupe")


def test_a_postcode_does_not_give_the_commune() -> None:
    assert [each.code for each in geography.of_postcode("75008")] == ["75108"]
    assert {each.code for each in geography.of_postcode("75016")} == {"75116"}
    assert len(geography.of_postcode("51300")) > 40
    assert geography.of_postcode("99999") == ()
    assert geography.of_postcode("7500") == ()


def test_the_table_is_small_and_whole() -> None:
    assert TABLE.stat().st_size < 400_000
    assert geography.LICENCE.read_text("utf-8").startswith("MIT License")
    assert geography.version().startswith("@etalab/decoupage-administratif ")
    places = [place for prefix in geography._table() for place in geography._of(prefix)]
    assert all(len(place.code) == 5 for place in places)
    codes = [place.code for place in places]
    assert len(set(codes)) == len(codes) > 36_000
    current = [place for place in places if place.is_current]
    assert len(current) > 34_900
    # The southern lands have no post; everybody else has a postcode, a département and a country.
    assert {place.code[:3] for place in current if not place.postcodes} == {"984"}
    assert all(geography.departement_of(place.code) is not None for place in current)
    assert {geography.country_of(place.code) for place in current} == {"FR", *OVERSEAS.values()}
    shared: dict[str, int] = {}
    for place in current:
        for postcode in place.postcodes:
            shared[postcode] = shared.get(postcode, 0) + 1
    assert len(shared) == 6_310
    assert sum(count > 1 for count in shared.values()) == 4_251


def test_the_builder_keeps_one_row_for_a_code(tmp_path: Path) -> None:
    given = [
        {"code": "01015", "nom": "Arbignieu", "type": "commune-deleguee", "chefLieu": "01015"},
        {"code": "01015", "nom": "Arboys", "type": "commune-actuelle", "codesPostaux": ["01300"]},
        {"code": "01003", "nom": "Amareins", "type": "commune-associee", "chefLieu": "01165"},
        {"code": "01015", "nom": "Arbignieu", "type": "commune-deleguee", "chefLieu": "01015"},
    ]
    wanted = ["01003;a;Amareins;;01165", "01015;c;Arboys;01300"]
    assert list(communes(given)) == wanted
    for name, content in {
        "regions": [{"code": "84", "nom": "Auvergne-Rhône-Alpes"}],
        "departements": [{"code": "01", "nom": "Ain", "region": "84"}],
        "communes": given,
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content), "utf-8")
    assert list(rows(tmp_path)) == ["84;R;Auvergne-Rhône-Alpes", "01;D;Ain;;84", *wanted]
