"""A flood of INVITEs from an unknown phone: `flood.py HOST PORT PER_SECOND NUMBER`, until it is killed.

Nothing is kept and no answer is read, as from many phones at once that all call.
"""

import itertools
import socket
import sys
import time

_INVITE = (
    "INVITE sip:{number}@{host} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.50:{own};branch=z9hG4bK{n};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:102@{host}>;tag=f{n}\r\nTo: <sip:{number}@{host}>\r\n"
    "Call-ID: flood-{n}\r\nCSeq: 1 INVITE\r\nContact: <sip:102@127.0.0.50:{own}>\r\n"
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nUser-Agent: flood\r\n"
    "Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
)
_BODY = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.50\r\ns=-\r\nc=IN IP4 127.0.0.50\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
_BURST = 20


def main(host: str, port: int, per_s: float, number: str) -> None:
    """Send in small bursts, at an even rate."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.50", 0))
        own = sender.getsockname()[1]
        invite = _INVITE.format(
            host=host, own=own, n="{n}", number=number, length=len(_BODY), body=_BODY
        ).encode()
        begin = time.monotonic()
        for n in itertools.count():
            sender.sendto(invite.replace(b"{n}", b"%d" % n), (host, port))
            if n % _BURST == 0 and (ahead := begin + n / per_s - time.monotonic()) > 0:
                time.sleep(ahead)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
