"""Where one command of the CLI is carried out: at the running switch, else from files and store.

Also the one place that decides exit codes: 0 done, 1 refused or failed, 2 bad configuration or usage.
"""

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from switch.console import show
from switch.console.commands import COMMANDS, CommandRefused, UseCase
from switch.console.house import House
from switch.console.socket import NAME, NotRunning, ask

#: The demo that comes with the sources, so that `vigie` does something before it is configured.
DEMO_CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo"
DEFAULT_DATA = Path("var")
USUAL_S, SLOW_S = 10.0, 3600.0  # how long an answer is waited for

#: Slugs that mean a wrong configuration or a wrong use, not a refusal.
_MISUSE = frozenset({"bad_config", "bad_args", "unknown_command"})

Config = Annotated[
    Path, typer.Option("--config", envvar="VIGIE_CONFIG", help="Directory of the configuration.")
]
Data = Annotated[
    Path, typer.Option("--data", envvar="VIGIE_DATA", help="Directory that holds all state.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON value instead of tables.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """One invocation: the house, the directories, and how to print."""

    house: House
    config: Path
    data: Path
    as_json: bool

    @classmethod
    def of(cls, context: typer.Context, config: Path, data: Path, as_json: bool) -> "Desk":
        """From what every command takes."""
        house = context.find_object(House)
        if house is None:
            raise TypeError("the command line was started without its house")
        desk = cls(house, config, data, as_json)
        if data.exists() and not data.is_dir():
            desk.refuse("bad_args", f"--data {data} is no directory")
        return desk

    def ask(self, command: str, **args: object) -> object:
        """Carry `command` out and return its result; ends the process if it is refused."""
        given = {key: value for key, value in args.items() if value is not None}
        try:
            return self._carry_out(command, given)
        except CommandRefused as refusal:
            self.refuse(refusal.slug, refusal.message)

    def ask_rows(self, command: str, **args: object) -> list[dict[str, object]]:
        """The same, for commands whose result is a list of objects."""
        return show.rows(self.ask(command, **args))

    def ask_object(self, command: str, **args: object) -> dict[str, object]:
        """The same, for commands whose result is an object."""
        return show.mapping(self.ask(command, **args))

    def refuse(self, slug: str, message: str) -> NoReturn:
        """Say why not on stderr, and end with 1 or 2."""
        show.error(slug, message, as_json=self.as_json)
        raise typer.Exit(2 if slug in _MISUSE else 1)

    def _carry_out(self, command: str, args: Mapping[str, object]) -> object:
        if not COMMANDS[command].local:
            try:
                limit_s = SLOW_S if COMMANDS[command].slow else USUAL_S
                return ask(self.data / NAME, command, args, timeout_s=limit_s)
            except NotRunning:
                if not COMMANDS[command].offline:
                    raise CommandRefused(
                        "not_running", f"no switch runs with the data directory {self.data}"
                    ) from None
        return carry_out(self.house.offline(self.config, self.data)[command], args)


def carry_out(use_case: UseCase, args: Mapping[str, object]) -> object:
    """The result of a use case in this process, as JSON would have it."""
    result = use_case(args)
    if not inspect.isawaitable(result):
        return show.as_json_value(result)

    async def wait() -> object:
        return await result

    return show.as_json_value(asyncio.run(wait()))
