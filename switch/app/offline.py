"""The commands that need no running switch: they answer from the files and the database.

They are typed as often as those that ask a running one, so this module loads neither sockets nor
devices, which take as long to import as all the rest. Deliberately absent: whatever changes something.
"""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

from switch import config as configuration
from switch.app.compose import build_exchange, psap_routes, tariffs_of
from switch.app.reload import read_files
from switch.app.restart import load_totals
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime, wall
from switch.console.bills import Bills
from switch.console.commands import COMMANDS, Args, CommandRefused, UseCase
from switch.console.configuration import check_errors
from switch.console.configuration import use_cases as configuration_use_cases
from switch.console.device_log import log as device_log
from switch.console.use_cases import UseCases
from switch.store.database import sqlite_url
from switch.store.read import Reader
from switch.store.read_devices import DeviceReader
from switch.store.recall import recall
from switch.toml import ConfigError


def offline(config: Path, data: Path) -> Mapping[str, UseCase]:
    """The use cases that need no running switch."""

    async def refuse() -> list[str]:
        raise CommandRefused("not_running", "no switch runs that could take the files over")

    try:
        found = configuration.load(config)
    except ConfigError as error:
        return _unreadable(error)
    exchange = build_exchange(found, {}, NoAnnouncer(), {}, secrets.token_bytes(32))
    reader = Reader(found.settings.store.database(sqlite_url(data / "vigie.sqlite")))
    cases = UseCases(
        exchange,
        found.snapshot,
        reader,
        lambda: None,
        found.origins,
        [],
    )
    now, utc = boottime(), wall()
    known = asyncio.run(recall(reader, 0, round(utc * 1000), found.settings.store.node or ""))
    load_totals(exchange, known, now, utc)
    cases.lives.restore(known.lives)
    cases.contracts.restore(known.contracts)
    cases.lives.follow(cases.contracts.files())
    cases.disclosures.restore(known.disclosures)
    reading = configuration_use_cases(
        lambda: found, lambda: read_files(config), refuse, refuse, lambda: cases.lives.lives
    )
    routes = psap_routes(exchange, data, lambda: found, lambda name, fields: None)
    routes.load()
    return {
        **cases.table(),
        **Bills(
            exchange, reader, lambda: tariffs_of(found.settings), cases.announcing.told_prices
        ).table(),
        "usage.show": cases.minutes.show_stored,
        "device.log": device_log(DeviceReader(reader)),
        **routes.table(),
        **reading,
    }


def _unreadable(error: ConfigError) -> Mapping[str, UseCase]:
    """The same when the files can't be used: `check` lists what is wrong, all others refuse."""

    def refuse(args: Args) -> object:
        raise CommandRefused("bad_config", str(error))

    return dict.fromkeys(COMMANDS, refuse) | {"config.check": lambda args: check_errors(error)}
