"""Attempts: off the loop, again when they fail, urgent ones ahead, and never for ever."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from switch.notice import courier as room
from switch.notice.courier import Courier
from switch.notice.delivery import BOUNCED, FAILED, QUEUED, SENT, Delivery, RefusedError, SendError

Build = Callable[..., Delivery]


class Outcomes(list[tuple[str, str, int]]):
    """(notice, state, attempts), as they are settled."""

    def __call__(self, delivery: Delivery, state: str, reason: str) -> None:
        self.append((delivery.notice, state, delivery.attempts))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self) < count:
                await asyncio.sleep(0.005)


async def running(courier: Courier, outcomes: Outcomes, count: int) -> None:
    task = asyncio.create_task(courier.run())
    try:
        await outcomes.until(count)
    finally:
        await courier.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, SENT),
        (RefusedError("550", bounced=True), BOUNCED),
        (RefusedError("554"), FAILED),
    ],
)
def test_one_attempt_may_settle_it(delivery: Build, error: Any, state: str) -> None:
    def send(given: Delivery) -> None:
        if error is not None:
            raise error

    async def run() -> Outcomes:
        outcomes = Outcomes()
        courier = Courier(send, outcomes)
        courier(delivery())
        await running(courier, outcomes, 1)
        return outcomes

    assert asyncio.run(run()) == [("emergency_call c1", state, 1)]


def test_it_is_tried_again_and_at_last_given_up(
    delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "URGENT_S", (0.01, 0.01))
    errors = [SendError("451"), ZeroDivisionError("a bug in a library"), SendError("451")]

    def send(given: Delivery) -> None:
        raise errors.pop(0)

    async def run() -> Outcomes:
        outcomes = Outcomes()
        courier = Courier(send, outcomes)
        courier(delivery(urgent=True))
        await running(courier, outcomes, 3)
        return outcomes

    states = [(state, attempts) for _, state, attempts in asyncio.run(run())]
    assert states == [(QUEUED, 1), (QUEUED, 2), (FAILED, 3)]


def test_ordinary_notices_that_hang_do_not_hold_up_urgent_ones(delivery: Build) -> None:
    release = threading.Event()

    def send(given: Delivery) -> None:
        if not given.urgent:
            release.wait(10)

    async def run() -> Outcomes:
        outcomes = Outcomes()
        courier = Courier(send, outcomes)
        for number in range(50):
            courier(delivery(notice=f"ordinary {number}"))
        courier(delivery(notice="urgent", urgent=True))
        task = asyncio.create_task(courier.run())
        await outcomes.until(1)
        release.set()
        await outcomes.until(51)
        await courier.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return outcomes

    outcomes = asyncio.run(run())
    assert outcomes[0] == ("urgent", SENT, 1)
    assert len(outcomes) == 51


def test_files_of_a_moment_are_written_in_one_go_and_none_waits_long(delivery: Build) -> None:
    """Also while every thread for mail hangs."""
    release, threads, rounds = threading.Event(), set[int](), []

    def send(given: Delivery) -> None:
        if given.channel == "mail":
            release.wait(10)
        threads.add(threading.get_ident())

    async def run() -> Outcomes:
        outcomes = Outcomes()
        courier = Courier(send, outcomes, lambda: rounds.append(len(outcomes)))
        for number in range(room.URGENT_THREADS):
            courier(delivery(notice=f"mail {number}", urgent=True))
        for number in range(room.GATHERED + 1):
            courier(delivery(notice=f"file {number}", channel="outbox", urgent=True))
        task = asyncio.create_task(courier.run())
        async with asyncio.timeout(2):
            await outcomes.until(room.GATHERED + 1)
        assert rounds[0] == room.GATHERED and len(threads) == 1
        release.set()
        await outcomes.until(room.GATHERED + 1 + room.URGENT_THREADS)
        await courier.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return outcomes

    files = [notice for notice, _, _ in asyncio.run(run()) if notice.startswith("file")]
    assert files == [f"file {number}" for number in range(room.GATHERED + 1)]


def test_files_that_can_not_be_published_are_tried_again(
    delivery: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "URGENT_S", (0.01,))
    published: list[int] = []

    def publish(sent: Sequence[Delivery]) -> None:
        published.append(len(sent))
        if len(published) == 1:
            raise SendError("No space left on device")

    async def run() -> Outcomes:
        outcomes = Outcomes()
        courier = Courier(lambda given: None, outcomes, publish=publish)
        for number in range(2):
            courier(delivery(notice=str(number), channel="outbox", urgent=True))
        await running(courier, outcomes, 4)
        return outcomes

    states = [state for _, state, _ in asyncio.run(run())]
    assert states == [QUEUED, QUEUED, SENT, SENT]
    assert published == [2, 2]
