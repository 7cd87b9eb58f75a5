"""The SIP side of a device: a pjsua2 user agent, and the one place here that knows pjsua2.

It registers each line with the credential that was sealed to the device, answers calls after some seconds,
and tells of registrations, calls, their sound, and the public address that the registrar saw. The binding has
no wheel for every Python: without it the device says so, and its lines stay unregistered.
Everything happens in `poll`, which the loop calls; pjsua2's own threads only move audio.
Deliberately absent: TLS (the wheel's OpenSSL is out of support), a sound card, a keypad.
"""

import importlib
import re
import tempfile
import wave
from pathlib import Path
from typing import Any

from firmware_agent.agent.commands import LineConfig
from firmware_agent.agent.signals import Place
from firmware_agent.work import Tell

POLL_S = 0.02
REGISTER_S = 120
RETRY_S = 5
EMERGENCY = frozenset(
    ["112", "114", "115", "116000", "116117", "119", "15", "17", "18", "191", "196", "197"]
)
"""Numbers after which the rescue services may call back (French numbering plan)."""

_RECEIVED = re.compile(r"^(?:Via|v)\s*:.*?received=([0-9A-Fa-f:.]+)", re.MULTILINE | re.IGNORECASE)
_LISTEN_POLLS = 25
_CLOSING_POLLS = 15
"""pjsua2 closes a recorder's file on the media clock, some ticks after it is let go."""


def _load() -> Any:
    try:
        return importlib.import_module("pjsua2")
    except ImportError:
        return None


pj: Any = _load()
"""The binding, or None where it is not installed."""
_AccountBase: Any = pj.Account if pj is not None else object
_CallBase: Any = pj.Call if pj is not None else object


class NoPhoneError(Exception):
    """pjsua2 is not installed for this Python."""


class _Account(_AccountBase):  # type: ignore[misc]
    """A line."""

    def __init__(self, phone: "SipPhone", config: LineConfig) -> None:
        super().__init__()
        self.phone = phone
        self.config = config
        self.is_bound = False
        self.calls: dict[int, _Call] = {}

    @property
    def is_in_emergency(self) -> bool:
        """Whether one of its calls is an emergency call."""
        return any(call.is_emergency for call in self.calls.values())

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: a REGISTER was answered, or was not."""
        is_registered = self.is_bound = prm.code // 100 == 2 and self.getInfo().regIsActive
        line = self.config.line
        self.phone.say(lambda agent, at: agent.on_line(line, is_registered, at))
        seen = _RECEIVED.search(prm.rdata.wholeMsg) if prm.code // 100 == 2 else None
        if seen is not None:
            place = Place(public_ip=seen[1])
            self.phone.say(lambda agent, at: agent.on_place(place, at))

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: an INVITE."""
        call = _Call(self, prm.callId)
        self.calls[prm.callId] = call
        call.answer(_op(180))
        self.phone.count_calls()


class _Call(_CallBase):  # type: ignore[misc]
    """A call of a line."""

    def __init__(self, account: _Account, number: int = -1, is_emergency: bool = False) -> None:
        super().__init__(account, number)
        self.account = account
        self.is_emergency = is_emergency
        self.answer_in = account.phone.polls_to_answer if number >= 0 else -1
        self.is_over = False
        self.sound: tuple[float, float] | None = None

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        """pjsua2: it went on, or ended."""
        del prm
        if self.getInfo().state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.sound = _sound(self)
            self.is_over = True


class SipPhone:
    """The phone: one account per line."""

    def __init__(self, tell: Tell, address: str, version: str, answer_after_s: float) -> None:
        if pj is None:
            raise NoPhoneError("pjsua2 is not installed for this Python")
        self.say = tell
        self.polls_to_answer = int(answer_after_s / POLL_S)
        self._address = address
        self._accounts: dict[str, _Account] = {}
        self._lines: tuple[LineConfig, ...] = ()
        self._test: _SelfTest | None = None
        self._endpoint = _endpoint(f"Vigie adapter {version}")
        self._transports = {
            kind: _transport(self._endpoint, kind, address) for kind in ("udp", "tcp")
        }
        self._endpoint.libStart()
        self._endpoint.audDevManager().setNullDev()

    def configure(self, lines: tuple[LineConfig, ...]) -> None:
        """See `driver.Phone`."""
        self._choose_codecs(lines)
        wanted = {each.line: each for each in lines}
        self._lines = lines
        for line in self._accounts.keys() - wanted.keys():
            if not self._accounts[line].is_in_emergency:  # else when that call ends
                self._accounts.pop(line).shutdown()
        for line, config in wanted.items():
            account = self._accounts.get(line)
            if account is None:
                account = self._accounts[line] = _Account(self, config)
                account.create(self._account_config(config))
            elif account.config != config:
                account.config = config
                account.modify(self._account_config(config))

    def register(self) -> None:
        """See `driver.Phone`."""
        for account in self._accounts.values():
            account.setRegistration(True)

    def unregister(self) -> None:
        """We go: the registrar needn't ring where nobody is."""
        for account in self._accounts.values():
            if account.is_bound:
                account.setRegistration(False)

    @property
    def has_binding(self) -> bool:
        """Whether a registrar still rings us."""
        return any(account.is_bound for account in self._accounts.values())

    def self_test(self) -> None:
        """See `driver.Phone`: a tone through the conference bridge is heard on its other side."""
        self._test = _SelfTest()

    def call(self, line: str, uri: str) -> None:
        """Place a call."""
        account = self._accounts[line]
        user = re.sub(r"^sips?:|@.*$", "", uri)
        call = _Call(account, is_emergency=user in EMERGENCY)
        call.makeCall(uri, _op())
        account.calls[call.getId()] = call
        self.count_calls()

    def hang_up(self) -> None:
        """End all calls."""
        self._endpoint.hangupAllCalls()

    def count_calls(self) -> None:
        """Tell how many calls there are."""
        calls = [call for account in self._accounts.values() for call in account.calls.values()]
        is_emergency = any(each.is_in_emergency for each in self._accounts.values())
        self.say(lambda agent, at: agent.on_calls(len(calls), is_emergency, at))

    def poll(self) -> None:
        """Let pjsua2 work; called every POLL_S."""
        self._endpoint.libHandleEvents(0)
        for account in list(self._accounts.values()):
            for number, call in list(account.calls.items()):
                self._poll_call(account, number, call)
        if self._test is not None:
            passed = self._test.poll()
            if passed is not None:
                self._test = None
                outcome: bool = passed
                self.say(lambda agent, at: agent.on_self_test(outcome, at))

    def _poll_call(self, account: _Account, number: int, call: _Call) -> None:
        if call.is_over:
            del account.calls[number]
            self.configure(self._lines)
            if call.sound is not None:
                mos, jitter_ms = call.sound
                self.say(lambda agent, at: agent.on_sound(mos, jitter_ms))
            self.count_calls()
        elif call.answer_in >= 0:
            call.answer_in -= 1
            if call.answer_in < 0:
                call.answer(_op(200))

    def _choose_codecs(self, lines: tuple[LineConfig, ...]) -> None:
        """pjsua2 has one list for all accounts: that of the first line, in its order."""
        wanted = [each.upper() for each in lines[0].codecs] if lines else []
        offered = {each.codecId: each.codecId.split("/")[0].upper() for each in self._codecs()}
        if not set(wanted) & set(offered.values()):
            wanted = ["PCMA", "PCMU"]  # better than a phone without a voice
        for codec, name in offered.items():
            priority = 255 - wanted.index(name) if name in wanted else 0
            self._endpoint.codecSetPriority(codec, priority)

    def _codecs(self) -> Any:
        return self._endpoint.codecEnum2()

    def _account_config(self, line: LineConfig) -> Any:
        config = pj.AccountConfig()
        config.idUri = f"sip:{line.user}@{line.domain}"
        suffix = "" if line.transport == "udp" else f";transport={line.transport}"
        config.regConfig.registrarUri = f"sip:{line.registrars[0]}{suffix}"
        for registrar in line.registrars:
            config.sipConfig.proxies.append(f"sip:{registrar};lr{suffix}")
        config.regConfig.timeoutSec = REGISTER_S
        config.regConfig.retryIntervalSec = config.regConfig.firstRetryIntervalSec = RETRY_S
        config.sipConfig.transportId = self._transports[str(line.transport)]
        config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", line.user, 0, line.secret))
        config.natConfig.contactRewriteUse = config.natConfig.viaRewriteUse = 0
        config.mediaConfig.transportConfig.boundAddress = self._address
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        return config


class _SelfTest:
    """A tone from a generator, over the bridge, into a file; passed when the file isn't silent."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="self-test-")
        self._path = Path(self._directory.name) / "tone.wav"
        self._tone: Any = pj.ToneGenerator()
        self._recorder: Any = pj.AudioMediaRecorder()
        self._tone.createToneGenerator(8000, 1)
        desc = pj.ToneDesc()
        desc.freq1, desc.freq2, desc.on_msec, desc.off_msec = 440, 0, 1000, 0
        self._tone.play(pj.ToneDescVector([desc]), True)
        self._recorder.createRecorder(str(self._path))
        self._tone.startTransmit(self._recorder)
        self._polls = 0

    def poll(self) -> bool | None:
        """The result; None before it is known."""
        self._polls += 1
        if self._polls == _LISTEN_POLLS:
            self._tone.stopTransmit(self._recorder)
            self._tone = self._recorder = None
        if self._polls < _LISTEN_POLLS + _CLOSING_POLLS:
            return None
        try:
            with wave.open(str(self._path)) as recording:
                samples = recording.readframes(recording.getnframes())
        except (OSError, EOFError, wave.Error):
            samples = b""
        self._directory.cleanup()
        return len(samples) > 1600 and len(set(samples)) > 16


def _op(status: int = 0) -> Any:
    op = pj.CallOpParam(True)
    if status:
        op.statusCode = status
    return op


def _sound(call: Any) -> tuple[float, float] | None:
    """MOS by the E-model (ITU-T G.107, simplified: delay and loss) and jitter in ms."""
    try:
        rtcp = call.getStreamStat(0).rtcp
    except pj.Error:
        return None
    received = rtcp.rxStat.pkt
    if not received:
        return None
    lost = rtcp.rxStat.loss / (received + rtcp.rxStat.loss)
    jitter_ms = rtcp.rxStat.jitterUsec.mean / 1000
    delay_ms = rtcp.rttUsec.mean / 2000 + 2 * jitter_ms + 20
    return mos(lost, delay_ms), jitter_ms


def mos(lost: float, delay_ms: float) -> float:
    """Mean opinion score of G.711 by loss (0..1) and one-way delay, after ITU-T G.107 with
    Bpl = 4.3 and Ie = 0 (G.113, G.711 without concealment)."""
    effective = 95 * lost * 100 / (lost * 100 + 4.3)
    delay = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0)
    rating = max(0.0, min(100.0, 93.2 - delay - effective))
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def _endpoint(user_agent: str) -> Any:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.userAgent = user_agent
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    endpoint.libInit(config)
    return endpoint


def _transport(endpoint: Any, kind: str, address: str) -> int:
    config = pj.TransportConfig()
    config.boundAddress = address
    types = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP}
    return int(endpoint.transportCreate(types[kind], config))
