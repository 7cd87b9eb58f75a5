"""The feed of numbers and addresses that lets emergency centres look a caller up (the PFLAU platform).

The feed is a table: number -> name, address, INSEE code. It has a version, which grows when the table
changes, and a hash over its rows, which tells a receiver that it has the same table. A full export is
the table; a delta is what changed since a version, with deletions for numbers that went (a terminated
line, another number). The receiver answers per number; a line whose newest row isn't accepted shows in
the report. Records may come in any order, the later counts.

Deliberately absent: the format of a carrier or of APNF, which an adapter makes of these rows when it is
known, and sending.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from policy.emergency import place
from policy.model import LineState
from switch.facts.line import Line
from switch.facts.snapshot import Snapshot

VERSION, ROW, ANSWER = "feed", "feed_row", "feed_ack"
KINDS: Final = (VERSION, ROW, ANSWER)  # the kinds of records
# Columns of a row, in order, and the element of RFC 5139 that each takes from the address.
ELEMENTS: Final = {
    "country": "country",
    "region": "A1",
    "departement": "A2",
    "postcode": "PC",
    "commune": "A3",
    "arrondissement": "A4",
    "street": "RD",
    "house_number": "HNO",
    "house_suffix": "HNS",
    "place_name": "NAM",
    "building": "BLD",
    "floor": "FLR",
    "room": "ROOM",
    "access": "LOC",
}
COLUMNS: Final = ("operation", "number", "line", "name", "insee", *ELEMENTS, "address_of")
SET, DELETE = "set", "delete"
Content = dict[str, str]
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A number in the feed since `version`; an empty digest says that it was taken out then."""

    number: str
    line: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said of a number's row in a version, at UTC ms `at`."""

    number: str
    version: int
    at: int
    accepted: bool
    reason: str = ""
    by: str = ""


def row_of(line: Line, name: str) -> Content | None:
    """A line's row, `name` being its customer's; None for a line that has no place in the feed: its
    contract has ended, or there is no better address than the default of all lines.

    Only what the receiver looks up is in it: a version or a confirmation changes no row.
    """
    if line.state is LineState.TERMINATED:
        return None
    location, is_own = place(line.policy)
    if not is_own and (location is line.policy.default_location or not location.validated):
        return None
    return {
        "number": line.number,
        "line": line.id,
        "name": name,
        "insee": location.insee,
        **{column: location.civic.get(element, "") for column, element in ELEMENTS.items()},
        "address_of": "line" if is_own else "site",
    }


def table_of(facts: Snapshot) -> dict[str, Content]:
    """All rows as the facts are, by number, in order. Takes a while for ten thousand lines."""
    accounts, found = facts.accounts, {}
    for line in facts.lines.values():
        row = row_of(line, accounts[line.account].name)
        if row is not None:
            found[line.number] = row
    return {number: found[number] for number in sorted(found)}


def digest_of(content: Content) -> str:
    """What tells one content of a row from another."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def hash_of(digests: Mapping[str, str]) -> str:
    """The hash of a table of these rows (number -> digest): SHA-256 of "number digest" lines, sorted by
    number."""
    text = "".join(f"{number} {digests[number]}\n" for number in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()


class Feed:
    """The feed as it was exported last, and the receiver's answers."""

    def __init__(self) -> None:
        self.version = 0
        self.entries: dict[str, Entry] = {}
        self.answers: dict[str, Answer] = {}
        self._header: dict[str, Any] = {}

    @property
    def hash(self) -> str:
        """The hash of the table in its present version."""
        return hash_of({each.number: each.digest for each in self.entries.values() if each.digest})

    def changes(self, table: Mapping[str, Content]) -> Iterator[dict[str, Any]]:
        """The records of rows that make the feed `table`, for the next version."""
        version = self.version + 1
        for number, content in table.items():
            known, digest = self.entries.get(number), digest_of(content)
            if known is None or known.digest != digest:
                yield _row(number, version, content["line"], digest, content)
        for entry in list(self.entries.values()):  # a copy: threads ask, too
            if entry.digest and entry.number not in table:
                yield _row(entry.number, version, entry.line, "", {})

    def header(self, at: int, by: str) -> dict[str, Any]:
        """The record of a version whose rows were taken."""
        version = max((entry.version for entry in self.entries.values()), default=1)
        rows = sum(bool(entry.digest) for entry in self.entries.values())
        return {
            "k": VERSION,
            "version": version,
            "at": at,
            "by": by,
            "rows": rows,
            "hash": self.hash,
        }

    def take(self, record: Record) -> None:
        """Keep what a record tells. Raises KeyError, TypeError, ValueError for an unreadable one."""
        version = int(record["version"])
        match record["k"]:
            case "feed":
                if version >= self.version:
                    self.version, self._header = version, dict(record)
            case "feed_row":
                entry = Entry(record["number"], record["line"], version, record["digest"])
                known = self.entries.get(entry.number)
                if known is None or known.version <= version:
                    self.entries[entry.number] = entry
                self.version = max(self.version, version)
            case _:
                self._answer(record)

    def records(self) -> Iterator[dict[str, Any]]:
        """Restate all of it. What a row said is in the database only."""
        if self._header:
            yield self._header
        for entry in self.entries.values():
            yield _row(entry.number, entry.version, entry.line, entry.digest, {})
        for answer in self.answers.values():
            yield answer_record(answer)

    def since(self, version: int, table: Mapping[str, Content]) -> Iterator[Content]:
        """The rows of a delta: what was set and deleted after a version, sorted by number. A number that
        came and went meanwhile is deleted, too: a receiver that never had it ignores that."""
        for number in sorted(self.entries):
            entry = self.entries[number]
            if entry.version > version:
                if entry.digest:
                    yield {"operation": SET, **table[number]}
                else:
                    yield {"operation": DELETE, "number": number, "line": entry.line}

    def lack(self, number: str, content: Content | None) -> str:
        """Why a number's row isn't known to the receiver as it is now; "" when it is."""
        entry, answer = self.entries.get(number), self.answers.get(number)
        if entry is None:
            return "never exported"
        if content is not None and entry.digest != digest_of(content):
            return f"changed since version {entry.version}"
        if answer is None or answer.version < entry.version:
            return f"no answer to version {entry.version}"
        return "" if answer.accepted else f"refused in version {answer.version}: {answer.reason}"

    def deletions(self) -> Iterator[Entry]:
        """Numbers that were taken out."""
        return (entry for entry in list(self.entries.values()) if not entry.digest)

    def _answer(self, record: Record) -> None:
        told = Answer(
            str(record["number"]),
            int(record["version"]),
            int(record["at"]),
            bool(record["accepted"]),
            str(record["reason"]),
            str(record["by"]),
        )
        known = self.answers.get(told.number)
        if known is None or (known.version, known.at) <= (told.version, told.at):
            self.answers[told.number] = told


def answer_record(answer: Answer) -> dict[str, Any]:
    """An answer as a record of the journal."""
    return {
        "k": ANSWER,
        "number": answer.number,
        "version": answer.version,
        "at": answer.at,
        "accepted": answer.accepted,
        "reason": answer.reason,
        "by": answer.by,
    }


def _row(number: str, version: int, line: str, digest: str, content: Content) -> dict[str, Any]:
    told = {"number": number, "version": version, "line": line, "digest": digest}
    return {"k": ROW, **told, "content": content}
