"""The one door to pjsua2, for the media worker and the demo phone.

pjsua2 has no wheel for every Python, so its absence is a fact (`pj is None`), not an
error at import. Every pjsua2 object is `Any`: the binding is untyped, and what it
returns is read here and in the two processes, nowhere else.
Deliberately absent: TLS and SRTP; the OpenSSL inside the wheel is out of support.
"""

from __future__ import annotations

import importlib
from typing import Any


def _load() -> Any:
    try:
        return importlib.import_module("pjsua2")
    except ImportError:
        return None


pj: Any = _load()
"""The binding, or None where it is not installed."""

CallBase: Any = pj.Call if pj is not None else object
AccountBase: Any = pj.Account if pj is not None else object

CALLS_PER_PROCESS = 4
"""Compiled into the wheel: a higher `maxCalls` is ignored without a word."""

_CODEC_PRIORITY = (("PCMA", 255), ("PCMU", 254), ("G722", 253))
"""A-law first, as French networks have it; codecs not named are switched off."""


def create_endpoint(user_agent: str) -> Any:
    """A started pjsua2 endpoint without a sound device and without threads of its own.

    All callbacks then arrive inside `libHandleEvents` on the calling thread. The clock
    runs at 8 kHz: nothing wider is ever played. Silence is sent as RTP (no VAD), so that
    a caller hears the line is alive.
    """
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.maxCalls = CALLS_PER_PROCESS
    config.uaConfig.userAgent = user_agent
    media = config.medConfig
    media.clockRate = media.sndClockRate = 8000
    media.channelCount = 1
    media.ptime = media.audioFramePtime = 20
    media.noVad = True
    media.ecTailLen = 0
    endpoint.libInit(config)
    return endpoint


def start_endpoint(endpoint: Any) -> None:
    """Start `endpoint` once its transports exist, with the null sound device."""
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        name = codec.codecId.split("/", 1)[0].upper()
        endpoint.codecSetPriority(codec.codecId, dict(_CODEC_PRIORITY).get(name, 0))


def create_transport(endpoint: Any, kind: str, address: str, port: int = 0) -> tuple[int, int]:
    """Open a SIP transport ("udp" or "tcp") bound to `address`; its id and port."""
    config = pj.TransportConfig()
    config.port = port
    config.boundAddress = address
    types = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP}
    number = endpoint.transportCreate(types[kind], config)
    local = endpoint.transportGetInfo(number).localName
    return number, int(local.rsplit(":", 1)[1])


def account_config(uri: str, media_address: str, rtp_port: int, rtp_ports: int) -> Any:
    """An account that rewrites nothing and offers no session timer or 100rel.

    `rtp_port` 0 lets the kernel choose; else RTP stays in `rtp_ports` ports from it.
    """
    config = pj.AccountConfig()
    config.idUri = uri
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
    config.callConfig.prackUse = pj.PJSUA_100REL_NOT_USED
    nat = config.natConfig
    nat.contactRewriteUse = nat.viaRewriteUse = nat.sdpNatRewriteUse = 0
    nat.udpKaIntervalSec = 0
    config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_DISABLED
    config.mediaConfig.lockCodecEnabled = False
    transport = config.mediaConfig.transportConfig
    transport.boundAddress = media_address
    transport.port = rtp_port
    transport.portRange = rtp_ports
    return config


def active_audio(call: Any) -> Any | None:
    """The active audio port of `call`, or None while it has none."""
    info = call.getInfo()  # held: its members point into it, and the binding does not count
    for index, media in enumerate(info.media):
        if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in (
            pj.PJSUA_CALL_MEDIA_ACTIVE,
            pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
        ):
            return call.getAudioMedia(index)
    return None


def call_op(status: int = 0, reason: str = "", headers: dict[str, str] | None = None) -> Any:
    """A CallOpParam with default call settings, a status and extra headers."""
    op = pj.CallOpParam(True)
    if status:
        op.statusCode = status
    op.reason = reason
    for name, value in (headers or {}).items():
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        op.txOption.headers.push_back(header)
    return op
