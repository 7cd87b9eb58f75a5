"""What the settings of every room share: strict frozen models, addresses, secrets.

Settings are read once, at the edge, by `switch.config`; inside, rooms get plain values. A key that
no model knows is an error, because a misspelt limit that is silently ignored is found too late.
Deliberately absent: defaults from the environment, and any way to change a value after loading.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

# systemd names the directory of LoadCredential= by this variable (systemd.exec(5)).
CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MAIL = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


class Section(BaseModel):
    """A part of the configuration file: frozen, and strict about its keys.

    An error never repeats the value that was written, because it may be a password.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True
    )


class HostPort(NamedTuple):
    """Where to listen or to send: an IP literal (IPv6 without brackets) or a name, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_host_port(value: object) -> HostPort:
    """Read "127.0.0.1:5060" or "[::1]:5060". Raises ValueError, naming what is wrong."""
    if isinstance(value, HostPort):
        return value
    if not isinstance(value, str):
        raise ValueError('expected "address:port"')  # noqa: TRY004 (pydantic wants ValueError)
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError('expected "address:port", a port from 0 to 65535')
    if host.startswith("[") and host.endswith("]"):
        try:
            host = str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError as error:
            raise ValueError(f"{host} is no IPv6 address") from error
    elif ":" in host:
        raise ValueError("an IPv6 address is written in brackets, [::1]:5060")
    if not host:
        raise ValueError("the address is missing (0.0.0.0 or [::] listens on all)")
    return HostPort(host, int(port))


def _local_address(value: HostPort) -> HostPort:
    ipaddress.ip_address(value.host)  # a name could resolve to another machine
    return value


def resolve_secret(value: SecretStr) -> SecretStr:
    """Replace "env:NAME" and "credential:NAME" (systemd LoadCredential) by what they name.

    Anything else is the secret itself. Raises ValueError without the secret's text.
    """
    text = value.get_secret_value()
    source, colon, name = text.partition(":")
    if colon and source == "env":
        if not (found := os.environ.get(name)):
            raise ValueError(f"the environment variable {name} is not set")
        return SecretStr(found)
    if colon and source == "credential":
        return SecretStr(_read_credential(name))
    return value


def _read_credential(name: str) -> str:
    directory = os.environ.get(CREDENTIALS_DIRECTORY)
    if not directory:
        raise ValueError(f"credential {name}: {CREDENTIALS_DIRECTORY} is not set (systemd sets it)")
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError("a credential's name has letters, digits, '.', '_' and '-' only")
    try:
        return (Path(directory) / name).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"credential {name}: {error.strerror}") from error


def _identifier(value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError("an id has 1 to 64 letters, digits, '.', '_' and '-'")
    return value


def _e164(value: str) -> str:
    if not _E164.fullmatch(value):
        raise ValueError("a number is written in E.164 with +, like +33199000101")
    return value


def _mail_address(value: str) -> str:
    if not _MAIL.fullmatch(value):
        raise ValueError("an e-mail address is name@domain, without a display name")
    return value


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value))


Address = Annotated[HostPort, BeforeValidator(parse_host_port)]
"""A host (IP literal or name) and a port, from "host:port"."""
ListenAddress = Annotated[
    HostPort, BeforeValidator(parse_host_port), AfterValidator(_local_address)
]
"""An IP literal of this machine and a port."""
Secret = Annotated[SecretStr, AfterValidator(resolve_secret)]
"""A secret, or "env:NAME" or "credential:NAME" that say where it is; never shown."""
Identifier = Annotated[str, AfterValidator(_identifier)]
E164 = Annotated[str, AfterValidator(_e164)]
Network = Annotated[str, AfterValidator(_network)]
"""A CIDR block without host bits, "192.0.2.0/24"."""
MailAddress = Annotated[str, AfterValidator(_mail_address)]
"""An e-mail address, name@domain."""
