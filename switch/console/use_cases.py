"""The use cases behind the commands: what a running switch answers and does (see `commands`).

Each takes the arguments as a mapping and returns plain values. Reading live things costs the loop a
few microseconds; reading the database is awaited.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from policy.explain import as_dict
from switch.call.call import Call
from switch.call.exchange import Exchange
from switch.call.leg import Leg
from switch.call.record import destination_number
from switch.clock import boottime
from switch.console.accounts import Accounts
from switch.console.announcing import Announcing
from switch.console.audit import Audit
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.contract import Contract
from switch.console.contract_acts import Acts, open_points
from switch.console.disclosure_desk import DisclosureDesk
from switch.console.feed import FeedDesk
from switch.console.line_life import Build, LineLives
from switch.console.minutes import Minutes
from switch.console.outages import OutageDesk
from switch.console.overview import Overview, reading_of, state_of
from switch.console.places import Places
from switch.console.readiness import Readiness
from switch.console.rehearsal import known_line, limits, rehearse
from switch.console.usage_import import UsageImport
from switch.console.whereabouts import Declarations, level_of, shown
from switch.facts.line import LineLife
from switch.routing.target import Target
from switch.store.read import Reader, StoreUnavailableError
from switch.store.read_audit import AuditReader
from switch.store.read_contracts import ContractReader
from switch.terms.contracts import Contracts
from switch.terms.disclosures import Disclosures
from switch.terms.outages import Outages
from switch.terms.settings import ContractSettings

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
        contract_settings: Callable[[], ContractSettings] = ContractSettings,
    ) -> None:
        self._exchange = exchange
        self._reader = reader
        self._perform = perform
        self._origin = origin
        self.overview = Overview(exchange, perform, listening, alarms)
        self.lives = LineLives(exchange, rebuild)
        self.places = Places(exchange, self.lives, reader, perform)
        self.contracts = Contracts(exchange.outbox)
        self.acts = acts = Acts(exchange, self.lives, self.contracts, perform, contract_settings)
        steps = ContractReader(reader)
        self.contract = Contract(exchange, acts, steps, self.places.ask_again)
        self._accounts = Accounts(exchange, acts, self.contract, steps)
        self.announcing = Announcing(exchange, acts)
        self.disclosures = Disclosures(exchange.outbox)
        self.outages = Outages(
            exchange.outbox,
            self._account_of,
            self._is_reachable,
            self.acts.now_ms,
            lambda: contract_settings().tell_outage_after_minutes * 60_000,
        )
        self._outages = OutageDesk(self.outages, steps, perform)
        self._disclosure = DisclosureDesk(exchange, self.disclosures, reader, perform)
        self._feed = FeedDesk(exchange, self.lives.feed, perform)
        self._readiness = Readiness(exchange, self.lives, self.places)
        self._declarations = Declarations(exchange, perform)
        self.minutes = Minutes(exchange, reader)

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            **self.overview.table(),
            **self._declarations.table(),
            **self.places.table(),
            **self.contract.table(),
            **self._accounts.table(),
            **self.announcing.table(),
            **UsageImport(self._exchange, self._perform).table(),
            **self._disclosure.table(),
            **self._outages.table(),
            **self._feed.table(),
            **self._readiness.table(),
            **self.minutes.table(),
            "usage.adjust": self.usage_adjust,
            "explain.call": self.explain_call,
            "reg.list": self.reg_list,
            "call.list": self.call_list,
            "call.show": self.call_show,
            "call.hangup": self.call_hangup,
            "cdr.list": self.cdr_list,
            "line.list": self.line_list,
            "line.show": self.line_show,
            **Audit(AuditReader(self._reader)).table(),
            "notice.list": self.notice_list,
        }

    def forget(self, cutoffs: Mapping[str, int], held: Collection[str]) -> None:
        """Let go of what is purged: how far back each class is kept (UTC ms), and lines that are held."""
        self.contracts.forget(cutoffs["identity"], held)
        self.disclosures.forget(cutoffs["disclosures"], held)

    def explain_call(self, args: Args) -> object:
        """The decision for a call that nobody places, by the engine that live calls use."""
        line = self._line(args)
        found = rehearse(self._exchange, args, line, "explain")
        request = found.request
        steps = [*found.decision.steps, *limits(self._exchange, found)]
        return {
            "line": line,
            "dialled": request.dialled,
            "source_ip": request.source_ip,
            **as_dict(found.decision),
            "steps": steps,
            "targets": [_shown(target) for target in found.targets],
        }

    # -- registrations and calls ---------------------------------------------------------------

    def reg_list(self, args: Args) -> object:
        """Who is registered, and how they are reached."""
        exchange, now = self._exchange, boottime()
        wanted = args.get("line")
        lines = [str(wanted)] if wanted is not None else list(exchange.facts.lines)
        found = [
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
                "level": level_of(exchange, binding, now),
            }
            for line in lines
            for binding in exchange.registrar.bindings(line, now)
        ]
        return self._of_a_line(args, found)

    def call_list(self, args: Args) -> object:
        """Live calls, oldest first."""
        wanted = args.get("line")
        now = boottime()
        calls = self._exchange.calls.values()
        found = [
            self._call(call, now)
            for call in calls
            if wanted in (None, call.request.line, call.called_line)
        ]
        return self._of_a_line(args, found)

    def call_show(self, args: Args) -> object:
        """One live call with its legs and the steps of its decision."""
        call = self._find_call(args)
        legs = [leg for leg in (call.caller, call.callee, *call.branches) if leg is not None]
        return {
            **self._call(call, boottime()),
            "legs": [
                {
                    "leg": leg.local_tag,
                    **_far_end(leg, call),
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
        found = await _read(
            self._reader.cdrs(
                line=_text(args, "line"),
                since=_number(args, "since"),
                until=_number(args, "until"),
                **({} if limit is None else {"limit": limit}),
            )
        )
        return self._of_a_line(args, [cdr.as_json() for cdr in found])

    async def notice_list(self, args: Args) -> object:
        """What customers were told, or are to be told."""
        found = await _read(self._reader.notices(_text(args, "line")))
        return self._of_a_line(args, [each.as_json() for each in found])

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
                    "location": self.places.state_of(line).value,
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
        now = boottime()
        bindings = self._exchange.registrar.bindings(line.id, now)
        return {
            "line": line.id,
            "number": line.number,
            "account": line.account,
            "state": line.state.value,
            "ground": line.policy.ground,
            "plan": line.plan,
            "contract": open_points(self.contracts.file(line.id)),
            "site": line.site,
            "location": None if place is None else self.places.shown(line.id),
            "permissions": sorted(str(each) for each in line.policy.permissions),
            "contacts": [str(binding.contact) for binding in bindings],
            "whereabouts": shown(self._exchange, line, now),
            "usage": self.minutes.show(args),
            "origins": {**self._origin(line.id), **_owned(line.life)},
        }

    def usage_adjust(self, args: Args) -> object:
        """Correct a line's minutes; a threshold that this reaches is told at once."""
        done = self.minutes.adjust(args)
        self._perform()
        return done

    # -- inside --------------------------------------------------------------------------------

    def _line(self, args: Args) -> str:
        return known_line(self._exchange, args)

    def _account_of(self, line: str) -> str:
        known = self._exchange.facts.lines.get(line)
        return known.account if known is not None else ""

    def _is_reachable(self, line: str) -> bool:
        registrar = self._exchange.registrar
        return any(not registrar.is_lost(each) for each in registrar.bindings(line, boottime()))

    def _of_a_line(self, args: Args, found: list[dict[str, Any]]) -> object:
        """What was found of the line that `args` may name. One that never was is told, since nothing is
        ever found of it; one that the files named once still has its calls."""
        if args.get("line") is not None and not found:
            self._line(args)
        return found

    def _find_call(self, args: Args) -> Call:
        call = self._exchange.calls.get(str(args["call_id"]))
        if call is None:
            raise CommandRefused("unknown_call", f"there is no live call {args['call_id']}")
        return call

    def _call(self, call: Call, now: float) -> dict[str, object]:
        exchange, record = self._exchange, call.record
        answered = record.answer
        since = now - answered if answered is not None else 0.0
        return {
            "call_id": call.id,
            "line": call.request.line or call.called_line,
            "direction": "outbound" if call.request.line else "inbound",
            "src": call.identity.number,
            "dst": destination_number(call),
            "dst_raw": record.dst_raw,
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
    if life.plan is not None:
        owned["plan"] = "store"
    if life.is_located:
        owned["location"] = "store"
        if life.registered is not None and life.registered.site != life.registered.filed_site:
            owned["site"] = "store"
    return owned


def _far_end(leg: Leg, call: Call) -> dict[str, object]:
    """Who is at the other side of a leg: a carrier, or a line by one of its phones."""
    if leg.is_trunk:
        return {"trunk": leg.label}
    if leg is call.caller:
        return {"line": leg.label}
    return {"line": call.called_line, "contact": leg.label}


def _shown(target: Target) -> dict[str, object]:
    bodies = ["application/sdp"]
    if target.place is not None:
        bodies.append("application/pidf+xml")
    return {
        "trunk": target.label if target.is_trunk else None,
        "profile": target.profile,
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
