"""The small certificate authority of devices, and the key that signs what they are told.

A device certificate names the device, for the key that the factory recorded and no other; it is what
a device attests, and what a broker of one's own may ask for. Keys stand in the data directory, readable
by the switch only. Deliberately absent: which certificates are revoked, and when one is renewed
(`certificates`).
"""

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from switch.provisioning.broker_files import write_private

DEVICE_DAYS: Final = 730.0
LIST_DAYS: Final = 30  # a list holds so long; it is written anew every day
_AUTHORITY_YEARS: Final = 30
_BACKDATED: Final = datetime.timedelta(days=1)
_NAME: Final = "Vigie devices"


class RequestError(ValueError):
    """A certificate request that isn't what it should be; the message says why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A device's certificate: PEM, SHA-256 of its DER, serial number in hexadecimal, end (UTC ms)."""

    pem: str
    fingerprint: str
    serial: str
    until: int


class Authority:
    """The authority of a data directory, made at the first start. OSError when that can't be done."""

    def __init__(
        self, directory: Path, now: datetime.datetime, device_days: float = DEVICE_DAYS
    ) -> None:
        """`device_days` is how long a device's certificate holds."""
        self.device_days = device_days
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._key = _kept_ec(directory / "ca.key")
        path = directory / "ca.crt"
        if not path.exists():
            write_private(path, self._self_signed(now).public_bytes(Encoding.PEM))
        self.certificate = x509.load_pem_x509_certificate(path.read_bytes())
        self.path = path
        self.signer = _kept_ed(directory / "service.key")

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def service_key(self) -> bytes:
        """The public key that devices trust, raw."""
        return self.signer.public_key().public_bytes_raw()

    def issue(self, csr: str, device: str, identity: bytes, now: datetime.datetime) -> Issued:
        """A certificate for `device`, by a request signed with the key `identity`. RequestError."""
        try:
            request = x509.load_pem_x509_csr(csr.encode())
            key = request.public_key()
            is_signed = request.is_signature_valid
        except (ValueError, TypeError, InvalidSignature) as error:
            raise RequestError(f"the certificate request can't be read: {error}") from None
        if not isinstance(key, Ed25519PublicKey) or key.public_bytes_raw() != identity:
            raise RequestError("the certificate request is for another key than the factory's")
        if not is_signed:
            raise RequestError("the certificate request isn't signed by its key")
        until = (now + datetime.timedelta(days=self.device_days)).replace(microsecond=0)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_named(device))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Issued(
            certificate.public_bytes(Encoding.PEM).decode(),
            sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
            f"{certificate.serial_number:x}",
            round(until.timestamp() * 1000),
        )

    def write_list(self, revoked: Iterable[tuple[str, bool]], now: datetime.datetime) -> Path:
        """Write the list of revoked certificates: serial numbers in hexadecimal, and whether each may
        hold again. Its path. OSError."""
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - _BACKDATED)
            .next_update(now + datetime.timedelta(days=LIST_DAYS))
            .add_extension(x509.CRLNumber(round(now.timestamp())), critical=False)
        )
        for serial, is_held in revoked:
            flag = x509.ReasonFlags
            reason = flag.certificate_hold if is_held else flag.privilege_withdrawn
            made = made.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(int(serial, 16))
                .revocation_date(now - _BACKDATED)
                .add_extension(x509.CRLReason(reason), critical=False)
                .build()
            )
        path = self._directory / "ca.crl"
        write_private(path, made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return path

    def broker_certificate(self, host: str, now: datetime.datetime) -> tuple[Path, Path]:
        """Certificate and key of the broker's TLS listener, made anew at each start."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_named(host))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + datetime.timedelta(days=365 * 2))
            .add_extension(x509.SubjectAlternativeName([_general(host)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        paths = self._directory / "broker.crt", self._directory / "broker.key"
        write_private(paths[0], certificate.public_bytes(Encoding.PEM))
        write_private(paths[1], _pem(key))
        return paths

    def _self_signed(self, now: datetime.datetime) -> x509.Certificate:
        name = _named(_NAME)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + datetime.timedelta(days=365 * _AUTHORITY_YEARS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _kept_ec(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        write_private(path, _pem(ec.generate_private_key(ec.SECP256R1())))
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OSError(f"{path} holds another kind of key")
    return key


def _kept_ed(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        write_private(path, _pem(Ed25519PrivateKey.generate()))
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise OSError(f"{path} holds another kind of key")
    return key
