"""A sink that notes what a stream transport tells, and a transport on loopback to go with it."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from switch.sip.errors import ParseError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.transport.certificate import (
    TlsPeer,
    client_context,
    ensure_self_signed,
    server_context,
)
from switch.transport.limits import StreamLimits
from switch.transport.stream import StreamTransport


class StreamNotes:
    """What was told, as words; `until` waits for a word."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.messages: list[Request | Response] = []
        self.flows: list[Flow] = []
        self.transport: StreamTransport | None = None
        self.answer = b""
        self._wake = asyncio.Event()

    def on_stream_message(self, message: Request | Response, flow: Flow, at: float) -> None:
        self.messages.append(message)
        self._note("message", flow)

    def on_stream_error(self, error: ParseError, flow: Flow, at: float) -> None:
        self._note("error", flow)
        if self.answer and self.transport is not None:
            self.transport.send(flow, self.answer)

    def on_batch_end(self) -> None:
        self.told.append("end")

    def on_transport_error(self, flow: Flow) -> None:
        self._note("transport error", flow)

    def on_flow_closed(self, flow: Flow) -> None:
        self._note("closed", flow)

    def _note(self, word: str, flow: Flow) -> None:
        self.told.append(word)
        self.flows.append(flow)
        self._wake.set()

    async def until(self, word: str, count: int = 1) -> Flow:
        async with asyncio.timeout(5):
            while self.told.count(word) < count:
                self._wake.clear()
                await self._wake.wait()
        await asyncio.sleep(0)  # the on_batch_end that goes with it
        return self.flows[-1]


Streams = Callable[..., "asynccontextmanager[tuple[StreamTransport, StreamNotes]]"]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    now = datetime.datetime.now(datetime.UTC)
    return ensure_self_signed(tmp_path / "tls", ["sip.example.com", "127.0.0.1"], now)


@pytest.fixture
def streams(certificate: tuple[Path, Path]):
    """Opens a transport with one listener, "TCP" or "TLS"; its address is `transport.bound`."""

    @asynccontextmanager
    async def opened(
        kind: str = "TCP", address: str = "127.0.0.1", **limits: float
    ) -> AsyncIterator[tuple[StreamTransport, StreamNotes]]:
        notes = StreamNotes()
        where = [(address, 0)] if address else []
        transport = StreamTransport(
            where if kind == "TCP" else [],
            where if kind == "TLS" else [],
            notes,
            server_tls=server_context(*certificate),
            limits=StreamLimits(**limits),
        )
        peer = TlsPeer(client_context(certificate[0]), "sip.example.com")
        transport.tls_peer = lambda _: peer
        bound = transport.open(asyncio.get_running_loop())
        notes.transport = transport
        notes.bound = bound[0][1] if bound else None
        try:
            yield transport, notes
        finally:
            transport.close()
            async with asyncio.timeout(5):
                while len(transport):
                    await asyncio.sleep(0.005)

    return opened
