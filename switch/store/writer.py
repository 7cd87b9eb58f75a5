"""The only writer of the database: takes the journal's records that matter to it, in batches.

Nothing on the call path waits for it. When the database is locked, full, gone or replaced, calls go
on, records wait here up to a limit, and beyond it in the journal, from which everything is written
again: all writing is idempotent. One alarm when it starts to fail, one event when it works again.

Deliberately absent: reading (read.py), and any decision that depends on a row.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import orjson
from sqlalchemy.exc import SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from switch.clock import boottime
from switch.store.alarm import Alarm, quiet
from switch.store.audit import Head
from switch.store.batch import KINDS, Batch, blames_record
from switch.store.database import (
    FAILURES,
    FileIdentity,
    file_identity,
    is_shared,
    migrate,
    open_for_writing,
    sqlite_path,
)
from switch.store.rows import Record
from switch.store.shared import SharedRows, forget_live_legs

# A transaction costs as much as forty rows, and a record may take 500 ms to be visible.
INTERVAL_S: Final = 0.3
CAPACITY: Final = 50_000
_BATCH: Final = 500
# How often an idle writer looks whether the database's file is still the one it opened.
_LOOK_S: Final = 1.0
_FIRST_RETRY_S: Final = 0.2
_LAST_RETRY_S: Final = 5.0
# A refused record is a bug, not a state: an operator sees it for this long after the last one.
REJECTION_STANDS_S: Final = 3600.0

# Records start with their kind: b'{"k":"cdr",...
_KIND_AT: Final = len(b'{"k":"')

Replay = Callable[[], Iterator[Record]]
Errand = Callable[[AsyncConnection], Awaitable[int]]


class Writer:
    """A bounded queue and the task (`run`) that empties it into the database at `url`.

    `replay` yields all records that the journal still has, oldest first. Records must be in the
    journal before they are submitted here. `node` names this switch among those that share the
    database.
    """

    def __init__(
        self,
        url: str,
        replay: Replay,
        *,
        node: str = "",
        alarm: Alarm = quiet,
        interval_s: float = INTERVAL_S,
        capacity: int = CAPACITY,
    ) -> None:
        """Nothing is opened before `run`."""
        self.rejected = 0
        self._rejected_at: float | None = None
        self.replays = 0
        self._url = url
        self._node = node
        self._is_shared = is_shared(url)
        self._kinds = KINDS | SharedRows.KINDS if self._is_shared else KINDS
        self._kind_bytes = frozenset(kind.encode() for kind in self._kinds)
        self._path = sqlite_path(url)
        self._replay = replay
        self._alarm = alarm
        self._interval_s = interval_s
        self._capacity = capacity
        self._queue: deque[bytes | Record] = deque()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._submitted = 0
        self._written = 0
        self._settling: list[tuple[int, asyncio.Future[None]]] = []
        self._engine: AsyncEngine | None = None
        self._identity: FileIdentity | None = None
        self._bound: dict[str, int] = {}
        self._behind = False
        self._retry_s = 0.0
        self._head: Head | None = None
        self._overflows = 0
        self._errands: deque[tuple[Errand, asyncio.Future[int]]] = deque()

    def __len__(self) -> int:
        """Count records that wait (a gauge)."""
        return len(self._queue)

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to write failed."""
        return self._retry_s > 0

    def feed(self, records: list[bytes]) -> None:
        """Take the journal's records of a wake-up; those that leave no row are passed over."""
        kinds = self._kind_bytes
        for record in records:
            end = record.find(b'"', _KIND_AT)
            if record[_KIND_AT:end] in kinds:
                self._take(record)

    def submit(self, record: Record) -> None:
        """Take one record that leaves a row."""
        if record.get("k") in self._kinds:
            self._take(record)

    async def settle(self) -> None:
        """Wait until all that was submitted before is in the database."""
        if self._written >= self._submitted:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settling.append((self._submitted, future))
        self._wake.set()
        await future

    async def carry_out(self, errand: Errand) -> int:
        """Have `errand` done on the writer's own connection, in a transaction between two batches;
        return what it returns. Raises what the database raised."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._errands.append((errand, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Write until cancelled; a batch under way is finished first."""
        writing = asyncio.create_task(self._write_until_stopped())
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            self._stopping.set()
            self._wake.set()
            await writing
            raise

    async def _write_until_stopped(self) -> None:
        try:
            while not self._stopping.is_set():
                await self._work()
                await self._pause()
        finally:
            await self._shut()

    async def _pause(self) -> None:
        """Wait for records (and a little longer, for more of them), for a retry, or for a look."""
        if self._retry_s:
            await _wait(self._stopping, self._retry_s)
            return
        if not self._queue:
            self._wake.clear()
            if not await _wait(self._wake, _LOOK_S):
                return
        await _wait(self._stopping, self._interval_s)

    async def _work(self) -> None:
        """Write what waits; an error of the database puts it off."""
        try:
            engine = await self._current_engine()
            if self._behind:
                await self._write_all_again(engine)
            while self._queue and not self._behind and not self._stopping.is_set():
                await self._write_batch(engine)
                if self._is_replaced():
                    return
            await self._run_errands(engine)
        except FAILURES as error:
            self._put_off(error)
            return
        if self._retry_s:
            self._retry_s = 0.0
            self._alarm("store.recovered", {"queued": len(self._queue)})

    async def _run_errands(self, engine: AsyncEngine) -> None:
        """Do what others asked for; one that fails is told to who asked, and not tried again."""
        while self._errands and not self._behind:
            errand, future = self._errands.popleft()
            try:
                async with engine.begin() as connection:
                    result = await errand(connection)
            except FAILURES as error:
                if not future.done():
                    future.set_exception(error)
                continue
            if not future.done():
                future.set_result(result)

    async def _write_batch(self, engine: AsyncEngine) -> None:
        """Write the oldest records and take them out of the queue."""
        taken = list(islice(self._queue, _BATCH))
        submitted = self._submitted - len(self._queue) + len(taken)
        overflows = self._overflows
        await self._write(engine, [_parsed(record) for record in taken])
        if self._is_replaced() or overflows != self._overflows:
            return  # the file that took them is gone, or the queue is: the replay writes them again
        for _ in taken:
            self._queue.popleft()
        self._settled(submitted)

    async def _write(self, engine: AsyncEngine, records: list[Record]) -> None:
        """Write records in one transaction, or one by one if one of them is refused."""
        batch = Batch(records, self._bound, self._node, is_shared=self._is_shared)
        for record, reason in batch.rejected:
            self._reject(record, reason)
        try:
            head = await batch.write(engine)
        except (SQLAlchemyError, OverflowError, ValueError) as error:
            if not blames_record(error):
                raise
            if len(records) == 1:
                self._reject(records[0], _first_line(error))
                return
            for record in records:
                await self._write(engine, [record])
            return
        if self._rejected_at is not None and boottime() - self._rejected_at > REJECTION_STANDS_S:
            self._rejected_at = None
            self._alarm("store.accepted", {"rejected": self.rejected})
        if head is not None and head != self._head:
            self._head = head
            self._alarm("audit.head", {"seq": head.seq, "hash": head.hash})

    async def _write_all_again(self, engine: AsyncEngine) -> None:
        """Write everything that the journal has: the queue overflowed, or the database is new."""
        self.replays += 1
        self._behind = False
        submitted = self._submitted - len(self._queue)
        records = (record for record in self._replay() if record.get("k") in self._kinds)
        try:
            if self._is_shared:
                await forget_live_legs(engine, self._node)
            while chunk := await asyncio.to_thread(_chunk, records):
                await self._write(engine, chunk)
                if self._stopping.is_set():
                    self._behind = True
                    return
        except BaseException:
            self._behind = True
            raise
        self._settled(submitted)

    async def _current_engine(self) -> AsyncEngine:
        """Return the engine, opened anew when the database's file is not the one it was."""
        if self._engine is not None and not self._is_replaced():
            return self._engine
        replaced = self._engine is not None
        await self._shut()
        if replaced:
            self._alarm("store.replaced", {"path": str(self._path)})
            self._remove_leftovers()
        self._bound.clear()
        engine = open_for_writing(self._url)
        try:
            await migrate(engine)
        except BaseException:
            await engine.dispose()
            raise
        self._engine = engine
        self._identity = file_identity(self._path)
        # At start too: what the journal had before the process died may not have reached the
        # database.
        self._behind = True
        return engine

    def _is_replaced(self) -> bool:
        """Say whether the file at the database's path isn't the one that is open."""
        return self._path is not None and file_identity(self._path) != self._identity

    def _remove_leftovers(self) -> None:
        """Remove the log files of a database that was removed, lest they be read into the next one."""
        if self._path is not None and not self._path.exists():
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    async def _shut(self) -> None:
        """Close the database."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    def _take(self, record: bytes | Record) -> None:
        """Queue a record; a full queue leaves it to the journal."""
        self._submitted += 1
        if len(self._queue) >= self._capacity:
            # The whole queue goes: the replay writes it all, in order.
            self._queue.clear()
            self._overflows += 1
            if not self._behind:
                self._behind = True
                self._alarm("store.queue_full", {"capacity": self._capacity})
        else:
            self._queue.append(record)
        self._wake.set()

    def _put_off(self, error: Exception) -> None:
        """Try again later, the less often the longer it fails."""
        if not self._retry_s:
            self._alarm("store.failing", {"error": _first_line(error)})
        self._retry_s = min(self._retry_s * 2 or _FIRST_RETRY_S, _LAST_RETRY_S)

    def _reject(self, record: Record, reason: str) -> None:
        """Pass over a record that can't become a row."""
        self.rejected += 1
        self._rejected_at = boottime()
        self._alarm("store.rejected", {"kind": record.get("k"), "reason": reason})

    def _settled(self, submitted: int) -> None:
        """Wake those who wait for the first `submitted` records."""
        self._written = max(self._written, submitted)
        waiting, self._settling = self._settling, []
        for target, future in waiting:
            if target > self._written:
                self._settling.append((target, future))
            elif not future.done():
                future.set_result(None)


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for so long at most; return whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _parsed(record: bytes | Record) -> Record:
    """Return a record as a dictionary; one that isn't JSON is our own mistake and rejected later."""
    if not isinstance(record, bytes):
        return record
    try:
        parsed = orjson.loads(record)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _first_line(error: Exception) -> str:
    """Return what a driver says is wrong, without the statement and its values."""
    reason = error.orig if isinstance(error, StatementError) and error.orig else error
    return str(reason).partition("\n")[0]


def _chunk(records: Iterable[Record]) -> list[Record]:
    """Take the next records of a replay (in a thread: it reads files)."""
    return list(islice(records, _BATCH))
