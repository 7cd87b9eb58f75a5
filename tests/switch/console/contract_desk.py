"""A desk at which contracts are changed, on a day of choice and without a database."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from policy.model import LineState
from switch import config
from switch.app import build_exchange
from switch.call.exchange import NoAnnouncer
from switch.clock import boottime
from switch.console.accounts import Accounts
from switch.console.announcing import Announcing
from switch.console.commands import CommandRefused
from switch.console.contract import Contract
from switch.console.contract_acts import Acts
from switch.console.line_life import LineLives
from switch.terms.contracts import Contracts
from switch.terms.settings import ContractSettings

DEMO = Path(__file__).parents[3] / "configs" / "demo"
TEXT = "ab" * 32


@cache
def demo() -> config.Configuration:
    return config.load(DEMO)


class Rows:
    """No database."""

    async def steps(self, line: str | None = None) -> list[dict[str, Any]]:
        raise NotImplementedError

    async def last_mail(self, account: str) -> dict[str, Any] | None:
        return None


class Desk:
    """The contract's use cases on a day of choice."""

    def __init__(self, day: date = date(2026, 5, 11), **settings: Any) -> None:
        self.settings = ContractSettings(**settings)
        self.exchange = build_exchange(demo(), {}, NoAnnouncer(), {}, b"a key of 16 bytes")
        self.performed = 0
        self.kept: list[Mapping[str, Any]] = []
        self.begin()
        self.go_to(day)

    def begin(self) -> None:
        self.lives = LineLives(self.exchange, demo().snapshot)
        self.contracts = Contracts(self.exchange.outbox)
        acts = Acts(self.exchange, self.lives, self.contracts, self.perform, lambda: self.settings)
        self.acts = acts
        self.asked: list[tuple[str, str]] = []
        self.contract = Contract(
            self.exchange, acts, Rows(), lambda line, why: self.asked.append((line, why))
        )
        self.accounts = Accounts(self.exchange, acts, self.contract, Rows())
        self.announcing = Announcing(self.exchange, acts)

    def go_to(self, day: date) -> None:
        """Noon of a day; what is due by then happens."""
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
        self.exchange.wall = lambda now: at + now - boottime()
        self.contract.meet_days()

    def restart(self) -> None:
        """A new process, with what the journal had."""
        self.keep()
        self.exchange = build_exchange(demo(), {}, NoAnnouncer(), {}, b"a key of 16 bytes")
        self.begin()
        self.lives.restore(self.kept)
        self.contracts.restore([*self.kept, *reversed(self.kept)])
        self.lives.follow(self.contracts.files())

    def keep(self) -> None:
        self.kept += map(orjson.loads, self.exchange.outbox.journal)
        self.exchange.outbox.clear()

    def perform(self) -> None:
        self.performed += 1

    def do(self, command: str, line: str = "101", **args: object) -> dict[str, Any]:
        done = self.contract.table()[f"line.{command}"]({"line": line, "by": "claire", **args})
        assert isinstance(done, dict)
        return done

    def refused(self, command: str, line: str = "101", **args: object) -> str:
        before = self.exchange.facts
        owed, journal = len(self.notices), len(self.exchange.outbox.journal)
        with pytest.raises(CommandRefused) as refusal:
            self.do(command, line, **args)
        assert self.exchange.facts is before
        assert len(self.notices) == owed
        assert len(self.exchange.outbox.journal) == journal
        return f"{refusal.value.slug}: {refusal.value.message}"

    def account(self) -> dict[str, Any]:
        shown = asyncio.run(self.accounts.show({"account": "demo"}))
        assert isinstance(shown, dict)
        return shown

    def state(self, line: str = "101") -> LineState:
        return self.exchange.facts.lines[line].state

    def accept(self) -> None:
        args = {"account": "demo", "version": "2017-04-01", "hash": TEXT, "by": "M. Durand"}
        self.accounts.accept({**args, "source": "192.0.2.7"})

    def give_mail(self, email: str = "compta@example.test") -> None:
        facts = self.exchange.facts
        account = facts.accounts["demo"].model_copy(update={"email": email})
        self.exchange.facts = replace(facts, accounts={"demo": account})

    @property
    def notices(self) -> list[dict[str, Any]]:
        return [fields for name, fields in self.exchange.outbox.events if name == "notice.due"]

    @property
    def kinds(self) -> list[str]:
        return [notice["kind"] for notice in self.notices]

    @property
    def steps(self) -> list[dict[str, Any]]:
        records = map(orjson.loads, self.exchange.outbox.journal)
        return [record for record in records if record["k"] == "contract"]
