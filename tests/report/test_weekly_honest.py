"""The weekly report says nothing better than it is: what nobody looked at, what is never compared, where it stands."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_page import parsed
from trail_records import ACCOUNT, user
from weeks import Life, at, config, emergency_session, granted, said

from agent.emergency import case_key, grant_of
from agent.model import (
    Arrival,
    Case,
    CaseKey,
    Close,
    Document,
    Emergency,
    Gap,
    Held,
    Limit,
    Open,
    Opening,
    Review,
    Scope,
    Weights,
)
from agent.plan import window_case
from agent.report.weekly import Weekly, html, make, markdown, named
from agent.report.weekly.emergencies import emergencies
from agent.report.weekly.matters import Matter
from agent.report.weekly.page import subject
from agent.report.weekly.reach import left_out
from agent.report.weekly.records import Stages
from agent.report.weekly.wording import local, never_read, out_of, unchecked
from agent.store import ScanCommit, Store, connect
from agent.tables import ScheduleConfig

WEEK = named("2026-W45", "Europe/Berlin")
"""Monday 2 November to Sunday 8 November 2026 in Berlin."""
MONDAY = at("2026-11-09 08:00")
HOUR = timedelta(hours=1)
WEEKLY = ScheduleConfig(timezone="Europe/Berlin", scan="0 0 * * mon")
BY_TIMERS = ScheduleConfig(timezone="Europe/Berlin", scan="")
"""What looks is no daemon of ours: nothing is planned."""


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
        yield Life(store)


def told(life: Life, now: datetime = MONDAY, week: str = "2026-W45", **tables: Any) -> Weekly:
    return make(
        config(Path("/nowhere"), **{"schedule": WEEKLY, **tables}), life.store, now, named(week, "Europe/Berlin")
    )


def look_each_monday(life: Life, first: str = "2026-11-02") -> None:
    """All that is planned; the second one reads the trail of the week."""
    for days in (0, 7):
        life.look(at(f"{first} 00:01") + timedelta(days=days))


def plain(weekly: Weekly) -> str:
    return markdown(weekly.figures, weekly.id, weekly.sha256, weekly.made_at, weekly.news)


def page(weekly: Weekly) -> str:
    return html(weekly.figures, weekly.id, weekly.sha256, weekly.made_at, weekly.news)


def shown(weekly: Weekly) -> str:
    return " ".join(" ".join(parsed(page(weekly)).text).split())


def decision(weekly: Weekly, begins: str) -> Mapping[str, Any]:
    (row,) = [one for one in weekly.figures["decisions"]["listed"] if one["what"].startswith(begins)]
    return dict(row)


# --- what nobody looked at -------------------------------------------------------------------------------------


def test_a_week_that_nobody_looked_at_after_monday_is_not_clean(life: Life) -> None:
    life.look(at("2026-11-01 23:00"))
    life.look(at("2026-11-02 08:00"))
    life.opens(at("2026-11-04 10:00"), 22, userIdentity=user("marco", "AKIAMARCO"))
    weekly = told(life, schedule=BY_TIMERS)
    assert unchecked(weekly.figures) == [
        "No scan is known to have read the trail from Mon 02 Nov 08:00 to Mon 09 Nov 00:00 (6 d 16 h)",
        "No scan of the whole estate was planned from Mon 02 Nov 00:00 to Mon 09 Nov 00:00: "
        "1 ended, the longest time without one was 6 d 16 h",
    ]
    assert "incomplete" in subject(weekly.figures)
    assert "**Not everything was checked.** 0 cases opened" in plain(weekly)
    assert 'class="answer"><strong>Not everything was checked.</strong> 0 cases opened' in page(weekly)
    for text in (plain(weekly), shown(weekly)):
        assert "None was seen in what was checked." in text
        assert "1 ended, none planned" in text or "1 ended; none planned" in text
    # A scan of the next week that looks back on all of it closes the hole; one that could not read all of it does not.
    life.trail_gaps = (Gap(Scope(region="us-east-1"), "the digest of 14:00 is missing"),)
    life.look(at("2026-11-09 07:00"))
    assert (
        told(life, schedule=BY_TIMERS).figures["checked"]["trail"]["unread"]
        == weekly.figures["checked"]["trail"]["unread"]
    )


def test_the_first_scan_after_a_week_reads_its_end(life: Life) -> None:
    life.look(at("2026-11-02 08:00"))
    life.opens(at("2026-11-04 10:00"), 22, userIdentity=user("marco", "AKIAMARCO"))
    life.look(at("2026-11-09 07:00"))
    weekly = told(life, schedule=BY_TIMERS)
    assert weekly.figures["checked"]["trail"]["unread"] == []
    assert weekly.figures["unauthorised"]["count"] == 1
    (line,) = unchecked(weekly.figures)
    assert line.startswith("No scan of the whole estate was planned from Mon 02 Nov 00:00 to Mon 09 Nov 00:00: 1 ended")


def test_a_schedule_with_nothing_due_in_the_week_is_told_and_the_first_hours_of_one_are_not(life: Life) -> None:
    monthly = ScheduleConfig(timezone="Europe/Berlin", scan="0 12 1 * *")
    life.look(at("2026-11-02 08:00"))
    assert any(line.startswith("No scan of the whole estate was planned") for line in told_lines(life, monthly))
    early = told(life, at("2026-11-02 09:00"), schedule=ScheduleConfig(timezone="Europe/Berlin", scan="0 12 * * *"))
    assert not any("was planned" in line for line in unchecked(early.figures))


def told_lines(life: Life, schedule: ScheduleConfig) -> list[str]:
    return unchecked(told(life, schedule=schedule).figures)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=6))
def test_what_is_left_out_is_what_no_span_covers(spans: list[tuple[int, int]]) -> None:
    def hour(number: int) -> datetime:
        return WEEK.begins + number * HOUR

    found = left_out([(hour(a), hour(a + length)) for a, length in spans], hour(6), hour(24))
    left = {n for n in range(6, 24) if not any(a <= n < a + length for a, length in spans)}
    assert {n for n in range(6, 24) if any(a <= hour(n) < b for a, b in found)} == left
    assert all(hour(6) <= a < b <= hour(24) for a, b in found)
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("ended", "planned", "text"),
    [(14, 14, "14 of 14"), (12, 14, "12 of 14"), (168, 28, "168, 28 planned"), (3, 0, "3"), (0, 14, "0 of 14")],
)
def test_no_more_scans_than_were_planned_are_a_part_of_them(ended: int, planned: int, text: str) -> None:
    assert out_of(ended, planned) == text


def test_more_scans_than_planned_are_told_beside_the_plan(life: Life) -> None:
    moment = at("2026-11-02 00:05")
    while moment < at("2026-11-03 00:00"):
        life.look(moment)
        moment += 4 * HOUR
    daily = ScheduleConfig(timezone="Europe/Berlin", scan="0 3 * * *")
    weekly = told(life, at("2026-11-03 00:00"), schedule=daily)
    assert "Scans of the estate: 6 ended, 1 planned" in plain(weekly)
    assert "Scans of the estate 6 ended; 1 planned" in shown(weekly)
    assert "| 6, 1 planned |" in plain(weekly)
    assert "6 of 1" not in plain(weekly) + shown(weekly)


# --- what is never compared ------------------------------------------------------------------------------------

LIMITS = (
    Limit(Scope(type="aws_gamelift_fleet"), "no resource specification", 312, uncompared=True),
    Limit(Scope(type="aws_sqs_queue"), "attributes not compared: policy", 33),
    Limit(Scope(type="kubernetes_pod"), "resources of provider kubernetes are not read", 1033, uncompared=True),
)


def test_what_is_never_compared_stands_beside_the_coverage(life: Life) -> None:
    life.limits = LIMITS
    look_each_monday(life)
    weekly = told(life)
    line = "3 limits: 1,345 resources of types that are not compared; log files not checked"
    assert never_read(weekly.figures) == line
    assert unchecked(weekly.figures) == []
    for text in (plain(weekly), shown(weekly)):
        assert line in text
        assert "of those it can compare" in text or "5 of 5 it can compare" in text
        assert "everything it can read" in text
        assert "everything that should have been" not in text
    assert 'class="card doubt"' in page(weekly)
    first = weekly.figures["checked"]["limits"]["listed"][0]
    assert (first["scope"], first["resources"]) == ("*/*/kubernetes_pod/*", 1033)
    folded = page(weekly).partition(f"<summary>{line}</summary>")[2].partition("</details>")[0]
    assert "attributes not compared: policy" in folded


def test_documents_of_an_earlier_release_are_read_and_what_they_do_not_say_is_not_known(life: Life) -> None:
    life.older, life.limits, life.accounts = True, LIMITS, {ACCOUNT: "production"}
    life.does(at("2026-11-02 10:00"), "CreateAccessKey", "iam", userIdentity=user("marco", "AKIAMARCO"))
    look_each_monday(life)
    weekly = told(life)
    assert never_read(weekly.figures).endswith(" limits: log files not checked")
    assert weekly.figures["checked"]["limits"]["resources"] is None
    assert "1 change without authority, 1 not known where." in plain(weekly)
    assert (weekly.figures["completeness"]["production"], weekly.figures["completeness"]["unplaced"]) == (0, 1)


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({}, ""),
        ({"count": 0, "resources": 0, "places": 2, "proven": 2}, ""),
        ({"count": 0, "resources": 0, "places": 2, "proven": 0}, "Limits: log files not checked"),
        ({"count": 1, "resources": 0, "places": 2, "proven": 2}, "1 limit"),
        ({"count": 1, "resources": 1, "places": 0, "proven": 0}, "1 limit: 1 resource of types that are not compared"),
        ({"count": 0, "resources": 0, "places": 3, "proven": 1}, "Limits: log files of 2 of 3 places not checked"),
    ],
    ids=range(6),
)
def test_limits_in_one_line(known: dict[str, Any], line: str) -> None:
    assert never_read({"checked": {"limits": known}}) == line


# --- what stands first -----------------------------------------------------------------------------------------


def test_that_nothing_was_checked_are_the_first_words(life: Life) -> None:
    life.look(at("2026-10-30 12:00"))
    weekly = told(life)
    assert 'class="answer"><strong>NOTHING WAS CHECKED.</strong> ' in page(weekly)
    assert plain(weekly).splitlines()[2].startswith("**NOTHING WAS CHECKED IN THIS WEEK.")
    first = shown(weekly).index("NOTHING WAS CHECKED")
    assert first < shown(weekly).index("0 cases opened")
    # What is complete needs no such words.
    look_each_monday(life, "2026-11-16")
    full = told(life, at("2026-11-23 08:00"), "2026-W47")
    assert 'class="answer">0 cases opened' in page(full)


# --- changes ---------------------------------------------------------------------------------------------------


def test_a_change_that_no_finding_is_about_is_in_production_where_its_account_is(life: Life) -> None:
    life.accounts = {ACCOUNT: "production"}
    for number, (action, service) in enumerate(
        [("CreateFleet", "gamelift"), ("PutEventSelectors", "cloudtrail"), ("CreateAccessKey", "iam")]
    ):
        when = at("2026-11-02 10:00") + timedelta(minutes=number)
        life.does(when, action, service, userIdentity=user("marco", "AKIAMARCO"), requestParameters={"trailName": "t"})
    look_each_monday(life)
    weekly = told(life)
    assert weekly.figures["completeness"]["production"] == weekly.figures["unauthorised"]["count"] == 3
    assert "3 changes without authority, all in production." in plain(weekly)
    assert {row["account"] for row in weekly.figures["unauthorised"]["listed"]} == {ACCOUNT}
    assert [row["production"] for row in weekly.figures["unauthorised"]["by_actor"]] == [3]


def test_where_it_is_not_known_it_is_said(life: Life) -> None:
    life.does(at("2026-11-02 10:00"), "CreateAccessKey", "iam", userIdentity=user("marco", "AKIAMARCO"))
    life.call(at("2026-11-02 11:00"), 90, userIdentity=user("marco", "AKIAMARCO"))
    look_each_monday(life)
    weekly = told(life)
    assert "2 changes without authority, 1 in production, 1 not known where." in plain(weekly)
    assert "Changes without authority 2, 1 in production, 1 not known where" in shown(weekly)


def test_a_change_under_a_ticket_that_was_over_is_not_under_a_ticket(life: Life) -> None:
    life.tickets = [
        granted("CHG-7", at("2026-11-03 08:00"), at("2026-11-03 18:00")),
        granted("CHG-8", at("2026-10-20 08:00"), at("2026-10-20 18:00")),
    ]
    life.call(at("2026-11-03 10:00"), 60, userAgent="aws-cli/2.31.0 app/CHG-7")
    life.call(at("2026-11-03 11:00"), 90, userAgent="aws-cli/2.31.0 app/CHG-8")
    look_each_monday(life)
    had = told(life).figures["completeness"]
    assert (had["counted"], had["with_authority"], had["under_ticket"]) == (2, 1, 1)
    assert {one["ticket"] for one in told(life).figures["unauthorised"]["listed"]} == {"CHG-8"}


def test_a_list_that_is_cut_says_how_much_is_missing(life: Life) -> None:
    marco = user("marco", "AKIAMARCO")
    for number in range(11):
        life.does(at("2026-11-03 10:00") + timedelta(minutes=number), f"CreateThing{number}", "iot", userIdentity=marco)
    for port in range(3):
        life.opens(at("2026-11-03 11:00") + timedelta(minutes=port), 4000 + port, userIdentity=marco)
    look_each_monday(life)
    weekly = told(life)
    (bare,) = [row for row in weekly.figures["unauthorised"]["sessions"] if not row["case"]]
    assert (len(bare["actions"]), bare["more_actions"]) == (8, 3)
    assert "`iot:CreateThing2` and 8 more)" in plain(weekly)
    assert "iot:CreateThing2 and 8 more" in shown(weekly)
    assert sum("and 1 more (shop" in line for line in plain(weekly).splitlines()) == 1


# --- break-glass -----------------------------------------------------------------------------------------------


def account(case: str, when: datetime) -> Document:
    """What dana writes of it."""
    return Document("D-1", case, said("dana", when), "Orders were lost", "INC-4711", "Raised", "on-call", "revert")


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """An emergency of high risk: documented, accepted, under control again by Wednesday."""
    with connect(f"sqlite:///{tmp_path_factory.mktemp('after')}/driftwarden.db") as store:
        life = Life(
            store, weights=Weights(environments={"production": 10}, levels=(("high", 1, 1, ""), ("low", 0, 1, "")))
        )
        life.looks(at("2026-11-02 00:00"), at("2026-11-02 09:00"))
        life.call(at("2026-11-02 10:00"), 120, "mail", userIdentity=emergency_session())
        life.call(at("2026-11-02 10:30"), 30, "mail", userIdentity=emergency_session())
        life.looks(at("2026-11-02 11:00"), at("2026-11-03 00:30"))
        key = life.case(emergency=True)
        life.says("breakglass.documented", account(key, at("2026-11-03 08:00")))
        kim = said("kim", at("2026-11-03 09:00"))
        life.says("breakglass.reviewed", Review("R-1", key, kim, accepted=True, reason="ok"))
        for when in ("2026-11-03 12:01", "2026-11-04 00:01", "2026-11-09 00:01"):
            life.look(at(when))
        yield life


def test_what_is_under_control_again_waits_for_a_second_person(reviewed: Life) -> None:
    weekly = told(reviewed)
    (row,) = weekly.figures["breakglass"]
    assert row["state"] == "post-implementation"
    wanted = decision(weekly, "Under control again, to be reviewed after the work")
    assert wanted["who"] == "sam, kim, not dana"
    assert wanted["command"].startswith(f"driftwarden breakglass review {row['id']} --accept --post-implementation ")
    for text in (plain(weekly), shown(weekly)):
        assert "under control again, to be reviewed after the work" in text
        assert "still to do" not in text
        assert "not yet under control" not in text
    assert weekly.figures["emergencies"]["unreviewed"] == 1


def test_a_case_that_goes_on_leaves_the_week_as_it_was(reviewed: Life, tmp_path: Path) -> None:
    """Its stage is the one that the last scan of the week told, not the one of today."""
    before = told(reviewed)
    early = told(reviewed, at("2026-11-03 10:00"))  # reviewed, and no scan since
    assert early.figures["breakglass"][0]["state"] == "way-back"
    key = reviewed.case(emergency=True)
    sam = said("sam", at("2026-11-09 09:00"))
    reviewed.says(
        "breakglass.reviewed", Review("R-9", key, sam, accepted=True, reason="as it was", post_implementation=True)
    )
    reviewed.looks(at("2026-11-09 11:00"), at("2026-11-10 01:00"))
    assert not any(one.grant for one in reviewed.store.cases.open())
    after = told(reviewed, at("2026-11-10 08:00"))
    (row,) = after.figures["breakglass"]
    assert (row["state"], row["closed"]) == (before.figures["breakglass"][0]["state"], False)
    assert [one["told"] for one in row["since"]] == ["case closed"]
    assert "since the week ended: case closed Mon 09 Nov 12:01" in shown(after)
    assert "(since the week ended: case closed Mon 09 Nov 12:01)" in plain(after)


@pytest.mark.parametrize(
    ("stage", "told_at", "expected"),
    [
        ("post-implementation", 2, "post-implementation"),
        ("way-back", 2, "way-back"),
        ("awaiting-review", 2, "review-again"),
        ("awaiting-review", -1, "way-back"),  # as it was before the review came
        ("post-implementation", None, "awaiting"),
    ],
)
def test_what_an_accepted_emergency_still_waits_for(stage: str, told_at: int | None, expected: str) -> None:
    reviewed_at, key = at("2026-11-04 10:00"), CaseKey("a" * 16)
    kim = Review("R-1", key, said("kim", reviewed_at), accepted=True, reason="ok")
    wrote = account(key, reviewed_at - HOUR)
    times = (reviewed_at - 5 * HOUR, reviewed_at - 4 * HOUR, reviewed_at)
    one = Emergency("BG-1", key, "dana", "role", *times, ("e1",), "accepted", document=wrote, review=kim)
    case = Case(key, "x", (), "high", events=("e1",), grant="BG-1", stage="way-back", emergencies=(one,))
    matter = Matter(case, "", ((reviewed_at - 4 * HOUR, "opened"),))

    def states(matter: Matter, stages: Stages) -> list[str]:
        return [row["state"] for row in emergencies([matter], WEEK, WEEK.ends, stages)]

    if told_at is None:  # no document is kept: as the case stands today
        assert states(matter, Stages()) == ["way-back"]
        other = replace(one, id="BG-2", document=None, review=None, arrivals=(Arrival(reviewed_at, 1),))
        both = replace(matter, case=replace(case, emergencies=(one, other)))
        assert states(both, Stages()) == ["beside", "overdue"]
    else:
        assert states(matter, Stages(reviewed_at + told_at * HOUR, {key: stage})) == [expected]


@pytest.mark.parametrize("known", [True, False], ids=["with a case", "before any scan"])
def test_a_declared_window_without_a_call_is_told(life: Life, known: bool) -> None:
    life.look(at("2026-11-03 00:01"))
    opened, until = at("2026-11-03 09:00"), at("2026-11-03 11:00")
    opening = Opening("O-1", said("dana", opened), "INC-4711", until)
    grant = grant_of("O-1")
    life.says("breakglass.opened", opening)
    if known:
        life.store.cases.begin(window_case(opening, opened, ("sam",)), "O-1", opened)

    def state(now: str) -> str:
        (row,) = told(life, at(now)).figures["breakglass"]
        assert (row["id"], row["calls"], row["incident"], row["window"]) == (grant, 0, "INC-4711", True)
        return str(row["state"])

    assert state("2026-11-03 10:00") == "window-open"
    assert state("2026-11-03 12:00") == "window-over"
    weekly = told(life, at("2026-11-03 12:00"))
    for text in (plain(weekly), shown(weekly)):
        assert "0 sessions in the week, 1 window without a call" in text
        assert "over, no call seen" in text
        assert "none seen" not in text
        assert "No emergency access was seen" not in text
        assert "Not documented, due" not in text
    assert weekly.figures["emergencies"]["undocumented"] == 0
    life.says("breakglass.documented", account(case_key(grant), at("2026-11-03 13:00")))
    assert state("2026-11-03 12:00") == "window-over"
    assert state("2026-11-03 14:00") == "window-documented"
    weekly = told(life, at("2026-11-03 14:00"))
    assert "documented, no call seen" in shown(weekly)
    assert "Documented Tue 03 Nov 13:00 by dana, to revert. `BG-" in plain(weekly)
    assert weekly.figures["decisions"]["count"] == 0  # nobody can review what nobody has seen
    (early,) = told(life, at("2026-11-03 12:00")).figures["breakglass"]
    assert [one["told"] for one in early["since"]] == ["documented by dana"]
    assert told(life, MONDAY, "2026-W44").figures["breakglass"] == []


def test_a_window_in_which_somebody_acted_is_told_once(life: Life) -> None:
    life.look(at("2026-11-03 00:01"))
    opening = Opening("O-1", said("dana", at("2026-11-03 09:00")), "INC-1", at("2026-11-03 11:00"))
    life.says("breakglass.opened", opening)
    life.call(at("2026-11-03 10:00"), 120, "mail")
    life.look(at("2026-11-03 12:01"))
    (row,) = told(life, at("2026-11-04 08:00")).figures["breakglass"]
    assert (row["window"], row["calls"]) == (False, 1)


# --- cases -----------------------------------------------------------------------------------------------------


def test_cases_that_are_opened_again_add_up(life: Life) -> None:
    """Open before, and opened, and opened again, less closed, are open after; in every week, at any time of it."""
    chance, store = random.Random(11), life.store
    begins, weeks = at("2026-10-05 00:00"), [f"2026-W{number}" for number in range(41, 46)]
    moments = []
    for number in range(8):
        times = sorted(chance.sample(range(35 * 24), 5))
        moments += [(begins + hour * HOUR, number, turn % 2 == 0) for turn, hour in enumerate(times)]
    moments += [
        (at("2026-11-02 00:00"), 99, True),
        (at("2026-10-26 00:00"), 99, True),
        (at("2026-10-27 00:00"), 99, False),
    ]
    for moment, number, opens in sorted(moments):
        case = Case(CaseKey(f"{number:016x}"), f"case {number}", (), "low")
        run = f"{number}-{moment:%m%d%H}"
        store.scans.begin(run, moment, "c" * 64, "r" * 64, kind="open")
        action = Open(case) if opens else Close(case, "gone")
        store.scans.commit(ScanCommit(run, moment, "clean", b"{}", actions=(action,), kind="open"))
    before = again = 0
    for name in weeks:
        weekly = told(life, MONDAY, name)
        found = {key: len(weekly.figures["cases"][key]) for key in ("opened", "again", "closed", "open")}
        assert before + found["opened"] + found["again"] - found["closed"] == found["open"], name
        trend = weekly.figures["trends"][-1]
        assert (trend["again"], trend["open"]) == (found["again"], found["open"])
        before, again = found["open"], again + found["again"]
        line = f"{found['again']} opened again, " if found["again"] else "opened, "
        assert line in plain(weekly)
        assert line in shown(weekly)
    assert again >= 3
    last = told(life, MONDAY, "2026-W45")
    (row,) = [one for one in last.figures["cases"]["again"] if one["title"] == "case 99"]
    assert (row["began"], row["again"]) == ("2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z")
    assert row["key"] in last.figures["shows"]["cases"]


# --- times -----------------------------------------------------------------------------------------------------


def test_a_time_of_another_year_says_which() -> None:
    assert local("2026-11-02T09:00:00Z", "Europe/Berlin", 2026) == "Mon 02 Nov 10:00"
    assert local("2025-11-02T09:00:00Z", "Europe/Berlin", 2026) == "Sun 02 Nov 2025 10:00"
    assert local("2026-12-31T23:30:00Z", "Europe/Berlin", 2026) == "Fri 01 Jan 2027 00:30"
    assert local("", "UTC", 2026) == ""


def held(store: Store, count: int, when: datetime) -> None:
    cases = tuple(
        Case(CaseKey(f"{n:016x}"), f"case {n}", (), "high", opened_at=when, state="held") for n in range(count)
    )
    store.scans.begin("flood", when, "c" * 64, "r" * 64, kind="open")
    store.scans.commit(ScanCommit("flood", when, "held", b"{}", actions=(Held(cases, "too much"),), kind="open"))


def test_times_in_titles_are_those_of_the_reader(life: Life) -> None:
    held(life.store, 5, at("2026-11-03 10:00"))
    weekly = told(life)
    for text in (plain(weekly), shown(weekly)):
        assert "5 cases, the first of them: case 0, since Tue 03 Nov 10:00" in text
        assert not [word for word in text.partition("7. How it was counted")[0].split() if word.endswith("00Z")]
