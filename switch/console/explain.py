"""`vigie explain call`: what would become of a call, and why; by the engine that live calls use."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from policy.explain import render
from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json

app = typer.Typer(help="Why a call is or isn't connected.", no_args_is_help=True)

_TONES = {"connect": "green", "block": "red", "refuse": "yellow"}


@app.callback()
def _noun() -> None:
    """Why a call is or isn't connected."""


@app.command("call")
def call(
    context: typer.Context,
    line: Annotated[str, typer.Option("--line", help="The calling line.")],
    dial: Annotated[str, typer.Option("--dial", help="What is dialled.")],
    source_ip: Annotated[
        str | None, typer.Option("--source-ip", help="Address of the phone.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="When: UTC milliseconds or ISO 8601 (default: now).")
    ] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Explain one call without placing it. Exit code 0 whenever it explains, also a refusal."""
    desk = Desk.of(context, config, data, as_json)
    moment = None
    if at is not None:
        try:
            moment = utc_ms(at)
        except ValueError as error:
            desk.refuse("bad_args", f"--at {error}")
    answer = desk.ask_object("explain.call", line=line, dial=dial, source_ip=source_ip, at=moment)
    if as_json:
        show.json(answer)
    else:
        _print(answer)


def utc_ms(text: str) -> int:
    """UTC milliseconds from themselves or from ISO 8601 (without an offset: UTC). A ValueError is for
    who typed the text."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text}: neither UTC milliseconds nor ISO 8601") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _print(answer: dict[str, object]) -> None:
    out = show.out()
    tone = _TONES.get(str(answer["action"]), "bold")
    for number, text in enumerate(render(answer)):
        out.print(f"[{tone}]{escape(text)}[/]" if number == 1 else escape(text))
