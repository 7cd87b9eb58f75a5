"""Metrics: names by convention, values as counted, gauges read at the scrape."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from switch.observe.metrics import COUNTERS, GAUGES, Labels, Metrics


def scrape(metrics: Metrics) -> dict[tuple[str, Labels], float]:
    """Values by name and label values, these in the order of the labels' names."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_count() -> None:
    metrics = Metrics()
    metrics.count("sip_requests", "INVITE", "in")
    metrics.count("sip_requests", "INVITE", "in")
    metrics.count("calls", "busy")
    values = scrape(metrics)
    assert values["vigie_sip_requests_total", ("in", "INVITE")] == 2
    assert values["vigie_calls_total", ("busy",)] == 1
    assert metrics.counted("sip_requests", "INVITE", "in") == 2


def test_an_unknown_counter_is_an_error_at_once() -> None:
    with pytest.raises(KeyError):
        Metrics().count("sip_request", "INVITE", "in")


def test_gauges_are_read_at_each_scrape() -> None:
    readings: dict[str, dict[Labels, float]] = {"registrations_active": {(): 1}}
    metrics = Metrics(lambda: readings)
    assert scrape(metrics)["vigie_registrations_active", ()] == 1
    readings["registrations_active"] = {(): 5}
    readings["trunk_up"] = {("carrier-1",): 0}
    values = scrape(metrics)
    assert values["vigie_registrations_active", ()] == 5
    assert values["vigie_trunk_up", ("carrier-1",)] == 0


def test_an_unknown_gauge_is_an_error() -> None:
    with pytest.raises(ValueError, match="registration_active"):
        Metrics(lambda: {"registration_active": {(): 1.0}}).render()


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0.001, "0.005"), (0.005, "0.005"), (0.3, "0.5"), (60.0, "+Inf")]
)
def test_setup_times_fall_into_their_bucket(seconds: float, bound: str) -> None:
    metrics = Metrics()
    metrics.observe_setup(seconds)
    values = scrape(metrics)
    hits = [
        labels[0]
        for (name, labels), value in values.items()
        if name == "vigie_call_setup_seconds_bucket" and value == 1
    ]
    assert hits[0] == bound
    assert values["vigie_call_setup_seconds_count", ()] == 1
    assert values["vigie_call_setup_seconds_sum", ()] == seconds


def test_every_family_is_there_before_it_has_values() -> None:
    text = Metrics().render().decode()
    for described in COUNTERS:
        assert f"# TYPE vigie_{described.name}_total counter" in text
    for described in GAUGES:
        assert f"# TYPE vigie_{described.name} gauge" in text


def test_no_label_could_hold_a_number_or_an_address() -> None:
    personal = {"line", "number", "user", "peer", "address", "src", "dst", "caller"}
    for described in (*COUNTERS, *GAUGES):
        assert personal.isdisjoint(described.labels)
