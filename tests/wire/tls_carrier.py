"""A carrier that speaks TLS: it answers what comes, and places calls with its certificate."""

import contextlib
import socket
import ssl
import threading
from typing import Self

from switch.dialog.dialog import host_port
from switch.sip.build import make_response
from switch.sip.ids import new_tag
from switch.sip.message import Request
from switch.sip.parser import StreamParser
from tests.wire.authority import Signed
from tests.wire.softphone import SDP, Softphone


class TlsCarrier:
    """Listens at one address until it is left; a thread for each connection."""

    def __init__(self, host: str, port: int, shown: Signed) -> None:
        self.address = (host, port)
        self.invites: list[Request] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*shown)
        self._listener = socket.create_server(self.address)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        parser = StreamParser()
        with contextlib.suppress(OSError), self._context.wrap_socket(accepted, True) as peer:
            while octets := peer.recv(65_536):
                for item in parser.feed(octets):
                    if isinstance(item, Request) and item.method != "ACK":
                        peer.sendall(self._answer(item))

    def _answer(self, request: Request) -> bytes:
        if request.method != "INVITE":
            return make_response(request, 200, to_tag=new_tag()).to_bytes()
        self.invites.append(request)
        contact = f"<sip:{host_port(self.address)};transport=tls>"
        fields = [("Contact", contact), ("Content-Type", "application/sdp")]
        return make_response(request, 200, to_tag=new_tag(), headers=fields, body=SDP).to_bytes()


class CallingCarrier(Softphone):
    """The same carrier's other side: it connects to the switch and shows what it is given."""

    def __init__(self, server: tuple[str, int], shown: Signed | None) -> None:
        self._shown = shown
        super().__init__(server, "+33612345678", "tls", "127.0.1.1")

    def client_context(self) -> ssl.SSLContext:
        context = super().client_context()
        if self._shown is not None:
            context.load_cert_chain(*self._shown)
        return context
