"""Out of the box: from what the factory wrote to a member of the service.

The request is signed by the device's own key and carries a CSR by it; the answer is signed by a key that the
factory wrote in, and names our nonce. What was answered is kept as it came, and read anew at each start, so a
changed file is found out. Deliberately absent: MQTT, which is `mqtt` and `device`.
"""

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from firmware_agent.messages.claim import (
    ClaimRequest,
    ClaimResponse,
    ClaimResult,
    Factory,
    Membership,
)
from firmware_agent.messages.codec import MessageError
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
    certificate_sha256: str


def identity_key(factory: Factory) -> Ed25519PrivateKey:
    """The device's own key."""
    return Ed25519PrivateKey.from_private_bytes(factory.key)


def seal_key(factory: Factory) -> X25519PrivateKey:
    """The key that secrets are sealed to."""
    return X25519PrivateKey.from_private_bytes(factory.seal_key)


def request(factory: Factory, nonce: str) -> bytes:
    """The signed claim."""
    key = identity_key(factory)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, factory.cid),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, factory.serial),
        ]
    )
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, None)
    public = seal_key(factory).public_key().public_bytes_raw()
    pem = csr.public_bytes(serialization.Encoding.PEM).decode()
    return sign(ClaimRequest(factory.cid, factory.serial, factory.model, pem, public, nonce), key)


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
    certificate = _certificate(membership, factory)
    password = None
    if membership.broker_password_sealed is not None:
        key, generation = seal_key(factory), membership.password_gen
        sealed = membership.broker_password_sealed
        password = unseal(sealed, key, membership.device, "mqtt", generation)
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Member(membership, password, hashlib.sha256(der).hexdigest())


def _certificate(membership: Membership, factory: Factory) -> x509.Certificate:
    """Our certificate: of our key, in our name."""
    try:
        certificate = x509.load_pem_x509_certificate(membership.certificates[0].encode())
    except ValueError as error:
        raise MessageError("membership.certificates[0]", str(error)) from None
    if certificate.public_key() != identity_key(factory).public_key():
        raise MessageError("membership.certificates[0]", "it is of another key")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [each.value for each in names] != [membership.device]:
        raise MessageError("membership.certificates[0]", f"it is not of {membership.device}")
    return certificate
