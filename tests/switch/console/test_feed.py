"""The feed as the commands serve it: versions, answers, and the files that people exchange."""

import csv
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from policy.model import LineState
from switch.console.commands import CommandRefused
from switch.facts.feed import COLUMNS, digest_of, hash_of
from switch.facts.whereabouts import Mark
from switch.routing.route import Route, RouteHop
from tests.switch.console.served import Desk

DEMO = Path(__file__).parents[3] / "configs" / "demo"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_versions_are_made_by_changes(desk: Desk) -> None:
    first = desk.ask("emergency.feed", by="ops")
    assert (first["version"], first["changed"], len(first["rows"])) == (1, 8, 8)
    again = desk.ask("emergency.feed")
    assert (again["version"], again["changed"], again["hash"]) == (1, 0, first["hash"])
    civic = {"HNO": "12", "RD": "rue Paul Bert"}
    desk.ask("line.locate", line="103", insee="69383", civic=civic)
    desk.lives.change("104", LineState.TERMINATED, "2(l)", "ops", 1)
    delta = desk.ask("emergency.feed", since=1)
    assert (delta["version"], delta["since"]) == (2, 1)
    assert [(row["operation"], row["line"]) for row in delta["rows"]] == [
        ("set", "103"),
        ("delete", "104"),
    ]


def test_the_hash_is_that_of_the_rows_that_were_sent(desk: Desk) -> None:
    told = desk.ask("emergency.feed")
    rows = [
        {name: text for name, text in row.items() if name != "operation"} for row in told["rows"]
    ]
    assert told["hash"] == hash_of({row["number"]: digest_of(row) for row in rows})


def test_a_version_that_is_not_there_yet_is_no_start_of_a_delta(desk: Desk) -> None:
    with pytest.raises(CommandRefused) as refused:
        desk.ask("emergency.feed", since=2)
    assert refused.value.slug == "bad_args"


def test_answers(desk: Desk) -> None:
    desk.ask("emergency.feed")
    assert desk.ask("emergency.feed_ack", version=1, lines=["101", "102"]) == {
        "accepted": 2,
        "refused": 0,
        "stale": 0,
        "unknown": [],
    }
    told = desk.ask(
        "emergency.feed_ack",
        answers=[
            {"number": "+33199000103", "version": 1, "accepted": False, "reason": "no street"},
            {"number": "+33100000000", "version": 1, "accepted": True},
            {"number": "+33199000104", "version": 9, "accepted": True},
        ],
    )
    assert told == {
        "accepted": 0,
        "refused": 1,
        "stale": 0,
        "unknown": ["+33100000000", "+33199000104"],
    }
    lacking = {row["line"]: row["lack"] for row in desk.ask("emergency.report")["not_acknowledged"]}
    assert "101" not in lacking
    assert lacking["103"] == "refused in version 1: no street"
    assert lacking["104"] == "no answer to version 1"


def test_an_answer_to_an_old_row_is_stale(desk: Desk) -> None:
    desk.ask("emergency.feed")
    desk.ask("line.locate", line="103", insee="69383", civic={"RD": "rue Paul Bert"})
    desk.ask("emergency.feed")
    late = [{"number": "+33199000103", "version": 1, "accepted": True}]
    assert desk.ask("emergency.feed_ack", answers=late)["stale"] == 1
    # Version 1 as a whole doesn't speak for the row of version 2 either.
    assert desk.ask("emergency.feed_ack", version=1)["accepted"] == 7


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        ({}, "bad_args"),
        ({"answers": ["yes"]}, "bad_args"),
        ({"answers": [{"number": "+33199000101"}]}, "bad_args"),
        ({"version": 1, "lines": ["999"]}, "unknown_line"),
    ],
)
def test_answers_that_say_nothing(desk: Desk, args: dict[str, Any], slug: str) -> None:
    desk.ask("emergency.feed")
    with pytest.raises(CommandRefused) as refused:
        desk.ask("emergency.feed_ack", **args)
    assert refused.value.slug == slug


def test_a_restart_knows_what_was_exported_and_answered(desk: Desk, tmp_path: Path) -> None:
    first = desk.ask("emergency.feed")
    desk.ask("emergency.feed_ack", version=1, lines=["101"])
    records = [orjson.loads(record) for record in desk.exchange.outbox.journal]
    for told in (records, [orjson.loads(record) for record in desk.lives.records()]):
        again = Desk(tmp_path)
        again.lives.restore(told)
        assert again.lives.feed.version == 1
        found = again.ask("emergency.feed", since=0)
        assert (found["version"], found["changed"], found["hash"]) == (1, 0, first["hash"])
        lacking = [row["line"] for row in again.ask("emergency.report")["not_acknowledged"]]
        assert "101" not in lacking and "102" in lacking


def hash_by_the_book(rows: list[dict[str, str]]) -> str:
    """As docs/emergency.md tells a receiver to do it."""
    text = ""
    for row in sorted(rows, key=lambda row: row["number"]):
        content = {name: value for name, value in row.items() if name != "operation"}
        told = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        text += f"{row['number']} {hashlib.sha256(told.encode()).hexdigest()}\n"
    return hashlib.sha256(text.encode()).hexdigest()


# -- files ---------------------------------------------------------------------------------------


def test_a_csv_file_goes_out_and_its_answers_come_in(desk: Desk, tmp_path: Path) -> None:
    out, answers = tmp_path / "feed.csv", tmp_path / "answers.csv"
    with desk.served():
        assert desk.vigie("emergency", "feed", "--out", str(out)).exit_code == 0
        first, *lines = out.read_text("utf-8").splitlines()
        assert first.startswith("# vigie feed version 1, full, 20")
        assert desk.lives.feed.hash in first
        rows = list(csv.DictReader(lines))
        assert tuple(rows[0]) == COLUMNS
        assert [row["line"] for row in rows if row["room"]] == ["102"]
        assert hash_by_the_book(rows) == desk.lives.feed.hash
        assert stat.S_IMODE(out.stat().st_mode) == 0o600, "addresses of people"
        text = "".join(f"{row['number']},1,accepted,\n" for row in rows[1:])
        answers.write_text(f"number,version,status,reason\n{text}", "utf-8")
        result = desk.vigie("emergency", "feed-ack", str(answers), "--json")
        assert result.exit_code == 0, result.output
        assert orjson.loads(result.stdout)["accepted"] == 7
    assert [row["line"] for row in desk.ask("emergency.report")["not_acknowledged"]] == ["101"]


def test_a_json_file_holds_the_same_and_a_delta_says_since_when(desk: Desk, tmp_path: Path) -> None:
    out, answers = tmp_path / "feed.json", tmp_path / "answers.json"
    with desk.served():
        desk.vigie("emergency", "feed", "--full")
        desk.ask("line.locate", line="103", insee="69383", civic={"RD": "rue Paul Bert"})
        delta = desk.vigie("emergency", "feed", "--since", "1")
        assert delta.stdout.startswith("# vigie feed version 2, delta since 1, ")
        assert [line[:20] for line in delta.stdout.splitlines()[2:]] == ["set,+33199000103,103"]
        desk.vigie("emergency", "feed", "--since", "1", "--out", str(out))
        told = orjson.loads(out.read_bytes())
        assert (told["version"], told["since"]) == (2, 1)
        assert [row["street"] for row in told["rows"]] == ["rue Paul Bert"]
        answer = {"number": "+33199000103", "version": 2, "status": "refused", "reason": "no HNO"}
        answers.write_bytes(orjson.dumps([answer]))
        desk.vigie("emergency", "feed-ack", str(answers))
    assert {"line": "103", "number": "+33199000103", "lack": "refused in version 2: no HNO"} in (
        desk.ask("emergency.report")["not_acknowledged"]
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("feed-ack",), 2),
        (("feed-ack", "a.csv", "--version", "1"), 2),
        (("feed", "--full", "--since", "1"), 2),
        (("feed-ack", "--version", "1", "--line", "999"), 1),
    ],
)
def test_misuse(desk: Desk, words: tuple[str, ...], code: int) -> None:
    desk.ask("emergency.feed")
    with desk.served():
        assert desk.vigie("emergency", *words).exit_code == code


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("number,version\n+33199000101,1\n", "no column status"),
        ("number,version,status\n+33199000101,1,yes\n", "accepted or refused, not 'yes'"),
        ("number,version,status\n+33199000101,one,accepted\n", "one"),
    ],
)
def test_answers_that_cannot_be_read(desk: Desk, tmp_path: Path, text: str, says: str) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text(text, "utf-8")
    result = desk.vigie("emergency", "feed-ack", str(answers))
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_answer_for_an_unknown_number_is_a_failure(desk: Desk, tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("number,version,status\n+33100000000,1,accepted\n", "utf-8")
    with desk.served():
        desk.vigie("emergency", "feed")
        result = desk.vigie("emergency", "feed-ack", str(answers))
    assert result.exit_code == 1
    assert "+33100000000" in result.stdout


# -- the report ----------------------------------------------------------------------------------


def test_the_report_names_what_is_to_be_mended(desk: Desk) -> None:
    desk.ask("line.locate", line="103", insee="69383", civic={"RD": "rue Paul Bert"})
    found = desk.ask("emergency.report")
    assert (found["lines"], found["ready"]) == (8, 6)
    assert found["without_address"] == [
        {
            "line": "107",
            "number": "+33199000107",
            "account": "demo",
            "why": "no address is registered",
            "sends": "75108",
            "of": "site",
        }
    ]
    (unconfirmed,) = found["unconfirmed"]
    assert (unconfirmed["line"], unconfirmed["version"], unconfirmed["age_days"]) == ("103", 2, 0)
    assert {row["lack"] for row in found["not_acknowledged"]} == {"never exported"}
    assert found["moved"] == found["trunks"] == []
    assert found["summary"].startswith("8 lines in service, 6 ready: 1 without a validated address")


def test_the_report_for_people_ends_well_whatever_it_finds(desk: Desk) -> None:
    result = desk.vigie("emergency", "report")
    assert result.exit_code == 0
    assert "no address is registered" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("8 lines in service, 7 ready")


def test_a_phone_that_is_elsewhere_is_reported(desk: Desk) -> None:
    mark = Mark(5_000, "E2", "FR", "127.0.6.1")
    desk.exchange.sightings.mark("102", None, mark, 1.0)
    (row,) = desk.ask("emergency.report")["moved"]
    assert (row["line"], row["kind"], row["since"], row["source"]) == (
        *("102", "moved_in_fr"),
        *(5_000, "127.0.6.1"),
    )


@pytest.mark.parametrize(
    ("hops", "wanted"),
    [
        ((), [("", "the emergency route has no trunk")]),
        (("carrier-1",), [("carrier-1", "the only one: nothing takes over when it fails")]),
    ],
)
def test_carriers_that_emergency_calls_lack(
    desk: Desk, hops: tuple[str, ...], wanted: list[tuple[str, str]]
) -> None:
    route = Route("emergency", tuple(RouteHop(trunk) for trunk in hops))
    desk.exchange.routes = {**desk.exchange.routes, "emergency": route}
    found = [(row["trunk"], row["lack"]) for row in desk.ask("emergency.report")["trunks"]]
    outside = [name for name in ("carrier-1", "carrier-2") if name not in hops]
    assert found == wanted + [(name, "not in the emergency route") for name in outside]


def test_a_carrier_that_is_down(desk: Desk) -> None:
    trunk = desk.exchange.trunks.by_id["carrier-1"]
    trunk.hops[0].is_up, trunk.hops[0].reason = False, "no answer to OPTIONS"
    (row,) = desk.ask("emergency.report")["trunks"]
    assert row == {"trunk": "carrier-1", "lack": "down: no answer to OPTIONS"}
