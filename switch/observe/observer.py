"""From the facts that the machines note to log lines and counters: one table.

A fact without a row is logged at level info and counted nowhere, so a new one can't get lost.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from switch.observe.alarms import Alarms
from switch.observe.log import logger
from switch.observe.metrics import Metrics

Fields = Mapping[str, object]

_LEVELS: dict[str, int] = {
    "call.start": logging.DEBUG,
    "emergency.attempt": logging.DEBUG,  # all are in emergency.outcome
    "trunk.down": logging.WARNING,
    "trunk.tls_refused": logging.ERROR,
    "auth.failed": logging.WARNING,
    "journal.failing": logging.ERROR,
    "nodes.unreadable": logging.ERROR,
    "clock.step": logging.WARNING,
    "mqtt.unavailable": logging.WARNING,
    "mqtt.broker_lost": logging.ERROR,
    "mqtt.down": logging.WARNING,
    "device.clone": logging.ERROR,
    "device.tampered": logging.ERROR,
    "device.stolen_seen": logging.ERROR,
    "device.retired_seen": logging.WARNING,
    "line.stolen_seen": logging.ERROR,
    "device.rejected": logging.WARNING,
    "device.undocumented": logging.ERROR,
    "device.unreadable": logging.WARNING,
    "device.desired": logging.DEBUG,
    "device.applied": logging.DEBUG,
    "device.unwritten": logging.ERROR,
    "device.online": logging.DEBUG,
    "device.offline": logging.DEBUG,
    "store.failing": logging.ERROR,
    "store.unreadable": logging.ERROR,
    "sighting.unreadable": logging.WARNING,
    "store.rejected": logging.ERROR,
    "line.unreadable": logging.ERROR,
    "config.refused": logging.ERROR,
    "switch.task_failed": logging.ERROR,
    "media.unavailable": logging.WARNING,
    "overload.started": logging.WARNING,
    "switch.error": logging.ERROR,
    "emergency.trunk_silent": logging.ERROR,
    "emergency.routes_unusable": logging.ERROR,
    "emergency.shortfall": logging.ERROR,
    "emergency.mended": logging.WARNING,
    "emergency.failed": logging.CRITICAL,
    "emergency.failover": logging.ERROR,
    "media.sounds_failed": logging.ERROR,
    "media.announcement": logging.DEBUG,
    "call.media": logging.DEBUG,
    "emergency.refresh_failed": logging.ERROR,
    "emergency.session_expired": logging.ERROR,
    "emergency.not_acknowledged": logging.ERROR,
    "media.lost": logging.WARNING,
    "use.skipped": logging.WARNING,
    "notice.failed": logging.ERROR,
    "notice.bounced": logging.WARNING,
}


def _call_start(metrics: Metrics, fields: Fields) -> None:
    """The decision's own word, whatever becomes of the call."""
    metrics.count("policy_decisions", str(fields["rule"]), str(fields["outcome"]))


def _call_end(metrics: Metrics, fields: Fields) -> None:
    metrics.count("calls", str(fields["outcome"]))
    if fields["emergency"]:
        metrics.count("emergency_verdicts", str(fields["verdict"]))
    setup = fields["setup_s"]
    if isinstance(setup, float) and fields["emergency"] and fields["rang"]:
        metrics.observe_setup(setup, "emergency_setup")
    if isinstance(setup, float) and fields["answered"]:
        metrics.observe_setup(setup)


def _emergency_attempt(metrics: Metrics, fields: Fields) -> None:
    metrics.count("emergency_attempts", str(fields["trunk"]), str(fields["outcome"]))


def _emergency_outcome(metrics: Metrics, fields: Fields) -> None:
    metrics.count("emergency_calls", str(fields["outcome"]))


def _emergency_failover(metrics: Metrics, fields: Fields) -> None:
    metrics.count("emergency_failovers", str(fields["trunk"]))


def _announcement(metrics: Metrics, fields: Fields) -> None:
    metrics.count("announcements", str(fields["announcement"]), str(fields["outcome"]))


def _threshold(metrics: Metrics, fields: Fields) -> None:
    metrics.count("usage_thresholds", str(fields["percentage"]))


def _alert(metrics: Metrics, fields: Fields) -> None:
    metrics.count("use_alerts", str(fields["detector"]), str(fields["reached"]))


def _notice(metrics: Metrics, fields: Fields) -> None:
    metrics.count("notices", str(fields["channel"]), str(fields["state"]))


def _auth_failed(metrics: Metrics, fields: Fields) -> None:
    metrics.count("authentications", "locked" if fields.get("locked") else "failed")


def _retired_seen(metrics: Metrics, fields: Fields) -> None:
    metrics.count("retired_hardware_seen", str(fields["life"]), str(fields["way"]))


_COUNTED: dict[str, Callable[[Metrics, Fields], None]] = {
    "call.start": _call_start,
    "call.end": _call_end,
    "emergency.attempt": _emergency_attempt,
    "emergency.outcome": _emergency_outcome,
    "emergency.failover": _emergency_failover,
    "media.announcement": _announcement,
    "usage.threshold": _threshold,
    "use.alert": _alert,
    "auth.failed": _auth_failed,
    "device.stolen_seen": _retired_seen,
    "device.retired_seen": _retired_seen,
    "notice.sent": _notice,
    "notice.failed": _notice,
    "notice.bounced": _notice,
}

# What the ledger takes says where somebody is: it is written there, and not in the log. That an emergency
# call was answered, which clears an alarm, is in its outcome.
_UNLOGGED = frozenset({"notice.due", "emergency.answered"})


class Observer:
    """Takes what the driver hands on after each wake-up."""

    def __init__(self, metrics: Metrics) -> None:
        self.alarms = Alarms()
        self._metrics = metrics
        self._log = logger("switch")

    def __call__(self, events: Sequence[tuple[str, dict[str, object]]]) -> None:
        """Log and count each fact."""
        for name, fields in events:
            count = _COUNTED.get(name)
            if count is not None:
                count(self._metrics, fields)
            self.alarms.take(name, fields)
            if name in _UNLOGGED:
                continue
            self._log.log(_LEVELS.get(name, logging.INFO), name, **fields)

    def alarm(self, name: str, fields: Fields) -> None:
        """A room that has no outbox (journal, media) tells something."""
        self(((name, dict(fields)),))
