"""The trail blinded: which calls begin it, which end it, and the interval as a gap beside the change; and silence."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trail_records import ACCOUNT, END, REGION, SPECS, START, packed, record, trail_of

from agent.model import Covered, Entry, Scope, Tally
from agent.trail.coverage import covered, skewed, undelivered
from agent.trail.entries import Reader
from agent.trail.read import assemble
from agent.trail.source import Blob

NAME = {"name": "org-trail"}
ARN = {"name": f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/org-trail"}
SCOPE = Scope(account=ACCOUNT, type="cloudtrail", id="org-trail")


def control(name: str, at: str, request: dict, **fields: object) -> dict:
    return record(name, "cloudtrail", at=at, requestParameters=request, **fields)


def whys(*records: dict) -> list[str]:
    trail = trail_of(*records)
    assert {gap.scope for gap in trail.gaps} <= {SCOPE}
    return [gap.why for gap in trail.gaps]


STOPPED = "trail org-trail: logging stopped by dana at 2026-03-02T10:00:00Z"


@pytest.mark.parametrize("order", [1, -1])
def test_stopped_and_started_again(order: int) -> None:
    records = [control("StopLogging", "10:00:00", ARN), control("StartLogging", "11:00:00", NAME)]
    assert whys(*records[::order]) == [f"{STOPPED} until 2026-03-02T11:00:00Z"]
    actions = [change.action for change in trail_of(*records).changes]
    assert actions == ["cloudtrail:StopLogging", "cloudtrail:StartLogging"]


def test_stopped_for_good() -> None:
    again = control("StopLogging", "12:00:00", NAME)
    assert whys(control("StopLogging", "10:00:00", NAME), again) == [f"{STOPPED}, and not brought back since"]


def test_deleted() -> None:
    expected = "trail org-trail: deleted by dana at 2026-03-02T10:00:00Z, and not brought back since"
    assert whys(control("DeleteTrail", "10:00:00", NAME)) == [expected]


def test_another_trails_start_brings_nothing_back() -> None:
    other = control("StartLogging", "11:00:00", {"name": "other"})
    assert whys(control("StopLogging", "10:00:00", NAME), other) == [f"{STOPPED}, and not brought back since"]


def test_a_denied_stop_blinds_nothing() -> None:
    assert whys(control("StopLogging", "10:00:00", NAME, errorCode="AccessDenied"), record()) == []


def test_stopped_before_the_interval_counts_if_it_reaches_into_it() -> None:
    early = control("StopLogging", "06:00:00", NAME)
    why = "trail org-trail: logging stopped by dana at 2026-03-02T06:00:00Z until"
    assert whys(early, control("StartLogging", "09:00:00", NAME)) == [f"{why} 2026-03-02T09:00:00Z"]
    assert whys(early, control("StartLogging", "07:00:00", NAME), record()) == []


MANAGEMENT = {"field": "eventCategory", "equals": ["Management"]}


@pytest.mark.parametrize(
    ("selectors", "blind"),
    [
        ({"eventSelectors": [{"readWriteType": "All", "includeManagementEvents": True}]}, False),
        ({"eventSelectors": [{"readWriteType": "WriteOnly", "includeManagementEvents": True}]}, False),
        ({"eventSelectors": [{"readWriteType": "ReadOnly", "includeManagementEvents": True}]}, True),
        ({"eventSelectors": [{"readWriteType": "All", "includeManagementEvents": False}]}, True),
        ({"eventSelectors": [{"excludeManagementEventSources": ["kms.amazonaws.com"]}]}, True),
        ({"advancedEventSelectors": [{"fieldSelectors": [MANAGEMENT]}]}, False),
        (
            {"advancedEventSelectors": [{"fieldSelectors": [MANAGEMENT, {"field": "readOnly", "equals": ["false"]}]}]},
            False,
        ),
        (
            {"advancedEventSelectors": [{"fieldSelectors": [MANAGEMENT, {"field": "readOnly", "equals": ["true"]}]}]},
            True,
        ),
        ({"advancedEventSelectors": [{"fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}]}, True),
        (
            {
                "advancedEventSelectors": [
                    {"fieldSelectors": [MANAGEMENT, {"field": "eventSource", "notEquals": ["kms"]}]}
                ]
            },
            True,
        ),
        ({}, False),
    ],
)
def test_selectors_that_leave_out_writes(selectors: dict, blind: bool) -> None:
    narrowed = control("PutEventSelectors", "10:00:00", {"trailName": "org-trail"} | selectors)
    why = "trail org-trail: event selectors leave out management writes by dana at 2026-03-02T10:00:00Z, and not"
    assert [text.startswith(why) for text in whys(narrowed)] == ([True] if blind else [])


def test_selectors_put_back_end_it() -> None:
    narrow = {"trailName": "org-trail", "eventSelectors": [{"includeManagementEvents": False}]}
    whole = {"trailName": "org-trail", "eventSelectors": [{"includeManagementEvents": True}]}
    found = whys(control("PutEventSelectors", "10:00:00", narrow), control("PutEventSelectors", "10:05:00", whole))
    assert [text.endswith("until 2026-03-02T10:05:00Z") for text in found] == [True]


def test_narrowed_to_one_region_and_widened() -> None:
    one = control("UpdateTrail", "10:00:00", NAME | {"isMultiRegionTrail": False})
    all_ = control("UpdateTrail", "10:30:00", NAME | {"isMultiRegionTrail": True})
    other = control("UpdateTrail", "10:10:00", NAME | {"s3BucketName": "b"})
    assert [text.partition(" by ")[0] for text in whys(one, other)] == ["trail org-trail: narrowed to one region"]
    assert whys(one, other, all_)[0].endswith("until 2026-03-02T10:30:00Z")


@pytest.mark.parametrize(
    ("parameter", "effect"),
    [
        ("enableLogFileValidation", "log file validation turned off"),
        ("includeGlobalServiceEvents", "events of global services left out"),
        ("isMultiRegionTrail", "narrowed to one region"),
    ],
)
@pytest.mark.parametrize(("off", "on"), [(False, True), ("false", "true")])
def test_switches_of_a_trail(parameter: str, effect: str, off: object, on: object) -> None:
    narrowed = control("UpdateTrail", "10:00:00", NAME | {parameter: off})
    again = control("UpdateTrail", "11:00:00", NAME | {parameter: on})
    by = f"trail org-trail: {effect} by dana at 2026-03-02T10:00:00Z"
    assert whys(narrowed) == [f"{by}, and not brought back since"]
    assert whys(again, narrowed) == [f"{by} until 2026-03-02T11:00:00Z"]
    assert whys(again) == []
    made_anew = control("CreateTrail", "11:00:00", NAME | {parameter: on})
    assert whys(made_anew, narrowed) == [f"{by} until 2026-03-02T11:00:00Z"]
    assert whys(control("CreateTrail", "11:00:00", NAME | {parameter: off})) == []


def test_what_a_gap_tells_of() -> None:
    narrow = {"trailName": "org-trail", "eventSelectors": [{"includeManagementEvents": False}]}
    found = trail_of(
        control("StopLogging", "10:00:00", NAME),
        control("DeleteTrail", "10:01:00", NAME),
        control("PutEventSelectors", "09:00:00", narrow),
        control("UpdateTrail", "09:01:00", NAME | {"enableLogFileValidation": False}),
    )
    causes = {gap.why.split(" by ")[0].removeprefix("trail org-trail: "): gap.cause for gap in found.gaps}
    assert causes == {
        "logging stopped": "stopped",
        "deleted": "stopped",
        "event selectors leave out management writes": "narrowed",
        "log file validation turned off": "narrowed",
    }


def test_trails_of_one_name_in_two_regions_are_two() -> None:
    elsewhere = control("StartLogging", "11:00:00", NAME, awsRegion="us-east-1")
    assert whys(control("StopLogging", "10:00:00", NAME), elsewhere) == [f"{STOPPED}, and not brought back since"]


CALLS = st.builds(
    control,
    st.sampled_from(["StopLogging", "StartLogging", "DeleteTrail", "CreateTrail"]),
    st.integers(0, 11).map(lambda hour: f"{8 + hour:02}:00:00"),
    st.sampled_from([NAME, ARN, {"name": "other"}]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(CALLS, max_size=6).flatmap(lambda calls: st.tuples(st.just(calls), st.permutations(calls))))
def test_pairs_of_stop_and_start_survive_any_order(both: tuple[list[dict], list[dict]]) -> None:
    first, second = (trail_of(record("GetQueueUrl", at="08:30:00", readOnly=True), *calls) for calls in both)
    assert first.gaps == second.gaps
    assert {gap.cause for gap in first.gaps} <= {"stopped"}


# --- silence -------------------------------------------------------------------------------------------------

OTHER = "444455556666"
HOUR = timedelta(hours=1)
WEEK = [END - HOUR * n for n in range(1, 24 * 8)]
PLACE = Scope(account=ACCOUNT, region=REGION, type="cloudtrail")


def hours(*at: datetime, account: str = ACCOUNT, region: str = REGION) -> list[Tally]:
    """One event in each of the hours."""
    return [Tally(account, region, hour, 1, hour + timedelta(minutes=30)) for hour in at]


def silent(*tallies: Tally, start: datetime = START, **options: object) -> list[tuple[str, str]]:
    found = undelivered(tallies, start, END, **options)
    assert {gap.cause for gap in found} <= {"undelivered", "unproven"}
    assert all((gap.cause == "unproven") is gap.why.startswith("no event has come") for gap in found)
    return [(str(gap.scope), gap.why.removesuffix(", where nearly every hour before had one")) for gap in found]


def test_a_busy_place_that_falls_silent() -> None:
    until_noon = [hour for hour in WEEK if hour < START + 4 * HOUR]
    assert silent(*hours(*until_noon)) == [(str(PLACE), "no event since 2026-03-02T12:00:00Z")]
    assert silent(*hours(*until_noon, START + 11 * HOUR)) == [
        (str(PLACE), "no event from 2026-03-02T12:00:00Z to 2026-03-02T19:00:00Z")
    ]
    shuffled = hours(*until_noon)[::-1] + hours(*until_noon[:5])
    assert silent(*shuffled) == silent(*hours(*until_noon))


def test_short_silence_and_the_hour_that_may_still_come_are_nothing() -> None:
    assert silent(*hours(*WEEK)) == []
    assert silent(*hours(*(hour for hour in WEEK if hour < END - 6 * HOUR))) == []
    assert silent(*hours(*(hour for hour in WEEK if not 9 <= hour.hour < 14))) == []


def test_places_that_sleep_and_places_hardly_known_are_quiet() -> None:
    assert silent(*hours(*(hour for hour in WEEK if 8 <= hour.hour < 20 and hour < START))) == []
    assert silent(*hours(*(START - HOUR * n for n in range(1, 24)))) == []
    assert silent(*hours(*(START - HOUR * n for n in range(1, 26)))) != []


def test_a_silence_that_ended_before_the_interval_was_told_then() -> None:
    pause = [hour for hour in WEEK if not START - 20 * HOUR <= hour < START - 10 * HOUR]
    assert silent(*hours(*pause)) == []
    assert silent(*hours(*pause), start=START - 12 * HOUR) == [
        (str(PLACE), "no event from 2026-03-01T12:00:00Z to 2026-03-01T22:00:00Z")
    ]


def test_one_cause_is_told_once() -> None:
    gone = [hour for hour in WEEK if hour < START]
    mine = [*hours(*gone), *hours(*gone, region="us-east-1")]
    since = "no event since 2026-03-02T08:00:00Z"
    assert silent(*mine) == [(f"{ACCOUNT}/*/cloudtrail/*", since)]
    assert silent(*mine, *hours(*gone, account=OTHER)) == [("*/*/cloudtrail/*", since)]
    assert silent(*mine, *hours(*WEEK, account=OTHER)) == [(f"{ACCOUNT}/*/cloudtrail/*", since)]
    lively = hours(*WEEK, region="eu-central-1")
    assert silent(*mine, *lively) == [(str(PLACE), since), (f"{ACCOUNT}/us-east-1/cloudtrail/*", since)]


def test_what_digests_prove_to_be_silent_is_silent() -> None:
    tallies = hours(*(hour for hour in WEEK if hour < START))
    assert silent(*tallies, verified={(ACCOUNT, REGION): END - 2 * HOUR}) == []
    assert silent(*tallies, verified={(ACCOUNT, REGION): START}) != []
    assert silent(verified={(ACCOUNT, REGION): END}, expected=[(ACCOUNT, REGION)]) == []


def test_expected_and_never_heard_of() -> None:
    why = "no event in the interval: nothing was done there, or no trail covers it, which looks the same"
    never = "no event has come from there yet: nothing was done, or none is delivered, which looks the same"
    expected = [(ACCOUNT, "us-east-1"), (ACCOUNT, REGION)]
    assert silent(*hours(START), expected=expected) == [(f"{ACCOUNT}/us-east-1/cloudtrail/*", never)]
    ever = {(ACCOUNT, "us-east-1")}
    assert silent(*hours(START), expected=expected, ever=ever) == [(f"{ACCOUNT}/us-east-1/cloudtrail/*", why)]
    assert silent(*hours(START - HOUR), expected=expected[1:]) == [(str(PLACE), why)]
    quiet_since = hours(*(hour for hour in WEEK if hour < START))
    assert len(silent(*quiet_since, expected=expected[1:])) == 1


def test_strange_tallies_are_no_places() -> None:
    future = [START.replace(year=9999), START.replace(year=2007)]
    assert silent(*hours(*future), *hours(*WEEK, account=""), *hours(*WEEK, region="")) == []


def test_events_of_the_future() -> None:
    late, later = END + timedelta(minutes=6), END.replace(year=2031)
    tallies = [Tally(ACCOUNT, REGION, END, 1, late), Tally(ACCOUNT, REGION, later, 1, later)]
    (gap,) = skewed([*tallies, *hours(*WEEK)], END)
    assert (gap.scope, gap.cause, gap.why.partition(" was in the future")[0]) == (
        PLACE,
        "skewed",
        "an event of 2031-03-02T20:00:00Z",
    )
    assert skewed(tallies[:1], END + timedelta(minutes=1)) == ()


def test_one_forged_file_makes_no_flood_of_places() -> None:
    future = END + timedelta(days=9)
    found = skewed([Tally(f"{n:012d}", REGION, future, 1, future) for n in range(5000)], END)
    assert len(found) == 21
    assert (found[-1].scope, found[-1].cause) == (Scope(type="cloudtrail"), "skewed")


def test_coverage_names_places_that_only_digests_know() -> None:
    found = covered(hours(START, START + HOUR), {(ACCOUNT, REGION): END, (OTHER, REGION): START})
    assert found == (
        Covered(ACCOUNT, REGION, 2, START, START + timedelta(minutes=90), END),
        Covered(OTHER, REGION, verified_until=START),
    )
    assert covered([]) == ()


def test_the_trail_tells_it() -> None:
    early = [entry(record(at="08:00:00"))]
    tallies = hours(*(hour for hour in WEEK if hour <= START))
    options = {"tallies": tallies, "expected": [(OTHER, REGION)], "verified": {(ACCOUNT, REGION): START}}
    found = assemble(early, START, END, silence_is_a_gap=True, read_at=START, **options)
    assert [gap.why.partition(",")[0].partition(":")[0] for gap in found.gaps] == [
        "an event of 2026-03-02T08",
        "no event since 2026-03-02T09",
        "no event has come from there yet",
    ]
    assert found.coverage == (Covered(ACCOUNT, REGION, 1, START, START + timedelta(minutes=30), START),)
    assert assemble(early, START, END, **options).gaps == ()


def test_a_queue_that_nothing_ever_came_through_is_told_apart_from_one_that_fell_silent() -> None:
    def why(*tallies: Tally, **options: object) -> list[tuple[str, str]]:
        found = assemble((), START, END, tallies=tallies, silence_is_a_gap=True, **options)
        return [(gap.cause, gap.why.partition(":")[0]) for gap in found.gaps]

    silence = "no event of the whole interval in what was delivered"
    place = [(ACCOUNT, REGION)]
    assert why(expected=place) == [("unproven", "no event has come through the queue yet")]
    assert why() == why(expected=place, ever=place) == [("undelivered", silence)]
    assert why(*hours(START - HOUR), expected=place) == [("undelivered", silence)]


def entry(made: dict) -> Entry:
    """What the reader keeps of one record."""
    (found,) = Reader(SPECS).sift(Blob("file.json.gz", packed(made))).entries
    return found
