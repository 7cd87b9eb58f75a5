"""`vigie device`: adapters and desk phones, their story, and what people decide of them."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.person import By, person

app = typer.Typer(help="Adapters and desk phones.", no_args_is_help=True)

Device = Annotated[str, typer.Argument(help="The device's id, as `device list` names it.")]
Watch = Annotated[bool, typer.Option("--watch", help="Follow until Ctrl-C.")]

WATCH_PERIOD_S = 0.5
_BAR_WIDTH = 20
COLUMNS = (
    "id",
    "line",
    "model",
    "version",
    "target",
    "rollout_state",
    "online",
    "sip_registered",
    "state",
)


@app.command("list")
def list_(
    context: typer.Context,
    watch: Watch = False,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List all devices: what runs, what shall run, who is there."""
    desk = Desk.of(context, config, data, as_json)
    if watch:
        follow(desk, "device.list", COLUMNS)
    items = desk.ask_rows("device.list")
    show.json(items) if as_json else show.table(items, COLUMNS, empty="No device is configured.")


@app.command("show")
def show_(
    context: typer.Context,
    device: Device,
    watch: Watch = False,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show one device, and tell its story."""
    desk = Desk.of(context, config, data, as_json)
    item = desk.ask_object("device.show", device=device)
    while True:
        _print(item, as_json=as_json)
        if not watch:
            return
        try:
            time.sleep(WATCH_PERIOD_S)
            later = desk.ask_object("device.show", device=device)
            while later == item:
                time.sleep(WATCH_PERIOD_S)
                later = desk.ask_object("device.show", device=device)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
        item = later


@app.command("claim")
def claim(
    context: typer.Context,
    device: Device,
    key: Annotated[
        str | None, typer.Option("--key", help="Its public key (Ed25519, base64).")
    ] = None,
    make: Annotated[
        Path | None,
        typer.Option("--make", help="Make new keys and write the factory file of its box here."),
    ] = None,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Open a claim, for a new device or one that was reset. The credential is told this once."""
    desk = Desk.of(context, config, data, as_json)
    who = by or person()
    if make is None:
        item = desk.ask_object("device.claim", device=device, key=key, by=who)
        show.json(item) if as_json else show.pairs(item)
        return
    item = desk.ask_object("device.make", device=device, by=who)
    make.touch(mode=0o600)
    make.write_text(str(item.pop("factory")), encoding="utf-8")
    item["written"] = str(make)
    show.json(item) if as_json else show.pairs(item)


@app.command("replace")
def replace(
    context: typer.Context,
    device: Device,
    new: Annotated[str, typer.Option("--with", help="The device that takes its line over.")],
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Put other hardware in a device's place; its customer confirms the location again."""
    desk = Desk.of(context, config, data, as_json)
    args = {"device": device, "with": new, "by": by or person()}
    _print(desk.ask_object("device.replace", **args), as_json=as_json)


@app.command("stolen")
def stolen(
    context: typer.Context,
    device: Device,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Report hardware stolen or lost: its line, its credentials and its calls end (terms 2(b))."""
    _decide(Desk.of(context, config, data, as_json), "stolen", device, by)


@app.command("wipe")
def wipe(
    context: typer.Context,
    device: Device,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Take a device out of service for good, and have it forget everything."""
    _decide(Desk.of(context, config, data, as_json), "wipe", device, by)


@app.command("clear")
def clear(
    context: typer.Context,
    device: Device,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Close the case of a device: it is neither tampered with nor cloned."""
    _decide(Desk.of(context, config, data, as_json), "clear", device, by)


@app.command("rotate")
def rotate(
    context: typer.Context,
    device: Device,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Give a device another SIP secret; the old one counts until the new one is used."""
    _decide(Desk.of(context, config, data, as_json), "rotate", device, by)


@app.command("log")
def log(
    context: typer.Context,
    device: Device,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Tell everything that happened to a device, oldest first."""
    items = Desk.of(context, config, data, as_json).ask_rows("device.log", device=device)
    if as_json:
        show.json(items)
        return
    show.table(items, ("at", "kind", "state", "version", "detail"), empty="Nothing happened yet.")


def follow(
    desk: Desk, command: str, columns: tuple[str, ...], bar: tuple[str, str] | None = None
) -> None:
    """Show the rows of a command again and again until Ctrl-C; with --json one array after the other.
    `bar`: what of what to show the progress of ("confirmed", "devices")."""
    try:
        with Live(console=show.out(), auto_refresh=False) as live:
            while True:
                items = desk.ask_rows(command)
                if desk.as_json:
                    show.json(items)
                else:
                    live.update(_grid(items, columns, bar), refresh=True)
                time.sleep(WATCH_PERIOD_S)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _grid(
    items: list[dict[str, object]], columns: tuple[str, ...], bar: tuple[str, str] | None
) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        grid.add_column(name.replace("_", " "))
    if bar is not None:
        grid.add_column("progress", min_width=_BAR_WIDTH)
    for item in items:
        cells: list[RenderableType] = [show.readable(name, item.get(name)) for name in columns]
        if bar is not None:
            done, total = (float(str(item[name])) for name in bar)
            cells.append(ProgressBar(total=total, completed=done, width=_BAR_WIDTH))
        grid.add_row(*cells)
    return grid


def _decide(desk: Desk, verb: str, device: str, by: str) -> None:
    item = desk.ask_object(f"device.{verb}", device=device, by=by or person())
    if desk.as_json:
        show.json(item)
    else:
        show.out().print(f"device {item.get('id')} is {item.get('state')}")


def _print(item: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        show.json(item)
        return
    told = {key: value for key, value in item.items() if key not in ("story", "history")}
    show.pairs(told)
    show.out().print("\n[bold]What happened[/]")
    story = show.rows(item.get("story", []))
    show.table(story, ("at", "kind", "state", "version", "detail"), empty="Nothing yet.")
