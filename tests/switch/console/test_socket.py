"""The Unix socket: one command, one answer; who may open it; what a dead process leaves behind."""

import asyncio
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from switch.console import socket as control
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.socket import REQUEST_LIMIT, ControlServer, NotRunning, ask


async def _later(args: Args) -> object:
    await asyncio.sleep(0)
    return {"line": args["line"], "used_ms": 7}


def _refuse(args: Args) -> object:
    raise CommandRefused("unchanged", "line 105 is suspended already")


def _fail(args: Args) -> object:
    return {}[str(args["line"])]


USE_CASES: Mapping[str, UseCase] = {
    "status": lambda args: {"lines": frozenset({"101"}), "seen": (1, 2)},
    "usage.show": _later,
    "line.suspend": _refuse,
    "line.show": _fail,
}


def _serve(path: Path, *asked: tuple[str, dict[str, object]]) -> list[Any]:
    """Ask a server; a refusal is returned as the exception."""

    async def run() -> list[Any]:
        server = ControlServer(path, USE_CASES)
        await server.start()
        answers: list[Any] = []
        for command, args in asked:
            try:
                answers.append(await asyncio.to_thread(ask, path, command, args))
            except CommandRefused as refusal:
                answers.append(refusal)
        await server.stop()
        return answers

    return asyncio.run(run())


def test_sync_and_async_use_cases(tmp_path: Path) -> None:
    answers = _serve(tmp_path / "s", ("status", {}), ("usage.show", {"line": "101"}))
    assert answers == [{"lines": ["101"], "seen": [1, 2]}, {"line": "101", "used_ms": 7}]


@pytest.mark.parametrize(
    ("command", "args", "slug"),
    [
        ("line.suspend", {"line": "105", "ground": "2(k)(a)"}, "unchanged"),
        ("line.show", {"line": "101"}, "switch_error"),
        ("usage.show", {}, "bad_args"),
        ("nonsense", {}, "unknown_command"),
        ("reg.list", {}, "unknown_command"),
    ],
)
def test_refusals_cross_with_their_slug(
    tmp_path: Path, command: str, args: dict[str, object], slug: str
) -> None:
    (refusal,) = _serve(tmp_path / "s", (command, args))
    assert isinstance(refusal, CommandRefused)
    assert refusal.slug == slug


def test_a_failing_use_case_leaves_the_server_alive(tmp_path: Path) -> None:
    failed, answered = _serve(tmp_path / "s", ("line.show", {"line": "x"}), ("status", {}))
    assert failed.slug == "switch_error"
    assert answered["lines"] == ["101"]


@pytest.mark.parametrize("command", ["notice.list", "status"])
def test_a_list_has_what_happened_before_it_was_asked_for(tmp_path: Path, command: str) -> None:
    """The database is written in batches: what shows its records waits for the batch, nothing else does."""
    recorded: list[str] = []

    async def settle() -> None:
        await asyncio.sleep(0)
        recorded.append("what was told just now")

    async def run() -> object:
        server = ControlServer(tmp_path / "s", {command: lambda args: recorded}, settle=settle)
        await server.start()
        answer = await asyncio.to_thread(ask, tmp_path / "s", command, {})
        await server.stop()
        return answer

    assert asyncio.run(run()) == (["what was told just now"] if command == "notice.list" else [])


def test_a_database_that_fails_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SETTLE_LIMIT_S", 0.01)

    async def run() -> object:
        never = asyncio.Event()
        cases: Mapping[str, UseCase] = {"notice.list": lambda args: ["of yesterday"]}
        server = ControlServer(tmp_path / "s", cases, settle=never.wait)
        await server.start()
        answer = await asyncio.to_thread(ask, tmp_path / "s", "notice.list", {})
        await server.stop()
        return answer

    assert asyncio.run(run()) == ["of yesterday"]


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        ask(tmp_path / "control.sock", "status", {})
    with pytest.raises(NotRunning):
        ask(tmp_path / "no" / "such" / "directory" / "control.sock", "status", {})


def test_others_are_told_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: object, name: str) -> None:  # root may open everything, so the kernel is played
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(CommandRefused, match="for the switch's own user") as refused:
        ask(tmp_path / "control.sock", "status", {})
    assert refused.value.slug == "not_allowed"


def test_only_its_user_may_open_it(tmp_path: Path) -> None:
    path = tmp_path / "s"

    async def run() -> int:
        server = ControlServer(path, USE_CASES)
        await server.start()
        mode = stat.S_IMODE(path.stat().st_mode)
        await server.stop()
        return mode

    assert asyncio.run(run()) == 0o600
    assert not path.exists()


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert _serve(path, ("status", {}))[0]["seen"] == [1, 2]


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        first = ControlServer(tmp_path / "s", USE_CASES)
        await first.start()
        try:
            with pytest.raises(FileExistsError):
                await ControlServer(tmp_path / "s", USE_CASES).start()
            answer = await asyncio.to_thread(ask, tmp_path / "s", "status", {})
            assert answer is not None
        finally:
            await first.stop()

    asyncio.run(run())


def test_a_path_longer_than_sun_path(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    assert _serve(deep / "control.sock", ("status", {}))[0]["seen"] == [1, 2]


@pytest.mark.parametrize("sent", [b"nonsense\n", b"[1]\n", b'{"command": 5}\n'])
def test_what_is_no_request_is_answered_so(tmp_path: Path, sent: bytes) -> None:
    answer = orjson.loads(_raw(tmp_path / "s", sent))
    assert answer["slug"] == "bad_args"


def test_an_endless_line_is_cut_off(tmp_path: Path) -> None:
    assert _raw(tmp_path / "s", b"x" * (REQUEST_LIMIT * 3)) == b""


def _raw(path: Path, sent: bytes) -> bytes:
    async def run() -> bytes:
        server = ControlServer(path, USE_CASES)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.readline(), 5)
        except ConnectionError:
            return b""
        finally:
            writer.close()
            await server.stop()

    return asyncio.run(run())
