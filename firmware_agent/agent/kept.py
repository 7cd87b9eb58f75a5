"""What survives a reboot: one document, replaced atomically. So is what it refers to applied.

The desired documents themselves lie in files of their own, named by hash, written before this refers to
them and removed after it no longer does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from firmware_agent.messages.codec import Count, Name, Within
from firmware_agent.messages.desired import FirmwareWanted, Sha256, UtcSeconds
from firmware_agent.messages.reported import Applied, Network, Percent, Problem, UpdateState

STATE_FILE = "state"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an update is. `wanted` is what is or was tried last."""

    state: UpdateState = UpdateState.IDLE
    wanted: FirmwareWanted | None = None
    attempt: Count = 0
    seq: Count = 0
    pct: Percent = 0
    fetched_anew: bool = False
    err: Problem | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Which documents: the last good one, and the one that is being tried."""

    seen_rev: Count = 0
    seen_sha256: Sha256 | None = None
    state: Applied = Applied.APPLIED
    good: Sha256 | None = None
    trying: Sha256 | None = None
    err: Problem | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The whole. `emergency_until`: trusted time before which no reboot is wanted."""

    boots: Count = 0
    time_floor: UtcSeconds = 0
    config: Config = field(default_factory=Config)
    update: Progress = field(default_factory=Progress)
    network: Network | None = None
    public_ip: str | None = None
    emergency_until: UtcSeconds = 0
    generations: Mapping[str, Count] = field(default_factory=dict)
    """Line -> the generation of its secret whose first use was told."""
    done: Annotated[tuple[Name, ...], Within(0, 64)] = ()
    """Commands that were performed, newest last."""

    def documents(self) -> Iterator[str]:
        """The hashes of the desired documents it refers to."""
        yield from filter(None, (self.config.good, self.config.trying))


def desired_file(sha256: str) -> str:
    """The file of a desired document's envelope."""
    return f"desired-{sha256[:32]}"
