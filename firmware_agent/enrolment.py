"""How a device comes to its membership: the kept answer to its claim, or a claim until there is one.

`claim` says what is signed and believed; here are the broker, the pauses and the file.
"""

import asyncio
import random
import secrets
import ssl
import tempfile
from collections.abc import Callable, Iterator
from functools import partial

from cryptography.hazmat.primitives import serialization

from firmware_agent import claim
from firmware_agent.certificate import RENEWED
from firmware_agent.claim import ClaimRefusedError, Member
from firmware_agent.files import Files
from firmware_agent.messages.claim import Factory, Membership
from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.envelope import UnsealError
from firmware_agent.messages.topics import Kind, Topic
from firmware_agent.mqtt import Broker, LinkError, MqttError, expiry, subscribe

MEMBERSHIP = "membership"
ANSWER_LIMIT_S = 30
_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)

Say = Callable[..., None]
"""Tell the world what happens: an event's name and its fields."""


class Enrolment:
    """Of one device. `url` replaces the broker that the factory and the service named."""

    def __init__(self, factory: Factory, files: Files, url: str | None, say: Say) -> None:
        self._factory = factory
        self._files = files
        self._url = url
        self._say = say

    async def member(self) -> Member:
        """The membership; asks until it is answered."""
        kept = self._kept()
        if kept is not None:
            return self._newest(kept)
        for pause in _pauses():
            try:
                raw, member = await self._claim()
            except ClaimRefusedError as error:
                self._say("claim_refused", result=error.result.value, reason=str(error))
            except (MqttError, LinkError, MessageError, UnsealError, OSError) as error:
                self._say("claim_failed", reason=f"{type(error).__name__}: {error}")
            else:
                self._files.replace(MEMBERSHIP, raw)
                self._say("claimed", device=member.membership.device)
                return member
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        raise AssertionError("pauses have no end")

    def broker(self, member: Member) -> Broker:
        """The broker of a member."""
        membership = member.membership
        url = self._url or membership.broker

        def tls() -> ssl.SSLContext:
            """With the certificate that is the newest by then."""
            return tls_context(self._newest(member).membership, self._factory)

        return Broker(
            url, membership.device, member.password, tls if url.startswith("mqtts:") else None
        )

    def _kept(self) -> Member | None:
        raw = self._files.read(MEMBERSHIP)
        if raw is None:
            return None
        try:
            return claim.accept(raw, self._factory)
        except (MessageError, UnsealError, ClaimRefusedError) as error:
            self._say("membership_unreadable", reason=str(error))
            return None

    def _newest(self, member: Member) -> Member:
        """With the certificate of the last renewal; without it, if that can't be read, the claim's holds
        or the broker says no."""
        raw = self._files.read(RENEWED)
        if raw is None:
            return member
        try:
            return claim.renewed(raw, self._factory, member)
        except MessageError as error:
            self._say("certificate_unreadable", reason=str(error))
            return member

    async def _claim(self) -> tuple[bytes, Member]:
        factory, tls = self._factory, None
        if factory.broker_ca is not None:
            tls = partial(ssl.create_default_context, cadata=factory.broker_ca)
        broker = Broker(self._url or factory.broker, factory.cid, factory.claim_secret, tls)
        nonce = secrets.token_hex(16)
        async with broker.client() as client:
            await subscribe(client, str(Topic(Kind.CLAIM_RESP, factory.cid)))
            await client.publish(
                str(Topic(Kind.CLAIM_REQ, factory.cid)),
                claim.request(factory, nonce),
                qos=1,
                properties=expiry(Kind.CLAIM_REQ),
            )
            self._say("claiming", serial=factory.serial)
            async with asyncio.timeout(ANSWER_LIMIT_S):
                async for message in client.messages:
                    raw = message.payload
                    assert isinstance(raw, (bytes, bytearray))
                    return bytes(raw), claim.accept(bytes(raw), factory, nonce)
        raise TimeoutError("no answer")


def tls_context(membership: Membership, factory: Factory) -> ssl.SSLContext:
    """TLS towards the broker, with our certificate; openssl wants it in a file."""
    context = ssl.create_default_context(cadata=membership.broker_ca)
    key = claim.identity_key(factory).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with tempfile.NamedTemporaryFile() as file:  # of mode 0600, and gone at once
        file.write("".join(membership.certificates).encode() + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _pauses() -> Iterator[float]:
    yield from _PAUSES_S
    while True:
        yield _PAUSES_S[-1]
