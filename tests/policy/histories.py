"""Histories of phones, to measure how good the verdict on their place is: `make bench-emergency`.

A history is weeks of one line: where its phone truly is, from which addresses it registers, what its
device and its customer say, and at the end a call to 18. The world lies as the real one does: VPN
(listed and not), roaming both ways, devices that stopped reporting, wrong country databases, a border
building that the database puts abroad, journeys that were declared and not taken back. The switch's own
rooms learn and decide; what was true is known here alone.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from policy.engine import decide
from policy.model import Action, CallRequest, Decision
from switch import config
from switch.call.registered_from import declared, registered, reported
from switch.facts.networks import Networks, Place, PrefixTable
from switch.facts.sightings import Sightings
from switch.facts.snapshot import Snapshot
from switch.facts.whereabouts import Declaration, network_key
from switch.sip.outbox import Outbox

DEMO = Path(__file__).parents[2] / "configs" / "demo"
HISTORIES = 10_000
SEED = 20_261_124
DAY = 86_400.0
UTC = 1_793_491_200.0
SITE = "127.0.0.1"
FRENCH = frozenset({"FR", "RE", "GP"})

# What the country database says of each pool of addresses, whatever is true: (/16, country, kind).
POOLS = {
    "france": ("90.0", "FR", "access"),
    "overseas": ("102.35", "RE", "access"),
    "abroad": ("85.0", "DE", "access"),
    "monaco": ("88.209", "MC", "access"),
    "france, database wrong": ("90.1", "BE", "access"),
    "abroad, database wrong": ("85.1", "FR", "access"),
    "vpn": ("45.0", "NL", "vpn"),
    "hosting": ("51.15", "FR", "hosting"),
    "unlisted vpn, foreign exit": ("46.0", "NL", "access"),
    "unlisted vpn, french exit": ("46.1", "FR", "access"),
    "foreign sim in france": ("80.187", "DE", "access"),
    "french sim abroad": ("92.184", "FR", "access"),
    "no data": ("198.18", "", "access"),
    "private": ("10.0", "", "private"),
}
IN_FRANCE = ("france", "overseas", "france, database wrong", "vpn", "hosting", "no data", "private",
             "unlisted vpn, foreign exit", "foreign sim in france")  # fmt: skip
OFTEN_FRANCE = (60, 8, 2, 6, 3, 6, 3, 2, 2)
OUTSIDE = ("abroad", "monaco", "abroad, database wrong", "vpn", "hosting", "no data", "private",
           "unlisted vpn, french exit", "french sim abroad")  # fmt: skip
OFTEN_ABROAD = (55, 5, 3, 10, 3, 6, 3, 3, 12)


@cache
def demo() -> config.Configuration:
    return config.load(DEMO)


@cache
def networks(is_border: bool) -> Networks:
    rows = [
        Place(f"{head}.0.0/16", country, kind) for head, country, kind in POOLS.values() if country
    ]
    if is_border:
        rows.append(Place("127.0.0.0/24", "CH"))
    return Networks(FRENCH, PrefixTable((row.network, row) for row in rows))


@cache
def facts_of(is_border: bool) -> Snapshot:
    return replace(demo().snapshot({}), networks=networks(is_border))


@dataclass
class History:
    """One phone. `now` is boottime; each step lets a day or less pass."""

    draw: random.Random
    is_border: bool = False
    now: float = 1000.0
    is_abroad: bool = False
    source: str = SITE
    pool: str = "site"
    report: tuple[float, str, str] | None = None  # when, country, address
    declaration: tuple[float, str] | None = None
    notes: list[str] = field(default_factory=list)
    exchange: Any = None

    def __post_init__(self) -> None:
        self.is_border = self.draw.random() < 0.05
        outbox = Outbox()
        self.exchange = SimpleNamespace(
            facts=facts_of(self.is_border),
            sightings=Sightings(outbox, lambda now: UTC + now, "boot"),
            rules=demo().rules,
            registrar=SimpleNamespace(
                bindings=lambda line, now: [SimpleNamespace(source=self.source)]
            ),
            wall=lambda now: UTC + now,
            outbox=outbox,
        )

    @property
    def line(self) -> Any:
        return self.exchange.facts.lines["101"]

    def move(self) -> None:
        """Go somewhere: most days nowhere, now and then to another place or another country."""
        draw = self.draw
        if draw.random() < 0.15:
            self.is_abroad = not self.is_abroad
            self._travel()
        elif draw.random() < 0.75:
            return
        if not self.is_abroad and draw.random() < 0.5:
            self.source, self.pool = SITE, "site"
            return
        names, often = (OUTSIDE, OFTEN_ABROAD) if self.is_abroad else (IN_FRANCE, OFTEN_FRANCE)
        (self.pool,) = draw.choices(names, often)
        self.source = f"{POOLS[self.pool][0]}.{draw.randrange(4)}.{draw.randrange(1, 255)}"

    def _travel(self) -> None:
        """Half of the customers declare a journey, and a third of these forget to take it back."""
        if self.is_abroad and self.draw.random() < 0.5:
            self.declare("DE")
        elif not self.is_abroad and self.declaration is not None and self.draw.random() < 0.67:
            self.declare("")

    def declare(self, country: str) -> None:
        self.declaration = (self.now, country) if country else None
        declared(
            self.exchange, self.line, Declaration(country, self.now) if country else None, self.now
        )

    def tell(self) -> None:
        """The device reports: its country in half of the cases, at a border the wrong one at times."""
        country = ("DE" if self.is_abroad else "FR") if self.draw.random() < 0.5 else ""
        if country == "FR" and self.is_border and self.draw.random() < 0.1:
            country = "CH"
        address = self.source if self.draw.random() < 0.7 else ""
        self.report = (self.now, country, address)
        reported(self.exchange, "101", country, address, "", UTC + self.now, self.now)

    def live(self) -> Decision:
        """Some weeks, then a call to 18."""
        for _ in range(self.draw.randrange(1, 25)):
            self.move()
            for _ in range(self.draw.randrange(1, 3)):
                registered(self.exchange, self.line, self.source, self.now)
                if self.draw.random() < 0.5:
                    self.tell()
                self.now += self.draw.uniform(0.2, 1.2) * DAY / 2
            self.exchange.outbox.clear()
        if self.draw.random() < 0.5:
            self.tell()
            self.now += self.draw.choice((10.0, 600.0, 899.0, 1200.0, 7200.0))
        if self.draw.random() < 0.3:
            self.move()  # and calls at once: nothing has registered from there yet
        seen = self.exchange.sightings.of("101")
        facts = self.exchange.facts.policy_facts("101", self.source, self.now, seen)
        request = CallRequest("18", "101", self.source, UTC + self.now)
        return decide(request, facts, self.exchange.rules)

    @property
    def cause(self) -> str:
        """Why a phone in France seems to be abroad."""
        _, country, kind = POOLS.get(self.pool, ("", "", ""))
        if country and country not in FRENCH and kind == "access":
            return self.pool
        if self.declaration and self.declaration[1] not in FRENCH:
            return "a journey that was not taken back"
        return "what the device reported"

    def says(self) -> set[bool]:
        """What fresh signals say at the call, by the history's own bookkeeping: True = France."""
        found = set()
        _, country, kind = POOLS.get(self.pool, ("", "CH" if self.is_border else "", "access"))
        if self.source == SITE:
            found.add(True)  # and its address is known better than by any database
        elif country and kind == "access":
            found.add(country in FRENCH)
        usual = self.exchange.sightings.of("101").usual(network_key(self.source))
        if usual and (not country or country in FRENCH) and self.source != SITE:
            found.add(True)
        if self.declaration and self.now - self.declaration[0] <= 30 * DAY:
            found.add(self.declaration[1] in FRENCH)
        if self.report and self.now - self.report[0] <= 900.0:
            _, told, address = self.report
            if told:
                found.add(told in FRENCH)
            if address and network_key(address) != network_key(self.source):
                found |= _of_address(address, self.is_border)
        return found


def _of_address(address: str, is_border: bool) -> set[bool]:
    if address == SITE:
        return {True}
    for head, country, kind in POOLS.values():
        if address.startswith(f"{head}."):
            return {country in FRENCH} if country and kind == "access" else set()
    return set()


def outcomes(count: int, seed: int) -> Iterator[tuple[History, Decision, set[bool]]]:
    """Histories, what was decided at their end, and what fresh signals said."""
    for number in range(count):
        history = History(random.Random(f"{seed} {number}"))
        decision = history.live()
        yield history, decision, history.says()


def measure(count: int = HISTORIES, seed: int = SEED) -> Counter[str]:
    """How often which verdict met which truth."""
    found: Counter[str] = Counter()
    for history, decision, says in outcomes(count, seed):
        blocked = decision.action is Action.BLOCK
        place = "abroad" if history.is_abroad else "France"
        found["calls"] += 1
        found[f"calls from {place}"] += 1
        found[f"calls from {place}, blocked"] += blocked
        if blocked and not history.is_abroad:
            found[f"cause: {history.cause}"] += 1
        found[f"level {decision.evidence.level}"] += 1
        if True in says:
            found["with a fresh French signal"] += 1
            found["with a fresh French signal, blocked"] += blocked
        elif False in says:
            found["with foreign signals only"] += 1
            found["with foreign signals only, blocked"] += blocked
            if history.is_abroad:
                found["abroad with foreign signals only"] += 1
                found["abroad with foreign signals only, blocked"] += blocked
        else:
            found["without any evidence"] += 1
            found["without any evidence, blocked"] += blocked
    return found


def report(found: Counter[str]) -> str:
    """The figures as docs/emergency.md shows them."""
    names = ("with a fresh French signal", "abroad with foreign signals only",
             "with foreign signals only", "without any evidence", "calls from France",
             "calls from abroad")  # fmt: skip
    lines = [
        f"{found['calls']} histories, seed {SEED}",
        f"{'':34}{'calls':>7}{'blocked':>9}{'share':>10}",
    ]
    for name in names:
        blocked, total = found[f"{name}, blocked"], found[name]
        lines.append(f"{name:34}{total:7}{blocked:9}{blocked / max(total, 1):10.2%}")
    levels = "  ".join(f"E{level} {found[f'level E{level}']}" for level in range(6))
    causes = sorted((n, name[7:]) for name, n in found.items() if name.startswith("cause: "))
    wrong = "; ".join(f"{name} {n}" for n, name in reversed(causes))
    return "\n".join([*lines, f"levels: {levels}", f"blocked in France: {wrong}"])


if __name__ == "__main__":
    print(report(measure(int(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES)))
