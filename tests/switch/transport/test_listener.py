"""Accepting at a limited rate, on a loop whose time is jumped."""

import errno
import socket
from collections.abc import Callable

import pytest

from switch.transport.listener import Listener


class FakeLoop:
    """The part of an event loop that a listener uses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.readers: dict[int, Callable[[], None]] = {}
        self.later: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def add_reader(self, descriptor: int, call: Callable[[], None]) -> None:
        self.readers[descriptor] = call

    def remove_reader(self, descriptor: int) -> None:
        self.readers.pop(descriptor, None)

    def call_later(self, delay: float, call: Callable[[], None]):
        entry = (self.now + delay, call)
        self.later.append(entry)
        return type("Handle", (), {"cancel": lambda _self: self.later.remove(entry)})()

    def step(self) -> None:
        """Wake readers, or jump to the next timer when none listens."""
        if self.readers:
            for call in list(self.readers.values()):
                call()
        else:
            self.now, call = self.later.pop(0)
            call()


@pytest.fixture
def accepted() -> list[socket.socket]:
    return []


@pytest.fixture
def listening(accepted):
    def opened(rate: float):
        def accept(transport: str, sock: socket.socket, remote: tuple[str, int]) -> None:
            assert transport == "TLS"
            assert sock.getpeername() == remote
            accepted.append(sock)

        listener = Listener("TLS", ("127.0.0.1", 0), rate, accept)
        loop = FakeLoop()
        address = listener.open(loop)
        listeners.append(listener)
        return listener, loop, address

    listeners: list[Listener] = []
    yield opened
    for listener in listeners:
        listener.close()
        listener.close()
    for sock in accepted:
        sock.close()


def connect(address, count: int) -> list[socket.socket]:
    return [socket.create_connection(address) for _ in range(count)]


def close(clients) -> None:
    for client in clients:
        client.close()


def test_small_messages_do_not_wait_for_an_ack_of_tcp(listening, accepted) -> None:
    _, loop, address = listening(50.0)
    clients = connect(address, 1)
    loop.step()
    assert accepted[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    close(clients)


def test_no_more_than_the_rate_is_accepted_and_the_rest_later(listening, accepted) -> None:
    _, loop, address = listening(50.0)
    clients = connect(address, 30)
    times: list[float] = []
    for _ in range(200):
        loop.step()
        times += [loop.now - 100.0] * (len(accepted) - len(times))
    assert times[0] == 0.0
    assert times[-1] == pytest.approx(29 / 50, abs=0.02)
    close(clients)


def test_rate_is_saved_up_for_a_tenth_of_a_second_only(listening, accepted) -> None:
    _, loop, address = listening(50.0)
    loop.now += 3600
    clients = connect(address, 10)
    loop.step()
    assert len(accepted) == 5
    assert not loop.readers
    close(clients)


def test_a_wakeup_takes_sixteen_at_most(listening, accepted) -> None:
    _, loop, address = listening(10_000.0)
    loop.now += 1
    clients = connect(address, 20)
    loop.step()
    assert len(accepted) == 16
    loop.step()
    assert len(accepted) == 20
    assert loop.readers
    close(clients)


def test_without_descriptors_it_waits_instead_of_spinning(listening, accepted) -> None:
    class Exhausted:
        def __init__(self, real: socket.socket) -> None:
            self.real = real

        def accept(self):
            raise OSError(errno.EMFILE, "Too many open files")

        def fileno(self) -> int:
            return self.real.fileno()

        def close(self) -> None:
            self.real.close()

    listener, loop, address = listening(100.0)
    clients = connect(address, 1)
    real = listener._socket
    listener._socket = Exhausted(real)
    loop.step()
    assert not loop.readers
    assert [at for at, _ in loop.later] == [pytest.approx(100.2)]
    listener._socket = real
    loop.step()
    loop.step()
    assert len(accepted) == 1
    close(clients)


def test_closing_while_it_pauses_leaves_no_timer(listening) -> None:
    listener, loop, address = listening(1.0)
    clients = connect(address, 2)
    loop.step()
    assert loop.later
    listener.close()
    assert not loop.later
    assert not loop.readers
    close(clients)
