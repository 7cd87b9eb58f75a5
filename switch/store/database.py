"""Opening the database: SQLite by default, PostgreSQL for several nodes, the same tables in both.

SQLite runs in WAL mode, so readers don't wait for the writer, with synchronous=FULL, as minutes are
money; the cost is bounded because rows are written in batches.
"""

import os
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from switch.store.migrations import upgrade

# How long SQLite waits for another process's lock before the batch is put off instead.
_BUSY_TIMEOUT_MS: Final = 2_000

FileIdentity = tuple[int, int]


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite database in the file `path`."""
    return f"sqlite+aiosqlite:///{path.absolute()}"


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite URL; None for another database."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database:
        return None
    return Path(parts.database)


def file_identity(path: Path | None) -> FileIdentity | None:
    """Return what tells a file from its replacement (device, inode); None when there is no file."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def open_for_writing(url: str) -> AsyncEngine:
    """Return an engine for the writer; nothing is opened yet."""
    engine = create_async_engine(url, **_json())
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_writer)
    return engine


def open_for_reading(url: str) -> AsyncEngine:
    """Return an engine whose connections last one query.

    So a replaced file is seen at once, and a missing one is an error rather than created.
    """
    path = sqlite_path(url)
    if path is not None:
        url = f"sqlite+aiosqlite:///file:{path.absolute()}?mode=rw&uri=true"
    engine = create_async_engine(url, poolclass=NullPool, **_json())
    if path is not None:
        event.listen(engine.sync_engine, "connect", _prepare_reader)
    return engine


async def migrate(engine: AsyncEngine) -> None:
    """Bring the tables to the newest version; raises SQLAlchemyError when that can't be done."""
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)


def _json() -> dict[str, Any]:
    return {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }


def _prepare_writer(connection: Any, _record: object) -> None:
    _pragmas(
        connection,
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 1000",
    )


def _prepare_reader(connection: Any, _record: object) -> None:
    _pragmas(connection, f"busy_timeout = {_BUSY_TIMEOUT_MS}", "query_only = ON")


def _pragmas(connection: Any, *pragmas: str) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
