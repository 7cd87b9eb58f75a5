"""`vigie line locate|confirm|locations` as people type them."""

from pathlib import Path

import orjson
import pytest

from tests.switch.console.served import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_address_by_its_elements(desk: Desk) -> None:
    words = ("--insee", "69383", "--civic", "HNO=12", "--civic", "RD=rue de l'E=mc2")
    with desk.served():
        told = desk.vigie("line", "locate", "103", *words, "--by", "ops", "--why", "moved")
        assert told.exit_code == 0, told.output
        assert (
            told.stdout == "line 103 is registered: 12 rue de l'E=mc2, 69003 Lyon (unconfirmed)\n"
        )
        assert desk.vigie("line", "confirm", "103", "--by", "Mme Dupont").exit_code == 0
        told = desk.vigie("line", "locations", "103", "--json")
    first, second = orjson.loads(told.stdout)
    assert (first["by"], first["why"]) == ("file", "line added")
    assert (second["by"], second["why"], second["confirmed_by"]) == ("ops", "moved", "Mme Dupont")


def test_an_address_from_a_file_with_a_floor_of_its_own(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "lyon.toml"
    file.write_text('insee = "69383"\ncivic = { RD = "rue Paul Bert", FLR = "1" }\n', "utf-8")
    words = ("--from-file", str(file), "--civic", "FLR=2", "--json")
    with desk.served():
        told = orjson.loads(desk.vigie("line", "locate", "103", *words).stdout)
    assert (told["civic"]["RD"], told["civic"]["FLR"]) == ("rue Paul Bert", "2")
    assert told["by"], "who typed it"


def test_a_doubt_is_told_beside_the_result(desk: Desk) -> None:
    words = ("--insee", "69383", "--civic", "RD=x", "--civic", "A3=Villeurbanne")
    with desk.served():
        told = desk.vigie("line", "locate", "103", *words)
    assert told.exit_code == 0
    assert "but 69383 is Lyon 3e Arrondissement, and A3 says Villeurbanne" in told.stdout


def test_no_address_any_more(desk: Desk) -> None:
    with desk.served():
        told = desk.vigie("line", "locate", "103", "--none")
    assert told.stdout == "line 103 is registered: without an address (unvalidated)\n"


def test_the_versions_for_people(desk: Desk) -> None:
    told = desk.vigie("line", "locations", "101")
    assert told.exit_code == 0
    assert "étage 3, 100 rue La Boétie, 75008 Paris" in told.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("locate", "103"), 2, "give one of a site"),
        (("locate", "103", "--insee", "69383", "--civic", "RD"), 2, "write NAME=text"),
        (("locate", "103", "--from-file", "nothing.toml"), 2, "nothing.toml"),
        (("locate", "103", "--insee", "75056", "--civic", "PC=75008"), 1, "75108"),
        (("locate", "999", "--none"), 1, "no line 999"),
        (("confirm", "107"), 1, "no validated address"),
        (("confirm", "101"), 1, "confirmed already"),
    ],
)
def test_what_is_refused(desk: Desk, words: tuple[str, ...], code: int, says: str) -> None:
    with desk.served():
        told = desk.vigie("line", *words)
    assert told.exit_code == code
    assert says in told.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("civic = { RD = 'x' }", "there is no insee"),
        ("insee = '69383'\ncivic = 'x'", "civic is a table"),
        ("insee =", "lyon.toml"),
    ],
)
def test_files_that_cannot_be_read(desk: Desk, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "lyon.toml"
    file.write_text(text, "utf-8")
    told = desk.vigie("line", "locate", "103", "--from-file", str(file))
    assert told.exit_code == 2
    assert says in told.stderr
