"""Faults of files: the database, the disk, the journal, a log that nobody reads."""

import contextlib
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from tests.wire.scene import Scene


@contextmanager
def database_removed(scene: Scene) -> Iterator[None]:
    for path in scene.rig.data.glob("vigie.sqlite*"):
        path.unlink()
    yield


@contextmanager
def database_replaced(scene: Scene) -> Iterator[None]:
    other = scene.rig.data / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE cdr (something_else TEXT)")
        database.commit()
    other.replace(scene.rig.data / "vigie.sqlite")
    yield
    (scene.rig.data / "vigie.sqlite").unlink()


@contextmanager
def database_locked(scene: Scene) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(scene.rig.data / "vigie.sqlite")) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.rollback()


@contextmanager
def no_file_can_grow(scene: Scene) -> Iterator[None]:
    """Every write to a file fails, in space that was reserved too (EFBIG)."""
    before = resource.prlimit(scene.rig.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(scene.rig.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(scene.rig.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def journal_gone(scene: Scene) -> Iterator[None]:
    """A plain file stands where the directory was: no new segment can be made."""
    directory = scene.rig.data / "journal"
    away = scene.rig.data / "journal.away"
    directory.rename(away)
    directory.touch()
    yield
    directory.unlink()
    away.rename(directory)


@contextmanager
def log_unread(scene: Scene) -> Iterator[None]:
    scene.rig.log_is_read.clear()
    for _ in range(30):  # more than the pipe holds
        scene.rig.ask("line.suspend", line="104", ground="2(k)(a)")
        scene.rig.ask("line.resume", line="104")
    yield
    scene.rig.log_is_read.set()
