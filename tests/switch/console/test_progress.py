"""Bars: what the switch counted, on a terminal only."""

import threading
from typing import Any, cast

import pytest

from switch.console import progress
from switch.console.desk import Desk
from switch.provisioning.work import Work


class SlowDesk:
    """A command that hashes in three steps, each after it was looked at."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.looks: list[dict[str, Any]] = []
        self._seen = threading.Semaphore(0)
        self._work = Work()

    def ask_object(self, command: str, **args: object) -> dict[str, object]:
        if command == "firmware.work":
            self.looks.append(self._work.shown())
            self._seen.release()
            return self._work.shown()
        if not self.as_json and progress.has_terminal():
            for part, total in (("bytes hashed", 3), ("deltas made", 2)):
                with self._work.of(part, total):
                    for _ in self._work.over(range(total)):
                        assert self._seen.acquire(timeout=5)
        return {"version": "1.1.0"}


def asked(desk: SlowDesk) -> dict[str, object]:
    return progress.watched(cast("Desk", desk), "firmware.add", path="x")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "has_terminal", lambda: True)
    monkeypatch.setattr(progress, "LOOK_S", 0.01)


@pytest.mark.usefixtures("terminal")
def test_a_bar_shows_what_was_counted(capfd: pytest.CaptureFixture[str]) -> None:
    desk = SlowDesk()
    assert asked(desk) == {"version": "1.1.0"}
    assert {look["done"] for look in desk.looks} >= {0, 1, 2}
    assert {look["total"] for look in desk.looks if look["what"] == "bytes hashed"} == {3}
    told = capfd.readouterr()
    last = told.err.rpartition("bytes hashed")[2]
    assert "3 of 3" in last and "deltas made" in last and "2 of 2" in last
    assert told.out == ""


def test_nothing_on_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    desk = SlowDesk()
    assert asked(desk) == {"version": "1.1.0"}
    assert desk.looks == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_nothing_beside_json(capfd: pytest.CaptureFixture[str]) -> None:
    desk = SlowDesk(as_json=True)
    assert asked(desk) == {"version": "1.1.0"}
    assert desk.looks == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_a_refusal_is_the_commands_own() -> None:
    class Refusing(SlowDesk):
        def ask_object(self, command: str, **args: object) -> dict[str, object]:
            raise SystemExit(1)

    with pytest.raises(SystemExit):
        asked(Refusing())
