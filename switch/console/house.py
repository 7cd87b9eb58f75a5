"""What the command line needs of the rooms above it; the composition root fills it in.

The console lies below the configuration and the application, so it can't import them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from switch.console.commands import UseCase


@dataclass(frozen=True, slots=True)
class House:
    """`run(config, data)` is the switch itself and returns its exit code. `offline(config, data)`
    gives the use cases that work without a running switch (`Command.offline`), from the files and
    the store; it raises `CommandRefused` with slug bad_config when the files can't be read."""

    run: Callable[[Path, Path], int]
    offline: Callable[[Path, Path], Mapping[str, UseCase]]
    version: str = "0"
