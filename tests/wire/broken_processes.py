"""Faults of processes: the broker and the media workers, killed and hung, and a machine that is busy."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.wire.rig import die_with_parent, until
from tests.wire.scene import Scene

# A worker that was ended often is started ever later, by 5 s in the end, and needs seconds on a busy machine.
REPLACED_S = 30.0


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
