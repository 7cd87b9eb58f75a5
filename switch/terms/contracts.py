"""The steps of all contracts: who changed what of a line, when, under which clause, and what it led to.

Every step is a journal record `contract` and, by the writer, a row that stays: the audit of activations,
warnings, suspensions and terminations. What follows from the steps of a line (a warning on file, a
termination that is due, a number in quarantine) is folded by policy.on_file. An acceptance of the terms
is a step of an account, without a line.

Times are UTC milliseconds. Deliberately absent: which step is allowed (policy.transitions), the state
itself (console/line_life.py), and the text of notices.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import orjson

from policy.model import LineState
from policy.on_file import File, Note, free_at
from policy.transitions import Actor
from switch.sip.outbox import Outbox

KIND: Final = "contract"

Record = Mapping[str, Any]
_Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Word:
    """On whose word a step is taken: what they are, who it was, and their reason."""

    actor: Actor
    by: str
    because: str = ""


BY_ITSELF: Final = Word(Actor.SWITCH, "vigie")


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `name` is a row of policy.transitions or a note of policy.on_file; `to` is the state it
    led to, "" for a note; `until` a cure date or when a termination takes effect; `way` that of a
    termination to come, or the number or limit that a note is about."""

    line: str
    account: str
    at: int
    name: str
    actor: str
    by: str
    clause: str
    because: str = ""
    before: str = ""
    before_ground: str = ""
    to: str = ""
    number: str = ""
    until: int | None = None
    way: str = ""
    notice: str = ""

    def record(self) -> dict[str, Any]:
        """The journal's record and the row."""
        return {"k": KIND, **{name: getattr(self, name) for name in self.__slots__}}

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record back. Raises KeyError or ValueError for what is none."""
        step = cls(**{name: record[name] for name in cls.__slots__})
        for state in (step.before, step.to):
            if state:
                LineState(state)
        return step


class Contracts:
    """What is on file of every line and account that a step was taken for."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._steps: dict[str, dict[_Key, Step]] = {}  # by line, "" for those of accounts
        self._files: dict[str, File] = {}
        self._accepted: dict[str, Step] = {}
        self._announced: dict[str, dict[_Key, Step]] = {}
        self._holders: dict[str, set[str]] = {}  # lines that ended, by their number

    def take(self, step: Step) -> None:
        """A step was taken: keep it for good, and tell the log. Steps of one millisecond are set apart,
        so that their order is known for ever."""
        known = self._steps.get(step.line, {}).values()
        taken = {each.at for each in known if each.account == step.account}
        while step.at in taken:
            step = replace(step, at=step.at + 1)
        self._keep(step)
        self._outbox.journal.append(orjson.dumps(step.record()))
        self._outbox.note(
            "contract.step",
            line=step.line,
            account=step.account,
            step=step.name,
            clause=step.clause,
            actor=step.actor,
            by=step.by,
        )

    def forget(self, ended_before: int, held: Collection[str]) -> None:
        """Let go of lines whose contract ended so long ago, but of those that a legal hold names."""
        for line, file in list(self._files.items()):
            if file.ended_at is not None and file.ended_at < ended_before and line not in held:
                del self._files[line], self._steps[line]

    def restore(self, records: Iterable[Record]) -> None:
        """Take steps back, in any order and more than once."""
        for step in self._read(records):
            self._steps.setdefault(step.line, {})[_key(step)] = step
        for line in list(self._steps):
            self._fold(line)

    def hear(self, records: Iterable[Record]) -> list[Step]:
        """Take the steps that other nodes took; those that were news stay in this journal, too."""
        news = [
            step for step in self._read(records) if _key(step) not in self._steps.get(step.line, {})
        ]
        for step in news:
            self._steps.setdefault(step.line, {})[_key(step)] = step
            self._outbox.journal.append(orjson.dumps(step.record()))
        for line in {step.line for step in news}:
            self._fold(line)
        return news

    def records(self) -> Iterator[bytes]:
        """Restate every step, for the head of a new journal segment."""
        for steps in self._steps.values():
            for step in steps.values():
                yield orjson.dumps(step.record())

    def file(self, line: str) -> File:
        """What is on file of a line."""
        return self._files.get(line, _EMPTY)

    def acceptance(self, account: str) -> Step | None:
        """The newest acceptance of the terms by an account."""
        return self._accepted.get(account)

    def announcements(self, account: str) -> list[Step]:
        """The changes of terms and prices that an account was told of, oldest first."""
        return sorted(self._announced.get(account, {}).values(), key=lambda step: step.at)

    def has_steps(self, line: str) -> bool:
        """Whether anything was ever done about a line."""
        return line in self._files

    def files(self) -> Mapping[str, File]:
        """What is on file of all lines."""
        return self._files

    def due(self, at: int) -> list[tuple[str, File]]:
        """The lines whose termination takes effect by now."""
        return [
            (line, file)
            for line, file in self._files.items()
            if file.leaving is not None and file.leaving.effective_at <= at
        ]

    def number_free_at(self, number: str, line: str, quarantine_days: int) -> int | None:
        """When `number` may be given to `line`; None if no other line ended with it."""
        ends = [
            free_at(self.file(other), quarantine_days)
            for other in self._holders.get(number, ())
            if other != line and self.file(other).number == number
        ]
        return max((end for end in ends if end is not None), default=None)

    def _read(self, records: Iterable[Record]) -> Iterator[Step]:
        for record in records:
            if record.get("k") != KIND:
                continue
            try:
                yield Step.of(record)
            except (KeyError, TypeError, ValueError) as error:
                line = record.get("line")
                self._outbox.note("contract.unreadable", line=line, reason=repr(error))

    def _fold(self, line: str) -> None:
        """What is on file of a line follows from its steps in the order of their time."""
        steps = sorted(self._steps.pop(line).values(), key=lambda step: step.at)
        self._files.pop(line, None)
        for step in steps:
            self._keep(step)

    def _keep(self, step: Step) -> None:
        self._steps.setdefault(step.line, {})[_key(step)] = step
        if step.name == Note.ACCEPTED:
            self._accepted[step.account] = step
            return
        if step.name == Note.ANNOUNCED:
            self._announced.setdefault(step.account, {})[_key(step)] = step
            return
        file = self.file(step.line)
        if step.to == LineState.TERMINATED:
            self._holders.setdefault(step.number, set()).add(step.line)
        if step.to:
            before = LineState(step.before) if step.before else LineState.ACTIVE
            after = file.after_change(
                LineState(step.to), step.at, step.number, before, step.before_ground
            )
        else:
            after = file.after_note(step.name, step.at, step.until, step.way)
        self._files[step.line] = after


_EMPTY: Final = File()


def _key(step: Step) -> _Key:
    return step.line, step.account, step.at, step.name
