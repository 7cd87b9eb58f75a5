"""Runs SIPp with the scenarios in `scenarios/`. Its exit code 0 says that every call went as written."""

import subprocess
from pathlib import Path
from typing import Self

from tests.wire.rig import die_with_parent, free_port

SCENARIOS = Path(__file__).with_name("scenarios")


class Sipp:
    """One SIPp process. Leave it as a context manager; `verdict` waits for its end."""

    def __init__(
        self,
        scenario: str,
        remote: str,
        line: str,
        home: Path,
        *,
        dial: str = "",
        calls: int = 1,
        rate: int = 10,
        at_once: int = 4,
        port: int = 0,
        host: str = "127.0.0.1",
        password: str = "",
        limit_s: int = 30,
        stay_s: float = 0.0,
        extra: tuple[str, ...] = (),
    ) -> None:
        self.port = port or free_port(host)
        self._limit_s = limit_s
        self._name = f"{scenario}-{line}-{self.port}"
        self._home = home
        command = [
            "sipp", remote, "-sf", str(SCENARIOS / f"{scenario}.xml"),
            "-i", host, "-p", str(self.port), "-s", dial or line,
            "-au", line, "-ap", password or f"demo-{line}", "-key", "line", line,
            "-d", str(round(stay_s * 1000)), "-m", str(calls), "-r", str(rate), "-l", str(at_once),
            "-timeout", f"{limit_s}s", "-timeout_error", "-nostdin",
            "-trace_err", "-error_file", str(home / f"{self._name}.err"), *extra,
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=(home / f"{self._name}.out").open("wb"),
            stderr=subprocess.STDOUT,
            cwd=home,
            preexec_fn=die_with_parent(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def verdict(self) -> None:
        """Wait for its end. AssertionError, with what it complains of, unless all calls succeeded."""
        code = self._process.wait(self._limit_s + 5)
        assert code == 0, f"sipp {self._name} ended with {code}: {self._complaint()}"

    def _complaint(self) -> str:
        errors = self._home / f"{self._name}.err"
        return errors.read_text("utf-8", "replace")[-3000:] if errors.exists() else "nothing said"
