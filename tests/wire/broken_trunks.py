"""Faults of the first trunk and of the name server that knows it."""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.wire.far_end import Conduct
from tests.wire.rig import free_port, until
from tests.wire.scene import ZONE, Scene


def first_trunk(conduct: Conduct) -> Callable[[Scene], AbstractContextManager[None]]:
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
