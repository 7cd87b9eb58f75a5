"""Power cut at every write and fsync of an install: a slot always boots."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import pytest

from firmware_agent.files import DiskFiles, Files, MemoryFiles
from firmware_agent.slots import MAX_BOOTS, Image, InstallError, NothingBootableError, Slot, Slots
from tests.firmware_agent.cut_files import UNSYNCED, CutFiles, PowerCut

OLD, NEW = b"old firmware " * 50, b"new firmware " * 60


def image(content: bytes, version: str, security: int = 1) -> Image:
    digest = hashlib.sha256(content).hexdigest()
    return Image(f"m/{version}.img", version, "m", digest, len(content), security)


def chunks(content: bytes) -> list[bytes]:
    return [content[at : at + 100] for at in range(0, len(content), 100)]


def made(files: Files) -> Slots:
    return Slots.manufacture(files, OLD, image(OLD, "1.0.0"))


def install(files: Files) -> None:
    Slots(files).install(chunks(NEW), image(NEW, "1.1.0"))
    Slots(files).arm()


def trial(files: Files) -> None:
    install(files)
    assert Slots(files).boot().image.version == "1.1.0"


def whole_update(files: Files) -> None:
    trial(files)
    Slots(files).confirm()


def crash_loop(files: Files) -> None:
    install(files)
    for _ in range(MAX_BOOTS + 1):
        Slots(files).boot()


def count_steps(life: Callable[[Files], None]) -> int:
    files = CutFiles()
    made(files)
    before = len(files.log)
    life(files)
    return len(files.log) - before


LIVES = [install, trial, whole_update, crash_loop]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
@pytest.mark.parametrize("unsynced", UNSYNCED)
def test_power_cut_at_every_step_leaves_a_slot_that_boots(
    life: Callable[[Files], None], unsynced: str
) -> None:
    steps = count_steps(life)
    assert steps > 20
    for step in range(steps):
        files = CutFiles()
        made(files)
        files.cut_at = len(files.log) + step
        with pytest.raises(PowerCut):
            life(files)
        found = files.after_cut(unsynced)
        booted = Slots(found).boot()
        assert found.read(booted.slot.file) == (OLD if booted.slot is Slot.A else NEW), step
        assert not booted.lost, step
        # And the device can go on: the same update, once more, to its end.
        Slots(found).leave_trial() if booted.is_trial else None
        if Slots(found).flag().good is Slot.A:
            whole_update(found)
        assert Slots(found).boot().image.version == "1.1.0"


@pytest.mark.parametrize("unsynced", UNSYNCED)
def test_second_power_cut_while_recovering_from_the_first(unsynced: str) -> None:
    """Every pair of cuts: the newest state is never in the copy that is overwritten."""
    steps = count_steps(install)
    for first in range(0, steps, 3):
        for second in range(6):
            files = CutFiles()
            made(files)
            files.cut_at = len(files.log) + first
            with pytest.raises(PowerCut):
                install(files)
            again = files.after_cut(unsynced)
            again.cut_at = second
            with contextlib.suppress(PowerCut, InstallError):
                install(again)
            assert Slots(again.after_cut(unsynced)).boot().image.version in ("1.0.0", "1.1.0")


def test_confirmed_slot_stays_after_confirm() -> None:
    files = MemoryFiles()
    made(files)
    whole_update(files)
    booted = Slots(files).boot()
    assert (booted.slot, booted.is_trial, booted.fell_back) == (Slot.B, False, False)


def test_trial_is_left_after_three_boots() -> None:
    files = MemoryFiles()
    made(files)
    install(files)
    seen = [Slots(files).boot() for _ in range(MAX_BOOTS + 2)]
    assert [each.slot for each in seen] == [Slot.B] * MAX_BOOTS + [Slot.A, Slot.A]
    assert [each.fell_back for each in seen] == [False] * MAX_BOOTS + [True, False]


def test_image_damaged_after_install_is_not_booted() -> None:
    files = MemoryFiles()
    made(files)
    install(files)
    files.content[Slot.B.file] = b"x" * len(NEW)
    booted = Slots(files).boot()
    assert booted.slot is Slot.A
    assert booted.fell_back


def test_damaged_good_slot_falls_to_the_other() -> None:
    files = MemoryFiles()
    made(files)
    whole_update(files)
    files.content[Slot.B.file] = b""
    booted = Slots(files).boot()
    assert (booted.slot, booted.lost) == (Slot.A, True)
    files.content[Slot.A.file] = b""
    with pytest.raises(NothingBootableError):
        Slots(files).boot()


@pytest.mark.parametrize(
    ("content", "code"),
    [(NEW + b"x", "oversize"), (NEW[:-1], "hash"), (NEW[:-1] + b"?", "hash"), (b"", "hash")],
    ids=["oversize", "truncated", "changed", "empty"],
)
def test_image_that_is_not_as_announced_is_refused(content: bytes, code: str) -> None:
    files = MemoryFiles()
    made(files)
    with pytest.raises(InstallError) as refusal:
        Slots(files).install(chunks(content), image(NEW, "1.1.0"))
    assert refusal.value.code == code
    with pytest.raises(InstallError, match="holds nothing"):
        Slots(files).arm()
    assert Slots(files).boot().image.version == "1.0.0"


def test_downgrade_under_the_floor_is_refused_before_anything_is_written() -> None:
    files = CutFiles()
    slots = made(files)
    slots.raise_floor(3)
    slots.raise_floor(2)
    assert slots.floor() == 3
    before = list(files.log)
    with pytest.raises(InstallError) as refusal:
        slots.install(chunks(NEW), image(NEW, "1.1.0", security=2))
    assert refusal.value.code == "downgrade"
    assert files.log == before
    assert slots.boot().image.version == "1.0.0", "what runs keeps running, under the floor or not"


def test_confirmed_security_version_is_the_floor() -> None:
    files = MemoryFiles()
    slots = made(files)
    slots.install(chunks(NEW), image(NEW, "1.1.0", security=5))
    slots.arm()
    slots.boot()
    assert slots.floor() == 1, "a trial may still be rolled back"
    slots.confirm()
    assert slots.floor() == 5


def test_slot_on_trial_is_not_overwritten() -> None:
    files = MemoryFiles()
    slots = made(files)
    install(files)
    slots.boot()
    with pytest.raises(InstallError) as refusal:
        slots.install(chunks(NEW), image(NEW, "1.1.0"))
    assert refusal.value.code == "busy"


def test_on_disk(tmp_path) -> None:  # type: ignore[no-untyped-def]
    files = DiskFiles(tmp_path / "state")
    made(files)
    whole_update(files)
    assert Slots(DiskFiles(tmp_path / "state")).boot().image.version == "1.1.0"
    assert (tmp_path / "state" / "slot-b.img").stat().st_mode & 0o077 == 0
    files.replace("x", b"1")
    files.remove("x")
    files.remove("x")
    assert files.read("x") is None


def test_interrupted_install_is_never_armed() -> None:
    """The record stops vouching for a slot before the first byte of it changes."""
    files = MemoryFiles()
    slots = made(files)
    whole_update(files)  # B runs; A still holds what it held

    def breaks_off() -> Iterator[bytes]:
        yield NEW[:100]
        raise OSError("the flash says no")

    with pytest.raises(OSError, match="flash"):
        slots.install(breaks_off(), image(NEW, "1.2.0"))
    with pytest.raises(InstallError, match="holds nothing"):
        slots.arm()
    assert slots.boot().image.version == "1.1.0"
