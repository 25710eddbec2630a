"""How it stands: what needs somebody comes first, nothing unchecked reads as well, and hostile names are inert."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import Config, load
from agent.model import Case, CaseKey, FindingId, Open
from agent.status import exit_code, lines, status
from agent.store import ScanCommit, Store, connect
from agent.store.journal import Kept
from agent.store.lock import StoreLock

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOSTILE = "\x1b[2Jcleared"
DOCUMENT = {
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
        f"job scan failed 60 min ago: {HOSTILE}",
        "something waits to be filed for 13 h: no failure is known",
    ]
    assert told["schedule"][0]["due_at"] == "2026-11-27T18:00:00Z"
    assert (told["outbox"]["waiting"], told["cases"]["unfiled"]) == (2, 2)
    shown = lines(told, 100)
    assert shown.index("Needs attention") < shown.index("Checked") < shown.index("Cases")
    for line in (
        "Daemon: leader, started 4 h ago, scan",
        "  39 of 40 declared resources compared (98%)",
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
