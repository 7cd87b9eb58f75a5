"""The firmware repository: which images exist, and who signed for them (The Update Framework).

The root and targets keys, and one key for each hardware model, stay in a directory of the operator's
(a stick, a vault) that is needed for `sign` only; a model's key signs that model's images and no others.
Snapshot and timestamp are signed by an online key in the data directory, so a stolen switch can at worst
keep devices from news, and not for longer than these hold. Images stand under their SHA-256.

Deliberately absent: key rotation and thresholds above one (tuf's own tools do these on the same files),
and the way to a device, which is `images`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from firmware_agent.messages.codec import encode, parse
from firmware_agent.messages.desired import MAX_IMAGE
from firmware_agent.messages.image import Delta, ImageCustom
from switch.provisioning import delta
from switch.provisioning.broker_files import write_private
from switch.provisioning.work import Work

ROOT_YEARS: Final = 10
OFFLINE_DAYS: Final = 400  # targets and models: signed anew at each release, at least once a year
MAX_DELTAS: Final = 8  # a device that runs an older image fetches the whole
_CHUNK: Final = 1 << 20
_NUMBER: Final = re.compile(r"\d+")
_WRITER: Final = JSONSerializer(compact=True)
S = TypeVar("S", Root, Targets, Snapshot, Timestamp)


class RepositoryFault(Exception):  # noqa: N818 (told to the operator)
    """What can't be done with the repository; the message says why, without a key."""


@dataclass(frozen=True, slots=True)
class Image:
    """One signed (or staged) image. `deltas` is by the SHA-256 of the base."""

    target: str
    model: str
    version: str
    security_version: int
    sha256: str
    length: int
    deltas: Mapping[str, Delta] = field(default_factory=dict)


class Repository:
    """The repository of a directory; it may be empty. Methods block: they are called in a thread."""

    def __init__(self, directory: Path) -> None:
        self.metadata = directory / "metadata"
        self.images = directory / "images"
        self._staged = directory / "staged.json"
        self._online = directory / "online.key"
        self.known: Mapping[tuple[str, str], Image] = {}
        self.timestamp_version = 0
        self.work = Work()
        self.load()

    @property
    def exists(self) -> bool:
        """Whether anything was ever signed."""
        return (self.metadata / "timestamp.json").exists()

    @property
    def root(self) -> str:
        """The trusted root that a factory writes into devices."""
        return (self.metadata / "root.json").read_text(encoding="utf-8")

    def load(self) -> None:
        """Read what is there."""
        if self.exists:
            self.known = {(image.model, image.version): image for image in self._signed()}
            self.timestamp_version = self._read(Timestamp, "timestamp").signed.version

    def add(
        self, path: Path, model: str, version: str, security_version: int, *, deltas: bool = True
    ) -> Image:
        """Take an image in; it is offered to nobody before it is signed. RepositoryFault; MessageError for
        a model or version that devices couldn't read."""
        custom = ImageCustom(model, version, security_version)
        parse(ImageCustom, encode(custom))
        content, digest = self._take_in(path)
        known = self.known.get((model, version))
        if known is not None and known.sha256 != digest:
            raise RepositoryFault(f"{model} {version} is signed already, with another content")
        self._keep(content, digest)
        found = dict(self._deltas(model, digest, len(content))) if deltas else {}
        custom = replace(custom, deltas=found)
        target = f"{model}/{version}.img"
        staged = self.staged()
        staged[target] = {"sha256": digest, "len": len(content), "custom": encode(custom).decode()}
        write_private(self._staged, json.dumps(staged))
        return _image(target, digest, len(content), custom)

    def staged(self) -> dict[str, Any]:
        """What was added and isn't signed yet, by target."""
        if not self._staged.exists():
            return {}
        return dict(json.loads(self._staged.read_text(encoding="utf-8")))

    def sign(self, keys: Path, now: datetime, hours: float) -> list[str]:
        """Sign what was added with the keys of a directory, which gets those that it lacks; publish it.

        Returns the targets. RepositoryFault when the keys aren't those of this repository.
        """
        staged = self.staged()
        models = {target.split("/")[0] for target in staged} | {model for model, _ in self.known}
        for directory in (self.metadata, self.images, keys):
            directory.mkdir(parents=True, exist_ok=True)
        if not (self.metadata / "root.json").exists():
            self._make_root(keys, now)
        root = self._read(Root, "root").signed
        signer = _key(keys / "targets.key")
        if signer.public_key.keyid not in root.roles["targets"].keyids:
            raise RepositoryFault(f"{keys} holds other keys than those of this repository")
        targets = self._targets(models, keys)
        with self.work.of("models signed", len(models)):
            for model in self.work.over(sorted(models)):
                self._sign_model(model, staged, _key(keys / f"{model}.key"), now)
        self._write(targets, "targets", signer, now + timedelta(days=OFFLINE_DAYS))
        self.refresh(now, hours, force=True)
        self._staged.unlink(missing_ok=True)
        self.load()
        return sorted(staged)

    def refresh(self, now: datetime, hours: float, *, force: bool = False) -> bool:
        """Sign snapshot and timestamp anew when half of their time is over; whether it did."""
        if not force:
            if not self.exists:
                return False
            left = self._read(Timestamp, "timestamp").signed.expires - now
            if left > timedelta(hours=hours / 2):
                return False
        online = _key(self._online)
        expires = now + timedelta(hours=hours)
        snapshot = self._read_or(Snapshot, "snapshot", Snapshot())
        for path in self.metadata.glob("*.json"):
            name = path.name
            if not name[0].isdigit() and name not in _NOT_IN_SNAPSHOT:
                version = Metadata.from_file(str(path)).signed.version
                snapshot.signed.meta[name] = MetaFile(version)
        self._write(snapshot, "snapshot", online, expires)
        timestamp = self._read_or(Timestamp, "timestamp", Timestamp())
        timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
        self._write(timestamp, "timestamp", online, expires)
        self.timestamp_version = timestamp.signed.version
        return True

    # -- images --------------------------------------------------------------------------------

    def _take_in(self, path: Path) -> tuple[bytes, str]:
        """An image and its SHA-256."""
        size, found, content = path.stat().st_size, sha256(), bytearray()
        if not 0 < size <= MAX_IMAGE:
            raise RepositoryFault(f"an image has 1 to {MAX_IMAGE} bytes, this one {size}")
        with path.open("rb") as file, self.work.of("bytes hashed", size):
            while chunk := file.read(_CHUNK):
                found.update(chunk)
                content += chunk
                self.work.done = len(content)
        return bytes(content), found.hexdigest()

    def _keep(self, content: bytes, digest: str) -> None:
        self.images.mkdir(parents=True, exist_ok=True)
        path = self.images / digest
        if not path.exists():
            new = path.with_name(f"{digest}.new")
            new.write_bytes(content)
            new.replace(path)

    def _deltas(self, model: str, digest: str, length: int) -> Iterator[tuple[str, Delta]]:
        """Patches from the newest signed images of the model, where these are worth it. None without
        detools, which not everybody can build: devices then fetch the whole image."""
        if not delta.is_possible():
            return
        images = [each for each in self.known.values() if each.model == model]
        images.sort(key=lambda each: [int(number) for number in _NUMBER.findall(each.version)])
        bases = [each.sha256 for each in images[-MAX_DELTAS:]]
        new = self.images / f"{digest}.delta"
        with self.work.of("deltas made", len(bases)):
            for base in self.work.over(bases):
                path = self.images / base
                if not path.exists() or not delta.make(path, self.images / digest, new):
                    continue
                made = new.read_bytes()
                if len(made) * 2 < length:
                    found = sha256(made).hexdigest()
                    self._keep(made, found)
                    yield base, Delta(found, len(made))
        new.unlink(missing_ok=True)

    def _signed(self) -> Iterator[Image]:
        delegations = self._read(Targets, "targets").signed.delegations
        for model in (delegations.roles or {}) if delegations is not None else ():
            for target, found in self._read(Targets, model).signed.targets.items():
                raw = json.dumps(found.custom).encode()
                custom = parse(ImageCustom, raw, ignore_unknown=True)
                yield _image(target, found.hashes["sha256"], found.length, custom)

    # -- metadata ------------------------------------------------------------------------------

    def _make_root(self, keys: Path, now: datetime) -> None:
        root = Root(expires=now + timedelta(days=365 * ROOT_YEARS), consistent_snapshot=True)
        signer = _key(keys / "root.key")
        root.add_key(signer.public_key, "root")
        root.add_key(_key(keys / "targets.key").public_key, "targets")
        for role in ("snapshot", "timestamp"):
            root.add_key(_key(self._online).public_key, role)
        made = Metadata(root)
        made.sign(signer)
        for name in ("1.root.json", "root.json"):
            made.to_file(str(self.metadata / name), _WRITER)

    def _targets(self, models: set[str], keys: Path) -> Metadata[Targets]:
        """The top level: one delegation for each model."""
        targets = self._read_or(Targets, "targets", Targets())
        signed = targets.signed
        signed.delegations = signed.delegations or Delegations({}, {})
        roles = signed.delegations.roles
        assert roles is not None
        for model in sorted(models):
            if model not in roles:
                roles[model] = DelegatedRole(model, [], 1, terminating=True, paths=[f"{model}/*"])
                signed.add_key(_key(keys / f"{model}.key").public_key, model)
        return targets

    def _sign_model(
        self, model: str, staged: Mapping[str, Any], signer: CryptoSigner, now: datetime
    ) -> None:
        role = self._read_or(Targets, model, Targets())
        for target, told in staged.items():
            if target.startswith(f"{model}/"):
                found = TargetFile(told["len"], {"sha256": told["sha256"]}, target)
                found.unrecognized_fields["custom"] = json.loads(told["custom"])
                role.signed.targets[target] = found
        self._write(role, model, signer, now + timedelta(days=OFFLINE_DAYS))

    def _read(self, kind: type[S], name: str) -> Metadata[S]:
        try:
            found: Any = Metadata.from_file(str(self.metadata / f"{name}.json"))
        except RepositoryError as error:
            raise RepositoryFault(f"{name}.json can't be read: {error}") from None
        if not isinstance(found.signed, kind):
            raise RepositoryFault(f"{name}.json is no metadata of {kind.__name__}")
        metadata: Metadata[S] = found
        return metadata

    def _read_or(self, kind: type[S], name: str, new: S) -> Metadata[S]:
        if (self.metadata / f"{name}.json").exists():
            found = self._read(kind, name)
            found.signed.version += 1
            return found
        return Metadata(new)

    def _write(
        self, metadata: Metadata[S], name: str, signer: CryptoSigner, expires: datetime
    ) -> None:
        """Sign and write a role: first under its version, then the name that is looked at last."""
        metadata.signed.expires = expires.astimezone(UTC).replace(microsecond=0)
        metadata.sign(signer)
        content = metadata.to_bytes(_WRITER)
        for path in (f"{metadata.signed.version}.{name}.json", f"{name}.json"):
            write_private(self.metadata / path, content)


_NOT_IN_SNAPSHOT: Final = ("root.json", "snapshot.json", "timestamp.json")


def _image(target: str, digest: str, length: int, custom: ImageCustom) -> Image:
    security = custom.security_version
    return Image(target, custom.model, custom.version, security, digest, length, custom.deltas)


def _key(path: Path) -> CryptoSigner:
    """The key of a file, made if there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise RepositoryFault(f"{path} holds another kind of key")
    return CryptoSigner(key)
