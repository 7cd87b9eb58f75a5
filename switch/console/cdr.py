"""`vigie cdr`: call detail records, on the screen, as JSON or lines of it, and as CSV for billing.

The CSV's columns have FreeSWITCH's names, which billing systems read. Emergency numbers are masked in
it; the JSON is the complete record. What is exported for billing, in either form, are the calls that a bill
may show: answered ones, and none with the emergency services.
"""

import csv
import sys
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import orjson
import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.explain import utc_ms

app = typer.Typer(help="Call detail records.", no_args_is_help=True)

Line = Annotated[str | None, typer.Option("--line", help="Only this line.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Ended at or after (UTC ms or ISO 8601).")
]
Until = Annotated[str | None, typer.Option("--until", help="Ended before (UTC ms or ISO 8601).")]


class Purpose(StrEnum):
    """What an export is for."""

    RECORD = "record"
    BILLING = "billing"


CSV_COLUMNS = (
    "uuid",
    "accountcode",
    "line",
    "direction",
    "caller_id_number",
    "destination_number",
    "start_stamp",
    "answer_stamp",
    "end_stamp",
    "duration",
    "billsec",
    "billmsec",
    "exempt_reason",
    "disposition",
    "hangup_cause",
    "ending",
    "hangup_by",
    "sip_term_status",
    "estimated",
)

# Calls with the emergency services: no bill shows one, and so no export for bills.
_NEVER_BILLED = frozenset({"emergency", "psap_callback"})

#: Our endings as the Q.850 names that FreeSWITCH writes; the rest is CALL_REJECTED (21).
_HANGUP_CAUSES = {
    "ok": "NORMAL_CLEARING",
    "abroad_overridden": "NORMAL_CLEARING",
    "hung_up_by_operator": "NORMAL_CLEARING",
    "unknown_number": "UNALLOCATED_NUMBER",
    "no_route": "NO_ROUTE_DESTINATION",
    "no_answer": "NO_ANSWER",
    "busy": "USER_BUSY",
    "cancelled": "ORIGINATOR_CANCEL",
    "unreachable": "SUBSCRIBER_ABSENT",
    "overload": "SWITCH_CONGESTION",
    "draining": "SWITCH_CONGESTION",
    "limit": "NORMAL_CIRCUIT_CONGESTION",
    "loop": "EXCHANGE_ROUTING_ERROR",
    "too_many_hops": "EXCHANGE_ROUTING_ERROR",
    "incompatible": "INCOMPATIBLE_DESTINATION",
    "session_expired": "RECOVERY_ON_TIMER_EXPIRE",
    "media_failed": "NORMAL_TEMPORARY_FAILURE",
    "switch_error": "NORMAL_TEMPORARY_FAILURE",
    "switch_restarted": "NORMAL_TEMPORARY_FAILURE",
}


@app.command("list")
def list_(
    context: typer.Context,
    line: Line = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option("--limit", help="The last N only.", min=1)] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the records of ended calls, oldest first."""
    desk = Desk.of(context, config, data, as_json)
    items = _records(desk, line, since, until, limit)
    if as_json:
        show.json(items)
        return
    columns = ("start", "line", "direction", "src", "dst", "counted_ms", "disposition", "ending")
    show.table(items, columns, empty="No call has ended yet.")


@app.command("export")
def export(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    line: Line = None,
    since: Since = None,
    until: Until = None,
    to: Annotated[Path | None, typer.Option("--to", help="A file instead of stdout.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
    as_lines: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    purpose: Annotated[
        Purpose, typer.Option("--for", help="billing: only what a bill may show.")
    ] = Purpose.RECORD,
) -> None:
    """Export the records as CSV (emergency numbers masked); with --json or --jsonl completely."""
    desk = Desk.of(context, config, data, as_json)
    items = _records(desk, line, since, until, 0)
    if purpose is Purpose.BILLING:
        items = [item for item in items if is_billable(item)]
    try:
        with nullcontext(sys.stdout) if to is None else to.open("w", encoding="utf-8") as file:
            if as_json:
                file.write(show.json_text(items))
            elif as_lines:
                file.writelines(f"{orjson.dumps(item).decode()}\n" for item in items)
            else:
                write_csv(items, file)
    except OSError as error:
        desk.refuse("not_written", f"{to}: {error.strerror}")


def is_billable(cdr: Mapping[str, object]) -> bool:
    """Whether a bill may show this call."""
    return (
        cdr.get("disposition") == "answered"
        and not cdr.get("emergency")
        and cdr.get("exempt_reason") not in _NEVER_BILLED
    )


def write_csv(items: Iterable[dict[str, object]], file: TextIO) -> None:
    """Write records (the fields of `cdr list`) as CSV with a head line."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_row(item) for item in items)


def _csv_row(cdr: dict[str, object]) -> tuple[object, ...]:
    start, end = _ms(cdr.get("start")), _ms(cdr.get("end"))
    counted = _ms(cdr.get("counted_ms")) or 0
    return (
        cdr.get("call_id"),
        cdr.get("account"),
        cdr.get("line"),
        cdr.get("direction"),
        cdr.get("src"),
        "***" if cdr.get("emergency") else cdr.get("dst"),
        _stamp(start),
        _stamp(_ms(cdr.get("answer"))),
        _stamp(end),
        (end - start) // 1000 if start is not None and end is not None else "",
        -(-counted // 1000),  # a begun second is a whole one, as FreeSWITCH rounds
        counted,
        cdr.get("exempt_reason"),
        cdr.get("disposition"),
        _HANGUP_CAUSES.get(str(cdr.get("ending")), "CALL_REJECTED"),
        cdr.get("ending"),
        cdr.get("hangup_by"),
        cdr.get("sip_status"),
        int(bool(cdr.get("estimated"))),
    )


def _records(
    desk: Desk, line: str | None, since: str | None, until: str | None, limit: int | None
) -> list[dict[str, object]]:
    try:
        after = utc_ms(since) if since is not None else None
        before = utc_ms(until) if until is not None else None
    except ValueError as error:
        desk.refuse("bad_args", str(error))
    return desk.ask_rows("cdr.list", line=line, since=after, until=before, limit=limit)


def _ms(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _stamp(ms: int | None) -> str:
    """UTC as "2026-11-23 09:15:00"; "" for never."""
    if ms is None:
        return ""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
