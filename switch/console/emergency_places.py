"""`vigie emergency report|feed|feed-ack`: what is to be mended, and the feed of addresses as files.

Two formats, chosen by a file's ending: CSV with a line of headings under one `#` line that tells the
version, and JSON with the same rows.
"""

import csv
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.person import By, person
from switch.facts.feed import COLUMNS

ANSWER_COLUMNS: Final = ("number", "version", "status", "reason")
# What fits into one request on the socket, with long reasons.
_ANSWERS_AT_ONCE: Final = 200
_PARTS: Final = (
    (
        "without_address",
        "No validated address",
        ("line", "number", "account", "why", "sends", "of"),
    ),
    (
        "unconfirmed",
        "Not confirmed by the customer",
        ("line", "number", "account", "version", "since", "age_days", "reminded", "address"),
    ),
    ("moved", "Seen elsewhere", ("line", "number", "account", "kind", "since", "value", "source")),
    ("not_in_service", "Devices that lack the newest location", ("line", "number", "lack")),
    ("not_acknowledged", "Not acknowledged in the feed", ("line", "number", "lack")),
    ("trunks", "Carriers", ("trunk", "lack")),
)

Answers = list[dict[str, object]]


def report(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show what would go wrong with emergency calls. Exit code 0 whatever it finds."""
    item = Desk.of(context, config, data, as_json).ask_object("emergency.report")
    if as_json:
        show.json(item)
        return
    out = show.out()
    for part, title, columns in _PARTS:
        if rows := show.rows(item.get(part, [])):
            out.print(f"[bold]{title}[/]")
            show.table(rows, columns, empty="")
            out.print()
    out.print(str(item.get("summary")))


def feed(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="The whole table (the default).")] = False,
    since: Annotated[
        int | None, typer.Option("--since", help="Only what changed after this version.", min=0)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A file, .csv or .json, instead of stdout.")
    ] = None,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Export numbers with their addresses for the emergency centres' look-up (PFLAU)."""
    desk = Desk.of(context, config, data, as_json)
    if full and since is not None:
        desk.refuse("bad_args", "either --full or --since")
    item = desk.ask_object("emergency.feed", since=since, by=by or person())
    if out is None:
        typer.echo(_json(item) if as_json else _csv(item), nl=False)
        return
    _write(out, _json(item) if out.suffix == ".json" else _csv(item))
    told = {name: value for name, value in item.items() if name != "rows"}
    told |= {"rows": len(show.rows(item.get("rows", []))), "file": str(out)}
    if as_json:
        show.json(told)
    else:
        show.pairs(told)


def feed_ack(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="The receiver's answers: CSV or JSON.", show_default=False)
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="All of this version was accepted.", min=1)
    ] = None,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="Only the rows of this line.")
    ] = None,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Note what the receiver of the feed answered. Exit code 1 if an answer names an unknown number."""
    desk = Desk.of(context, config, data, as_json)
    if (file is None) == (version is None) or (file is not None and line):
        desk.refuse("bad_args", "either a file of answers, or --version and perhaps --line")
    who = by or person()
    if file is None:
        results = [
            desk.ask_object("emergency.feed_ack", version=version, lines=line or None, by=who)
        ]
    else:
        results = [
            desk.ask_object("emergency.feed_ack", answers=part, by=who)
            for part in _parts(_answers(desk, file))
        ]
    item = _sum(results)
    if as_json:
        show.json(item)
    else:
        show.pairs(item)
    if item["unknown"]:
        raise typer.Exit(1)


def _json(item: dict[str, object]) -> str:
    return orjson.dumps(item, option=orjson.OPT_INDENT_2).decode() + "\n"


def _csv(item: dict[str, object]) -> str:
    at = datetime.fromtimestamp(int(str(item["at"])) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kind = "full" if item["since"] is None else f"delta since {item['since']}"
    text = io.StringIO()
    text.write(f"# vigie feed version {item['version']}, {kind}, {at}, sha256 {item['hash']}\n")
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(show.rows(item.get("rows", [])))
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """Addresses of people: for the eyes of the user who asked for them."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def _answers(desk: Desk, path: Path) -> Answers:
    try:
        text = path.read_text("utf-8")
        rows = orjson.loads(text) if path.suffix == ".json" else _rows_of_csv(text)
        return [_answer(row) for row in show.rows(rows)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        desk.refuse("bad_args", f"{path}: {error}")


def _rows_of_csv(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    reader = csv.DictReader(lines)
    if missing := set(ANSWER_COLUMNS[:3]) - set(reader.fieldnames or ()):
        raise ValueError(f"there is no column {', '.join(sorted(missing))}")
    return list(reader)


def _answer(row: dict[str, object]) -> dict[str, object]:
    status = str(row["status"])
    if status not in ("accepted", "refused"):
        raise ValueError(f"{row['number']}: a status is accepted or refused, not {status!r}")
    return {
        "number": str(row["number"]),
        "version": int(str(row["version"])),
        "accepted": status == "accepted",
        "reason": str(row.get("reason") or "")[:200],
    }


def _parts(answers: Answers) -> Iterator[Answers]:
    for start in range(0, len(answers), _ANSWERS_AT_ONCE):
        yield answers[start : start + _ANSWERS_AT_ONCE]


def _sum(results: list[dict[str, object]]) -> dict[str, object]:
    total: dict[str, object] = {
        name: sum(int(str(each[name])) for each in results)
        for name in ("accepted", "refused", "stale")
    }
    unknown: list[object] = []
    for each in results:
        found = each["unknown"]
        unknown += found if isinstance(found, list) else []
    return {**total, "unknown": unknown}
