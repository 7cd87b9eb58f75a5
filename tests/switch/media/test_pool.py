from __future__ import annotations

import asyncio
import os
import signal
from array import array
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from switch.demo.wav import measure
from switch.media import pool as module
from switch.media.catalogue import Announcement, announcements
from switch.media.pool import (
    CALLS_PER_WORKER,
    LEASE_GRACE_S,
    SILENCE_LIMIT_S,
    START_LIMIT_S,
    Pool,
    PoolOptions,
)
from switch.media.sounds import to_wav


class FakeProcess:
    """A worker that says what the test wants it to say."""

    made: list[FakeProcess] = []  # noqa: RUF012

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments
        self.pid = 1000 + len(self.made)
        self.lines: list[dict[str, object]] | None = []
        self.is_killed = False
        self.made.append(self)

    def fileno(self) -> int:
        return self.pid

    def read(self) -> list[dict[str, object]] | None:
        lines, self.lines = self.lines, []
        return lines

    def is_gone(self) -> bool:
        return self.is_killed

    def kill(self) -> None:
        self.is_killed = True

    def dismiss(self) -> None:
        self.is_killed = True

    def join(self, limit_s: float) -> None:
        pass


class FakeLoop:
    """add_reader, remove_reader and call_later, worked by hand."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[], None]] = {}

    def add_reader(self, fd: int, callback: Callable[..., None], *arguments: object) -> None:
        self.readers[fd] = lambda: callback(*arguments)

    def remove_reader(self, fd: int) -> None:
        self.readers.pop(fd, None)

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        class Handle:
            def cancel(self) -> None:
                pass

        return Handle()  # type: ignore[return-value]


class House:
    """A pool with fake workers and a clock that is set, not awaited."""

    def __init__(self, tmp_path: Path, sounds: Path | None = None) -> None:
        self.now = 1000.0
        self.lost: list[tuple[str, int]] = []
        self.notes: list[tuple[str, Mapping[str, object]]] = []
        self.loop = FakeLoop()
        for name in announcements():
            (tmp_path / f"{name}.wav").write_bytes(to_wav(array("h", [1] * 80)))
        self.pool = Pool(
            PoolOptions(tmp_path, sounds),
            lambda address, port: self.lost.append((address, port)),
            lambda event, fields: self.notes.append((event, fields)),
            lambda: self.now,
        )
        self.wanted: list[str] = []
        self.pool._speech.want = lambda wanted: self.wanted.extend(  # type: ignore[method-assign]
            each.name for each in wanted
        )
        self.pool.start(self.loop)  # type: ignore[arg-type]

    def say(self, process: FakeProcess, *lines: dict[str, object], ended: bool = False) -> None:
        process.lines = None if ended else list(lines)
        self.loop.readers[process.fileno()]()

    def ready(self) -> None:
        for number, process in enumerate(FakeProcess.made):
            self.say(process, {"event": "ready", "port": 6000 + number})

    def beat(self) -> None:
        for process in FakeProcess.made:
            if not process.is_killed:
                self.say(process, {"event": "heartbeat", "calls": 0})

    def noted(self) -> list[str]:
        return [event for event, _ in self.notes]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> House:
    FakeProcess.made = []
    monkeypatch.setattr(module, "WorkerProcess", FakeProcess)
    monkeypatch.setattr(module, "_why_unavailable", lambda options: "")
    return House(tmp_path)


def test_nobody_plays_before_a_worker_is_ready(house: House) -> None:
    assert house.pool.acquire("abroad", urgent=True) is None
    house.ready()
    assert house.pool.acquire("abroad", urgent=True) == ("127.0.0.1", 6000)


def test_ordinary_announcements_never_take_a_reserved_worker(house: House) -> None:
    house.ready()
    taken = [house.pool.acquire("suspended") for _ in range(CALLS_PER_WORKER + 1)]
    assert taken == [("127.0.0.1", 6001)] * CALLS_PER_WORKER + [None]
    assert house.pool.count_free(reserved=True) == CALLS_PER_WORKER
    assert house.pool.acquire("abroad", urgent=True) == ("127.0.0.1", 6000)


def test_urgent_ones_spill_over_when_the_reserved_are_full(house: House) -> None:
    house.ready()
    ports = [house.pool.acquire("abroad", urgent=True) for _ in range(2 * CALLS_PER_WORKER + 1)]
    assert ports[CALLS_PER_WORKER - 1 : CALLS_PER_WORKER + 1] == [
        ("127.0.0.1", 6000),
        ("127.0.0.1", 6001),
    ]
    assert ports[-1] is None


def test_a_release_gives_the_place_back(house: House) -> None:
    house.ready()
    for _ in range(CALLS_PER_WORKER):
        house.pool.acquire("suspended")
    house.pool.release(6001)
    house.pool.release(4242)
    assert house.pool.acquire("suspended") == ("127.0.0.1", 6001)
    assert house.pool.acquire("suspended") is None


def test_the_worker_that_reports_more_calls_than_were_leased_is_believed(house: House) -> None:
    house.ready()
    house.say(FakeProcess.made[1], {"event": "heartbeat", "calls": CALLS_PER_WORKER})
    assert house.pool.acquire("suspended") is None


def test_an_announcement_without_sound_is_not_promised(house: House) -> None:
    house.ready()
    assert house.pool.acquire("readback-101") is None
    assert house.pool.acquire("abroad+readback-101", urgent=True) is None
    assert house.pool.acquire("suspended+unpaid") == ("127.0.0.1", 6001)
    (house.pool.options.cache / "abroad.wav").unlink()
    assert house.pool.acquire("abroad", urgent=True) is None
    (house.pool.options.cache / "echo.wav").unlink()
    assert house.pool.acquire("echo") == ("127.0.0.1", 6001)


def test_a_worker_that_ended_is_reported_once_and_replaced_at_once(house: House) -> None:
    house.ready()
    house.pool.acquire("suspended")
    house.say(FakeProcess.made[1], ended=True)
    assert house.lost == [("127.0.0.1", 6001)]
    assert len(FakeProcess.made) == 3
    assert house.pool.acquire("suspended") is None
    house.say(FakeProcess.made[2], {"event": "ready", "port": 6002})
    assert house.pool.count_free(reserved=False) == CALLS_PER_WORKER
    house.pool.release(6001)
    assert house.pool.acquire("suspended") == ("127.0.0.1", 6002)


def test_a_worker_that_keeps_falling_is_replaced_ever_more_slowly(house: House) -> None:
    house.ready()
    starts = []
    for _ in range(400):
        last = FakeProcess.made[-1]
        if not last.is_killed:
            starts.append(house.now)
            house.say(last, ended=True)
        house.now += 0.05
        house.beat()
        house.pool.tick()
    gaps = [round(b - a, 2) for a, b in pairwise(starts)]
    assert gaps[0] == pytest.approx(0.05)
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(5.0, abs=0.1)


def test_a_worker_that_lasted_is_replaced_at_once_again(house: House) -> None:
    house.ready()
    for _ in range(3):
        house.say(FakeProcess.made[-1], {"event": "ready", "port": 7000})
        for _ in range(60):
            house.now += 0.25
            house.beat()
            house.pool.tick()
        made = len(FakeProcess.made)
        house.say(FakeProcess.made[-1], ended=True)
        assert len(FakeProcess.made) == made + 1


def test_silence_is_death(house: House) -> None:
    house.ready()
    house.now += SILENCE_LIMIT_S - 0.1
    house.pool.tick()
    assert house.lost == []
    house.now += 0.2
    house.pool.tick()
    assert house.lost == [("127.0.0.1", 6000), ("127.0.0.1", 6001)]
    assert all(process.is_killed for process in FakeProcess.made[:2])


def test_a_worker_that_never_gets_ready_is_given_up_without_a_loss(house: House) -> None:
    house.now += START_LIMIT_S + 0.1
    house.pool.tick()
    assert house.lost == []
    assert [process.is_killed for process in FakeProcess.made[:2]] == [True, True]


def test_a_forgotten_lease_comes_back_and_is_noted(house: House) -> None:
    house.ready()
    for _ in range(CALLS_PER_WORKER):
        house.pool.acquire("suspended")
    for _ in range(int(LEASE_GRACE_S)):
        house.now += 1.0
        house.beat()
        house.pool.tick()
    assert "media.leases_forgotten" not in house.noted()
    house.now += 0.5
    house.beat()
    house.pool.tick()
    assert "media.leases_forgotten" in house.noted()
    assert house.pool.count_free(reserved=False) == CALLS_PER_WORKER


def test_a_worker_without_pjsua2_ends_the_trying(house: House) -> None:
    first = FakeProcess.made[0]
    house.say(first, {"event": "unavailable", "reason": "pjsua2 is not installed"})
    house.say(first, ended=True)
    made = len(FakeProcess.made)
    house.now += 60
    house.pool.tick()
    assert len(FakeProcess.made) == made
    assert house.pool.unavailable == "pjsua2 is not installed"
    assert house.pool.acquire("abroad", urgent=True) is None


def test_without_pjsua2_nothing_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    FakeProcess.made = []
    monkeypatch.setattr(module, "WorkerProcess", FakeProcess)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    house = House(tmp_path)
    assert FakeProcess.made == []
    assert "pjsua2" in house.pool.unavailable
    assert house.noted() == ["media.unavailable"]
    assert house.pool.acquire("abroad", urgent=True) is None
    house.pool.stop()


def test_the_operators_own_voices_are_not_generated_and_bad_ones_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    FakeProcess.made = []
    monkeypatch.setattr(module, "WorkerProcess", FakeProcess)
    monkeypatch.setattr(module, "_why_unavailable", lambda options: "")
    own = tmp_path / "own"
    own.mkdir()
    (own / "unpaid.wav").write_bytes(to_wav(array("h", [1] * 80)))
    (own / "abroad.wav").write_bytes(b"MP3")
    house = House(tmp_path, sounds=own)
    assert "unpaid" not in house.wanted
    assert house.wanted[0] == "abroad"
    assert [str(own / "abroad.wav") in str(f["reason"]) for e, f in house.notes if "bad" in e] == [
        True
    ]


def run(story: Callable[[Pool, list[int]], Awaitable[None]], options: PoolOptions) -> None:
    async def main() -> None:
        lost: list[int] = []
        pool = Pool(options, lambda address, port: lost.append(port))
        pool.start(asyncio.get_running_loop())
        try:
            await story(pool, lost)
        finally:
            pool.stop()

    asyncio.run(main())


async def until(test: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not test():
            await asyncio.sleep(0.01)


@pytest.mark.wire
def test_kill_9_of_a_real_worker_is_noticed_and_made_good(sounds: Path) -> None:
    async def story(pool: Pool, lost: list[int]) -> None:
        await until(lambda: pool.count_free(reserved=False) == CALLS_PER_WORKER)
        taken = pool.acquire("abroad")
        assert taken is not None
        (victim,) = pool.pids()
        os.kill(victim, signal.SIGKILL)
        await until(lambda: lost == [taken[1]], 1.0)
        await until(lambda: pool.count_free(reserved=False) == CALLS_PER_WORKER)
        assert pool.pids() != [victim]
        again = pool.acquire("abroad")
        assert again is not None

    run(story, PoolOptions(sounds, workers=1, reserved=0))


@pytest.mark.wire
def test_a_real_worker_that_hangs_is_replaced(
    sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(pool: Pool, lost: list[int]) -> None:
        await until(lambda: pool.count_free(reserved=False) == CALLS_PER_WORKER)
        (victim,) = pool.pids()
        os.kill(victim, signal.SIGSTOP)
        await until(lambda: len(lost) == 1, 8.0)
        await until(lambda: pool.count_free(reserved=False) == CALLS_PER_WORKER)
        assert pool.pids() != [victim]

    run(story, PoolOptions(sounds, workers=1, reserved=0))


@pytest.mark.wire
def test_missing_sounds_are_generated_in_the_background(tmp_path: Path) -> None:
    readback = Announcement("readback-101", (("fr", "Ligne 1 0 1."),), 1, 200)
    own = tmp_path / "own"
    own.mkdir()

    async def story(pool: Pool, lost: list[int]) -> None:
        pool.speak([readback])
        assert pool.acquire("readback-101") is None
        await until(lambda: pool.can_play("readback-101"), 20.0)
        assert measure(tmp_path / "cache" / "readback-101.wav")[1] > 500
        assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
        await until(lambda: pool.acquire("readback-101") is not None)

    options = PoolOptions(tmp_path / "cache", sounds=own, workers=1, reserved=0)
    run(story, options)
