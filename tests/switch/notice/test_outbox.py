"""The file outbox: whole files, one a notice."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from switch.notice import outbox
from switch.notice.delivery import Delivery, SendError


def test_a_notice_is_one_file_however_often_it_is_written(
    tmp_path: Path, delivery: Callable[..., Delivery]
) -> None:
    directory = tmp_path / "outbox"
    other = delivery(notice="another/with a slash")
    for told in ([delivery()], [delivery(), other]):
        for each in told:
            outbox.write(each, directory)
        outbox.publish(told, directory)
    names = sorted(path.name for path in directory.iterdir())
    assert len(names) == 2
    assert all(name.startswith("1700000000000-emergency_call-") for name in names)
    assert all(name.endswith(".json") for name in names)
    content = orjson.loads((directory / outbox.file_name(delivery())).read_bytes())
    assert content["text"] == "Lieu : 2e étage\n"
    assert content["to"] == ["accueil@example.test", "securite@example.test"]
    assert directory.stat().st_mode & 0o077 == 0, "only the switch's user reads who called what"


def test_a_disk_that_does_not_take_it_is_tried_again(
    tmp_path: Path, delivery: Callable[..., Delivery]
) -> None:
    (tmp_path / "outbox").write_text("a file where the directory should be")
    with pytest.raises(SendError):
        outbox.write(delivery(), tmp_path / "outbox")


def test_nothing_appears_that_is_not_on_the_disk_yet(
    tmp_path: Path, delivery: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [delivery(), delivery(notice="another")]
    for each in told:
        outbox.write(each, tmp_path)
    assert not list(tmp_path.glob("*.json"))

    def fails(path: Path, *, is_directory: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outbox, "_sync", fails)
    with pytest.raises(SendError, match="No space left"):
        outbox.publish(told, tmp_path)
    assert not list(tmp_path.glob("*.json"))
    monkeypatch.undo()
    outbox.publish(told, tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == len(list(tmp_path.iterdir())) == 2
