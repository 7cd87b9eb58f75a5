"""Devices are one node's of several."""

from pathlib import Path
from typing import Any

import pytest

from switch import config
from switch.app.devices import device_commands, device_plan
from switch.console.commands import CommandRefused
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.toml import ConfigError
from tests.switch.provisioning.house import DEMO, House

NODE = '[store]\nurl = "postgresql://db.example/vigie"\nnode = "{}"\n\n'


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
