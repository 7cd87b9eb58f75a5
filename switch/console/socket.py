"""The Unix socket by which commands reach a running process.

One JSON object a line each way: {"command": "usage.show", "args": {...}} is answered by
{"ok": true, "result": ...} or {"ok": false, "error": sentence, "slug": ...}. The socket belongs to the
user of the process and to nobody else (mode 0600 from its first moment); who may open it may do
everything.

Deliberately absent: streaming and subscriptions; `--watch` asks again.
"""

import asyncio
import contextlib
import inspect
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import orjson

from switch.console.commands import COMMANDS, Args, CommandRefused, UseCase, checked
from switch.observe.log import logger

#: Name of the switch's socket in its data directory.
NAME = "control.sock"

#: A request is a command and a few words; an answer may hold a month of CDRs.
REQUEST_LIMIT = 64 * 1024
#: A console that doesn't read its answer is cut off after this time.
WRITE_TIMEOUT_S = 10.0
#: A list waits so long for the database to have what happened before it was asked for; a database that
#: fails is shown as it is.
SETTLE_LIMIT_S = 1.0

#: sun_path of sockaddr_un holds 108 bytes with the terminating zero.
_PATH_LIMIT = 107


class NotRunning(Exception):  # noqa: N818 (a state of affairs)
    """Nobody listens on the socket."""


async def _nothing_to_wait_for() -> None:
    pass


class ControlServer:
    """Serves a mapping of use cases on a Unix socket.

    `check` refuses a command before it is looked up (default: against the switch's own list). `settle`
    returns once all that happened so far is in the database.
    """

    def __init__(
        self,
        path: Path,
        use_cases: Mapping[str, UseCase],
        check: Callable[[str, Args], None] = checked,
        settle: Callable[[], Awaitable[object]] = _nothing_to_wait_for,
    ) -> None:
        self._path = path
        self._use_cases = use_cases
        self._check = check
        self._settle = settle
        self._server: asyncio.Server | None = None
        self._log = logger("console")

    async def start(self) -> None:
        """Listen. OSError if another process listens there already."""
        listening = _listen(self._path)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listening, limit=REQUEST_LIMIT
        )

    async def stop(self) -> None:
        """Close the socket and remove its file."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(await self._answer(line) + b"\n")
                await asyncio.wait_for(writer.drain(), WRITE_TIMEOUT_S)
        except (ConnectionError, TimeoutError, ValueError):
            pass  # the console went away, doesn't read, or sent a line over the limit
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> bytes:
        name = ""
        try:
            name, args = _read(line)
            self._check(name, args)
            use_case = self._use_cases.get(name)
            if use_case is None:
                raise CommandRefused("unknown_command", f"this process doesn't carry out {name}")
            if name in COMMANDS and COMMANDS[name].records:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._settle(), SETTLE_LIMIT_S)
            result = use_case(args)
            if inspect.isawaitable(result):
                result = await result
            return orjson.dumps({"ok": True, "result": result}, default=_plain)
        except CommandRefused as refusal:
            return _refusal(refusal.slug, refusal.message)
        except Exception:  # the shell of the use cases: one that fails must not end the console
            self._log.exception("command.failed", command=name)
            return _refusal("switch_error", f"{name} failed; the log tells more")


def ask(path: Path, command: str, args: Args, *, timeout_s: float = 10.0) -> object:
    """Send one command and return its result.

    Raises NotRunning if nobody listens, CommandRefused if it is refused, the answer breaks off or the
    socket is another user's.
    """
    try:
        connected = _connect(path, timeout_s)
    except PermissionError as error:
        raise CommandRefused("not_allowed", f"{path} is for the switch's own user") from error
    with connected as connection:
        connection.sendall(orjson.dumps({"command": command, "args": args}) + b"\n")
        try:
            with connection.makefile("rb") as answers:
                line = answers.readline()
        except TimeoutError as error:
            raise CommandRefused("switch_error", f"no answer within {timeout_s:g} s") from error
    if not line:
        raise CommandRefused("switch_error", "the switch closed the connection")
    answer = orjson.loads(line)
    if not answer["ok"]:
        raise CommandRefused(answer["slug"], answer["error"])
    return answer["result"]


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        with _short(path) as name:
            connection.connect(name)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        connection.close()
        raise NotRunning(f"nothing listens on {path}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _listen(path: Path) -> socket.socket:
    """A listening socket at `path`; one that a dead process left behind is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(NotRunning):
        _connect(path, 1.0).close()
        raise FileExistsError(f"another process listens on {path}")
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Linux takes the mode of the new socket file from the socket itself, so that there is no moment
    # at which others could open it.
    os.fchmod(listening.fileno(), 0o600)
    try:
        with _short(path) as name:
            listening.bind(name)
        listening.listen(16)
    except BaseException:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for `path` that fits into sockaddr_un: long ones go by way of their open directory."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield str(path)
        return
    try:
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise FileNotFoundError(path) from error
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _read(line: bytes) -> tuple[str, dict[str, object]]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CommandRefused("bad_args", "a request is one JSON object a line") from error
    match request:
        case {"command": str(name), "args": dict(args)}:
            return name, args
        case {"command": str(name)}:
            return name, {}
        case _:
            raise CommandRefused("bad_args", 'a request is {"command": ..., "args": {...}}')


def _refusal(slug: str, message: str) -> bytes:
    return orjson.dumps({"ok": False, "error": message, "slug": slug})


def _plain(value: object) -> object:
    """What orjson can't write by itself."""
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
