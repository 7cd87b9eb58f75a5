"""The requests to disclose a customer's data, and every step of each, for good.

A step is a journal record `disclosure` and, by the writer, a row that stays. The step of an export keeps
the SHA-256 of what left: the seal by which the file is known again. Deliberately absent: the data.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from policy.disclosure import Class, Disclosure, Ground, Stage
from switch.sip.outbox import Outbox

KIND: Final = "disclosure"

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """The `n`th step of a request: where it is now, by whom, why, and the seal of what left."""

    request: Disclosure
    n: int
    at: int
    did: str
    by: str
    because: str = ""
    seal: str = ""

    def record(self) -> dict[str, Any]:
        """The journal's record and the row."""
        request = self.request
        return {
            "k": KIND,
            "id": request.id,
            "n": self.n,
            "at": self.at,
            "did": self.did,
            "by": self.by,
            "because": self.because,
            "seal": self.seal,
            "line": request.line,
            "since": request.since,
            "until": request.until,
            "classes": list(request.classes),
            "ground": request.ground.value,
            "reference": request.reference,
            "asked_by": request.by,
            "stage": request.stage.value,
            "approved_by": list(request.approved_by),
        }

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record back. Raises KeyError or ValueError for what is none."""
        request = Disclosure(
            record["id"],
            record["line"],
            record["since"],
            record["until"],
            tuple(Class(each) for each in record["classes"]),
            Ground(record["ground"]),
            record["reference"],
            record["asked_by"],
            Stage(record["stage"]),
            tuple(record["approved_by"]),
        )
        words = (record["did"], record["by"], record["because"], record["seal"])
        return cls(request, record["n"], record["at"], *words)


class Disclosures:
    """All requests, by their last step."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._last: dict[str, Step] = {}

    def find(self, id_: str) -> Step | None:
        """The last step of a request."""
        return self._last.get(id_)

    def all(self) -> list[Step]:
        """The last steps of all requests, oldest first."""
        return sorted(self._last.values(), key=lambda step: step.at)

    def take(
        self, request: Disclosure, did: str, by: str, at: int, because: str = "", seal: str = ""
    ) -> Step:
        """A step was taken: keep it, and tell the log (without what it is about)."""
        last = self._last.get(request.id)
        step = Step(request, last.n + 1 if last else 1, at, did, by, because, seal)
        self._last[request.id] = step
        self._outbox.journal.append(orjson.dumps(step.record()))
        self._outbox.note(
            "disclosure.step", id=request.id, did=did, by=by, stage=request.stage.value, seal=seal
        )
        return step

    def restore(self, records: Iterable[Record]) -> None:
        """Take steps back, in any order and more than once."""
        for record in records:
            self._take(record)

    def hear(self, records: Iterable[Record]) -> None:
        """Take the steps that other nodes took; those that were news stay in this journal, too."""
        for record in records:
            if self._take(record):
                self._outbox.journal.append(orjson.dumps(record))

    def forget(self, before: int, held: Collection[str]) -> None:
        """Let go of requests whose last step is older, but of lines that a legal hold names."""
        self._last = {
            id_: step
            for id_, step in self._last.items()
            if step.at >= before or step.request.line in held
        }

    def records(self) -> Iterator[bytes]:
        """Restate the last step of each request, for the head of a new journal segment."""
        for step in self._last.values():
            yield orjson.dumps(step.record())

    def _take(self, record: Record) -> bool:
        """Keep a step that is later than what is known; whether it was."""
        if record.get("k") != KIND:
            return False
        try:
            step = Step.of(record)
        except (KeyError, TypeError, ValueError) as error:
            self._outbox.note("disclosure.unreadable", id=record.get("id"), reason=repr(error))
            return False
        known = self._last.get(step.request.id)
        if known is not None and known.n >= step.n:
            return False
        self._last[step.request.id] = step
        return True
