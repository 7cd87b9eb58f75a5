"""What is sent in tests of streams, and a loop that ends."""

import asyncio

HEAD = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5062;branch=z9hG4bK%d\r\n"
    b"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
)


def options(number: int = 1, body: bytes = b"") -> bytes:
    return HEAD % number + b"Content-Length: %d\r\n\r\n" % len(body) + body


def run(test) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())
