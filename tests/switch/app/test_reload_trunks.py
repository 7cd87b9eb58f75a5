"""A reload keeps trunks that did not change, and probes those that emergency calls leave by from now on."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from switch import config
from switch.app import build_exchange
from switch.app.reload import Reload
from switch.call.exchange import Exchange, NoAnnouncer
from switch.console.line_life import LineLives
from switch.routing.psap_table import read_table
from switch.settings import HostPort

HERE = HostPort("127.0.0.1", 5060)
ROOT = Path(__file__).parents[3]
THIRD = '\n[[trunk]]\nid = "carrier-3"\naddress = "127.0.1.1"\nport = 5072\nping_s = 0\n'
ROUTE = (
    '\n[[route]]\nname = "emergency"\nhops = [{ trunk = "carrier-3" }, { trunk = "carrier-1" }]\n'
)


class Kept:
    """Nothing is kept of earlier configurations."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class House:
    """A switch without sockets, its files, and its reload."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "vigie.toml"
        demo = ROOT / "configs" / "demo"
        (directory / "networks.csv").write_bytes((demo / "networks.csv").read_bytes())
        text = (demo / "vigie.toml").read_text("utf-8")
        self.text = text.replace('dialplan = "../..', f'dialplan = "{ROOT}')
        self.write(THIRD)
        found = config.load(directory)
        self.exchange: Exchange = build_exchange(
            found, {}, NoAnnouncer(), {"UDP": [HERE], "TCP": [HERE]}, b"0" * 16
        )
        lives = LineLives(self.exchange, found.snapshot)
        self.reload = Reload(
            found,
            self.exchange,
            lives,
            b"0" * 16,
            lambda name, fields: None,
            lambda: None,
            cast("Any", Kept()),
        )

    def write(self, more: str, *changes: tuple[str, str]) -> None:
        text = self.text + more
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        self.path.write_text(text, "utf-8")

    def apply(self) -> None:
        asyncio.run(self.reload.apply())

    def probing(self) -> dict[str, tuple[float, bool]]:
        trunks = self.exchange.trunks.by_id.items()
        return {name: (trunk.ping_s, trunk.serves_emergency) for name, trunk in trunks}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_trunk_is_probed_when_emergency_calls_begin_to_leave_by_it(house: House) -> None:
    assert house.probing() == {
        "carrier-1": (15, True),
        "carrier-2": (15, True),
        "carrier-3": (0, False),
    }
    first = house.exchange.trunks.by_id["carrier-1"]
    house.write(THIRD + ROUTE)
    house.apply()
    assert house.probing() == {
        "carrier-1": (15, True),
        "carrier-2": (30, False),
        "carrier-3": (15, True),
    }
    assert house.exchange.trunks.by_id["carrier-1"] is first, "its state and its calls are kept"


def test_another_interval_is_taken_over(house: House) -> None:
    house.write(THIRD, ("[emergency]", "[emergency]\nprobe_s = 5"))
    house.apply()
    assert house.probing()["carrier-1"] == (5, True)
    assert house.probing()["carrier-3"] == (0, False)


def test_the_routing_table_stays(house: House) -> None:
    table = read_table(b"number,insee,long_number\n18,75108,0199000018\n", version=7)
    house.exchange.psap = table
    house.write(THIRD, ('profile = "A"', 'profile = "B"'))
    house.apply()
    assert house.exchange.psap is table
    assert house.exchange.trunks.by_id["carrier-1"].carrier.profile == "B"
