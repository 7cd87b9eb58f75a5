"""What a restart goes on from: the live state at the head of a journal segment, and its way back.

The journal is the truth. Where it doesn't reach back (it was lost, or moved away), the database
gives states, locations, minutes and registrations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from switch.call.exchange import Exchange
from switch.call.journal import live_records
from switch.call.record import calendar_of
from switch.call.registered_from import resume
from switch.call.restore import restore_calls
from switch.clock import boottime, wall
from switch.console.line_life import LineLives
from switch.notice.ledger import Ledger
from switch.store.alarm import Alarm
from switch.store.journal import Journal
from switch.store.read import Reader
from switch.store.recall import Recalled, recall
from switch.terms.contracts import Contracts
from switch.terms.disclosures import Disclosures
from switch.terms.ladders import Ladders
from switch.terms.outages import Outages

# A cycle is 31 days at most: the present one of every account, and the one before.
_CYCLES_MS: Final = 62 * 86_400_000


@dataclass(frozen=True, slots=True)
class Kept:
    """Those who keep what outlives calls."""

    lives: LineLives
    ledger: Ledger
    ladders: Ladders
    contracts: Contracts
    disclosures: Disclosures
    outages: Outages


def restated(exchange: Exchange, kept: Kept) -> Iterator[bytes]:
    """All live state, for the head of a new journal segment."""
    yield from exchange.registrar.records()
    yield from exchange.authenticator.lockout.records(boottime(), wall())
    yield from exchange.meters.live_records()
    yield from exchange.caps.live_records(wall())
    yield from live_records(exchange.calls.values())
    yield from kept.lives.records()
    yield from exchange.sightings.records(boottime())
    yield from exchange.callbacks.records()
    yield from exchange.unheard.records()
    yield from kept.ledger.records()
    yield from kept.ladders.records()
    yield from kept.contracts.records()
    yield from kept.disclosures.records()
    yield from kept.outages.records()


async def go_on(
    exchange: Exchange,
    kept: Kept,
    journal: Journal,
    reader: Reader,
    alarm: Alarm,
    node: str = "",
) -> list[dict[str, Any]]:
    """Take everything back. Nothing is sent before the driver is started.

    `node` is this switch's name in a database that several share. Returns what is known of devices,
    among other records.
    """
    utc_ms = round(wall() * 1000)
    known = await recall(reader, utc_ms - _CYCLES_MS, utc_ms, node, alarm=alarm)
    now, utc = boottime(), wall()
    records = list(journal.replay())
    kept.lives.restore([*known.lives, *records])
    kept.contracts.restore([*known.contracts, *records])
    kept.lives.follow(kept.contracts.files())
    kept.disclosures.restore([*known.disclosures, *records])
    exchange.sightings.restore(records, now)
    exchange.registrar.restore(records or known.bindings, now, utc)
    exchange.authenticator.lockout.take(records, now, utc)
    kept.outages.restore([*known.outages, *records])
    for record in records:
        exchange.meters.restore(record, now, utc)
        exchange.caps.restore(record)
    exchange.meters.restored()
    load_totals(exchange, known, now, utc)
    exchange.callbacks.restore(records, utc)
    exchange.unheard.restore(records, now, utc)
    kept.ledger.restore(records, known.notices)
    kept.ladders.restore([*known.cases, *records])
    resume(exchange, now)
    restored = restore_calls(exchange, records, now)
    if records:
        exchange.outbox.note("switch.restored", records=len(records), calls=restored)
    return [*known.devices, *records]


def load_totals(exchange: Exchange, known: Recalled, now: float, utc: float) -> None:
    """What the database knows of minutes, into the meters."""
    for line, n, by_direction, crossed in known.totals:
        if line in exchange.facts.lines:
            cycle = calendar_of(exchange, line).cycle(n)
            exchange.meters.load(line, cycle, by_direction, crossed, now, utc)
    for adjustment, n in known.adjustments:
        if adjustment.line in exchange.facts.lines:
            cycle = calendar_of(exchange, adjustment.line).cycle(n)
            exchange.meters.take_adjustment(adjustment, cycle, now, utc)
