"""What the TUF client lets pass, with the clock at 1970, today and 2035."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3

from firmware_agent.messages.desired import FirmwareWanted
from firmware_agent.metadata import Found, Metadata, MetadataError, PoolFetcher
from tests.firmware_agent.repository import MODEL, NOW, Faults, Repository, served

UTC_NOW = NOW.timestamp()
IMAGE = b"image" * 1000


class Scene:
    """A repository with one image, served, and a device that looks it up."""

    def __init__(self, directory: Path, url: str, faults: Faults) -> None:
        self.repository = Repository(directory / "repository")
        self.faults = faults
        self.url = url
        self.cache = directory / "cache"
        self.sha256 = self.repository.add("1.1.0", IMAGE, security=2)
        self.metadata_dir = self.repository.directory / "metadata"
        self.root = self.repository.root_json.encode()

    def look_up(self, utc: float = UTC_NOW, model: str = MODEL, **changed: object) -> Found:
        fields = {
            "target": f"{MODEL}/1.1.0.img",
            "version": "1.1.0",
            "sha256": self.sha256,
            "len": len(IMAGE),
            "security_version": 2,
            "rollout": "r1",
        }
        wanted = FirmwareWanted(**(fields | changed))  # type: ignore[arg-type]
        pool = urllib3.PoolManager()
        client = Metadata(self.cache, f"{self.url}/metadata", self.root, PoolFetcher(pool))
        return client.look_up(wanted, model, utc)

    def refusal(self, utc: float = UTC_NOW, **changed: object) -> tuple[str, bool]:
        with pytest.raises(MetadataError) as refusal:
            self.look_up(utc, **changed)  # type: ignore[arg-type]
        return refusal.value.code, refusal.value.may_pass


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with served(tmp_path / "repository") as (url, faults):
        yield Scene(tmp_path, url, faults)


def test_image_is_found_by_the_delegated_role(scene: Scene) -> None:
    found = scene.look_up()
    assert (found.custom.version, found.custom.security_version) == ("1.1.0", 2)
    assert (found.tuf.root, found.tuf.ts) == (1, 2)


def test_expiry_is_judged_at_the_time_that_is_given(scene: Scene) -> None:
    """python-tuf asks the system clock; `metadata` puts trusted time in its place, both ways."""
    scene.repository.expires = NOW + timedelta(days=1)
    scene.repository.write()
    assert scene.look_up(UTC_NOW)
    assert scene.refusal(UTC_NOW + 2 * 86400) == ("expired", True)
    assert scene.refusal(datetime(2035, 1, 1, tzinfo=UTC).timestamp()) == ("expired", True)
    assert scene.look_up(0), "at 1970 nothing has expired: why trusted time has a floor"
    # Expired by the real clock of this machine, valid at the trusted time of the device.
    scene.repository.expires = datetime(2020, 1, 2, tzinfo=UTC)
    scene.repository.write()
    assert scene.look_up(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
    assert scene.refusal(UTC_NOW) == ("expired", True)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", MODEL])
def test_wrongly_signed_role_is_refused(scene: Scene, role: str) -> None:
    scene.repository.write(**{role: "root"})
    assert scene.refusal() == ("metadata", True)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", MODEL])
def test_changed_and_truncated_metadata_are_refused(scene: Scene, role: str) -> None:
    path = scene.metadata_dir / f"{role}.json"
    whole = path.read_text()
    document = json.loads(whole)
    document["signed"]["version"] += 1
    path.write_text(json.dumps(document))
    assert scene.refusal() == ("metadata", True)
    path.write_text(whole[: len(whole) // 2])
    assert scene.refusal() == ("metadata", True)
    path.write_text(whole)
    assert scene.look_up(), "what was refused left nothing behind"


def test_replayed_timestamp_is_refused(scene: Scene) -> None:
    old = {path.name: path.read_bytes() for path in scene.metadata_dir.iterdir()}
    scene.repository.write()
    scene.look_up()
    for name, content in old.items():
        (scene.metadata_dir / name).write_bytes(content)
    assert scene.refusal() == ("replayed", True)


def test_oversize_metadata_is_not_read_to_the_end(scene: Scene) -> None:
    (scene.metadata_dir / "timestamp.json").write_bytes(b" " * 20_000)
    assert scene.refusal() == ("oversize", True)


def test_chain_of_roots_is_walked_after_weeks(scene: Scene) -> None:
    scene.look_up()
    for _ in range(5):
        scene.repository.rotate_root()
    scene.repository.write()
    assert scene.look_up().tuf.root == 6


def test_root_that_the_old_root_did_not_sign_is_refused(scene: Scene) -> None:
    scene.repository.rotate_root()
    path = scene.metadata_dir / "2.root.json"
    document = json.loads(path.read_text())
    document["signatures"] = document["signatures"][:1]  # of the new key only
    path.write_text(json.dumps(document))
    assert scene.refusal() == ("metadata", True)


def test_server_that_is_away_is_asked_again(scene: Scene) -> None:
    scene.faults.status = 503
    assert scene.refusal() == ("unreachable", True)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"sha256": "0" * 64}, "mismatch"),
        ({"len": 7}, "mismatch"),
        ({"security_version": 9}, "mismatch"),
        ({"version": "1.2.0"}, "mismatch"),
        ({"model": "other"}, "model"),
    ],
)
def test_verified_metadata_that_disagree_with_the_document_end_it(
    scene: Scene, changed: dict[str, object], code: str
) -> None:
    assert scene.refusal(**changed) == (code, False)


def test_image_that_is_not_there_yet_is_asked_for_again(scene: Scene) -> None:
    assert scene.refusal(target=f"{MODEL}/9.9.9.img") == ("no_target", True)


def test_custom_part_that_breaks_the_contract_names_the_key(scene: Scene) -> None:
    scene.repository.add("1.1.0", IMAGE, security=2, deltas={"x": {"sha256": "1", "len": 3}})
    with pytest.raises(MetadataError, match=r"custom\.deltas\.x\.sha256"):
        scene.look_up()
