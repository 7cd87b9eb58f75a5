"""Versions of the emergency routing table on disk: atomic, kept, and checked when read."""

import os
from pathlib import Path

import orjson
import pytest

from switch.routing.psap_table import NO_TABLE, PsapTableError, read_table
from switch.store.psap_tables import DIRECTORY, PsapTables

FIRST = b"number,insee,long_number\n18,75108,0199000018\n"
SECOND = b"number,insee,long_number\n18,75108,0199000019\n"


@pytest.fixture
def tables(tmp_path: Path) -> PsapTables:
    return PsapTables(tmp_path)


def add(tables: PsapTables, content: bytes) -> int:
    return tables.add(
        content, read_table(content), {"at": 1, "by": "test", "source": "x.csv"}
    ).version


def test_nothing_was_ever_imported(tables: PsapTables) -> None:
    assert tables.load() is NO_TABLE
    assert tables.current() == {} and tables.versions() == []


def test_the_last_import_is_in_force_and_all_are_kept(tables: PsapTables, tmp_path: Path) -> None:
    assert [add(tables, FIRST), add(tables, SECOND)] == [1, 2]
    found = PsapTables(tmp_path).load()
    assert (found.version, found.find("18", "75108")) == (2, "+33199000019")
    assert tables.versions() == [1, 2]
    assert (tmp_path / DIRECTORY / "000001.csv").read_bytes() == FIRST
    assert tables.current()["by"] == "test"


def test_who_reads_along_sees_a_whole_table(tables: PsapTables, tmp_path: Path) -> None:
    add(tables, FIRST)
    directory = tmp_path / DIRECTORY
    (directory / "000002.part").write_bytes(SECOND[:20])  # a crash in the middle of an import
    assert tables.load().version == 1
    (directory / "000002.csv").write_bytes(SECOND)  # a crash before the version was put in force
    assert tables.load().version == 1
    assert add(tables, SECOND) == 3
    assert [path.suffix for path in directory.iterdir()].count(".part") == 1
    assert directory.stat().st_mode & 0o077 == 0, "the plans are confidential"
    assert all(path.stat().st_mode & 0o077 == 0 for path in directory.glob("00000[13].csv"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("000001.csv", FIRST[:-5]),
        ("000001.csv", FIRST.replace(b"18\n", b"17\n")),
        ("current.json", b"{"),
        ("current.json", b"[]"),
        ("current.json", b'{"version": "1"}'),
    ],
)
def test_a_damaged_file_is_an_error(
    tables: PsapTables, tmp_path: Path, name: str, content: bytes
) -> None:
    add(tables, FIRST)
    (tmp_path / DIRECTORY / name).write_bytes(content)
    with pytest.raises(PsapTableError):
        tables.load()


@pytest.mark.parametrize("name", ["000001.csv", "current.json"])
def test_a_missing_file_is_an_error(tables: PsapTables, tmp_path: Path, name: str) -> None:
    add(tables, FIRST)
    (tmp_path / DIRECTORY / name).unlink()
    with pytest.raises((PsapTableError, OSError)):
        tables.load()


def test_a_disk_that_fails_leaves_the_old_table(
    tables: PsapTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tables, FIRST)

    def fails(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        add(tables, SECOND)
    monkeypatch.undo()
    assert tables.load().version == 1
    assert orjson.loads((tmp_path / DIRECTORY / "current.json").read_bytes())["version"] == 1
