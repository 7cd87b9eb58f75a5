"""Who becomes one of ours: the whole way of a claim, and every way that it is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_agent.messages.claim import ClaimResult
from firmware_agent.messages.envelope import unseal
from firmware_agent.messages.topics import Kind, Topic
from switch.provisioning.device import Life
from tests.switch.provisioning.house import FakeDevice, House, Keys, csr

NAME = "dev-00000001"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, (NAME, "101"), ("dev-00000002", "102"))


def test_a_device_claims_itself(house: House) -> None:
    device = FakeDevice(house, NAME)
    answer = device.claim()
    assert answer.result is ClaimResult.ACCEPTED
    assert answer.membership is not None
    certificate = x509.load_pem_x509_certificate(answer.membership.certificates[0].encode())
    assert certificate.subject.rfc4514_string() == f"CN={NAME}"
    certificate.verify_directly_issued_by(house.fleet.authority.certificate)
    sealed = answer.membership.broker_password_sealed
    assert sealed is not None
    assert unseal(sealed, device.keys.seal, NAME, "mqtt", answer.membership.password_gen)
    assert house.twin(NAME).device.life is Life.CLAIMED
    assert device.desired().lines[0].line == "101"


def test_the_answer_waits_until_the_broker_knows_the_member(house: House) -> None:
    device = FakeDevice(house, NAME)
    armed = device.arm()
    before = house.users_changed
    house.service.reports.take(Topic(Kind.CLAIM_REQ, armed.cid), device.request())
    assert house.count(Kind.CLAIM_RESP) == 0
    assert house.users_changed > before
    assert NAME in house.fleet.users()
    assert device.answer().result is ClaimResult.ACCEPTED


def test_the_one_time_credential_is_spent_when_the_device_speaks(house: House) -> None:
    device = FakeDevice(house, NAME)
    armed = device.arm()
    assert armed.cid in house.fleet.users()
    device.claim()
    assert armed.cid in house.fleet.users()  # the answer may be lost yet
    device.online()
    assert armed.cid not in house.fleet.users()


def test_a_lost_answer_is_asked_for_again(house: House) -> None:
    device = FakeDevice(house, NAME)
    first, second = device.claim(), device.claim()
    assert first.result is second.result is ClaimResult.ACCEPTED
    assert first.membership is not None and second.membership is not None
    assert second.membership.password_gen == first.membership.password_gen + 1


def test_a_second_claim_is_quarantined(house: House) -> None:
    device = FakeDevice(house, NAME)
    device.join()
    answer = device.claim()
    assert answer.result is ClaimResult.QUARANTINED
    assert answer.membership is None
    assert house.twin(NAME).device.life is Life.CLAIMED  # the first one goes on
    assert house.events("device.clone")


def test_a_claim_by_another_key_is_not_answered(house: House) -> None:
    device = FakeDevice(house, NAME)
    armed = device.arm()
    thief = FakeDevice(house, NAME, Keys.generate())
    thief.armed = armed
    house.service.reports.take(Topic(Kind.CLAIM_REQ, armed.cid), thief.request())
    house.service.admission.answer()
    assert house.count(Kind.CLAIM_RESP) == 0
    assert house.events("device.clone")
    assert house.twin(NAME).device.life is Life.UNCLAIMED


def test_a_certificate_request_for_another_key_is_refused(house: House) -> None:
    device = FakeDevice(house, NAME)
    armed = device.arm()
    request = device.request(csr=csr(Ed25519PrivateKey.generate()))
    house.service.reports.take(Topic(Kind.CLAIM_REQ, armed.cid), request)
    answer = device.answer()
    assert answer.result is ClaimResult.REFUSED
    assert "another key" in answer.reason
    assert house.twin(NAME).device.life is Life.UNCLAIMED


@pytest.mark.parametrize(
    ("change", "word"),
    [({"serial": "S-other"}, "serial"), ({"model": "other"}, "model"), ({"csr": "no PEM"}, "read")],
)
def test_a_request_that_does_not_fit_is_refused(
    house: House, change: dict[str, str], word: str
) -> None:
    device = FakeDevice(house, NAME)
    armed = device.arm()
    house.service.reports.take(Topic(Kind.CLAIM_REQ, armed.cid), device.request(**change))
    answer = device.answer()
    assert answer.result is ClaimResult.REFUSED
    assert word in answer.reason


def test_an_unknown_credential_and_rubbish_are_nothing(house: House) -> None:
    device = FakeDevice(house, NAME)
    armed = device.arm()
    house.service.reports.take(Topic(Kind.CLAIM_REQ, "claim-nobodys"), device.request())
    house.service.reports.take(Topic(Kind.CLAIM_REQ, armed.cid), b"\x00rubbish")
    house.service.admission.answer()
    assert house.count(Kind.CLAIM_RESP) == 0


def test_the_claim_of_one_device_does_not_serve_another(house: House) -> None:
    first, second = FakeDevice(house, NAME), FakeDevice(house, "dev-00000002")
    first.arm()
    second.arm()
    request = first.request()
    assert second.armed is not None
    house.service.reports.take(Topic(Kind.CLAIM_REQ, second.armed.cid), request)
    house.service.admission.answer()
    assert house.count(Kind.CLAIM_RESP) == 0


def test_opening_a_claim_again_takes_the_membership_away(house: House) -> None:
    device = FakeDevice(house, NAME)
    device.join()
    device.arm()
    assert house.twin(NAME).device.life is Life.UNCLAIMED
    assert NAME not in house.fleet.users()
    assert device.claim().result is ClaimResult.ACCEPTED


def test_a_membership_survives_a_kill(house: House) -> None:
    device = FakeDevice(house, NAME)
    device.join()
    again = house.reborn()
    assert again.twin(NAME).device == house.twin(NAME).device
    assert again.fleet.users()[NAME] == house.fleet.users()[NAME]
    assert again.fleet.authority.service_key == house.fleet.authority.service_key


def test_records_hold_no_secret_in_the_clear(house: House) -> None:
    device = FakeDevice(house, NAME)
    device.join()
    assert device.armed is not None and device.membership is not None
    sealed = device.membership.broker_password_sealed
    assert sealed is not None
    password = unseal(sealed, device.keys.seal, NAME, "mqtt", device.membership.password_gen)
    written = b"".join(house.exchange.outbox.journal) + repr(house.exchange.outbox.events).encode()
    for secret in (device.secret(), password, device.armed.secret):
        assert secret.encode() not in written
    assert device.secret() not in repr(house.twin(NAME).device)
    assert replace(device.armed, secret="x") != device.armed
