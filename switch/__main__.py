"""`vigie`, and `python -m switch`: the command line, with the rooms above it filled in.

The switch itself is imported only when it is started, so that a question to a running one is answered
quickly.
"""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from switch.console.cli import build
from switch.console.commands import CommandRefused, UseCase
from switch.console.house import House
from switch.console.socket import ControlServer, NotRunning, ask
from switch.demo import commands as demo
from switch.demo.control import Control


def main() -> None:
    """Run one command; exits with 0 done, 1 refused or failed, 2 bad configuration or usage."""
    control = Control(ask=ask, serve=_serve, failures=(NotRunning, CommandRefused))
    house = House(run=_run, offline=_offline, version=_version())
    build(demo.build(control))(obj=house)


def _serve(path: Path, use_cases: Mapping[str, UseCase]) -> ControlServer:
    return ControlServer(path, use_cases, check=lambda name, args: None)


def _run(config: Path, data: Path) -> int:
    from switch.app.process import run  # noqa: PLC0415 (see above)

    return run(config, data)


def _offline(config: Path, data: Path) -> Mapping[str, UseCase]:
    from switch.app.offline import offline  # noqa: PLC0415 (see above)

    return offline(config, data)


def _version() -> str:
    try:
        return version("vigie")
    except PackageNotFoundError:
        return "0"


if __name__ == "__main__":
    main()
