"""The journal: order, rotation, torn tails, checkpoints, a failing disk."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from switch.store.journal import Journal, JournalInUseError
from switch.store.segment import segment_numbers, segment_path


def numbered(first: int, last: int) -> list[bytes]:
    return [orjson.dumps({"k": "n", "n": n}) for n in range(first, last)]


def replayed(journal: Journal, *, whole: bool = False) -> list[int]:
    return [record["n"] for record in journal.replay(whole=whole)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal", segment_bytes=4096)
    yield journal
    journal.close()


def test_records_come_back_in_order(journal: Journal) -> None:
    assert journal.write(numbered(0, 10))
    assert journal.write(numbered(10, 20))
    assert replayed(journal) == list(range(20))


def test_one_write_call_per_flush(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    write = os.write

    def counting(descriptor: int, content: bytes) -> int:
        calls.append(len(content))
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", counting)
    journal.write(numbered(0, 50))
    journal.write([])
    assert len(calls) == 1


def test_segments_rotate_and_replay_crosses_them(journal: Journal) -> None:
    for n in range(0, 1000, 10):
        journal.write(numbered(n, n + 10))
    assert journal.number > 3
    assert replayed(journal) == list(range(1000))


def test_rotation_uses_the_segment_made_ahead(journal: Journal) -> None:
    for n in range(0, 1000, 10):
        journal.write(numbered(n, n + 10))
        journal.sync()
    assert replayed(journal) == list(range(1000))
    numbers = segment_numbers(journal.directory)
    assert numbers == list(range(1, numbers[-1] + 1))


def test_a_flush_larger_than_a_segment_is_kept_whole(journal: Journal) -> None:
    journal.write(numbered(0, 3))
    journal.write(numbered(3, 2000))
    journal.write(numbered(2000, 2003))
    assert replayed(journal) == list(range(2003))


def test_a_new_start_goes_on_after_the_old_one(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    first.write(numbered(0, 5))
    first.close()
    second = Journal(tmp_path)
    second.write(numbered(5, 8))
    assert replayed(second) == list(range(8))
    second.close()


def test_a_torn_tail_is_skipped_and_counted(tmp_path: Path) -> None:
    first = Journal(tmp_path, segment_bytes=4096)
    first.write(numbered(0, 5))
    first.close()
    path = segment_path(tmp_path, 1)
    content = path.read_bytes()
    path.write_bytes(content[:-6] + b"\0" * 100)
    second = Journal(tmp_path, segment_bytes=4096)
    second.write(numbered(5, 8))
    assert replayed(second) == [0, 1, 2, 3, 5, 6, 7]
    assert second.torn == 1
    second.close()


def test_a_lost_page_in_the_middle_costs_its_records_only(tmp_path: Path) -> None:
    first = Journal(tmp_path, segment_bytes=4096)
    first.write(numbered(0, 100))
    first.close()
    path = segment_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[500:700] = bytes(200)
    path.write_bytes(content)
    second = Journal(tmp_path, segment_bytes=4096)
    numbers = replayed(second)
    assert len(numbers) > 85
    assert numbers == sorted(numbers)
    assert second.torn >= 1
    second.close()


def test_two_processes_cannot_share_it(journal: Journal) -> None:
    with pytest.raises(JournalInUseError):
        Journal(journal.directory)


def test_survives_kill_9_without_a_sync(tmp_path: Path) -> None:
    script = f"""
import os, signal, orjson
from pathlib import Path
from switch.store.journal import Journal
journal = Journal(Path({str(tmp_path)!r}))
for n in range(500):
    journal.write([orjson.dumps({{"k": "n", "n": n}})])
os.kill(os.getpid(), signal.SIGKILL)
"""
    process = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path.cwd())
    assert process.returncode == -9
    journal = Journal(tmp_path)
    assert replayed(journal) == list(range(500))
    assert journal.torn == 0
    journal.close()


def test_kills_do_not_leave_preallocated_space(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from switch.store.journal import Journal
journal = Journal(Path({str(tmp_path)!r}), segment_bytes=1 << 20)
journal.write([b'{{"k":"n","n":1}}'])
os.kill(os.getpid(), signal.SIGKILL)
"""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script], check=False, cwd=Path.cwd())
    journal = Journal(tmp_path, segment_bytes=1 << 20)
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.journal"))]
    assert sizes[:-1] == [16, 16]
    journal.close()


def test_a_checkpoint_is_where_replay_starts(journal: Journal) -> None:
    journal.write(numbered(0, 10))
    journal.checkpoint(numbered(100, 103))
    journal.write(numbered(10, 12))
    assert replayed(journal) == [100, 101, 102, 10, 11]
    assert replayed(journal, whole=True) == [*range(10), 100, 101, 102, 10, 11]


def test_a_torn_checkpoint_leaves_the_older_segments_in_force(journal: Journal) -> None:
    journal.write(numbered(0, 10))
    number = journal.checkpoint(numbered(100, 103))
    path = segment_path(journal.directory, number)
    head = path.read_bytes().index(b'{"k":"checkpoint_end"}')
    with path.open("r+b") as segment:
        segment.seek(head)
        segment.write(bytes(100))
    assert replayed(journal) == [*range(10), 100, 101, 102]


def test_dropping_keeps_a_few_for_a_lost_database(journal: Journal) -> None:
    for n in range(8):
        journal.write(numbered(n * 10, n * 10 + 10))
        number = journal.checkpoint([])
    journal.drop_before(number, keep=2)
    assert segment_numbers(journal.directory) == [number - 2, number - 1, number]
    journal.drop_before(number, keep=0)
    assert segment_numbers(journal.directory) == [number]


def failing_write(descriptor: int, content: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_records_and_alarms_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarms: list[str] = []
    journal = Journal(tmp_path, alarm=lambda name, fields: alarms.append(name))
    journal.write(numbered(0, 2))
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", failing_write)
        assert not journal.write(numbered(2, 4))
        assert not journal.write(numbered(4, 6))
    assert journal.backlog_bytes > 0
    assert journal.write(numbered(6, 8))
    assert replayed(journal) == list(range(8))
    assert alarms == ["journal.failing", "journal.recovered"]
    assert journal.backlog_bytes == 0
    journal.close()


def test_a_write_cut_short_by_a_full_disk_leaves_no_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    write = os.write
    calls = iter([True, False])

    def half(descriptor: int, content: bytes) -> int:
        if next(calls):
            return write(descriptor, content[: len(content) // 2])
        return failing_write(descriptor, content)

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", half)
        assert not journal.write(numbered(0, 10))
    assert journal.write(numbered(10, 12))
    assert replayed(journal) == list(range(12))
    assert journal.torn == 0
    journal.close()


def test_the_backlog_is_bounded_and_drops_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switch.store.journal._BACKLOG_BYTES", 1000)
    journal = Journal(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", failing_write)
        for n in range(0, 500, 10):
            journal.write(numbered(n, n + 10))
        assert journal.backlog_bytes <= 1000
    journal.write(numbered(500, 501))
    numbers = replayed(journal)
    assert numbers == list(range(501 - len(numbers), 501))
    assert journal.lost == 501 - len(numbers)
    journal.close()
