"""Jobs, looks, reports and kinds of scans: kept, and found again."""

from datetime import UTC, datetime, timedelta

import pytest
from story import HOUR, NOW, key, scan

from agent.store import Job, Made, Store, StoreError


def test_a_jobs_rows(store: Store) -> None:
    assert store.jobs.all() == {}
    store.jobs.due("scan", NOW)
    store.jobs.began("scan", NOW + HOUR)
    store.jobs.ended("scan", NOW + 2 * HOUR, "failed", "no\0 network")
    store.jobs.began("scan", NOW + 3 * HOUR)
    later = {"due_at": NOW, "began_at": NOW + 3 * HOUR, "ended_at": NOW + 2 * HOUR}
    failed = Job("scan", **later, succeeded_at=None, status="failed", error="no\0 network", runs=1, failures=1)
    assert store.jobs.all() == {"scan": failed}
    store.jobs.ended("scan", NOW + 4 * HOUR, "ok", "nothing")
    store.jobs.due("scan", None)
    (job,) = store.jobs.all().values()
    assert (job.status, job.error, job.runs, job.failures, job.due_at) == ("ok", "", 2, 1, None)
    assert job.succeeded_at == job.ended_at == NOW + 4 * HOUR


def test_an_error_is_kept_in_part(store: Store) -> None:
    store.jobs.ended("scan", NOW, "failed", "x" * 10_000)
    assert len(store.jobs.all()["scan"].error) == 2_000


def test_looks_since(store: Store) -> None:
    scan(store, "r1", NOW, kind="trail", looked=(key("a"), key("b")), read_at=NOW - HOUR)
    scan(store, "r2", NOW, kind="open", looked=(key("b"),), read_at=NOW)
    scan(store, "r3", NOW + HOUR, kind="trail", looked=(key("b"), key("c")), read_at=NOW - 5 * HOUR)
    scan(store, "r4", NOW + 2 * HOUR, kind="trail", looked=(key("d"),))
    now = NOW + 5 * HOUR
    assert store.looks.since(NOW - HOUR, now) == {key("a"), key("b"), key("d")}
    assert store.looks.since(NOW, now) == {key("b"), key("d")}, "a look that ended earlier takes nothing back"
    assert store.looks.since(NOW + 3 * HOUR, now) == frozenset()
    many = tuple(key(f"k{number}") for number in range(2_500))
    scan(store, "r5", NOW + 4 * HOUR, kind="trail", looked=many)
    assert store.looks.since(NOW + 4 * HOUR, now) == set(many)


def test_a_look_of_a_clock_that_was_ahead_counts_for_nothing_and_makes_way(store: Store) -> None:
    month = 720 * HOUR
    scan(store, "ahead", NOW + month, kind="trail", looked=(key("a"), key("b")), read_at=NOW + month)
    assert store.looks.since(NOW, NOW + HOUR) == frozenset()
    scan(store, "right", NOW + HOUR, kind="trail", looked=(key("a"),), read_at=NOW + HOUR)
    assert store.looks.since(NOW, NOW + HOUR) == {key("a")}
    assert store.looks.since(NOW, NOW + month) == {key("a"), key("b")}


def test_the_last_scan_is_that_of_the_whole_estate(store: Store) -> None:
    assert store.scans.document() is None
    scan(store, "w1", NOW)
    scan(store, "look", NOW + HOUR, kind="trail", read_at=NOW)
    store.scans.begin("w2", NOW + 2 * HOUR, "", "")
    store.scans.begin("stack", NOW + 3 * HOUR, "", "", kind="stack")
    assert store.scans.document() == store.scans.document("w1") is not None
    assert store.scans.document("look") is not None
    assert [one.run_id for one in store.scans.last()] == ["stack", "w2", "look", "w1"]
    assert [one.run_id for one in store.scans.last(kind="whole")] == ["w2", "w1"]
    (look,) = store.scans.last(kind="trail")
    assert (look.kind, look.read_at) == ("trail", NOW)


def test_a_scan_of_a_clock_that_was_ahead_is_not_the_last(store: Store) -> None:
    month = 720 * HOUR
    ahead = datetime.now(UTC) + month
    scan(store, "ahead", ahead)
    scan(store, "w1", NOW)
    scan(store, "w2", NOW + HOUR)
    assert store.scans.document() == store.scans.document("w2")
    assert [one.run_id for one in store.scans.last(kind="whole")] == ["w2", "w1", "ahead"]


def test_reports_by_the_time_they_are_about(store: Store) -> None:
    weeks = [
        Made(f"2026-W{40 + n}", "weekly", NOW + n * HOUR, NOW + (n + 1) * HOUR, NOW, f"{n}", {"n": 0.5, "of": {"a": n}})
        for n in range(3)
    ]
    for one in reversed(weeks):
        store.reports.keep(one)
    assert store.reports.last("weekly", 2) == (weeks[2], weeks[1])
    assert store.reports.last("monthly", 2) == ()
    assert [one.body["report"] for one in store.ledger.events()] == ["2026-W42", "2026-W41", "2026-W40"]


def test_a_report_made_again(store: Store) -> None:
    """The same is one, and stays sent; another takes its place, and is not sent yet."""
    made = Made("w", "weekly", NOW, NOW + HOUR, NOW, "a" * 64, {"n": 1})
    store.reports.keep(made)
    sent = Made("w", "weekly", NOW, NOW + HOUR, NOW, "a" * 64, {"n": 1}, NOW + HOUR)
    store.reports.keep(sent)
    store.reports.keep(made)
    assert store.reports.last("weekly") == (sent,)
    assert len(store.ledger.events()) == 1
    other = Made("w", "weekly", NOW, NOW + HOUR, NOW + timedelta(days=1), "b" * 64, {"n": 2})
    store.reports.keep(other)
    assert store.reports.last("weekly") == (other,)
    assert [one.body["sha256"][0] for one in store.ledger.events()] == ["a", "b"]


def test_a_reports_figures_have_names(store: Store) -> None:
    with pytest.raises(TypeError, match="must be a string"):
        store.reports.keep(Made("w", "weekly", NOW, NOW, NOW, "a", {1: 2}))
    with pytest.raises(StoreError, match="a scan r1 already"):
        scan(store, "r1")
        store.scans.begin("r1", NOW, "", "", kind="open")
