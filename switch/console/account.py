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
    lines, changes = show.rows(item.pop("lines")), show.rows(item.pop("changes"))
    show.pairs(item)
    if changes:
        show.out().print("\n[bold]Changes announced[/]")
        show.table(
            changes, ("about", "version", "told_at", "effective", "may_leave_until"), empty=""
        )
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


@app.command("claim")
def claim(
    context: typer.Context,
    account: Account,
    amount: Annotated[str, typer.Option("--amount", help="Euros that are unpaid.")],
    due: Annotated[str, typer.Option("--due", help="Day on which they were due.")],
    paid: Annotated[str | None, typer.Option("--paid", help="Day of payment; else today.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show what an unpaid sum comes to: late interest and costs, for a warning or the final sums."""
    item = Desk.of(context, config, data, as_json).ask_object(
        "account.claim", account=account, amount=amount, due=due, paid=paid
    )
    show.json(item) if as_json else show.pairs(item)


@app.command("announce")
def announce(  # noqa: PLR0913, PLR0917 (each is an option of the command)
    context: typer.Context,
    account: Annotated[str | None, typer.Argument(help="Only this account; else all.")] = None,
    about: Annotated[str, typer.Option("--about", help="terms or prices.")] = "terms",
    version: Annotated[str, typer.Option("--version", help="Of what is announced.")] = "",
    effective: Annotated[str, typer.Option("--effective", help="Day from which it holds.")] = "",
    noticed: Annotated[
        str | None, typer.Option("--noticed", help="Day of a notice on paper.")
    ] = None,
    harmless: Annotated[bool, typer.Option("--harmless", help="It takes nothing away.")] = False,
    because: Because = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Tell customers of a change of terms or prices, a month before it unless it is harmless."""
    items = Desk.of(context, config, data, as_json).ask_rows(
        "account.announce", account=account, about=about, version=version, effective=effective,
        noticed=noticed, harmless=harmless or None, because=because or None, by=by or person(),
    )  # fmt: skip
    if as_json:
        show.json(items)
        return
    show.table(items, ("account", "changes"), empty="There is no account.")


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
