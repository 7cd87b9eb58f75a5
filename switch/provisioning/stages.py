"""Which devices belong to a stage of a rollout: by a hash that no list or order of devices changes.

A device's place is a number from 0 to 1 made of the rollout's id and its own, so every rollout draws
other devices first, and a device that joins the fleet later has its place already. Canaries are in the
first stage, whatever their place.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

_WHOLE: Final = float(1 << 64)


def place(rollout: str, device: str) -> float:
    """A device's place in a rollout, from 0 up to 1."""
    digest = blake2b(device.encode(), digest_size=8, key=rollout.encode()[:64]).digest()
    return int.from_bytes(digest) / _WHOLE


def stage_of(
    rollout: str, device: str, stages: Sequence[float], canaries: Iterable[str] = ()
) -> int:
    """The first stage that a device belongs to; `len(stages)` = none of them."""
    if device in canaries:
        return 0
    drawn = place(rollout, device) * 100.0
    for number, percentage in enumerate(stages):
        if drawn < percentage:
            return number
    return len(stages)


def plan(
    rollout: str, devices: Iterable[str], stages: Sequence[float], canaries: Iterable[str] = ()
) -> list[list[str]]:
    """The devices by stage, each in the first that it belongs to; those of no stage are left out."""
    named = frozenset(canaries)
    found: list[list[str]] = [[] for _ in stages]
    for device in devices:
        number = stage_of(rollout, device, stages, named)
        if number < len(found):
            found[number].append(device)
    return found
