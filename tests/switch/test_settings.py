"""Addresses, identifiers and secrets, as every section writes them."""

from pathlib import Path

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from switch.settings import (
    CREDENTIALS_DIRECTORY,
    E164,
    HostPort,
    Identifier,
    ListenAddress,
    Network,
    Secret,
    Section,
    parse_host_port,
)


@pytest.mark.parametrize("text", ["127.0.0.1:5060", "[::1]:5060", "sip.example.fr:0"])
def test_addresses_round_trip(text: str) -> None:
    assert str(parse_host_port(text)) == text


@pytest.mark.parametrize(
    "text", ["127.0.0.1", ":5060", "::1:5060", "[::g]:5060", "a:70000", "a:x", "a:-1", 5060]
)
def test_what_is_no_address_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"address|IP|expected"):
        parse_host_port(text)


def test_we_listen_on_literal_addresses_only() -> None:
    listen = TypeAdapter(ListenAddress)
    assert listen.validate_python("0.0.0.0:5060") == HostPort("0.0.0.0", 5060)
    with pytest.raises(ValidationError):
        listen.validate_python("localhost:5060")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (E164, "+33199000101", "0199000101"),
        (E164, "+800112112", "+0123456789"),
        (Identifier, "carrier-1", "carrier 1"),
        (Identifier, "a", ""),
        (Network, "192.0.2.0/24", "192.0.2.1/24"),
        (Network, "2001:db8::/32", "somewhere"),
    ],
)
def test_texts_are_checked(kind: type[str], good: str, bad: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    assert adapter.validate_python(good) == good
    with pytest.raises(ValidationError):
        adapter.validate_python(bad)


class Vault(Section):
    """A section with a secret."""

    secret: Secret


def test_a_secret_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_TEST", "hush")
    assert Vault(secret=SecretStr("env:VIGIE_TEST")).secret.get_secret_value() == "hush"
    monkeypatch.delenv("VIGIE_TEST")
    with pytest.raises(ValidationError, match="VIGIE_TEST is not set"):
        Vault(secret=SecretStr("env:VIGIE_TEST"))


def test_a_secret_may_be_a_systemd_credential(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "line-101").write_text("hush\n")
    monkeypatch.setenv(CREDENTIALS_DIRECTORY, str(tmp_path))
    assert Vault(secret=SecretStr("credential:line-101")).secret.get_secret_value() == "hush"
    for name, message in (("line-102", "No such file"), ("../x", "letters, digits")):
        with pytest.raises(ValidationError, match=message):
            Vault(secret=SecretStr(f"credential:{name}"))
    monkeypatch.delenv(CREDENTIALS_DIRECTORY)
    with pytest.raises(ValidationError, match="systemd sets it"):
        Vault(secret=SecretStr("credential:line-101"))


def test_anything_else_is_the_secret_and_is_not_shown() -> None:
    vault = Vault(secret=SecretStr("a:b"))
    assert vault.secret.get_secret_value() == "a:b"
    assert "a:b" not in repr(vault) + str(vault)


def test_sections_are_frozen_strict_and_silent() -> None:
    with pytest.raises(ValidationError, match="Extra inputs") as caught:
        Vault.model_validate({"secret": "x", "hidden": "demo-101"})
    assert "demo-101" not in str(caught.value)
    with pytest.raises(ValidationError, match="frozen"):
        Vault(secret=SecretStr("x")).secret = SecretStr("y")  # type: ignore[misc]
