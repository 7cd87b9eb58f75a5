"""`vigie emergency log|show|verify|export`: what became of emergency calls, and proof of it."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from switch.console import show as shown
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.explain import utc_ms

Line = Annotated[str | None, typer.Option("--line", help="Only this line.")]
Since = Annotated[str | None, typer.Option("--since", help="At or after (UTC ms or ISO 8601).")]
Until = Annotated[str | None, typer.Option("--until", help="Before (UTC ms or ISO 8601).")]

FORMAT = "vigie-emergency-audit/1"


def log(
    context: typer.Context,
    line: Line = None,
    since: Since = None,
    until: Until = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List emergency calls with their verdict, their location and each carrier tried."""
    desk = Desk.of(context, config, data, as_json)
    items = desk.ask_rows(
        "emergency.log", line=line, since=_moment(desk, since), until=_moment(desk, until)
    )
    if as_json:
        shown.json(items)
        return
    columns = ("at", "line", "dialled", "class", "level", "verdict", "insee", "attempts")
    shown.table(items, columns, empty="No emergency call yet.")


def show(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(help="Of `emergency log` or `cdr list`.")],
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show one emergency call: the facts that decided, what was tried, who was told."""
    item = Desk.of(context, config, data, as_json).ask_object("emergency.show", call_id=call_id)
    if as_json:
        shown.json(item)
    else:
        shown.pairs(item)


def verify(
    context: typer.Context,
    head: Annotated[
        str | None,
        typer.Option("--head", help="SEQ:HASH that was noted elsewhere; it must be in the chain."),
    ] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Check the chain of the audit from its first row; exit code 1 if it is broken."""
    item = Desk.of(context, config, data, as_json).ask_object("emergency.verify", head=head)
    if as_json:
        shown.json(item)
    else:
        newest = shown.mapping(item["head"])
        state = "whole" if item["ok"] else f"BROKEN at row {item['broken_at']}"
        typer.echo(f"The chain is {state}: {item['rows']} rows, {item['purged']} without text.")
        typer.echo(f"head {newest['seq']}:{newest['hash']}")
    if not item["ok"]:
        raise typer.Exit(1)


def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="The file to write; it must not exist.")],
    line: Line = None,
    since: Since = None,
    until: Until = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Write records to a file that is sealed: its last line holds the SHA-256 of all before it."""
    desk = Desk.of(context, config, data, as_json)
    asked = {"line": line, "since": _moment(desk, since), "until": _moment(desk, until)}
    found = desk.ask_object("emergency.export", **asked)
    content = b"".join(_lines(found, asked))
    seal = hashlib.sha256(content).hexdigest()
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        desk.refuse("not_written", f"{out}: {error.strerror}")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content + orjson.dumps({"sha256": seal}) + b"\n")
    result = {"path": str(out), "rows": len(shown.rows(found["rows"])), "sha256": seal}
    if as_json:
        shown.json(result)
    else:
        typer.echo(f"{result['rows']} rows in {out}, sealed {seal}")


def _lines(found: Mapping[str, Any], asked: Mapping[str, object]) -> Iterator[bytes]:
    """The file but for its seal: what it is, then the rows with the exact text that was hashed."""
    yield orjson.dumps({"format": FORMAT, "asked": dict(asked), "head": found["head"]}) + b"\n"
    for row in found["rows"]:
        yield orjson.dumps(row) + b"\n"


def _moment(desk: Desk, text: str | None) -> int | None:
    try:
        return utc_ms(text) if text is not None else None
    except ValueError as error:
        desk.refuse("bad_args", str(error))
