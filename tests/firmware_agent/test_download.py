"""Downloads cut anywhere, resumed from what was durable; images that are not what they should be."""

import hashlib
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from firmware_agent.download import (
    FSYNC_EVERY,
    Content,
    Download,
    InterruptedDownloadError,
    WithdrawnError,
    WrongImageError,
)
from firmware_agent.files import MemoryFiles
from tests.firmware_agent.cut_files import UNSYNCED, CutFiles, PowerCut
from tests.firmware_agent.repository import Faults, served

IMAGE = random.Random(1).randbytes(3 * FSYNC_EVERY + 12345)
CONTENT = Content(hashlib.sha256(IMAGE).hexdigest(), len(IMAGE))


class Scene:
    def __init__(self, directory: Path, url: str, faults: Faults) -> None:
        (directory / "images").mkdir()
        (directory / "images" / CONTENT.sha256).write_bytes(IMAGE)
        self.url, self.faults = f"{url}/images", faults
        self.offsets: list[int] = []

    def fetch(self, files: MemoryFiles | CutFiles) -> None:
        pool = urllib3.PoolManager()
        Download(files, pool, self.url).fetch(CONTENT, "image", self.offsets.append)

    def fetch_in_pieces(self, files: MemoryFiles | CutFiles) -> int:
        for attempt in range(100):
            try:
                self.fetch(files)
            except InterruptedDownloadError:
                continue
            return attempt
        raise AssertionError("never completed")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with served(tmp_path) as (url, faults):
        yield Scene(tmp_path, url, faults)


def test_cut_at_random_bytes_and_resumed(scene: Scene) -> None:
    chance = random.Random(7)
    for _ in range(10):
        files = MemoryFiles()
        cuts = [chance.randrange(0, len(IMAGE) // 3) for _ in range(chance.randrange(1, 5))]
        scene.faults.cuts, scene.faults.requests = list(cuts), []
        assert scene.fetch_in_pieces(files) == len(cuts)
        assert files.read("image") == IMAGE
        # What was there was not asked for again.
        asked = [int(each.split("bytes=")[1][:-1]) for each in scene.faults.requests if "=" in each]
        assert asked == sorted(asked)
        assert not sum(cuts) or asked[-1] == sum(cuts)


@pytest.mark.parametrize("unsynced", UNSYNCED)
def test_power_cut_at_every_step_of_a_download(scene: Scene, unsynced: str) -> None:
    for step in itertools.count():  # the network decides into how many writes an image comes
        files = CutFiles(cut_at=step)
        try:
            scene.fetch(files)
        except PowerCut:
            found = files.after_cut(unsynced)
            scene.fetch(found)
            assert found.read("image") == IMAGE, files.log[-1]
        else:
            break
    assert step > 15


def test_resume_goes_on_at_the_fsynced_offset(scene: Scene) -> None:
    files = CutFiles()
    scene.faults.cuts = [2 * FSYNC_EVERY + 999]
    with pytest.raises(InterruptedDownloadError):
        scene.fetch(files)
    # Behind the mark the storage holds nonsense.
    files.write("image", b"nonsense" * 100, 2 * FSYNC_EVERY + 999)
    scene.fetch(files)
    assert files.read("image") == IMAGE
    assert f"bytes={2 * FSYNC_EVERY + 999}-" in scene.faults.requests[-1]


def test_what_is_marked_outlives_a_power_cut(scene: Scene) -> None:
    files = CutFiles()
    scene.faults.cuts = [2 * FSYNC_EVERY + 999]
    with pytest.raises(InterruptedDownloadError):
        scene.fetch(files)
    found = files.after_cut("lost")
    scene.fetch(found)
    assert found.read("image") == IMAGE
    assert f"bytes={2 * FSYNC_EVERY + 999}-" in scene.faults.requests[-1]


def test_changed_prefix_starts_over(scene: Scene) -> None:
    files = MemoryFiles()
    scene.faults.cuts = [FSYNC_EVERY + 10]
    with pytest.raises(InterruptedDownloadError):
        scene.fetch(files)
    files.write("image", b"\0", 5)
    scene.fetch(files)
    assert files.read("image") == IMAGE
    assert "bytes" not in scene.faults.requests[-1]


def test_server_that_ignores_range_sends_all_again(scene: Scene) -> None:
    files = MemoryFiles()
    scene.faults.cuts, scene.faults.ignore_range = [FSYNC_EVERY], True
    assert scene.fetch_in_pieces(files) == 1
    assert files.read("image") == IMAGE


@pytest.mark.parametrize("fault", ["oversize", "changed"])
def test_wrong_content_is_dropped(scene: Scene, fault: str) -> None:
    files = MemoryFiles()
    if fault == "oversize":
        scene.faults.append = b"more"
    else:
        scene.faults.flip = True
    with pytest.raises(WrongImageError):
        scene.fetch(files)
    assert files.content == {}


def test_truncated_for_ever_is_never_complete(scene: Scene) -> None:
    scene.faults.cuts = [len(IMAGE) - 1, 0, 0, 0]
    files = MemoryFiles()
    for _ in range(4):
        with pytest.raises(InterruptedDownloadError):
            scene.fetch(files)
    assert files.size("image") == len(IMAGE) - 1


def test_what_nobody_wants_any_more_ends(scene: Scene) -> None:
    pool = urllib3.PoolManager()
    with pytest.raises(WithdrawnError):
        Download(MemoryFiles(), pool, scene.url, lambda: False).fetch(CONTENT, "image", print)


def test_server_errors_and_silence_are_interruptions(scene: Scene) -> None:
    scene.faults.status = 500
    with pytest.raises(InterruptedDownloadError, match="500"):
        scene.fetch(MemoryFiles())
    scene.url = "http://127.0.0.1:9"
    with pytest.raises(InterruptedDownloadError):
        scene.fetch(MemoryFiles())
