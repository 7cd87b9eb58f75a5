"""Progress of what takes its time: a bar on the terminal while the switch works, nothing on a pipe.

Deliberately absent: any guess. What a bar shows was counted by whoever does the work.
"""

import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from switch.console.desk import Desk

LOOK_S = 0.1
Object = dict[str, object]


def watched(desk: Desk, command: str, **args: object) -> Object:
    """`desk.ask_object`, with a bar for each part of the work that the switch tells of."""
    if desk.as_json or not has_terminal():
        return desk.ask_object(command, **args)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(desk.ask_object, command, **args)
        with _bars() as bars:
            return _follow(desk, answer, bars)


def _follow(desk: Desk, answer: "Future[Object]", bars: Progress) -> Object:
    parts: dict[str, TaskID] = {}
    while True:
        try:
            found = answer.result(LOOK_S)
        except NotYet:
            told = desk.ask_object("firmware.work")
            what = str(told["what"])
            if what and what not in parts:
                _complete(bars, parts)
                parts[what] = bars.add_task(what)
            if what:
                bars.update(
                    parts[what], completed=_number(told, "done"), total=_number(told, "total")
                )
            continue
        _complete(bars, parts)
        return found


def _complete(bars: Progress, parts: Mapping[str, TaskID]) -> None:
    """The parts that were seen are done: another one has begun, or the answer is here."""
    for part in parts.values():
        bars.update(part, completed=bars.tasks[part].total)


def has_terminal() -> bool:
    """Whether anybody looks at stderr."""
    return sys.stderr.isatty()


def _bars() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=False)


def _number(told: Object, name: str) -> float:
    value = told[name]
    return float(value) if isinstance(value, int | float) else 0.0
