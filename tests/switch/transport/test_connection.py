"""One connection without a socket: what it reads, what waits in it, when it gives up."""

import asyncio

from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.transport.connection import Connection
from switch.transport.limits import StreamLimits

FLOW = Flow("TCP", ("127.0.0.1", 5060), ("192.0.2.7", 5062), 1)
OPTIONS = (
    b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Pipe(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.buffered = 0
        self.closing = self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.buffered


class Owner:
    limits = StreamLimits(queued_messages=2, buffered_bytes=1000)

    def __init__(self) -> None:
        self.told: list[object] = []

    def connection_opened(self, connection: Connection) -> None:
        self.told.append("opened")

    def connection_read(self, connection: Connection, items: list[object], at: float) -> None:
        self.told += items

    def connection_closed(self, connection: Connection) -> None:
        self.told.append("closed")


def opened() -> tuple[Connection, Pipe, Owner]:
    pipe, owner = Pipe(), Owner()
    connection = Connection(owner, FLOW, accepted=True)
    connection.connection_made(pipe)
    owner.told.clear()
    return connection, pipe, owner


def test_what_waits_is_sent_in_order_when_it_opens() -> None:
    pipe, owner = Pipe(), Owner()
    connection = Connection(owner, FLOW, accepted=False)
    assert connection.is_usable
    assert [connection.send(data) for data in (b"1", b"2", b"3")] == [True, True, False]
    connection.connection_made(pipe)
    assert owner.told == ["opened"]
    assert pipe.written == [b"1", b"2"]
    assert connection.send(b"4")
    assert pipe.written == [b"1", b"2", b"4"]


def test_too_much_unread_or_closing_is_refused() -> None:
    connection, pipe, _ = opened()
    pipe.buffered = 1001
    assert not connection.send(b"x")
    pipe.buffered = 1000
    assert connection.send(b"x")
    connection.close()
    assert not connection.is_usable
    assert not connection.send(b"x")


def test_two_pings_and_a_message_between_them() -> None:
    connection, pipe, owner = opened()
    connection.data_received(b"\r\n\r\n" + OPTIONS)
    connection.data_received(b"\r\n\r\n")
    assert pipe.written == [b"\r\n", b"\r\n"]
    assert [item.method for item in owner.told if hasattr(item, "method")] == ["OPTIONS"]


def test_lost_framing_delivers_what_came_before_then_the_error_then_closes() -> None:
    connection, pipe, owner = opened()
    broken = OPTIONS.replace(b"Content-Length: 0", b"Content-Length: 0\r\nContent-Length: 9")
    connection.data_received(OPTIONS + broken)
    assert [type(item).__name__ for item in owner.told] == ["Request", "ParseError"]
    assert isinstance(owner.told[1], ParseError)
    assert pipe.closing
    assert not pipe.aborted


def test_a_lost_connection_is_told_and_takes_nothing_more_to_the_wire() -> None:
    connection, pipe, owner = opened()
    connection.connection_lost(None)
    assert owner.told == ["closed"]
    connection.close()
    connection.abort()
    assert not pipe.closing
    assert connection.peer_names() == []


def test_peer_names_are_the_dns_names_of_a_verified_certificate() -> None:
    class Tls:
        def __init__(self, certificate: dict[str, object]) -> None:
            self.certificate = certificate

        def getpeercert(self) -> dict[str, object]:
            return self.certificate

    connection, pipe, _ = opened()
    names = (("DNS", "SIP.example.com"), ("IP Address", "192.0.2.1"))
    pipe._extra["ssl_object"] = Tls({"subjectAltName": names})
    assert connection.peer_names() == ["sip.example.com"]
    pipe._extra["ssl_object"] = Tls({})  # shown and not verified
    assert connection.peer_names() == []
