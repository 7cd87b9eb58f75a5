"""The certificate of a node that was given none, and the TLS contexts of both directions.

TLS 1.2 and later (RFC 8996); ECDSA P-256, whose handshake costs a tenth of RSA's. Sessions are
resumed by tickets, which OpenSSL issues by itself. Deliberately absent: CRLs and OCSP, ACME.
"""

import datetime
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID: Final = datetime.timedelta(days=3650)  # nobody renews what nobody ordered
_BACKDATED: Final = datetime.timedelta(days=1)  # phones without a clock battery lag


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """Who we expect at the far end of a connection that we open: by which authorities, under which
    name (host name or IP literal) in its certificate (RFC 5922 §7.3)."""

    context: ssl.SSLContext
    name: str


def fault_of(error: ssl.SSLError) -> str:
    """What went wrong in a handshake, in OpenSSL's words for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    return (error.reason or str(error)).replace("_", " ").lower()


def ensure_self_signed(
    directory: Path, names: Sequence[str], now: datetime.datetime
) -> tuple[Path, Path]:
    """Return the paths of a certificate and its key in `directory`, made if they aren't there.

    `names` are host names and IP literals; the first is the common name. `now` is an aware UTC
    time. OSError when the directory can't be written.
    """
    certificate, key = directory / "sip.crt", directory / "sip.key"
    if not (certificate.exists() and key.exists()):
        directory.mkdir(parents=True, exist_ok=True)
        key_pem, certificate_pem = _self_signed(names, now)
        _write_private(key, key_pem)
        certificate.write_bytes(certificate_pem)
    return certificate, key


def server_context(
    certificate: Path, key: Path, authorities: Sequence[Path] = ()
) -> ssl.SSLContext:
    """Return the context of our listeners; peers may show a certificate of one of `authorities`.

    OSError (ssl.SSLError is one) when a file can't be read or doesn't fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    for authority in authorities:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(
    authority: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return the context of connections that we open. The peer's certificate is always verified:
    `authority` replaces the system's, and may be the certificate itself if that is self-signed.

    `certificate` and `key` are what we show when asked. OSError when a file can't be read or doesn't
    fit.
    """
    context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def _self_signed(names: Sequence[str], now: datetime.datetime) -> tuple[bytes, bytes]:
    """Return key and certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALID)
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that never was readable by others, not even for a moment."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
