"""Opening the database: SQLite by default, PostgreSQL for several nodes, the same tables in both.

SQLite runs in WAL mode, so readers don't wait for the writer, with synchronous=FULL, as minutes are
money; the cost is bounded because rows are written in batches.
"""

import os
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from switch.store.migrations import upgrade

# How long SQLite waits for another process's lock before the batch is put off instead.
_BUSY_TIMEOUT_MS: Final = 2_000

# The same for PostgreSQL: a partition must be noticed, and the batch put off.
_CONNECT_S: Final = 5
_COMMAND_S: Final = 30

# Advisory locks of PostgreSQL: numbers of our own, one for each thing that only one node may do.
MIGRATING: Final = 0x7619_0001
CHAINING: Final = 0x7619_0002
ON_DUTY: Final = 0x7619_0003
# A server that notices in half a minute that a node is cut off: else nobody's turn would last for hours.
_KEEP_ALIVE: Final = {
    "tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
}  # fmt: skip

FileIdentity = tuple[int, int]


def _driver_errors() -> tuple[type[Exception], ...]:
    """What asyncpg raises by itself while a connection is being made; nothing without asyncpg."""
    try:
        from asyncpg import InterfaceError, PostgresError  # noqa: PLC0415 (an optional dependency)
    except ImportError:
        return ()
    return (PostgresError, InterfaceError)


# What a database raises that can't be talked to, or refuses: SQLAlchemy's errors, and what passes it.
FAILURES: Final[tuple[type[Exception], ...]] = (
    SQLAlchemyError,
    OSError,
    TimeoutError,
    *_driver_errors(),
)


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
    """Return an engine for the writer; nothing is opened yet.

    A new file is the user's alone: it holds hashes that log in, and where people are. SQLite gives the
    same mode to the files beside it.
    """
    path = sqlite_path(url)
    if path is not None and path.parent.exists() and not path.exists():
        path.touch(mode=0o600)
    engine = create_async_engine(url, **_connect(url), **_json())
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_writer)
    return engine


def open_for_gathering(url: str) -> AsyncEngine:
    """Return an engine that reads a shared database again and again, each time as of one instant."""
    options = {"isolation_level": "REPEATABLE READ", "pool_size": 1, "max_overflow": 1}
    return create_async_engine(url, pool_pre_ping=True, **options, **_connect(url), **_json())


def open_for_turn(url: str) -> AsyncEngine:
    """Return an engine for a lock that lasts as long as its connection, on a shared database."""
    connect = {"timeout": _CONNECT_S, "command_timeout": _COMMAND_S, "server_settings": _KEEP_ALIVE}
    return create_async_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=connect
    )


def is_shared(url: str) -> bool:
    """Say whether other nodes may write to the database: a server's, not a file."""
    return sqlite_path(url) is None


def open_for_reading(url: str) -> AsyncEngine:
    """Return an engine whose connections last one query.

    So a replaced file is seen at once, and a missing one is an error rather than created.
    """
    path = sqlite_path(url)
    if path is not None:
        url = f"sqlite+aiosqlite:///file:{path.absolute()}?mode=rw&uri=true"
    engine = create_async_engine(url, poolclass=NullPool, **_connect(url), **_json())
    if path is not None:
        event.listen(engine.sync_engine, "connect", _prepare_reader)
    return engine


async def migrate(engine: AsyncEngine) -> None:
    """Bring the tables to the newest version; raises SQLAlchemyError when that can't be done.

    Several nodes may start at once: one of them migrates, the others wait and find it done.
    """
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))
        await connection.run_sync(upgrade)


def _connect(url: str) -> dict[str, Any]:
    """A server that is out of reach is an error soon, and a statement that hangs is one, too."""
    if not is_shared(url):
        return {}
    return {"connect_args": {"timeout": _CONNECT_S, "command_timeout": _COMMAND_S}}


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
