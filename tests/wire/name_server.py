"""A name server of the tests' own: all names of its zone have one address; it can fall silent."""

import socket
import threading
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

HOST = "127.0.0.1"
TTL_S = 1  # so that nothing is remembered for longer than the switch itself decides


class NameServer:
    """Answers on UDP, in a thread of its own, while it is entered."""

    def __init__(self, zone: str, address: str) -> None:
        self.is_silent = False
        self.asked = 0
        self._zone, self._address = f".{zone}.", address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", (HOST, self.port))
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            data, source = self._socket.recvfrom(4096)
            if not data:
                return
            self.asked += 1
            if not self.is_silent:
                self._socket.sendto(self._answer(dns.message.from_wire(data)), source)

    def _answer(self, query: dns.message.Message) -> bytes:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        (question,) = query.question
        kind = question.to_text().split()[-1]
        name = question.name.to_text()
        if not name.endswith(self._zone) or name.startswith("_"):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind == "A":
            answer.answer.append(dns.rrset.from_text(name, TTL_S, "IN", "A", self._address))
        return answer.to_wire()
