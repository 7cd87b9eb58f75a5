"""The use cases that change where a line stands in its contract, by the table of policy.transitions.

A person decides; the switch holds them to the terms: from which state, under which clause, and not before
the day on which a notice takes effect (2(l)(i): 15 days, 2(m): 5 working days). The customer is told.
Deliberately absent: waiting for that day. The decision is given again when it has come.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zlib import crc32
from zoneinfo import ZoneInfo

from policy.model import LineState
from policy.rio import BUSINESS, Rio
from policy.transitions import (
    TABLE,
    WAIT_DAYS,
    Actor,
    NotAllowedError,
    OnFile,
    Transition,
    Wait,
    allow,
)
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.line_life import LineLives
from switch.terms.working_days import add_working_days

DAY_MS: Final = 86_400_000
CLAUSE: Final = "2(l)"  # of a termination whose way nobody names
_CONTRACT_CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Contract:
    """Over one exchange."""

    def __init__(self, exchange: Exchange, lives: LineLives, perform: Callable[[], None]) -> None:
        self._exchange = exchange
        self._lives = lives
        self._perform = perform

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "line.suspend": self.suspend,
            "line.resume": self.resume,
            "line.terminate": self.terminate,
            "line.rio": self.rio,
        }

    def suspend(self, args: Args) -> object:
        """Suspend under a ground of 2(k), or for arrears (4(e)) after a warning."""
        ground = str(args["ground"])
        return self._change(args, "unpaid" if ground == TABLE["unpaid"].clause else ground)

    def resume(self, args: Args) -> object:
        """Back to active: reinstated, or with new hardware after a theft."""
        stolen = self._state(args) is LineState.STOLEN
        return self._change(args, "replaced" if stolen else "reinstated")

    def terminate(self, args: Args) -> object:
        """End the contract, by one of the ways of 2(l), 2(m) and 4(d)."""
        way = args.get("way")
        if way is None:
            clause = str(args.get("ground") or CLAUSE)
            return self._put(args, LineState.TERMINATED, clause, "terminated")
        row = TABLE.get(str(way))
        if row is None or row.to is not LineState.TERMINATED:
            ways = [name for name, each in TABLE.items() if each.to is LineState.TERMINATED]
            raise CommandRefused("bad_args", f"--way {way}: one of {', '.join(ways)}")
        return self._change(args, str(way))

    def rio(self, args: Args) -> object:
        """What the holder of a number gives to another operator to take it along."""
        line = self._exchange.facts.lines.get(str(args["line"]))
        if line is None:
            raise CommandRefused("unknown_line", f"there is no line {args['line']}")
        if not line.number.startswith("+33"):
            raise CommandRefused("not_allowed", f"{line.number} is not a number of mainland France")
        rio = Rio.issue(
            self._exchange.voice.operator_code, BUSINESS, _reference(line.id), f"0{line.number[3:]}"
        )
        return {"line": line.id, "number": line.number, "rio": str(rio), "state": line.state.value}

    # -- inside --------------------------------------------------------------------------------

    def _state(self, args: Args) -> LineState:
        line = self._exchange.facts.lines.get(str(args["line"]))
        if line is None:
            raise CommandRefused("unknown_line", f"there is no line {args['line']}")
        return line.state

    def _change(self, args: Args, name: str) -> object:
        """Change a line by a row of the table, if that and the calendar allow it."""
        state = self._state(args)
        row = TABLE.get(name)
        if row is None or row.to is not state:  # else `change` says that nothing changes
            at = self._now_ms()
            on_file = OnFile(
                _instant(args, "warned"), _instant(args, "noticed"), _instant(args, "cure_by")
            )
            try:
                row = allow(name, state, Actor.PERSON, at, on_file)
            except NotAllowedError as error:
                raise CommandRefused("not_allowed", str(error)) from None
            self._check_date(args, name, row)
        return self._put(args, row.to, row.clause, row.notice)

    def _check_date(self, args: Args, name: str, row: Transition) -> None:
        if row.wait is Wait.NONE:
            return
        noticed = args.get("noticed")
        if noticed is None:
            raise CommandRefused(
                "not_allowed", f"{name} ({row.clause}) needs the date of its notice"
            )
        line = self._exchange.facts.lines[str(args["line"])]
        zone = ZoneInfo(self._exchange.facts.accounts[line.account].time_zone)
        today = datetime.fromtimestamp(self._now_ms() / 1000, zone).date()
        effective = effective_on(_day(args, "noticed"), row.wait)
        if today < effective:
            raise CommandRefused(
                "not_allowed", f"{name} ({row.clause}) takes effect on {effective}"
            )

    def _put(self, args: Args, state: LineState, clause: str, notice: str) -> object:
        line, at = str(args["line"]), self._now_ms()
        ground = "" if state is LineState.ACTIVE else clause
        self._lives.change(line, state, ground, str(args.get("by") or "operator"), at)
        self._exchange.outbox.note(
            "notice.due",
            kind=notice,
            id=f"{notice} {line} {at}",
            line=line,
            account=self._exchange.facts.lines[line].account,
            audience="customer",
            clause=clause,
            fields={},
        )
        self._perform()
        return {"line": line, "state": state.value, "ground": ground, "since": at}

    def _now_ms(self) -> int:
        return round(self._exchange.wall(boottime()) * 1000)


def effective_on(noticed: date, wait: Wait) -> date:
    """The first day on which a change with notice holds."""
    days = WAIT_DAYS.get(wait, 0)
    if wait is Wait.WORKING:
        return add_working_days(noticed, days)
    return noticed + timedelta(days=days)


def _reference(line: str) -> str:
    """The six characters of a contract in a RIO: ours to choose, the same for ever."""
    number, characters = crc32(line.encode()), ""
    for _ in range(6):
        number, place = divmod(number, len(_CONTRACT_CHARACTERS))
        characters += _CONTRACT_CHARACTERS[place]
    return characters


def _day(args: Args, key: str) -> date:
    try:
        return date.fromisoformat(str(args[key]))
    except ValueError:
        raise CommandRefused("bad_args", f"--{key} {args[key]}: a date is YYYY-MM-DD") from None


def _instant(args: Args, key: str) -> int | None:
    """A date on file as UTC milliseconds of its beginning, None if it isn't given."""
    if args.get(key) is None:
        return None
    day = _day(args, key)
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
