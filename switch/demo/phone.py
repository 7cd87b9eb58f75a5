"""A telephone without a keypad: `python -m switch.demo.phone --address 127.0.0.1`.

A pjsua2 user agent driven by JSON lines: commands on stdin, events on stdout. The tour
and the wire tests use it as a customer's desk phone. `handset.Handset` drives it.

Commands, one object a line, {"do": ..., ...}:
  register   user, password, registrar (host:port), transport udp|tcp, expires
  unregister
  call       uri, headers {}, record PATH            -> event calling {call}
  answer     call, code 200, headers {}, record PATH
  hangup     call, code, headers {}
  hold | resume   call
  dtmf       call, digits, method rfc4733|info
  play       call, path | tone (Hz) | neither for silence
  record     call, path          (from here on; the first file is closed)
  heard      call                (asks for event heard at once)
  quit
Events, {"event": ..., ...}: ready, registered, register_failed, unregistered, incoming,
calling, call (state, code, reason, headers Reason and Warning), dtmf, media (active,
held), heard (seconds, rms, packets), error.
Everything received is recorded, to the path given or to a scratch file; `heard` comes
once the recording is closed, at the latest when the call has ended.
Deliberately absent: TLS, a sound card, conferences.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from switch.demo.phone_call import Emit, PhoneCall
from switch.demo.wav import measure
from switch.media import pjsua
from switch.media.lifeline import die_with
from switch.media.pjsua import pj

_POLL_MS = 20
_CLOSING_S = 0.2
"""pjsua2 closes a recorder's file on the media clock, some ticks after it is let go."""


class PhoneAccount(pjsua.AccountBase):  # type: ignore[misc]
    """The line of the phone."""

    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: a REGISTER was answered, or was not."""
        if prm.code // 100 != 2:
            self.phone.emit("register_failed", code=prm.code, reason=prm.reason)
        elif self.getInfo().regIsActive:
            self.phone.emit("registered", code=prm.code, expires=prm.expiration)
        else:
            self.phone.emit("unregistered", code=prm.code)

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: an INVITE. The phone rings by itself; `answer` takes the call."""
        call = PhoneCall(self, prm.callId, self.phone.emit, self.phone.let_go)
        self.phone.calls[prm.callId] = call
        info = call.getInfo()
        self.phone.emit(
            "incoming",
            call=prm.callId,
            remote=info.remoteUri,
            local=info.localUri,
            message=prm.rdata.wholeMsg,
        )
        if self.phone.rings:
            call.answer(pjsua.call_op(180))


class Phone:
    """The device: transports, one account, up to four calls."""

    def __init__(self, options: argparse.Namespace, emit: Emit) -> None:
        self.emit = emit
        self.rings: bool = not options.no_ring
        self.calls: dict[int, PhoneCall] = {}
        self._closing: list[tuple[float, int, Path, bool]] = []
        self.endpoint = pjsua.create_endpoint("Vigie demo phone")
        self._options = options
        self._transports: dict[str, tuple[int, int]] = {}
        for kind in ("udp", "tcp"):
            self._transports[kind] = pjsua.create_transport(
                self.endpoint, kind, options.address, options.port
            )
        pjsua.start_endpoint(self.endpoint)
        self.account = PhoneAccount(self)
        self.account.create(self._config("phone", "udp"), True)
        self.emit(
            "ready", udp=self._transports["udp"][1], tcp=self._transports["tcp"][1], pid=os.getpid()
        )

    def _config(self, user: str, transport: str, domain: str = "") -> Any:
        _, port = self._transports[transport]
        host = domain or f"{self._options.address}:{port}"
        return pjsua.account_config(
            f"sip:{user}@{host}",
            self._options.address,
            self._options.rtp_port,
            100 if self._options.rtp_port else 0,
        )

    def obey(self, command: Mapping[str, Any]) -> bool:
        """Perform one command; False when it was the last."""
        verb = command.get("do")
        try:
            if verb == "quit":
                return False
            if verb == "register":
                self._register(command)
            elif verb == "unregister":
                self.account.setRegistration(False)
            elif verb == "call":
                self._call(command)
            else:
                self._obey_in_call(str(verb), command)
        except KeyError as error:
            self.emit("error", do=verb, reason=f"missing or unknown: {error}")
        except pj.Error as error:
            self.emit("error", do=verb, reason=error.info())
        return True

    def _pick(self, command: Mapping[str, Any]) -> PhoneCall:
        if "call" in command:
            return self.calls[command["call"]]
        if not self.calls:
            raise KeyError("call")
        return next(reversed(self.calls.values()))

    def _obey_in_call(self, verb: str, command: Mapping[str, Any]) -> None:
        call = self._pick(command)
        headers, path = command.get("headers"), command.get("record")
        if verb == "answer":
            call.record_path = Path(path) if path else call.record_path
            call.answer(pjsua.call_op(command.get("code", 200), command.get("reason", ""), headers))
        elif verb == "hangup":
            call.hangup(pjsua.call_op(command.get("code", 0), command.get("reason", ""), headers))
        elif verb == "hold":
            call.setHold(pjsua.call_op())
        elif verb == "resume":
            op = pjsua.call_op()
            op.opt.flag = pj.PJSUA_CALL_UNHOLD
            call.reinvite(op)
        elif verb == "dtmf":
            parameters = pj.CallSendDtmfParam()
            parameters.digits = command["digits"]
            info = command.get("method") == "info"
            parameters.method = (
                pj.PJSUA_DTMF_METHOD_SIP_INFO if info else pj.PJSUA_DTMF_METHOD_RFC2833
            )
            call.sendDtmf(parameters)
        elif verb == "play":
            call.play(command)
        elif verb == "record":
            call.record(Path(command["path"]))
        elif verb == "heard":
            call.report()
            call.record_path = None
            call.onCallMediaState(None)
        else:
            raise KeyError(verb)

    def _register(self, command: Mapping[str, Any]) -> None:
        transport = command.get("transport", "udp")
        config = self._config(command["user"], transport, command["registrar"].split(":")[0])
        suffix = ";transport=tcp" if transport == "tcp" else ""
        config.regConfig.registrarUri = f"sip:{command['registrar']}{suffix}"
        config.regConfig.timeoutSec = command.get("expires", 300)
        config.regConfig.retryIntervalSec = 0
        password = command["password"]
        config.sipConfig.authCreds.append(
            pj.AuthCredInfo("digest", "*", command["user"], 0, password)
        )
        if command.get("proxy", True):
            config.sipConfig.proxies.append(f"sip:{command['registrar']};lr{suffix}")
        self.account.modify(config)

    def _call(self, command: Mapping[str, Any]) -> None:
        record = command.get("record")
        call = PhoneCall(self.account, -1, self.emit, self.let_go, Path(record) if record else None)
        call.makeCall(command["uri"], pjsua.call_op(headers=command.get("headers")))
        call.number = call.getId()
        self.calls[call.number] = call
        self.emit("calling", call=call.number)

    def step(self) -> None:
        """Let the endpoint work, then the calls."""
        self.endpoint.libHandleEvents(_POLL_MS)
        for number, call in list(self.calls.items()):
            call.step()
            if call.is_over:
                call.close()
                if self.calls.get(number) is call:
                    del self.calls[number]
        while self._closing and self._closing[0][0] <= time.monotonic():
            self._report(*self._closing.pop(0)[1:])

    def let_go(self, number: int, path: Path, is_kept: bool) -> None:
        """Say what `path` holds once it is readable."""
        self._closing.append((time.monotonic() + _CLOSING_S, number, path, is_kept))

    def _report(self, number: int, path: Path, kept: bool) -> None:
        seconds, rms = measure(path)
        self.emit(
            "heard",
            call=number,
            seconds=round(seconds, 3),
            rms=round(rms, 1),
            path=str(path) if kept else None,
        )
        if not kept:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the calls politely, at most half a second, and close the recordings."""
        self.endpoint.hangupAllCalls()
        until = time.monotonic() + 0.5
        while self.calls and time.monotonic() < until:
            self.step()
        for call in self.calls.values():
            call.close()
        while self._closing:
            self.step()


class Lines:
    """Commands from a non-blocking stdin, whole lines only."""

    def __init__(self) -> None:
        self._rest = b""
        self.is_closed = False

    def read(self) -> list[Any]:
        """The commands that have arrived; a line that is no JSON object is skipped."""
        while not self.is_closed and select.select([0], [], [], 0)[0]:
            chunk = os.read(0, 65536)
            self.is_closed = not chunk
            self._rest += chunk
        *lines, self._rest = self._rest.split(b"\n")
        found: list[Any] = []
        for line in lines:
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
        return [each for each in found if isinstance(each, dict)]


def _emitter() -> Emit:
    """Events go to the real stdout; pjlib, which prints there too, gets /dev/null."""
    out = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)

    def emit(event: str, **fields: object) -> None:
        try:
            os.write(out, orjson.dumps({"event": event, "t": time.time(), **fields}) + b"\n")
        except BrokenPipeError:
            os._exit(0)

    return emit


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="switch.demo.phone")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rtp-port", type=int, default=0)
    parser.add_argument("--no-ring", action="store_true", help="do not send 180 by itself")
    parser.add_argument("--parent", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run until `quit` or the end of stdin; never returns (libDestroy takes a second)."""
    options = parse(arguments)
    if options.parent:
        die_with(options.parent)
    emit = _emitter()
    if pj is None:
        emit("unavailable", reason="pjsua2 is not installed for this Python")
        os._exit(3)
    phone, lines = Phone(options, emit), Lines()
    goes_on = True
    while goes_on and not lines.is_closed:
        phone.step()
        goes_on = all([phone.obey(command) for command in lines.read()])  # noqa: C419 -- each is performed
    phone.close()
    emit("bye")
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
