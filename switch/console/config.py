"""`vigie config`: check the files, compare them with the running switch, have them taken over."""

import typer
from rich.markup import escape

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.toml import told

_PARTS = ("file", "line", "key", "message")

app = typer.Typer(help="Configuration.", no_args_is_help=True)


@app.command("check")
def check(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Check the files and run the dial plans' own tests. Exit code 2 if something is wrong."""
    desk = Desk.of(context, config, data, as_json)
    result = desk.ask_object("config.check")
    errors = show.rows(result.get("errors", []))
    tests = show.mapping(result.get("tests", {}))
    failed = show.rows(tests.get("failed", []))
    if as_json:
        show.json(result)
    else:
        _print(errors, failed, int(str(tests.get("passed", 0))))
        for warning in show.rows(result.get("warnings", [])):
            show.out().print(f"[yellow]warning[/] {_told(warning)}")
    if errors or failed:
        raise typer.Exit(2)


@app.command("diff")
def diff(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List where the files differ from the running switch, and what the store owns."""
    items = Desk.of(context, config, data, as_json).ask_rows("config.diff")
    if as_json:
        show.json(items)
    else:
        show.table(
            items, ("key", "running", "file", "owner", "needs_restart"), empty="No difference."
        )


@app.command("apply")
def apply(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Have the running switch take the files over. Calls, registrations and usage stay."""
    item = Desk.of(context, config, data, as_json).ask_object("config.apply")
    if as_json:
        show.json(item)
    else:
        show.pairs(item)


@app.command("rollback")
def rollback(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Have the running switch take over what was in force before the last change. The files stay
    as they are: the next apply or restart takes them."""
    item = Desk.of(context, config, data, as_json).ask_object("config.rollback")
    if as_json:
        show.json(item)
    else:
        show.pairs(item)


def _print(errors: list[dict[str, object]], failed: list[dict[str, object]], passed: int) -> None:
    out = show.out()
    for each in (*errors, *failed):
        out.print(_told(each))
    if not errors and not failed:
        out.print(f"[green]ok[/], {passed} dial plan tests passed")


def _told(problem: dict[str, object]) -> str:
    file, line, key, message = (problem.get(name) or "" for name in _PARTS)
    return escape(told(str(file), int(str(line or 0)), str(key), str(message)))
