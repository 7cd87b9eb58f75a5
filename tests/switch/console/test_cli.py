"""The command line: exit codes, --json, and where a command is carried out."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner, Result

from switch.console.cli import build
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.house import House
from switch.console.socket import NAME, ControlServer

CDR = {
    "call_id": "c1",
    "account": "demo",
    "line": "101",
    "direction": "outbound",
    "src": "+33199000101",
    "dst": "18",
    "start": 1_700_000_000_000,
    "answer": 1_700_000_001_000,
    "end": 1_700_000_003_500,
    "counted_ms": 2500,
    "disposition": "answered",
    "ending": "ok",
    "hangup_by": "caller",
    "sip_status": 200,
    "emergency": True,
    "exempt_reason": "emergency",
    "estimated": False,
}
USAGE = {
    "line": "101",
    "cycle": {"n": 1, "start": 1, "end": 2},
    "used_ms": 90_000,
    "live_ms": 30_000,
    "by_direction": {"outbound": 90_000},
    "threshold_ms": 300_000_000,
    "crossed": [],
    "state": "active",
}
GOOD = {"errors": [], "tests": {"passed": 3, "failed": []}}
BAD = {
    "errors": [{"file": "vigie.toml", "line": 7, "key": "sip.udp", "message": "no such address"}],
    "tests": {"passed": 0, "failed": []},
}


@dataclass
class Fake:
    """A house whose use cases are written down, and what they were asked."""

    answers: dict[str, object]
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    runs: list[tuple[Path, Path]] = field(default_factory=list)

    def use_cases(self) -> Mapping[str, UseCase]:
        return {name: self._answering(name) for name in self.answers}

    def _answering(self, name: str) -> Callable[[Args], object]:
        def answer(args: Args) -> object:
            self.asked.append((name, dict(args)))
            result = self.answers[name]
            if isinstance(result, CommandRefused):
                raise result
            return result

        return answer

    def house(self) -> House:
        def run(config: Path, data: Path) -> int:
            self.runs.append((config, data))
            return 3

        return House(run=run, offline=lambda config, data: self.use_cases(), version="1.2")


def vigie(fake: Fake, data: Path, *arguments: str) -> Result:
    app = build(typer.Typer(name="demo"))
    return CliRunner().invoke(app, [*arguments, "--data", str(data)], obj=fake.house())


@contextmanager
def running(fake: Fake, data: Path) -> Iterator[None]:
    """A switch that runs, as far as its socket shows."""
    started, stopped = threading.Event(), threading.Event()

    async def serve() -> None:
        server = ControlServer(data / NAME, fake.use_cases())
        await server.start()
        started.set()
        await asyncio.to_thread(stopped.wait)
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(5)
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _json(result: Result) -> Any:
    return orjson.loads(result.stdout)


def test_run_returns_the_exit_code_of_the_switch(tmp_path: Path) -> None:
    fake = Fake({})
    assert vigie(fake, tmp_path, "run", "--config", "/c").exit_code == 3
    assert fake.runs == [(Path("/c"), tmp_path)]


@pytest.mark.parametrize("arguments", [("reg", "list"), ("cdr", "list"), ("run",)])
def test_data_that_is_a_file(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "file"
    path.touch()
    result = vigie(Fake({}), path, *arguments)
    assert result.exit_code == 2
    assert f"--data {path} is no directory" in result.stderr


def test_a_live_question_without_a_switch(tmp_path: Path) -> None:
    result = vigie(Fake({}), tmp_path, "reg", "list")
    assert result.exit_code == 1
    assert "not_running" in result.stderr


def test_explain_works_offline_and_succeeds_for_a_refusal(tmp_path: Path) -> None:
    answer = {"class": "national", "action": "refuse", "reason": "suspended", "clause": "2(k)(a)"}
    fake = Fake({"explain.call": answer})
    result = vigie(
        fake, tmp_path, "explain", "call", "--line", "105", "--dial", "0145678901",
        "--at", "2026-03-01T12:00:00+01:00", "--json",
    )  # fmt: skip
    assert result.exit_code == 0
    assert _json(result) == answer
    assert fake.asked == [
        ("explain.call", {"line": "105", "dial": "0145678901", "at": 1_772_362_800_000})
    ]


def test_explain_for_people_names_reason_and_clause(tmp_path: Path) -> None:
    answer = {
        "line": "105", "dialled": "0145678901", "source_ip": "127.0.0.1", "rule": "line_state",
        "class": "national", "action": "refuse", "reason": "suspended", "clause": "2(k)(a)",
        "announcement": "suspended", "override_key": "", "destination": "", "location": None,
        "evidence": {"level": "E3", "signals": []}, "alerts": [], "targets": [],
        "steps": [{"rule": "account_state", "verdict": "refuse", "because": "suspended [since]"}],
    }  # fmt: skip
    arguments = ("explain", "call", "--line", "105", "--dial", "0145678901")
    text = vigie(Fake({"explain.call": answer}), tmp_path, *arguments).stdout
    for word in ("Refused (suspended)", "terms 2(k)(a)", "account_state", "[since]"):
        assert word in text


@pytest.mark.parametrize(
    ("options", "code", "asked"),
    [
        (("--country", "DE", "--until", "2026-03-01T12:00:00", "--by", "ops"), 0,
         {"line": "101", "country": "DE", "until": 1_772_366_400_000, "by": "ops"}),
        (("--clear", "--by", "ops"), 0, {"line": "101", "clear": True, "by": "ops"}),
        ((), 2, None),
        (("--country", "DE", "--clear"), 2, None),
        (("--country", "DE", "--until", "soon"), 2, None),
    ],
)  # fmt: skip
def test_line_declare(
    tmp_path: Path, options: tuple[str, ...], code: int, asked: dict[str, object] | None
) -> None:
    fake = Fake({"line.declare": {"line": "101", "place": ""}})
    with running(fake, tmp_path):
        assert vigie(fake, tmp_path, "line", "declare", "101", *options).exit_code == code
    assert fake.asked == ([("line.declare", asked)] if asked else [])


def test_a_moment_that_is_none(tmp_path: Path) -> None:
    result = vigie(
        Fake({}), tmp_path, "explain", "call", "--line", "1", "--dial", "18", "--at", "soon"
    )
    assert result.exit_code == 2


def test_missing_arguments_are_usage_errors(tmp_path: Path) -> None:
    assert vigie(Fake({}), tmp_path, "usage", "show").exit_code == 2
    assert vigie(Fake({}), tmp_path, "usage", "shwo", "101").exit_code == 2


@pytest.mark.parametrize(("answer", "code"), [(GOOD, 0), (BAD, 2)])
def test_check(tmp_path: Path, answer: dict[str, object], code: int) -> None:
    fake = Fake({"config.check": answer})
    assert vigie(fake, tmp_path, "check").exit_code == code
    assert vigie(fake, tmp_path, "config", "check", "--json").exit_code == code
    if code:
        assert "vigie.toml:7: sip.udp: no such address" in vigie(fake, tmp_path, "check").stdout


def test_check_asks_the_files_even_if_a_switch_runs(tmp_path: Path) -> None:
    with running(Fake({"config.check": GOOD}), tmp_path):
        assert vigie(Fake({"config.check": BAD}), tmp_path, "check").exit_code == 2


def test_a_running_switch_answers_before_the_files(tmp_path: Path) -> None:
    with running(Fake({"usage.show": USAGE}), tmp_path):
        result = vigie(Fake({"usage.show": {}}), tmp_path, "usage", "show", "101", "--json")
    assert _json(result) == USAGE


def test_usage_for_people(tmp_path: Path) -> None:
    text = vigie(Fake({"usage.show": USAGE}), tmp_path, "usage", "show", "101").stdout
    assert "1 min 30.0 s of 5000 min" in text


def test_a_refusal_ends_with_one_and_says_why(tmp_path: Path) -> None:
    refusal = CommandRefused("unchanged", "line 105 is suspended already")
    with running(Fake({"line.suspend": refusal}), tmp_path):
        result = vigie(Fake({}), tmp_path, "line", "suspend", "105", "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stderr) == {
        "error": "line 105 is suspended already",
        "slug": "unchanged",
    }


def test_a_line_is_suspended_by_somebody(tmp_path: Path) -> None:
    fake = Fake({"line.suspend": {"line": "101", "state": "suspended"}})
    with running(fake, tmp_path):
        result = vigie(Fake({}), tmp_path, "line", "suspend", "101", "--by", "ana")
    assert result.stdout == "line 101 is suspended\n"
    assert fake.asked == [
        ("line.suspend", {"line": "101", "ground": "2(k)(a)", "by": "ana"}),
    ]


@pytest.mark.parametrize(
    ("used_ms", "says"),
    [
        (299_999_999, "4999 min 59.9 s of 5000 min (99.9%)"),
        (300_000_000, "5000 min of 5000 min (100.0%)"),
        (60_001, "1 min 0.0 s of 5000 min (0.0%)"),
    ],
)
def test_what_shows_as_reached_was_reached(tmp_path: Path, used_ms: int, says: str) -> None:
    fake = Fake({"usage.show": {**USAGE, "used_ms": used_ms}})
    assert says in vigie(fake, tmp_path, "usage", "show", "101").stdout


def test_cdr_list_and_export(tmp_path: Path) -> None:
    fake = Fake({"cdr.list": [CDR]})
    assert _json(vigie(fake, tmp_path, "cdr", "list", "--json")) == [CDR]
    assert _json(vigie(fake, tmp_path, "cdr", "export", "--json")) == [CDR]
    assert vigie(fake, tmp_path, "cdr", "export", "--to", str(tmp_path / "c.csv")).exit_code == 0
    head, row = (tmp_path / "c.csv").read_text().splitlines()
    values = dict(zip(head.split(","), row.split(","), strict=True))
    assert values["destination_number"] == "***"
    assert values["hangup_cause"] == "NORMAL_CLEARING"
    assert (values["billsec"], values["billmsec"], values["duration"]) == ("3", "2500", "3")
    assert values["start_stamp"] == "2023-11-14 22:13:20"


def test_an_export_for_billing_shows_no_emergency_number_in_any_form(tmp_path: Path) -> None:
    plain = {
        **CDR,
        "call_id": "c2",
        "dst": "+33145678901",
        "emergency": False,
        "exempt_reason": None,
    }
    called_back = {**plain, "src": "+33140000112", "exempt_reason": "psap_callback"}
    # A line without a contract dialled 112: it was refused before anything was known of it.
    refused = {**plain, "dst": "112", "answer": None, "disposition": "refused"}
    fake = Fake({"cdr.list": [CDR, called_back, refused, plain]})
    for form in (("--json",), ("--jsonl",), ()):
        shown = vigie(fake, tmp_path, "cdr", "export", "--for", "billing", *form).stdout
        assert "+33145678901" in shown
        assert not {"112", "18", "+33140000112"} & set(re.findall(r"[+\d]+", shown))
    assert vigie(fake, tmp_path, "cdr", "export", "--for", "fun").exit_code == 2
    assert {args["limit"] for _, args in fake.asked} == {0}, "all of them, not the newest thousand"


def test_cdr_export_as_lines_and_into_a_directory_that_is_not_there(tmp_path: Path) -> None:
    fake = Fake({"cdr.list": [CDR, CDR]})
    lines = vigie(fake, tmp_path, "cdr", "export", "--jsonl").stdout.splitlines()
    assert [orjson.loads(line) for line in lines] == [CDR, CDR]
    file = tmp_path / "all.json"
    assert vigie(fake, tmp_path, "cdr", "export", "--json", "--to", str(file)).exit_code == 0
    assert orjson.loads(file.read_bytes()) == [CDR, CDR]
    nowhere = vigie(fake, tmp_path, "cdr", "export", "--to", str(tmp_path / "no" / "c.csv"))
    assert nowhere.exit_code == 1


def test_doctor_fails_with_a_broken_configuration(tmp_path: Path) -> None:
    refusal = CommandRefused("bad_config", "no file")
    result = vigie(Fake({"config.check": refusal}), tmp_path, "doctor", "--json")
    assert result.exit_code == 1
    checks = {item["check"]: item["ok"] for item in _json(result)}
    assert checks["configuration"] is False
    assert checks["switch"] is None
    assert checks["python"] is True


def test_doctor_passes_on_what_the_switch_says(tmp_path: Path) -> None:
    finding = {"check": "journal", "ok": True, "detail": "0 B behind"}
    with running(Fake({"doctor": [finding]}), tmp_path):
        result = vigie(Fake({"config.check": GOOD}), tmp_path, "doctor", "--json")
    assert {"check": "journal", "ok": True, "detail": "0 B behind", "advice": ""} in _json(result)


def test_version(tmp_path: Path) -> None:
    app = build(typer.Typer(name="demo"))
    assert CliRunner().invoke(app, ["--version"], obj=Fake({}).house()).stdout == "1.2\n"
