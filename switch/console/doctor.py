"""`vigie doctor`: what this machine has and lacks, and what the running switch complains of."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer
from rich.markup import escape

from switch.console import show
from switch.console.commands import CommandRefused
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json, carry_out
from switch.console.socket import NAME, NotRunning, ask

#: Below this the journal and the database may not hold a busy day.
_FREE_BYTES = 500 * 1024 * 1024
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether it is well, what was seen, and what to do if it isn't.

    `ok` None means: not well, but the switch does without."""

    check: str
    ok: bool | None
    detail: str
    advice: str = ""


def doctor(
    context: typer.Context,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Look the machine, the files and the running switch over. Exit code 1 if something fails."""
    desk = Desk.of(context, config, data, as_json)
    findings = [*machine(), *directory(data), *files(desk), *running(data)]
    if as_json:
        show.json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


def machine() -> Iterator[Finding]:
    """Python, pjsua2, the voice, the broker."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), version, "3.11 or 3.12 has pjsua2")
    yield Finding(
        "pjsua2",
        importlib.util.find_spec("pjsua2") is not None or None,
        "announcements are spoken" if importlib.util.find_spec("pjsua2") else "not installed",
        "use Python 3.11 or 3.12; without it a spoken refusal becomes an immediate one",
    )
    voice = shutil.which("espeak-ng")
    yield Finding(
        "espeak-ng", voice is not None or None, voice or "not found", "apt-get install espeak-ng"
    )
    yield broker()


def broker() -> Finding:
    """Mosquitto, for devices; it stands where only root looks."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SBIN)
    advice = (
        "apt-get install mosquitto, or name a broker in [mqtt] url; without it no device is reached"
    )
    return Finding("mosquitto", found is not None or None, found or "not found", advice)


def directory(data: Path) -> Iterator[Finding]:
    """The data directory: writable, with room."""
    existing = next(p for p in (data.absolute(), *data.absolute().parents) if p.exists())
    yield Finding(
        "data directory",
        os.access(existing, os.W_OK),
        str(data),
        "the switch's user must be able to write it",
    )
    free = shutil.disk_usage(existing).free
    yield Finding("disk", free >= _FREE_BYTES, f"{free // 2**20} MB free", "500 MB are the least")


def files(desk: Desk) -> Iterator[Finding]:
    """The configuration's files."""
    try:
        result = carry_out(desk.house.offline(desk.config, desk.data)["config.check"], {})
        errors = len(show.rows(show.mapping(result).get("errors", [])))
        detail = f"{errors} errors" if errors else "no errors"
        yield Finding("configuration", errors == 0, f"{desk.config}: {detail}", "vigie check")
    except CommandRefused as refusal:
        yield Finding("configuration", False, refusal.message, "vigie check")


def running(data: Path) -> Iterator[Finding]:
    """What the running switch says of itself."""
    try:
        items = show.rows(ask(data / NAME, "doctor", {}))
    except NotRunning:
        yield Finding("switch", None, "not running with this data directory", "vigie run")
        return
    except CommandRefused as refusal:
        yield Finding("switch", False, refusal.message, "look at its log")
        return
    yield Finding("switch", True, "running")
    for item in items:
        ok = item.get("ok")
        yield Finding(
            str(item.get("check", "")),
            ok if isinstance(ok, bool) else None,
            str(item.get("detail", "")),
            str(item.get("advice", "")),
        )


def _print(findings: list[Finding]) -> None:
    out = show.out()
    width = max(len(finding.check) for finding in findings)
    signs = {True: "[green]ok  [/]", False: "[red]bad [/]", None: "[yellow]note[/]"}
    for finding in findings:
        advice = f"  [dim]{escape(finding.advice)}[/]" if not finding.ok and finding.advice else ""
        out.print(f"{signs[finding.ok]}  {finding.check:{width}}  {escape(finding.detail)}{advice}")
