"""`vigie status`: the running switch at a glance. Exit code 1 while an alarm stands, for monitors."""

import typer
from rich.markup import escape

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json


def status(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show the running switch at a glance. Exit code 1 while an alarm stands."""
    item = Desk.of(context, config, data, as_json).ask_object("status")
    alarms = item.get("alarms")
    if as_json:
        show.json(item)
    else:
        show.pairs({key: value for key, value in item.items() if key != "alarms"})
        for alarm in alarms if isinstance(alarms, list) else []:
            show.out().print(f"[red]alarm[/] {escape(str(alarm))}")
    if alarms:
        raise typer.Exit(1)
