"""Signatures and sealed secrets.

Signed: a DSSE envelope (github.com/secure-systems-lab/dsse, protocol 1.0) with Ed25519. The signature
covers the exact bytes of the payload and its type, so a beacon can't pass as a command; the reader
never canonicalises. Sealed: HPKE base mode (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305;
its `info` names device, purpose and generation, so that a secret can't be moved to another place.
Deliberately absent: several signatures in one envelope; key storage.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Generic, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from firmware_agent.messages.codec import Match, MessageError, Text, Within, encode, parse

KeyId = Annotated[str, Match(r"[0-9a-f]{64}")]


class Verifier(Protocol):
    """What tells whether a signature holds: an Ed25519PublicKey, or what stands for one."""

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raises InvalidSignature."""


Keys = Mapping[str, Verifier]
"""Trusted keys by `key_id`."""

T = TypeVar("T")

_TYPE = "application/vnd.vigie.{}+json"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class SignatureError(MessageError):
    """An envelope that no trusted key signed, or that is signed as another type of document."""


class UnsealError(ValueError):
    """A secret that was sealed to another key, or for another place, or was changed."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of an envelope."""

    keyid: KeyId
    sig: Annotated[bytes, Within(64, 64)]


@dataclass(frozen=True, slots=True)
class Envelope:
    """DSSE: `payload` is the canonical JSON of a document, `payloadType` says which."""

    payloadType: Text  # noqa: N815 -- DSSE's own spelling
    payload: bytes
    signatures: Annotated[tuple[Signature, ...], Within(1, 1)]


@dataclass(frozen=True, slots=True)
class Opened(Generic[T]):
    """A document whose signature holds, with the SHA-256 (hex) of its payload: its identity."""

    document: T
    sha256: str
    keyid: str


def key_id(key: Ed25519PublicKey) -> str:
    """The SHA-256 of the raw public key, hex."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def keys_of(raw: tuple[bytes, ...]) -> Keys:
    """Trusted keys from raw public keys (32 bytes each). Raises MessageError."""
    try:
        keys = [Ed25519PublicKey.from_public_bytes(each) for each in raw]
    except ValueError as error:
        raise MessageError("service_keys", str(error)) from None
    return {key_id(each): each for each in keys}


def sign(document: object, key: Ed25519PrivateKey) -> bytes:
    """The envelope of `document`, as it travels."""
    payload, kind = encode(document), _type_of(type(document))
    signature = Signature(key_id(key.public_key()), key.sign(_pae(kind, payload)))
    return encode(Envelope(kind, payload, (signature,)))


def open_signed(kind: type[T], raw: bytes | bytearray | memoryview, keys: Keys) -> Opened[T]:
    """The document in an envelope that one of `keys` signed. Raises SignatureError before anything of
    the payload is read, MessageError when the payload breaks the contract."""
    payload, keyid = verify(kind, raw, keys)
    return Opened(parse(kind, payload), hashlib.sha256(payload).hexdigest(), keyid)


def verify(kind: type, raw: bytes | bytearray | memoryview, keys: Keys) -> tuple[bytes, str]:
    """The payload of an envelope of this type, unread, and the id of the key that signed it."""
    envelope = parse(Envelope, raw)
    signature, wanted = envelope.signatures[0], _type_of(kind)
    if envelope.payloadType != wanted:
        raise SignatureError("payloadType", f"{wanted} wanted, got {envelope.payloadType}")
    key = keys.get(signature.keyid)
    if key is None:
        raise SignatureError("signatures[0].keyid", f"{signature.keyid[:16]} is not trusted")
    try:
        key.verify(signature.sig, _pae(envelope.payloadType, envelope.payload))
    except InvalidSignature:
        raise SignatureError("signatures[0].sig", "does not hold") from None
    return envelope.payload, signature.keyid


def seal(secret: str, key: X25519PublicKey, device: str, purpose: str, generation: int) -> bytes:
    """Seal `secret` to a device. `purpose` is "sip:LINE" or "mqtt"; see `unseal`."""
    return _SUITE.encrypt(secret.encode(), key, info=_info(device, purpose, generation))


def unseal(sealed: bytes, key: X25519PrivateKey, device: str, purpose: str, generation: int) -> str:
    """The secret. Raises UnsealError when key, device, purpose or generation is another."""
    try:
        return _SUITE.decrypt(sealed, key, info=_info(device, purpose, generation)).decode()
    except (InvalidTag, ValueError):
        raise UnsealError(
            f"{purpose}: the secret of generation {generation} can't be opened"
        ) from None


def _info(device: str, purpose: str, generation: int) -> bytes:
    return f"vigie/v1\n{device}\n{purpose}\n{generation}".encode()


def _type_of(kind: type) -> str:
    return _TYPE.format(kind.__name__.lower())


def _pae(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: lengths before both parts."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
