"""What tests of the device's program share: a scene of its own for each."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware_agent.repository import served
from tests.firmware_agent.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with served(tmp_path / "web") as (url, faults):
        scene = Scene(tmp_path, url, faults)
        scene.repository.expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
        scene.repository.write()
        try:
            yield scene
        finally:
            scene.close()
