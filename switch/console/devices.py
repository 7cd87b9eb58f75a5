"""The use cases about devices: what each is and said, and what people decide of it."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from policy.model import LineState
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.device_log import log
from switch.provisioning import factory
from switch.provisioning.device import Event, NotAllowedError
from switch.provisioning.devices import Twin
from switch.provisioning.fleet import Fleet
from switch.provisioning.service import Service
from switch.store.read_devices import DeviceReader


class DeviceDesk:
    """Over the devices of a node."""

    def __init__(self, service: Service, reader: DeviceReader, perform: Callable[[], None]) -> None:
        self._service = service
        self._fleet = service.fleet
        self._reader = reader
        self._perform = perform

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "device.list": self.list_,
            "device.show": self.show,
            "device.claim": self.claim,
            "device.make": self.make,
            "device.replace": self.replace,
            "device.stolen": self.stolen,
            "device.wipe": self.wipe,
            "device.clear": self.clear,
            "device.rotate": self.rotate,
            "device.log": log(self._reader),
        }

    def list_(self, args: Args) -> object:
        """All devices."""
        return [row(self._fleet, twin) for twin in self._fleet.devices.by_id.values()]

    def show(self, args: Args) -> object:
        """One device, and its story."""
        twin = self._twin(args)
        device, reported, telemetry = twin.device, twin.reported, twin.telemetry
        line = self._fleet.line_of(twin)
        return {
            **row(self._fleet, twin),
            "serial": device.serial,
            "certificate": device.certificate_serial,
            "certificate_until": device.certificate_until or None,
            "claimed_at": device.claimed_at or None,
            "since": twin.since or None,
            "desired_rev": twin.published.rev if twin.published is not None else None,
            "applied_rev": reported.applied_rev if reported is not None else None,
            "secret_gen": device.secret_gen,
            "location_gen": twin.acknowledged(line.id) if line is not None else None,
            "in_service": line is not None and line.policy.in_service,
            "emergency_ready": reported is not None and reported.emergency_ready,
            "network": telemetry.public_ip if telemetry is not None else None,
            "mos": round(twin.mos, 2) or None,
            "firmware": reported.fw if reported is not None else None,
            "story": [asdict(each) for each in twin.happenings],
        }

    def claim(self, args: Args) -> object:
        """Open a claim for a device whose key the factory recorded."""
        twin = self._twin(args)
        text = str(args.get("key") or twin.definition.public_key)
        try:
            identity = factory.identity_of(text) if text else twin.device.identity
        except ValueError:
            raise CommandRefused("bad_args", "a key is 32 bytes in base64") from None
        if not identity:
            raise CommandRefused("bad_args", "no key of this device is recorded: give --key")
        armed = self._service.admission.arm(twin, identity, _by(args))
        self._perform()
        root = self._service.repository
        return {
            "device": armed.device,
            "cid": armed.cid,
            "secret": armed.secret,
            "broker": self._service.admission.place.broker,
            "service_key": self._fleet.authority.service_key.hex(),
            "tuf_root": root.root if root.exists else None,
        }

    def make(self, args: Args) -> object:
        """The same with new keys, for a simulated device."""
        twin = self._twin(args)
        if not self._service.repository.exists:
            raise CommandRefused(
                "not_allowed", "sign a firmware image first: devices trust its root"
            )
        made = factory.make(self._service, twin, _by(args))
        self._perform()
        return {"device": twin.device.id, "factory": made.decode()}

    def replace(self, args: Args) -> object:
        """Another device takes the line over; its customer confirms the location anew (terms 2(c))."""
        old, by = self._twin(args), _by(args)
        new = self._twin({"device": args["with"]})
        line = self._fleet.line_of(old)
        if new is old or line is None:
            raise CommandRefused("bad_args", f"{old.device.id} has no line to be taken over")
        if new.line and new.line != line.id:
            raise CommandRefused("not_allowed", f"{new.device.id} carries line {new.line}")
        was_stolen = line.state is LineState.STOLEN
        self._change(lambda: self._fleet.retire(old, Event.REPLACE, by, f"by {new.device.id}"))
        ports, at = self._fleet.ports, self._fleet.now_ms()
        self._fleet.devices.keep(new.device.changed(at, line=line.id, by=by))
        if was_stolen:
            ports.change_line(line.id, LineState.ACTIVE, by)
        ports.reconfirm(line.id, f"new hardware {new.device.id}")
        self._fleet.refresh(new)
        self._perform()
        return self.show({"device": new.device.id})

    def stolen(self, args: Args) -> object:
        """Hardware was reported stolen or lost."""
        return self._changed(args, lambda twin: self._fleet.steal(twin, _by(args)))

    def wipe(self, args: Args) -> object:
        """Out of service for good; it forgets everything if it is there to hear it."""
        return self._changed(
            args,
            lambda twin: self._fleet.retire(twin, Event.DECOMMISSION, _by(args), "decommissioned"),
        )

    def clear(self, args: Args) -> object:
        """A person looked at it: neither tampered nor cloned, or stolen and known to be about."""

        def cleared(twin: Twin) -> None:
            if twin.device.was_stolen:
                self._fleet.note("device.acknowledged", device=twin.device.id)
                self._fleet.note("line.acknowledged", line=twin.line)
                return
            self._fleet.change(twin, Event.CLEAR, _by(args), "cleared")
            for event in ("device.cleared", "device.unique"):
                self._fleet.note(event, device=twin.device.id)

        return self._changed(args, cleared)

    def rotate(self, args: Args) -> object:
        """Another SIP secret."""
        return self._changed(args, lambda twin: self._fleet.rotate(twin, _by(args)))

    # -- inside --------------------------------------------------------------------------------

    def _twin(self, args: Args) -> Twin:
        twin = self._fleet.devices.by_id.get(str(args["device"]))
        if twin is None:
            raise CommandRefused("unknown_device", f"there is no device {args['device']}")
        return twin

    def _changed(self, args: Args, change: Callable[[Twin], None]) -> object:
        twin = self._twin(args)
        self._change(lambda: change(twin))
        self._perform()
        return row(self._fleet, twin)

    def _change(self, change: Callable[[], None]) -> None:
        try:
            change()
        except NotAllowedError as error:
            raise CommandRefused("not_allowed", str(error)) from None


def row(fleet: Fleet, twin: Twin) -> dict[str, Any]:
    """What `device list` shows of a device."""
    device, reported = twin.device, twin.reported
    wanted = fleet.firmware_for(twin)
    line = twin.line
    return {
        "id": device.id,
        "line": line,
        "model": device.model or twin.definition.model,
        "version": twin.version,
        "target": wanted.version if wanted is not None else twin.version,
        "rollout_state": reported.fw.state.value if reported is not None else "",
        "online": twin.online,
        "sip_registered": bool(fleet.exchange.registrar.bindings(line, boottime())),
        "state": device.life.value,
        "history": [
            {"at": each.at, "state": each.state, "version": each.version}
            for each in twin.happenings
            if each.kind == "update"
        ],
    }


def existing(path: object) -> Path:
    """A file that a command names."""
    found = Path(str(path))
    if not found.is_file():
        raise CommandRefused("bad_args", f"there is no file {found}")
    return found


def _by(args: Args) -> str:
    return str(args.get("by") or "operator")
