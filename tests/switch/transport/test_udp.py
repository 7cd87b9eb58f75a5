"""UDP sockets on loopback: batches, kernel time, ICMP errors, a full queue."""

import asyncio
import errno
import socket
import time

import pytest

from switch.clock import boottime
from switch.sip.flow import Flow
from switch.transport import udp
from switch.transport.udp import UdpTransport


class Sink:
    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow, float]] = []
        self.batches: list[int] = []
        self.failed: list[Flow] = []
        self.wake = asyncio.Event()

    def on_datagram(self, data: bytes, flow: Flow, at: float) -> None:
        self.received.append((data, flow, at))

    def turn_of(self, data: bytes, flow: Flow) -> int:
        return {b"soon": udp.SOON, b"wait": udp.LATER}.get(data[:4], udp.AT_ONCE)

    def on_batch_end(self) -> None:
        self.batches.append(len(self.received))
        self.wake.set()

    def on_transport_error(self, flow: Flow) -> None:
        self.failed.append(flow)
        self.wake.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(3):
            while len(self.received) < count:
                self.wake.clear()
                await self.wake.wait()


def run(test, *addresses, public=""):
    async def main() -> None:
        sink = Sink()
        transport = UdpTransport(addresses or [("127.0.0.1", 0)], sink, public)
        transport.open(asyncio.get_running_loop())
        try:
            await test(transport, sink)
        finally:
            transport.close()

    asyncio.run(main())


def peer(address: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    sock.settimeout(3)
    return sock


def test_on_a_wildcard_peers_are_told_the_public_address() -> None:
    """What is written into Via and Contact: nobody could send an ACK to 0.0.0.0."""

    async def test(transport: UdpTransport, sink: Sink) -> None:
        [(host, port)] = transport.local_addresses
        assert host == "0.0.0.0"
        with peer() as phone:
            phone.sendto(b"OPTIONS", ("127.0.0.1", port))
            await sink.until(1)
            _, flow, _ = sink.received[0]
            assert flow.local == ("198.51.100.7", port)
            transport.send(flow, b"200")
            assert phone.recvfrom(100)[0] == b"200"

    run(test, ("0.0.0.0", 0), public="198.51.100.7")


def test_a_datagram_arrives_with_its_flow_and_can_be_answered_on_it() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            phone.sendto(b"OPTIONS", local)
            await sink.until(1)
            data, flow, _ = sink.received[0]
            assert data == b"OPTIONS"
            assert flow == Flow("UDP", local, phone.getsockname())
            transport.send(flow, b"200")
            assert phone.recvfrom(100) == (b"200", local)
        assert (transport.received, transport.sent) == (1, 1)

    run(test)


def test_ipv6_addresses_are_pairs_without_brackets() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer("::1") as phone:
            phone.sendto(b"x", local)
            await sink.until(1)
            flow = sink.received[0][1]
            assert flow == Flow("UDP", ("::1", local[1]), phone.getsockname()[:2])
            transport.send(flow, b"y")
            assert phone.recv(100) == b"y"

    run(test, ("::1", 0))


def test_a_wakeup_ends_each_batch_once() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            for i in range(40):
                phone.sendto(b"%d" % i, local)
            time.sleep(0.001)  # the loop is held up meanwhile: the datagrams are no longer fresh
            await sink.until(40)
        assert sink.batches == [40]
        assert [data for data, _, _ in sink.received] == [b"%d" % i for i in range(40)]
        assert len({id(flow) for _, flow, _ in sink.received}) == 1

    run(test)


def test_a_fresh_datagram_is_handled_without_looking_for_another() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        now, reads = boottime(), []

        class Waiting:
            """A socket with two datagrams; `ages` say how long each has waited."""

            def __init__(self, *ages: float) -> None:
                self.ages = list(ages)

            def recvmsg(self, *_: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, object]:
                if not self.ages:
                    raise BlockingIOError
                reads.append(len(self.ages))
                stamp = time.time() - self.ages.pop(0)
                spec = udp._TIMESPEC.pack(int(stamp), int(stamp % 1 * 1e9))
                return b"x", [(socket.SOL_SOCKET, udp._SO_TIMESTAMPNS, spec)], 0, ("127.0.0.1", 9)

        listener = transport._sockets[local]
        listener.socket, real = Waiting(0.00001, 0.00001), listener.socket
        try:
            assert len(transport._read(listener, 64)) == 1
            listener.socket = Waiting(0.01, 0.005)
            assert len(transport._read(listener, 64)) == 2
        finally:
            listener.socket = real
        assert now <= boottime() and reads == [2, 2, 1]

    run(test)


def test_few_datagrams_are_handled_as_they_came() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            for data in (b"wait 1", b"18", b"wait 2"):
                phone.sendto(data, local)
            await sink.until(3)
        assert [data for data, _, _ in sink.received] == [b"wait 1", b"18", b"wait 2"]

    run(test)


def test_under_load_what_is_urgent_goes_first() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            for i in range(300):
                phone.sendto(b"wait %d" % i, local)
            phone.sendto(b"18", local)
            await sink.until(301)
        order = [data for data, _, _ in sink.received]
        assert order[0] == b"18"
        assert order[1:] == [b"wait %d" % i for i in range(300)]
        assert sink.batches[0] == 1, "it is performed before the others are looked at"
        assert (transport.received, transport.passed_over) == (301, 0)

    run(test)


def test_urgent_ones_come_between_the_turns_of_those_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(udp, "_TURN_S", -1.0)  # one datagram a turn

    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            for i in range(100):
                phone.sendto(b"wait %d" % i, local)
            await sink.until(1)
            phone.sendto(b"18", local)
            await sink.until(101)
        assert [data for data, _, _ in sink.received].index(b"18") < 10

    run(test)


def test_what_is_for_soon_goes_before_the_rest_of_what_waits() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            for word in (b"wait", b"soon", b"18"):
                for i in range(60):
                    phone.sendto(b"%s %d" % (word, i), local)
            await sink.until(180)
        order = [data[:4] for data, _, _ in sink.received]
        assert order.index(b"18 0") < order.index(b"soon") < order.index(b"wait")
        assert order[-1] == b"wait" and order.count(b"soon") == 60

    run(test)


def test_what_waits_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_MOST_WAITING", 80)

    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            for i in range(100):
                phone.sendto(b"wait %d" % i, local)
            await sink.until(80)
        assert [data for data, _, _ in sink.received] == [b"wait %d" % i for i in range(20, 100)]
        assert transport.passed_over == 20

    run(test)


def test_nothing_waits_after_the_end() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            for i in range(200):
                phone.sendto(b"wait %d" % i, local)
            await asyncio.sleep(0)
            while not transport.received:
                await asyncio.sleep(0)
            transport.close()
            handled = len(sink.received)
            await asyncio.sleep(0.02)
            assert len(sink.received) == handled < 200

    run(test)


def test_the_receive_time_is_the_kernels_and_not_that_of_reading() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as phone:
            await until_the_kernel_stamps(sink, phone, local)
            sent, received = await sent_and_received(sink, phone, local)
        assert sent - 0.002 <= received <= sent + 0.02

    run(test)


async def sent_and_received(
    sink: Sink, phone: socket.socket, local: tuple[str, int]
) -> tuple[float, float]:
    """When a datagram was sent, and when it was received by what the transport says; the loop is
    busy for 50 ms in between, so that a time of reading would show."""
    count = len(sink.received)
    sent = boottime()
    phone.sendto(b"x", local)
    while boottime() < sent + 0.05:
        pass
    await sink.until(count + 1)
    return sent, sink.received[count][2]


async def until_the_kernel_stamps(sink: Sink, phone: socket.socket, local: tuple[str, int]) -> None:
    """Linux turns stamping on in a work queue after the first socket asked for it; until then it
    stamps a datagram as it is read."""
    for _ in range(40):
        sent, received = await sent_and_received(sink, phone, local)
        if received < sent + 0.04:
            return
    pytest.fail("the kernel never stamped a datagram on arrival")


def test_a_stamp_from_before_the_wall_clock_was_set_counts_as_now() -> None:
    def stamped(wall_time: float) -> list[tuple[int, int, bytes]]:
        seconds = int(wall_time)
        nanoseconds = int((wall_time - seconds) * 1e9)
        return [(1, udp._SO_TIMESTAMPNS, udp._TIMESPEC.pack(seconds, nanoseconds))]

    now, wall_now = 500.0, time.time()
    assert udp._received_at(stamped(wall_now - 0.25), now, wall_now) == pytest.approx(
        499.75, abs=1e-5
    )
    assert udp._received_at(stamped(wall_now + 0.01), now, wall_now) == pytest.approx(
        500.01, abs=1e-5
    )
    assert udp._received_at(stamped(wall_now - 3600), now, wall_now) == now
    assert udp._received_at(stamped(wall_now + 3600), now, wall_now) == now
    assert udp._received_at([], now, wall_now) == now


def test_icmp_port_unreachable_fails_that_flow_and_not_the_next_datagram() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        with peer() as gone:
            dead = Flow("UDP", local, gone.getsockname())
        with peer() as alive:
            transport.send(dead, b"to nobody")
            transport.send(Flow("UDP", local, alive.getsockname()), b"to somebody")
            assert alive.recv(100) == b"to somebody"
        async with asyncio.timeout(3):
            while not sink.failed:
                sink.wake.clear()
                await sink.wake.wait()
        assert sink.failed == [dead]

    run(test)


def test_an_address_that_nothing_here_reaches_fails_at_once() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        flow = Flow("UDP", transport.local_addresses[0], ("::1", 5060))
        transport.send(flow, b"x")
        assert sink.failed == [flow]

    run(test)


def test_too_long_a_datagram_is_a_transport_error() -> None:
    async def test(transport: UdpTransport, sink: Sink) -> None:
        flow = Flow("UDP", transport.local_addresses[0], ("127.0.0.1", 9))
        transport.send(flow, b"x" * 65_600)
        assert sink.failed == [flow]

    run(test)


def test_a_full_queue_loses_the_datagram_as_the_wire_would() -> None:
    class Full:
        def sendto(self, data: bytes, address: object) -> int:
            raise BlockingIOError(errno.EAGAIN, "full")

    async def test(transport: UdpTransport, sink: Sink) -> None:
        [local] = transport.local_addresses
        listener = transport._sockets[local]
        real, listener.socket = listener.socket, Full()
        transport.send(Flow("UDP", local, ("127.0.0.1", 9)), b"x")
        listener.socket = real
        assert transport.send_dropped == 1
        assert sink.failed == []

    run(test)


def test_a_taken_port_is_named() -> None:
    with peer() as taken:
        host, port = taken.getsockname()
        transport = UdpTransport([(host, port)], Sink())
        loop = asyncio.new_event_loop()
        with pytest.raises(OSError, match=f"UDP {host}:{port}: ") as failure:
            transport.open(loop)
        loop.close()
        assert failure.value.errno == errno.EADDRINUSE


def test_the_table_of_flows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_MAX_FLOWS", 10)
    with peer() as sock:
        listener = udp._Listener(sock)
        for port in range(1, 100):
            listener.flow(("192.0.2.1", port))
        assert len(listener._flows) <= 10
