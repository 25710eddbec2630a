"""Every metric the daemon has: its name, type, labels and meaning; and how samples become what Prometheus reads.

Hides the exposition format. A sample of a metric that is not in the catalogue, or with other labels, is an error here
and not a surprise on a dashboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from agent.clean import clean

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LONGEST = 120
"""Characters of a label's value: names come from configurations, and a name may be any text."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Of a histogram: upper bounds in seconds, smallest first, without the infinite one."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a histogram holds."""

    counts: tuple[int, ...]
    """How many fell into each bucket alone; the last is without bound."""
    total: float
    """Sum of all, in seconds."""


Value = float | Distribution
Samples = Mapping[str, Mapping[tuple[str, ...], Value]]
"""Name → labels' values in the order of the catalogue → value."""

DETECT = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)
RESOLVE = (3_600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0, 1_209_600.0, 2_592_000.0, 7_776_000.0)

_STORE = (
    Declared(
        "production_changes_without_ticket_total",
        "counter",
        "Changes to production that were found unauthorised and that no valid ticket covers, each once, for ever",
        ("account",),
    ),
    Declared(
        "driftwarden_unauthorised_changes_total",
        "counter",
        "Changes that were found unauthorised, each once, for ever; environment is empty where it is not known",
        ("account", "environment"),
    ),
    Declared(
        "driftwarden_unauthorised_change_found_timestamp_seconds",
        "gauge",
        "When the newest unauthorised change was found; only where there is one",
        ("account", "environment"),
    ),
    Declared(
        "driftwarden_production_change_without_ticket_found_timestamp_seconds",
        "gauge",
        "When the newest change to production without a valid ticket was found; only where there is one",
        ("account",),
    ),
    Declared(
        "driftwarden_time_to_detect_seconds",
        "histogram",
        "From an unauthorised change to the first verdict on it, each change once, for ever",
        buckets=DETECT,
    ),
    Declared(
        "driftwarden_time_to_resolve_seconds",
        "histogram",
        "From the opening of a case to its closing, each once, for ever",
        buckets=RESOLVE,
    ),
    Declared("driftwarden_verdicts_total", "counter", "Verdicts that were reached, for ever", ("outcome",)),
    Declared("driftwarden_ledger_events_total", "counter", "Events written to the ledger, for ever", ("kind",)),
    Declared("driftwarden_findings", "gauge", "Open findings by the outcome of their verdict", ("outcome",)),
    Declared(
        "driftwarden_stack_findings",
        "gauge",
        "Open findings that break an enforced rule, as the last scan of the whole estate saw them; stack is empty "
        "where no stack declares the resource",
        ("stack", "severity"),
    ),
    Declared("driftwarden_cases", "gauge", "Cases that are not closed", ("severity", "state")),
    Declared(
        "driftwarden_cases_by_age",
        "gauge",
        "Cases that are not closed, by how long they have been open: under-1d, under-7d, under-30d, over-30d",
        ("severity", "age"),
    ),
    Declared("driftwarden_oldest_case_age_seconds", "gauge", "Age of the oldest open case; 0: none", ("severity",)),
    Declared(
        "driftwarden_breakglass",
        "gauge",
        "Emergencies that are not over, by how far their paperwork is; overdue: the deadline for it has passed",
        ("state",),
    ),
    Declared(
        "driftwarden_breakglass_next_deadline_timestamp_seconds",
        "gauge",
        "The earliest deadline that has not passed of an emergency that is not documented; only where there is one",
    ),
    Declared("driftwarden_outbox_entries", "gauge", "What has not reached the ticket system yet", ("state",)),
    Declared(
        "driftwarden_outbox_oldest_age_seconds",
        "gauge",
        "Age of the oldest entry that is not dead and not sent; 0: none",
    ),
    Declared(
        "driftwarden_last_successful_scan_timestamp_seconds",
        "gauge",
        "When the last scan of the whole estate ended that did not die, whatever it found; 0: never",
    ),
    Declared(
        "driftwarden_last_scan_timestamp_seconds", "gauge", "When the last scan of each kind ended; 0: never", ("kind",)
    ),
    Declared("driftwarden_last_scan_duration_seconds", "gauge", "How long the last scan of a kind took", ("kind",)),
    Declared(
        "driftwarden_resources",
        "gauge",
        "Resources in the last scan of the whole estate: declared, live, or compared",
        ("kind",),
    ),
    Declared(
        "driftwarden_coverage_ratio",
        "gauge",
        "Of the declared resources, the part that the last scan of the whole estate compared; only where there are any",
    ),
    Declared(
        "driftwarden_gaps",
        "gauge",
        "What the last scan of the whole estate should have read and could not, by where it was missing; unproven: "
        "what no source proves to be whole",
        ("kind",),
    ),
    Declared("driftwarden_limits", "gauge", "What is never read, as the last scan of the whole estate named it"),
    Declared(
        "driftwarden_exceptions",
        "gauge",
        "Exceptions and files of the baseline: in-force, expiring within 14 days, or expired since the last scan",
        ("kind", "state"),
    ),
    Declared("driftwarden_policy_waiting", "gauge", "Loosenings of the policy that wait for two people"),
    Declared(
        "driftwarden_trail_source_lag_seconds",
        "gauge",
        "Since a configured source of the trail was last read, whether it brought anything or not; +Inf: it never was",
        ("source",),
    ),
    Declared(
        "driftwarden_trail_source_newest_event_timestamp_seconds",
        "gauge",
        "Time of the newest event that a configured source brought; only where it brought one",
        ("source",),
    ),
    Declared(
        "driftwarden_trail_source_missed_timestamp_seconds",
        "gauge",
        "Time of the first change, newer than all that a configured source brought, that another one brought of the "
        "same places; only where there is one",
        ("source",),
    ),
    Declared(
        "driftwarden_trail_newest_event_timestamp_seconds",
        "gauge",
        "Time of the newest event of an account that was read",
        ("account",),
    ),
    Declared(
        "driftwarden_denied_calls",
        "gauge",
        "Calls refused for lack of permission in the last 24 hours; at most 20,000 are counted",
        ("account",),
    ),
    Declared(
        "driftwarden_denied_burst_calls",
        "gauge",
        "Most calls that one actor was refused within ten minutes, in the last hour",
        ("account",),
    ),
    Declared(
        "driftwarden_failed_sign_ins", "gauge", "Sign-ins to the console that failed in the last 24 hours", ("account",)
    ),
    Declared("driftwarden_store_size_bytes", "gauge", "Size of the store"),
    Declared("driftwarden_ledger_intact", "gauge", "1: the newest events of the ledger match their hashes"),
    Declared(
        "driftwarden_task_last_success_timestamp_seconds", "gauge", "When a task last went well; 0: never", ("task",)
    ),
    Declared("driftwarden_task_last_duration_seconds", "gauge", "How long a task last took", ("task",)),
    Declared(
        "driftwarden_task_failed",
        "gauge",
        "1: a task failed the last time it ran; only those that run by the configuration as it is",
        ("task",),
    ),
    Declared("driftwarden_task_runs_total", "counter", "How often a task ended, for ever", ("task",)),
    Declared("driftwarden_task_failures_total", "counter", "How often a task failed, for ever", ("task",)),
    Declared(
        "driftwarden_task_overdue_timestamp_seconds",
        "gauge",
        "When the second run in a row will be missed: after it, the scan of the estate or the backup is overdue",
        ("task",),
    ),
)
"""Read from the store by a thread of its own."""

_PROCESS = (
    Declared("driftwarden_build_info", "gauge", "Always 1", ("version",)),
    Declared("driftwarden_start_timestamp_seconds", "gauge", "When the daemon was started"),
    Declared("driftwarden_leader", "gauge", "1: this daemon leads; 0: it starts, waits or stops"),
    Declared("driftwarden_fence", "gauge", "The number this leader writes under; 0: none"),
    Declared("driftwarden_loop_age_seconds", "gauge", "Since the daemon's loop last came round"),
    Declared("driftwarden_store_write_age_seconds", "gauge", "Since the store last took a write of this daemon"),
    Declared(
        "driftwarden_store_up", "gauge", "1: the store was read when it was last tried; 0: what is shown of it is old"
    ),
    Declared("driftwarden_store_read_age_seconds", "gauge", "Since the store was last read for these metrics"),
    Declared("driftwarden_task_running", "gauge", "Processes at work on a task", ("task",)),
    Declared("driftwarden_task_due_timestamp_seconds", "gauge", "When a task is next due", ("task",)),
    Declared(
        "driftwarden_reload_failed",
        "gauge",
        "1: the newest configuration, rules or exceptions are wrong and not in use",
    ),
    Declared("driftwarden_clock_jumps_total", "counter", "How often the wall clock jumped since the daemon started"),
    Declared("driftwarden_events_processed_total", "counter", "Messages of the event path worked off since the start"),
    Declared(
        "driftwarden_event_lag_seconds",
        "gauge",
        "From a message's event to its case, of the newest; only with an event path",
    ),
    Declared("driftwarden_process_resident_memory_bytes", "gauge", "Memory of the daemon itself, without children"),
    Declared("driftwarden_process_cpu_seconds_total", "counter", "CPU time of the daemon itself, without children"),
    Declared("driftwarden_process_open_fds", "gauge", "File descriptors the daemon has open"),
    Declared("driftwarden_process_max_fds", "gauge", "File descriptors the daemon may have open"),
    Declared("driftwarden_process_threads", "gauge", "Threads of the daemon"),
)
"""Of this process, at the moment of the scrape."""

CATALOGUE: Mapping[str, Declared] = {one.name: one for one in (*_STORE, *_PROCESS)}


def exposition(*parts: Samples) -> bytes:
    """Samples as Prometheus' text format. Raises KeyError and ValueError for what the catalogue does not have."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(parts))
    return generate_latest(registry)


class _Collector:
    """What prometheus_client asks for families."""

    def __init__(self, parts: Iterable[Samples]) -> None:
        self._parts = tuple(parts)

    def collect(self) -> Iterator[Metric]:
        for name, samples in sorted(item for part in self._parts for item in part.items()):
            yield _family(CATALOGUE[name], samples)


def _family(one: Declared, samples: Mapping[tuple[str, ...], Value]) -> Metric:
    rows = _rows(one, samples)
    if one.kind == "histogram":
        histogram = HistogramMetricFamily(one.name, one.help, labels=one.labels)
        for labels, value in rows:
            histogram.add_metric(labels, *_buckets(one, value))
        return histogram
    family = (CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily)(
        one.name, one.help, labels=one.labels
    )
    for labels, value in rows:
        if isinstance(value, Distribution):
            raise ValueError(f"{one.name} is no histogram")
        family.add_metric(labels, value)
    return family


def _rows(one: Declared, samples: Mapping[tuple[str, ...], Value]) -> list[tuple[tuple[str, ...], Value]]:
    """Samples in order, their labels fit to be shown; two that are now alike are one, or nothing would be scraped."""
    rows: dict[tuple[str, ...], Value] = {}
    for labels, value in samples.items():
        if len(labels) != len(one.labels):
            raise ValueError(f"{one.name} has the labels {one.labels}, not {labels}")
        shown = tuple(clean(label, _LONGEST) for label in labels)
        rows[shown] = _both(one, rows[shown], value) if shown in rows else value
    return sorted(rows.items(), key=lambda row: row[0])


def _both(one: Declared, first: Value, second: Value) -> Value:
    if isinstance(first, Distribution) or isinstance(second, Distribution):
        return second
    return first + second if one.kind == "counter" else max(first, second)


def _buckets(one: Declared, value: Value) -> tuple[list[tuple[str, float]], float]:
    """Each bucket with all below it, as the format asks for it."""
    if not isinstance(value, Distribution) or len(value.counts) != len(one.buckets) + 1:
        raise ValueError(f"{one.name} is a histogram of {len(one.buckets)} buckets")
    bounds = [*(str(bound) for bound in one.buckets), "+Inf"]
    return list(zip(bounds, map(float, accumulate(value.counts)), strict=True)), value.total
