"""What other nodes of a shared database changed of lines, contracts, cases and others, put in force.

A step is taken on one node: it is in that node's journal, then in the database, and soon after here.
The node that took it told the customer; here the facts follow, phones of a line that has ended or was stolen
are let go, and live calls end where the configuration says so. What is heard stays in this node's journal as
well, so that a restart without the database forgets nothing.

When the database is out of reach, what is known holds, and all that was missed comes when it is back
(`gather` raises the alarm for both). Deliberately absent: a single node's SQLite, which no other process
writes.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from policy.model import LineState
from switch.console.line_life import LOCATION, SECRET, STATE
from switch.console.use_cases import UseCases
from switch.store.changes import Changes
from switch.store.read import StoreUnavailableError
from switch.store.rows import Record
from switch.terms.ladders import Ladders

PERIOD_S: Final = 0.5


class Hearing:
    """Keeps the stores of `use_cases` and `ladders` told; `perform` does what that led to."""

    def __init__(
        self,
        changes: Changes,
        use_cases: UseCases,
        ladders: Ladders,
        perform: Callable[[], None],
    ) -> None:
        """Nothing is read before `run` or `look`."""
        self._changes = changes
        self._use_cases = use_cases
        self._ladders = ladders
        self._perform = perform

    async def run(self) -> None:
        """Look twice a second, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_S)

    async def look(self) -> bool:
        """Read once, and put in force what is new; False while the database is out of reach."""
        try:
            async for portion in self._changes.read():
                self.take(portion)
                self._perform()
        except StoreUnavailableError:
            return False
        return True

    def take(self, records: Collection[Record]) -> None:
        """Put in force what of some records, all of one kind, is news."""
        cases = self._use_cases
        lives = [record for record in records if record["k"] in (STATE, LOCATION, SECRET)]
        for record in cases.lives.hear(lives):
            if record["k"] == STATE:
                cases.acts.release(str(record["line"]), LineState(str(record["state"])))
        files = cases.contracts.files()
        lines = {step.line for step in cases.contracts.hear(records)}
        cases.lives.follow({line: files[line] for line in lines if line in files})
        self._ladders.hear(records)
        cases.disclosures.hear(records)
        cases.outages.hear(records)
