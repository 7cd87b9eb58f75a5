"""The use cases around the configuration files: check, compare, take over.

What a file says of a line's state or location is initial: where the store knows better, `diff` says so
and `apply` leaves it. Reading the files takes its time and is awaited.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, Protocol

from pydantic import BaseModel, SecretStr

from switch.console.commands import Args, CommandRefused, UseCase
from switch.facts.line import LineLife
from switch.toml import ConfigError, Problem

# What a line's life decides once anything happened to it.
_OWNED = ("state", "ground")
_HIDDEN = "***"

# Sections, and keys of [sip], that are read once, at the start.
FIXED_SECTIONS: Final = ("http", "log", "media", "usage", "acceptable_use", "demo", "mqtt")
FIXED_SIP: Final = (
    "udp",
    "tcp",
    "tls",
    "public_address",
    "realm",
    "digest_algorithms",
    "nonce_lifetime_s",
    "nonce_key",
    "t1_s",
    "t2_s",
    "t4_s",
    "qualify_s",
    "name_servers",
)


def needs_restart(key: str) -> bool:
    """Whether a changed value of a configuration counts from the next start only."""
    section, _, name = key.partition(".")
    return section in FIXED_SECTIONS or (section == "sip" and name in FIXED_SIP)


class Files(Protocol):
    """A configuration, as far as it is compared: settings, and digests of the files beside."""

    @property
    def settings(self) -> BaseModel:
        """The content of vigie.toml."""

    @property
    def contents(self) -> Mapping[str, str]:
        """Digests by key and name."""

    def misplaced(self) -> list[Problem]:
        """Addresses that contradict the official geography."""

    def doubts(self) -> list[Problem]:
        """Addresses that are to be looked at."""


Read = Callable[[], Awaitable[tuple[Files, list[Problem], int]]]


def use_cases(
    running: Callable[[], Files],
    read: Read,
    take_over: Callable[[], Awaitable[list[str]]],
    roll_back: Callable[[], Awaitable[list[str]]],
    lives: Callable[[], Mapping[str, LineLife]],
) -> dict[str, UseCase]:
    """The commands by name. `read` gives the files as they are, problems of the plan's tests, and how
    many tests there are; it raises ConfigError. `take_over` applies the files, `roll_back` what
    was in force before; both return the keys that wait for a restart."""

    async def check(args: Args) -> object:
        return await _checked(read)

    async def compared() -> list[dict[str, object]]:
        """In a thread: ten thousand lines have many values."""
        files, known = await _files(read), dict(lives())
        return await asyncio.to_thread(lambda: list(differences(running(), files, known)))

    async def diff(args: Args) -> object:
        return await compared()

    async def apply(args: Args) -> object:
        changes = await compared()
        waiting = await take_over()
        kept = [row["key"] for row in changes if row["owner"] == "store"]
        changed = [
            row["key"]
            for row in changes
            if row["owner"] == "file" and not _is_of(str(row["key"]), waiting)
        ]
        return {"applied": True, "changed": changed, "kept": kept, "needs_restart": waiting}

    async def rollback(args: Args) -> object:
        before = running()
        waiting = await roll_back()
        changes = await asyncio.to_thread(lambda: list(differences(before, running(), {})))
        changed = [row["key"] for row in changes]
        return {"applied": True, "changed": changed, "needs_restart": waiting}

    return {
        "config.check": check,
        "config.diff": diff,
        "config.apply": apply,
        "config.rollback": rollback,
    }


def _is_of(key: str, sections: list[str]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)


async def _checked(read: Read) -> dict[str, object]:
    try:
        files, failed, count = await read()
    except ConfigError as error:
        return check_errors(error)
    tests = {
        "passed": count - len({problem.line for problem in failed}),
        "failed": _rows(failed),
    }
    errors, warnings = await asyncio.to_thread(lambda: (files.misplaced(), files.doubts()))
    return {"errors": _rows(errors), "warnings": _rows(warnings), "tests": tests}


def check_errors(error: ConfigError) -> dict[str, object]:
    """What `check` says of files that can't be used."""
    errors = _rows(error.problems)
    return {"errors": errors, "warnings": [], "tests": {"passed": 0, "failed": []}}


def differences(
    running: Files, files: Files, lives: Mapping[str, LineLife]
) -> Iterator[dict[str, object]]:
    """What the files say otherwise than the running switch; secrets only that they differ. A state
    that the store owns is listed whenever it isn't the file's, a location always."""
    old = {**dict(_flat("", running.settings)), **running.contents}
    new = {**dict(_flat("", files.settings)), **files.contents}
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield _row(key, old.get(key), new.get(key), "file")
    for line, life in lives.items():
        owned = {"state": life.state and life.state.value, "ground": life.ground}
        for name in _OWNED:
            written = new.get(f"line.{line}.{name}")
            if life.state is not None and str(owned[name] or "") != str(written or ""):
                yield _row(f"line.{line}.{name}", owned[name], written, "store")
        place = life.registered
        if place is not None and life.is_located and f"line.{line}.number" in new:
            insee = place.address.insee if place.address else "none"
            written = new.get(f"line.{line}.location") or new.get(f"line.{line}.location.insee")
            yield _row(
                f"line.{line}.location", f"{insee}, version {place.version}", written, "store"
            )


async def _files(read: Read) -> Files:
    try:
        return (await read())[0]
    except ConfigError as error:
        raise CommandRefused("bad_config", str(error)) from None


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Every value under its key; entries of lists by their id."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        for name, field in fields.items():
            key = f"{path}.{field.alias or name}" if path else (field.alias or name)
            yield from _flat(key, getattr(value, name))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for place, entry in enumerate(value):
            yield from _flat(f"{path}.{getattr(entry, 'id', place)}", entry)
    else:
        yield path, value


def _row(key: str, running: object, file: object, owner: str) -> dict[str, object]:
    return {
        "key": key,
        "running": _shown(running),
        "file": _shown(file),
        "owner": owner,
        "needs_restart": needs_restart(key),
    }


def _shown(value: object) -> object:
    if isinstance(value, SecretStr):
        return _HIDDEN
    if isinstance(value, frozenset):
        return sorted(str(each) for each in value)
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _rows(problems: list[Problem] | tuple[Problem, ...]) -> list[dict[str, object]]:
    return [
        {"file": str(each.file), "line": each.line, "key": each.key, "message": each.message}
        for each in problems
    ]
