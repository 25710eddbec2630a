"""The weekly report: complete first, the same whenever it is made, and every case of the week in it and no other's."""

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import weekly_story as story
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from test_page import HOSTILE, parsed
from trail_records import user
from weeks import Life, at, config, emergency_session, granted, said

from agent.cli import main
from agent.model import Acceptance, Case, CaseKey, Close, FindingId, Gap, Held, Open, Scope
from agent.report.content import ReportError
from agent.report.weekly import WeekError, Weekly, ending, html, keep, last, make, markdown, named, write
from agent.report.weekly.making import canonical
from agent.report.weekly.page import subject
from agent.report.weekly.wording import long, spark, unchecked
from agent.store import ScanCommit, Store, connect
from agent.store.schedules import Schedule, note
from agent.tables import ScheduleConfig

WEEKS = (story.QUIET, story.BAD, story.DARK)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Life]:
    """Three weeks of an estate, and the folder of its store."""
    folder = tmp_path_factory.mktemp("weeks")
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        life = Life(store)
        story.tell(life)
    return folder, life


@pytest.fixture(scope="module")
def told(lived: tuple[Path, Life]) -> Path:
    """Folder of a store that three weeks were told to."""
    return lived[0]


@pytest.fixture(scope="module")
def kept(told: Path) -> Iterator[Store]:
    """The store, to read."""
    with connect(f"sqlite:///{told}/driftwarden.db") as store:
        yield store


@pytest.fixture(scope="module")
def made(told: Path, kept: Store) -> Mapping[str, Weekly]:
    """The reports of the three weeks."""
    return {name: make(config(told), kept, story.NOW, week(name)) for name in WEEKS}


@pytest.fixture
def life(lived: tuple[Path, Life], tmp_path: Path) -> Iterator[Life]:
    """A copy of the estate, to go on with."""
    folder, life = lived
    shutil.copy(folder / "driftwarden.db", tmp_path)
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
        yield life.again(store)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
        yield store


def week(name: str) -> Any:
    return named(name, "Europe/Berlin")


def pages(weekly: Weekly) -> tuple[str, str]:
    given = (weekly.figures, weekly.id, weekly.sha256, weekly.made_at, weekly.news)
    return html(*given), markdown(*given)


def text(page: str) -> str:
    return " ".join(" ".join(parsed(page).text).split())


# --- what was checked ------------------------------------------------------------------------------------------


def test_a_week_that_was_looked_at_says_so(made: Mapping[str, Weekly]) -> None:
    figures = made[story.QUIET].figures
    assert (figures["checked"]["planned"], figures["checked"]["ended"]) == (14, 14)
    assert figures["checked"]["coverage"]["percent"] == 100
    assert unchecked(figures) == []
    page, plain = pages(made[story.QUIET])
    assert "1. What was checked everything that should have been" in text(page)
    assert "## 1. What was checked: everything that should have been" in plain
    assert figures["week"]["hours"] == 169  # the clock goes back
    assert figures["appendix"]["from"] == "2026-10-18T22:00:00Z"
    assert figures["appendix"]["to"] == "2026-10-25T23:00:00Z"


def test_a_dark_week_tells_every_gap_with_its_time(made: Mapping[str, Weekly]) -> None:
    figures = made[story.DARK].figures
    checked = figures["checked"]
    assert (checked["planned"], checked["ended"]) == (14, 7)
    (silence,) = checked["silences"]
    assert (silence["from"], silence["to"]) == ("2026-11-02T23:01:00Z", "2026-11-06T23:01:00Z")
    (gap,) = checked["gaps"]["listed"]
    assert (gap["scope"], gap["scans"], gap["first"]) == ("*/eu-central-1/*/*", 1, "2026-11-06T23:01:00Z")
    assert checked["trail"]["gaps"]["count"] == checked["tickets"]["count"] == 1
    page, plain = pages(made[story.DARK])
    for shown in (text(page), plain):
        assert "not everything" in shown
        assert "No look at the whole estate from Tue 03 Nov 00:01 to Sat 07 Nov 00:01 (4 d)" in shown
        assert "1 gap in the trail" in shown
        assert "jira: no answer within 10 s" in shown
    assert subject(figures).startswith("estate, week 2026-W45: incomplete; ")


def test_a_week_without_a_scan_never_reads_as_clean(told: Path, kept: Store) -> None:
    for name in ("2026-W42", "2026-W47"):
        now = at("2026-11-23 08:00")
        weekly = make(config(told), kept, now, week(name))
        page, plain = pages(weekly)
        assert 'class="alarm">Nothing was checked in this week' in page
        assert "**NOTHING WAS CHECKED IN THIS WEEK." in plain
        assert subject(weekly.figures).startswith(f"estate, week {name}: NOTHING WAS CHECKED")
        assert weekly.figures["completeness"]["percent_with_authority"] is None
        assert weekly.figures["checked"]["coverage"] == {}
        for shown in (text(page), plain):
            assert "not known" in shown
            for clean in (
                "everything that should have been",
                "100 %",
                "None.",
                "none seen",
                "0 gaps",
                "No emergency",
                "0 sessions",
            ):
                # The trends tell of other weeks.
                assert clean not in shown.partition("Cases and trends")[0], clean
            assert "No document, review, held case" not in shown
        assert all(weekly.figures["trends"][-1][name] is None for name in ("without", "changes", "coverage"))
        (silence,) = weekly.figures["checked"]["silences"]
        assert (silence["from"], silence["seconds"]) == (weekly.figures["week"]["begins"], 168 * 3600)


def test_times_in_which_nothing_ran(empty: Store, tmp_path: Path) -> None:
    """With a daemon, which polls the trail: where not even that began, it was down."""
    moment, until = at("2026-11-02 00:00"), at("2026-11-03 00:00")
    given = config(tmp_path, schedule=ScheduleConfig(timezone="Europe/Berlin", trail="30m", scan=""))
    while moment < until:
        if not at("2026-11-02 09:00") < moment < at("2026-11-02 13:00"):
            name = f"trail-{moment:%d%H%M}"
            empty.scans.begin(name, moment, "c" * 64, "r" * 64, kind="trail")
            empty.scans.commit(ScanCommit(name, moment + MINUTE, "clean", b"{}", kind="trail"))
        moment += 30 * MINUTE
    empty.scans.begin("dead", at("2026-11-02 08:58"), "c" * 64, "r" * 64)
    figures = make(given, empty, until, week("2026-W45")).figures
    (stopped,) = figures["checked"]["stopped"]
    assert (stopped["from"], stopped["to"]) == ("2026-11-02T08:00:00Z", "2026-11-02T12:00:00Z")
    assert figures["checked"]["unfinished"] == ["2026-11-02T07:58:00Z"]
    assert figures["checked"]["other"] == {"trail": {"begun": 41, "ended": 41, "incomplete": 0}}
    lines = unchecked(figures)
    assert "Nothing ran from Mon 02 Nov 09:00 to Mon 02 Nov 13:00 (4 h)" in lines
    assert "1 scan of the estate began and did not end" in lines
    assert any(line.startswith("The week is not over") for line in lines)


NOT_CHECKED: dict[str, tuple[dict[str, Any], str]] = {
    "incomplete": (
        {"other": {"trail": {"begun": 2000, "ended": 2000, "incomplete": 7}}},
        "7 scans of what the trail touched left something unread",
    ),
    "coverage": (
        {"coverage": {"compared": 12, "declared": 100, "percent": 12, "least": {"percent": 12, "at": ""}}},
        "88 declared resources of 100 not compared with what is there (12 % covered)",
    ),
    "coverage-once": (
        {
            "coverage": {
                "compared": 100,
                "declared": 100,
                "percent": 100,
                "least": {"percent": 30, "at": "2026-10-20T08:00:00Z"},
            }
        },
        "Only 30 % of declared resources compared Tue 20 Oct 10:00",
    ),
    "trail": (
        {
            "trail": {
                "gaps": {"count": 0},
                "lag": {"seconds": 432_000, "at": "2026-10-20T08:00:00Z"},
                "silent": 0,
                "unread": [],
            }
        },
        "The newest event in the trail was 5 d old Tue 20 Oct 10:00: what happened after it was not known",
    ),
}


@pytest.mark.parametrize("name", NOT_CHECKED)
def test_what_was_not_read_is_said_of_a_week_that_is_clean_otherwise(made: Mapping[str, Weekly], name: str) -> None:
    figures = made[story.QUIET].figures
    assert unchecked(figures) == []
    more, line = NOT_CHECKED[name]
    told = {**figures, "checked": {**figures["checked"], **more}}
    assert unchecked(told) == [line]
    assert "incomplete" in subject(told)


def test_a_week_is_held_against_the_schedule_it_had(empty: Store, tmp_path: Path) -> None:
    """Whoever loosens the schedule afterwards makes no silence of the past go away."""
    for _ in range(2):
        note(empty.settings, Schedule("12h", "30m", "Europe/Berlin"), at("2026-10-01 00:00"))
    for day in (2, 3, 7, 8):
        name, when = f"whole-{day}", at(f"2026-11-{day:02} 13:01")
        empty.scans.begin(name, when, "c" * 64, "r" * 64)
        empty.scans.commit(ScanCommit(name, when + MINUTE, "clean", b"{}"))
    before = make(config(tmp_path), empty, story.NOW, week(story.DARK)).figures
    assert (before["checked"]["planned"], before["checked"]["ended"]) == (14, 4)
    assert len(before["checked"]["silences"]) == 3
    today = config(tmp_path, schedule=ScheduleConfig(timezone="Europe/Berlin", scan="7d"))
    assert make(today, empty, story.NOW, week(story.DARK)).figures == before
    note(empty.settings, Schedule("7d", "30m", "Europe/Berlin"), story.NOW)
    assert make(today, empty, story.NOW, week(story.DARK)).figures["checked"] == before["checked"]
    # The week in which it was changed, and changed again: each day by its own.
    note(empty.settings, Schedule("", "30m", "Europe/Berlin"), at("2026-11-11 00:00"))
    note(empty.settings, Schedule("6h", "30m", "Europe/Berlin"), at("2026-11-14 00:00"))
    figures = make(today, empty, at("2026-11-16 08:00"), week("2026-W46")).figures
    # Once on Monday by 12 hours; every 7 days is on Thursdays, when nothing was planned; two days by 6 hours.
    assert figures["checked"]["planned"] == 1 + 8
    assert "No scan of the whole estate was planned from Wed 11 Nov 00:00 to Sat 14 Nov 00:00" in unchecked(figures)
    assert [(one["week"], one["planned"]) for one in figures["trends"]][-2:] == [("2026-W45", 14), ("2026-W46", 9)]
    assert [one["why"] for one in figures["policy"]["changes"]] == [
        f"scans of the estate: {said}, of the trail: 30m" for said in ("7d", "never", "6h")
    ]
    told = [one for one in empty.ledger.events() if one.kind.startswith("schedule.")]
    assert [one.kind for one in told] == ["schedule.begun", *["schedule.changed"] * 3]
    assert told[-1].body["schedule"] == {"scan": "6h", "trail": "30m", "timezone": "Europe/Berlin"}


# --- what needs a decision -------------------------------------------------------------------------------------


def test_what_needs_a_decision_says_who_by_when_and_how(made: Mapping[str, Weekly]) -> None:
    rows = made[story.BAD].figures["decisions"]["listed"]
    assert [(one["what"], one["overdue"]) for one in rows] == [
        ("Exception has ended", True),
        ("Document to be reviewed", False),
        ("Exception ends soon", False),
    ]
    ended, review, soon = rows
    assert (ended["by"], ended["who"]) == ("2026-10-28T23:00:00Z", "lena; a new end needs sam")
    assert review["who"] == "sam, kim, not dana"
    assert re.fullmatch(r"driftwarden breakglass review BG-[0-9a-f]{12} --accept .*", review["command"])
    assert soon["title"] == "load test <b>of</b> the queue (exceptions/slow.yaml:1)"
    assert [one["what"] for one in made[story.DARK].figures["decisions"]["listed"]].count("Open for 14 days") == 1


def test_every_command_it_names_exists(made: Mapping[str, Weekly]) -> None:
    commands = {row["command"] for one in made.values() for row in one.figures["decisions"]["listed"]} - {""}
    assert len(commands) >= 3
    for command in commands:
        words = command.split()
        done = CliRunner().invoke(main, [*words[1:3], "--help"])
        assert done.exit_code == 0, command
        for option in (word for word in words if word.startswith("--")):
            assert option.strip("()") in done.output, command


def test_an_undocumented_emergency_is_due_and_then_overdue(life: Life, tmp_path: Path) -> None:
    life.call(at("2026-11-10 10:00"), 300, "mail", userIdentity=emergency_session("ASIAOTHER", "nils"))
    life.looks(at("2026-11-10 11:00"), at("2026-11-12 06:00"))
    figures = make(config(tmp_path), life.store, at("2026-11-16 08:00"), week("2026-W46")).figures
    (row,) = [one for one in figures["decisions"]["listed"] if one["what"] == "Document is overdue"]
    assert (row["who"], row["by"], row["overdue"]) == ("nils", "2026-11-11T09:00:00Z", True)
    assert row["command"].startswith("driftwarden breakglass document BG-")
    assert figures["emergencies"]["overdue"] == 1
    early = make(config(tmp_path), life.store, at("2026-11-10 20:00"), week("2026-W46")).figures
    assert [one["what"] for one in early["decisions"]["listed"]].count("To be documented") == 1


def flood(store: Store, count: int, when: datetime) -> tuple[Case, ...]:
    cases = tuple(
        Case(CaseKey(f"{n:016x}"), f"case {n}", (FindingId(f"F-{n:012x}"),), "high", opened_at=when, state="held")
        for n in range(count)
    )
    store.scans.begin("flood", when - MINUTE, "c" * 64, "r" * 64, kind="open")
    store.scans.commit(ScanCommit("flood", when, "held", b"{}", actions=(Held(cases, "too much"),), kind="open"))
    return cases


@pytest.mark.parametrize(("count", "lines", "command"), [(2, 2, "accept 000"), (60, 1, "accept --held")])
def test_held_cases(empty: Store, tmp_path: Path, count: int, lines: int, command: str) -> None:
    flood(empty, count, at("2026-11-03 10:00"))
    figures = make(config(tmp_path), empty, at("2026-11-09 08:00"), week("2026-W45")).figures
    rows = figures["decisions"]["listed"]
    assert len(rows) == lines
    assert all(command in row["command"] and row["who"] == "two of sam, kim" for row in rows)
    assert len(figures["shows"]["cases"]) == count
    assert {row["state"] for row in figures["cases"]["open"]} == {"held"}


def test_what_could_not_be_filed_waits_for_somebody(empty: Store, tmp_path: Path) -> None:
    opened = at("2026-11-03 10:00")
    case = Case(CaseKey("a" * 16), "somebody's case", (), "critical", opened_at=opened)
    empty.cases.begin(case, "a test", opened)
    entry = empty.outbox.claim("us", opened, MINUTE)
    assert entry is not None
    empty.outbox.dead(entry, "403 the project is archived", opened + MINUTE)

    def rows() -> list[Any]:
        figures = make(config(tmp_path), empty, at("2026-11-09 08:00"), week("2026-W45")).figures
        return [one for one in figures["decisions"]["listed"] if one["what"] == "Could not be filed"]

    (row,) = rows()
    assert (row["id"], row["severity"]) == ("a" * 16, "critical")
    assert row["title"] == "somebody's case: 403 the project is archived"
    assert row["since"] == []
    empty.outbox.revive(at("2026-11-09 06:00"))
    again = empty.outbox.claim("us", at("2026-11-09 06:00"), MINUTE)
    assert again is not None
    empty.outbox.sent(again, "DW-1", at("2026-11-09 06:01"))
    assert rows()[0]["since"] == [{"told": "filed", "at": "2026-11-09T05:01:00Z"}]


# --- changes ---------------------------------------------------------------------------------------------------


def test_changes_without_authority(made: Mapping[str, Weekly]) -> None:
    figures = made[story.BAD].figures
    found = figures["unauthorised"]
    assert (found["count"], figures["completeness"]["production"]) == (8, 8)
    assert {row["name"]: row["changes"] for row in found["by_actor"]} == {
        "dana": 5,
        "marco": 1,
        "sam@acme.example": 1,
        story.HOSTILE: 1,
    }
    assert [(row["name"], row["changes"], row["cases"]) for row in found["by_stack"]] == [("shop", 8, 3)]
    by_control = {row["name"]: row for row in found["by_control"]}
    assert by_control["SOC2:CC8.1"]["title"] == "Authorised and approved changes"
    assert [row["severity"] for row in found["sessions"]] == ["critical", "medium", "medium"]
    assert found["sessions"][1]["failed"] == ["ticket"]
    assert found["sessions"][1]["targets"] == ["aws_sqs_queue.invoices"]
    assert len({tuple(row["events"]) for row in found["listed"]}) == 8


def test_how_many_changes_had_authority(made: Mapping[str, Weekly]) -> None:
    had = made[story.QUIET].figures["completeness"]
    assert (had["counted"], had["with_authority"], had["without"]) == (3, 1, 2)
    assert (had["percent_with_authority"], had["percent_under_ticket"]) == (33, 33)


def test_a_change_seen_only_by_a_look_at_the_trail_is_counted(life: Life, tmp_path: Path) -> None:
    life.call(at("2026-11-12 10:00"), 77, "audit", userIdentity=user("lee", "AKIALEE"))
    life.look(at("2026-11-12 10:05"), kind="trail")
    found = make(config(tmp_path), life.store, at("2026-11-16 08:00"), week("2026-W46")).figures
    assert [row["name"] for row in found["unauthorised"]["by_actor"]] == ["lee"]
    assert found["checked"]["ended"] == 1  # Monday 00:01
    assert found["checked"]["other"]["trail"]["ended"] == 1


def test_breakglass_sessions(made: Mapping[str, Weekly]) -> None:
    (row,) = made[story.BAD].figures["breakglass"]
    assert (row["person"], row["calls"], row["incident"], row["late"]) == ("dana", 5, "INC-4711", True)
    assert (row["documented"], row["state"], row["way_back"]) == ("2026-10-30T09:00:00Z", "awaiting-review", "revert")
    assert made[story.BAD].figures["emergencies"] == {
        "sessions": 1,
        "calls": 5,
        "undocumented": 0,
        "overdue": 0,
        "unreviewed": 1,
        "late": 1,
        "windows": 0,
    }
    (older,) = made[story.DARK].figures["breakglass"]
    assert (older["id"], older["of_the_week"]) == (row["id"], False)
    assert made[story.QUIET].figures["breakglass"] == []


def test_exceptions_and_policy(made: Mapping[str, Weekly]) -> None:
    may = made[story.BAD].figures["tolerated"]
    assert [(one["id"], one["new"], one["soon"]) for one in may["entries"]] == [("slow-queue", True, True)]
    assert [(one["id"], one["over"]) for one in may["ended"]] == [("legacy", True)]
    (change,) = made[story.BAD].figures["policy"]["changes"]
    assert (change["name"], change["author"]) == ("rules/own.yaml", "lena@acme.example")


# --- cases -----------------------------------------------------------------------------------------------------


def test_every_case_of_a_week_is_in_its_report_and_none_of_another(kept: Store, made: Mapping[str, Weekly]) -> None:
    began = {record.case.key: record.case.opened_at for record in kept.cases.listed()}
    assert len(began) == 6
    for name, weekly in made.items():
        shown = [row["key"] for row in weekly.figures["cases"]["opened"]]
        expected = {key for key, when in began.items() if when is not None and when in week(name)}
        assert set(shown) == expected
        assert len(shown) == len(expected)
        for page in pages(weekly):
            assert all(key in page for key in expected)
            later = {key for key, when in began.items() if when is not None and when >= week(name).ends}
            # A change of Sunday night got its case on Monday: it is named with the change, and opened next week.
            answering = {row["case"] for row in weekly.figures["unauthorised"]["sessions"]}
            assert not any(key in page for key in later - answering)
    assert sum(len(one.figures["cases"]["opened"]) for one in made.values()) == len(began) - 1


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Mapping[str, tuple[datetime, datetime]]]]:
    """A store of cases, opened and closed at any time of twelve weeks, often at the very edge of one."""
    chance, lives = random.Random(7), dict[str, tuple[datetime, datetime]]()
    edges = [ending(f"2026-{month:02}-15", zone).ends for month in (9, 11) for zone in ("UTC", "Asia/Kolkata")]
    with connect(f"sqlite:///{tmp_path_factory.mktemp('crowd')}/driftwarden.db") as store:
        moments = [at("2026-09-01 00:00") + timedelta(seconds=chance.randrange(84 * 86400)) for _ in range(18)]
        moments += [edge + timedelta(microseconds=shift) for edge in edges for shift in (-1, 0, 1)]
        events = []
        for number, opened in enumerate(moments):
            closed = opened + timedelta(days=chance.choice((0, 1, 6, 7, 30)), seconds=1)
            lives[f"{number:016x}"] = (opened, closed)
            events += [(opened, number, True), (closed, number, False)]
        for moment, number, opens in sorted(events):
            case = Case(CaseKey(f"{number:016x}"), f"case {number}", (), chance.choice(("low", "critical")))
            run = f"{number}-{opens}"
            action = Open(case) if opens else Close(case, "gone")
            store.scans.begin(run, moment, "c" * 64, "r" * 64, kind="open")
            store.scans.commit(ScanCommit(run, moment, "clean", b"{}", actions=(action,), kind="open"))
        yield store, lives


@settings(max_examples=10, deadline=None)
@given(st.integers(34, 50), st.sampled_from(("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Apia")))
def test_cases_are_opened_closed_and_open_in_the_week_they_are(
    crowd: tuple[Store, Mapping[str, tuple[datetime, datetime]]], number: int, zone: str
) -> None:
    store, lives = crowd
    which = named(f"2026-W{number}", zone)
    given = config(Path("/nowhere"), schedule=ScheduleConfig(timezone=zone, scan="6h"))
    found = make(given, store, at("2027-01-01 00:00"), which).figures["cases"]
    opened = {key for key, (begins, _) in lives.items() if which.begins <= begins < which.ends}
    closed = {key for key, (_, ends) in lives.items() if which.begins <= ends < which.ends}
    standing = {key for key, (begins, ends) in lives.items() if begins < which.ends <= ends}
    for name, expected in (("opened", opened), ("closed", closed), ("open", standing)):
        assert sorted(row["key"] for row in found[name]) == sorted(expected)
    counted = sum(row[level] for row in found["by_age"] for level in ("low", "medium", "high", "critical"))
    assert counted == len(standing)


def test_trends_go_back_as_far_as_the_scans(made: Mapping[str, Weekly]) -> None:
    trends = made[story.DARK].figures["trends"]
    assert [(one["week"], one["scans"], one["without"]) for one in trends] == [
        (story.QUIET, 14, 2),
        (story.BAD, 14, 8),
        (story.DARK, 7, 1),
    ]
    for name, weekly in made.items():
        own = weekly.figures["trends"][-1]
        assert own["week"] == name
        assert (own["opened"], own["changes"]) == (
            len(weekly.figures["cases"]["opened"]),
            weekly.figures["completeness"]["counted"],
        )
    assert made[story.BAD].figures["cases"]["detect_seconds"] == 32_460  # 9:01 h after the first call, both


# --- the same whenever it is made ------------------------------------------------------------------------------


def test_made_twice_it_is_the_same_but_for_one_line(told: Path, kept: Store, tmp_path: Path) -> None:
    now, later = story.NOW, story.NOW + timedelta(days=200, seconds=7)
    first, again = (make(config(told), kept, when, week(story.BAD)) for when in (now, later))
    assert first.sha256 == again.sha256
    assert canonical(first.figures) == canonical(again.figures)
    for number, (one, other) in enumerate(zip(write(first, tmp_path / "a"), write(again, tmp_path / "b"), strict=True)):
        lines, others = (path.read_bytes().splitlines() for path in (one, other))
        assert len(lines) == len(others)
        differing = [line for line, their in zip(lines, others, strict=True) if line != their]
        assert len(differing) == 1, differing
        assert (b"As known at 2026-11-09 08:00 CET" if number < 2 else b'"made_at"') in differing[0]


def test_the_digest_is_of_the_figures(made: Mapping[str, Weekly], tmp_path: Path) -> None:
    *_, file = write(made[story.BAD], tmp_path)
    told = json.loads(file.read_text())
    spelled = json.dumps(told["figures"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(spelled.encode()).hexdigest() == told["sha256"] == made[story.BAD].sha256
    assert told["id"] == "weekly-2026-W44"
    assert told["signatures"] == []
    shows = told["figures"]["shows"]
    assert {row["case"] for row in told["figures"]["unauthorised"]["sessions"]} <= set(shows["cases"])
    assert len(shows["findings"]) >= 4


def test_what_arrives_later_is_told(life: Life, tmp_path: Path) -> None:
    """A ticket that was approved before the change and found after the week."""
    monday = at("2026-11-16 08:00")
    life.call(at("2026-11-14 10:00"), 66, "audit", userAgent="aws-cli/2.31.0 app/CHG-99")
    life.looks(at("2026-11-14 11:00"), at("2026-11-16 00:00"))
    given = config(tmp_path)
    before = make(given, life.store, monday, week("2026-W46"))
    keep(life.store, before)
    assert before.figures["unauthorised"]["count"] == 1
    assert before.figures["later"] == {"changed": [], "unseen": 0}
    scope = replace(granted("x", at("2026-11-14 08:00"), monday).scope, addresses=("aws_sqs_queue.audit",))
    life.tickets.append(granted("CHG-99", at("2026-11-14 08:00"), at("2026-11-14 18:00"), scope=scope))
    life.look(monday + timedelta(hours=4))
    after = make(given, life.store, monday + timedelta(hours=5), week("2026-W46"))
    assert after.figures["unauthorised"]["count"] == 0
    (changed,) = after.figures["later"]["changed"]
    assert (changed["was"], changed["is"], changed["judged"]) == ("unauthorised", "authorised", "2026-11-16T11:00:00Z")
    assert after.news.startswith("It replaces the one made 2026-11-16 08:00 CET")
    assert before.sha256 in after.news
    for page in pages(after):
        assert "Arrived after the week had ended" in page
        assert before.sha256 in page


def test_what_was_decided_after_the_week_is_told_beside_it(life: Life, tmp_path: Path) -> None:
    cases = flood(life.store, 1, at("2026-11-13 10:00"))
    life.store.declarations.add([("hold", Acceptance("A-1", f"hold {cases[0].key}", said("sam", story.NOW)))])
    life.store.scans.begin("after", at("2026-11-16 01:00"), "c" * 64, "r" * 64, kind="remind")
    opened = Open(replace(cases[0], state="open"))
    life.store.scans.commit(
        ScanCommit("after", at("2026-11-16 01:01"), "violations", b"{}", actions=(opened,), kind="remind")
    )
    figures = make(config(tmp_path), life.store, at("2026-11-16 08:00"), week("2026-W46")).figures
    (row,) = [one for one in figures["decisions"]["listed"] if one["what"].startswith("Held")]
    assert row["since"] == [{"told": "opened", "at": "2026-11-16T00:01:00Z"}]
    assert [one["state"] for one in figures["cases"]["open"] if one["key"] == cases[0].key] == ["held"]


def test_that_it_was_sent_is_not_forgotten(life: Life, tmp_path: Path) -> None:
    first = make(config(tmp_path), life.store, story.NOW)
    keep(life.store, first, sent_at=story.NOW)
    life.look(story.NOW + timedelta(hours=1))
    again = make(config(tmp_path), life.store, story.NOW + timedelta(hours=2), first.week)
    keep(life.store, again)
    (one,) = life.store.reports.last("weekly", 5)
    assert (one.id, one.sent_at, one.sha256) == ("weekly-2026-W45", story.NOW, again.sha256)
    assert json.loads(canonical(one.figures)) == json.loads(canonical(again.figures))


def test_half_a_character_stops_nothing(empty: Store, tmp_path: Path) -> None:
    """JSON can spell what UTF-8 cannot, and names are attackers': it is shown, kept and written."""
    life = Life(empty)
    life.gaps = (Gap(Scope(region="eu-west-3"), "denied for \ud800\u202e"),)
    life.look(at("2026-11-03 12:01"))
    weekly = make(config(tmp_path), empty, story.NOW, week(story.DARK))
    assert weekly.figures["checked"]["gaps"]["listed"][0]["why"] == "denied for \ud800\u202e"
    keep(empty, weekly)
    (kept,) = empty.reports.last("weekly")
    assert kept.figures["checked"] == weekly.figures["checked"]
    for path in write(weekly, tmp_path)[:2]:
        assert "denied for ⟨U+D800⟩⟨U+202E⟩" in path.read_text(encoding="utf-8")


# --- weeks -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.dates(datetime(1975, 1, 1).date(), datetime(2090, 1, 1).date()),  # noqa: DTZ001  a day
    st.sampled_from(("UTC", "Europe/Berlin", "Asia/Beirut", "America/Havana", "Asia/Kathmandu", "Pacific/Apia")),
)
def test_weeks_lie_side_by_side(day: Any, zone: str) -> None:
    which = ending(day.isoformat(), zone)
    assert which.before().ends == which.begins
    assert which.before(3).ends == which.before(2).begins
    assert named(which.id, zone) == which
    assert last(which.ends, zone) == which
    assert last(which.ends - timedelta(microseconds=1), zone) == which.before()
    assert which.hours in range(144, 170)  # Samoa left out a day
    local = which.begins.astimezone(ZoneInfo(zone))
    assert (local.isoweekday(), local.hour) in ((1, 0), (1, 1))  # some midnights do not exist


@pytest.mark.parametrize(
    ("day", "name"),
    [("2026-11-22", "2026-W47"), ("2026-11-23", "2026-W47"), ("2026-11-21", "2026-W46"), ("2027-01-03", "2026-W53")],
)
def test_the_week_that_ended(day: str, name: str) -> None:
    assert ending(day, "UTC").id == name


@pytest.mark.parametrize("text", ["2026-W54", "2026-W00", "W47", "2026-47", "0000-W01", "", "2026-W4x"])
def test_a_week_that_is_none(text: str) -> None:
    with pytest.raises(WeekError, match="write for example 2026-W47"):
        named(text, "UTC")


@pytest.mark.parametrize("text", ["2026-02-30", "yesterday", "", "0001-01-01"])
def test_a_day_that_is_none(text: str) -> None:
    with pytest.raises(WeekError, match="write for example 2026-11-22"):
        ending(text, "UTC")


def test_a_week_that_has_not_begun(told: Path, kept: Store) -> None:
    with pytest.raises(ReportError, match="has not begun: it does at 2026-11-15T23:00:00Z"):
        make(config(told), kept, story.NOW, week("2026-W47"))


# --- pages -----------------------------------------------------------------------------------------------------

OURS = {
    *("schema", "outcome", "outcomes", "severity", "state", "what", "at", "by", "first", "last", "from", "to", "since"),
    *(
        "again",
        "until",
        "began",
        "begins",
        "ends",
        "closed",
        "documented",
        "reviewed",
        "deadline",
        "judged",
        "was",
        "is",
        "as_of",
    ),
    *("unfinished", "timezone", "way_back", "age", "kind", "query", "shows", "sha256", "failed", "rulesets", "week"),
}
"""Keys whose text is ours, or a time: `is`, `was` and `failed` are words of the line."""


def disguised(value: Any, texts: Callable[[], str], key: str = "") -> Any:
    """The figures with every text replaced that somebody else wrote."""
    if isinstance(value, Mapping):
        return {name: disguised(item, texts, key if name == "listed" else name) for name, item in value.items()}
    if isinstance(value, list):
        return [disguised(item, texts, key) for item in value]
    return texts() if isinstance(value, str) and value and key not in OURS else value


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_change_no_tag(made: Mapping[str, Weekly], hostile: str) -> None:
    figures = made[story.BAD].figures
    found = replace(made[story.BAD], figures={**disguised(figures, lambda: hostile or "x"), "week": figures["week"]})
    plain = replace(made[story.BAD], figures={**disguised(figures, lambda: "x"), "week": figures["week"]})
    (page, lines), (expected, plain_lines) = pages(found), pages(plain)
    assert parsed(page).tags == parsed(expected).tags
    assert len(lines.splitlines()) == len(plain_lines.splitlines())
    heads = [line for line in plain_lines.splitlines() if line.startswith("#")]
    assert len([line for line in lines.splitlines() if line.startswith("#")]) == len(heads)
    for line, other in zip(lines.splitlines(), plain_lines.splitlines(), strict=True):
        if other.startswith("|"):
            cells = re.sub(r"\\.", "", re.sub(r"`[^`|]*`", "", line)).count("|")
            assert cells == re.sub(r"`[^`]*`", "", other).count("|"), line
    assert "\n" not in subject(found.figures)


def test_one_file_that_loads_and_runs_nothing(made: Mapping[str, Weekly]) -> None:
    for weekly in made.values():
        page, _ = pages(weekly)
        tags = parsed(page)
        assert not {"script", "img", "link", "iframe", "object", "form"} & {tag for tag, _ in tags.tags}
        assert not [name for name, _ in tags.attributes if name in ("src", "href", "style") or name.startswith("on")]
        assert "default-src 'none'" in page
        assert "url(" not in page
        assert "<script>alert" not in page


def test_details_come_after_what_must_be_read(made: Mapping[str, Weekly]) -> None:
    page, plain = pages(made[story.BAD])
    order = ["What was checked", "Needs a decision", "Changes without authority", "Break-glass", "Exceptions"]
    order += ["Cases and trends", "How it was counted", "As known at"]
    for shown in (text(page), plain):
        places = [shown.index(head) for head in order]
        assert places == sorted(places)
    # Read without what is folded away, it is short.
    folded = re.sub(r"<details>.*?</details>", "", page.partition("<main>")[2], flags=re.DOTALL)
    assert len(text(folded).split()) < 520


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (22_560, "6 h 16 min"),
        (36_060, "10 h"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
    ],
    ids=str,
)
def test_lengths_of_time_read_well(seconds: int | None, said: str) -> None:
    assert long(seconds) == said


def test_a_line_of_numbers_is_interrupted_where_one_is_not_known() -> None:
    assert spark([1]) == spark([None, None, 3]) == ""
    assert spark([1, 2, 3]).count("<polyline") == 1
    assert spark([1, 2, None, 3]).count("<polyline") == 2
    assert "nan" not in spark([0, 0, 0])


# --- the command -----------------------------------------------------------------------------------------------


def test_the_command_writes_keeps_and_refuses(told: Path, kept: Store, tmp_path: Path) -> None:
    with kept.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
        shutil.copy(told / "driftwarden.db", tmp_path)
    file = tmp_path / "driftwarden.toml"
    file.write_text('[[account]]\nid = "111122223333"\n[schedule]\ntimezone = "Europe/Berlin"\n[daemon]\nsocket = ""\n')

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, ["report", "weekly", "--config", str(file), *words])

    done = run("--week", story.BAD, "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"weekly-2026-W44.{suffix}" for suffix in ("html", "json", "md")]
    assert run("--ending", "2026-11-01").exit_code == 0
    assert (tmp_path / "reports" / "weekly-2026-W44.md").exists()
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
        (one,) = store.reports.last("weekly", 5)
        assert (one.id, one.sent_at, one.begins) == ("weekly-2026-W44", None, week(story.BAD).begins)
    for words, why in (
        (("--week", "44"), "is no week"),
        (("--ending", "today"), "is no day"),
        (("--week", story.BAD, "--ending", "2026-11-01"), "give one of the two"),
        (("--week", story.BAD, "--send"), "[report] to"),
        (("--week", "2099-W01"), "has not begun"),
    ):
        failed = run(*words)
        assert (failed.exit_code, why in failed.output) == (2, True), failed.output
    above = CliRunner().invoke(main, ["report", "--out", "x", "weekly"])
    assert (above.exit_code, "after the word" in above.output) == (2, True)
