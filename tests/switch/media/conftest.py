import pathlib

import pytest

from switch.media.catalogue import Announcement, announcements
from switch.media.sounds import find_speech, generate


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The sounds that the wire tests play, spoken once per run; a short one named "blip"."""
    assert find_speech(), "espeak-ng is missing: apt-get install espeak-ng"
    directory = tmp_path_factory.mktemp("sounds")
    wanted = [announcements()[name] for name in ("abroad", "echo")]
    generate(directory, [*wanted, Announcement("blip", (("en", "No."),), 1, 250)])
    return directory
