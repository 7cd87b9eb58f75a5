"""The bench's one table: figures, budgets, and how many times the peers' the switch's are."""

from collections.abc import Mapping, Sequence

from decision import ABROAD, HOME, ORDINARY

BUDGETS = {
    "call": 500.0,
    "call, digest": 560.0,
    "register": 150.0,
    "call KB": 12.0,
    "binding KB": 3.0,
    ORDINARY: 15.0,
    HOME: 30.0,
    ABROAD: 30.0,
    "challenge": 60.0,
    "emergency ratio": 1.3,
    "detectors ratio": 1.15,
}
ROWS = {
    "call": "call, µs",
    "call, digest": "call with digest on INVITE, µs",
    "register": "REGISTER with 401, µs",
    "call KB": "memory per established call, KB",
    "binding KB": "memory per binding, KB",
    "call out": "known phone's call to a trunk, µs",
    "challenged": "phone's challenged call to a trunk, µs",
    "challenge": "what the challenge adds, µs",
    "emergency": "known phone's emergency call to it, µs",
    "emergency ratio": "emergency / ordinary call, as phones make them, times",
    "emergency bare": "emergency / ordinary call without its challenge, times",
    "detectors ratio": "call with all detectors / none, times",
    ORDINARY: "decision: ordinary call, µs",
    HOME: "decision: 18 from home, µs",
    ABROAD: "decision: 18 from abroad, µs",
}


def table(results: Mapping[str, Mapping[str, float]], notes: Sequence[str]) -> str:
    """One table: the figures, the budget, and how many times the peer's the switch's are."""
    head = ("", "switch", "budget", "Sippy", "Kamailio", "Sippy/switch", "switch/Kamailio")
    rows = [head]
    for kind, label in ROWS.items():
        own, sippy, kamailio = (
            results.get(name, {}).get(kind) for name in ("switch", "Sippy", "Kamailio")
        )
        rows.append(
            (
                label, shown(own), judged(own, BUDGETS.get(kind)), shown(sippy), shown(kamailio),
                shown(sippy / own, "x") if sippy and own else "-",
                shown(own / kamailio, "x") if kamailio and own else "-",
            )
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(w) if not n else cell.rjust(w)
            for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([*lines, *(f"- {note}" for note in notes)])


def judged(figure: float | None, budget: float | None) -> str:
    """The budget, and whether the figure keeps it."""
    if budget is None:
        return "-"
    verdict = "" if figure is None else (" ok" if figure <= budget else " over")
    return f"{budget:g}{verdict}"


def shown(value: float | None, unit: str = "") -> str:
    """A figure, or - for one that there isn't."""
    if value is None:
        return "-"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}{unit}"
