"""What `/metrics` says of a store that a real scan filled, and that what was counted never goes down."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import small_estate
from botocore.exceptions import ClientError
from postgres_server import running
from prometheus_client.parser import text_string_to_metric_families
from small_estate import ACCOUNT

from agent.config import Config, load
from agent.daemon import metrics_totals
from agent.daemon.metrics import Metrics
from agent.daemon.metrics_catalogue import CATALOGUE, Distribution, exposition
from agent.daemon.metrics_document import exceptions, of_document
from agent.daemon.metrics_figures import Figures, environments
from agent.daemon.metrics_labels import account_label
from agent.daemon.metrics_totals import KEPT, Totals
from agent.daemon.metrics_trail import HOUR, TrailWatch
from agent.model import Candidate, Case, CaseKey, Close, Finding, Open, Test
from agent.store import Kept, ScanCommit, Seen, Store, StoreError, connect, schema, versions
from agent.store.codec import decode
from agent.vitals import Running, Vitals

STARTED = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
LEADER = Vitals(STARTED, "leader", 7, ticked=1.0, stored=2.0)
QUEUE = "eventbridge:https://sqs.eu-west-1.amazonaws.com/123456789012/events"

Samples = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Scanned:
    """A folder in which one scan was made."""

    folder: Path
    config: Config
    document: Mapping[str, object]

    def copy(self, folder: Path) -> Config:
        """The store and the configuration in a folder of its own."""
        for name in ("driftwarden.toml", "driftwarden.db"):
            (folder / name).write_bytes((self.folder / name).read_bytes())
        with contextlib.closing(sqlite3.connect(folder / "driftwarden.db", isolation_level=None)) as connection:
            own = ("unjudged", "brought")
            trail = str(folder / "trail")
            connection.execute("UPDATE trail_checkpoints SET feed = ? WHERE feed NOT IN (?, ?)", (trail, *own))
            connection.execute("UPDATE trail_checkpoints SET shard = ? WHERE feed = 'brought'", (trail,))
        return load(folder / "driftwarden.toml")


@pytest.fixture(scope="module")
def scanned(
    moto_server: str,
    moto_variables: Mapping[str, str],
    reset_moto: Callable[[], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scanned]:
    """Dana changed a production queue by hand, and eve was refused 25 times."""
    reset_moto()
    with small_estate.cloud(moto_server, moto_variables) as (recorder, variables):
        estate = small_estate.estate(tmp_path_factory.mktemp("metrics"), recorder, variables)
        estate.configure(small_estate.CONFIG.replace('dir = "shop"\n', 'dir = "shop"\nenvironment = "prod"\n'))
        recorder.deny("AKIA" + f"{'EVE':X<16}", "sqs:*")
        eve = estate.client("eve", "sqs")
        for _ in range(25):
            with pytest.raises(ClientError):
                eve.set_queue_attributes(QueueUrl=estate.queue_url, Attributes={"VisibilityTimeout": "7"})
        estate.set_timeout(5)
        done = estate.scan()
        yield Scanned(estate.folder, load(estate.config), done.document)
    reset_moto()


@pytest.fixture
def config(scanned: Scanned, tmp_path: Path) -> Config:
    return scanned.copy(tmp_path)


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    with connect(config.store_url()) as opened:
        yield opened


def parsed(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    """Name of a sample → its labels' values, by name of the label → value."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def looked(config: Config, store: Store, vitals: Vitals = LEADER, at: datetime | None = None) -> Metrics:
    metrics = Metrics(config, store, lambda: vitals)
    metrics.look(at or datetime.now(UTC))
    return metrics


def counted(config: Config, store: Store) -> dict[str, dict[tuple[str, ...], float]]:
    """Everything that is counted for ever, as a daemon that has just started shows it."""
    of_ever = {name for name, one in CATALOGUE.items() if one.kind != "gauge" and "for ever" in one.help}
    said = parsed(looked(config, store).text())
    return {name: said[name] for name in said if name.removesuffix("_count").removesuffix("_sum") in of_ever}


# --- what a scan leaves --------------------------------------------------------------------------------------


def test_a_change_without_a_ticket_is_told(config: Config, store: Store) -> None:
    (scan,) = store.scans.last()
    assert scan.finished_at is not None
    ended = scan.finished_at.timestamp()
    said = parsed(looked(config, store).text())

    assert said["production_changes_without_ticket_total"] == {(ACCOUNT,): 1}
    assert said["driftwarden_unauthorised_changes_total"][ACCOUNT, "production"] == 1
    assert said["driftwarden_unauthorised_change_found_timestamp_seconds"] == {(ACCOUNT, "production"): ended}
    assert said["driftwarden_production_change_without_ticket_found_timestamp_seconds"] == {(ACCOUNT,): ended}
    assert said["driftwarden_findings"]["unauthorised",] == 1
    assert said["driftwarden_verdicts_total"]["unauthorised",] == 1
    assert said["driftwarden_stack_findings"]["medium", "shop"] == 1
    assert said["driftwarden_time_to_detect_seconds_count"] == {(): 1}
    assert 0 < said["driftwarden_time_to_detect_seconds_sum"][()] < 3600
    assert said["driftwarden_last_successful_scan_timestamp_seconds"] == {(): ended}
    assert said["driftwarden_last_scan_timestamp_seconds"]["whole",] == ended
    assert said["driftwarden_last_scan_timestamp_seconds"]["trail",] == 0
    assert said["driftwarden_task_overdue_timestamp_seconds"] == {("scan",): ended + 2 * 6 * 3600}


def test_coverage_gaps_and_what_was_filed(scanned: Scanned, config: Config, store: Store) -> None:
    said = parsed(looked(config, store).text())
    coverage = scanned.document["coverage"]
    assert isinstance(coverage, dict)

    assert said["driftwarden_coverage_ratio"] == {(): 1}
    assert said["driftwarden_resources"]["declared",] == coverage["declared"] == 3
    assert said["driftwarden_limits"] == {(): len(coverage["limits"])}
    assert sum(said["driftwarden_gaps"].values()) == len(coverage["gaps"]) == 0
    assert sum(said["driftwarden_cases"].values()) == len(store.cases.open()) > 0
    assert sum(said["driftwarden_cases_by_age"].values()) == len(store.cases.open())
    assert said["driftwarden_cases_by_age"]["under-1d", "medium"] == said["driftwarden_cases"]["medium", "open"] > 0
    assert set(said["driftwarden_outbox_entries"].values()) == {0}
    assert said["driftwarden_outbox_oldest_age_seconds"] == {(): 0}
    assert said["driftwarden_ledger_events_total"]["scan.ended",] == 1
    assert sum(said["driftwarden_ledger_events_total"].values()) == store.ledger.head().seq
    assert said["driftwarden_store_size_bytes"] == {(): (config.path("driftwarden.db")).stat().st_size}


def test_whoever_is_refused_is_counted_for_a_day_and_a_burst_for_an_hour(config: Config, store: Store) -> None:
    now = datetime.now(UTC)
    names = ("driftwarden_denied_calls", "driftwarden_denied_burst_calls")

    def after(length: timedelta) -> list[float]:
        said = parsed(looked(config, store, at=now + length).text())
        return [said[name][ACCOUNT,] for name in names]

    assert [after(timedelta(hours=hours)) for hours in (0, 2, 25)] == [[25, 25], [25, 0], [0, 0]]


def sourced(config: Config, *sources: str) -> Config:
    """The configuration with other sources of the trail."""
    return msgspec.structs.replace(config, trail=msgspec.structs.replace(config.trail, source=sources))


def test_a_source_is_as_old_as_its_last_reading_and_its_newest_event_is_told_beside(
    config: Config, store: Store
) -> None:
    (kept,) = {position.kept_at for position in store.journal.positions()}
    config = sourced(config, "trail", "s3://nothing/yet")
    said = parsed(looked(config, store, at=kept + timedelta(minutes=10)).text())
    assert said["driftwarden_trail_source_lag_seconds"] == {("trail",): 600, ("s3://nothing/yet",): float("inf")}
    newest = said["driftwarden_trail_newest_event_timestamp_seconds"]
    assert newest.keys() == {(ACCOUNT,)} and newest[ACCOUNT,] <= kept.timestamp()
    assert said["driftwarden_trail_source_newest_event_timestamp_seconds"] == {("trail",): newest[ACCOUNT,]}
    for hour in range(72):  # it is read on, and brings nothing
        store.journal.keep(str(config.path("trail")), Kept(checkpoint={}), kept + hour * HOUR)
    later = parsed(looked(config, store, at=kept + 71 * HOUR).text())
    assert later["driftwarden_trail_source_lag_seconds"]["trail",] == 0
    for name in ("newest_event", "missed"):
        full = f"driftwarden_trail_source_{name}_timestamp_seconds"
        assert later.get(full) == said.get(full)


def test_a_source_that_is_silent_while_another_brings_changes_of_its_places_is_told(
    config: Config, store: Store
) -> None:
    config = sourced(config, "trail", QUEUE)
    (kept,) = {position.kept_at for position in store.journal.positions()}
    change = next(one for one in store.journal.entries(kept - 20 * HOUR, kept, ["change"]))
    events, name = QUEUE.removeprefix("eventbridge:"), "driftwarden_trail_source_missed_timestamp_seconds"
    store.journal.keep(events, Kept([change], checkpoint={}), kept)
    later = replace(change, event="later", time=kept + HOUR)
    store.journal.keep(str(config.path("trail")), Kept([later]), kept + 2 * HOUR)
    said = parsed(looked(config, store, at=kept + 30 * HOUR).text())
    assert said[name] == {(QUEUE,): (kept + HOUR).timestamp()}
    assert said["driftwarden_trail_source_newest_event_timestamp_seconds"][QUEUE,] == change.time.timestamp()
    store.journal.keep(events, Kept([later], checkpoint={}), kept + 31 * HOUR)
    assert name not in parsed(looked(config, store, at=kept + 32 * HOUR).text())


def test_refused_calls_are_counted_anew_when_something_came_and_not_each_time(config: Config, store: Store) -> None:
    now = datetime.now(UTC)
    watch = TrailWatch(store)

    def calls(at: datetime) -> object:
        return watch.look(config, (), at)["driftwarden_denied_calls"].get((ACCOUNT,), 0.0)

    assert calls(now) == 25
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM trail_entries WHERE sort = 'denied'")
    assert calls(now + timedelta(seconds=90)) == 25  # no source brought anything since
    with store.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE trail_checkpoints SET kept_at = ?", ((now + HOUR).isoformat("T", "microseconds"),)
        )
    assert calls(now + timedelta(seconds=30)) == 25
    assert calls(now + timedelta(seconds=90)) == 0
    assert calls(now - timedelta(hours=1)) == 0  # the clock was set back


@pytest.mark.parametrize(
    ("source", "feed", "is_of"),
    [
        ("lookup", "lookup://123456789012/eu-west-1", True),
        ("s3://logs/a", "s3://logs/AWSLogs/", True),
        ("s3://logs", "s3://logs-of-others/", False),
        ("eventbridge:https://sqs/q", "https://sqs/q", True),
        ("s3-notifications:https://sqs/q", "https://sqs/other", False),
    ],
)
def test_which_source_a_feed_is_of(source: str, feed: str, is_of: bool, config: Config, store: Store) -> None:
    config = msgspec.structs.replace(config, trail=msgspec.structs.replace(config.trail, source=source))
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE trail_checkpoints SET feed = ?", (feed,))
    lag = TrailWatch(store).look(config, (), datetime.now(UTC))["driftwarden_trail_source_lag_seconds"][source,]
    assert (lag != float("inf")) is is_of


def test_counting_reads_of_a_finding_what_all_of_it_says(store: Store) -> None:
    """The quick decoder knows only some members: it must agree with the whole one on what scans really write."""
    with store.database.read() as connection:
        bodies = [row[0] for row in connection.exec_driver_sql("SELECT body FROM verdicts")]
    compared = 0
    for body in bodies:
        quick, whole = metrics_totals._DECODER.decode(body), decode(Finding, body)
        for few, all_of in zip(quick.changes.items, whole.changes, strict=True):
            assert tuple(few.change.event_ids.items) == all_of.change.event_ids
            assert few.change.time.value == all_of.change.time
            assert few.change.account == all_of.change.account
            assert few.verdict.outcome == all_of.verdict.outcome
            assert few.verdict.environment == all_of.verdict.environment
            tests = [(test.name, test.result) for test in few.verdict.tests.items]
            assert tests == [(test.name, test.result) for test in all_of.verdict.tests]
            compared += 1
    assert compared > 0


# --- for ever ------------------------------------------------------------------------------------------------


def forget_evidence(store: Store) -> None:
    """Takes verdicts and ledger away, as removing evidence after its years does."""
    with store.database.write() as connection:
        for table in ("verdicts", "events"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_delete")
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE rowid < (SELECT max(rowid) FROM {table})")


def test_a_restart_counts_the_same(config: Config, store: Store) -> None:
    first = counted(config, store)
    assert first["production_changes_without_ticket_total"] == {(ACCOUNT,): 1}
    assert counted(config, store) == first


def test_what_was_counted_outlives_the_evidence(config: Config, store: Store) -> None:
    before = counted(config, store)
    assert store.settings.last(KEPT) is not None
    forget_evidence(store)
    assert counted(config, store) == before


def test_without_what_was_written_down_evidence_that_went_would_be_missed(config: Config, store: Store) -> None:
    before = counted(config, store)
    with store.database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER settings_delete")
        connection.exec_driver_sql("DELETE FROM settings WHERE name = ?", (KEPT,))
    forget_evidence(store)
    assert counted(config, store) != before


def test_counts_are_written_down_once_a_day_and_by_the_leader_alone(config: Config, store: Store) -> None:
    def rows() -> int:
        with store.database.read() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM settings WHERE name = ?", (KEPT,)).scalar_one())

    now = datetime.now(UTC)
    looked(config, store, replace(LEADER, role="standby"))
    assert rows() == 0
    looked(config, store, at=now)
    assert rows() == 1
    store.ledger.append("clock.jump", {}, now)
    metrics = looked(config, store, at=now + timedelta(hours=23))
    assert rows() == 1
    metrics.look(now + timedelta(hours=24))
    assert rows() == 2
    metrics.look(now + timedelta(hours=49))  # nothing was counted since
    assert rows() == 2


def test_a_change_is_counted_once_however_often_it_is_judged(config: Config, store: Store) -> None:
    totals = Totals(store)
    totals.advance()
    before = totals.samples()["production_changes_without_ticket_total"]
    seen = [known.finding for known in store.findings.open().values()]
    judged_anew = tuple(
        Seen(replace(one, verdict=replace(one.verdict, ticket="CHG-9")), inputs={"at": "later"}) for one in seen
    )
    at = datetime.now(UTC)
    store.scans.begin("again", at, "", "")
    assert store.scans.commit(ScanCommit("again", at, "violations", b"{}", seen=judged_anew))
    totals.advance()
    assert totals.samples()["production_changes_without_ticket_total"] == before
    assert totals.samples()["driftwarden_verdicts_total"]["unauthorised",] == 2


@pytest.mark.parametrize(
    ("results", "bare"),
    [
        ({"ticket": "pass", "state": "fail", "scope": "pass"}, 1),  # a closed one, named in a user agent
        ({"ticket": "pass", "window": "fail"}, 1),
        ({"ticket": "pass", "state": "pass", "scope": "fail"}, 1),
        ({"ticket": "fail"}, 1),
        ({"ticket": "pass", "state": "pass", "window": "unknown", "implementer": "fail"}, 0),
    ],
    ids=["closed", "outside its window", "for another resource", "none", "by somebody else"],
)
def test_a_ticket_that_is_not_valid_for_the_change_covers_nothing(
    results: Mapping[str, Any], bare: int, store: Store
) -> None:
    totals = Totals(store)
    totals.advance()
    name = "production_changes_without_ticket_total"
    (before,) = totals.samples()[name].values()
    one = next(iter(store.findings.open().values())).finding
    item, at = one.changes[0], datetime.now(UTC)
    tests = tuple(Test(test, result, "as it is") for test, result in results.items())
    verdict, change = replace(item.verdict, tests=tests), replace(item.change, event_ids=("another",))
    hot = replace(one, changes=(*one.changes, replace(item, change=change, verdict=verdict)))
    store.scans.begin("more", at, "", "")
    assert store.scans.commit(ScanCommit("more", at, "violations", b"{}", seen=(Seen(hot),)))
    totals.advance()
    assert totals.samples()[name] == {(ACCOUNT,): before + bare}
    assert totals.samples()["driftwarden_unauthorised_changes_total"][ACCOUNT, "production"] == 2


def test_a_call_whose_copies_arrive_later_is_counted_once(store: Store) -> None:
    totals = Totals(store)
    totals.advance()
    name = "driftwarden_unauthorised_changes_total"
    before = totals.samples()[name][ACCOUNT, "production"]
    one = next(iter(store.findings.open().values())).finding
    item, at = one.changes[0], datetime.now(UTC)
    for events in (("first",), ("first", "second"), ("second", "third"), ("fourth",)):
        hot = replace(one, changes=(*one.changes, replace(item, change=replace(item.change, event_ids=events))))
        store.scans.begin(events[-1], at, "", "")
        assert store.scans.commit(ScanCommit(events[-1], at, "violations", b"{}", seen=(Seen(hot),)))
    for counted in (totals, Totals(store)):
        counted.advance()
        assert counted.samples()[name][ACCOUNT, "production"] == before + 2


def test_changes_of_verdicts_that_are_kept_in_pieces_are_counted(config: Config, store: Store) -> None:
    name = "production_changes_without_ticket_total"
    totals = Totals(store)
    totals.advance()
    (before,) = totals.samples()[name].values()
    one = next(iter(store.findings.open().values())).finding
    item, at = one.changes[0], datetime.now(UTC)
    more = [replace(item, change=replace(item.change, event_ids=(f"{number}-more",))) for number in range(200)]
    for count in (150, 152, 200):
        behind = tuple(Candidate(each.change, 0.3, "may have") for each in more[:count][::-1])
        hot = replace(one, changes=(*one.changes, *more[:count]), candidates=behind)
        store.scans.begin(f"to-{count}", at, "", "")
        assert store.scans.commit(ScanCommit(f"to-{count}", at, "violations", b"{}", seen=(Seen(hot),)))
    for counted in (totals, Totals(store)):
        counted.advance()
        assert list(counted.samples()[name].values()) == [before + 200]
    with store.database.write() as connection, versions.unguarded(connection):
        connection.execute(schema.pieces.delete())
    with pytest.raises(StoreError, match="a piece of it was changed or is gone; see `driftwarden db verify`"):
        Totals(store).advance()


def test_how_long_a_case_stayed_open(config: Config, store: Store) -> None:
    totals = Totals(store)
    totals.advance()
    case = store.cases.open()[0]
    assert case.opened_at is not None

    def ended(name: str, at: datetime, action: Open | Close) -> None:
        store.scans.begin(name, at, "", "")
        assert store.scans.commit(ScanCommit(name, at, "clean", b"{}", actions=(action,)))
        totals.advance()

    ended("closes", case.opened_at + timedelta(hours=2), Close(case, "back under control"))
    ended("opens", case.opened_at + timedelta(hours=3), Open(case))
    ended("closes-again", case.opened_at + timedelta(hours=13), Close(case, "once more"))
    found = totals.samples()["driftwarden_time_to_resolve_seconds"][()]
    assert isinstance(found, Distribution)
    assert (found.counts[:3], found.total) == ((0, 1, 1), 12 * 3600)
    again = Totals(store)
    again.advance()
    assert again.samples() == totals.samples()


def test_what_fails_half_way_is_not_counted_twice(store: Store) -> None:
    """Verdicts are read, the ledger cannot be."""
    whole = Totals(store)
    whole.advance()
    totals = Totals(store)

    def rename(before: str, after: str) -> None:
        with store.database.write() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")

    rename("events", "elsewhere")
    with pytest.raises(StoreError, match="no such table: events"):
        totals.advance()
    rename("elsewhere", "events")
    totals.advance()
    assert totals.samples() == whole.samples()


# --- cases, emergencies, exceptions ------------------------------------------------------------------------


def test_emergencies_are_told_by_their_cases_and_are_overdue_after_their_deadline(config: Config, store: Store) -> None:
    now = datetime.now(UTC)
    first, *_ = store.cases.open()
    emergency = replace(
        first, key="bg", grant="BG-0123456789ab", stage="awaiting-document", deadline=now + timedelta(hours=1)
    )
    assert store.cases.begin(emergency, "an opening", now)
    figures = Figures(config, store)
    told = figures.look(now)["driftwarden_breakglass"]
    assert {stage for stage, number in told.items() if number} == {("awaiting-document",)}
    due = "driftwarden_breakglass_next_deadline_timestamp_seconds"
    assert figures.look(now)[due] == {(): (now + HOUR).timestamp()}
    later = figures.look(now + 2 * HOUR)
    assert {stage for stage, number in later["driftwarden_breakglass"].items() if number} == {("overdue",)}
    assert later[due] == {}
    # One that is overdue has an alert of its own, and hides no other that comes near.
    assert store.cases.begin(replace(emergency, key="bg-2", deadline=now + 4 * HOUR), "an opening", now)
    assert figures.look(now + 2 * HOUR)[due] == {(): (now + 4 * HOUR).timestamp()}


def test_without_cases_emergencies_are_those_of_the_last_scan(config: Config, store: Store) -> None:
    now = datetime.now(UTC)
    due = f"{now + timedelta(hours=1):%FT%TZ}"
    told = [
        {"case": "no-case", "state": "awaiting-document", "deadline": due},
        {"case": store.cases.open()[0].key, "state": "overdue", "deadline": due},
    ]
    store.scans.begin("observes", now, "", "")
    document = json.dumps({"emergencies": told}).encode()
    assert store.scans.commit(ScanCommit("observes", now, "violations", document))
    figures = Figures(config, store).look(now)
    assert {stage for stage, number in figures["driftwarden_breakglass"].items() if number} == {("awaiting-document",)}


def test_exceptions_by_how_long_they_last() -> None:
    now = STARTED
    ends = [now - timedelta(seconds=1), now + timedelta(days=14), now + timedelta(days=15)]
    told = exceptions([("exception", end) for end in ends], now)["driftwarden_exceptions"]
    assert {state: n for (kind, state), n in told.items() if kind == "exception"} == dict.fromkeys(
        ("expired", "expiring", "in-force"), 1
    )


def test_gaps_by_where_something_was_missing() -> None:
    trail = {"scope": "*/*/*/*", "why": "trail main: logging was stopped", "cause": "stopped"}
    new = {"scope": "*/*/cloudtrail/*", "why": "no event has come through the queue yet", "cause": "unproven"}
    gaps = [
        trail,
        new,
        {"scope": "*/*/tickets/*", "why": "jira: 503"},
        {"scope": "123456789012/*/*/*", "why": "stack shop: the state is locked"},
        {"scope": "123456789012/eu-west-1/aws_sqs_queue/*", "why": "AccessDenied"},
    ]
    read = of_document(json.dumps({"coverage": {"gaps": gaps, "trail": {"gaps": [trail, new]}}}).encode())
    told = {kind: n for (kind,), n in read.samples["driftwarden_gaps"].items() if n}
    assert told == {"trail": 1, "unproven": 1, "tickets": 1, "declared": 1, "live": 1}
    assert "driftwarden_coverage_ratio" not in read.samples  # nothing declared is not all of it


# --- the daemon itself ---------------------------------------------------------------------------------------


def test_the_daemon_tells_of_itself(config: Config, store: Store) -> None:
    vitals = replace(
        LEADER,
        running=(Running("scan", 1, STARTED),),
        due={"scan": STARTED, "trail": STARTED + timedelta(minutes=5)},
        reload_error="driftwarden.toml:3: what is that?",
        clock_jumps=2,
        events=9,
        event_lag=0.5,
    )
    store.jobs.began("backup", STARTED)
    store.jobs.ended("backup", STARTED + timedelta(seconds=30), "failed", "the disk is full")
    config = backing_up(config)
    said = parsed(looked(config, store, vitals).text())
    values = {
        name: said[f"driftwarden_{name}"][()] for name in ("leader", "fence", "reload_failed", "event_lag_seconds")
    }
    assert values == {"leader": 1, "fence": 7, "reload_failed": 1, "event_lag_seconds": 0.5}
    assert said["driftwarden_clock_jumps_total"][()] == 2
    assert said["driftwarden_events_processed_total"][()] == 9
    assert said["driftwarden_task_running"] == {("scan",): 1, ("trail",): 0}
    assert said["driftwarden_task_failures_total"]["backup",] == said["driftwarden_task_failed"]["backup",] == 1
    assert said["driftwarden_task_last_duration_seconds"]["backup",] == 30
    assert said["driftwarden_store_up"][()] == 1
    for name in ("resident_memory_bytes", "open_fds", "max_fds", "threads"):
        assert said[f"driftwarden_process_{name}"][()] > 0
    assert b"what is that" not in looked(config, store, vitals).text()


def test_everything_in_the_catalogue_is_exported_and_nothing_else(config: Config, store: Store) -> None:
    """Alert rules and dashboard are held to the catalogue by their own tests."""
    config = backing_up(config)
    vitals = replace(LEADER, due={"scan": STARTED}, event_lag=0.5)
    store.jobs.ended("scan", STARTED, "ok")
    metrics = looked(config, store, vitals)
    metrics.ledger(intact=True)
    told = {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    assert {name.removesuffix("_total") for name in CATALOGUE} == told
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH")
    linted = subprocess.run([promtool, "check", "metrics"], input=metrics.text(), capture_output=True, check=False)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, b"", b"")


def backing_up(config: Config) -> Config:
    """The configuration with a place for backups, every night at three."""
    return msgspec.structs.replace(config, backup=msgspec.structs.replace(config.backup, dir="backups"))


def test_only_a_task_that_runs_by_the_configuration_counts_as_failed(config: Config, store: Store) -> None:
    for job in ("scan", "stack:renamed", "stack:shop", "report", "events", "file"):
        store.jobs.ended(job, STARTED, "failed", "why")
    weekly = msgspec.structs.replace(config.schedule, report="")
    own = msgspec.structs.replace(config.stack[0], schedule="1h")
    by_hand = msgspec.structs.replace(config, schedule=weekly)
    failed, runs = "driftwarden_task_failed", "driftwarden_task_runs_total"
    said = Figures(by_hand, store).look(STARTED)
    assert (set(said[failed]), len(said[runs])) == ({("scan",), ("file",)}, 6)
    more = msgspec.structs.replace(sourced(config, QUEUE), stack=(own,))
    names = {"scan", "stack:shop", "report", "events", "file"}
    assert Figures(more, store).look(STARTED)[failed] == {(name,): 1.0 for name in names}


def test_a_scan_that_never_began_is_overdue_from_when_the_daemon_first_led(tmp_path: Path) -> None:
    """A key that cannot be read stops every scan before anything is noted of it."""
    (tmp_path / "driftwarden.toml").write_text(f'[[account]]\nid = "{ACCOUNT}"\n')
    config, name = load(tmp_path / "driftwarden.toml"), "driftwarden_task_overdue_timestamp_seconds"
    with connect(config.store_url()) as store:
        looked(config, store, replace(LEADER, role="standby"), at=STARTED - timedelta(days=1))
        for day in range(3):  # the daemon is started anew each day
            metrics = looked(config, store, at=STARTED + timedelta(days=day))
            metrics.look(STARTED + timedelta(days=day, seconds=20))
            assert parsed(metrics.text())[name] == {("scan",): (STARTED + 12 * HOUR).timestamp()}
            assert metrics.overdue(STARTED + timedelta(days=day)) == STARTED + 12 * HOUR


def test_a_backup_that_is_new_is_overdue_from_when_it_was_first_due(config: Config, store: Store) -> None:
    config, name = backing_up(config), "driftwarden_task_overdue_timestamp_seconds"
    metrics = looked(config, store, at=STARTED)
    nights = [datetime(2026, 11, day, 3, tzinfo=UTC) for day in (28, 29, 30)]

    def overdue(at: datetime) -> float:
        metrics.look(at)
        return parsed(metrics.text())[name]["backup",]

    assert overdue(STARTED) == nights[1].timestamp()
    store.jobs.due("backup", nights[0])
    assert overdue(STARTED) == nights[1].timestamp()
    for night in nights[:2]:  # and it fails, night for night
        store.jobs.began("backup", night)
        store.jobs.ended("backup", night + HOUR, "failed", "the disk is full")
        store.jobs.due("backup", night + timedelta(days=1))
        assert overdue(night + 2 * HOUR) == nights[1].timestamp()
    store.jobs.began("backup", nights[2])
    store.jobs.ended("backup", nights[2], "ok")
    assert overdue(nights[2]) == (nights[2] + timedelta(days=2)).timestamp()


def test_a_backup_is_overdue_after_two_nights(config: Config, store: Store) -> None:
    config = backing_up(config)
    done = datetime(2026, 11, 20, 3, 0, 5, tzinfo=UTC)
    store.jobs.ended("backup", done, "ok")
    overdue = Figures(config, store).look(datetime.now(UTC))["driftwarden_task_overdue_timestamp_seconds"]
    assert overdue["backup",] == datetime(2026, 11, 22, 3, 0, tzinfo=UTC).timestamp()


def test_a_store_that_cannot_be_read_is_said_to_be_old(config: Config, store: Store) -> None:
    metrics = looked(config, store)
    with store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO elsewhere")
    with pytest.raises(StoreError, match="outbox"):
        metrics.look(datetime.now(UTC))
    said = parsed(metrics.text())
    assert said["driftwarden_store_up"][()] == 0
    assert said["production_changes_without_ticket_total"] == {(ACCOUNT,): 1}


# --- labels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ['a"b\\c', "two\nlines", "\x1b[31mred\u202e", "x" * 5_000, "{job='x'} 1"])
def test_a_name_is_inert_in_a_label(name: str) -> None:
    text = exposition({"driftwarden_stack_findings": {(name, "high"): 3.0}})
    ((labels, value),) = parsed(text)["driftwarden_stack_findings"].items()
    assert (labels[0], value) == ("high", 3)
    assert len(labels[1]) < 200 and labels[1].isprintable()
    assert len(text.splitlines()) == 3


def test_names_that_look_alike_once_shown_are_one_sample() -> None:
    """Two samples of one name and one set of labels: Prometheus would refuse all of the scrape."""
    names = [("x" * 200 + end, "high") for end in "ab"]
    text = exposition({"driftwarden_stack_findings": dict.fromkeys(names, 3.0)})
    assert list(parsed(text)["driftwarden_stack_findings"].values()) == [3]


@pytest.mark.parametrize("account", ["", "123", "evil\n", "1234567890123", "١٢٣٤٥٦٧٨٩٠١٢"])
def test_what_is_no_account_is_other(account: str) -> None:
    assert account_label(account) == "other"
    assert account_label(ACCOUNT) == ACCOUNT


def test_a_metric_that_is_not_in_the_catalogue_is_refused() -> None:
    with pytest.raises(KeyError):
        exposition({"driftwarden_unheard_of": {(): 1.0}})
    with pytest.raises(ValueError, match="labels"):
        exposition({"driftwarden_cases": {("high",): 1.0}})


def test_labels_are_few() -> None:
    """None is called `job` or `instance`: a scrape has its own of these, and renames ours."""
    used = {label for one in CATALOGUE.values() for label in one.labels}
    allowed = {"account", "stack", "severity", "kind", "source", "outcome", "state", "age", "environment", "task"}
    assert used - allowed == {"version"}


def test_environments_are_named_as_verdicts_name_them(config: Config) -> None:
    assert environments(config) == {(ACCOUNT, "production"), (ACCOUNT, "")}


# --- PostgreSQL ----------------------------------------------------------------------------------------------


def test_it_is_the_same_on_postgresql(tmp_path: Path) -> None:
    (tmp_path / "driftwarden.toml").write_text(f'[[account]]\nid = "{ACCOUNT}"\n')
    config = load(tmp_path / "driftwarden.toml")
    with running() as socket, connect(f"postgresql://driftwarden@/postgres?host={socket}") as store:
        at = datetime.now(UTC)
        store.scans.begin("first", at - timedelta(minutes=1), "", "")
        opened = Case(CaseKey("C-1"), "a case", (), "high", opened_at=at - timedelta(days=8))
        document = json.dumps({"coverage": {"declared": 4, "compared": 3}}).encode()
        assert store.scans.commit(ScanCommit("first", at, "violations", document, actions=(Open(opened),)))
        said = parsed(looked(config, store).text())
        assert said["driftwarden_last_successful_scan_timestamp_seconds"][()] == at.timestamp()
        assert said["driftwarden_last_scan_duration_seconds"]["whole",] == 60
        assert said["driftwarden_coverage_ratio"][()] == 0.75
        assert (
            said["driftwarden_cases_by_age"]["under-30d", "high"] == said["driftwarden_outbox_entries"]["waiting",] == 1
        )
        assert said["driftwarden_store_size_bytes"][()] > 1_000_000
        assert store.settings.last(KEPT) is not None
        assert counted(config, store) == counted(config, store)
