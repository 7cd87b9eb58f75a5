"""Counters and gauges for Prometheus, by the field's conventions: base units, `_total`, types always.

The loop is one thread, so a counter is a dict entry: 0.1 us instead of the 1 us of a locked one on
the call path. The families are built when /metrics is read. Gauges are asked then, so that they
can't drift from what they count.

Deliberately absent: labels with a phone number, a line or an address (unbounded, and personal).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

#: Content-Type of the text that `Metrics.render` returns.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """A metric's name without prefix and suffix, its help, and its labels' names."""

    name: str
    help: str
    labels: Labels = ()


COUNTERS = (
    Described("sip_requests", "SIP requests", ("method", "direction")),
    Described("sip_responses", "SIP responses, sent or received", ("code", "direction")),
    Described("sip_dropped", "SIP messages dropped unanswered", ("why",)),
    Described("authentications", "Digest verdicts", ("outcome",)),
    Described(
        "retired_hardware_seen",
        "Times that stolen, replaced or decommissioned hardware showed itself",
        ("life", "way"),
    ),
    Described("calls", "Calls that ended, by the slug of their ending", ("ending",)),
    Described("policy_decisions", "Decisions, by the rule that decided", ("rule", "outcome")),
    Described(
        "emergency_calls",
        "Emergency calls that ended: answered, cancelled, blocked, failed",
        ("outcome",),
    ),
    Described("emergency_verdicts", "The same by the audit word of the decision", ("verdict",)),
    Described(
        "emergency_attempts",
        "Routes tried by emergency calls: answered, refused, silent, cancelled",
        ("trunk", "outcome"),
    ),
    Described(
        "emergency_failovers", "Emergency calls answered by a later route, by it", ("trunk",)
    ),
    Described("announcements", "Announcements asked for", ("name", "outcome")),
    Described("notices", "Notices that were settled, by outcome", ("channel", "state")),
    Described("usage_thresholds", "Fair-use thresholds crossed", ("percentage",)),
    Described("use_alerts", "Alerts of forbidden uses", ("detector", "reached")),
)

GAUGES = (
    Described("registrations_active", "Contacts bound"),
    Described("lines_registered", "Lines with at least one contact"),
    Described("lines", "Lines by state", ("state",)),
    Described("lines_near_threshold", "Lines at 80 % of the fair-use threshold or above"),
    Described("calls_active", "Calls up or in set-up", ("direction",)),
    Described("transactions_active", "SIP transactions", ("side",)),
    Described("dialogs_active", "SIP dialogs"),
    Described("timers_active", "Timers armed"),
    Described("flows_open", "TCP and TLS connections"),
    Described("trunk_up", "1 if the trunk answers", ("trunk",)),
    Described("media_slots_free", "Announcements that could start now", ("reserved",)),
    Described("journal_bytes", "Bytes of the journal that could not be written to its file yet"),
    Described("store_queue", "Records that wait for the database"),
    Described("config_last_reload_successful", "1 if the last reload was taken over"),
    Described("config_last_reload_timestamp_seconds", "When the configuration was last taken over"),
    Described("draining", "1 while no new calls are taken"),
)

#: Upper bounds in seconds of both histograms: INVITE received to the first 18x or 200.
SETUP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

HISTOGRAMS = {
    "call_setup": "Answered calls: INVITE received to the first 18x or 200",
    "emergency_setup": "Emergency calls that rang or were answered: the same",
}

#: Values of the gauges at one moment: name -> label values -> number.
Readings = Mapping[str, Mapping[Labels, float]]


@dataclass(slots=True)
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(SETUP_BOUNDS) + 1))
    total: float = 0.0

    def cumulated(self) -> list[tuple[str, float]]:
        buckets: list[tuple[str, float]] = []
        running = 0
        for bound, count in zip((*map(str, SETUP_BOUNDS), "+Inf"), self.counts, strict=True):
            running += count
            buckets.append((bound, float(running)))
        return buckets


class Metrics(Collector):
    """All metrics of one switch.

    `read_gauges` is called at each scrape and gives the gauges' values, `read_totals` those of counters
    that are kept elsewhere; names that are not in
    `GAUGES` raise ValueError, so that a misspelt one is found by the first test that scrapes.
    """

    def __init__(
        self,
        read_gauges: Callable[[], Readings] = dict,
        read_totals: Callable[[], Mapping[str, Mapping[Labels, int]]] = dict,
        *,
        prefix: str = "vigie",
    ) -> None:
        self._prefix = prefix
        self._read_gauges = read_gauges
        self._read_totals = read_totals
        self._counters: dict[str, Counter[Labels]] = {d.name: Counter() for d in COUNTERS}
        self._setup = {name: _Histogram() for name in HISTOGRAMS}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count(self, name: str, *labels: str) -> None:
        """Add one to a counter of `COUNTERS`; labels in its order. KeyError for an unknown name."""
        self._counters[name][labels] += 1

    def counted(self, name: str, *labels: str) -> int:
        """What a counter stands at."""
        return self._counters[name][labels]

    def observe_setup(self, seconds: float, name: str = "call_setup") -> None:
        """One call got its first 18x or 200 `seconds` after its INVITE. `name` is of `HISTOGRAMS`."""
        histogram = self._setup[name]
        histogram.counts[bisect_left(SETUP_BOUNDS, seconds)] += 1
        histogram.total += seconds

    def render(self) -> bytes:
        """The text of /metrics."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: asked by the registry when it takes this in, before any gauge can be read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families, built now. Called by the registry."""
        for name, totals in self._read_totals().items():
            self._counters[name].update(Counter(totals) - self._counters[name])
        for described in COUNTERS:
            yield self._counter(described)
        yield from self._gauges()
        for name, text in HISTOGRAMS.items():
            yield HistogramMetricFamily(
                f"{self._prefix}_{name}_seconds",
                text,
                buckets=self._setup[name].cumulated(),
                sum_value=self._setup[name].total,
            )

    def _counter(self, described: Described) -> Metric:
        family = CounterMetricFamily(
            f"{self._prefix}_{described.name}", described.help, labels=described.labels
        )
        for labels, value in self._counters[described.name].items():
            family.add_metric(labels, value)
        return family

    def _gauges(self) -> Iterator[Metric]:
        readings = self._read_gauges()
        if unknown := readings.keys() - {described.name for described in GAUGES}:
            raise ValueError(f"gauges that are not described: {sorted(unknown)}")
        for described in GAUGES:
            family = GaugeMetricFamily(
                f"{self._prefix}_{described.name}", described.help, labels=described.labels
            )
            for labels, value in readings.get(described.name, {}).items():
                family.add_metric(labels, value)
            yield family
