"""The repository, as a TUF client of the library sees it: what it accepts, and what it refuses."""

import functools
import http.server
import os
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import detools
import pytest
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError, UnsignedMetadataError
from tuf.ngclient import Updater

from firmware_agent.messages.codec import MessageError
from switch.provisioning import delta
from switch.provisioning.repository import Repository, RepositoryFault
from switch.provisioning.work import Work

MODEL, OTHER = "ooma-office", "grandstream"
NOW = datetime.now(UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "firmware")


def add(
    repository: Repository, keys: Path, version: str, content: bytes, model: str = MODEL
) -> None:
    path = keys.parent / f"{model}-{version}"
    path.write_bytes(content)
    repository.add(path, model, version, 1)
    repository.sign(keys, NOW, 24)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "stick"


@pytest.fixture
def url(repository: Repository) -> Iterator[str]:
    serve = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(repository.metadata.parent)
    )
    serve.func.log_message = lambda *args: None  # type: ignore[attr-defined]
    repository.metadata.mkdir(parents=True)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metadata/"
        server.shutdown()


def updater(repository: Repository, url: str, home: Path, root: str | None = None) -> Updater:
    home.mkdir(exist_ok=True)
    return Updater(str(home), url, bootstrap=(root or repository.root).encode())


def test_a_client_finds_what_was_signed(
    repository: Repository, keys: Path, url: str, tmp_path: Path
) -> None:
    content = os.urandom(10_000)
    add(repository, keys, "1.0.0", content)
    found = updater(repository, url, tmp_path / "client").get_targetinfo(f"{MODEL}/1.0.0.img")
    assert found is not None
    assert (found.length, found.hashes["sha256"]) == (10_000, sha256(content).hexdigest())
    assert found.custom == {"model": MODEL, "version": "1.0.0", "security_version": 1, "deltas": {}}
    assert (repository.images / found.hashes["sha256"]).read_bytes() == content


def test_nothing_is_offered_before_it_is_signed(
    repository: Repository, keys: Path, url: str, tmp_path: Path
) -> None:
    add(repository, keys, "1.0.0", b"first")
    path = tmp_path / "new"
    path.write_bytes(b"second")
    repository.add(path, MODEL, "1.1.0", 1)
    assert (MODEL, "1.1.0") not in repository.known
    client = updater(repository, url, tmp_path / "client")
    assert client.get_targetinfo(f"{MODEL}/1.1.0.img") is None
    assert repository.sign(keys, NOW, 24) == [f"{MODEL}/1.1.0.img"]
    client = updater(repository, url, tmp_path / "client")
    assert client.get_targetinfo(f"{MODEL}/1.1.0.img") is not None


def test_a_models_key_signs_that_model_only(
    repository: Repository, keys: Path, url: str, tmp_path: Path
) -> None:
    add(repository, keys, "1.0.0", b"a")
    add(repository, keys, "1.0.0", b"b", OTHER)
    stolen = (keys / f"{OTHER}.key").read_bytes()
    (keys / f"{MODEL}.key").write_bytes(stolen)
    add(repository, keys, "6.6.6", b"evil")
    with pytest.raises((UnsignedMetadataError, RepositoryError)):
        updater(repository, url, tmp_path / "client").get_targetinfo(f"{MODEL}/6.6.6.img")


def test_an_online_key_alone_makes_no_image(repository: Repository, keys: Path) -> None:
    add(repository, keys, "1.0.0", b"a")
    with pytest.raises(RepositoryFault, match="other keys"):
        repository.sign(keys.parent / "another stick", NOW, 24)


def test_offline_keys_stay_where_they_are(repository: Repository, keys: Path) -> None:
    add(repository, keys, "1.0.0", b"a")
    names = {path.name for path in keys.iterdir()}
    assert names == {"root.key", "targets.key", f"{MODEL}.key"}
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    here = b"".join(
        path.read_bytes() for path in repository.metadata.parent.rglob("*") if path.is_file()
    )
    for path in keys.iterdir():
        assert path.read_bytes().splitlines()[1] not in here


def test_the_same_version_with_another_content_is_refused(
    repository: Repository, keys: Path, tmp_path: Path
) -> None:
    add(repository, keys, "1.0.0", b"a")
    path = tmp_path / "again"
    path.write_bytes(b"b")
    with pytest.raises(RepositoryFault, match="another content"):
        repository.add(path, MODEL, "1.0.0", 1)


def test_a_delta_makes_the_image_from_its_base(repository: Repository, keys: Path) -> None:
    base = os.urandom(100_000)
    content = base[:50_000] + b"patched" + base[50_000:]
    add(repository, keys, "1.0.0", base)
    add(repository, keys, "1.1.0", content)
    deltas = repository.known[MODEL, "1.1.0"].deltas
    delta = deltas[sha256(base).hexdigest()]
    patch = (repository.images / delta.sha256).read_bytes()
    assert len(patch) == delta.len < 1000
    made = BytesIO()
    detools.apply_patch(BytesIO(base), BytesIO(patch), made)
    assert made.getvalue() == content


def test_a_delta_that_saves_nothing_is_not_made(repository: Repository, keys: Path) -> None:
    add(repository, keys, "1.0.0", os.urandom(10_000))
    add(repository, keys, "1.1.0", os.urandom(10_000))
    assert repository.known[MODEL, "1.1.0"].deltas == {}


def test_the_online_signatures_are_renewed_in_time(
    repository: Repository, keys: Path, url: str, tmp_path: Path
) -> None:
    add(repository, keys, "1.0.0", b"a")
    version = repository.timestamp_version
    assert not repository.refresh(NOW + timedelta(hours=11), 24)
    assert repository.refresh(NOW + timedelta(hours=13), 24)
    assert repository.timestamp_version == version + 1
    updater(repository, url, tmp_path / "client").refresh()
    assert Repository(repository.metadata.parent).timestamp_version == version + 1


def test_what_ran_out_is_refused(
    repository: Repository, keys: Path, url: str, tmp_path: Path
) -> None:
    add(repository, keys, "1.0.0", b"a")
    repository.refresh(NOW - timedelta(hours=48), 24, force=True)
    with pytest.raises(ExpiredMetadataError):
        updater(repository, url, tmp_path / "client").refresh()


def test_a_replayed_timestamp_is_refused(
    repository: Repository, keys: Path, url: str, tmp_path: Path
) -> None:
    add(repository, keys, "1.0.0", b"a")
    old = (repository.metadata / "timestamp.json").read_bytes()
    repository.refresh(NOW, 24, force=True)
    updater(repository, url, tmp_path / "client").refresh()
    (repository.metadata / "timestamp.json").write_bytes(old)
    with pytest.raises(RepositoryError):
        updater(repository, url, tmp_path / "client").refresh()


def test_it_is_read_back_after_a_restart(repository: Repository, keys: Path) -> None:
    add(repository, keys, "1.0.0", b"a")
    again = Repository(repository.metadata.parent)
    assert again.known == repository.known
    assert again.root == repository.root


@pytest.mark.parametrize(
    ("model", "version", "content"),
    [
        (MODEL, "newest", b"a"),
        ("../evil", "1.0.0", b"a"),
        ("", "1.0.0", b"a"),
        (MODEL, "1.0.0/../2.0.0", b"a"),
        (MODEL, "1.0.0", b""),
    ],
)
def test_what_no_device_could_read_is_refused_before_anything_is_kept(
    repository: Repository, tmp_path: Path, model: str, version: str, content: bytes
) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises((RepositoryFault, MessageError)):
        repository.add(path, model, version, 1)
    assert repository.staged() == {}
    assert not repository.images.exists()


def test_work_is_counted_in_bytes_deltas_and_models(tmp_path: Path) -> None:
    seen: dict[str, set[tuple[int, int]]] = {}

    class Watched(Work):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "done" and self.what:
                seen.setdefault(self.what, set()).add((self.done, self.total))

    repository = Repository(tmp_path / "firmware")
    for version in ("1.0.0", "1.1.0"):
        image = tmp_path / version
        image.write_bytes(bytes(3 << 20) + version.encode())
        repository.work = Watched()
        repository.add(image, "m", version, 1)
        repository.sign(tmp_path / "keys", datetime.now(UTC), 24)
        assert repository.work.what == ""
    size = (3 << 20) + 5
    assert {(1 << 20, size), (2 << 20, size), (size, size)} <= seen["bytes hashed"]
    assert (1, 1) in seen["deltas made"]
    assert (1, 1) in seen["models signed"]


def test_deltas_are_made_elsewhere_and_from_the_newest_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the switch's own process every call would wait for one; and a device reads 16 at most."""
    asked: list[str] = []

    def make(old: Path, new: Path, patch: Path) -> bool:
        asked.append(old.name)
        patch.write_bytes(b"delta of " + old.name.encode())
        return True

    repository = Repository(tmp_path / "firmware")
    monkeypatch.setattr(delta, "make", make)
    for number in range(12):
        image = tmp_path / "image"
        image.write_bytes(bytes(1000) + str(number).encode())
        asked.clear()
        added = repository.add(image, "m", f"1.{number}.0", 1)
        repository.sign(tmp_path / "keys", datetime.now(UTC), 24)
    newest = [repository.known["m", f"1.{number}.0"].sha256 for number in range(3, 11)]
    assert asked == newest
    assert set(added.deltas) == set(newest)
    assert [path.name for path in repository.images.iterdir() if not path.name.isalnum()] == []


def test_a_delta_that_can_not_be_made_costs_only_the_delta(tmp_path: Path) -> None:
    assert not delta.make(tmp_path / "none", tmp_path / "none", tmp_path / "delta")


def test_the_interpreter_is_free_while_a_delta_is_made(tmp_path: Path) -> None:
    """The longest that another thread waits for its turn, as the loop of calls would."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(random.Random(1).randbytes(1 << 20))
    new.write_bytes(random.Random(2).randbytes(1 << 20))
    pauses = [0.0]
    making = threading.Thread(target=delta.make, args=(old, new, tmp_path / "delta"))
    making.start()
    last = time.monotonic()
    while making.is_alive():
        time.sleep(0.005)
        now = time.monotonic()
        pauses.append(now - last)
        last = now
    assert (tmp_path / "delta").stat().st_size > 0
    assert max(pauses) < 0.5
