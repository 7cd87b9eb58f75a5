"""Runs `switch.media.sounds` in the background of the switch, one process at a time.

Wanted announcements are handed over as a file in the cache directory; the process skips
those that are up to date. It runs at low priority: a call is always worth more.
Deliberately absent: speech itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import orjson

from switch.media.catalogue import Announcement
from switch.media.lifeline import child_environment
from switch.media.sounds import find_speech, find_stale

WANTED = "wanted.json"


class SpeechProcess:
    """The generation of sounds into `cache`, as seen from the switch."""

    def __init__(self, cache: Path, note: Callable[[str, Mapping[str, object]], None]) -> None:
        self._cache = cache
        self._note = note
        self._wanted: dict[str, Announcement] = {}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being generated or waits for it."""
        return self._child is not None or bool(self._wanted)

    def want(self, wanted: Iterable[Announcement]) -> None:
        """Add announcements; the next `tick` starts on them. A later text wins."""
        self._wanted.update((each.name, each) for each in wanted)

    def tick(self) -> None:
        """Notice the end of a run, and start the next one if anything is wanted."""
        if self._child is not None:
            status = self._child.poll()
            if status is None:
                return
            self._child = None
            self._note(
                "media.sounds_generated" if status == 0 else "media.sounds_failed",
                {"status": status},
            )
        if self._wanted:
            wanted, self._wanted = find_stale(self._cache, self._wanted.values()), {}
            if wanted and find_speech() is None:
                names = [each.name for each in wanted]
                reason = "espeak-ng is not installed"
                self._note("media.sounds_failed", {"reason": reason, "missing": names})
            elif wanted:
                self._start(wanted)

    def kill(self) -> None:
        """End a run that is under way; what it had finished stays valid."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def _start(self, wanted: list[Announcement]) -> None:
        try:
            self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._cache / WANTED
            # Read-backs hold addresses: for the switch's own eyes.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(
                    orjson.dumps([[a.name, a.texts, a.repeats, a.speed_wpm] for a in wanted])
                )
            self._child = subprocess.Popen(  # noqa: S603 -- our own program
                [
                    *(sys.executable, "-m", "switch.media.sounds", str(self._cache)),
                    *("--wanted", str(path), "--parent", str(os.getpid())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
                process_group=0,  # a terminal's Ctrl-C is for the switch
            )
        except OSError as error:
            self._note("media.sounds_failed", {"reason": str(error)})
