"""The use cases behind `vigie case`: fair-use cases for the people who decide them (terms 3(a))."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from policy.acceptable_use.watch import Alert
from policy.fair_use import Happening, NotAllowedError, Rung, allowed, is_normal
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.overview import reading_of
from switch.store.read import StoreUnavailableError
from switch.terms.ladders import CONTACTED, Ladders, Step

MONTH_MS: Final = 31 * 86_400_000
WEEK_MS: Final = 7 * 86_400_000
CALLS_SHOWN: Final = 10

# What happens next without anybody's doing, or who is waited for.
_NEXT: Final[Mapping[Rung, str]] = {
    Rung.REVIEW_OPEN: (
        "a person looks at the calls, at theft and takeover first (D14, D18), then notifies the customer "
        "or dismisses the case"
    ),
    Rung.NOTIFIED: (
        "at the deadline: closed if the customer answered and the use is normal again, "
        "else a plan change is proposed"
    ),
    Rung.PLAN_CHANGE_PROPOSED: "a person approves the per-minute plan, terminates, or dismisses",
    Rung.RESOLVED: "nothing: the case is closed",
    Rung.PER_MINUTE: "nothing: calls are billed by the minute from the change on",
    Rung.TERMINATION: "the line is terminated by `vigie line terminate`, with its notice",
}


class CaseRows(Protocol):
    """What is asked of the database."""

    async def case_steps(self, case: str | None = None) -> list[dict[str, Any]]:
        """All steps, of a case if given, oldest first."""

    async def notices(self, line: str, since: int) -> list[dict[str, Any]]:
        """What was told about a line since UTC ms, oldest first."""

    async def longest_calls(self, line: str, since: int, limit: int) -> list[dict[str, Any]]:
        """The calls of a line since UTC ms that counted most, most first."""

    async def counted_ms(self, line: str, since: int) -> int:
        """What a line's calls that ended since UTC ms counted."""


class Cases:
    """Over the ladders of a running switch."""

    def __init__(
        self,
        exchange: Exchange,
        ladders: Ladders,
        rows: CaseRows,
        alerts: Callable[[str], Sequence[Alert]] = lambda line: (),
        change_plan: Callable[[str, str, str], None] = lambda line, case, by: None,
    ) -> None:
        """`alerts` are the detectors' that stand for a line; `change_plan` takes (line, case, by)."""
        self._change_plan = change_plan
        self._exchange = exchange
        self._ladders = ladders
        self._rows = rows
        self._alerts = alerts

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {"case.list": self.list, "case.show": self.show, "case.decide": self.decide}

    def list(self, args: Args) -> object:
        """The cases that wait for somebody or something."""
        wanted = args.get("line")
        return [
            _brief(step, self._account(step))
            for step in self._ladders.open_cases()
            if wanted in (None, step.ladder.line)
        ]

    async def show(self, args: Args) -> object:
        """One case: how it came about, the calls behind it, and what comes next."""
        name = str(args["case"])
        try:
            steps = await self._rows.case_steps(name)
            step = self._ladders.find(name) or _last(name, steps)
            line = step.ladder.line
            week = await self.week_ms(line)
            since = (steps[0]["at"] if steps else step.at) - MONTH_MS
            calls = await self._rows.longest_calls(line, since, CALLS_SHOWN)
            notices = await self._rows.notices(line, since)
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None
        threshold = self._exchange.meters.threshold_ms
        known = line in self._exchange.facts.lines
        reading = reading_of(self._exchange, line, boottime()) if known else None
        return {
            **_brief(step, self._account(step)),
            "contacted": step.ladder.contacted,
            "usage_normal": is_normal(week, threshold),
            "used_ms": reading.used_ms if reading else None,
            "last_7_days_ms": week,
            "threshold_ms": threshold,
            "may_decide": decisions(step),
            "steps": [
                {
                    name: each[name]
                    for name in ("at", "rung", "happening", "by", "clause", "because")
                }
                for each in steps
            ],
            "features": [_feature(alert) for alert in self._alerts(line)],
            "calls": calls,
            "notices": notices,
        }

    def decide(self, args: Args) -> object:
        """A person's decision, or that the customer answered."""
        name, decision, by = str(args["case"]), str(args["decision"]), str(args["by"])
        at = round(self._exchange.wall(boottime()) * 1000)
        try:
            if decision == CONTACTED:
                step = self._ladders.contacted(name, by, at)
            else:
                because = str(args.get("because") or "")
                step = self._ladders.decide(name, _happening(decision), by, at, because)
        except KeyError:
            raise CommandRefused("unknown_case", f"there is no open case {name}") from None
        except NotAllowedError as error:
            raise CommandRefused("not_allowed", str(error)) from None
        if step.ladder.rung is Rung.PER_MINUTE and step.ladder.line in self._exchange.facts.lines:
            self._change_plan(step.ladder.line, step.ladder.id, by)
        return _brief(step, self._account(step))

    async def meet_deadlines(self) -> None:
        """Take the steps whose time has come; called now and then by the loop."""
        at = round(self._exchange.wall(boottime()) * 1000)
        for ladder in self._ladders.due(at):
            week = await self.week_ms(ladder.line)
            usage_normal = is_normal(week, self._exchange.meters.threshold_ms)
            self._ladders.meet_deadline(ladder, at, usage_normal=usage_normal)

    async def week_ms(self, line: str) -> int:
        """What the line used in the last seven days, live calls included."""
        now = boottime()
        since = round(self._exchange.wall(now) * 1000) - WEEK_MS
        return await self._rows.counted_ms(line, since) + self._exchange.meters.live_ms(line, now)

    def _account(self, step: Step) -> str:
        known = self._exchange.facts.lines.get(step.ladder.line)
        return known.account if known is not None else ""


def decisions(step: Step) -> Sequence[str]:
    """What a person may say to `case decide` now."""
    may = [happening.value for happening in allowed(step.ladder)]
    waits = step.ladder.rung in (Rung.NOTIFIED, Rung.PLAN_CHANGE_PROPOSED)
    return [*may, CONTACTED] if waits and not step.ladder.contacted else may


def _brief(step: Step, account: str) -> dict[str, object]:
    ladder = step.ladder
    return {
        "case": ladder.id,
        "line": ladder.line,
        "account": account,
        "cycle": ladder.cycle,
        "rung": ladder.rung.value,
        "since": ladder.since,
        "deadline": ladder.deadline,
        "next": _NEXT.get(ladder.rung, ""),
    }


def _feature(alert: Alert) -> dict[str, object]:
    """What a detector sees, and what it may be taken in by."""
    return {
        "at": alert.at,
        "detector": alert.detector.id,
        "use": alert.detector.use,
        "level": alert.level.name.lower(),
        "values": dict(alert.values),
        "calls": list(alert.calls),
        "looks_like": alert.detector.looks_like,
    }


def _last(name: str, steps: Sequence[Mapping[str, Any]]) -> Step:
    if not steps:
        raise CommandRefused("unknown_case", f"there is no case {name}")
    return Step.of(steps[-1])


def _happening(decision: str) -> Happening:
    try:
        return Happening(decision)
    except ValueError:
        raise CommandRefused("bad_args", f"there is no decision {decision!r}") from None
