"""How the demo's commands reach the carrier process and the switch: by their Unix sockets.

The socket itself is the console's, a room beside this one; the entry point hands it over.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

UseCase = Callable[[Mapping[str, object]], object | Awaitable[object]]

#: Names in the data directory.
SWITCH_SOCKET = "control.sock"
CARRIER_SOCKET = "carrier.sock"


class Server(Protocol):
    """A socket that answers commands."""

    async def start(self) -> None:
        """Listen; OSError if another process does."""

    async def stop(self) -> None:
        """Stop listening."""


@dataclass(frozen=True, slots=True)
class Control:
    """`ask(path, command, args)` returns a result or raises one of `failures` (nobody there, refused);
    `serve(path, use_cases)` makes a server."""

    ask: Callable[[Path, str, Mapping[str, object]], object]
    serve: Callable[[Path, Mapping[str, UseCase]], Server]
    failures: tuple[type[Exception], ...]
