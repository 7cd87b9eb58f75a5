"""A device's certificate: whether it is ours, how long it holds, and the request for one.

It is always for the key that the factory wrote in: a renewal changes dates and serial number, nothing else.
"""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firmware_agent.messages.codec import MessageError

RENEWED = "certificate"
"""The file of the command that brought the newest certificate, as it came."""
_LEFT = 1 / 3
"""Of its time, when another one is asked for."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM, SHA-256 of its DER (hex), and from when to when it holds (UTC seconds)."""

    pem: str
    sha256: str
    since: float
    until: float

    @property
    def renew_at(self) -> float:
        """When to ask for the next one (UTC seconds)."""
        return self.until - (self.until - self.since) * _LEFT


def read(pem: str, key: Ed25519PrivateKey, device: str, path: str = "certificate") -> Certificate:
    """The certificate of `device` for the public half of `key`. MessageError for any other, at `path`."""
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise MessageError(path, str(error)) from None
    if found.public_key() != key.public_key():
        raise MessageError(path, "it is of another key")
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [each.value for each in names] != [device]:
        raise MessageError(path, f"it is not of {device}")
    return Certificate(
        pem,
        hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest(),
        found.not_valid_before_utc.timestamp(),
        found.not_valid_after_utc.timestamp(),
    )


def request(key: Ed25519PrivateKey, name: str, serial: str = "") -> str:
    """PKCS #10 by `key`, PEM."""
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if serial:
        subject.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    return asked.sign(key, None).public_bytes(Encoding.PEM).decode()
