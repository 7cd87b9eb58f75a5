"""The use cases behind the commands: what a running switch answers and does (see `commands`).

Each takes the arguments as a mapping and returns plain values. Reading live things costs the loop a
few microseconds; reading the database is awaited.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from policy.engine import decide
from policy.explain import as_dict
from policy.model import CallRequest, LineState, ToFeature
from switch.call.call import Call
from switch.call.destination import destination_groups
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.line_life import Build, LineLives
from switch.console.overview import Overview, reading_of, state_of
from switch.facts.line import LineLife
from switch.routing.target import Target
from switch.store.read import Reader, StoreUnavailableError

T = TypeVar("T")


class UseCases:
    """All of them, over one exchange. `rebuild` gives the facts for given lives; `drivers` performs
    what a command led to."""

    def __init__(
        self,
        exchange: Exchange,
        rebuild: Build,
        reader: Reader,
        perform: Callable[[], None],
        origin: Callable[[str], Mapping[str, str]],
        listening: Sequence[str],
        alarms: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._exchange = exchange
        self._reader = reader
        self._perform = perform
        self._origin = origin
        self.overview = Overview(exchange, perform, listening, alarms)
        self.lives = LineLives(exchange, rebuild)

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            **self.overview.table(),
            "explain.call": self.explain_call,
            "reg.list": self.reg_list,
            "call.list": self.call_list,
            "call.show": self.call_show,
            "call.hangup": self.call_hangup,
            "cdr.list": self.cdr_list,
            "line.list": self.line_list,
            "line.show": self.line_show,
            "line.suspend": self.line_suspend,
            "line.resume": self.line_resume,
            "line.terminate": self.line_terminate,
            "usage.show": self.usage_show,
            "emergency.log": self.emergency_log,
            "notice.list": self.notice_list,
        }

    def explain_call(self, args: Args) -> object:
        """The decision for a call that nobody places, by the engine that live calls use."""
        exchange = self._exchange
        line = self._line(args)
        now = boottime()
        at = args.get("at")
        when = at / 1000 if isinstance(at, int) else exchange.wall(now)
        source = str(args.get("source_ip") or self._source_of(line, now))
        request = CallRequest(dialled=str(args["dial"]), line=line, source_ip=source, at=when)
        decision = decide(request, exchange.facts.policy_facts(line, source, when), exchange.rules)
        answer = as_dict(decision)
        groups: list[tuple[Target, ...]] = []
        if not isinstance(decision.destination, ToFeature):
            groups = destination_groups(exchange, decision, line, "explain", when, now)
        answer["targets"] = [_shown(target) for group in groups for target in group]
        return answer

    # -- registrations and calls ---------------------------------------------------------------

    def reg_list(self, args: Args) -> object:
        """Who is registered, and how they are reached."""
        exchange, now = self._exchange, boottime()
        wanted = args.get("line")
        lines = [str(wanted)] if wanted is not None else list(exchange.facts.lines)
        return [
            {
                "line": binding.aor,
                "contact": str(binding.contact),
                "transport": binding.flow.transport,
                "remote": f"{binding.flow.remote[0]}:{binding.flow.remote[1]}",
                "instance": binding.instance,
                "q": binding.q,
                "expires_at": round(exchange.wall(binding.expires_at) * 1000),
                "user_agent": binding.user_agent,
                "source": binding.source,
            }
            for line in lines
            for binding in exchange.registrar.bindings(line, now)
        ]

    def call_list(self, args: Args) -> object:
        """Live calls, oldest first."""
        wanted = args.get("line")
        now = boottime()
        calls = self._exchange.calls.values()
        return [
            self._call(call, now)
            for call in calls
            if wanted in (None, call.request.line, call.called_line)
        ]

    def call_show(self, args: Args) -> object:
        """One live call with its legs and the steps of its decision."""
        call = self._find_call(args)
        legs = [leg for leg in (call.caller, call.callee, *call.branches) if leg is not None]
        return {
            **self._call(call, boottime()),
            "legs": [
                {
                    "leg": leg.local_tag,
                    "line" if not leg.is_trunk else "trunk": leg.label,
                    "sip_call_id": leg.dialog.call_id if leg.dialog else "",
                    "state": leg.state.value,
                    "remote": f"{leg.flow.remote[0]}:{leg.flow.remote[1]}",
                }
                for leg in legs
            ],
            "steps": [
                {"rule": step.rule, "verdict": step.verdict, "because": step.because}
                for step in call.decision.steps
            ],
        }

    def call_hangup(self, args: Args) -> object:
        """End a call; an emergency call only when forced."""
        call = self._find_call(args)
        if call.is_emergency and args.get("force") is not True:
            raise CommandRefused("emergency", "an emergency call is ended with --force only")
        call.hang_up("hung_up_by_operator", boottime())
        self._perform()
        return {"call_id": call.id, "state": "ending"}

    # -- records -------------------------------------------------------------------------------

    async def cdr_list(self, args: Args) -> object:
        """Finished calls."""
        limit = _number(args, "limit")
        until = _number(args, "until")
        found = await _read(
            self._reader.cdrs(
                line=_text(args, "line"),
                since=_number(args, "since"),
                **({} if limit is None else {"limit": limit}),
            )
        )
        return [cdr.as_json() for cdr in found if until is None or cdr.end < until]

    async def emergency_log(self, args: Args) -> object:
        """Emergency attempts."""
        line, since = _text(args, "line"), _number(args, "since")
        return [
            entry.as_json()
            for entry in await _read(self._reader.emergency_log())
            if line in (None, entry.line) and (since is None or entry.at >= since)
        ]

    async def notice_list(self, args: Args) -> object:
        """What customers were told, or are to be told."""
        return [each.as_json() for each in await _read(self._reader.notices(_text(args, "line")))]

    # -- lines ---------------------------------------------------------------------------------

    def line_list(self, args: Args) -> object:
        """All lines with their state and minutes."""
        now = boottime()
        rows = []
        for line in self._exchange.facts.lines.values():
            reading = reading_of(self._exchange, line.id, now)
            rows.append(
                {
                    "line": line.id,
                    "number": line.number,
                    "account": line.account,
                    "state": line.state.value,
                    "registered": bool(self._exchange.registrar.bindings(line.id, now)),
                    "used_ms": reading.used_ms,
                    "threshold_ms": reading.threshold_ms,
                }
            )
        return rows

    def line_show(self, args: Args) -> object:
        """One line, and where each of its values comes from."""
        line = self._exchange.facts.lines[self._line(args)]
        place = line.policy.location
        bindings = self._exchange.registrar.bindings(line.id, boottime())
        return {
            "line": line.id,
            "number": line.number,
            "account": line.account,
            "state": line.state.value,
            "ground": line.policy.ground,
            "site": line.site,
            "location": None
            if place is None
            else {"insee": place.insee, "civic": dict(place.civic), "version": place.version},
            "permissions": sorted(str(each) for each in line.policy.permissions),
            "contacts": [str(binding.contact) for binding in bindings],
            "usage": self.usage_show(args),
            "origins": {**self._origin(line.id), **_owned(line.life)},
        }

    def line_suspend(self, args: Args) -> object:
        """Suspend under a ground of 2(k)."""
        return self._change(args, LineState.SUSPENDED, str(args["ground"]))

    def line_resume(self, args: Args) -> object:
        """Back to active."""
        return self._change(args, LineState.ACTIVE, "")

    def line_terminate(self, args: Args) -> object:
        """End the line's contract."""
        return self._change(args, LineState.TERMINATED, str(args.get("ground") or "2(l)"))

    def usage_show(self, args: Args) -> object:
        """Minutes of the present cycle, live calls included."""
        reading = reading_of(self._exchange, self._line(args), boottime())
        return reading.as_json()

    # -- inside --------------------------------------------------------------------------------

    def _line(self, args: Args) -> str:
        line = str(args["line"])
        if line not in self._exchange.facts.lines:
            raise CommandRefused("unknown_line", f"there is no line {line}")
        return line

    def _source_of(self, line: str, now: float) -> str:
        """Where the line's phone is registered from, else nowhere known."""
        bindings = self._exchange.registrar.bindings(line, now)
        return bindings[0].source if bindings else "127.0.0.1"

    def _find_call(self, args: Args) -> Call:
        call = self._exchange.calls.get(str(args["call_id"]))
        if call is None:
            raise CommandRefused("unknown_call", f"there is no live call {args['call_id']}")
        return call

    def _change(self, args: Args, state: LineState, ground: str) -> object:
        at_ms = round(self._exchange.wall(boottime()) * 1000)
        line = self._line(args)
        self.lives.change(line, state, ground, str(args.get("by") or "operator"), at_ms)
        self._perform()
        return {"line": line, "state": state.value, "ground": ground, "since": at_ms}

    def _call(self, call: Call, now: float) -> dict[str, object]:
        exchange, record = self._exchange, call.record
        answered = record.answer
        since = now - answered if answered is not None else 0.0
        return {
            "call_id": call.id,
            "line": call.request.line or call.called_line,
            "direction": "outbound" if call.request.line else "inbound",
            "src": call.identity.number,
            "dst": call.request.dialled,
            "state": state_of(call),
            "start": round(exchange.wall(record.start) * 1000),
            "answer": None if answered is None else round(exchange.wall(answered) * 1000),
            "duration_ms": round(since * 1000),
            "emergency": call.is_emergency,
        }


async def _read(query: Awaitable[T]) -> T:
    """What the database says; a refusal where it can't be read."""
    try:
        return await query
    except StoreUnavailableError as error:
        raise CommandRefused("store_unavailable", str(error)) from None


def _owned(life: LineLife) -> dict[str, str]:
    """What of a line comes from the store, and no longer from the file."""
    owned = {} if life.state is None else {"state": "store", "ground": "store"}
    return owned | ({"location": "store"} if life.is_located else {})


def _shown(target: Target) -> dict[str, object]:
    bodies = ["application/sdp"]
    if target.place is not None:
        bodies.append("application/pidf+xml")
    return {
        "trunk": target.label,
        "request_uri": target.request_uri,
        "headers": dict(target.headers),
        "body_types": bodies,
    }


def _text(args: Args, key: str) -> str | None:
    value = args.get(key)
    return None if value is None else str(value)


def _number(args: Args, key: str) -> int | None:
    value = args.get(key)
    return value if isinstance(value, int) else None
