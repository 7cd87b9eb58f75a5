"""The command line `vigie`: noun, then verb. Each noun is a file of its own beside this one."""

from typing import Annotated

import typer

from switch.console import (
    account,
    call,
    case,
    cdr,
    config,
    device,
    disclosure,
    doctor,
    drain,
    emergency,
    explain,
    firmware,
    line,
    notice,
    outage,
    reg,
    status,
    usage,
)
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.house import House


def build(demo: typer.Typer) -> typer.Typer:
    """The command line with the demo's commands under `demo`. Run it with the house as `obj`."""
    app = typer.Typer(
        name="vigie",
        help="The Vigie softswitch: run it, ask it, change it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command("run")(run)
    app.command("check")(config.check)
    app.command("doctor")(doctor.doctor)
    app.command("status")(status.status)
    for name, noun in (
        ("explain", explain.app),
        ("reg", reg.app),
        ("call", call.app),
        ("cdr", cdr.app),
        ("account", account.app),
        ("line", line.app),
        ("usage", usage.app),
        ("notice", notice.app),
        ("outage", outage.app),
        ("case", case.app),
        ("disclosure", disclosure.app),
        ("emergency", emergency.app),
        ("device", device.app),
        ("firmware", firmware.app),
        ("config", config.app),
        ("drain", drain.app),
        ("demo", demo),
    ):
        app.add_typer(noun, name=name)
    app.callback()(_version)
    return app


def run(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Run the switch until SIGTERM. Logs go to stderr; stdout says `ready {json}` once it is up."""
    desk = Desk.of(context, config, data, as_json)
    raise typer.Exit(desk.house.run(config, data))


def _print_version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        house = context.find_object(House)
        typer.echo(house.version if house is not None else "0")
        raise typer.Exit


def _version(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """The Vigie softswitch: run it, ask it, change it."""
