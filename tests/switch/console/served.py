"""The demo's lines and the commands about their places, behind a command line and a socket."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner, Result

from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.console.cli import build
from switch.console.feed import FeedDesk
from switch.console.house import House
from switch.console.line_life import LineLives
from switch.console.places import Places
from switch.console.readiness import Readiness
from switch.console.socket import NAME, ControlServer
from switch.store.database import sqlite_url
from switch.store.read import Reader

DEMO = Path(__file__).parents[3] / "configs" / "demo"


@cache
def demo() -> config.Configuration:
    return config.load(DEMO)


class Desk:
    """The demo's lines, with the commands about their places, behind a command line."""

    def __init__(self, home: Path) -> None:
        found = demo()
        self.exchange = build_exchange(found, {}, NoAnnouncer(), {}, b"a key of 16 bytes")
        self.lives = LineLives(self.exchange, found.snapshot)
        reader = Reader(sqlite_url(home / "vigie.db"))
        places = Places(self.exchange, self.lives, reader, lambda: None)
        places.see()
        feed = FeedDesk(self.exchange, self.lives.feed, lambda: None)
        readiness = Readiness(self.exchange, self.lives, places)
        self.cases = {**places.table(), **feed.table(), **readiness.table()}
        self.home = home

    def ask(self, command: str, **args: Any) -> Any:
        result = self.cases[command](args)
        return asyncio.run(result) if asyncio.iscoroutine(result) else result  # type: ignore[arg-type]

    @contextmanager
    def served(self) -> Iterator[None]:
        """On a socket, as the running switch serves them."""
        started, stopped = threading.Event(), threading.Event()

        async def serve() -> None:
            server = ControlServer(self.home / NAME, self.cases)
            await server.start()
            started.set()
            await asyncio.to_thread(stopped.wait)
            await server.stop()

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        assert started.wait(5)
        try:
            yield
        finally:
            stopped.set()
            thread.join()

    def vigie(self, *words: str) -> Result:
        house = House(run=lambda config, data: 0, offline=lambda config, data: self.cases)
        app = build(typer.Typer(name="demo"))
        return CliRunner().invoke(app, [*words, "--data", str(self.home)], obj=house)
