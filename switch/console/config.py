"""`vigie config`: check the files, compare them with the running switch, have them taken over."""

import typer
from rich.markup import escape

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

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
        show.table(items, ("key", "running", "file", "owner"), empty="No difference.")


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


def _print(errors: list[dict[str, object]], failed: list[dict[str, object]], passed: int) -> None:
    out = show.out()
    for error in errors:
        where = f"{error.get('file')}:{error.get('line') or 0}:{error.get('key')}"
        out.print(f"{escape(where)}: {escape(str(error.get('message')))}")
    for test in failed:
        where = f"{test.get('file')}:{test.get('line') or 0}:{test.get('key')}"
        out.print(f"{escape(where)}: {escape(str(test.get('message')))}")
    if not errors and not failed:
        out.print(f"[green]ok[/], {passed} dial plan tests passed")
