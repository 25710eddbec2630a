"""How it stands: what needs somebody comes first, nothing unchecked reads as well, and hostile names are inert."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import inquiry
from agent.config import Config, load
from agent.model import Case, CaseKey, Entry, FindingId, Identity, Open, Tally
from agent.status import exit_code, lines, status
from agent.store import ScanCommit, Store, connect
from agent.store.journal import Kept
from agent.store.lock import StoreLock

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOSTILE = "\x1b[2Jcleared"
ACCOUNT = "123456789012"
DOCUMENT: dict[str, dict[str, Any]] = {
    "coverage": {
        "declared": 40,
        "compared": 39,
        "live": 50,
        "limits": [{}],
        "gaps": [{"scope": "1/eu-west-1/*/*", "why": HOSTILE}],
        "trail": {"gaps": [{"scope": "1/eu-west-1/*/*", "why": HOSTILE}]},
    }
}
DAEMON = {
    "role": "leader",
    "started_at": "2026-11-27T08:00:00Z",
    "running": [{"job": "scan", "pid": 1, "since": "2026-11-27T11:59:00Z"}],
    "reload_error": "driftwarden.toml:3: wrong",
    "due": {"scan": "2026-11-27T18:00:00Z"},
    "events": 7,
    "event_lag": 2.25,
    "polled": "",
    "unreached": "[daemon] listen: taken",
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "driftwarden.toml").write_text("")
    return load(tmp_path / "driftwarden.toml")


def scanned(store: Store, at: datetime, result: Any = "violations", *cases: Case, kind: Any = "whole") -> None:
    run = f"{at:%H%M%S}-{kind}"
    store.scans.begin(run, at - HOUR / 60, "c", "r", kind)
    commit = ScanCommit(run, at, result, json.dumps(DOCUMENT).encode(), actions=tuple(map(Open, cases)), kind=kind)
    assert store.scans.commit(commit)


def a_case(name: str, severity: Any) -> Case:
    return Case(CaseKey(name), name, (FindingId(f"F-{name}"),), severity, opened_at=NOW - 9 * DAY)


def test_a_store_in_which_nothing_ever_happened(config: Config) -> None:
    with connect(config.store_url()) as store:
        told = status(config, store, NOW, None)
    assert exit_code(told) == 3
    assert told["attention"][0] == "no scan of the whole estate has ended yet: nothing is known of it"
    shown = lines(told, 100)
    assert shown.startswith("Daemon: no daemon is running\nLast scan of the whole estate: never\n\nNeeds attention\n")
    assert "clean" not in shown
    assert "none is known: the estate was never checked" in shown


def test_what_needs_somebody_comes_first(config: Config) -> None:
    with connect(config.store_url()) as store:
        scanned(store, NOW - 13 * HOUR, "violations", a_case("a", "critical"), a_case("b", "low"))
        scanned(store, NOW - HOUR, "clean", kind="trail")
        store.journal.keep("s3://logs", Kept(shard="x", checkpoint={"at": 1}), NOW - 2 * HOUR)
        store.jobs.began("scan", NOW - HOUR)
        store.jobs.ended("scan", NOW - HOUR, "failed", HOSTILE)
        told = status(config, store, NOW, DAEMON)
    assert exit_code(told) == 1
    assert told["attention"] == [
        "the last scan of the whole estate ended 13 h ago; the second since should have begun by 2026-11-27 11:00 UTC",
        "1 gap: nothing in them is known to be clean",
        "the newest configuration is not in use: driftwarden.toml:3: wrong",
        "the daemon is not reached by all who should: [daemon] listen: taken",
        f"job scan failed 60 min ago: {HOSTILE}",
        "something waits to be filed for 13 h: no failure is known",
    ]
    assert told["schedule"][0]["due_at"] == "2026-11-27T18:00:00Z"
    assert (told["outbox"]["waiting"], told["cases"]["unfiled"]) == (2, 2)
    shown = lines(told, 100)
    assert shown.index("Needs attention") < shown.index("Checked") < shown.index("Cases")
    for line in (
        "Daemon: leader, started 4 h ago, scan",
        "  39 of 40 declared resources compared (97%)",
        "  1 critical, the oldest for 9 d, 1 for more than a week",
        "  s3://logs: read 2 h ago",
        "  events: 7 messages, the newest 2.2 s from event to case",
        "  trail: clean, 60 min ago",
    ):
        assert line in shown.splitlines()
    assert "\x1b" not in shown
    assert json.loads(json.dumps(told)) == told


def test_what_waits_for_two_people_is_told_with_the_words_to_accept(config: Config) -> None:
    waits = "[authority] waits for two admins (driftwarden cases accept 'authority 0a1b')"
    document = json.dumps({**DOCUMENT, "policy": {"changes": [], "waiting": [waits]}}).encode()
    with connect(config.store_url()) as store:
        store.scans.begin("one", NOW - HOUR, "c", "r", "whole")
        assert store.scans.commit(ScanCommit("one", NOW, "clean", document, kind="whole"))
        assert waits in status(config, store, NOW, None)["attention"]


def test_our_own_mark_in_the_journal_is_no_source(config: Config) -> None:
    with connect(config.store_url()) as store:
        scanned(store, NOW)
        for feed in ("s3://trail", "unjudged"):
            store.journal.keep(feed, Kept(shard="x", checkpoint={"at": 1}), NOW)
        assert [one["feed"] for one in status(config, store, NOW, None)["trail"]["sources"]] == ["s3://trail"]


def test_an_emergency_is_told_until_it_is_over_and_one_whose_document_was_rejected_needs_somebody(
    config: Config,
) -> None:
    told_of = ("rejected", "awaiting-review", "way-back", "post-implementation")
    passed = NOW - DAY
    every = [
        replace(a_case(stage, "high"), grant=f"BG-{stage}", stage=stage, ticket=f"INC-{stage}", deadline=passed)
        for stage in (*told_of, "awaiting-document", "accepted", "open")
    ]
    with connect(config.store_url()) as store:
        scanned(store, NOW - HOUR, "violations", *every)
        told = status(config, store, NOW, None)
    assert {one["stage"] for one in told["emergencies"]} == {*told_of, "overdue"}
    assert [one for one in told["attention"] if "break-glass" in one] == [
        "break-glass INC-awaiting-document should have been documented by 2026-11-26 12:00 UTC",
        "the document of break-glass INC-rejected was rejected: whoever used it writes another",
    ]
    shown = lines(told, 100).splitlines()
    assert "  break-glass INC-rejected: rejected, 2026-11-26 12:00 UTC" in shown
    assert "  break-glass INC-way-back: way-back" in shown


def test_what_is_not_shown_one_by_one_is_said_to_be_there(config: Config) -> None:
    many = [replace(a_case(f"{n}", "high"), grant="BG", stage="rejected", deadline=NOW) for n in range(12)]
    regions = [Tally("123456789012", f"r-{n}", NOW, 1, NOW) for n in range(13)]
    with connect(config.store_url()) as store:
        scanned(store, NOW - HOUR, "violations", *many)
        store.journal.keep("s3://logs/", Kept(tallies=regions, checkpoint={}), NOW)
        shown = lines(status(config, store, NOW, None), 100).splitlines()
    assert "  and 2 more: `driftwarden breakglass list` has them" in shown
    assert "  and 3 more accounts and regions: `driftwarden trail status` has them" in shown


@pytest.mark.parametrize(
    ("compared", "share"), [(996, "(99%)"), (999, "(99%)"), (1000, "(100%)"), (0, "(0%)")], ids=str
)
def test_not_quite_all_is_not_all(config: Config, compared: int, share: str) -> None:
    coverage = {**DOCUMENT["coverage"], "declared": 1000, "compared": compared}
    with connect(config.store_url()) as store:
        store.scans.begin("one", NOW - HOUR, "c", "r", "whole")
        document = json.dumps({"coverage": coverage}).encode()
        assert store.scans.commit(ScanCommit("one", NOW, "clean", document, kind="whole"))
        shown = lines(status(config, store, NOW, None), 100)
    assert f"  {compared:,} of 1,000 declared resources compared {share}" in shown.splitlines()


def test_a_job_that_is_in_the_schedule_no_more_is_not_told(config: Config) -> None:
    config = msgspec.structs.replace(config, schedule=msgspec.structs.replace(config.schedule, report=""))
    with connect(config.store_url()) as store:
        for job in ("stack:renamed", "report", "trail", "file"):
            store.jobs.ended(job, NOW - HOUR, "failed", "why")
        told = status(config, store, NOW, None)
    assert [one["job"] for one in told["schedule"]] == ["file", "trail"]
    assert [one for one in told["attention"] if one.startswith("job")] == [
        "job file failed 60 min ago: why",
        "job trail failed 60 min ago: why",
    ]


@pytest.mark.parametrize("ever", [True, False], ids=["no more", "never"])
def test_a_queue_to_which_nothing_is_delivered_is_told_once_others_bring_changes_for_a_day(
    config: Config, ever: bool
) -> None:
    """Its rule was switched off, say: it is read to its end each minute, and is empty."""
    queue = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{HOSTILE}"
    sources = ("s3://logs", f"eventbridge:{queue}")
    config = msgspec.structs.replace(config, trail=msgspec.structs.replace(config.trail, source=sources))
    began, shown = NOW - 9 * DAY, f"eventbridge:{queue}".replace("\x1b", "⟨U+001B⟩")

    def silent(store: Store, at: datetime) -> list[str]:
        found = list(status(config, store, at, None)["trail"]["silent"])
        assert [gap.why for gap in inquiry.status(config, store, at).gaps if gap.cause] == found
        return found

    with connect(config.store_url()) as store:

        def changed(event: str, at: datetime, *feeds: str, region: str = "eu-west-1") -> None:
            caller = Identity("IAMUser", f"arn:aws:iam::{ACCOUNT}:user/dana")
            made = Entry(event, "change", at, "sqs:SetQueueAttributes", caller, ACCOUNT, ACCOUNT, region)
            for feed in feeds:
                store.journal.keep(feed, Kept([made], checkpoint={}), at + HOUR / 4)

        store.journal.keep(queue, Kept(checkpoint={}), began)
        if ever:
            changed("first", began, queue, "s3://logs/")
        store.journal.keep(queue, Kept(checkpoint={}), NOW)
        store.journal.keep("s3://logs/", Kept(tallies=[Tally(ACCOUNT, "eu-west-1", NOW, 9, NOW)]), NOW)
        assert silent(store, NOW) == []  # nobody changed anything
        changed("later", NOW, "s3://logs/")
        store.journal.keep(queue, Kept(checkpoint={}), NOW + DAY)
        assert silent(store, NOW + DAY) == []  # delivery may take so long
        brought = "brought nothing since 2026-11-18 12:00 UTC" if ever else "never brought an event"
        (said,) = silent(store, NOW + DAY + HOUR)
        assert said.startswith(f"source {shown} {brought}, and another brought changes ")
        assert "since 2026-11-27 12:00 UTC" in said
        changed("much later", NOW + DAY, queue, "s3://logs/")
        assert silent(store, NOW + 9 * DAY) == []
        changed("elsewhere", NOW + 2 * DAY, "s3://logs/", region="us-east-1")
        assert silent(store, NOW + 9 * DAY) == []  # of there it never brought anything


def test_who_is_there(config: Config) -> None:
    with connect(config.store_url()) as store:
        store.leadership.take("vm/1", NOW)
        assert lines(status(config, store, NOW, None), 80).startswith(
            "Daemon: no daemon is running; the last was vm/1\n"
        )
        lock = StoreLock(store.database)
        assert lock.acquire()
        with connect(config.store_url()) as other:
            told = status(config, other, NOW, None)
        lock.release()
    assert lines(told, 80).startswith("Daemon: vm/1 runs, and was not asked\n")
    assert told["leader"] == {"owner": "vm/1", "fence": 1, "since": "2026-11-27T12:00:00Z", "there": True}
