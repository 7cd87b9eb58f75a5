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
    outbox.write(delivery(), directory)
    outbox.write(delivery(), directory)
    outbox.write(delivery(notice="another/with a slash"), directory)
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
