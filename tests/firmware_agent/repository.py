"""A TUF repository of one model in a directory, and a web server that can misbehave."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
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

MODEL = "ooma-office"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
ROLES = ("root", "targets", "snapshot", "timestamp")


class Repository:
    """Everything signed anew at each `write`; `expires` of all but the root."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "metadata").mkdir(parents=True)
        (directory / "images").mkdir()
        self.signers = {role: CryptoSigner.generate_ed25519() for role in (*ROLES, MODEL)}
        self.root = Metadata(Root(expires=NOW + timedelta(days=3650), consistent_snapshot=False))
        for role in ROLES:
            self.root.signed.add_key(self.signers[role].public_key, role)
        self.version = 0
        self.expires = NOW + timedelta(days=30)
        self.images: dict[str, TargetFile] = {}
        self.sign_root()
        self.write()

    def sign_root(self, *more: Any) -> None:
        """Sign the root as it is, also with the keys of the root before it."""
        self.root.signatures.clear()
        for signer in (self.signers["root"], *more):
            self.root.sign(signer, append=True)
        version = self.root.signed.version
        self.root.to_file(str(self.directory / "metadata" / f"{version}.root.json"))

    @property
    def root_json(self) -> str:
        return (self.directory / "metadata" / "1.root.json").read_text()

    def rotate_root(self) -> None:
        """A new root key: the old one signs the new root too."""
        old = self.signers["root"]
        self.signers["root"] = CryptoSigner.generate_ed25519()
        self.root.signed.revoke_key(old.public_key.keyid, "root")
        self.root.signed.add_key(self.signers["root"].public_key, "root")
        self.root.signed.version += 1
        self.sign_root(old)

    def add(self, version: str, content: bytes, security: int = 1, **custom: Any) -> str:
        """An image as a target of MODEL; its SHA-256."""
        path = f"{MODEL}/{version}.img"
        target = TargetFile.from_data(path, content, ["sha256"])
        target.unrecognized_fields["custom"] = {
            "model": MODEL,
            "version": version,
            "security_version": security,
            **custom,
        }
        self.images[path] = target
        self.write()
        return self.put(content)

    def put(self, content: bytes) -> str:
        """Content at its content-addressed place."""
        sha256 = hashlib.sha256(content).hexdigest()
        (self.directory / "images" / sha256).write_bytes(content)
        return sha256

    def write(self, **signed_by: str) -> None:
        """Publish; `signed_by` gives a role a signature of another role's key."""
        self.version += 1
        model = Targets(version=self.version, expires=self.expires, targets=self.images)
        delegation = DelegatedRole(
            MODEL, [self.signers[MODEL].public_key.keyid], 1, True, paths=[f"{MODEL}/*"]
        )
        keys = {delegation.keyids[0]: self.signers[MODEL].public_key}
        top = Targets(
            version=self.version,
            expires=self.expires,
            delegations=Delegations(keys, {MODEL: delegation}),
        )
        meta = {f"{name}.json": MetaFile(self.version) for name in ("targets", MODEL)}
        snapshot = Snapshot(version=self.version, expires=self.expires, meta=meta)
        stamp = Timestamp(
            version=self.version, expires=self.expires, snapshot_meta=MetaFile(self.version)
        )
        for name, signed in (
            (MODEL, model),
            ("targets", top),
            ("snapshot", snapshot),
            ("timestamp", stamp),
        ):
            document: Metadata[Any] = Metadata(signed)
            document.sign(self.signers[signed_by.get(name, name)])
            document.to_file(str(self.directory / "metadata" / f"{name}.json"))


@dataclass
class Faults:
    """What the web server does wrong."""

    cut_after: int | None = None
    """Close the connection after so many bytes of an image, once per entry of `cuts`."""
    cuts: list[int] = field(default_factory=list)
    append: bytes = b""
    flip: bool = False
    ignore_range: bool = False
    status: int = 0
    requests: list[str] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, directory: Path, faults: Faults, *rest: Any) -> None:
        self.root, self.faults = directory, faults
        super().__init__(*rest)

    def do_GET(self) -> None:
        faults, path = self.faults, self.root / self.path.lstrip("/")
        asked = self.headers.get("Range")
        faults.requests.append(f"{self.path} {asked or ''}".strip())
        if not path.is_file() or faults.status:
            self.send_error(faults.status or 404)
            return
        content, offset, is_image = path.read_bytes(), 0, "/images/" in self.path
        if is_image:
            content += faults.append
            content = bytes([content[0] ^ 1]) + content[1:] if faults.flip else content
        if asked and not faults.ignore_range:
            offset = int(asked.removeprefix("bytes=").split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {offset}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - offset))
        self.end_headers()
        body = content[offset:]
        if is_image and faults.cuts:
            body = body[: faults.cuts.pop(0)]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(directory: Path) -> Iterator[tuple[str, Faults]]:
    """A web server of the directory on loopback: its URL, and its faults."""
    faults = Faults()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory, faults))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", faults
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
