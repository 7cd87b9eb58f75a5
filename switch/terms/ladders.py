"""The fair-use ladders of all lines (terms 3(a)), moved by what is metered, by time and by people.

Every step is a journal record `case` and, by the writer, a row that stays; the last step of a ladder
tells where it stands. Steps go out as notices (see policy.fair_use for who may take which). A step
that a crossing is owed, because the process died in between, is taken at the next start.

Times are UTC milliseconds. Deliberately absent: metering, the text of notices, and any effect on a
call.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from policy.fair_use import (
    CLAUSE,
    DAY_MS,
    DEFAULT_DEADLINE_MS,
    REACHED,
    Happening,
    Ladder,
    NotAllowedError,
    Rung,
    climb,
    contact,
    is_due,
)
from switch.sip.outbox import Outbox

KIND: Final = "case"
THE_SWITCH: Final = "vigie"
CONTACTED: Final = "contacted"
# Whom a notice is for; all others are the customer's.
_FOR_OPERATOR: Final = frozenset({"fair_use_detected", "fair_use_proposal"})

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ladder, the `n`th: what happened, by whom, under which clause, and where it led."""

    ladder: Ladder
    n: int
    at: int
    happening: str
    by: str
    clause: str
    because: str
    notice: str = ""

    def record(self, account: str) -> dict[str, Any]:
        """The journal's record and the row."""
        ladder = self.ladder
        return {
            "k": KIND,
            "case": ladder.id,
            "n": self.n,
            "at": self.at,
            "line": ladder.line,
            "account": account,
            "cycle": ladder.cycle,
            "rung": ladder.rung.value,
            "happening": self.happening,
            "by": self.by,
            "clause": self.clause,
            "because": self.because,
            "notice": self.notice,
            "deadline": ladder.deadline,
            "contacted": ladder.contacted,
        }

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record back. Raises KeyError or ValueError for what is none."""
        ladder = Ladder(
            record["line"],
            record["cycle"],
            Rung(record["rung"]),
            record["at"],
            record["deadline"],
            bool(record["contacted"]),
        )
        words = [str(record[name]) for name in ("happening", "by", "clause", "because", "notice")]
        return cls(ladder, record["n"], record["at"], *words)


class Ladders:
    """All ladders that were ever climbed in a running cycle, and all open cases.

    `account_of` tells the account of a line, "" for an unknown one; `deadline_ms` is the time that a
    customer has to answer.
    """

    def __init__(
        self,
        outbox: Outbox,
        account_of: Callable[[str], str],
        deadline_ms: int = DEFAULT_DEADLINE_MS,
    ) -> None:
        self._outbox = outbox
        self._account_of = account_of
        self._last: dict[tuple[str, int], Step] = {}
        self.deadline_ms = deadline_ms

    def __call__(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Take what the machines note: each crossing is a step."""
        for name, fields in events:
            if name == "usage.threshold":
                self._cross(fields)

    def restore(self, records: Iterable[Record]) -> None:
        """Take steps back, in any order and more than once, and those that crossings are owed."""
        crossings = []
        for record in records:
            kind = record.get("k")
            if kind == KIND:
                self._take(record)
            elif kind == "threshold":
                crossings.append(record)
        for crossing in crossings:
            self._cross(crossing)

    def hear(self, records: Iterable[Record]) -> None:
        """Take the steps that other nodes took; those that were news stay in this journal, too."""
        for record in records:
            if record.get("k") == KIND and self._take(record):
                self._outbox.journal.append(orjson.dumps(record))

    def records(self) -> Iterator[bytes]:
        """Restate the last step of each ladder, for the head of a new journal segment."""
        for step in self._last.values():
            yield orjson.dumps(step.record(self._account_of(step.ladder.line)))

    def detect(self, line: str, cycle: int, at: int, because: str) -> None:
        """Two detectors found a pattern (3(b)): a case, unless the cycle has one already."""
        last = self._last.get((line, cycle))
        ladder = last.ladder if last is not None else Ladder(line, cycle)
        with contextlib.suppress(NotAllowedError):
            self._climb(ladder, Happening.DETECTED, THE_SWITCH, at, because=because)

    def open_cases(self) -> list[Step]:
        """The last steps of the cases that nobody has closed, oldest case first."""
        return sorted(
            (step for step in self._last.values() if step.ladder.is_open),
            key=lambda step: (step.ladder.cycle, step.at),
        )

    def find(self, case: str) -> Step | None:
        """The last step of a case by its name, None if there is none in memory."""
        return next((step for step in self._last.values() if step.ladder.id == case), None)

    def rung_of(self, line: str, cycle: int) -> str:
        """Where a line stands in a cycle, "" if it never climbed."""
        step = self._last.get((line, cycle))
        return step.ladder.rung.value if step is not None else ""

    def due(self, at: int) -> list[Ladder]:
        """The ladders whose deadline has come."""
        return [step.ladder for step in self._last.values() if is_due(step.ladder, at)]

    def meet_deadline(self, ladder: Ladder, at: int, *, usage_normal: bool) -> Step:
        """Say what a deadline leads to, given the use of the last seven days."""
        return self._climb(ladder, Happening.DEADLINE, THE_SWITCH, at, usage_normal=usage_normal)

    def decide(self, case: str, happening: Happening, by: str, at: int, because: str = "") -> Step:
        """A person's decision and their reason. Raises KeyError for an unknown case, and
        NotAllowedError."""
        return self._climb(self._ladder(case), happening, by, at, because=because)

    def contacted(self, case: str, by: str, at: int) -> Step:
        """A person notes that the customer answered. Raises KeyError and NotAllowedError."""
        ladder = contact(self._ladder(case))
        step = Step(ladder, self._n(ladder) + 1, at, CONTACTED, by, CLAUSE, "the customer answered")
        return self._keep(step)

    # -- inside --------------------------------------------------------------------------------

    def _cross(self, crossing: Record) -> None:
        happening = REACHED.get(crossing["percentage"])
        if happening is None:  # a percentage of the operator's own: a notice and no step
            return
        line, cycle = str(crossing["line"]), int(crossing["cycle"])
        last = self._last.get((line, cycle))
        ladder = last.ladder if last is not None else Ladder(line, cycle)
        try:
            self._climb(ladder, happening, THE_SWITCH, int(crossing["occurred_at"]))
        except NotAllowedError:
            return  # told before, or a case already: one per cycle
        self._forget_before(line, cycle)

    def _climb(
        self,
        ladder: Ladder,
        happening: Happening,
        by: str,
        at: int,
        *,
        usage_normal: bool = False,
        because: str = "",
    ) -> Step:
        climbed, row = climb(
            ladder, happening, at, usage_normal=usage_normal, deadline_ms=self.deadline_ms
        )
        return self._keep(
            Step(
                climbed,
                self._n(ladder) + 1,
                at,
                happening.value,
                by,
                row.clause,
                because or row.because,
                row.notice,
            )
        )

    def _keep(self, step: Step) -> Step:
        ladder = step.ladder
        account = self._account_of(ladder.line)
        self._last[ladder.line, ladder.cycle] = step
        self._outbox.journal.append(orjson.dumps(step.record(account)))
        self._outbox.note(
            "case.step", case=ladder.id, line=ladder.line, rung=ladder.rung.value, by=step.by
        )
        if step.notice:
            self._outbox.note(
                "notice.due",
                kind=step.notice,
                id=f"{step.notice} {ladder.id} {step.n}",
                line=ladder.line,
                account=account,
                audience="operator" if step.notice in _FOR_OPERATOR else "customer",
                clause=step.clause,
                fields={
                    "case": ladder.id,
                    "days": f"{self.deadline_ms / DAY_MS:g}",
                    "because": step.because,
                },
            )
        return step

    def _take(self, record: Record) -> bool:
        """Keep a step that is later than what is known; whether it was."""
        try:
            step = Step.of(record)
        except (KeyError, TypeError, ValueError) as error:
            self._outbox.note("case.unreadable", case=record.get("case"), reason=repr(error))
            return False
        key = step.ladder.line, step.ladder.cycle
        known = self._last.get(key)
        if known is not None and known.n >= step.n:
            return False
        self._last[key] = step
        return True

    def _forget_before(self, line: str, cycle: int) -> None:
        """Ladders of earlier cycles that made no case, or whose case is closed, stay in the rows."""
        past = [
            key
            for key, step in self._last.items()
            if key[0] == line and key[1] < cycle and not step.ladder.is_open
        ]
        for key in past:
            del self._last[key]

    def _ladder(self, case: str) -> Ladder:
        step = self.find(case)
        if step is None or not step.ladder.is_case:
            raise KeyError(case)
        return step.ladder

    def _n(self, ladder: Ladder) -> int:
        last = self._last.get((ladder.line, ladder.cycle))
        return last.n if last is not None else 0
