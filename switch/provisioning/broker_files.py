"""What a private Mosquitto is told: its configuration, who may log in, and who may read or write what.

Rights are FIRMWARE.md section 1: a device reaches its own topics, a one-time claim credential its own
claim topics, the switch everything below the prefix. A user's name is its client id, so nobody can take
another's session over. Retained messages and queues are not kept on disk: the database is the truth, and
desired documents are published again after a start.
Deliberately absent: TLS with device certificates in place of passwords, which a broker of one's own
(`[mqtt] url`) may ask for.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_agent.messages.topics import BEACON, DEVICE_READS, DEVICE_WRITES, PREFIX, Kind
from switch.settings import HostPort

CONFIGURATION = "mosquitto.conf"
PASSWORDS = "passwords"
RIGHTS = "acl"
# Passwords here are 256 random bits: stretching them would cost a storm of 10,000 connections its
# seconds and an attacker nothing.
_ITERATIONS = 1
_SALT_BYTES = 12


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A listener with TLS: PEM files of the chain, the key and our authority."""

    address: HostPort
    certificate: Path
    key: Path
    authority: Path


def configuration(directory: Path, listen: HostPort, tls: Encrypted | None, user: str) -> str:
    """mosquitto.conf (mosquitto.conf(5), version 2). `user` is whom a broker started by root becomes."""
    lines = [
        f"user {user}",
        "per_listener_settings false",
        "allow_anonymous false",
        f"password_file {directory / PASSWORDS}",
        f"acl_file {directory / RIGHTS}",
        "persistence false",
        "set_tcp_nodelay true",
        "max_keepalive 3600",
        "max_packet_size 131072",
        # The switch is a subscriber of everything: it may fall behind a storm of 10,000 devices.
        "max_queued_messages 200000",
        "max_inflight_messages 1000",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        # What is set for no listener opens a default one: this stands below each.
        f"listener {listen.port} {listen.host}",
        "use_username_as_clientid true",
    ]
    if tls is not None:
        lines += [
            f"listener {tls.address.port} {tls.address.host}",
            "use_username_as_clientid true",
            f"certfile {tls.certificate}",
            f"keyfile {tls.key}",
            f"cafile {tls.authority}",
            "tls_version tlsv1.2",
        ]
    return "\n".join(lines) + "\n"


def rights(switch: str) -> str:
    """The ACL. Patterns hold for every user: what %u stands for is the name that it logged in with."""
    lines = [f"user {switch}", f"topic readwrite {PREFIX}/#", ""]
    lines += [f"pattern read {PREFIX}/d/%u/{kind}" for kind in DEVICE_READS]
    lines += [f"pattern write {PREFIX}/d/%u/{kind}" for kind in DEVICE_WRITES]
    lines += [f"pattern read {BEACON}"]
    lines += [f"pattern write {PREFIX}/claim/%u/{Kind.CLAIM_REQ}"]
    lines += [f"pattern read {PREFIX}/claim/%u/{Kind.CLAIM_RESP}"]
    return "\n".join(lines) + "\n"


def hashed(password: str) -> str:
    """A password as mosquitto_passwd writes it: $7$, PBKDF2 with SHA-512."""
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    salted, found = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${_ITERATIONS}${salted}${found}"


def passwords(users: Mapping[str, str]) -> str:
    """The password file: user -> `hashed`."""
    return "".join(f"{name}:{found}\n" for name, found in users.items())


def write_private(path: Path, text: str | bytes) -> None:
    """Replace a file whole; nobody else may read it, not even for a moment."""
    content = text.encode() if isinstance(text, str) else text
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def write(
    directory: Path,
    listen: HostPort,
    tls: Encrypted | None,
    switch: str,
    users: Mapping[str, str],
    user: str,
) -> Path:
    """Write all three files; return the configuration's path."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(directory / PASSWORDS, passwords(users))
    write_private(directory / RIGHTS, rights(switch))
    path = directory / CONFIGURATION
    write_private(path, configuration(directory.absolute(), listen, tls, user))
    return path
