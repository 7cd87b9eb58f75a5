"""The gauges of /metrics, asked of the rooms themselves at each scrape, so that they can't drift."""

from collections import Counter
from collections.abc import Callable, Sized

from switch.call.exchange import Exchange
from switch.core import Core
from switch.observe.metrics import Labels, Readings

NEAR_THRESHOLD = 0.8


def readings(
    exchange: Exchange, flows: Sized, journal_bytes: int, slots: Callable[[bool], int], now: float
) -> Readings:
    """All gauges by name. `slots(reserved)` are announcements that could start at boottime `now`."""
    meters = exchange.meters
    near = NEAR_THRESHOLD * meters.threshold_ms
    transactions = exchange.transactions
    states = Counter(line.state.value for line in exchange.facts.lines.values())
    directions = Counter(
        "outbound" if call.request.line else "inbound" for call in exchange.calls.values()
    )
    registrar = exchange.registrar
    return {
        "calls_active": {(way,): float(directions.get(way, 0)) for way in ("inbound", "outbound")},
        "transactions_active": {
            ("server",): float(transactions.server_count),
            ("client",): float(transactions.client_count),
        },
        "dialogs_active": {(): float(len(exchange.legs))},
        "timers_active": {(): float(len(exchange.wheel))},
        "flows_open": {(): float(len(flows))},
        "registrations_active": {(): float(len(registrar))},
        "lines_registered": {(): float(registrar.aor_count)},
        "lines_near_threshold": {
            (): float(sum(meters.used_ms(line, now) >= near for line in exchange.facts.lines))
        },
        "lines": {(state,): float(count) for state, count in states.items()},
        "trunk_up": {(name,): float(t.is_up) for name, t in exchange.trunks.by_id.items()},
        "media_slots_free": {
            ("yes",): float(slots(True)),
            ("no",): float(slots(False)),
        },
        "journal_bytes": {(): float(journal_bytes)},
        "draining": {(): float(exchange.is_draining)},
    }


def totals(core: Core) -> dict[str, dict[Labels, int]]:
    """Counters that the core keeps itself: a dictionary entry per message is all they may cost."""
    transactions, authenticator = core.exchange.transactions, core.exchange.authenticator
    return {
        "sip_requests": {
            **{(method, "in"): count for method, count in core.messages.items()},
            **{(method, "out"): count for method, count in transactions.requests_sent.items()},
        },
        "sip_responses": {
            **{(str(code), "in"): count for code, count in core.responses.items()},
            **{(str(code), "out"): count for code, count in transactions.responses_sent.items()},
        },
        "sip_dropped": {
            **{(why,): count for why, count in core.dropped.items()},
            ("overload",): core.shedding.refused,
        },
        "authentications": {
            ("accepted",): authenticator.accepted,
            ("challenged",): authenticator.challenged,
        },
    }
