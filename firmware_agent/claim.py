"""Out of the box: from what the factory wrote to a member of the service.

The request is signed by the device's own key and carries a CSR by it; the answer is signed by a key that the
factory wrote in, and names our nonce. What was answered is kept as it came, and read anew at each start, so a
changed file is found out. Deliberately absent: MQTT, which is `mqtt` and `device`.
"""

from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent import certificate
from firmware_agent.certificate import Certificate
from firmware_agent.messages.claim import (
    ClaimRequest,
    ClaimResponse,
    ClaimResult,
    Factory,
    Membership,
)
from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.desired import Command, Op
from firmware_agent.messages.envelope import keys_of, open_signed, sign, unseal


class ClaimRefusedError(Exception):
    """The service says no. `result`: refused, or quarantined for a second claim."""

    def __init__(self, result: ClaimResult, reason: str) -> None:
        super().__init__(f"{result.value}: {reason}" if reason else result.value)
        self.result = result


@dataclass(frozen=True, slots=True)
class Member:
    """A claimed device: its membership, and its broker password in the clear."""

    membership: Membership
    password: str | None = field(repr=False)
    certificate: Certificate


def identity_key(factory: Factory) -> Ed25519PrivateKey:
    """The device's own key."""
    return Ed25519PrivateKey.from_private_bytes(factory.key)


def seal_key(factory: Factory) -> X25519PrivateKey:
    """The key that secrets are sealed to."""
    return X25519PrivateKey.from_private_bytes(factory.seal_key)


def request(factory: Factory, nonce: str) -> bytes:
    """The signed claim."""
    key = identity_key(factory)
    csr = certificate.request(key, factory.cid, factory.serial)
    public = seal_key(factory).public_key().public_bytes_raw()
    return sign(ClaimRequest(factory.cid, factory.serial, factory.model, csr, public, nonce), key)


def accept(raw: bytes, factory: Factory, nonce: str | None = None) -> Member:
    """Read the answer, or the kept one (without `nonce`). Raises MessageError for a forged or foreign
    one, ClaimRefusedError."""
    answer = open_signed(ClaimResponse, raw, keys_of(factory.service_keys)).document
    if answer.cid != factory.cid:
        raise MessageError("cid", f"it is for {answer.cid}")
    if nonce is not None and answer.nonce != nonce:
        raise MessageError("nonce", "not the one of the request")
    if answer.result is not ClaimResult.ACCEPTED:
        raise ClaimRefusedError(answer.result, answer.reason)
    membership = answer.membership
    if membership is None:
        raise MessageError("membership", "missing")
    key, path = identity_key(factory), "membership.certificates[0]"
    own = certificate.read(membership.certificates[0], key, membership.device, path)
    password = None
    if membership.broker_password_sealed is not None:
        generation, sealed = membership.password_gen, membership.broker_password_sealed
        password = unseal(sealed, seal_key(factory), membership.device, "mqtt", generation)
    return Member(membership, password, own)


def renewed(raw: bytes, factory: Factory, member: Member) -> Member:
    """The member with the certificate that the kept command `raw` brought, if that ends later. MessageError
    for a command that isn't of the service, to this device, with a certificate of its key."""
    device = member.membership.device
    order = open_signed(Command, raw, keys_of(member.membership.service_keys)).document
    if (order.device, order.op) != (device, Op.CERTIFICATE):
        raise MessageError("op", f"no certificate for {device}")
    pem = str(order.args.get("certificate"))
    fresh = certificate.read(pem, identity_key(factory), device, "args.certificate")
    if fresh.until <= member.certificate.until:
        return member
    chain = (fresh.pem, *member.membership.certificates[1:])
    return replace(
        member, membership=replace(member.membership, certificates=chain), certificate=fresh
    )
