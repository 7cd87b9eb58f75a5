"""TCP and TLS on loopback: messages, reuse, limits, and what the sink is told."""

import asyncio
import socket

import pytest

from switch.sip.flow import Flow
from switch.transport.stream import StreamTransport
from tests.switch.transport.asking import HEAD, options, run


def test_messages_arrive_whole_and_in_order_however_they_were_cut(streams) -> None:
    async def test() -> None:
        async with streams() as (transport, notes):
            reader, writer = await asyncio.open_connection(*notes.bound)
            wire = options(1, b"one") + options(2) + options(3, b"three")
            for start in range(0, len(wire), 7):
                writer.write(wire[start : start + 7])
                await writer.drain()
                await asyncio.sleep(0)
            flow = await notes.until("message", 3)
            assert [m.via.branch for m in notes.messages] == [f"z9hG4bK{n}" for n in (1, 2, 3)]
            assert [m.body for m in notes.messages] == [b"one", b"", b"three"]
            assert flow._replace(connection=0) == Flow(
                "TCP", notes.bound, writer.get_extra_info("sockname")
            )
            assert flow.connection > 0
            transport.send(flow, b"answer")
            assert await reader.readexactly(6) == b"answer"
            writer.close()

    run(test)


def test_messages_read_in_one_go_end_in_one_batch(streams) -> None:
    async def test() -> None:
        async with streams() as (_, notes):
            _, writer = await asyncio.open_connection(*notes.bound)
            writer.write(options(1) + options(2))
            await notes.until("message", 2)
            assert notes.told == ["message", "message", "end"]
            writer.close()
            await notes.until("closed")
            assert notes.told == ["message", "message", "end", "closed", "end"]

    run(test)


def test_a_ping_is_answered_and_a_pong_is_not(streams) -> None:
    async def test() -> None:
        async with streams() as (_, notes):
            reader, writer = await asyncio.open_connection(*notes.bound)
            writer.write(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"\r\n"
            writer.write(b"\r\n" + options())
            await notes.until("message")
            writer.close()
            assert "error" not in notes.told

    run(test)


def test_a_stream_whose_framing_is_lost_is_answered_and_closed(streams) -> None:
    async def test() -> None:
        async with streams() as (_, notes):
            notes.answer = b"400"
            reader, writer = await asyncio.open_connection(*notes.bound)
            writer.write(options(1) + HEAD % 2 + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n")
            await notes.until("error")
            assert notes.told[:2] == ["message", "error"]
            assert await reader.read() == b"400"  # and then the end of the stream
            await notes.until("closed")
            writer.close()

    run(test)


def test_a_flow_without_connection_opens_one_and_the_next_uses_it(streams) -> None:
    async def test() -> None:
        async with streams() as (_, far), streams(address="") as (transport, near):
            flow = Flow("TCP", ("127.0.0.9", 5060), far.bound)
            for number in (1, 2):
                transport.send(flow, options(number))  # both wait for the connection
            await far.until("message", 2)
            transport.send(flow, options(3))
            back = await far.until("message", 3)
            assert len(transport) == 1
            assert not transport.is_connecting(flow)
            assert back.remote[0] == "127.0.0.9"  # our own address is the source
            far.transport.send(back, options(4))
            here = await near.until("message")
            assert here.local == ("127.0.0.9", 5060)  # as asked for, not the ephemeral port
            assert here.remote == far.bound

    run(test)


def test_an_accepted_connection_is_used_for_requests_to_its_address(streams) -> None:
    async def test() -> None:
        async with streams() as (transport, notes):
            reader, writer = await asyncio.open_connection(*notes.bound)
            writer.write(options())
            flow = await notes.until("message")
            transport.send(flow._replace(connection=0), b"INVITE")
            assert await reader.readexactly(6) == b"INVITE"
            assert len(transport) == 1
            writer.close()

    run(test)


def test_an_alias_leads_to_the_connection_until_it_closes(streams) -> None:
    async def test() -> None:
        async with streams() as (transport, notes):
            reader, writer = await asyncio.open_connection(*notes.bound)
            writer.write(options())
            flow = await notes.until("message")
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                listening = unused.getsockname()
                transport.alias(flow, listening)
                transport.send(Flow("TCP", notes.bound, listening), b"INVITE")
                assert await reader.readexactly(6) == b"INVITE"
                writer.close()
                await notes.until("closed")
                assert not transport._by_address
                assert not transport._aliases
                transport.send(Flow("TCP", notes.bound, listening), b"INVITE")
                await notes.until("transport error")  # bound and not listening: refused

    run(test)


def test_a_closed_connection_is_told_once_and_sending_on_it_fails(streams) -> None:
    async def test() -> None:
        async with streams() as (transport, notes):
            _, writer = await asyncio.open_connection(*notes.bound)
            writer.write(options())
            flow = await notes.until("message")
            writer.transport.abort()
            assert await notes.until("closed") == flow
            transport.send(flow, b"late")
            assert notes.told[-1] == "transport error"
            assert notes.flows[-1] == flow
            assert notes.told.count("closed") == 1
            assert len(transport) == 0

    run(test)


def test_a_refused_connection_is_a_transport_error_of_the_flow_without_connection(streams) -> None:
    async def test() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            flow = Flow("TCP", ("127.0.0.1", 5060), unused.getsockname())
            async with streams(address="") as (transport, notes):
                transport.send(flow, options(1))
                transport.send(flow, options(2))
                assert await notes.until("transport error") == flow
                assert notes.told == ["transport error", "end"]
                assert not transport._by_address
                transport.send(flow, options(1))  # and it is tried again
                await notes.until("transport error", 2)

    run(test)


def test_patience_is_a_matter_of_the_flow(streams, monkeypatch) -> None:
    async def test() -> None:
        async with streams(address="", connect_timeout_s=60) as (transport, notes):

            async def never(*_args: object, **_options: object) -> None:
                await asyncio.Event().wait()

            monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
            hasty = Flow("TCP", ("127.0.0.1", 5060), ("192.0.2.1", 5060))
            transport.patience = lambda flow: 0.05 if flow.remote == hasty.remote else 60
            transport.send(hasty._replace(remote=("192.0.2.2", 5060)), options())
            transport.send(hasty, options())
            assert await notes.until("transport error") == hasty
            assert notes.told.count("transport error") == 1

    run(test)


def test_a_peer_that_never_answers_is_given_up(streams, monkeypatch) -> None:
    async def test() -> None:
        async with streams(address="", connect_timeout_s=0.05) as (transport, notes):

            async def never(*_args: object, **_options: object) -> None:
                await asyncio.Event().wait()

            monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
            flow = Flow("TCP", ("127.0.0.1", 5060), ("192.0.2.1", 5060))
            assert not transport.is_connecting(flow)
            transport.send(flow, options())
            assert transport.is_connecting(flow)
            assert await notes.until("transport error") == flow
            assert not transport.is_connecting(flow)

    run(test)


def test_few_messages_wait_for_a_connection(streams, monkeypatch) -> None:
    async def test() -> None:
        async with streams(address="", queued_messages=2, connect_timeout_s=0.05) as (
            transport,
            notes,
        ):

            async def never(*_args: object, **_options: object) -> None:
                await asyncio.Event().wait()

            monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
            flow = Flow("TCP", ("127.0.0.1", 5060), ("192.0.2.1", 5060))
            transport.send(flow, b"1")
            transport.send(flow, b"2")
            assert notes.told == []
            transport.send(flow, b"3")
            assert notes.told == ["transport error"]

    run(test)


def test_a_peer_that_does_not_read_is_cut_off(streams) -> None:
    async def test() -> None:
        async with streams(buffered_bytes=100_000) as (transport, notes):
            _, writer = await asyncio.open_connection(*notes.bound)
            writer.transport.pause_reading()
            writer.write(options())
            flow = await notes.until("message")
            for _ in range(1000):
                transport.send(flow, b"x" * 20_000)
                if "transport error" in notes.told:
                    break
            await notes.until("closed")
            writer.close()

    run(test)


def test_one_address_has_a_limited_number_of_connections(streams) -> None:
    async def test() -> None:
        async with streams(connections_per_address=2) as (transport, notes):
            kept = [await asyncio.open_connection(*notes.bound) for _ in range(2)]
            reader, _ = await asyncio.open_connection(*notes.bound)
            assert await reader.read() == b""
            assert (transport.accepted, transport.refused) == (2, 1)
            other = await asyncio.open_connection(*notes.bound, local_addr=("127.0.0.8", 0))
            other[1].write(options())
            await notes.until("message")
            kept[0][1].close()
            await notes.until("closed")
            again = await asyncio.open_connection(*notes.bound)
            again[1].write(options())
            await notes.until("message", 2)
            for _, writer in (*kept, other, again):
                writer.close()

    run(test)


def test_the_node_has_a_limited_number_of_connections(streams) -> None:
    async def test() -> None:
        async with streams(connections=1) as (transport, notes):
            _, first = await asyncio.open_connection(*notes.bound)
            reader, _ = await asyncio.open_connection(*notes.bound, local_addr=("127.0.0.8", 0))
            assert await reader.read() == b""
            assert transport.refused == 1
            first.close()

    run(test)


def test_an_idle_connection_is_closed_and_a_pinging_one_is_kept(streams) -> None:
    async def test() -> None:
        async with streams() as (transport, notes):
            idle_reader, idle = await asyncio.open_connection(*notes.bound)
            reader, pinging = await asyncio.open_connection(*notes.bound)
            for writer, number in ((idle, 1), (pinging, 2)):
                writer.write(options(number))
                await notes.until("message", number)
            for connection in transport._by_number.values():
                connection.read_at -= 601  # ten minutes and a second pass
            pinging.write(b"\r\n\r\n")
            await reader.readexactly(2)
            transport._sweep.cancel()
            transport._close_idle()
            assert await idle_reader.read() == b""
            await notes.until("closed")
            assert len(transport) == 1
            idle.close()
            pinging.close()

    run(test)


def test_a_silent_connection_of_a_registered_phone_is_kept(streams) -> None:
    """Closed, the phone would miss its calls until it registers again, within the hour."""

    async def test() -> None:
        async with streams() as (transport, notes):
            writers = [(await asyncio.open_connection(*notes.bound))[1] for _ in range(2)]
            for number, writer in enumerate(writers, 1):
                writer.write(options(number))
                phone = await notes.until("message", number)
            transport.is_registered = lambda flow: flow == phone
            for connection in transport._by_number.values():
                connection.read_at -= 601
            transport._sweep.cancel()
            transport._close_idle()
            await notes.until("closed")
            assert [connection.flow for connection in transport._by_number.values()] == [phone]
            for writer in writers:
                writer.close()

    run(test)


def test_ipv6(streams) -> None:
    async def test() -> None:
        async with streams(address="::1") as (_, far), streams(address="") as (transport, _):
            transport.send(Flow("TCP", ("::1", 5060), far.bound), options())
            flow = await far.until("message")
            assert (flow.local, flow.remote[0]) == (far.bound, "::1")

    run(test)


def test_a_taken_port_is_named_and_the_others_are_closed() -> None:
    async def test() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            host, port = taken.getsockname()
            transport = StreamTransport([("127.0.0.1", 0), (host, port)], [], None)
            with pytest.raises(OSError, match=f"TCP {host}:{port}: "):
                transport.open(asyncio.get_running_loop())
            assert all(listener._socket is None for listener in transport._listeners)

    run(test)


def test_the_kernel_looks_after_peers_that_say_nothing(streams) -> None:
    """On connections of both sides: a phone without power closes none."""

    async def test() -> None:
        limits = {"probe_after_s": 7, "unheard_s": 3}
        async with streams(**limits) as (near, far), streams(address="", **limits) as (there, _):
            there.send(Flow("TCP", ("127.0.0.1", 5060), far.bound), options())
            await far.until("message")
            for transport in (near, there):
                (connection,) = transport._by_number.values()
                asked = connection._transport.get_extra_info("socket").getsockopt
                assert asked(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert asked(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7
                assert asked(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3000

    run(test)
