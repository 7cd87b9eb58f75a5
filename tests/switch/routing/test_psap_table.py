"""The emergency routing table: reading, finding, comparing. The fixture is made by its script."""

import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.facts import geography
from switch.routing.psap_table import (
    MAX_PROBLEMS,
    NO_TABLE,
    PsapTable,
    PsapTableError,
    compare,
    department,
    read_table,
    whole_city,
)

FIXTURES = Path(__file__).parent / "fixtures"
HEAD = "number,insee,long_number\n"
FICTION = ("+3319900", "+3326191", "+3335301", "+3346571", "+3353649")


@pytest.fixture(scope="module")
def sample() -> PsapTable:
    return read_table((FIXTURES / "psap_routes.csv").read_bytes())


def rows(*lines: str) -> PsapTable:
    return read_table((HEAD + "\n".join(lines)).encode())


def test_the_fixture_is_what_its_script_makes() -> None:
    made = runpy.run_path(str(FIXTURES / "psap_routes.py"))["table"]()
    assert made == (FIXTURES / "psap_routes.csv").read_text("utf-8")


def test_the_fixture_covers_every_departement_and_arrondissement(sample: PsapTable) -> None:
    metropolitan = {f"{n:02d}" for n in range(1, 96)} - {"20"} | {"2A", "2B"}
    overseas = {f"97{n}" for n in range(1, 9)}
    cities = [*geography.arrondissements("75056"), *geography.arrondissements("69123")]
    cities += geography.arrondissements("13055")
    assert len(cities) == 20 + 9 + 16
    for number, by_commune in sample.long_numbers.items():
        assert {department(insee) for insee in by_commune} == metropolitan | overseas, number
        assert {place.code for place in cities} <= by_commune.keys()


def test_the_fixture_has_numbers_of_fiction_only(sample: PsapTable) -> None:
    numbers = {n for by_commune in sample.long_numbers.values() for n in by_commune.values()}
    assert len(numbers) > 700
    assert all(number.startswith(FICTION) for number in numbers)


def test_find() -> None:
    table = rows("18,75108,0199000018", "18,2A004,+33465710018", "15,97411,0262000015")
    assert table.find("18", "75108") == "+33199000018"
    assert table.find("18", "2A004") == "+33465710018"
    assert table.find("15", "97411") == "+262262000015", "dialled with 0, as overseas numbers are"
    assert table.find("15", "75108") == table.find("17", "75108") == ""
    assert NO_TABLE.find("18", "75108") == ""
    assert len(table) == 3 and len(NO_TABLE) == 0


@pytest.mark.parametrize(
    ("arrondissement", "city"),
    [("75101", "75056"), ("75120", "75056"), ("69381", "69123"), ("69389", "69123"),
     ("13201", "13055"), ("13216", "13055")],
)  # fmt: skip
def test_an_arrondissement_without_a_row_is_its_citys(arrondissement: str, city: str) -> None:
    table = rows(f"18,{city},0199000018")
    assert table.find("18", arrondissement) == "+33199000018"
    assert rows(f"18,{city},0199000018", f"18,{arrondissement},0199000019").find(
        "18", arrondissement
    ).endswith("19")  # fmt: skip


@pytest.mark.parametrize("insee", ["75056", "13055", "69123", "69266", "13100", "01004", "97411"])
def test_no_other_commune_is_part_of_a_city(insee: str) -> None:
    assert whole_city(insee) == ""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "the table is empty"),
        (HEAD, "the table is empty"),
        ("number,insee\n18,75108\n", "line 1: the first row lacks the column long_number"),
        (HEAD.strip() + ",who\n", "unknown column 'who'"),
        (HEAD + "18,75108", "line 2: a value is missing"),
        (HEAD + "+18,75108,0199000018", "'+18' is no emergency number"),
        (HEAD + "18,7510,0199000018", "'7510' is no INSEE"),
        (HEAD + "18,2C004,0199000018", "'2C004' is no INSEE"),
        (HEAD + "18,75108,18", "'18' is no French number"),
        (HEAD + "18,75108,+3224445566", "is no French number"),
        (
            HEAD + "# 18\n18,75108,0199000018\n18,75108,0199000019",
            "line 4: 18 of 75108 stands twice",
        ),
        (HEAD + '18,75108,"0199', "line 2"),
    ],
)
def test_what_is_no_table(content: str, complaint: str) -> None:
    with pytest.raises(PsapTableError) as refused:
        read_table(content.encode())
    assert complaint in str(refused.value)


def test_a_file_of_another_kind_makes_few_complaints() -> None:
    with pytest.raises(PsapTableError) as refused:
        read_table((HEAD + "x,y,z\n" * 500).encode())
    assert len(refused.value.problems) == MAX_PROBLEMS
    with pytest.raises(PsapTableError, match="UTF-8"):
        read_table(b"\xff\xfe")


def test_numbers_that_the_plan_does_not_know_are_refused() -> None:
    with pytest.raises(PsapTableError, match="'19' is no emergency number"):
        read_table((HEAD + "19,75108,0199000018").encode(), numbers=("18", "15"))


def test_columns_in_any_order_names_and_a_mark_of_windows() -> None:
    table = read_table("\ufefflong_number,name,insee,number\n0199000018, SDIS ,75108,18\n".encode())
    assert table.find("18", "75108") == "+33199000018"


def test_compare() -> None:
    old = rows("18,75108,0199000018", "18,75101,0199000018", "15,75108,0199000015")
    new = rows("18,75108,0199000099", "15,75108,0199000015", "17,75108,0199000017")
    found = compare(old, new)
    assert found.added == (("17", "75108"),)
    assert found.removed == (("18", "75101"),)
    assert found.changed == {("18", "75108"): ("+33199000018", "+33199000099")}
    assert found.lost_share == 0.5, "of 18's rows, though a third of all"
    assert found.lost_departments == ()
    assert compare(NO_TABLE, new).lost_share == 0.0
    assert compare(old, old).changed == {}


def test_a_smaller_coverage_is_refused_beyond_the_share() -> None:
    old = rows(*(f"18,{n:05d},0199000018" for n in range(1001, 1101)))
    new = rows(*(f"18,{n:05d},0199000018" for n in range(1001, 1098)))
    found = compare(old, new)
    assert found.lost_share == pytest.approx(0.03)
    assert "shrinks by 3.0%, more than 2.0%" in found.refusal(0.02)
    assert found.refusal(0.03) == ""


def test_a_departement_never_vanishes_unseen() -> None:
    """One commune of 101 is 1 %, and all of Saint-Barthélemy."""
    many = [f"18,{n:05d},0199000018" for n in range(1001, 1101)]
    found = compare(rows(*many, "18,97701,0199000018"), rows(*many))
    assert found.lost_share < 0.02
    assert found.lost_departments == (("18", "977"),)
    assert "18 is lost for the whole département 977" in found.refusal(0.02)
    assert found.refusal(1) == "", "who says that all may be lost knows"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    for whole in (content, HEAD.encode() + content):
        covered, complaints = 0, 0
        try:
            covered = len(read_table(whole))
        except PsapTableError as error:
            complaints = len(error.problems)
        assert bool(covered) is not bool(complaints)
