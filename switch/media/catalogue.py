"""The announcement catalogue: what each announcement says, and which WAV says it.

The texts are data (`announcements.toml`); the WAVs are generated from them into a cache
directory by `switch.media.sounds`, and an operator's own directory comes before it.
Deliberately absent: any decision about who hears what, which is the core's.
"""

from __future__ import annotations

import re
import tomllib
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
"""A name becomes a file name and arrives in a Request-URI, so it can hold no path; room for a
line's id of 64 characters after "readback-"."""

SAMPLE_RATE_HZ = 8000
"""G.711's rate: nothing above 4 kHz would reach the caller."""

LANGUAGES = ("fr", "en")
"""French first, then English, as the emergency warning requires."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement's text: `texts` is (language, sentence) in the order spoken."""

    name: str
    texts: tuple[tuple[str, str], ...]
    repeats: int = 1
    speed_wpm: int = 160


@dataclass(frozen=True, slots=True)
class Sound:
    """One playable WAV: `duration_s` is for one pass, `repeats` the passes."""

    path: Path
    duration_s: float
    repeats: int

    @property
    def total_s(self) -> float:
        """Seconds from the first sample to the last of the last pass."""
        return self.duration_s * self.repeats


class BadSoundError(Exception):
    """A WAV that cannot be played; the message says which and why."""


def is_name(name: str) -> bool:
    """Whether `name` can name an announcement (it never holds a path separator)."""
    return _NAME.fullmatch(name) is not None


@cache
def announcements() -> Mapping[str, Announcement]:
    """The shipped announcements, by name, in order of generation."""
    table = tomllib.loads(files(__package__).joinpath("announcements.toml").read_text("utf-8"))
    return {name: _announcement(name, entry) for name, entry in table.items()}


def _announcement(name: str, entry: Mapping[str, object]) -> Announcement:
    if not is_name(name):
        raise ValueError(f"announcement {name!r}: not a usable name")
    texts = tuple((lang, str(entry[lang])) for lang in LANGUAGES if lang in entry)
    repeats, speed = entry.get("repeats", 1), entry.get("speed_wpm", 160)
    if not texts or not isinstance(repeats, int) or not isinstance(speed, int) or repeats < 1:
        raise ValueError(f"announcement {name!r}: needs a text, and whole repeats and speed_wpm")
    return Announcement(name, texts, repeats, speed)


def read_duration(path: Path) -> float:
    """Length in seconds of a mono 16-bit PCM WAV.

    Raises BadSoundError when the file is missing or of another kind: the player of
    pjsua2 reads only such files reliably, and a silent emergency warning is worse than
    a refused file.
    """
    try:
        with wave.open(str(path), "rb") as wav:
            if wav.getnchannels() != 1 or wav.getsampwidth() != 2 or wav.getnframes() == 0:
                raise BadSoundError(f"{path}: not a mono 16-bit PCM WAV with sound in it")
            return wav.getnframes() / wav.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise BadSoundError(f"{path}: {error}") from error


class Catalogue:
    """Finds the WAV of an announcement in `directories`, the operator's before the cache.

    A file is read again when its size or time stamp changes, so that a voice can be
    replaced while the switch runs.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        self.directories = tuple(directories)
        self._known: dict[Path, tuple[tuple[int, int], Sound | BadSoundError]] = {}

    def find(self, name: str) -> Sound | None:
        """The sound of `name`, or None when no directory holds a playable one."""
        if not is_name(name):
            return None
        for directory in self.directories:
            found = self._examine(directory / f"{name}.wav", name)
            if isinstance(found, Sound):
                return found
        return None

    def faults(self) -> list[str]:
        """Why files present under a known name are not played; for the operator's eyes."""
        faults: list[str] = []
        for directory in self.directories:
            for name in announcements():
                found = self._examine(directory / f"{name}.wav", name)
                if isinstance(found, BadSoundError):
                    faults.append(str(found))
        return faults

    def _examine(self, path: Path, name: str) -> Sound | BadSoundError | None:
        try:
            stat = path.stat()
        except OSError:
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = (stamp, _read(path, name))
        return known[1]


def _read(path: Path, name: str) -> Sound | BadSoundError:
    shipped = announcements().get(name)
    try:
        return Sound(path, read_duration(path), shipped.repeats if shipped else 1)
    except BadSoundError as error:
        return error
