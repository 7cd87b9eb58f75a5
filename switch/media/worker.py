"""A media worker: `python -m switch.media.worker --fd N --address A --sounds DIR`.

A process of its own, so that a fault in the native media stack costs four calls and not
the switch. It is an ordinary SIP user agent server (RFC 3261 §8.2) on a loopback UDP
port; the socket `--fd` carries JSON lines to the switch: ready, heartbeat, calls.
It plays what `playback.Order` describes, early (183) or answered (200).
Deliberately absent: registration, recording, any decision about the call.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import orjson

from switch.media import pjsua
from switch.media.catalogue import Catalogue, Sound
from switch.media.lifeline import die_with
from switch.media.pjsua import pj
from switch.media.playback import SILENT_PEER_S, Ending, Mode, Order, Playback, State

HEARTBEAT_S = 0.25
_POLL_MS = 20
_WATCH_S = 5.0
EXIT_NO_PJSUA2 = 3


class Control:
    """The worker's end of the socketpair. A full buffer drops the line: a switch that
    does not read is not waited for, and the next heartbeat says the same again."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.settimeout(0)

    def send(self, event: str, **fields: object) -> None:
        """Write one JSON line."""
        try:
            self._socket.send(orjson.dumps({"event": event, **fields}) + b"\n")
        except BlockingIOError:
            pass
        except OSError:
            os._exit(0)

    def is_closed(self) -> bool:
        """Whether the switch has closed its end, which is the order to stop."""
        try:
            return not self._socket.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True


class AnnouncementCall(pjsua.CallBase):  # type: ignore[misc]
    """One call. Callbacks only note what happened; `step` acts, outside of them."""

    def __init__(self, account: Any, call_id: int, playback: Playback, sounds: list[Sound]) -> None:
        super().__init__(account, call_id)
        self.playback = playback
        self.sounds = sounds
        self.is_over = False
        self._keys: list[str] = []
        self._media_is_up = False
        self._player: Any = None
        self._next_sound_at = 0.0
        self._watched = (0, 0.0)

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: the INVITE session changed its state."""
        self.is_over = self.is_over or self.getInfo().state == pj.PJSIP_INV_STATE_DISCONNECTED

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: the media changed; the port may be another one after a re-INVITE."""
        self._media_is_up = True

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: a key, by RFC 4733 or by INFO application/dtmf-relay."""
        self._keys.append(prm.digit)

    def take(self) -> None:
        """Answer the INVITE as ordered."""
        self.answer(pjsua.call_op(183 if self.playback.order.mode is Mode.EARLY else 200))

    def step(self, now: float) -> None:
        """Do what became due: start or change the sound, take keys, end."""
        if self.is_over:
            return
        if self._media_is_up:
            self._media_is_up = False
            self._connect(now)
        for key in self._keys:
            self._end(self.playback.press(key))
        self._keys.clear()
        if self.playback.state is State.PLAYING and now >= self._next_sound_at and self.sounds:
            self._play_next(now)
        was = self.playback.state
        self._end(self.playback.poll(now))
        if self.playback.state is State.LINGERING:
            self._player = None  # looped: while a late key is awaited it would begin again
        if self.playback.state is State.ECHOING:
            if was is not State.ECHOING:
                self._echo()
                self._watched = (0, now)
            self._watch(now)

    def give_up(self) -> None:
        """End at once, whatever still works."""
        self.is_over = True
        self._player = None
        with contextlib.suppress(pj.Error):
            self.hangup(pjsua.call_op(self.playback.order.final))

    def release(self) -> None:
        """Drop the player before the call object goes; pjsua2 frees in that order."""
        self._player = None

    def _connect(self, now: float) -> None:
        audio = pjsua.active_audio(self)
        if audio is None:
            return
        if self.playback.start(now):
            if self.sounds:
                self._play_next(now)
        elif self.playback.state is State.ECHOING:
            self._echo()
        elif self._player is not None:
            self._player.startTransmit(audio)

    def _play_next(self, now: float) -> None:
        sound = self.sounds.pop(0)
        audio = pjsua.active_audio(self)
        self._player = pj.AudioMediaPlayer()
        # Looped, and stopped by the clock: the end-of-file callback of pjsua2 arrives on
        # the media thread, where nothing may be done.
        self._player.createPlayer(str(sound.path), 0)
        if audio is not None:
            self._player.startTransmit(audio)
        self._next_sound_at = now + sound.total_s

    def _echo(self) -> None:
        self._player = None
        audio = pjsua.active_audio(self)
        if audio is not None:
            audio.startTransmit(audio)

    def _watch(self, now: float) -> None:
        packets, since = self._watched
        if now - since < _WATCH_S:
            return
        stat = self.getStreamStat(0)  # held: its members point into it
        received = stat.rtcp.rxStat.pkt
        if received != packets:
            self._watched = (received, now)
        elif now - since > SILENT_PEER_S:
            self._end(Ending(self.playback.order.final))

    def _end(self, ending: Ending | None) -> None:
        if ending is None or self.is_over:
            return
        headers = {"X-Vigie-Key": ending.key} if ending.key else {}
        self._player = None
        self.hangup(pjsua.call_op(ending.status, headers=headers))


class MediaAccount(pjsua.AccountBase):  # type: ignore[misc]
    """Where the INVITEs arrive."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.calls: list[AnnouncementCall] = []
        """Strong references: a Call that Python collects hangs up."""

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: an INVITE outside of a dialog."""
        sounds: list[Sound] = []
        status = 0
        try:
            order = Order.parse(prm.rdata.wholeMsg)
            sounds = [s for s in map(self.catalogue.find, order.names) if s is not None]
            # An unspoken part is an unspoken announcement; only echo works in silence.
            if len(sounds) < len(order.names) and order.names != ("echo",):
                status = 404
        except ValueError:
            order, status = Order(("invalid",)), 400
        playback = Playback(order, sum(s.total_s for s in sounds), time.monotonic())
        call = AnnouncementCall(self, prm.callId, playback, sounds)
        self.calls.append(call)
        if status:
            call.hangup(pjsua.call_op(status))
        else:
            call.take()

    def step(self, now: float) -> bool:
        """Step every call; True when one went."""
        for call in self.calls:
            try:
                call.step(now)
            except pj.Error:  # its dialog or its file went away under it: that call ends
                call.give_up()
        over = [call for call in self.calls if call.is_over]
        for call in over:
            call.release()
            self.calls.remove(call)
        return bool(over)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of a worker."""

    fd: int
    address: str
    parent: int
    media_address: str = ""
    rtp_port: int = 0
    rtp_ports: int = 0
    sounds: list[Path] = field(default_factory=list)

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Options:
        """Read the arguments; usage errors exit with 2."""
        parser = argparse.ArgumentParser(prog="switch.media.worker")
        parser.add_argument("--fd", type=int, required=True)
        parser.add_argument("--address", required=True)
        parser.add_argument("--parent", type=int, required=True)
        parser.add_argument("--media-address", default="")
        parser.add_argument("--rtp-port", type=int, default=0)
        parser.add_argument("--rtp-ports", type=int, default=0)
        parser.add_argument("--sounds", type=Path, action="append", default=[])
        return cls(**vars(parser.parse_args(arguments)))


def serve(options: Options, control: Control) -> NoReturn:
    """Take calls until the switch closes the control socket, then end the process."""
    endpoint = pjsua.create_endpoint("Vigie media")
    transport, port = pjsua.create_transport(endpoint, "udp", options.address)
    pjsua.start_endpoint(endpoint)
    config = pjsua.account_config(
        f"sip:media@{options.address}:{port}",
        options.media_address or options.address,
        options.rtp_port,
        options.rtp_ports,
    )
    config.sipConfig.transportId = transport
    account = MediaAccount(Catalogue(options.sounds))
    account.create(config, True)
    control.send("ready", port=port)
    beat_at, reported = 0.0, 0
    while not control.is_closed():
        endpoint.libHandleEvents(_POLL_MS)
        now = time.monotonic()
        account.step(now)
        if now >= beat_at or len(account.calls) != reported:
            reported, beat_at = len(account.calls), now + HEARTBEAT_S
            control.send("heartbeat", calls=reported)
    os._exit(0)  # while the endpoint lives: its destruction takes a second and frees nothing


def main(arguments: Sequence[str]) -> NoReturn:
    """Run a worker; exit status 0 dismissed, 1 failed, 3 without pjsua2."""
    options = Options.parse(arguments)
    die_with(options.parent)
    control = Control(options.fd)
    if pj is None:
        control.send("unavailable", reason="pjsua2 is not installed for this Python")
        os._exit(EXIT_NO_PJSUA2)
    try:
        serve(options, control)
    except pj.Error as error:
        control.send("failed", reason=error.info())
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
