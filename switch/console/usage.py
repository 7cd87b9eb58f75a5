"""`vigie usage`: a line's minutes of the current cycle against the fair-use threshold."""

import csv
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.explain import utc_ms
from switch.console.person import By, person

app = typer.Typer(help="Minutes against the fair-use threshold.", no_args_is_help=True)

#: How often --watch asks.
_WATCH_PERIOD_S = 0.5


@app.callback()
def _noun() -> None:
    """Minutes against the fair-use threshold."""


@app.command("show")
def show_(
    context: typer.Context,
    line: Annotated[str, typer.Argument(help="The line's id.")],
    watch: Annotated[bool, typer.Option("--watch", help="Follow until Ctrl-C.")] = False,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show a line's minutes, live calls included."""
    desk = Desk.of(context, config, data, as_json)
    item = desk.ask_object("usage.show", line=line)
    if not watch:
        show.json(item) if as_json else show.out().print(picture(item))
        return
    try:
        _follow(desk, line, item)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command("adjust")
def adjust(
    context: typer.Context,
    line: Annotated[str, typer.Argument(help="The line's id.")],
    ms: Annotated[int, typer.Option("--ms", help="Milliseconds to add; negative takes away.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")],
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Correct a line's minutes of this cycle; what was announced stays announced."""
    desk = Desk.of(context, config, data, as_json)
    item = desk.ask_object("usage.adjust", line=line, ms=ms, reason=reason, by=by or person())
    show.json(item) if as_json else show.pairs(item)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with columns line, answer and end.")],
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Count calls of another system in the running cycle; rows that can't be right are put aside."""
    desk = Desk.of(context, config, data, as_json)
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        desk.refuse("bad_args", f"{file}: {error}")
    item = desk.ask_object("usage.import", rows=rows, source=file.name, by=by or person())
    if as_json:
        show.json(item)
        return
    show.table(
        show.rows(item["lines"]), ("line", "calls", "ms", "added_ms"), empty="No row counts."
    )
    aside = show.rows(item["quarantined"])
    if aside:
        show.out().print(f"\n[yellow]{len(aside)} rows were put aside[/]")
        show.table(aside, ("row", "reason"), empty="")


@app.command("rate")
def rate(
    context: typer.Context,
    line: Annotated[str, typer.Argument(help="The line's id.")],
    since: Annotated[str | None, typer.Option("--since", help="UTC ms or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="UTC ms or ISO 8601.")] = None,
    back: Annotated[
        bool, typer.Option("--back", help="Whatever the plan was: of an ended contract only.")
    ] = False,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Rate a line's calls of the per-minute plan, before VAT, by class of number."""
    desk = Desk.of(context, config, data, as_json)
    try:
        span = [None if each is None else utc_ms(each) for each in (since, until)]
    except ValueError as error:
        desk.refuse("bad_args", str(error))
    item = desk.ask_object("usage.rate", line=line, since=span[0], until=span[1], back=back or None)
    if as_json:
        show.json(item)
        return
    classes = ("class", "calls", "counted_ms", "rated_s", "euros")
    show.table(show.rows(item["classes"]), classes, empty="No call of that plan.")
    show.out().print(f"[bold]{item['euros']} EUR[/] before VAT")
    if missing := show.readable("", item["without_tariff"]).replace("-", ""):
        show.out().print(f"[yellow]without a tariff: {missing}[/]")


@app.command("corrections")
def corrections(
    context: typer.Context,
    line: Annotated[str, typer.Argument(help="The line's id.")],
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the corrections of a line's minutes, oldest first."""
    items = Desk.of(context, config, data, as_json).ask_rows("usage.corrections", line=line)
    if as_json:
        show.json(items)
        return
    show.table(items, ("at", "cycle", "ms", "reason", "by", "id"), empty="None was made.")


def _follow(desk: Desk, line: str, item: dict[str, object]) -> None:
    """Until interrupted; with --json one object after the other."""
    if desk.as_json:
        while True:
            show.json(item)
            time.sleep(_WATCH_PERIOD_S)
            item = desk.ask_object("usage.show", line=line)
    with Live(picture(item), console=show.out(), auto_refresh=False) as live:
        while True:
            time.sleep(_WATCH_PERIOD_S)
            item = desk.ask_object("usage.show", line=line)
            live.update(picture(item), refresh=True)


def picture(usage: dict[str, object]) -> Table:
    """A line's usage for the terminal."""
    used, threshold = _number(usage, "used_ms"), _number(usage, "threshold_ms")
    live = _number(usage, "live_ms")
    share = used / threshold if threshold else 0.0
    tone = "red" if share >= 1 else "yellow" if share >= 0.8 else "green"
    grid = Table.grid(padding=(0, 2))
    grid.add_row("[dim]line[/]", f"{usage.get('line')}  {usage.get('state', '')}")
    grid.add_row("[dim]cycle[/]", show.readable("cycle", usage.get("cycle")))
    tenths = (
        used * 1000 // threshold if threshold else 0
    )  # floored: what shows as reached was reached
    reached = f"{show.span(used)} of {threshold // 60_000} min ({tenths / 10:.1f}%)"
    grid.add_row("[dim]used[/]", reached)
    grid.add_row(
        "", ProgressBar(total=1.0, completed=min(share, 1.0), width=40, complete_style=tone)
    )
    grid.add_row("[dim]live[/]", f"[green]{show.span(live)}[/]" if live else "-")
    if adjusted := _number(usage, "adjusted_ms"):
        sign = "-" if adjusted < 0 else "+"
        grid.add_row("[dim]corrected[/]", f"{sign}{show.span(abs(adjusted))}")
    grid.add_row("[dim]directions[/]", show.readable("by_direction", usage.get("by_direction")))
    grid.add_row("[dim]crossed[/]", show.readable("crossed", usage.get("crossed")))
    return grid


def _number(usage: dict[str, object], key: str) -> int:
    value = usage.get(key)
    return int(value) if isinstance(value, int | float) else 0
