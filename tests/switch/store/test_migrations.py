"""The migrations make exactly the tables that the code uses."""

import asyncio
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from switch.store.database import migrate, open_for_writing, sqlite_url
from switch.store.tables import metadata


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def test_migrated_tables_are_those_of_the_code_and_migrating_again_is_harmless(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        engine = open_for_writing(sqlite_url(tmp_path / "vigie.db"))
        await migrate(engine)
        await migrate(engine)
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        await engine.dispose()

    asyncio.run(run())
