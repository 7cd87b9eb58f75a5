"""What is wrong right now, in sentences for an operator: raised by one event, cleared by another.

Deliberately absent: mail and paging; a monitor reads `status`, /metrics and the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Rise:
    """An event that raises the alarm `key`; `text` is filled with the event's fields."""

    key: str
    text: str


_RAISED_BY = {
    "emergency.failed": _Rise(
        "emergency", "P1: emergency calls fail. The last one (call {call_id}) tried: {tried}."
    ),
    "nodes.unreadable": _Rise(
        "nodes",
        "Minutes of the other nodes can't be read ({reason}): their calls stand still here.",
    ),
    "journal.failing": _Rise(
        "journal", "The journal can't be written ({error}): a restart would lose calls."
    ),
    "store.failing": _Rise(
        "store", "The database can't be written ({error}): records wait in the journal."
    ),
    "store.rejected": _Rise(
        "rejected", "A record of kind {kind} was refused by the database ({reason})."
    ),
    "media.unavailable": _Rise("media", "Announcements can't be played: {reason}."),
    "media.sounds_failed": _Rise("sounds", "Announcements can't be generated: {reason}."),
    "config.refused": _Rise(
        "config", "The configuration files have errors; the one before is in force."
    ),
    "config.rolled_back": _Rise(
        "config",
        "An earlier configuration ({id}) is in force: the next apply or restart takes the files.",
    ),
    "config.not_kept": _Rise("kept", "The configuration can't be kept for a rollback: {reason}."),
    "overload.started": _Rise("overload", "Overload: new calls are refused, emergency calls not."),
    "mqtt.unavailable": _Rise("broker", "Devices have no broker: {reason}. To get one: {advice}."),
    "mqtt.broker_lost": _Rise(
        "broker", "The devices' broker ended ({reason}) and is started again."
    ),
    "mqtt.down": _Rise("link", "The devices' broker can't be reached: {reason}."),
    "device.undocumented": _Rise(
        "undocumented {device}", "Device {device} can't be told what it shall be: {reason}."
    ),
    "device.rejected": _Rise(
        "rejected {device}", "Device {device} keeps its last good document: {reason}."
    ),
    "device.unwritten": _Rise("unwritten {what}", "The {what} can't be written: {reason}."),
    "device.clone": _Rise("clone {device}", "There may be two of device {device}: {reason}."),
    "device.tampered": _Rise(
        "tampered {device}", "Device {device} may be tampered with: {reason}."
    ),
    "device.stolen_seen": _Rise(
        "stolen {device}",
        "Stolen hardware shows itself by {way}: device {device}, of line {line} (device log).",
    ),
    "line.stolen_seen": _Rise(
        "stolen line {line}",
        "Stolen hardware of line {line} tries to register from {source}: {user_agent}.",
    ),
    "trunk.down": _Rise("trunk {trunk}", "Carrier {trunk} is down: {reason}."),
    "trunk.tls_refused": _Rise("tls {trunk}", "TLS to carrier {trunk} fails: {reason}."),
    "emergency.trunk_silent": _Rise(
        "emergency trunk {trunk}",
        "Emergency calls try carrier {trunk} last: it doesn't answer ({reason}).",
    ),
    "emergency.routes_unusable": _Rise(
        "routes", "Emergency calls go without the routing table (profile A): {reason}."
    ),
    "switch.task_failed": _Rise("task {task}", "The task {task} failed and was started again."),
}
_CLEARED_BY = {
    "journal.recovered": "journal",
    "nodes.readable": "nodes",
    "store.recovered": "store",
    "emergency.answered": "emergency",
    "media.worker_ready": "media",
    "media.sounds_generated": "sounds",
    "store.accepted": "rejected",
    "config.applied": "config",
    "overload.ended": "overload",
    "emergency.trunk_answers": "emergency trunk {trunk}",
    "emergency.routes_loaded": "routes",
    "trunk.tls_accepted": "tls {trunk}",
    "mqtt.broker_ready": "broker",
    "mqtt.up": "link",
    "device.desired": "undocumented {device}",
    "device.written": "unwritten {what}",
    "device.applied": "rejected {device}",
    "device.cleared": "tampered {device}",
    "device.unique": "clone {device}",
    "device.armed": "stolen {device}",
    "device.acknowledged": "stolen {device}",
    "line.acknowledged": "stolen line {line}",
    "trunk.up": "trunk {trunk}",
    "trunk.removed": "trunk {trunk}",
}


class Alarms:
    """The alarms that stand, oldest first."""

    def __init__(self) -> None:
        self._standing: dict[str, str] = {}

    @property
    def standing(self) -> tuple[str, ...]:
        """Their sentences."""
        return tuple(self._standing.values())

    def take(self, name: str, fields: Fields) -> None:
        """An event."""
        rise = _RAISED_BY.get(name)
        if rise is not None:
            self._standing[_filled(rise.key, fields)] = _filled(rise.text, fields)
            return
        key = _CLEARED_BY.get(name)
        if key is not None:
            self._standing.pop(_filled(key, fields), None)


class _Known(dict[str, object]):
    """Fields of an event; one that it lacks is a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _filled(text: str, fields: Fields) -> str:
    return text.format_map(_Known(fields)) if "{" in text else text
