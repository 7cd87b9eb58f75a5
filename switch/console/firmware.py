"""`vigie firmware`: images, who signed them, and their way to devices."""

from pathlib import Path
from typing import Annotated

import typer

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.device import Watch, follow
from switch.console.person import By, person
from switch.console.progress import watched

app = typer.Typer(help="Firmware of devices: images and rollouts.", no_args_is_help=True)
rollout = typer.Typer(help="Rollouts, by stages and gates.", no_args_is_help=True)
app.add_typer(rollout, name="rollout")

Rollout = Annotated[str, typer.Argument(help="The rollout, as `rollout status` names it.")]
Why = Annotated[str, typer.Option("--why", help="Why, for the record.")]
COLUMNS = (
    *("rollout", "version", "state", "stage", "devices", "reached"),
    *("pending", "under_way", "confirmed", "failed", "why"),
)
WATCHED = ("rollout", "state", "stage", "under_way", "confirmed", "failed", "why")


@app.command("list")
def list_(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the images, signed or not."""
    items = Desk.of(context, config, data, as_json).ask_rows("firmware.list")
    if as_json:
        show.json(items)
        return
    columns = ("model", "version", "security_version", "bytes", "deltas", "signed", "sha256")
    show.table(items, columns, empty="No image was added.")


@app.command("add")
def add(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The image.")],
    model: Annotated[str, typer.Option("--model", help="The hardware that it is for.")],
    version: Annotated[str, typer.Option("--version", help="Its version, like 1.1.0.")],
    security_version: Annotated[
        int, typer.Option("--security-version", help="Devices never go below one that they ran.")
    ] = 1,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Take an image in, with deltas from those before. Nobody gets it before it is signed."""
    desk = Desk.of(context, config, data, as_json)
    item = watched(
        desk,
        "firmware.add",
        path=str(path.absolute()),
        model=model,
        version=version,
        security_version=security_version,
    )
    show.json(item) if as_json else show.pairs(item)


@app.command("sign")
def sign(
    context: typer.Context,
    keys: Annotated[Path, typer.Option("--keys", help="Directory of the offline keys.")],
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Sign what was added. The directory gets the keys that it lacks: keep it off this machine."""
    desk = Desk.of(context, config, data, as_json)
    item = watched(desk, "firmware.sign", keys=str(keys.absolute()))
    show.json(item) if as_json else show.pairs(item)


@rollout.command("plan")
def plan(  # noqa: PLR0913, PLR0917 (options of a command)
    context: typer.Context,
    model: Annotated[str, typer.Option("--model", help="The hardware.")],
    version: Annotated[str, typer.Option("--version", help="A signed version of its firmware.")],
    name: Annotated[str | None, typer.Option("--name", help="The rollout's name.")] = None,
    canaries: Annotated[
        str | None, typer.Option("--canaries", help="Devices of the first stage, by commas.")
    ] = None,
    stages: Annotated[
        str | None, typer.Option("--stages", help="Percentages of the fleet (1,5,25,100).")
    ] = None,
    soak: Annotated[
        float | None, typer.Option("--soak", help="Seconds that a stage is watched (3600).")
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", help="Devices that must have ended (20).")
    ] = None,
    failures: Annotated[
        float | None, typer.Option("--failures", help="Part of these that may fail (0.01).")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", help="Failures of all stages at most (100).")
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", help="Local time for reboots, 02:00-05:00.")
    ] = None,
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Draft a rollout; `rollout start` begins it."""
    desk = Desk.of(context, config, data, as_json)
    item = desk.ask_object(
        "firmware.plan",
        model=model,
        version=version,
        rollout=name,
        canaries=canaries,
        stages=stages,
        soak_s=soak,
        min_sample=sample,
        max_failure_rate=failures,
        failure_budget=budget,
        window=window,
        by=by or person(),
    )
    show.json(item) if as_json else show.pairs(item)


@rollout.command("status")
def status(
    context: typer.Context,
    watch: Watch = False,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show how far the rollouts are."""
    desk = Desk.of(context, config, data, as_json)
    if watch:
        follow(desk, "firmware.status", WATCHED, bar=("confirmed", "devices"))
    items = desk.ask_rows("firmware.status")
    show.json(items) if as_json else show.table(items, COLUMNS, empty="No rollout was planned.")


def _mover(verb: str, words: str) -> None:
    """One command that moves a rollout."""

    def move(
        context: typer.Context,
        name: Rollout,
        why: Why = "",
        by: By = "",
        config: Config = DEMO_CONFIG,
        data: Data = DEFAULT_DATA,
        as_json: Json = False,
    ) -> None:
        desk = Desk.of(context, config, data, as_json)
        args = {"rollout": name, "event": verb, "why": why or None, "by": by or person()}
        item = desk.ask_object("firmware.move", **args)
        if as_json:
            show.json(item)
        else:
            show.out().print(f"rollout {item.get('rollout')} is {item.get('state')}")

    rollout.command(verb.replace("_", ""), help=words)(move)


_mover("start", "Approve and begin, or go on with what was scheduled.")
_mover("pause", "Offer nothing more; offers that aren't installed yet are taken back.")
_mover("resume", "Go on from where it was paused.")
_mover("abort", "End it; devices keep what they run.")
_mover("roll_back", "Have those who installed go back to what they ran, not below the floor.")
