"""What a running switch writes down: the journal, the database that is filled from it, and how long both
keep it.

Deliberately absent: what the records say.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

from switch.config import Configuration
from switch.store.alarm import Alarm
from switch.store.changes import Changes
from switch.store.database import is_shared, sqlite_url
from switch.store.journal import Journal
from switch.store.read import Reader
from switch.store.retention import Forget, Retention
from switch.store.settings import RetentionSettings
from switch.store.shared import Gazette
from switch.store.turn import Turn
from switch.store.upkeep import Upkeep
from switch.store.writer import Writer


class Keeping:
    """Journal and database in `data`. `live` restates what a restart needs, `retention` are the settings
    in force, `forget` lets go of what is purged. `gazette`, `changes` and `turn` are for the other nodes of
    a shared database."""

    def __init__(
        self,
        found: Configuration,
        data: Path,
        live: Callable[[], Iterable[bytes]],
        retention: Callable[[], RetentionSettings],
        forget: Forget,
        alarm: Alarm,
    ) -> None:
        """Nothing is opened but the journal."""
        store = found.settings.store
        database = store.database(sqlite_url(data / "vigie.sqlite"))
        self.node = store.node or ""
        self.journal = Journal(data / "journal", alarm=alarm)
        self.reader = Reader(database)
        self.writer = Writer(
            database, lambda: self.journal.replay(whole=True), node=self.node, alarm=alarm
        )
        self.gazette = Gazette(database, self.node) if is_shared(database) else None
        self.changes = Changes(database) if is_shared(database) else None
        self.turn = Turn(database) if is_shared(database) else None
        self._upkeep = Upkeep(self.journal, self.writer, live, alarm=alarm)
        self._retention = Retention(
            self.journal, self.writer, retention, alarm=alarm, forget=forget
        )

    def tasks(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """What runs beside the calls."""
        yield self.writer.run
        yield self.journal.keep_synced
        yield self._upkeep.run
        yield self._retention.run
