"""The loop's order, and what it bears."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

from switch.clock import Wheel
from switch.driver import Driver
from switch.sip.outbox import Event, Outbox


class Journal:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, records: list[bytes]) -> bool:
        self.written += records
        return True


def test_an_observer_that_fails_ends_nothing_and_is_told() -> None:
    outbox, journal, seen = Outbox(), Journal(), []

    def observe(events: Sequence[Event]) -> None:
        seen.extend(name for name, _ in events)
        if "a.fact" in seen[-1:]:
            raise TypeError("got multiple values")

    async def run() -> None:
        core = SimpleNamespace(exchange=SimpleNamespace(received_at=0.0))
        driver = Driver(core, Wheel(), outbox, journal, observe, lambda records: None)  # type: ignore[arg-type]
        driver.start(asyncio.get_running_loop(), {})
        outbox.note("a.fact")
        outbox.journal.append(b"first")
        driver.perform()
        outbox.journal.append(b"second")
        driver.perform()
        driver.stop()

    asyncio.run(run())
    assert seen == ["a.fact", "switch.error"]
    assert journal.written == [b"first", b"second"]
