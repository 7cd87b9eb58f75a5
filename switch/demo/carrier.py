"""The simulated carrier as a process: sockets, clock, the record of INVITEs, its control socket.

It is no child of the switch: it keeps its calls when the switch is killed, and `carrier_process` finds it
again. Audio comes back to whoever sends it, from one socket for all calls.

DATA/carrier.ndjson gets a line for each INVITE, {t (UTC ms), port, request_uri, raw_b64}; raw is what was
on the wire over UDP, and the message as written anew (same headers, same order) over TCP.
"""

import asyncio
import base64
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from switch.clock import boottime, wall
from switch.demo.carrier_core import CarrierCore, describe
from switch.demo.control import CARRIER_SOCKET, Control, UseCase
from switch.observe import log
from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.parser import is_keepalive, is_stun, parse
from switch.transport.stream import StreamTransport
from switch.transport.udp import UdpTransport

RECORD: Final = "carrier.ndjson"
_LARGEST_RTP: Final = 2048
_ECHO_BATCH: Final = 64


class Carrier:
    """Listens on UDP and TCP of each address. Takes what the transports bring (their sink)."""

    def __init__(self, listen: list[tuple[str, int]], data: Path) -> None:
        self._data = data
        self._echo = _echo_socket(listen[0][0])
        address = self._echo.getsockname()
        self.core = CarrierCore((address[0], address[1]), self._record)
        self._udp = UdpTransport(listen, self)
        self._stream = StreamTransport(listen, [], self)
        self._raw: bytes | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._file = os.open(data / RECORD, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen; OSError names the address that is taken."""
        self._loop = loop
        self._udp.open(loop)
        self._stream.open(loop)
        loop.add_reader(self._echo.fileno(), self._send_back)

    def close(self) -> None:
        """Hang up every call and close the sockets."""
        for call in self.core.calls:
            call.hang_up(boottime())
        self.perform()
        if self._loop is not None:
            self._loop.remove_reader(self._echo.fileno())
        self._udp.close()
        self._stream.close()
        self._echo.close()
        os.close(self._file)

    # -- what the transports bring ----------------------------------------------------------------

    def turn_of(self, data: bytes, flow: Flow) -> int:
        """Nothing goes first here."""
        return 0

    def on_datagram(self, data: bytes, flow: Flow, at: float) -> None:
        """A datagram (DatagramSink)."""
        if is_keepalive(data) or is_stun(data):
            return
        with contextlib.suppress(ParseError):
            self._raw = data
            self.core.receive(parse(data), flow, at)
        self._raw = None

    def on_stream_message(self, message: Request | Response, flow: Flow, at: float) -> None:
        """A message of a connection (StreamSink)."""
        with contextlib.suppress(ParseError):
            self.core.receive(message, flow, at)

    def on_stream_error(self, error: ParseError, flow: Flow, at: float) -> None:
        """Not SIP: dropped (StreamSink)."""

    def on_batch_end(self) -> None:
        """Perform what the last messages led to (both sinks)."""
        self.perform()

    def on_transport_error(self, flow: Flow) -> None:
        """What was sent can't arrive (both sinks)."""
        self.core.transactions.transport_failed(flow, boottime())
        self._perform_soon()

    def on_flow_closed(self, flow: Flow) -> None:
        """A connection has closed (StreamSink)."""
        self.core.flow_closed(flow, boottime())
        self._perform_soon()

    # -- doing ------------------------------------------------------------------------------------

    def perform(self) -> None:
        """Send what is queued and set the alarm for the next timer."""
        outbox = self.core.outbox
        while outbox.datagrams:
            waiting, outbox.datagrams = outbox.datagrams, []
            for flow, data in waiting:
                (self._stream if flow.is_reliable else self._udp).send(flow, data)
        outbox.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        at = self.core.wheel.next_at()
        if at is not None and self._loop is not None:
            self._alarm = self._loop.call_later(max(0.0, at - boottime()), self._fire)

    def _perform_soon(self) -> None:
        """From inside a send: not now, the queue is being walked."""
        if self._loop is not None:
            self._loop.call_soon(self.perform)

    def _fire(self) -> None:
        self._alarm = None
        self.core.wheel.fire(boottime())
        self.perform()

    def _record(self, request: Request, flow: Flow) -> None:
        raw = self._raw if self._raw is not None else request.to_bytes()
        line = orjson.dumps(
            {
                "t": int(wall() * 1000),
                "port": flow.local[1],
                "request_uri": request.uri,
                "raw_b64": base64.b64encode(raw).decode(),
            }
        )
        os.write(self._file, line + b"\n")

    def _send_back(self) -> None:
        """Audio goes back to where it came from."""
        for _ in range(_ECHO_BATCH):
            try:
                data, source = self._echo.recvfrom(_LARGEST_RTP)
                self._echo.sendto(data, source)
            except BlockingIOError:
                return
            except OSError:  # the phone's port has closed: ICMP reports it on this socket
                continue

    # -- control ----------------------------------------------------------------------------------

    def use_cases(self) -> dict[str, UseCase]:
        """What the control socket carries out: status, refuse, accept, call.place, call.show,
        call.hangup."""
        return {
            "status": lambda _: self._status(),
            "refuse": lambda args: self._refuse(args, refused=True),
            "accept": lambda args: self._refuse(args, refused=False),
            "call.place": self._place,
            "call.show": self._show,
            "call.hangup": self._hang_up,
        }

    def _status(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "listening": [f"{host}:{port}" for host, port in self._udp.local_addresses],
            "refused": sorted(self.core.refused),
            "calls": [describe(call) for call in self.core.calls],
        }

    def _refuse(self, args: Mapping[str, object], *, refused: bool) -> dict[str, object]:
        port = int(str(args["port"]))
        (self.core.refused.add if refused else self.core.refused.discard)(port)
        return self._status()

    def _place(self, args: Mapping[str, object]) -> dict[str, object]:
        local = self._udp.local_addresses[0]
        host, _, port = str(args.get("via") or "127.0.0.1:5060").rpartition(":")
        flow = Flow("UDP", local, (host, int(port)))
        seconds = args.get("seconds")
        headers = args.get("headers")
        call = self.core.place(
            flow,
            str(args["from"]),
            f"sip:{args['to']}@{host}:{port}",
            {str(k): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {},
            boottime(),
            float(str(seconds)) if seconds is not None else None,
        )
        self.perform()
        return describe(call)

    def _show(self, args: Mapping[str, object]) -> dict[str, object] | None:
        call = self.core.find(str(args["call_id"]))
        return describe(call) if call is not None else None

    def _hang_up(self, args: Mapping[str, object]) -> dict[str, object] | None:
        call = self.core.find(str(args["call_id"]))
        if call is not None:
            call.hang_up(boottime())
            self.perform()
        return self._show(args)


def run(listen: list[tuple[str, int]], data: Path, control: Control) -> int:
    """Be the carrier until SIGTERM; returns the exit code (1: an address is taken)."""
    log.configure(node="carrier")
    data.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_run(listen, data, control))


async def _run(listen: list[tuple[str, int]], data: Path, control: Control) -> int:
    loop = asyncio.get_running_loop()
    out = log.logger("carrier")
    carrier = Carrier(listen, data)
    server = control.serve(data / CARRIER_SOCKET, carrier.use_cases())
    try:
        carrier.open(loop)
        await server.start()
    except OSError as error:
        out.error("carrier.failed", error=str(error))
        return 1
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    out.info("carrier.ready", listening=[f"{host}:{port}" for host, port in listen])
    await stopped.wait()
    carrier.close()
    await server.stop()
    return 0


def _echo_socket(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    echo = socket.socket(family, socket.SOCK_DGRAM)
    echo.setblocking(False)
    echo.bind((host, 0))
    return echo
