"""The status page's HTML, from a `Status`. Pure.

One file without foreign resources; every value is escaped. The part that changes is fetched anew every
two seconds, so nothing flickers and a selection survives; without scripts the page is simply static.
"""

from collections.abc import Iterable
from html import escape

from switch.observe.status import CallStatus, LineCounts, LineStatus, Status, TrunkStatus

#: Share of the threshold from which a line counts as near it (the first notice of the terms).
NEAR = 0.8

_STYLE = """
:root{--bg:#f4f5f7;--card:#fff;--ink:#1c2430;--dim:#66707f;--rule:#e3e6eb;--accent:#2458c5;
--ok:#1b7f4b;--warn:#a86400;--bad:#b3261e;--track:#e9ecf1}
@media(prefers-color-scheme:dark){:root{--bg:#11151b;--card:#1a2029;--ink:#e8ebf0;--dim:#98a2b1;
--rule:#2a323e;--accent:#7aa2ff;--ok:#5fce94;--warn:#f0b357;--bad:#ff8a80;--track:#2a323e}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 20px 48px}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 14px;margin-bottom:20px}
h1{font-size:22px;margin:0;letter-spacing:-.01em}
h2{font-size:13px;font-weight:600;margin:0 0 10px;color:var(--dim)}
.dim{color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px}
.tile,section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:30px;line-height:1.15;font-weight:600}
.tile span{color:var(--dim);font-size:13px}
section{margin-top:14px;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:500;font-size:12.5px;color:var(--dim);padding:0 14px 6px 0}
td{padding:7px 14px 7px 0;border-top:1px solid var(--rule);white-space:nowrap}
td.n,th.n{text-align:right}
td,b,code{font-variant-numeric:tabular-nums}
.pill{display:inline-block;padding:1px 9px;border-radius:99px;font-size:12.5px;background:var(--track)}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.bar{width:150px;height:7px;border-radius:4px;background:var(--track);overflow:hidden;display:inline-block;
vertical-align:middle;margin-right:9px}
.bar i{display:block;height:100%;background:var(--accent)}
.bar.near i{background:var(--warn)}.bar.over i{background:var(--bad)}
.alarm{margin:0 0 14px;border-left:4px solid var(--bad)}
footer{margin-top:22px;color:var(--dim);font-size:13px}
footer a{color:inherit}
"""

_SCRIPT = """
const part=document.getElementById('part');
setInterval(async()=>{
  if(document.hidden)return;
  try{
    const r=await fetch('/?part',{cache:'no-store'});
    if(r.ok){part.innerHTML=await r.text();part.style.opacity=1}
  }catch{part.style.opacity=.45}
},2000);
"""


def page(status: Status) -> str:
    """The whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Vigie {escape(status.node)}</title><style>{_STYLE}</style></head><body><main>"
        f'<div id="part">{content(status)}</div>'
        '<footer>Read-only. <a href="/metrics">/metrics</a> &middot; '
        '<a href="/healthz">/healthz</a> &middot; <a href="/readyz">/readyz</a></footer>'
        f"</main><script>{_SCRIPT}</script></body></html>"
    )


def content(status: Status) -> str:
    """The part of the page that changes."""
    return "".join(
        (
            _head(status),
            _alarms(status),
            _tiles(status),
            _calls(status.calls),
            _lines(status.lines),
            _trunks(status.trunks),
        )
    )


def _head(status: Status) -> str:
    drain = ' <span class="pill warn">draining</span>' if status.draining else ""
    return (
        f"<header><h1>Vigie</h1>{drain}"
        f'<span class="dim">{escape(status.node)} &middot; {escape(status.version)} &middot; '
        f"up {_span(status.uptime_s)}</span>"
        f'<span class="dim">{escape(", ".join(status.listening))}</span></header>'
    )


def _alarms(status: Status) -> str:
    return "".join(f'<section class="alarm">{escape(text)}</section>' for text in status.alarms)


def _tiles(status: Status) -> str:
    counts = status.counts or LineCounts(
        len(status.lines),
        sum(1 for line in status.lines if line.contacts),
        sum(1 for line in status.lines if line.share >= NEAR),
    )
    up = sum(1 for trunk in status.trunks if trunk.up)
    live = sum(line.live_ms for line in status.lines)
    tiles = (
        (f"{counts.registered} / {counts.total}", "lines registered", ""),
        (str(len(status.calls)), "live calls", ""),
        (
            f"{up} / {len(status.trunks)}",
            "trunks up",
            "bad" if any(trunk.up is False for trunk in status.trunks) else "",
        ),
        (str(counts.near), "lines near the threshold", "warn" if counts.near else ""),
        (_minutes(live), "minutes in live calls", ""),
    )
    inner = "".join(
        f'<div class="tile"><b class="{tone}">{escape(value)}</b><span>{escape(label)}</span></div>'
        for value, label, tone in tiles
    )
    return f'<div class="tiles">{inner}</div>'


def _calls(calls: tuple[CallStatus, ...]) -> str:
    rows = (
        (
            escape(call.source),
            escape(call.destination)
            + (' <span class="pill bad">emergency</span>' if call.emergency else ""),
            f'<span class="pill">{escape(call.state)}</span>',
            _span(call.seconds),
            f'<code class="dim">{escape(call.call_id)}</code>',
        )
        for call in calls
    )
    return _table("Live calls", ("From", "To", "State", "Time", "Call"), rows, "No call right now.")


def _lines(lines: tuple[LineStatus, ...]) -> str:
    rows = (
        (
            f"<b>{escape(line.line)}</b>",
            escape(line.number),
            (
                f'<span class="pill {"ok" if line.state == "active" else "warn"}">'
                f"{escape(line.state)}</span>"
            ),
            _contacts(line),
            _usage(line),
        )
        for line in sorted(lines, key=lambda line: (-line.share, line.line))
    )
    return _table(
        "Lines, nearest to their threshold first",
        ("Line", "Number", "State", "Contacts", "Minutes this cycle"),
        rows,
        "No lines configured.",
    )


def _contacts(line: LineStatus) -> str:
    where = escape(", ".join(line.contacts)) or '<span class="dim">not registered</span>'
    return f'{where} <span class="pill warn">{escape(line.place)}</span>' if line.place else where


def _usage(line: LineStatus) -> str:
    tone = " over" if line.share >= 1 else " near" if line.share >= NEAR else ""
    width = min(100.0, line.share * 100)
    live = ' <span class="ok">talking</span>' if line.live_ms else ""
    return (
        f'<span class="bar{tone}"><i style="width:{width:.1f}%"></i></span>'
        f"{_minutes(line.used_ms)} of {_minutes(line.threshold_ms)}{live}"
    )


def _trunks(trunks: tuple[TrunkStatus, ...]) -> str:
    words = {True: ("ok", "up"), False: ("bad", "down"), None: ("dim", "not yet asked")}
    rows = (
        (
            escape(trunk.name),
            escape(trunk.target),
            '<span class="{}">{}</span>'.format(*words[trunk.up]),
            str(trunk.calls),
        )
        for trunk in trunks
    )
    return _table("Trunks", ("Trunk", "Target", "State", "Calls"), rows, "No trunks configured.")


def _table(title: str, heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], empty: str) -> str:
    """Cells are HTML already; heads and titles are ours."""
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return f'<section><h2>{title}</h2><span class="dim">{empty}</span></section>'
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<section><h2>{title}</h2><table><tr>{head}</tr>{body}</table></section>"


def _minutes(ms: int) -> str:
    """Minutes with thin thousands: "5 000", "4 012.5"."""
    text = f"{ms / 60_000:,.0f}" if ms % 60_000 == 0 else f"{ms / 60_000:,.1f}"
    return text.replace(",", "\u202f")


def _span(seconds: float) -> str:
    """ "1:05" or "2:03:04" or "3 d 2:03:04"."""
    total = int(seconds)
    days, rest = divmod(total, 86_400)
    hours, rest = divmod(rest, 3600)
    clock = (
        f"{hours}:{rest // 60:02}:{rest % 60:02}"
        if days or hours
        else f"{rest // 60}:{rest % 60:02}"
    )
    return f"{days} d {clock}" if days else clock
