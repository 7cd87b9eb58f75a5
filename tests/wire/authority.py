"""A certificate authority for a test, and what it signs."""

import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Signed(NamedTuple):
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates of host names; `root` is its own."""

    def __init__(self, home: Path, name: str) -> None:
        self._home = home / name.replace(" ", "-")
        self._home.mkdir()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._start(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.root = self._home / "root.pem"
        self._write(self.root, own.sign(self._key, hashes.SHA256()))

    def sign(self, host: str, is_expired: bool = False) -> Signed:
        """A certificate for a host name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        since = DAY * 400 if is_expired else DAY
        certificate = self._start(subject, key, since).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
        )
        found = Signed(self._home / f"{host}.pem", self._home / f"{host}.key")
        self._write(found.certificate, certificate.sign(self._key, hashes.SHA256()))
        found.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return found

    def _start(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        since: datetime.timedelta = DAY,
    ) -> x509.CertificateBuilder:
        """Valid from so long ago, for two days."""
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - since)
            .not_valid_after(now - since + 2 * DAY)
        )

    @staticmethod
    def _write(path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
