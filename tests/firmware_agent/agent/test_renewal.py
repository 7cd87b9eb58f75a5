"""A certificate that ends: asked for in time and with the device's key, and taken only if it is ours."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firmware_agent import certificate
from firmware_agent.certificate import RENEWED
from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.desired import Op
from firmware_agent.messages.reported import AckResult, Event, Evt
from firmware_agent.messages.topics import Kind
from tests.firmware_agent.agent.life import BUILD, DEVICE, SERVICE, TODAY, Life

KEY = Ed25519PrivateKey.generate()
DAY = 86_400


def issue(since: float, until: float, *, name: str = DEVICE, key: Ed25519PrivateKey = KEY) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(since, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(until, datetime.UTC))
        .sign(SERVICE, None)
    )
    return made.public_bytes(Encoding.PEM).decode()


def life(left_days: float, of_days: float = 90, system: float = TODAY) -> Life:
    """A device whose certificate has so many days left."""
    made, until = Life(system=system), TODAY + left_days * DAY
    made.key = KEY
    made.certificate = certificate.read(issue(until - of_days * DAY, until), KEY, DEVICE)
    return made


def asked(of: Life) -> list[str]:
    events = [each.document for each in of.said if each.kind is Kind.EVT]
    return [
        str(each.detail["csr"])
        for each in events
        if isinstance(each, Evt) and each.kind is Event.CERTIFICATE_WANTED
    ]


def acks(of: Life) -> list[AckResult]:
    return [each.document.result for each in of.said if each.kind is Kind.ACK]  # type: ignore[attr-defined]


def test_it_asks_when_a_third_of_its_time_is_left_and_not_before() -> None:
    device = life(left_days=31).boot()
    device.beacon()
    assert asked(device) == []
    device.pass_time(2 * DAY, step=600)
    (csr, *_) = asked(device)
    request = x509.load_pem_x509_csr(csr.encode())
    assert request.is_signature_valid
    assert request.public_key() == KEY.public_key()


def test_it_asks_again_every_six_hours_until_it_is_answered() -> None:
    device = life(left_days=1).boot()
    device.beacon()
    device.pass_time(13 * 3600, step=600)
    assert len(asked(device)) == 3
    device.order(Op.CERTIFICATE, exp=TODAY + DAY, certificate=issue(TODAY, TODAY + 90 * DAY))
    device.pass_time(DAY, step=600)
    assert len(asked(device)) == 3


def test_a_clock_of_2035_that_nobody_signed_has_it_ask_for_nothing() -> None:
    device = life(left_days=80, system=TODAY + 9 * 365 * DAY).boot()
    device.beacon(BUILD)
    device.pass_time(DAY, step=600)
    assert asked(device) == []


def test_what_was_renewed_is_kept_and_attested() -> None:
    device = life(left_days=1).boot()
    device.beacon()
    device.desire(1)
    fresh = issue(TODAY, TODAY + 90 * DAY)
    device.order(Op.CERTIFICATE, certificate=fresh)
    assert acks(device)[-1] is AckResult.DONE
    assert device.files.read(RENEWED)
    told = [each.document for each in device.said if each.kind is Kind.REPORTED][-1]
    assert told.attest.certificate_sha256 == certificate.read(fresh, KEY, DEVICE).sha256  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "pem",
    [
        issue(TODAY, TODAY + 90 * DAY, name="dev-0002"),
        issue(TODAY, TODAY + 90 * DAY, key=Ed25519PrivateKey.generate()),
        issue(TODAY - DAY, TODAY + 3600),
        "no certificate",
    ],
    ids=["another's", "another key", "ends sooner", "unreadable"],
)
def test_a_certificate_that_is_none_of_ours_changes_nothing(pem: str) -> None:
    device = life(left_days=1).boot()
    before = device.agent.renewal.own
    device.order(Op.CERTIFICATE, certificate=pem)
    assert acks(device) == [AckResult.REFUSED]
    assert device.files.read(RENEWED) is None
    assert device.agent.renewal.own is before


def test_a_played_device_without_a_certificate_takes_none() -> None:
    device = Life().boot()
    device.order(Op.CERTIFICATE, certificate=issue(TODAY, TODAY + DAY))
    assert acks(device) == [AckResult.REFUSED]
    with pytest.raises(MessageError):
        device.agent.renewal.take("")
