"""The switch at a glance: the status page, `status`, `doctor` and `drain`, of a running switch."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from switch.call.announced import is_announcement
from switch.call.call import Call
from switch.call.exchange import Exchange
from switch.call.record import calendar_of
from switch.call.state import CallState
from switch.clock import boottime
from switch.console.commands import Args, UseCase
from switch.console.whereabouts import place_of, stale_countries
from switch.observe.status import CallStatus, LineCounts, LineStatus, Status, TrunkStatus
from switch.sip.flow import Flow
from switch.usage.reading import Reading

NEAR: Final = 0.8  # of the threshold: the first notice of the terms
# A page of more lines helps nobody, and each costs the loop some 30 us.
LINES_SHOWN: Final = 200


class Overview:
    """Over one exchange. `listening` are readable addresses; `alarms` tells what is wrong now;
    `perform` performs what a command led to."""

    def __init__(
        self,
        exchange: Exchange,
        perform: Callable[[], None],
        listening: Sequence[str],
        alarms: Callable[[], tuple[str, ...]],
    ) -> None:
        self._exchange = exchange
        self._perform = perform
        self._listening = tuple(listening)
        self._alarms = alarms
        self._started = boottime()

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "status": self.status,
            "doctor": self.doctor,
            "drain.start": lambda args: self._drain(True),
            "drain.stop": lambda args: self._drain(False),
            "drain.status": lambda args: self._drain(self._exchange.is_draining),
        }

    def status(self, args: Args) -> object:
        """The switch in one object."""
        exchange, now = self._exchange, boottime()
        trunks = (trunk.reading(now) for trunk in exchange.trunks.by_id.values())
        return {
            "version": _version(),
            "node": exchange.settings.host,
            "uptime_s": round(now - self._started, 1),
            "listening": list(self._listening),
            "lines_registered": exchange.registrar.aor_count,
            "calls_live": len(exchange.calls),
            "trunks": [
                {
                    "trunk": trunk.trunk,
                    "target": ", ".join(hop.address for hop in trunk.hops) or "not resolved",
                    "up": trunk.up,
                    "calls": trunk.calls,
                    "reason": trunk.reason,
                }
                for trunk in trunks
            ],
            "near_threshold": [line for line, used in self._used(now) if used >= self._near_ms],
            "alarms": list(self._alarms()),
            "draining": exchange.is_draining,
        }

    def page(self) -> Status:
        """What the status page shows: of many lines those with the most minutes."""
        exchange, now = self._exchange, boottime()
        used = sorted(self._used(now), key=lambda pair: -pair[1])
        return Status(
            version=_version(),
            node=exchange.settings.host,
            uptime_s=now - self._started,
            listening=self._listening,
            lines=tuple(self._line_status(line, now) for line, _ in used[:LINES_SHOWN]),
            calls=tuple(_call_status(call, now) for call in exchange.calls.values()),
            trunks=tuple(
                TrunkStatus(name, _target(trunk.carrier.flow), trunk.is_up, trunk.calls)
                for name, trunk in exchange.trunks.by_id.items()
            ),
            alarms=self._alarms(),
            draining=exchange.is_draining,
            counts=LineCounts(
                len(used),
                exchange.registrar.aor_count,
                sum(ms >= self._near_ms for _, ms in used),
            ),
        )

    def doctor(self, args: Args) -> object:
        """What only the running switch can tell: carriers, and every alarm."""
        trunks = self._exchange.trunks.by_id
        found: list[dict[str, object]] = [
            {
                "check": f"carrier {name}",
                "ok": trunk.is_up,
                "detail": trunk.reason or "answers",
                "advice": "" if trunk.is_up else "calls go by the next route meanwhile",
            }
            for name, trunk in trunks.items()
        ]
        if len(trunks) < 2:
            advice = "emergency calls have one way out: add a second carrier"
            found.append({"check": "carriers", "ok": False, "detail": "one", "advice": advice})
        found += stale_countries(self._exchange.facts.networks, datetime.now(UTC).date())
        found += [
            {"check": "alarm", "ok": False, "detail": alarm, "advice": "the log tells since when"}
            for alarm in self._alarms()
            if not alarm.startswith("Carrier ")  # told above
        ]
        return found

    def _drain(self, wanted: bool) -> object:
        """Refuse new calls, or take them again; emergency calls never come to ask."""
        if self._exchange.is_draining is not wanted:
            self._exchange.is_draining = wanted
            self._exchange.outbox.note("switch.draining", draining=wanted)
            self._perform()
        return {"draining": wanted, "calls_live": len(self._exchange.calls)}

    @property
    def _near_ms(self) -> float:
        return NEAR * self._exchange.meters.threshold_ms

    def _used(self, now: float) -> list[tuple[str, int]]:
        """Lines with what they used."""
        used_ms = self._exchange.meters.used_ms
        return [(line, used_ms(line, now)) for line in self._exchange.facts.lines]

    def _line_status(self, line_id: str, now: float) -> LineStatus:
        exchange = self._exchange
        line, reading = exchange.facts.lines[line_id], reading_of(exchange, line_id, now)
        return LineStatus(
            line=line.id,
            number=line.number,
            state=line.state.value,
            contacts=tuple(
                f"{b.flow.transport} {b.flow.remote[0]}:{b.flow.remote[1]}"
                for b in exchange.registrar.bindings(line_id, now)
            ),
            used_ms=reading.used_ms,
            live_ms=reading.live_ms,
            threshold_ms=reading.threshold_ms,
            place=place_of(exchange.sightings.of(line_id)),
        )


def reading_of(exchange: Exchange, line: str, now: float) -> Reading:
    """A line's minutes in its present cycle."""
    cycle = calendar_of(exchange, line).cycle_at(round(exchange.wall(now) * 1000))
    return exchange.meters.reading(line, now, cycle)


def state_of(call: Call) -> str:
    """A call's state as people say it."""
    if call.state is CallState.CONNECTED:
        return "connected"
    if any(branch.is_open and is_announcement(branch) for branch in call.branches):
        return "announcement"
    return "ringing" if call.record.rang_at is not None else "early"


def _version() -> str:
    try:
        return version("vigie")
    except PackageNotFoundError:  # run from the sources
        return "0"


def _call_status(call: Call, now: float) -> CallStatus:
    answered = call.record.answer
    since = answered if answered is not None else call.record.start
    return CallStatus(
        call.id,
        call.identity.number,
        call.request.dialled,
        state_of(call),
        now - since,
        call.is_emergency,
    )


def _target(flow: Flow) -> str:
    return f"{flow.transport} {flow.remote[0]}:{flow.remote[1]}"
