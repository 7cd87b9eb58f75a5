"""One call of the demo phone: what it records, plays, and says about itself.

Callbacks of pjsua2 emit events and leave the work to `step`, outside of them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from switch.media import pjsua
from switch.media.pjsua import pj
from switch.media.playback import read_header

_SHOWN_HEADERS = ("Reason", "Warning", "X-Vigie-Key", "Retry-After", "Contact")
Emit = Callable[..., None]
LetGo = Callable[[int, Path, bool], None]
"""Takes a recording that is closing: the call, the file, whether it is kept."""


class PhoneCall(pjsua.CallBase):  # type: ignore[misc]
    """One call; callbacks emit events and note work for `step`."""

    def __init__(
        self, account: Any, call_id: int, emit: Emit, let_go: LetGo, record: Path | None = None
    ) -> None:
        super().__init__(account, call_id)
        self.emit = emit
        self._let_go = let_go
        self.number = call_id
        self.record_path = record
        self.is_over = False
        self._media_changed = False
        self._recorder: Any = None
        self._recording: Path | None = None
        self._player: Any = None
        self._source: Mapping[str, Any] = {}

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: the INVITE session changed its state."""
        info = self.getInfo()
        event = prm.e.body.tsxState
        received = prm.e.type == pj.PJSIP_EVENT_TSX_STATE and event.type == pj.PJSIP_EVENT_RX_MSG
        message = event.src.rdata.wholeMsg if received else ""
        code, reason = _status(message) or (info.lastStatusCode, info.lastReason)
        state = info.stateText.lower()
        self.emit(
            "call", call=info.id, state=state, code=code, reason=reason, headers=_shown(message)
        )
        self.is_over = self.is_over or info.state == pj.PJSIP_INV_STATE_DISCONNECTED

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: media came, went or changed."""
        self._media_changed = True

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: a key of the other side."""
        method = "info" if prm.method == pj.PJSUA_DTMF_METHOD_SIP_INFO else "rfc4733"
        self.emit("dtmf", call=self.getId(), digit=prm.digit, method=method)

    def step(self) -> None:
        """Connect the sound again after a change."""
        if not self._media_changed or self.is_over:
            return
        self._media_changed = False
        audio = pjsua.active_audio(self)
        info = self.getInfo()  # held: its members point into it
        statuses = [media.status for media in info.media]
        held = pj.PJSUA_CALL_MEDIA_LOCAL_HOLD in statuses
        remote = pj.PJSUA_CALL_MEDIA_REMOTE_HOLD in statuses
        self.emit(
            "media", call=self.number, active=audio is not None, held=held, remote_hold=remote
        )
        if audio is not None:
            self._record_into(audio)
            self._play_into(audio)

    def play(self, source: Mapping[str, Any]) -> None:
        """Send the file `path`, or a `tone` in Hz, or silence, from now on."""
        self._source = source
        self._player = None
        audio = None if self.is_over else pjsua.active_audio(self)
        if audio is not None:
            self._play_into(audio)

    def record(self, path: Path) -> None:
        """Close the recording so far and go on in `path`."""
        self.report()
        self.record_path = path
        audio = None if self.is_over else pjsua.active_audio(self)
        if audio is not None:
            self._record_into(audio)

    def report(self) -> None:
        """Close the recording and say what was heard; the WAV is readable from here on."""
        path, self._recording = self._recording, None
        self._recorder = None
        if path is not None:
            self._let_go(self.number, path, path == self.record_path)

    def close(self) -> None:
        """After the end: let go of everything that plays or records."""
        self._player = None
        self.report()

    def _record_into(self, audio: Any) -> None:
        if self._recorder is None:
            if self.record_path is None:
                handle, name = tempfile.mkstemp(prefix="vigie-heard-", suffix=".wav")
                os.close(handle)
                self._recording = Path(name)
            else:
                self._recording = self.record_path
            self._recorder = pj.AudioMediaRecorder()
            self._recorder.createRecorder(str(self._recording))
        audio.startTransmit(self._recorder)

    def _play_into(self, audio: Any) -> None:
        if self._player is None and "path" in self._source:
            self._player = pj.AudioMediaPlayer()
            self._player.createPlayer(self._source["path"], 0)
        elif self._player is None and "tone" in self._source:
            self._player = _tone(int(self._source["tone"]))
        if self._player is not None:
            self._player.startTransmit(audio)


def _tone(hertz: int) -> Any:
    generator = pj.ToneGenerator()
    generator.createToneGenerator(8000, 1)
    tone = pj.ToneDesc()
    tone.freq1, tone.freq2, tone.on_msec, tone.off_msec = hertz, 0, 1000, 0
    tones = pj.ToneDescVector()
    tones.append(tone)
    generator.play(tones, True)
    return generator


def _status(message: str) -> tuple[int, str] | None:
    """What the response said; pjsua2 itself reports a 3xx as 487."""
    version, _, rest = message.split("\r\n", 1)[0].partition(" ")
    code, _, reason = rest.partition(" ")
    return (int(code), reason) if version == "SIP/2.0" and code.isdigit() else None


def _shown(message: str) -> dict[str, str]:
    found = {name: read_header(message, name) for name in _SHOWN_HEADERS}
    return {name: value for name, value in found.items() if value is not None}
