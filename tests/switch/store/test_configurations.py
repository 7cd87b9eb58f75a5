"""Configurations are kept by content, go back one by one, and are nobody else's to read."""

import stat
from pathlib import Path

import pytest

from switch.store.configurations import KEPT, Configurations


@pytest.fixture
def kept(tmp_path: Path) -> Configurations:
    return Configurations(tmp_path / "kept")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vigie.toml"


def keep(kept: Configurations, file: Path, text: str) -> str:
    file.write_text(text)
    return kept.keep([file], 0)


def test_the_one_before_comes_back_as_it_was(kept: Configurations, file: Path) -> None:
    assert kept.previous() is None
    first = keep(kept, file, "one")
    assert kept.previous() is None
    keep(kept, file, "two")
    keep(kept, file, "two")  # the same again is no other
    previous = kept.previous()
    assert previous is not None
    assert (previous.id, previous.path) == (first, file)
    assert previous.files[file].read_text() == "one"


def test_going_back_goes_on_and_a_new_one_starts_from_there(
    kept: Configurations, file: Path
) -> None:
    ids = [keep(kept, file, text) for text in ("one", "two", "three")]
    kept.drop_last()
    previous = kept.previous()
    assert previous is not None and previous.id == ids[0]
    keep(kept, file, "four")
    previous = kept.previous()
    assert previous is not None and previous.id == ids[1]


def test_few_are_kept_and_nothing_else_lies_about(
    kept: Configurations, file: Path, tmp_path: Path
) -> None:
    for number in range(KEPT + 5):
        keep(kept, file, f"number {number}")
    contents = list((tmp_path / "kept" / "files").iterdir())
    assert len(contents) == KEPT
    assert {stat.S_IMODE(path.stat().st_mode) for path in contents} == {0o600}


@pytest.mark.parametrize("damage", ["", "{", "{}"])
def test_a_list_that_is_damaged_is_begun_anew(
    kept: Configurations, file: Path, tmp_path: Path, damage: str
) -> None:
    keep(kept, file, "one")
    (tmp_path / "kept" / "applied.json").write_text(damage)
    assert kept.previous() is None
    keep(kept, file, "two")
    assert kept.previous() is None
