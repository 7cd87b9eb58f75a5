"""What phones say of their media when a call ends."""

import pytest

from switch.sip.parser import parse
from switch.sip.rtp_stat import RtpStat

BYE = b"""BYE sip:302@10.33.4.125 SIP/2.0\r
Via: SIP/2.0/UDP 10.33.4.126;branch=z9hG4bK1\r
From: <sip:401@10.33.4.126>;tag=1c2\r
To: <sip:302@example.com>;tag=1c9\r
Call-ID: 991@10.33.4.125\r
CSeq: 1 BYE\r
%s\r
Content-Length: 0\r
\r
"""


@pytest.mark.parametrize(
    ("text", "sent_ms", "received_ms"),
    [
        ("PS=207;OS=33120;;PR=314;OR=50240;PL=0;JI=600;LA=40;", 4_140, 6_280),  # 20 ms of G.711
        ("PS=207;OS=49680;;PR=314;OR=50240;PL=0;JI=600;LA=40;", 6_210, 6_280),  # 30 ms
        ("PS=1000, PR=0, OR=0, PL=0, JI=1, DU=20", 20_000, 0),
        ("PS=1000,OS=20000,PR=1000,OR=60000,EN=G729,DE=G729", 20_000, 60_000),  # 20 and 60 ms
        ("CS=0;PS=1114;ES=1219;OS=178240;PR=1119;ER=1124;OR=179040;CR=0", 22_280, 22_380),
        ("PS=10,OS=9999999,PR=1", 600, 20),  # no packet lasts longer
    ],
)
def test_packets_and_octets_are_milliseconds_at_most(
    text: str, sent_ms: int, received_ms: int
) -> None:
    assert RtpStat.parse(text) == (sent_ms, received_ms)


@pytest.mark.parametrize(
    "text",
    ["", "PS=1", "PR=1", "OS=1;OR=2", "PS=x;PR=1", "APS=1;XPR=2", "PS=-1;PR=1", "PS = 1;PR=1"],
)
def test_what_does_not_tell_both_directions_tells_nothing(text: str) -> None:
    assert RtpStat.parse(text) is None


@pytest.mark.parametrize("name", ["X-RTP-Stat", "P-RTP-Stat", "x-rtp-stat"])
def test_it_stands_in_a_bye(name: str) -> None:
    bye = parse(BYE % f"{name}: PS=50;PR=100".encode())
    assert RtpStat.of(bye) == (1_000, 2_000)


def test_silence_is_not_told_by_a_phone_that_says_nothing() -> None:
    assert RtpStat.of(parse(BYE % b"User-Agent: x")) is None
