"""What the database still knows at a start, for when the journal doesn't reach back far enough.

States and locations of lines are taken from both, the later wins; minutes by greatest-of; bindings
only when the journal is gone. A database that is missing, locked or broken gives nothing: the
switch starts from the journal then, and the writer says that the database fails.
"""

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from switch.store.alarm import Alarm, quiet
from switch.store.read import Reader, StoreUnavailableError
from switch.store.read_cases import CaseReader
from switch.store.read_contracts import ContractReader
from switch.store.read_devices import DeviceReader
from switch.store.read_feed import feed
from switch.usage.adjustment import Adjustment

# A start must not wait for a locked file: what is in the journal is enough to go on.
LIMIT_S: Final = 5.0

Total = tuple[str, int, dict[str, int], list[int]]
"""(line, cycle, counted ms by direction, percentages crossed)."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """`lives` are records as in the journal, "line_state", "location", "line_secret" and the feed's;
    `bindings` likewise; `notices` are the ids of those that were owed lately, `cases` the last steps of
    fair-use cases, `contracts` all steps of contracts, `disclosures` of requests, `adjustments`
    corrections with their cycles, `devices` records of devices and rollouts, `outages` those that last."""

    lives: list[dict[str, Any]] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)
    bindings: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    adjustments: list[tuple[Adjustment, int]] = field(default_factory=list)
    contracts: list[dict[str, Any]] = field(default_factory=list)
    disclosures: list[dict[str, Any]] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(default_factory=list)
    outages: list[dict[str, Any]] = field(default_factory=list)


async def recall(
    reader: Reader,
    since: int,
    now: int,
    node: str = "",
    *,
    alarm: Alarm = quiet,
    limit_s: float = LIMIT_S,
) -> Recalled:
    """Read it; `since` bounds the cycles (UTC ms), `now` the bindings. Empty when that fails.

    `node` is whose minutes are asked for, where several share the database.
    """
    try:
        async with asyncio.timeout(limit_s):
            states = [{"k": "line_state", **asdict(row)} for row in await reader.line_states()]
            places = [{"k": "location", **asdict(row)} for row in await reader.locations()]
            told = await feed(reader)
            of_devices = DeviceReader(reader)
            secrets = await of_devices.secrets()
            devices = await of_devices.records()
            totals = await reader.totals(since, node)
            adjustments = await reader.adjustments(since)
            notices = await reader.notice_ids()
            cases = await CaseReader(reader).last_steps()
            bindings = await reader.bindings(now)
            of_contracts = ContractReader(reader)
            contracts = await of_contracts.steps()
            asked = await of_contracts.disclosures()
            outages = await of_contracts.open_outages()
            lives = states + places + secrets + told
            return Recalled(
                lives,
                totals,
                bindings,
                notices,
                cases,
                adjustments,
                contracts,
                asked,
                devices,
                outages,
            )
    except (StoreUnavailableError, TimeoutError, ValueError) as error:
        # There is none before the first start; all else is worth a look.
        if reader.exists:
            alarm("store.unreadable", {"reason": str(error) or "locked"})
        return Recalled()
