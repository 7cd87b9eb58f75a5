"""The use cases that change where a line stands in its contract, by the table of policy.transitions.

A person decides, or says on whose word (the customer's, billing's); the switch holds all of them to the
terms: from which state, by whom, under which clause, with what on file. A termination with notice is told
now and takes effect by itself on its day (2(l)(i): 15 days, 2(m): 5 working days), unless it is withdrawn.
Each step stays on file, the customer is told, and live calls end where the configuration says so; an
emergency call never does.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final, Protocol

from policy.model import LineState
from policy.on_file import DAY_MS, Note
from policy.transitions import (
    TABLE,
    Actor,
    Need,
    NotAllowedError,
    OnFile,
    Transition,
    Wait,
    allow,
)
from switch.call.exchange import Exchange
from switch.console.arrears import Arrears
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.contract_acts import Acts, word_of
from switch.console.porting import rio_of
from switch.console.restrictions import Restrictions
from switch.facts.line import Line
from switch.store.read import StoreUnavailableError
from switch.terms.contracts import BY_ITSELF
from switch.terms.days import day_of, effective_on, midnight_ms

DEFAULT_WAY: Final = (
    "convenience"  # of a termination that nobody gives a reason for: with 15 days' notice
)
# What `line warn` is about: the note, and the clause that will build on it.
_WARNINGS: Final[Mapping[str, tuple[Note, str]]] = {
    "unpaid": (Note.WARNED, "4(e)"),
    "breach": (Note.BREACH_NOTICED, "2(l)(iv)(2)"),
}


_KNOWN_TO_THE_THIEF: Final = (
    "the stolen phone knows the line's password unless you have changed it in the files"
)
_BARS: Final = frozenset({LineState.SUSPENDED, LineState.UNPAID, LineState.FRAUD_HOLD})
_SUSPENSIONS: Final = frozenset(name for name, row in TABLE.items() if row.to in _BARS)
# As people say them: arrears by their clause, a hold for fraud by its name, since 2(k)(e) bars all.
_GROUNDS: Final = sorted({*_SUSPENSIONS - {"unpaid"}, TABLE["unpaid"].clause})
_ENDS: Final = {name: row for name, row in TABLE.items() if row.to is LineState.TERMINATED}


# Arrears end a contract by two clauses that say the same.
_WAYS_BY_CLAUSE: Final = {
    "2(l)(iv)(1)": "for_arrears",
    **{row.clause: name for name, row in _ENDS.items()},
}
# What a person says was sent before by other ways: the note, when (UTC ms), and the day it names.
Paper = tuple[Note, int, int | None]


class ContractRows(Protocol):
    """What is asked of the database."""

    async def steps(self, line: str | None = None) -> list[dict[str, Any]]:
        """All steps, of a line if given, oldest first."""


class Contract:
    """Over one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        acts: Acts,
        rows: ContractRows,
        ask_location: Callable[[str, str], None] = lambda line, why: None,
    ) -> None:
        """`ask_location` has a customer confirm a line's address again, and why."""
        self._exchange = exchange
        self._ask_location = ask_location
        self._acts = acts
        self._arrears = Arrears(acts)
        self._contracts = acts.contracts
        self._rows = rows

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "line.activate": self.activate,
            "line.suspend": self.suspend,
            "line.resume": self.resume,
            "line.terminate": self.terminate,
            "line.warn": self.warn,
            "line.settle": self.settle,
            "line.withdraw": self.withdraw,
            "line.stolen": self.stolen,
            "line.history": self.history,
            "line.rio": self.rio,
            **self._arrears.table(),
            **Restrictions(self._exchange, self._acts).table(),
        }

    # -- commands ------------------------------------------------------------------------------

    def activate(self, args: Args) -> object:
        """Let a line into service, once the terms are accepted and it has a location and a mail address."""
        return self._change(args, "activated")

    def suspend(self, args: Args) -> object:
        """Suspend under a ground of 2(k), for tampering (2(i)), or for arrears (4(e)) after a warning;
        `fraud_hold` bars international and premium calls only."""
        ground = str(args["ground"])
        name = "unpaid" if ground == TABLE["unpaid"].clause else ground
        if name not in _SUSPENSIONS:
            raise CommandRefused("bad_args", f"--ground {ground}: one of {', '.join(_GROUNDS)}")
        return self._change(args, name)

    def resume(self, args: Args) -> object:
        """Back to active: reinstated. With new hardware after a theft, back to what it was before."""
        stolen = self._acts.line(args).state is LineState.STOLEN
        return self._change(args, "replaced" if stolen else "reinstated")

    def stolen(self, args: Args) -> object:
        """The hardware was stolen: it can't register any more, and its calls end."""
        return self._change(args, "stolen")

    def terminate(self, args: Args) -> object:
        """End the contract, by one of the ways of 2(l), 2(m) and 4(d); at once, or on its day.

        Nobody's contract ends at once by a word that was left out: without a way it is 2(l)(i), with its
        notice. `now` holds the way to taking effect at once.
        """
        way = self._way(args)
        row = _ENDS[way]
        if args.get("now") is True and row.wait is not Wait.NONE:
            at_once = ", ".join(name for name, each in _ENDS.items() if each.wait is Wait.NONE)
            what = f"{way} ({row.clause}) has its notice; at once are {at_once}"
            raise CommandRefused("not_allowed", what)
        return self._change(args, way)

    def _way(self, args: Args) -> str:
        """The way that a termination goes, by its name or its clause."""
        way, ground = args.get("way"), args.get("ground")
        if way is None and ground is None:
            return DEFAULT_WAY
        if way is None:
            way = _WAYS_BY_CLAUSE.get(str(ground))
        if way is None:
            known = ", ".join(_WAYS_BY_CLAUSE)
            raise CommandRefused("bad_args", f"--ground {ground}: one of {known}")
        if way not in _ENDS:
            raise CommandRefused("bad_args", f"--way {way}: one of {', '.join(_ENDS)}")
        return str(way)

    def warn(self, args: Args) -> object:
        """Warn of arrears, or notice a breach with the day by which it must be cured; on file from now."""
        line, about = self._acts.line(args), str(args["about"])
        if about not in _WARNINGS:
            raise CommandRefused("bad_args", f"--about {about}: {' or '.join(_WARNINGS)}")
        if line.state is LineState.TERMINATED:
            raise CommandRefused("terminated", f"line {line.id} is terminated for good")
        name, clause = _WARNINGS[about]
        at, kind, until = self._acts.now_ms(), f"warning_{about}", None
        fields: dict[str, object] = {}
        if name is Note.BREACH_NOTICED:
            until = self._instant(line, args, "cure_by") or self._in_days(line)
            fields["cure_by"] = self._day_of(line, until).isoformat()
        word = word_of(args)
        if name is Note.WARNED and args.get("amount") is not None:
            account = self._acts.account(line.account)
            kind, fields = f"{kind}_sum", {**self._arrears.grown(account, args)}
            owed = f"{fields['amount']} euros due on {fields['due']}"
            word = replace(word, because=f"{word.because} ({owed})" if word.because else owed)
        self._acts.file(line, name, at, word, until=until, notice=kind)
        self._acts.owe(kind, line, at, clause, **fields)
        return self._acts.done(line.id)

    def settle(self, args: Args) -> object:
        """What the customer was warned of is paid or cured: a later warning is needed from now on."""
        line = self._acts.line(args)
        self._acts.file(line, Note.SETTLED, self._acts.now_ms(), word_of(args))
        return self._acts.done(line.id)

    def withdraw(self, args: Args) -> object:
        """Take a termination back before its day."""
        line = self._acts.line(args)
        leaving = self._contracts.file(line.id).leaving
        if leaving is None:
            raise CommandRefused(
                "not_allowed", f"no termination of line {line.id} waits for its day"
            )
        at = self._acts.now_ms()
        self._acts.file(line, Note.WITHDRAWN, at, word_of(args), notice="termination_withdrawn")
        self._acts.owe("termination_withdrawn", line, at, TABLE[leaving.way].clause)
        return self._acts.done(line.id)

    async def history(self, args: Args) -> object:
        """All steps that were ever taken for a line, oldest first."""
        try:
            return await self._rows.steps(str(args["line"]))
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None

    def rio(self, args: Args) -> object:
        """What the holder of a number gives to another operator to take it along; or a check of one."""
        line = self._acts.line(args)
        file = self._contracts.file(line.id)
        given = args.get("check")
        ended = None if file.ended_at is None else self._day_of(line, file.ended_at)
        today = self._day_of(line, self._acts.now_ms())
        operator = self._exchange.voice.operator_code
        return {
            "line": line.id,
            "number": line.number,
            **rio_of(line, operator, today, ended, None if given is None else str(given)),
            "state": line.state.value,
        }

    # -- by the switch itself --------------------------------------------------------------------

    def bar_for_fraud(self, line_id: str, because: str) -> None:
        """Bar international and premium calls: the one bar that needs no person (2(k)(e))."""
        line = self._exchange.facts.lines[line_id]
        row = allow("fraud_hold", line.state, Actor.SWITCH, self._acts.now_ms(), OnFile())
        self._acts.put(line, "fraud_hold", row, replace(BY_ITSELF, because=because))

    def meet_days(self) -> None:
        """End the contracts whose notice has run out; called now and then by the loop."""
        for line_id, file in self._contracts.due(self._acts.now_ms()):
            line, leaving = self._exchange.facts.lines.get(line_id), file.leaving
            if line is None or leaving is None or line.state is LineState.TERMINATED:
                continue
            row = replace(TABLE[leaving.way], notice="terminated")
            self._acts.put(line, leaving.way, row, replace(BY_ITSELF, because="its day has come"))

    def hold_numbers(self) -> None:
        """Lines that are new and have a number in quarantine wait for a person (2(o))."""
        now = self._acts.now_ms()
        for line in list(self._exchange.facts.lines.values()):
            if line.state is not LineState.ACTIVE or self._contracts.has_steps(line.id):
                continue
            free_at = self._acts.number_free_at(line)
            if free_at is not None and free_at > now:
                because = f"{line.number} is in quarantine until {self._day_of(line, free_at)}"
                word = replace(BY_ITSELF, because=because)
                self._acts.put(line, "held", TABLE["held"], word)

    # -- inside --------------------------------------------------------------------------------

    def _change(self, args: Args, name: str) -> object:
        """Change a line by a row of the table, now or on its day, if what is on file allows it."""
        line, at, word = self._acts.line(args), self._acts.now_ms(), word_of(args)
        row = TABLE.get(name)
        if row is not None and row.to is line.state:
            raise CommandRefused("unchanged", f"line {line.id} is {line.state.value} already")
        on_file, papers = self._on_file(line, args)
        try:
            row = allow(name, line.state, word.actor, at, on_file)
        except NotAllowedError as error:
            raise CommandRefused("not_allowed", str(error)) from None
        self._has_had_time(line, row, on_file)
        on_paper = replace(word, because="sent on paper")
        for note, sent, until in papers:
            self._acts.file(line, note, sent, on_paper, until=until)
        if row.wait is not Wait.NONE:
            noticed = self._day_of(line, self._instant(line, args, "noticed") or at)
            effective = midnight_ms(effective_on(noticed, row.wait), self._acts.zone(line))
            if effective > at:
                self._is_sooner(line, effective)
                told = replace(word, because=word.because or f"noticed on {noticed}")
                return self._acts.leave(line, name, row, effective, told)
        before = self._contracts.file(line.id).before_theft
        if name == "replaced" and before is not None and before[0] is not LineState.ACTIVE:
            row = replace(row, to=before[0], clause=before[1])
        if name != "replaced":
            return self._acts.put(line, name, row, word)
        self._ask_location(line.id, "new hardware")  # 2(c)
        done = self._acts.put(line, name, row, word)
        # A device's secret is its own; a password in the files is as old as it was (2(b)).
        return done if line.life.ha1 else {**done, "warnings": [_KNOWN_TO_THE_THIEF]}

    def _has_had_time(self, line: Line, row: Transition, on_file: OnFile) -> None:
        """Who was warned of arrears has the operator's time to pay (2(l))."""
        days = self._acts.settings().pay_within_days
        if Need.WARNING not in row.needs or on_file.warned_at is None or not days:
            return
        since = self._day_of(line, on_file.warned_at)
        until = midnight_ms(since + timedelta(days=days), self._acts.zone(line))
        if until > self._acts.now_ms():
            what = f"warned on {since}: the customer has until {self._day_of(line, until)} to pay"
            raise CommandRefused(
                "not_allowed", f"{row.clause}: {what} ([contract] pay_within_days)"
            )

    def _is_sooner(self, line: Line, effective: int) -> None:
        """Nobody's notice is put off by another one: it is withdrawn first."""
        leaving = self._contracts.file(line.id).leaving
        if leaving is not None and leaving.effective_at <= effective:
            day = self._day_of(line, leaving.effective_at)
            what = f"line {line.id} ends on {day} already ({leaving.way}); withdraw that first"
            raise CommandRefused("unchanged", what)

    def _on_file(self, line: Line, args: Args) -> tuple[OnFile, list[Paper]]:
        """What is on file, with what the person now says was sent on paper before: (it, steps to keep)."""
        file = self._contracts.file(line.id)
        warned, noticed = self._instant(line, args, "warned"), self._instant(line, args, "noticed")
        cure_by = self._instant(line, args, "cure_by")
        papers: list[Paper] = []
        if warned is not None:
            papers.append((Note.WARNED, warned, None))
        if noticed is not None and cure_by is not None:
            papers.append((Note.BREACH_NOTICED, noticed, cure_by))
        for paper in papers:
            file = file.after_note(*paper)
        account = self._exchange.facts.accounts[line.account]
        accepted, place = self._contracts.acceptance(line.account), line.policy.location
        on_file = OnFile(
            file.warned_at,
            file.noticed_at,
            file.cure_by,
            None if accepted is None else accepted.at,
            place is not None and place.validated,
            bool(account.email),
            self._acts.number_free_at(line),
        )
        return on_file, papers

    def _in_days(self, line: Line) -> int:
        """The day by which a breach is to be cured, when nobody names one."""
        days = self._acts.settings().cure_within_days
        day = self._day_of(line, self._acts.now_ms() + days * DAY_MS)
        return midnight_ms(day, self._acts.zone(line))

    def _day_of(self, line: Line, at: int) -> date:
        return day_of(at, self._acts.zone(line))

    def _instant(self, line: Line, args: Args, key: str) -> int | None:
        """The beginning of a local day that was named; None if none was."""
        if args.get(key) is None:
            return None
        try:
            day = date.fromisoformat(str(args[key]))
        except ValueError:
            raise CommandRefused("bad_args", f"--{key} {args[key]}: a date is YYYY-MM-DD") from None
        return midnight_ms(day, self._acts.zone(line))
