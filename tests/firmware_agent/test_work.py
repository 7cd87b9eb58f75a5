"""Work in threads: whatever breaks in one is told, so no update stands still unheard."""

from pathlib import Path
from typing import Any

import pytest
import urllib3

from firmware_agent.agent.commands import Download, FetchMetadata, Install
from firmware_agent.files import MemoryFiles
from firmware_agent.messages.image import ImageCustom
from firmware_agent.messages.topics import Kind
from firmware_agent.metadata import Metadata, PoolFetcher
from firmware_agent.slots import Image, Slots
from firmware_agent.work import IMAGE, Outcome, Tools, Work
from tests.firmware_agent.agent.life import MODEL, NEW, Life, firmware, sha256

WANTED = firmware()
CUSTOM = ImageCustom(MODEL, "1.1.0", 1)


class FullFiles(MemoryFiles):
    """Storage on which the download and the inactive slot can't be written."""

    def write(self, name: str, content: bytes, offset: int = 0) -> None:
        if name in (IMAGE, "slot-b.img"):
            raise OSError(28, "No space left on device")
        super().write(name, content, offset)


def scene(tmp_path: Path) -> tuple[Life, Tools]:
    """A device that was offered an image, before any work on it."""
    life = Life(FullFiles()).boot()
    life.beacon()
    life.desire(1)
    life.world.is_busy = True
    life.desire(2, WANTED)
    pool = urllib3.PoolManager()
    metadata = Metadata(tmp_path, "http://127.0.0.1:9", b"no root", PoolFetcher(pool))
    tools = Tools(
        life.files,
        Slots(life.files),
        metadata,
        pool,
        "http://127.0.0.1:9",
        MODEL,
        life.slots.boot(),
    )
    return life, tools


def run(life: Life, tools: Tools, command: Any) -> None:
    def tell(outcome: Outcome) -> None:
        life.do(lambda: outcome(life.agent, life.at))

    Work(tools, tell).run(command)


def last(life: Life) -> tuple[str, str]:
    found = life.documents(Kind.OTA)[-1]
    return found.state.value, found.err.code if found.err else ""


def test_unreadable_root_of_our_own_is_told(tmp_path: Path) -> None:
    life, tools = scene(tmp_path)
    run(life, tools, FetchMetadata(WANTED, 0))
    assert last(life) == ("OFFERED", "metadata")


def test_fault_of_our_own_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life, tools = scene(tmp_path)

    def broken(*_: object) -> None:
        raise TypeError("a fault of our own")

    monkeypatch.setattr(Metadata, "look_up", broken)
    run(life, tools, FetchMetadata(WANTED, 0))
    assert last(life) == ("OFFERED", "internal")
    assert life.agent.update.retry_at is not None


def test_full_storage_fails_an_install_and_leaves_the_device_in_service(tmp_path: Path) -> None:
    life, tools = scene(tmp_path)
    life.files.content[IMAGE] = NEW  # type: ignore[attr-defined]
    life.do(lambda: life.agent.on_metadata(CUSTOM, life.agent.reports.tuf, life.at))
    life.world.is_busy = True
    from firmware_agent.agent.table import UpdateEvent

    life.do(lambda: life.agent.on_update(UpdateEvent.DOWNLOADED, life.at))
    image = Image(WANTED.target, "1.1.0", MODEL, sha256(NEW), len(NEW), 1)
    run(life, tools, Install(image))
    assert last(life) == ("FAILED", "storage")
    assert life.reported.emergency_ready
    assert life.slots.boot().image.version == "1.0.0"


def test_download_from_nowhere_is_suspended(tmp_path: Path) -> None:
    life, tools = scene(tmp_path)
    life.do(lambda: life.agent.on_metadata(CUSTOM, life.agent.reports.tuf, life.at))
    run(life, tools, Download(WANTED, CUSTOM))
    assert last(life) == ("SUSPENDED", "interrupted")


def test_work_that_was_given_up_tells_nothing(tmp_path: Path) -> None:
    life, tools = scene(tmp_path)
    told: list[Outcome] = []
    work = Work(tools, told.append)
    work.give_up()
    work.run(FetchMetadata(WANTED, 0))
    before = list(life.said)
    for each in told:
        life.do(lambda outcome=each: outcome(life.agent, life.at))  # type: ignore[misc]
    assert life.said == before


def test_crash_is_told_after_the_boot() -> None:
    life = Life()
    life.reason = "crash"
    life.boot()
    assert life.events("crash")[0].detail == {"version": "1.0.0"}
