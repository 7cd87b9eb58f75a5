"""Signatures hold for exactly what was signed; secrets open in exactly the place they were sealed for."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.messages.codec import MessageError, encode
from firmware_agent.messages.desired import Beacon, Command, Op
from firmware_agent.messages.envelope import (
    SignatureError,
    UnsealError,
    key_id,
    keys_of,
    open_signed,
    seal,
    sign,
    unseal,
)

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEYS = keys_of((KEY.public_key().public_bytes_raw(),))
BEACON = Beacon(1_795_737_600, 7, {"m": 1})
SEALING = X25519PrivateKey.generate()


def test_signed_document_opens_with_its_hash() -> None:
    opened = open_signed(Beacon, sign(BEACON, KEY), KEYS)
    assert opened.document == BEACON
    assert opened.keyid == key_id(KEY.public_key())
    assert opened.sha256 == open_signed(Beacon, sign(BEACON, KEY), KEYS).sha256


def test_signature_is_dsse() -> None:
    """Checked by hand after the DSSE protocol 1.0, so that others can read it."""
    envelope = json.loads(sign(BEACON, KEY))
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    KEY.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed)
    assert payload == encode(BEACON)


def changed(**parts: object) -> bytes:
    return json.dumps(json.loads(sign(BEACON, KEY)) | parts).encode()


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (sign(BEACON, OTHER), "signatures[0].keyid"),
        (sign(Command("dev-0001", "c", 1, Op.WIPE, {}), KEY), "payloadType"),
        (changed(payload=base64.b64encode(encode(Beacon(0, 7, {}))).decode()), "signatures[0].sig"),
        (changed(signatures=[]), "signatures"),
        (changed(signatures=json.loads(sign(BEACON, KEY))["signatures"] * 2), "signatures"),
        (changed(more=1), "more"),
    ],
    ids=["stranger", "other type", "changed", "unsigned", "signed twice", "more"],
)
def test_forged_envelope_is_refused(raw: bytes, path: str) -> None:
    with pytest.raises(MessageError) as refusal:
        open_signed(Beacon, raw, KEYS)
    assert refusal.value.path == path


def test_every_flipped_bit_of_an_envelope_is_found() -> None:
    raw = sign(BEACON, KEY)
    for at in range(len(raw)):
        broken = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        try:
            opened = open_signed(Beacon, broken, KEYS)
        except MessageError:
            continue
        assert opened.document == BEACON, "a bit of base64 that means nothing"


def test_payload_that_breaks_the_contract_is_no_signature_error() -> None:
    bad = Beacon(-1, 7, {})
    with pytest.raises(MessageError) as refusal:
        open_signed(Beacon, sign(bad, KEY), KEYS)
    assert refusal.value.path == "time"
    assert not isinstance(refusal.value, SignatureError)


def test_key_that_is_none_is_refused() -> None:
    with pytest.raises(MessageError, match="service_keys"):
        keys_of((b"short",))


def test_secret_opens_in_its_place_only() -> None:
    sealed = seal("s3crét", SEALING.public_key(), "dev-0001", "sip:109", 2)
    assert unseal(sealed, SEALING, "dev-0001", "sip:109", 2) == "s3crét"
    assert b"s3cr" not in sealed
    assert sealed != seal("s3crét", SEALING.public_key(), "dev-0001", "sip:109", 2)
    for key, device, purpose, generation in (
        (X25519PrivateKey.generate(), "dev-0001", "sip:109", 2),
        (SEALING, "dev-0002", "sip:109", 2),
        (SEALING, "dev-0001", "sip:101", 2),
        (SEALING, "dev-0001", "mqtt", 2),
        (SEALING, "dev-0001", "sip:109", 3),
    ):
        with pytest.raises(UnsealError):
            unseal(sealed, key, device, purpose, generation)
    for broken in (b"", sealed[:-1], sealed[:20], bytes(len(sealed))):
        with pytest.raises(UnsealError, match="sip:109"):
            unseal(broken, SEALING, "dev-0001", "sip:109", 2)
