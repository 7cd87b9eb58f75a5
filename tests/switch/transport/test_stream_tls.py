"""TLS on loopback: who is verified by whom, handshakes that fail, versions."""

import asyncio
import datetime
import socket
import ssl

import pytest

from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.transport.certificate import (
    TlsPeer,
    client_context,
    ensure_self_signed,
    server_context,
)
from switch.transport.stream import StreamTransport
from tests.switch.transport.asking import options, run


def test_tls_carries_messages_both_ways(streams) -> None:
    async def test() -> None:
        async with streams("TLS") as (_, far), streams("TLS", "") as (transport, near):
            transport.send(Flow("TLS", ("127.0.0.1", 5061), far.bound), options(1))
            flow = await far.until("message")
            assert flow.transport == "TLS"
            far.transport.send(flow, options(2))
            assert (await near.until("message")).transport == "TLS"
            assert isinstance(near.messages[0], Request)

    run(test)


def test_the_name_of_the_server_is_checked(streams, certificate) -> None:
    async def test() -> None:
        async with streams("TLS") as (_, far), streams("TLS", "") as (transport, near):
            told: list[str] = []
            transport.on_handshake = lambda flow, fault: told.append(fault)
            right = transport.tls_peer
            context = client_context(certificate[0])
            transport.tls_peer = lambda _: TlsPeer(context, "sip.example.org")
            transport.send(Flow("TLS", ("127.0.0.1", 5061), far.bound), options())
            await near.until("transport error")
            assert "Hostname mismatch" in told.pop()
            transport.tls_peer = right
            transport.send(Flow("TLS", ("127.0.0.1", 5061), far.bound), options())
            flow = await far.until("message")
            assert far.transport.peer_names(flow) == []  # a phone shows no certificate
            [connection] = transport._by_number.values()
            assert transport.peer_names(connection.flow) == ["sip.example.com"]
            assert told == [""]

    run(test)


def test_a_peer_that_speaks_no_tls_is_refused_and_gives_its_place_back(streams) -> None:
    async def test() -> None:
        async with streams("TLS") as (transport, notes):
            reader, writer = await asyncio.open_connection(*notes.bound)
            writer.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
            await reader.read()
            while transport.refused == 0:
                await asyncio.sleep(0.005)
            assert notes.told == []
            assert (transport._held, len(transport._per_host)) == (0, 0)
            writer.close()

    run(test)


def test_a_handshake_that_never_comes_is_given_up(streams) -> None:
    async def test() -> None:
        async with streams("TLS", handshake_timeout_s=0.05) as (transport, notes):
            reader, writer = await asyncio.open_connection(*notes.bound)
            assert await reader.read() == b""
            while transport.refused == 0:
                await asyncio.sleep(0.005)
            assert transport._held == 0
            writer.close()

    run(test)


@pytest.mark.parametrize(
    ("version", "accepted"), [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)]
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_tls_1_2_is_the_least(streams, certificate, version, accepted) -> None:
    async def test() -> None:
        async with streams("TLS") as (_, notes):
            context = client_context(certificate[0])
            context.minimum_version = ssl.TLSVersion.TLSv1_1
            context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
            try:
                _, writer = await asyncio.open_connection(*notes.bound, ssl=context)
            except OSError:
                assert not accepted
            else:
                assert accepted
                writer.close()

    run(test)


def test_tls_needs_a_certificate_and_a_peer_that_is_known(streams) -> None:
    with pytest.raises(ValueError, match="certificate"):
        StreamTransport([], [("127.0.0.1", 0)], None)

    async def test() -> None:
        async with streams(address="") as (transport, notes):
            transport.tls_peer = lambda _: None
            flow = Flow("TLS", ("127.0.0.1", 5061), ("127.0.0.1", 5061))
            transport.send(flow, options())
            assert notes.told == ["transport error"]

    run(test)


def test_each_peer_is_verified_by_its_own_authority(streams, tmp_path) -> None:
    async def test() -> None:
        now = datetime.datetime.now(datetime.UTC)
        other, _ = ensure_self_signed(tmp_path / "other", ["sip.example.com"], now)
        async with streams("TLS") as (_, far), streams("TLS", "") as (transport, near):
            told: list[str] = []
            transport.on_handshake = lambda flow, fault: told.append(fault)
            transport.tls_peer = lambda _: TlsPeer(client_context(other), "sip.example.com")
            transport.send(Flow("TLS", ("127.0.0.1", 5061), far.bound), options())
            await near.until("transport error")
            assert told == ["its certificate is refused: self-signed certificate"]

    run(test)


def test_a_carrier_that_shows_its_certificate_is_known_by_its_names(streams, certificate) -> None:
    async def test() -> None:
        async with streams("TLS") as (transport, far), streams("TLS", "") as (near, _):
            transport.server_tls = server_context(*certificate, [certificate[0]])
            context = client_context(certificate[0], *certificate)
            near.tls_peer = lambda _: TlsPeer(context, "sip.example.com")
            near.send(Flow("TLS", ("127.0.0.1", 5061), far.bound), options())
            flow = await far.until("message")
            assert transport.peer_names(flow) == ["sip.example.com"]

    run(test)


def test_a_phone_that_comes_back_resumes_its_session(streams, certificate) -> None:
    """A handshake without signatures: what a reconnect storm costs (TLS 1.3 and 1.2)."""
    context = client_context(certificate[0])

    def connect(where: tuple[str, int], before: ssl.SSLSession | None) -> tuple[object, bool]:
        with (
            socket.create_connection(where, timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="sip.example.com", session=before) as secured,
        ):
            secured.sendall(b"\r\n\r\n")
            assert secured.recv(2) == b"\r\n"  # tickets come with what is read first
            return secured.session, bool(secured.session_reused)

    async def test() -> None:
        async with streams("TLS") as (_, notes):
            session, reused = await asyncio.to_thread(connect, notes.bound, None)
            assert not reused
            _, reused = await asyncio.to_thread(connect, notes.bound, session)
            assert reused

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.maximum_version = version
        run(test)
