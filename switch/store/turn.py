"""Whose turn it is, of the nodes that share a database, to do what time brings: once, not once a node.

An advisory lock of PostgreSQL, held by a connection that stays open: when its node dies or is cut off,
the server gives it to the next that asks. While the database is out of reach it is nobody's turn, and
what is due waits. Deliberately absent: any order among the nodes.
"""

from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from switch.store.database import FAILURES, ON_DUTY, open_for_turn

_STILL_THERE: Final = text("SELECT 1")


class Turn:
    """One node's hold on the lock in the database at `url`."""

    def __init__(self, url: str) -> None:
        """Nothing is opened yet."""
        self._engine = open_for_turn(url)
        self._connection: AsyncConnection | None = None  # it holds the lock

    async def is_ours(self) -> bool:
        """Whether it is this node's turn now; takes it when nobody has it."""
        try:
            if self._connection is not None:
                await self._connection.execute(_STILL_THERE)
                return True
            return await self._take()
        except FAILURES:
            await self.give_up()
            return False

    async def give_up(self) -> None:
        """Let the next node have it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()
        await self._engine.dispose()

    async def _take(self) -> bool:
        connection = await self._engine.connect()
        taken = False
        try:
            tried = await connection.execute(select(func.pg_try_advisory_lock(ON_DUTY)))
            taken = bool(tried.scalar_one())
        finally:
            if taken:
                self._connection = connection
            else:
                await connection.close()
        return taken
