"""Two phones talk to each other, without a switch between them."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.demo.handset import Handset, HandsetError
from switch.demo.wav import measure

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def phones() -> Iterator[tuple[Handset, Handset]]:
    with Handset() as one, Handset() as other:
        yield one, other


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_with_sound_both_ways_keys_and_hold(
    phones: tuple[Handset, Handset], transport: str, tmp_path: Path
) -> None:
    one, other = phones
    uri = f"sip:other@127.0.0.1:{other.ready[transport]};transport={transport}"
    wav = tmp_path / "heard.wav"
    out = one.call(uri, record=str(wav), headers={"X-Test": "yes"})
    incoming = other.wait("incoming")
    assert "X-Test: yes" in incoming["message"]
    assert one.wait("call", state="early")["code"] == 180
    back = incoming["call"]
    other.do("answer", call=back)
    one.wait("call", state="confirmed")
    one.wait("media", call=out, active=True)
    other.wait("media", call=back, active=True)
    other.do("play", call=back, tone=400)
    one.do("dtmf", call=out, digits="5#", method="info" if transport == "tcp" else "rfc4733")
    assert [other.wait("dtmf")["digit"], other.wait("dtmf")["digit"]] == ["5", "#"]
    time.sleep(0.5)  # real media: something to record
    one.do("hold", call=out)
    other.wait("media", call=back, remote_hold=True)
    one.do("resume", call=out)
    other.wait("media", call=back, remote_hold=False, active=True)
    other.do("hangup", call=back)
    ended = one.wait("call", state="disconnected")
    assert ended["call"] == out
    heard = one.wait("heard", call=out)
    assert heard["rms"] > 500
    assert measure(wav)[0] == pytest.approx(heard["seconds"], abs=0.01)
    assert other.wait("heard")["rms"] < 50, "nobody spoke in the other direction"


def test_a_refusal_shows_its_code_reason_and_warning(phones: tuple[Handset, Handset]) -> None:
    one, other = phones
    one.call(f"sip:other@127.0.0.1:{other.ready['udp']}")
    headers = {"Reason": 'Q.850;cause=21;text="abroad"', "Warning": '399 vigie "abroad: no"'}
    call = other.wait("incoming")["call"]
    other.do("answer", call=call, code=403, reason="Forbidden", headers=headers)
    ended = one.wait("call", state="disconnected")
    assert (ended["code"], ended["reason"]) == (403, "Forbidden")
    assert {name: ended["headers"][name] for name in headers} == headers


def test_a_mistake_is_told(phones: tuple[Handset, Handset]) -> None:
    one, _ = phones
    one.do("dance")
    with pytest.raises(HandsetError, match="dance"):
        one.wait("ready", limit_s=2)


class Registrar(threading.Thread):
    """Challenges once, then accepts whoever shows credentials for "101"."""

    def __init__(self, kind: int) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.port = self.socket.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.seen: list[str] = []
        self.sources: set[str] = set()

    def run(self) -> None:
        stream = None
        if self.socket.type == socket.SOCK_STREAM:
            stream, source = self.socket.accept()
            self.sources.add(source[0])
        while True:
            try:
                data, source = (
                    self.socket.recvfrom(9000) if not stream else (stream.recv(9000), None)
                )
            except OSError:
                return
            if not data.strip():
                if not data:
                    return
                continue
            if source:
                self.sources.add(source[0])
            answer = self.answer(data.decode())
            if stream:
                stream.sendall(answer)
            else:
                self.socket.sendto(answer, source)

    def answer(self, request: str) -> bytes:
        self.seen.append(request)
        copied = [
            line
            for line in request.split("\r\n")
            if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Expires")
        ]
        status, extra = "200 OK", ""
        if "Authorization:" not in request:
            status = "401 Unauthorized"
            extra = 'WWW-Authenticate: Digest realm="x", nonce="n", algorithm=MD5, qop="auth"\r\n'
        elif 'username="101"' not in request:
            status = "403 Forbidden"
        text = f"SIP/2.0 {status}\r\n" + "\r\n".join(copied)
        return (text + f"\r\n{extra}Content-Length: 0\r\n\r\n").encode()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_registers_with_a_password(transport: str) -> None:
    registrar = Registrar(socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    registrar.start()
    with Handset("--address", "127.0.0.1") as phone:
        there = f"127.0.0.1:{registrar.port}"
        assert phone.register("101", "demo-101", there, transport)["code"] == 200
        phone.do("register", user="102", password="x", registrar=there, transport=transport)
        assert phone.wait("register_failed")["code"] == 403
    assert 'username="101"' in registrar.seen[1]
    assert "Via: SIP/2.0/" + transport.upper() in registrar.seen[0]
    registrar.socket.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_speaks_from_the_address_it_is_given(transport: str) -> None:
    registrar = Registrar(socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    registrar.start()
    with Handset("--address", "127.0.2.9") as phone:
        phone.register("101", "demo-101", f"127.0.0.1:{registrar.port}", transport)
    assert registrar.sources == {"127.0.2.9"}
    assert f"Via: SIP/2.0/{transport.upper()} 127.0.2.9:" in registrar.seen[0]
    assert "@127.0.2.9:" in registrar.seen[0].split("Contact:")[1].split("\r\n")[0]
    registrar.socket.close()


def test_it_dies_when_its_stdin_ends() -> None:
    phone = Handset()
    assert phone._process.stdin is not None
    phone._process.stdin.close()
    assert phone._process.wait(3) == 0
    phone.close()


def test_a_phone_that_is_gone_is_noticed() -> None:
    phone = Handset()
    os.kill(phone.pid, signal.SIGKILL)
    with pytest.raises(HandsetError, match="no registered"):
        phone.wait("registered", limit_s=2)
    phone.close()
