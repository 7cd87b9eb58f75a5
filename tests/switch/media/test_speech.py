from collections.abc import Mapping
from pathlib import Path

import pytest

from switch.media import speech
from switch.media.catalogue import Announcement
from switch.media.speech import SpeechProcess

HI = Announcement("hi", (("fr", "Oui."),), 1, 250)


def test_without_espeak_it_names_what_will_not_be_heard(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notes: list[tuple[str, Mapping[str, object]]] = []
    monkeypatch.setattr(speech, "find_speech", lambda: None)
    process = SpeechProcess(tmp_path, lambda event, fields: notes.append((event, fields)))
    process.want([HI])
    process.tick()
    process.tick()
    assert notes == [
        ("media.sounds_failed", {"reason": "espeak-ng is not installed", "missing": ["hi"]})
    ]
    assert not process.is_busy


def test_nothing_is_started_for_what_is_up_to_date(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(speech, "find_stale", lambda cache, wanted: [])
    process = SpeechProcess(tmp_path, lambda event, fields: None)
    process.want([HI])
    process.tick()
    assert not process.is_busy
