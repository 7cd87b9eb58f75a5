"""Sends notices, off the path of calls: each attempt runs in a thread, and what fails is tried again.

Urgent notices (an emergency call was placed) have threads of their own, so that a thousand fair-use
mails or a mail server that hangs don't stand before them. Files have another, which writes those of a
moment in one go: handing each to a thread and back costs more than writing it. Attempts are bounded;
what no attempt could deliver is failed, and told. The threads are ours and not the loop's, which the
journal needs.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from switch.notice import mail, outbox, webhook
from switch.notice.delivery import BOUNCED, FAILED, QUEUED, SENT, Delivery, RefusedError, SendError
from switch.notice.settings import NoticeSettings

# Seconds before the next attempt; after the last one the notice has failed.
ORDINARY_S: Final = (5.0, 30.0, 120.0, 600.0, 3_600.0, 14_400.0)
URGENT_S: Final = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3_600.0)
URGENT_THREADS: Final = 4
ORDINARY_THREADS: Final = 2
# Files wait so long for others, and are written so many in one go. Notices are due within 2 s.
GATHER_S: Final = 0.1
GATHERED: Final = 64
# How long a stop waits for attempts under way.
LAST_WORDS_S: Final = 2.0

Send = Callable[[Delivery], None]
Finish = Callable[[Sequence[Delivery]], None]
Outcome = tuple[Delivery, str, str]
"""A delivery, the state that an attempt led to, and why."""


def sender(settings: Callable[[], NoticeSettings], directory: Path) -> Send:
    """The function that makes one attempt, by the settings in force. It blocks; raises SendError."""

    def send(delivery: Delivery) -> None:
        present = settings()
        if delivery.channel == outbox.CHANNEL:
            outbox.write(delivery, directory)
        elif delivery.channel == mail.CHANNEL and present.smtp is not None:
            mail.send(delivery, present.smtp)
        elif delivery.channel == webhook.CHANNEL and present.webhook is not None:
            webhook.post(delivery, present.webhook)
        else:
            raise RefusedError(f"{delivery.channel} is no longer configured")

    return send


class _Lane:
    """A queue of deliveries and the threads that empty it, `most` of them at a time."""

    def __init__(
        self,
        threads: int,
        name: str,
        gather_s: float = 0.0,
        most: int = 1,
        finish: Finish = lambda deliveries: None,
    ) -> None:
        self.threads = threads
        self.gather_s = gather_s
        self.most = most
        self.finish = finish
        self.queue: asyncio.Queue[Delivery] = asyncio.Queue()  # the ledger bounds what is open
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def take(self) -> list[Delivery]:
        """The next deliveries, as soon as there is one."""
        taken = [await self.queue.get()]
        if self.gather_s:
            await asyncio.sleep(self.gather_s)
        while len(taken) < self.most and not self.queue.empty():
            taken.append(self.queue.get_nowait())
        return taken


class Courier:
    """Takes deliveries (`courier(delivery)`) and runs (`run`) until stopped.

    `send` makes one attempt; of files, `publish` is given what `send` wrote in one go.
    `settle(delivery, state, reason)` is told each outcome, on the loop, and `settled` that those of one
    go are told.
    """

    def __init__(
        self,
        send: Send,
        settle: Callable[[Delivery, str, str], None],
        settled: Callable[[], None] = lambda: None,
        publish: Finish = lambda deliveries: None,
    ) -> None:
        """No thread runs before the first attempt."""
        self._send = send
        self._settle = settle
        self._settled = settled
        self._files = _Lane(1, "file-notice", GATHER_S, GATHERED, publish)
        self._urgent = _Lane(URGENT_THREADS, "urgent-notice")
        self._ordinary = _Lane(ORDINARY_THREADS, "notice")
        self._lanes = (self._files, self._urgent, self._ordinary)
        self._under_way = 0
        self._is_stopped = False

    def __call__(self, delivery: Delivery) -> None:
        """Send it as soon as a thread is free."""
        if delivery.channel == outbox.CHANNEL:
            lane = self._files
        else:
            lane = self._urgent if delivery.urgent else self._ordinary
        lane.queue.put_nowait(delivery)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                for _ in range(lane.threads):
                    tasks.create_task(self._work(lane))

    async def stop(self) -> None:
        """Let attempts under way end, for a moment; what waits is in the journal."""
        self._is_stopped = True
        loop = asyncio.get_running_loop()
        until = loop.time() + LAST_WORDS_S
        while self._under_way and loop.time() < until:
            await asyncio.sleep(0.02)
        for lane in self._lanes:
            lane.executor.shutdown(wait=False, cancel_futures=True)

    async def _work(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        while True:
            taken = await lane.take()
            if self._is_stopped:
                return
            self._under_way += 1
            try:
                outcomes = await loop.run_in_executor(lane.executor, self._go, taken, lane.finish)
            finally:
                self._under_way -= 1
            for delivery, state, reason in outcomes:
                self._take_outcome(delivery, state, reason)
            self._settled()

    def _take_outcome(self, delivery: Delivery, state: str, reason: str) -> None:
        """Tell what came of an attempt; one that may be repeated will be."""
        delivery.attempts += 1
        if state == QUEUED:
            delays = URGENT_S if delivery.urgent else ORDINARY_S
            if delivery.attempts > len(delays):
                state = FAILED
            else:
                loop = asyncio.get_running_loop()
                loop.call_later(delays[delivery.attempts - 1], self, delivery)
        self._settle(delivery, state, reason)

    def _go(self, deliveries: list[Delivery], finish: Finish) -> list[Outcome]:
        """One attempt of each, in a thread."""
        outcomes = [(delivery, *self._attempt(delivery)) for delivery in deliveries]
        sent = [delivery for delivery, state, _ in outcomes if state == SENT]
        try:
            if sent:
                finish(sent)
        except SendError as error:
            return [
                (delivery, QUEUED, str(error)) if state == SENT else (delivery, state, reason)
                for delivery, state, reason in outcomes
            ]
        return outcomes

    def _attempt(self, delivery: Delivery) -> tuple[str, str]:
        """One attempt: the state that it leads to and why."""
        try:
            self._send(delivery)
        except RefusedError as error:
            return (BOUNCED if error.bounced else FAILED), str(error)
        except SendError as error:
            return QUEUED, str(error)
        except Exception as error:  # a library that fails on one notice must not hold up the next
            return QUEUED, repr(error)
        return SENT, ""
