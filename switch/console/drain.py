"""`vigie drain`: take the switch out of service without cutting anything.

New calls are refused (480 to phones, 503 to carriers); calls that are up go on, registrations are
refreshed, and emergency calls are placed as ever.
"""

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

app = typer.Typer(help="Take the switch out of service, gently.", no_args_is_help=True)


@app.command("start")
def start(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Refuse new calls; emergency calls never."""
    _print(Desk.of(context, config, data, as_json), "drain.start", as_json)


@app.command("stop")
def stop(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Take new calls again."""
    _print(Desk.of(context, config, data, as_json), "drain.stop", as_json)


@app.command("status")
def status(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Whether it drains, and how many calls are left."""
    _print(Desk.of(context, config, data, as_json), "drain.status", as_json)


def _print(desk: Desk, command: str, as_json: bool) -> None:
    item = desk.ask_object(command)
    if as_json:
        show.json(item)
    else:
        show.pairs(item)
