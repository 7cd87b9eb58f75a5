"""The self-signed certificate, and contexts that refuse old TLS."""

import datetime
import ipaddress
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from switch.transport.certificate import client_context, ensure_self_signed, server_context

NOW = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC)


def test_the_certificate_names_the_node_and_is_ecdsa(tmp_path: Path) -> None:
    path, key = ensure_self_signed(tmp_path / "new", ["sip.example.com", "127.0.0.1", "::1"], NOW)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["sip.example.com"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc > NOW + datetime.timedelta(days=365 * 9)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_an_existing_certificate_is_kept(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in ensure_self_signed(tmp_path, ["a"], NOW)]
    second = [path.read_bytes() for path in ensure_self_signed(tmp_path, ["b"], NOW)]
    assert first == second


def test_a_certificate_without_its_key_is_made_anew(tmp_path: Path) -> None:
    path, key = ensure_self_signed(tmp_path, ["a"], NOW)
    before = path.read_bytes()
    key.unlink()
    ensure_self_signed(tmp_path, ["a"], NOW)
    assert path.read_bytes() != before
    server_context(path, key)


def test_contexts(tmp_path: Path) -> None:
    path, key = ensure_self_signed(tmp_path, ["a"], NOW)
    server = server_context(path, key)
    assert server.minimum_version == ssl.TLSVersion.TLSv1_2
    assert server.verify_mode == ssl.CERT_NONE
    assert server_context(path, key, [path]).verify_mode == ssl.CERT_OPTIONAL
    client = client_context()
    assert client.minimum_version == ssl.TLSVersion.TLSv1_2
    assert client.check_hostname
    assert client.verify_mode == ssl.CERT_REQUIRED


def test_a_key_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path, _ = ensure_self_signed(tmp_path / "a", ["a"], NOW)
    _, other = ensure_self_signed(tmp_path / "b", ["b"], NOW)
    with pytest.raises(ssl.SSLError):
        server_context(path, other)
    with pytest.raises(ssl.SSLError):
        client_context(path, path, other)
