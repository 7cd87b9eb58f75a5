"""`vigie case`: fair-use cases, and what people decide of them."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json
from switch.console.person import By, person

app = typer.Typer(help="Fair-use cases and their decisions.", no_args_is_help=True)

Case = Annotated[str, typer.Argument(help="The case, as `case list` names it.")]


_SECTIONS = (
    ("What happened", "steps", ("at", "rung", "by", "clause", "because"), "Nothing is on file."),
    (
        "What the detectors see",
        "features",
        ("at", "detector", "use", "level", "values", "looks_like"),
        "Nothing: the minutes alone made this case, or the switch was restarted since.",
    ),
    ("The calls that counted most", "calls",
     ("start", "direction", "src", "dst", "counted_ms", "call_id"), "None."),
    ("What was told", "notices",
     ("at", "kind", "percentage", "audience", "channel", "state"), "Nobody was told anything yet."),
)  # fmt: skip
_RUNGS = {
    "review_open": "is to be reviewed",
    "notified": "waits for the customer's answer",
    "plan_change_proposed": "waits for a decision on the plan",
    "resolved": "is closed: nothing to pursue",
    "per_minute": "is closed: per-minute plan",
    "termination": "is closed: termination",
}


def summary(case: dict[str, object], now: int) -> list[str]:
    """A case in sentences for who takes the customer's call; `now` is UTC milliseconds."""
    rung = str(case.get("rung"))
    used, limit, week = (_ms(case, key) for key in ("used_ms", "threshold_ms", "last_7_days_ms"))
    pace = "normal again" if case.get("usage_normal") else "above the threshold"
    since = show.readable("since", case.get("since"))
    state, monthly = _RUNGS.get(rung, rung), week * 30 // 7 // 60_000
    lately = f"Last 7 days: {week // 60_000} minutes, which for a month is {monthly}: {pace}."
    sentences = [
        f"Case {case['case']} of line {case['line']} (account {case['account']}) {state}, since {since}.",
        f"Used in this cycle: {used // 60_000} of {limit // 60_000} minutes. {lately}",
        _word_of_customer(rung, contacted=bool(case.get("contacted"))),
    ]
    deadline = case.get("deadline")
    if isinstance(deadline, int) and rung == "notified":
        days = (deadline - now) / 86_400_000
        when = f"in {days:.1f} days" if days > 0 else "now"
        sentences.append(f"Deadline: {show.moment(deadline)} ({when}).")
    sentences.append(f"Next: {case.get('next')}.")
    may = show.readable("", case.get("may_decide"))
    sentences.append(f"You may say: vigie case decide {case['case']} {may.replace(', ', ' | ')}")
    return sentences if may != "-" else sentences[:-1]


def _word_of_customer(rung: str, *, contacted: bool) -> str:
    if contacted:
        return "The customer answered."
    if rung == "review_open":
        return "The customer has not been asked yet."
    return "The customer has not answered."


def _ms(case: dict[str, object], key: str) -> int:
    value = case.get(key)
    return value if isinstance(value, int) else 0


@app.command("list")
def list_(
    context: typer.Context,
    line: Annotated[str | None, typer.Option("--line", help="Only this line.")] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """List the cases that wait for a decision or a deadline."""
    items = Desk.of(context, config, data, as_json).ask_rows("case.list", line=line)
    if as_json:
        show.json(items)
        return
    columns = ("case", "line", "account", "rung", "since", "deadline", "next")
    show.table(items, columns, empty="No case is open.")


@app.command("show")
def show_(
    context: typer.Context,
    case: Case,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Show how a case came about, the calls behind it, and what comes next."""
    item = Desk.of(context, config, data, as_json).ask_object("case.show", case=case)
    if as_json:
        show.json(item)
        return
    console = show.out()
    for sentence in summary(item, round(time.time() * 1000)):
        console.print(escape(sentence))
    for title, key, columns, empty in _SECTIONS:
        console.print(f"\n[bold]{title}[/]")
        show.table(show.rows(item[key]), columns, empty=empty)


@app.command("decide")
def decide(
    context: typer.Context,
    case: Case,
    decision: Annotated[
        str, typer.Argument(help="notify, contacted, dismiss, approve or terminate.")
    ],
    because: Annotated[str, typer.Option("--because", help="Why, for the record.")] = "",
    by: By = "",
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Decide a case, or note that the customer answered."""
    desk = Desk.of(context, config, data, as_json)
    item = desk.ask_object(
        "case.decide", case=case, decision=decision, because=because, by=by or person()
    )
    if as_json:
        show.json(item)
    else:
        show.out().print(f"case {item.get('case')} is {item.get('rung')}; next: {item.get('next')}")
