"""What can be broken around a running switch, and how each is undone: the faults of the emergency table.

Each fault is a context that holds while emergency calls are placed in a `Scene`. Deliberately absent:
the death of the switch itself (tests/flows/test_crash.py, tests/wire/test_lost_files.py).
"""

import contextlib
import errno
import os
import resource
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from switch.console.commands import CommandRefused
from tests.wire.far_end import Conduct
from tests.wire.rig import die_with_parent, free_port, until
from tests.wire.scene import ABROAD, ZONE, Scene
from tests.wire.softphone import PhoneDialog, Softphone, dialog_of_response

_FLOOD = Path(__file__).parent / "flood.py"
_FLOODED_PER_S = 25_000
_MANY_LINES = 1500

Cause = Callable[[Scene], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One row. `before_each` is done before every call; `most` limits the calls of slow rows, of which
    each must prove itself by waiting. Limits in seconds; `first_s` None: no trunk is tried at once,
    since a warning comes first."""

    name: str
    cause: Cause
    line: str = "101"
    host: str = "127.0.0.1"
    first_s: float | None = 0.2
    working_s: float = 2.5
    most: int = 1000
    before_each: Callable[[Scene], None] = lambda scene: None


# -- files -------------------------------------------------------------------------------------


@contextmanager
def nothing(scene: Scene) -> Iterator[None]:
    yield


@contextmanager
def database_removed(scene: Scene) -> Iterator[None]:
    for path in scene.rig.data.glob("vigie.sqlite*"):
        path.unlink()
    yield


@contextmanager
def database_replaced(scene: Scene) -> Iterator[None]:
    other = scene.rig.data / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE cdr (something_else TEXT)")
        database.commit()
    other.replace(scene.rig.data / "vigie.sqlite")
    yield
    (scene.rig.data / "vigie.sqlite").unlink()


@contextmanager
def database_locked(scene: Scene) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(scene.rig.data / "vigie.sqlite")) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.rollback()


@contextmanager
def no_file_can_grow(scene: Scene) -> Iterator[None]:
    """Every write to a file fails, in space that was reserved too (EFBIG)."""
    before = resource.prlimit(scene.rig.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(scene.rig.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(scene.rig.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def journal_gone(scene: Scene) -> Iterator[None]:
    """A plain file stands where the directory was: no new segment can be made."""
    directory = scene.rig.data / "journal"
    away = scene.rig.data / "journal.away"
    directory.rename(away)
    directory.touch()
    yield
    directory.unlink()
    away.rename(directory)


@contextmanager
def log_unread(scene: Scene) -> Iterator[None]:
    scene.rig.log_is_read.clear()
    for _ in range(30):  # more than the pipe holds
        scene.rig.ask("line.suspend", line="104", ground="2(k)(a)")
        scene.rig.ask("line.resume", line="104")
    yield
    scene.rig.log_is_read.set()


# A worker that was ended often is started ever later, by 5 s in the end, and needs seconds on a busy machine.
REPLACED_S = 30.0


# -- processes ---------------------------------------------------------------------------------


def kill_workers(scene: Scene) -> None:
    for pid in scene.rig.workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_broker(scene: Scene) -> None:
    """It is started again, and killed before the next call if it is back by then."""
    for pid in scene.rig.brokers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def broker_killed(scene: Scene) -> Iterator[None]:
    until(scene.rig.brokers, 10, "the MQTT broker")
    yield
    until(scene.rig.brokers, 10, "the MQTT broker again")


@contextmanager
def broker_hung(scene: Scene) -> Iterator[None]:
    """It takes connections and never answers."""
    (pid,) = until(scene.rig.brokers, 10, "the MQTT broker")
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@contextmanager
def workers_hung(scene: Scene) -> Iterator[None]:
    scene.rig.wait_for_sounds("abroad")  # else nothing could be played, and nobody would wait
    yield
    until(lambda: all_free(scene), REPLACED_S, "both workers replaced", every_s=0.1)


def all_free(scene: Scene) -> bool:
    """Whether both workers could take all the calls that they can."""
    return scene.rig.gauge("media_slots_free") >= 8


def hang_workers(scene: Scene) -> None:
    """Both of them, whenever they are ready."""
    until(lambda: all_free(scene), 10, "both workers ready", every_s=0.1)
    stop_workers(scene)


def stop_workers(scene: Scene) -> None:
    for pid in scene.rig.workers():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


@contextmanager
def busy_machine(scene: Scene) -> Iterator[None]:
    """Two for each core, at the switch's own priority."""
    with contextlib.ExitStack() as held:
        for _ in range(2 * (os.cpu_count() or 1)):
            spin = [sys.executable, "-c", "while True: pass"]
            hog = subprocess.Popen(spin, preexec_fn=die_with_parent())
            held.callback(hog.wait)
            held.callback(hog.kill)
        yield


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


# -- what operators do -------------------------------------------------------------------------


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


# -- trunks ------------------------------------------------------------------------------------


def first_trunk(conduct: Conduct) -> Cause:
    @contextmanager
    def cause(scene: Scene) -> Iterator[None]:
        scene.first.conduct = conduct
        yield
        scene.first.conduct = Conduct.ANSWERS

    return cause


@contextmanager
def first_trunk_is_tcp(scene: Scene) -> Iterator[None]:
    """And nobody listens there."""

    def by_tcp(text: str) -> str:
        return text.replace('transport = "udp"', 'transport = "tcp"', 1)

    with scene.configured(by_tcp):
        scene.first.conduct = Conduct.CLOSED
        yield
        scene.first.conduct = Conduct.ANSWERS


@contextmanager
def tcp_takes_no_connection(scene: Scene) -> Iterator[None]:
    """The first trunk's TCP port swallows SYNs: its queue of connections is full."""
    host = scene.first.address[0]
    port = free_port(host)

    def elsewhere(text: str) -> str:
        moved = text.replace(f"port = {scene.first.address[1]}", f"port = {port}", 1)
        return moved.replace('transport = "udp"', 'transport = "tcp"', 1)

    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            assert waiting.connect_ex((host, port)) == errno.EINPROGRESS
        held.enter_context(scene.configured(elsewhere))
        yield


def named(name: str) -> Callable[[str], str]:
    """The first trunk is known by a name."""

    def change(text: str) -> str:
        return text.replace('address = "127.0.1.1"', f'address = "{name}.{ZONE}"', 1)

    return change


@contextmanager
def name_never_resolved(scene: Scene) -> Iterator[None]:
    """The first trunk is known by a name, and the name server has never answered."""
    scene.names.is_silent = True
    with scene.configured(named("unheard-of")):
        yield
    scene.names.is_silent = False


@contextmanager
def name_server_dies(scene: Scene) -> Iterator[None]:
    """The same, but it has answered once."""
    with scene.configured(named("known")):
        until(lambda: "not resolved" not in str(scene.rig.ask("status")["trunks"]), 5, "resolved")
        scene.names.is_silent = True
        yield
    scene.names.is_silent = False


def heal(scene: Scene) -> None:
    scene.heal()


FAULTS = (
    Fault("none", nothing),
    Fault("database file removed", database_removed),
    Fault("database file replaced by another", database_replaced),
    Fault("database locked by another process", database_locked),
    Fault("disk full: no file can be written", no_file_can_grow),
    Fault("journal directory replaced by a file", journal_gone),
    Fault("log not read, its pipe full", log_unread),
    Fault("MQTT broker killed", broker_killed, before_each=kill_broker),
    Fault("MQTT broker hung", broker_hung),
    Fault("all media workers killed", nothing, before_each=kill_workers),
    Fault("all media workers killed, caller abroad", nothing, "103", ABROAD, before_each=kill_workers),
    Fault("all media workers hung", workers_hung, before_each=stop_workers),
    Fault(
        "all media workers hung, caller abroad", workers_hung, "103", ABROAD, None,
        before_each=hang_workers, most=3,
    ),
    Fault("name server never answers, trunk 1 has a name", name_never_resolved),
    Fault("name server falls silent, trunk 1 has a name", name_server_dies),
    Fault("reload all the time, half of them broken", reloading),
    Fault("drain in progress", draining),
    Fault("switch full (max_calls)", full_of_calls),
    Fault("overload", overload),
    Fault("overload by strangers' calls for help", overload_of_strangers),
    Fault("machine busy: two hogs a core", busy_machine),
    Fault("line suspended", nothing, "105"),
    Fault("line unpaid", nothing, "108"),
    Fault("line without an address", nothing, "107"),
    Fault("trunk 1 dead (ICMP)", first_trunk(Conduct.CLOSED), before_each=heal),
    Fault("trunk 1 answers 503", first_trunk(Conduct.UNAVAILABLE), before_each=heal),
    Fault("trunk 1 silent", first_trunk(Conduct.SILENT), before_each=heal, most=5),
    Fault(
        "trunk 1 says 100 and no more", first_trunk(Conduct.TRYING_ONLY), before_each=heal,
        working_s=8.5, most=3,
    ),
    Fault("trunk 1 refuses TCP", first_trunk_is_tcp, before_each=heal),
    Fault("trunk 1 takes no TCP connection", tcp_takes_no_connection, most=5),
)  # fmt: skip
