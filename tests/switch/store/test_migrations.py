"""The migrations make exactly the tables that the code uses, on both databases, and take them away."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import AsyncEngine

from switch.store.database import migrate, open_for_writing, sqlite_url
from switch.store.migrations import configured
from switch.store.tables import metadata
from tests.switch.store.postgresql import Server


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def triggers(connection: Connection) -> list[Any]:
    """What refuses changes: it must be gone and come back with the tables."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname"
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def downgrade(connection: Connection) -> None:
    command.downgrade(configured(connection), "base")


async def up_down_and_up_again(engine: AsyncEngine) -> None:
    await migrate(engine)
    await migrate(engine)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        made = await connection.run_sync(triggers)
        assert made
    async with engine.begin() as connection:
        await connection.run_sync(downgrade)
    async with engine.connect() as connection:
        assert await connection.run_sync(tables) == set()
        assert await connection.run_sync(triggers) == []
    await migrate(engine)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.run_sync(triggers) == made
    await engine.dispose()


async def keeps_what_was_there(engine: AsyncEngine) -> None:
    """A database of the version before has rows: they come up, and go down again."""
    insert = "INSERT INTO line_state (line, state, at) VALUES ('101', 'suspended', 5)"
    count = "SELECT count(*) FROM line_state WHERE line = '101' AND state = 'suspended'"
    async with engine.begin() as connection:
        await connection.run_sync(lambda c: command.upgrade(configured(c), "0002"))
        await connection.exec_driver_sql(insert)
    await migrate(engine)
    async with engine.begin() as connection:
        [written] = (await connection.exec_driver_sql("SELECT written FROM line_state")).scalars()
        assert written == 0
        await connection.run_sync(lambda c: command.downgrade(configured(c), "0002"))
        assert (await connection.exec_driver_sql(count)).scalar_one() == 1
    await engine.dispose()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_up_down_and_up_on_sqlite(tmp_path: Path) -> None:
    run(up_down_and_up_again(open_for_writing(sqlite_url(tmp_path / "vigie.db"))))


def test_up_down_and_up_on_postgresql(postgresql: Server) -> None:
    run(up_down_and_up_again(open_for_writing(postgresql.url("migrations"))))


def test_rows_outlive_the_migrations_on_sqlite(tmp_path: Path) -> None:
    run(keeps_what_was_there(open_for_writing(sqlite_url(tmp_path / "vigie.db"))))


def test_rows_outlive_the_migrations_on_postgresql(postgresql: Server) -> None:
    run(keeps_what_was_there(open_for_writing(postgresql.url("rows"))))


def test_two_nodes_that_start_at_once_migrate_once(postgresql: Server) -> None:
    async def both() -> None:
        engines = [open_for_writing(postgresql.url("together")) for _ in range(3)]
        await asyncio.gather(*(migrate(engine) for engine in engines))
        async with engines[0].connect() as connection:
            assert await connection.run_sync(differences) == []
        for engine in engines:
            await engine.dispose()

    run(both())


def test_a_new_database_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"

    async def run() -> None:
        engine = open_for_writing(sqlite_url(path))
        await migrate(engine)
        modes = {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
        await engine.dispose()
        assert modes == {0o600}

    asyncio.run(run())
