"""The use cases about firmware: images, signatures, rollouts."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.devices import existing
from switch.provisioning import gate
from switch.provisioning.reach import Reach
from switch.provisioning.repository import Image, RepositoryFault
from switch.provisioning.rollout import Event, Limits, NotAllowedError, Rollout, State
from switch.provisioning.service import Service

EVENTS: Final = ("approve", "schedule", "start", "pause", "resume", "abort", "roll_back")
_SHOWN_FAILURES: Final = 20


class FirmwareDesk:
    """Over the firmware of a node."""

    def __init__(self, service: Service, perform: Callable[[], None]) -> None:
        self._service = service
        self._perform = perform

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "firmware.list": self.list_,
            "firmware.add": self.add,
            "firmware.sign": self.sign,
            "firmware.work": self.work,
            "firmware.plan": self.plan,
            "firmware.move": self.move,
            "firmware.status": self.status,
        }

    def list_(self, args: Args) -> object:
        """All images, signed or not."""
        repository = self._service.repository
        signed = [_image(image, is_signed=True) for image in repository.known.values()]
        return signed + [
            {"model": target.split("/")[0], "version": target.split("/")[1].removesuffix(".img")}
            | {"sha256": told["sha256"], "bytes": told["len"], "signed": False}
            for target, told in repository.staged().items()
        ]

    async def add(self, args: Args) -> object:
        """Take an image in."""
        path, version = existing(args["path"]), str(args["version"])
        security = int(str(args.get("security_version") or 1))
        repository = self._service.repository
        try:
            image = await asyncio.to_thread(
                repository.add, path, str(args["model"]), version, security
            )
        except (RepositoryFault, ValueError) as error:
            raise CommandRefused("not_allowed", str(error)) from None
        return _image(image, is_signed=False)

    async def sign(self, args: Args) -> object:
        """Sign what was added, with the keys of a directory."""
        repository, hours = self._service.repository, self._service.plan.firmware.timestamp_hours
        keys = Path(str(args["keys"]))
        try:
            signed = await asyncio.to_thread(repository.sign, keys, datetime.now(UTC), hours)
        except (RepositoryFault, OSError, ValueError) as error:
            raise CommandRefused("not_allowed", str(error)) from None
        return {"signed": signed}

    def work(self, args: Args) -> object:
        """How far `add` or `sign` is."""
        return self._service.repository.work.shown()

    def plan(self, args: Args) -> object:
        """A draft of a rollout."""
        asked = self._asked(args)
        try:
            self._service.rollouts.plan(asked)
        except NotAllowedError as error:
            raise CommandRefused("not_allowed", str(error)) from None
        self._perform()
        return self._shown(self._service.rollouts.reaches[asked.id])

    def move(self, args: Args) -> object:
        """Start, pause, resume, abort or roll back."""
        name, event = str(args["rollout"]), str(args["event"])
        found = self._find(name)
        if event not in EVENTS:
            raise CommandRefused("bad_args", f"{event}: one of {', '.join(EVENTS)}")
        by, why = str(args.get("by") or "operator"), str(args.get("why") or "")
        rollouts = self._service.rollouts
        try:
            if event == "start" and found.rollout.state is State.DRAFT:
                rollouts.move(name, Event.APPROVE, by, why)
            later = (found.rollout.starts_at or 0) > self._service.fleet.now_ms()
            is_start = event == "start" and found.rollout.state is State.APPROVED
            rollouts.move(name, Event.SCHEDULE if is_start and later else Event(event), by, why)
        except NotAllowedError as error:
            raise CommandRefused("not_allowed", str(error)) from None
        self._perform()
        return self._shown(found)

    def status(self, args: Args) -> object:
        """All rollouts, or one."""
        wanted = args.get("rollout")
        reaches = self._service.rollouts.reaches
        found = reaches.values() if wanted is None else [self._find(str(wanted))]
        return [self._shown(each) for each in found]

    # -- inside --------------------------------------------------------------------------------

    def _find(self, name: str) -> Reach:
        found = self._service.rollouts.reaches.get(name)
        if found is None:
            raise CommandRefused("unknown_rollout", f"there is no rollout {name}")
        return found

    def _asked(self, args: Args) -> Rollout:
        model, version = str(args["model"]), str(args["version"])
        try:
            return Rollout(
                id=str(args.get("rollout") or f"r-{version}-{secrets.token_hex(3)}"),
                model=model,
                version=version,
                limits=_limits(args),
                created_at=self._service.fleet.now_ms(),
                canaries=tuple(map(str, _sequence(args.get("canaries")))),
                window=_window(args.get("window")),
                starts_at=_number(args.get("starts_at")),
                expires_at=_number(args.get("expires_at")),
                since=self._service.fleet.now_ms(),
                by=str(args.get("by") or "operator"),
            )
        except (TypeError, ValueError) as error:
            raise CommandRefused("bad_args", str(error)) from None

    def _shown(self, found: Reach) -> dict[str, Any]:
        rollout, tally = found.rollout, found.tally()
        failures = [each for each in found.devices.values() if each.step in gate.FAILURES]
        return {
            "rollout": rollout.id,
            "model": rollout.model,
            "version": rollout.version,
            "state": rollout.state.value,
            "stage": rollout.stage + 1,
            "stages": list(rollout.limits.stages),
            "since": rollout.since,
            "why": rollout.why,
            "by": rollout.by,
            "devices": len(found.devices),
            "reached": tally.total,
            "pending": tally.pending,
            "under_way": tally.under_way,
            "confirmed": tally.confirmed,
            "failed": tally.failed,
            "failures": [
                {"device": each.device, "step": each.step.value, "detail": each.detail}
                for each in failures[:_SHOWN_FAILURES]
            ],
        }


def _image(image: Image, *, is_signed: bool) -> dict[str, Any]:
    return {
        "model": image.model,
        "version": image.version,
        "security_version": image.security_version,
        "sha256": image.sha256,
        "bytes": image.length,
        "deltas": len(image.deltas),
        "signed": is_signed,
    }


def _limits(args: Args) -> Limits:
    """What is given, the rest as usual. TypeError, ValueError."""
    given: dict[str, Any] = {}
    for each in fields(Limits):
        value = args.get(each.name)
        if value is None:
            continue
        if each.name == "stages":
            given["stages"] = tuple(float(str(part)) for part in _sequence(value))
        else:
            kind = int if isinstance(each.default, int) else float
            given[each.name] = kind(str(value))
    return Limits(**given)


def _sequence(value: object) -> list[object]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    return [part for part in str(value).split(",") if part]


def _window(value: object) -> tuple[str, str] | None:
    if value is None:
        return None
    opens, dash, closes = str(value).partition("-")
    if not dash:
        raise ValueError('a window is written "02:00-05:00"')
    return opens, closes


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
