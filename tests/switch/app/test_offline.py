"""Answers without a running switch: what they say, and what they don't load."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from switch.app.offline import offline
from switch.clock import wall
from switch.store.database import sqlite_url
from switch.store.writer import Writer

DEMO = Path(__file__).parents[3] / "configs" / "demo"


def test_what_they_load() -> None:
    """Not what a running switch needs: it would double the time of each answer."""
    code = "import sys, switch.app.offline; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    loaded = set(result.stdout.split())
    assert "switch.store.read" in loaded
    assert not loaded & {"uvicorn", "starlette", "aiomqtt", "tuf", "pjsua2", "alembic"}


def test_minutes_are_the_same_wherever_they_are_shown(tmp_path: Path) -> None:
    now = round(wall() * 1000)
    made = {"k": "adjust", "id": "adj-1", "line": "101", "cycle": _cycle(tmp_path), "ms": 60_000,
            "reason": "a test", "by": "op", "at": now}  # fmt: skip

    async def store() -> None:
        writer = Writer(sqlite_url(tmp_path / "vigie.sqlite"), lambda: iter(()), interval_s=0.005)
        task = asyncio.create_task(writer.run())
        writer.feed([orjson.dumps(made)])
        await writer.settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(store())
    assert _ask(tmp_path, "usage.show", line="101")["used_ms"] == 60_000
    assert _ask(tmp_path, "line.show", line="101")["usage"]["used_ms"] == 60_000
    assert [row["used_ms"] for row in _ask(tmp_path, "line.list") if row["line"] == "101"] == [
        60_000
    ]


def _cycle(data: Path) -> int:
    cycle: int = _ask(data, "usage.show", line="101")["cycle"]["n"]
    return cycle


def _ask(data: Path, command: str, **args: object) -> Any:
    result = offline(DEMO, data)[command](args)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result  # type: ignore[arg-type]
