"""What fills a switch: floods, all calls that it may have, and an operator who drains and reloads it."""

import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from switch.console.commands import CommandRefused
from tests.wire.rig import die_with_parent, until
from tests.wire.scene import Scene
from tests.wire.softphone import PhoneDialog, Softphone, dialog_of_response

_FLOOD = Path(__file__).parent / "flood.py"
_FLOODED_PER_S = 25_000
_MANY_LINES = 1500


@contextmanager
def flooded(scene: Scene, number: str) -> Iterator[None]:
    """An unknown phone calls a number, many times more often than can be handled."""
    address = ("127.0.0.1", str(scene.rig.port))
    command = [sys.executable, str(_FLOOD), *address, str(_FLOODED_PER_S), number]
    flood = subprocess.Popen(command, preexec_fn=die_with_parent())
    try:
        until(lambda: is_overloaded(scene), 10, "overload")
        yield
    finally:
        flood.kill()
        flood.wait()
    until(lambda: not is_overloaded(scene), 10, "calm")


@contextmanager
def overload(scene: Scene) -> Iterator[None]:
    """A flood of ordinary calls."""
    before = scene.rig.gauge("sip_dropped_total")
    with flooded(scene, "0145678901"):
        yield
    assert scene.rig.gauge("sip_dropped_total") > before, "nothing was shed: no overload"


@contextmanager
def overload_of_strangers(scene: Scene) -> Iterator[None]:
    """A flood of calls for help, of which none may be refused."""
    with flooded(scene, "18"):
        yield


def is_overloaded(scene: Scene) -> bool:
    return any(alarm.startswith("Overload") for alarm in scene.rig.ask("status")["alarms"])


@contextmanager
def draining(scene: Scene) -> Iterator[None]:
    scene.rig.ask("drain.start")
    yield
    scene.rig.ask("drain.stop")


@contextmanager
def reloading(scene: Scene) -> Iterator[None]:
    """Files with many lines are applied without a pause, every other time with an error in them."""
    path = scene.rig.config / "vigie.toml"
    before = path.read_text("utf-8")
    lines = "".join(
        f'[[line]]\nid = "x{n}"\naccount = "demo"\nsite = "paris-8"\n'
        f'number = "+3319901{n:04d}"\npassword = "x{n}-secret"\n'
        for n in range(_MANY_LINES)
    )
    counts = {"applied": 0, "refused": 0}
    over = threading.Event()

    def apply() -> None:
        while not over.is_set():
            broken = "\n[nonsense]\n" if counts["applied"] > counts["refused"] else ""
            path.write_text(f"{before}\n{lines}{broken}", "utf-8")
            try:
                scene.rig.ask("config.apply")
                counts["applied"] += 1
            except CommandRefused:
                counts["refused"] += 1

    applying = threading.Thread(target=apply)
    applying.start()
    try:
        yield
        until(lambda: counts["applied"] and counts["refused"], 20, "both kinds of reload")
    finally:
        over.set()
        applying.join()
        path.write_text(before, "utf-8")
        scene.rig.ask("config.apply")


@contextmanager
def full_of_calls(scene: Scene) -> Iterator[None]:
    """As many calls as `max_calls` allows; the next ordinary one is refused."""
    with scene.configured(lambda text: text.replace("[sip]", "[sip]\nmax_calls = 1", 1)):
        caller = scene.phone("102")
        dialog = ordinary_call(scene, caller)
        refused = caller.ask(caller.invite("0145678901"))
        assert (refused.status, refused.has("Retry-After")) == (480, False)
        assert "cause=42" in (refused.get("Reason") or "")
        yield
        bye = caller.within(dialog, "BYE")
        caller.send(bye)
        serve_until(scene, lambda: scene.first.got("BYE", "") or bool(caller.read()), 2)


def ordinary_call(scene: Scene, caller: Softphone) -> PhoneDialog:
    """A call to the first trunk, which answers."""
    caller.ask(caller.request("OPTIONS", caller.uri()))
    invite = caller.invite("0145678901")
    caller.sign(invite)
    caller.send(invite)
    answered: list[PhoneDialog] = []

    def is_answered() -> bool:
        message = caller.read()
        if message is not None and getattr(message, "status", 0) == 200:
            answered.append(dialog_of_response(invite, message))  # type: ignore[arg-type]
        return bool(answered)

    assert serve_until(scene, is_answered, 5), "the ordinary call was not answered"
    caller.send(caller.within(answered[0], "ACK", invite.cseq.number))
    return answered[0]


def serve_until(scene: Scene, test: Callable[[], bool], limit_s: float) -> bool:
    """Let the far ends answer until `test` holds."""
    end = time.monotonic() + limit_s
    while not test():
        if time.monotonic() > end:
            return False
        watched = [each for far_end in scene.far_ends for each in far_end.sockets]
        for ready in select.select(watched, [], [], 0.02)[0]:
            for far_end in scene.far_ends:
                far_end.serve(ready)
    return True
