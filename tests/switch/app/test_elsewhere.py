"""What one node decides of a line is in force at the other; devices are one node's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from policy.model import LineState
from switch import config
from switch.app.compose import build_exchange
from switch.app.devices import device_commands, device_plan
from switch.app.elsewhere import LivesElsewhere
from switch.call.exchange import NoAnnouncer
from switch.console.commands import CommandRefused
from switch.console.line_life import LineLives
from switch.facts.line import hashes_of
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.store.writer import Writer
from switch.toml import ConfigError
from tests.switch.provisioning.house import DEMO, House

NODE = '[store]\nurl = "postgresql://db.example/vigie"\nnode = "{}"\n\n'


class Node:
    """Line lives, without the rest of a switch."""

    def __init__(self) -> None:
        found = config.load(DEMO)
        self.exchange = build_exchange(found, {}, NoAnnouncer(), {}, b"k" * 32)
        self.lives = LineLives(self.exchange, found.snapshot)
        self.released: list[tuple[str, LineState]] = []

    def listen(self, reader: Reader) -> LivesElsewhere:
        return LivesElsewhere(
            self.exchange,
            reader,
            self.lives,
            lambda line, state: self.released.append((line, state)),
            lambda: None,
        )


@pytest.fixture
def database(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "shared.sqlite")


async def written(database: str, journal: list[bytes]) -> None:
    writer = Writer(database, lambda: iter(()))
    task = asyncio.create_task(writer.run())
    writer.feed(journal)
    await writer.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_theft_secret_and_state_reach_the_other_node(database: str) -> None:
    first, second = Node(), Node()
    fresh = hashes_of("102", "vigie", "another")
    first.lives.change("101", LineState.STOLEN, "2(b)", "person", 1_800_000_000_000)
    first.lives.keep_secret("102", fresh, {}, 1_800_000_000_000)

    async def play() -> None:
        await written(database, first.exchange.outbox.journal)
        reader = Reader(database)
        for _ in range(2):
            await second.listen(reader).look(0)
        await reader.close()

    asyncio.run(play())
    assert second.exchange.facts.lines["101"].state is LineState.STOLEN
    assert dict(second.exchange.facts.lines["102"].ha1) == dict(fresh)
    assert second.released == [("101", LineState.STOLEN)]  # once
    assert second.exchange.outbox.journal == []  # it is the other's to keep


def test_what_is_older_than_what_is_known_here_changes_nothing(database: str) -> None:
    first, second = Node(), Node()
    first.lives.change("101", LineState.SUSPENDED, "2(k)(a)", "person", 1_800_000_000_000)
    second.lives.change("101", LineState.STOLEN, "2(b)", "person", 1_800_000_000_001)

    async def play() -> None:
        await written(database, first.exchange.outbox.journal)
        reader = Reader(database)
        await second.listen(reader).look(0)
        await reader.close()

    asyncio.run(play())
    assert second.exchange.facts.lines["101"].state is LineState.STOLEN
    assert second.released == []


def configured(tmp_path: Path, mqtt: str, node: str = "b") -> Any:
    text = (DEMO / "vigie.toml").read_text("utf-8")
    root = DEMO.parents[1]
    text = text.replace('dialplan = "../..', f'dialplan = "{root}')
    text = text.replace("[http]", f"{NODE.format(node)}{mqtt}[http]", 1)
    (tmp_path / "vigie.toml").write_text(text, "utf-8")
    (tmp_path / "networks.csv").write_bytes((DEMO / "networks.csv").read_bytes())
    return config.load(tmp_path)


def test_a_shared_database_asks_whose_the_devices_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name the one that has the devices"):
        configured(tmp_path, "")


@pytest.mark.parametrize(("node", "is_here"), [("a", True), ("b", False)])
def test_one_node_has_them_and_the_other_says_which(
    tmp_path: Path, node: str, is_here: bool
) -> None:
    plan = device_plan(configured(tmp_path, '[mqtt]\nnode = "a"\n\n', node))
    assert bool(plan.devices) is is_here
    assert plan.elsewhere == ("" if is_here else "a")
    house = House(tmp_path / "data")
    house.service.plan = plan
    commands = device_commands(house.service, Reader(sqlite_url(tmp_path / "none")), lambda: None)
    if is_here:
        assert commands["firmware.status"]({}) == []
        return
    for name in ("device.list", "device.stolen", "firmware.add"):
        with pytest.raises(CommandRefused, match="node a") as refusal:
            commands[name]({"device": "dev-ooma-109"})
        assert refusal.value.slug == "not_here"
    assert house.service.open_broker() is None
