"""A claim: what the device signs, and which answers it believes."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_agent import claim
from firmware_agent.messages.claim import (
    ClaimRequest,
    ClaimResponse,
    ClaimResult,
    Factory,
    Membership,
)
from firmware_agent.messages.codec import MessageError, encode, parse
from firmware_agent.messages.desired import Command, Op
from firmware_agent.messages.envelope import UnsealError, key_id, open_signed, seal, sign
from tests.firmware_agent.standin import CID, DEVICE, Keys

KEYS = Keys()
FACTORY = KEYS.factory("ooma-office", "mqtt://127.0.0.1:1883", "{}")


def request() -> ClaimRequest:
    public = KEYS.identity.public_key()
    raw = claim.request(FACTORY, "n1")
    return open_signed(ClaimRequest, raw, {key_id(public): public}).document


def answer(
    member: Membership | None = None, key: Ed25519PrivateKey = KEYS.service, **changed: object
) -> bytes:
    found = KEYS.membership(request().csr, "mqtt://h:1", "http://h", "password")
    fields = {"cid": CID, "nonce": "n1", "result": ClaimResult.ACCEPTED, "reason": ""}
    fields["membership"] = member or found  # type: ignore[assignment]
    return sign(ClaimResponse(**(fields | changed)), key)  # type: ignore[arg-type]


def test_request_proves_the_key_of_the_factory_record() -> None:
    found = request()
    csr = x509.load_pem_x509_csr(found.csr.encode())
    assert csr.is_signature_valid
    assert csr.public_key() == KEYS.identity.public_key()
    assert found.seal_key == KEYS.sealing.public_key().public_bytes_raw()


def test_accepted_device_has_its_password_and_its_certificate() -> None:
    member = claim.accept(answer(), FACTORY, "n1")
    assert member.membership.device == DEVICE
    assert member.password == "password"
    assert len(member.certificate.sha256) == 64
    assert "'password'" not in repr(member)
    assert claim.accept(answer(), FACTORY).membership.device == DEVICE, "the kept one, later"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (answer(key=Ed25519PrivateKey.generate()), "signatures[0].keyid"),
        (answer(nonce="n0"), "nonce"),
        (answer(cid="claim-0002"), "cid"),
        (answer(result=ClaimResult.ACCEPTED, membership=None), "membership"),
    ],
    ids=["stranger", "replayed", "another's", "empty"],
)
def test_forged_answer_is_not_believed(raw: bytes, path: str) -> None:
    with pytest.raises(MessageError) as refusal:
        claim.accept(raw, FACTORY, "n1")
    assert refusal.value.path == path


def certificate_command(device: str = DEVICE, op: Op = Op.CERTIFICATE, **changed: object) -> bytes:
    found = KEYS.membership(request().csr, "mqtt://h:1", "http://h", "password")
    args = {"certificate": found.certificates[0]} | changed
    return sign(Command(device, "c1", 0, op, args), KEYS.service)  # type: ignore[arg-type]


def test_a_renewal_counts_only_if_it_is_ours_and_ends_later() -> None:
    member = claim.accept(answer(), FACTORY, "n1")
    assert claim.renewed(certificate_command(), FACTORY, member) is member, "it ends no later"
    short = replace(member.certificate, until=member.certificate.until - 86_400)
    fresh = claim.renewed(certificate_command(), FACTORY, replace(member, certificate=short))
    assert fresh.certificate.until > short.until
    assert fresh.membership.certificates[0] == fresh.certificate.pem


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (certificate_command("dev-0002"), "op"),
        (certificate_command(op=Op.REGISTER), "op"),
        (certificate_command(certificate="nothing"), "args.certificate"),
        (sign(Command(DEVICE, "c1", 0, Op.CERTIFICATE, {}), Ed25519PrivateKey.generate()), "keyid"),
    ],
    ids=["another's", "another command", "unreadable", "stranger"],
)
def test_a_forged_renewal_is_not_believed(raw: bytes, path: str) -> None:
    member = claim.accept(answer(), FACTORY, "n1")
    with pytest.raises(MessageError) as refusal:
        claim.renewed(raw, FACTORY, member)
    assert path in refusal.value.path


@pytest.mark.parametrize("result", [ClaimResult.REFUSED, ClaimResult.QUARANTINED])
def test_no_is_an_answer(result: ClaimResult) -> None:
    with pytest.raises(claim.ClaimRefusedError, match=f"{result.value}: second claim") as refusal:
        claim.accept(answer(result=result, reason="second claim"), FACTORY, "n1")
    assert refusal.value.result is result


def test_certificate_of_another_key_or_name_is_refused() -> None:
    other = Keys(service=KEYS.service)
    foreign = claim.request(other.factory("m", "x", "{}"), "n")
    public = other.identity.public_key()
    csr = open_signed(ClaimRequest, foreign, {key_id(public): public}).document.csr
    good = KEYS.membership(request().csr, "mqtt://h:1", "http://h", "p")
    bad = replace(good, certificates=KEYS.membership(csr, "x", "x", "p").certificates)
    with pytest.raises(MessageError, match="of another key"):
        claim.accept(answer(bad), FACTORY, "n1")
    with pytest.raises(MessageError, match="not of dev-0002"):
        claim.accept(answer(replace(good, device="dev-0002")), FACTORY, "n1")
    with pytest.raises(MessageError, match=r"certificates\[0\]"):
        claim.accept(answer(replace(good, certificates=("x",))), FACTORY, "n1")


def test_password_that_was_sealed_for_another_device_does_not_open() -> None:
    good = KEYS.membership(request().csr, "mqtt://h:1", "http://h", "p")
    sealed = seal("p", KEYS.sealing.public_key(), "dev-0002", "mqtt", 1)
    with pytest.raises(UnsealError):
        claim.accept(answer(replace(good, broker_password_sealed=sealed)), FACTORY, "n1")


def test_factory_file_round_trip_hides_its_keys() -> None:
    assert parse(Factory, encode(FACTORY)) == FACTORY
    for secret in ("once-only", repr(FACTORY.key), repr(FACTORY.seal_key)):
        assert secret not in repr(FACTORY)
