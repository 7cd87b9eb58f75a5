"""What a step of a contract does: the state changes, the step stays on file, the customer is told, calls end.

Whether a step is allowed was settled before (`contract`). Live calls end within the same turn of the loop,
where the configuration says so; an emergency call and a call-back never do. Times are UTC milliseconds.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from policy.model import LineState
from policy.on_file import CLAUSES, File, Leaving, Note
from policy.transitions import Actor, Transition
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused
from switch.console.line_life import LineLives
from switch.facts.line import Line
from switch.facts.settings import AccountSettings
from switch.terms.contracts import Contracts, Step, Word
from switch.terms.days import day_of
from switch.terms.settings import ContractSettings

_FOR_OPERATOR: Final = frozenset({"number_held"})


class Acts:
    """Over one exchange. `settings` gives those in force."""

    def __init__(
        self,
        exchange: Exchange,
        lives: LineLives,
        contracts: Contracts,
        perform: Callable[[], None],
        settings: Callable[[], ContractSettings],
        clock: Callable[[], float] = boottime,
    ) -> None:
        self._exchange = exchange
        self._lives = lives
        self.perform = perform
        self.contracts = contracts
        self.settings = settings
        self._clock = clock

    def put(self, line: Line, name: str, row: Transition, word: Word) -> dict[str, object]:
        """Change the state of a line by a row; where it stands then."""
        at = self.now_ms()
        ground = "" if row.to is LineState.ACTIVE else row.clause
        self._lives.change(line.id, row.to, ground, word.by, at)
        step = self._step(line, name, row.clause, at, word)
        self.contracts.take(
            replace(
                step,
                before=line.state.value,
                before_ground=line.policy.ground,
                to=row.to.value,
                notice=row.notice,
            )
        )
        self.owe(row.notice, line, at, row.clause, because=word.because)
        self.release(line.id, row.to)
        self.perform()
        return self.standing(line.id)

    def file(
        self,
        line: Line,
        name: Note,
        at: int,
        word: Word,
        *,
        until: int | None = None,
        way: str = "",
        notice: str = "",
    ) -> None:
        """Put something on file that changes no state, and in force what follows from it; `until` is a
        day, `way` the number or limit that it is about."""
        step = self._step(line, name.value, CLAUSES[name], at, word)
        self.contracts.take(replace(step, until=until, way=way, notice=notice))
        self._lives.follow({line.id: self.contracts.file(line.id)})

    def change_plan(self, line_id: str, case: str, by: str) -> None:
        """A person approved the per-minute plan: it holds for calls that are answered from now on."""
        line = self._exchange.facts.lines[line_id]
        word = Word(Actor.PERSON, by, f"case {case}")
        self.file(line, Note.PER_MINUTE, self.now_ms(), word)

    def leave(
        self, line: Line, way: str, row: Transition, effective: int, word: Word
    ) -> dict[str, object]:
        """A termination with notice: told now, in effect on its day."""
        step = self._step(line, Note.LEAVING.value, row.clause, self.now_ms(), word)
        self.contracts.take(replace(step, until=effective, way=way, notice=row.notice))
        day = day_of(effective, self.zone(line)).isoformat()
        self.owe(row.notice, line, self.now_ms(), row.clause, effective=day)
        return self.done(line.id)

    def _step(self, line: Line, name: str, clause: str, at: int, word: Word) -> Step:
        actor, by, because = word.actor.value, word.by, word.because
        return Step(line.id, line.account, at, name, actor, by, clause, because, number=line.number)

    def owe(self, kind: str, line: Line, at: int, clause: str, **fields: object) -> None:
        """Have somebody told."""
        self._exchange.outbox.note(
            "notice.due",
            kind=kind,
            id=f"{kind} {line.id} {at}",
            line=line.id,
            account=line.account,
            audience="operator" if kind in _FOR_OPERATOR else "customer",
            clause=clause,
            fields=fields,
        )

    def done(self, line_id: str) -> dict[str, object]:
        """What was put on file leaves now; where the line stands."""
        self.perform()
        return self.standing(line_id)

    def standing(self, line_id: str) -> dict[str, object]:
        """Where a line stands: what every command answers."""
        line, file = self._exchange.facts.lines[line_id], self.contracts.file(line_id)
        standing: dict[str, object] = {
            "line": line.id,
            "state": line.state.value,
            "ground": line.policy.ground,
            "since": self.now_ms(),
        }
        return standing | open_points(file)

    def release(self, line: str, state: LineState) -> None:
        """End the live calls of a line that came into a state, where the configuration says so."""
        if state.value not in self.settings().release_live_calls:
            return
        now = self._clock()
        for call in list(self._exchange.calls.values()):
            is_protected = call.is_emergency or call.is_callback
            if line in (call.request.line, call.called_line) and not is_protected:
                call.hang_up(state.value, now)

    def line(self, args: Args) -> Line:
        """The line that a command is about; CommandRefused if there is none."""
        line = self._exchange.facts.lines.get(str(args["line"]))
        if line is None:
            raise CommandRefused("unknown_line", f"there is no line {args['line']}")
        return line

    def account(self, account_id: str) -> AccountSettings:
        """An account by its id; CommandRefused if there is none."""
        found = self._exchange.facts.accounts.get(account_id)
        if found is None:
            raise CommandRefused("unknown_account", f"there is no account {account_id}")
        return found

    def number_free_at(self, line: Line) -> int | None:
        """When the line's number is out of quarantine; None if nobody else had it."""
        days = self.settings().quarantine_days
        return self.contracts.number_free_at(line.number, line.id, days)

    def zone(self, line: Line) -> str:
        """The time zone of a line's account."""
        return self._exchange.facts.accounts[line.account].time_zone

    def now_ms(self) -> int:
        """The present."""
        return round(self._exchange.wall(self._clock()) * 1000)


def open_points(file: File) -> dict[str, object]:
    """What of a file still leads to something."""
    points: dict[str, object] = {}
    if file.leaving is not None:
        points["ends"] = _shown(file.leaving)
    if file.warned_at is not None:
        points["warned_at"] = file.warned_at
    if file.cure_by is not None:
        points["cure_by"] = file.cure_by
    if file.channels is not None:
        points["channels"] = file.channels
    if file.blocked:
        points["blocked"] = sorted(file.blocked)
    return points


def _shown(leaving: Leaving) -> dict[str, object]:
    return {
        "way": leaving.way,
        "told_at": leaving.told_at,
        "effective_at": leaving.effective_at,
    }


def word_of(args: Args) -> Word:
    """On whose word: a person's, unless they say that the customer or billing asked."""
    asked = args.get("asked_by") or Actor.PERSON.value
    actor = next((each for each in Actor if each.value == asked), Actor.SWITCH)
    if actor is Actor.SWITCH:
        raise CommandRefused("bad_args", f"--asked-by {asked}: person, customer or billing")
    return Word(actor, str(args.get("by") or "operator"), str(args.get("because") or ""))
