"""A delta leads from exactly one base to exactly one target, or to nothing."""

import hashlib
import io
import random

import detools
import pytest

from firmware_agent import delta
from firmware_agent.delta import DeltaError, apply
from firmware_agent.files import MemoryFiles

BASE = random.Random(1).randbytes(20_000)
TARGET = BASE[:9000] + b"new code" * 10 + BASE[9500:]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def patch(compression: str = "lzma", target: bytes = TARGET) -> bytes:
    out = io.BytesIO()
    detools.create_patch(io.BytesIO(BASE), io.BytesIO(target), out, compression=compression)
    return out.getvalue()


def run(files: MemoryFiles, target: bytes = TARGET) -> None:
    apply(files, "base", sha256(BASE), "patch", "target", sha256(target), len(target))


def filled(**changed: bytes) -> MemoryFiles:
    files = MemoryFiles()
    files.content.update({"base": BASE, "patch": patch()} | changed)
    return files


@pytest.mark.parametrize("compression", ["lzma", "none", "crle"])
def test_target_is_made(compression: str) -> None:
    files = filled(patch=patch(compression))
    assert len(files.content["patch"]) < len(TARGET) or compression == "none"
    run(files)
    assert files.read("target") == TARGET


def test_wrong_base_is_refused_before_anything_is_made() -> None:
    files = filled(base=BASE[:-1] + b"?")
    with pytest.raises(DeltaError, match="base"):
        run(files)
    assert "target" not in files.content


def test_result_that_is_not_the_target_is_refused() -> None:
    with pytest.raises(DeltaError, match="not the target"):
        run(filled(patch=patch(target=TARGET[:-1] + b"?")))


def test_result_longer_than_announced_is_refused() -> None:
    with pytest.raises(DeltaError, match="announced"):
        run(filled(patch=patch(target=TARGET + b"?" * 100)))


def test_without_the_library_there_is_no_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "detools", None)
    with pytest.raises(DeltaError, match="not installed"):
        run(filled())


def test_damaged_patches_are_refused() -> None:
    whole, chance = patch(), random.Random(3)
    damaged = [b"", b"x", whole[:50], whole[:-20]]
    for _ in range(60):
        at = chance.randrange(len(whole))
        damaged.append(
            whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :]
        )
    refused = 0
    for each in damaged:
        files = filled(patch=each)
        try:
            run(files)
        except DeltaError:
            refused += 1
        else:  # a bit that meant nothing
            assert files.read("target") == TARGET
    assert refused > 50
