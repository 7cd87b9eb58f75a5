"""`vigie account`: the customers, their clocks, and their acceptance of the terms."""

from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.line_contract import AskedBy, Because
from switch.console.person import By, person

app = typer.Typer(help="Customers and what they accepted.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="The account's id.")]


@app.command("list")
def list_(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List all accounts."""
    items = Desk.of(context, config, data, as_json).ask_rows("account.list")
    if as_json:
        show.json(items)
        return
    columns = ("account", "name", "email", "lines", "billing_starts", "terms")
    show.table(items, columns, empty="No accounts are configured.")


@app.command("show")
def show_(
    context: typer.Context,
    account: Account,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show an account, and what is on file of its lines."""
    item = Desk.of(context, config, data, as_json).ask_object("account.show", account=account)
    if as_json:
        show.json(item)
        return
    lines = show.rows(item.pop("lines"))
    show.pairs(item)
    show.out().print("\n[bold]Lines[/]")
    columns = ("line", "number", "state", "ground", "warned_at", "cure_by", "ends")
    show.table(lines, columns, empty="None.")


@app.command("terminate")
def terminate(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    account: Account,
    way: Annotated[str, typer.Option("--way", help="payment_stopped, upstream_ended, ...")],
    noticed: Annotated[str | None, typer.Option("--noticed", help="Day of the notice.")] = None,
    asked_by: AskedBy = None,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """End the contract of all lines of an account, at once or on the day that the notice leads to."""
    items = Desk.of(context, config, data, as_json).ask_rows(
        "account.terminate", account=account, way=way, noticed=noticed, asked_by=asked_by,
        because=because or None, by=by or person(),
    )  # fmt: skip
    if as_json:
        show.json(items)
        return
    show.table(items, ("line", "state", "ground", "ends", "refused"), empty="No line is left.")


@app.command("accept")
def accept(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    account: Account,
    version: Annotated[str, typer.Option("--version", help="Of the terms: 2017-04-01.")],
    digest: Annotated[str, typer.Option("--hash", help="SHA-256 of the accepted text.")],
    by: Annotated[str, typer.Option("--by", help="Who accepted.")],
    source: Annotated[str, typer.Option("--from", help="Address, or how.")] = "paper",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Put on file that a customer accepted the terms; no line is activated without."""
    item = Desk.of(context, config, data, as_json).ask_object(
        "account.accept", account=account, version=version, hash=digest, by=by, source=source
    )
    show.json(item) if as_json else show.pairs(item)
