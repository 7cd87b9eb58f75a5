"""Taking the configuration files over while calls go on: check, build, and only then swap.

Everything that can fail or take long happens before the first value is swapped, and off the loop: a
reload that fails leaves the running configuration as it is, and the next one starts afresh. Facts,
rules, routes, limits and carriers are swapped; bindings, counters and dialogs are not touched. What
can't change while the switch runs (addresses, the realm) keeps its running value and is named.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from switch import config as configuration
from switch.app.compose import call_settings
from switch.call.exchange import Exchange
from switch.clock import boottime, wall
from switch.config import Configuration
from switch.console.commands import CommandRefused
from switch.console.configuration import FIXED_SECTIONS, FIXED_SIP
from switch.console.line_life import LineLives
from switch.facts.snapshot import Snapshot
from switch.store.alarm import Alarm
from switch.store.configurations import Configurations
from switch.toml import ConfigError, Problem
from switch.trunk.build import build_trunk
from switch.trunk.trunk import Trunk
from switch.trunk.trunks import Trunks


class Reload:
    """The configuration in force (`found`) and what became of the last attempt to change it."""

    def __init__(
        self,
        found: Configuration,
        exchange: Exchange,
        lives: LineLives,
        key: bytes,
        alarm: Alarm,
        done: Callable[[], None],
        kept: Configurations,
    ) -> None:
        """`key` makes the tokens of trunks' registrations; `done` performs what a swap led to; `kept`
        is what was in force before."""
        self.found = found
        self.has_succeeded = True
        self.applied_at = wall()
        self._exchange = exchange
        self._lives = lives
        self._key = key
        self._alarm = alarm
        self._done = done
        self._kept = kept
        self._one_at_a_time = asyncio.Lock()

    async def apply(self) -> list[str]:
        """Take the files over; return the keys that wait for a restart.

        CommandRefused when the files are wrong: nothing has changed then.
        """
        async with self._one_at_a_time:
            waiting = await self._take(lambda: _checked(self.found.path))
            await self.keep()
            return waiting

    async def roll_back(self) -> list[str]:
        """Take over what was in force before; the files stay as they are. CommandRefused."""
        async with self._one_at_a_time:
            previous = await asyncio.to_thread(self._kept.previous)
            if previous is None:
                raise CommandRefused("no_earlier", "no earlier configuration is kept")
            waiting = await self._take(lambda: _checked(previous.path, previous.files))
            await asyncio.to_thread(self._kept.drop_last)
            self._alarm("config.rolled_back", {"id": previous.id, "needs_restart": waiting})
            return waiting

    async def keep(self) -> None:
        """Keep the configuration in force, for `roll_back`; a disk that fails is told."""
        try:
            await asyncio.to_thread(self._kept.keep, self.found.sources(), round(wall() * 1000))
        except OSError as error:
            self._alarm("config.not_kept", {"reason": error.strerror or str(error)})

    async def _take(self, read: Callable[[], Configuration]) -> list[str]:
        """Take a configuration over, or leave everything as it is."""
        try:
            found = await asyncio.to_thread(read)
            found, waiting = keep_fixed(found, self.found)
            lives = dict(self._lives.lives)
            facts = await asyncio.to_thread(found.snapshot, lives)
            if lives != self._lives.lives:  # an operator was quicker
                facts = found.snapshot(self._lives.lives)
            trunks = self._trunks(found)
        except ConfigError as error:
            self.has_succeeded = False
            self._alarm("config.refused", {"reason": str(error)})
            raise CommandRefused("bad_config", str(error)) from None
        except BaseException:
            self.has_succeeded = False
            raise
        self._swap(found, facts, trunks)
        self.has_succeeded, self.applied_at = True, wall()
        self._alarm("config.applied", {"path": str(found.path), "needs_restart": waiting})
        self._done()
        return waiting

    def _swap(self, found: Configuration, facts: Snapshot, trunks: list[Trunk]) -> None:
        """Nothing here can fail or wait."""
        exchange = self._exchange
        self.found = found
        facts = _with_lines_of_calls(facts, exchange)
        exchange.rules, exchange.routes = found.rules, found.routes
        exchange.voice, exchange.settings = found.settings.emergency, call_settings(found)
        exchange.registrar.use(found.registrar_limits())
        self._lives.use(facts)
        for aor in list(exchange.registrar.aors()):
            line = facts.lines.get(aor)
            if line is None or not line.ha1:
                exchange.registrar.remove(aor)
        self._swap_trunks(trunks)

    def _trunks(self, found: Configuration) -> list[Trunk]:
        """The carriers of the new files: those that didn't change keep their state."""
        exchange = self._exchange
        before = {entry.id: entry for entry in self.found.settings.trunks}
        known = exchange.trunks.by_id
        return [
            known[entry.id]
            if before.get(entry.id) == entry
            and entry.id in known
            and found.emergency_probe_s(entry.id) == self.found.emergency_probe_s(entry.id)
            else build_trunk(
                entry,
                exchange.local_flow,
                self._key,
                exchange.wheel,
                exchange.transactions,
                exchange.outbox,
                emergency_probe_s=found.emergency_probe_s(entry.id),
            )
            for entry in found.settings.trunks
        ]

    def _swap_trunks(self, trunks: list[Trunk]) -> None:
        """Calls that are up don't ask their trunk for anything, but they count on it."""
        exchange, old, now = self._exchange, self._exchange.trunks, boottime()
        swapped = Trunks(trunks)
        swapped.peer_names = old.peer_names
        exchange.trunks = swapped
        for name, trunk in old.by_id.items():
            if trunk not in trunks:
                trunk.stop()
                if name in swapped.by_id:
                    swapped.by_id[name].calls = trunk.calls
                else:
                    exchange.outbox.note("trunk.removed", trunk=name)
        for trunk in trunks:
            if trunk not in old.by_id.values():
                trunk.start(now)


def keep_fixed(found: Configuration, running: Configuration) -> tuple[Configuration, list[str]]:
    """`found` with the running values of what is read once; the keys where they differ."""
    new, old = found.settings, running.settings
    kept_sip = {key: getattr(old.sip, key) for key in FIXED_SIP}
    waiting = [f"sip.{key}" for key, value in kept_sip.items() if getattr(new.sip, key) != value]
    kept = {name: getattr(old, name) for name in FIXED_SECTIONS}
    waiting += [name for name, value in kept.items() if getattr(new, name) != value]
    settings = new.model_copy(update={**kept, "sip": new.sip.model_copy(update=kept_sip)})
    return replace(found, settings=settings), waiting


async def read_files(path: Path) -> tuple[Configuration, list[Problem], int]:
    """The files as they are now: what they say, what the plan's own tests say, and their number."""

    def read() -> tuple[Configuration, list[Problem], int]:
        found = configuration.load(path)
        return found, found.plan.run_tests(), len(found.plan.tests)

    return await asyncio.to_thread(read)


def _checked(path: Path, kept: Mapping[Path, Path] = MappingProxyType({})) -> Configuration:
    """The files, if nothing is wrong with them, the dial plan's own tests pass and all addresses fit
    the official geography. ConfigError."""
    found = configuration.load(path, kept)
    if problems := [*found.plan.run_tests(), *found.misplaced()]:
        raise ConfigError(problems)
    return found


def _with_lines_of_calls(facts: Snapshot, exchange: Exchange) -> Snapshot:
    """Lines in live calls that the files no longer name: their calls are metered to the end, but
    nobody can log in as them any more."""
    old = exchange.facts
    talking = {
        line
        for call in exchange.calls.values()
        for line in (call.request.line, call.called_line)
        if line is not None and line not in facts.lines and line in old.lines
    }
    if not talking:
        return facts
    gone = {line: replace(old.lines[line], ha1={}) for line in talking}
    accounts = {line.account: old.accounts[line.account] for line in gone.values()}
    return replace(facts, lines={**facts.lines, **gone}, accounts={**accounts, **facts.accounts})
