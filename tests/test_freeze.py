"""Change freezes: what calendars of all kinds say of an interval, and what those that cannot be followed say."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import vRecur

from agent.config import Config
from agent.freeze import LARGEST, MOST_EVENTS, UnreadError, freezes_of, read_calendars
from agent.model import Calendar
from agent.recurrence import RuleError, days, rule_of
from agent.tables import AuthorityConfig

START = datetime(2026, 12, 14, tzinfo=UTC)
END = datetime(2026, 12, 28, tzinfo=UTC)


def ics(*events: str, head: str = "") -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//acme//EN", *filter(None, head.splitlines())]
    for number, event in enumerate(events):
        uid = [] if "UID:" in event else [f"UID:{number}"]
        lines += ["BEGIN:VEVENT", *uid, *event.splitlines(), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def found(*events: str, head: str = "", start: datetime = START, end: datetime = END) -> Calendar:
    return freezes_of(ics(*events, head=head), "freeze.ics", start, end)


def times(calendar: Calendar) -> list[tuple[str, str]]:
    assert calendar.unread == ()
    return sorted((f"{one.start:%m-%d %H:%M}", f"{one.end:%m-%d %H:%M}") for one in calendar.freezes)


def test_an_event_with_an_end_and_one_with_a_length() -> None:
    assert times(
        found(
            "SUMMARY:Christmas\nDTSTART:20261223T180000Z\nDTEND:20261227T060000Z",
            "SUMMARY:Sale\nDTSTART:20261216T120000Z\nDURATION:PT6H",
            "SUMMARY:Last year\nDTSTART:20251216T120000Z\nDURATION:PT6H",
        )
    ) == [("12-16 12:00", "12-16 18:00"), ("12-23 18:00", "12-27 06:00")]


def test_one_that_only_reaches_into_the_interval_counts() -> None:
    whole = found("SUMMARY:Quarter end\nDTSTART:20261101T000000Z\nDTEND:20261214T000100Z")
    assert [one.name for one in whole.freezes] == ["Quarter end"]
    assert whole.freezes[0].start == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "event", "expected"),
    [
        ("", "DTSTART;TZID=Europe/Berlin:20261215T090000\nDTEND;TZID=Europe/Berlin:20261215T100000", "12-15 08:00"),
        ("", "DTSTART:20261215T090000\nDTEND:20261215T100000", "12-15 09:00"),
        ("X-WR-TIMEZONE:America/New_York", "DTSTART:20261215T090000\nDTEND:20261215T100000", "12-15 14:00"),
        ("X-WR-TIMEZONE:America/New_York", "DTSTART;VALUE=DATE:20261215", "12-15 05:00"),
        ("", "DTSTART;VALUE=DATE:20261215\nDTEND;VALUE=DATE:20261217", "12-15 00:00"),
    ],
)
def test_time_zones_days_and_floating_times(head: str, event: str, expected: str) -> None:
    assert [start for start, _ in times(found(event, head=head))] == [expected]


ZONE = """\
BEGIN:VTIMEZONE
TZID:{zone}
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=SECONDLY
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=SECONDLY
END:DAYLIGHT
END:VTIMEZONE"""


@pytest.mark.parametrize("begin", ["BEGIN:VTIMEZONE", "begin:vtimezone", "BEGIN:VTIME\n ZONE", "BEGIN;X=1:VTIMEZONE "])
def test_what_a_calendar_says_of_zones_itself_is_not_unfolded(begin: str) -> None:
    began = time.process_time()
    event = "SUMMARY:x\nDTSTART;TZID={zone}:20261215T090000\nDURATION:PT1H"
    odd = found(event.format(zone="Own/Zone"), head=ZONE.format(zone="Own/Zone").replace("BEGIN:VTIMEZONE", begin))
    assert odd.freezes == ()
    assert "time zone 'Own/Zone' is not known" in odd.unread[0]
    known = found(event.format(zone="Europe/Berlin"), head=ZONE.format(zone="Europe/Berlin"))
    assert times(known) == [("12-15 08:00", "12-15 09:00")]
    windows = "SUMMARY:x\nDTSTART;TZID=W. Europe Standard Time:20261215T090000\nDURATION:PT1H"
    assert times(found(windows)) == [("12-15 08:00", "12-15 09:00")]
    assert time.process_time() - began < 2


def test_a_day_lasts_to_its_end_in_the_calendars_zone_and_utc_is_said() -> None:
    calendar = found("SUMMARY:Holiday\nDTSTART;VALUE=DATE:20261225")
    assert times(calendar) == [("12-25 00:00", "12-26 00:00")]
    assert "UTC" in calendar.freezes[0].source
    told = found("SUMMARY:Holiday\nDTSTART;VALUE=DATE:20261225", head="X-WR-TIMEZONE:Asia/Tokyo")
    assert times(told) == [("12-24 15:00", "12-25 15:00")]
    assert told.freezes[0].source == "freeze.ics"


def test_recurrence_with_exceptions_and_a_moved_occurrence() -> None:
    weekly = "UID:w\nSUMMARY:Weekend\nDTSTART:20260103T000000Z\nDTEND:20260104T230000Z\nRRULE:FREQ=WEEKLY"
    assert times(found(weekly)) == [("12-19 00:00", "12-20 23:00"), ("12-26 00:00", "12-27 23:00")]
    without = found(weekly + "\nEXDATE:20261219T000000Z")
    assert times(without) == [("12-26 00:00", "12-27 23:00")]
    moved = "UID:w\nRECURRENCE-ID:20261219T000000Z\nSUMMARY:Weekend\nDTSTART:20261218T000000Z\nDTEND:20261218T120000Z"
    assert times(found(weekly, moved)) == [("12-18 00:00", "12-18 12:00"), ("12-26 00:00", "12-27 23:00")]
    cancelled = "UID:w\nRECURRENCE-ID:20261219T000000Z\nSTATUS:CANCELLED\nDTSTART:20261219T000000Z\nDURATION:P1D"
    assert times(found(weekly, cancelled)) == [("12-26 00:00", "12-27 23:00")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", ["12-15", "12-16", "12-17"]),
        ("FREQ=DAILY;COUNT=1000", [f"12-{day}" for day in range(15, 29)]),
        ("FREQ=DAILY;UNTIL=20261216T235959Z", ["12-15", "12-16"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-3", ["12-15"]),
        ("FREQ=WEEKLY;BYDAY=TU,FR;COUNT=3", ["12-15", "12-18", "12-22"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-13;COUNT=2", ["12-15", "12-19"]),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31", ["12-15"]),
    ],
)
def test_rules_that_end(rule: str, expected: list[str]) -> None:
    began = time.process_time()
    calendar = found(f"DTSTART:20261215T000000Z\nDTEND:20261215T010000Z\nRRULE:{rule}")
    days = [start[:5] for start, _ in times(calendar)]
    assert days == expected
    assert time.process_time() - began < 2


def test_across_a_clock_change_the_local_hour_stays() -> None:
    zone = "TZID=Europe/Berlin"
    nightly = f"DTSTART;{zone}:20260320T220000\nDTEND;{zone}:20260320T230000\nRRULE:FREQ=DAILY;COUNT=20"
    calendar = found(nightly, start=datetime(2026, 3, 28, tzinfo=UTC), end=datetime(2026, 3, 30, tzinfo=UTC))
    assert [start for start, _ in times(calendar)] == ["03-28 21:00", "03-29 20:00"]


def test_closed_by_default_is_frozen_outside_its_events() -> None:
    window = "SUMMARY:Change window\nDTSTART:20261216T200000Z\nDTEND:20261216T220000Z"
    calendar = found(window, head="X-CALENDAR-TYPE:DEFAULT_CLOSED")
    assert times(calendar) == [("12-07 00:00", "12-16 20:00"), ("12-16 22:00", "01-04 00:00")]
    assert {one.name for one in calendar.freezes} == {"closed by default: freeze.ics"}
    assert [one.name for one in found(head="X-CALENDAR-TYPE:DEFAULT_CLOSED").freezes] == [
        "closed by default: freeze.ics"
    ]
    assert found(window, head="X-CALENDAR-TYPE:DEFAULT_OPEN").freezes[0].name == "Change window"


def test_closed_by_default_with_an_event_that_cannot_be_followed_is_not_known() -> None:
    calendar = found("SUMMARY:Odd\nDTSTART;TZID=Nowhere/Land:20261216T200000", head="X-CALENDAR-TYPE:DEFAULT_CLOSED")
    assert calendar.freezes == ()
    assert "Nowhere/Land" in calendar.unread[0]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("SUMMARY:x\nDTSTART;TZID=Nowhere/Land:20261216T200000", "time zone 'Nowhere/Land' is not known"),
        ("SUMMARY:x", "DTSTART"),
        ("SUMMARY:x\nDTSTART:2026", "DTSTART"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nDTEND:20261215T000000Z", "ends before it begins"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nRRULE:FREQ=SECONDLY", "recurs SECONDLY"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nRRULE:FREQ=HOURLY;COUNT=3", "recurs HOURLY"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nRRULE:FREQ=FOO", "RRULE"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nRRULE:FREQ=DAILY;INTERVAL=0", "1 at least"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nRRULE:FREQ=DAILY;BYHOUR=1,2,3", "BYHOUR is not followed"),
        ("SUMMARY:x\nDTSTART:19700101T000000Z\nDURATION:P20000D\nRRULE:FREQ=DAILY", "more than 1,000 of its"),
        ("SUMMARY:x\nDTSTART:00010101T000000Z\nDURATION:P1D\nRRULE:FREQ=DAILY", "since too long"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nDURATION:P9999999D", "OverflowError"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nEXRULE:FREQ=DAILY", "EXDATE"),
        ("SUMMARY:x\nDTSTART:20261216T000000Z\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "several rules"),
    ],
)
def test_an_event_that_cannot_be_followed_is_told_and_the_others_count(event: str, why: str) -> None:
    began = time.process_time()
    calendar = found(event, "SUMMARY:Sale\nDTSTART:20261216T120000Z\nDURATION:PT6H")
    assert [one.name for one in calendar.freezes] == ["Sale"]
    assert len(calendar.unread) == 1
    assert why in calendar.unread[0]
    assert "event 'x'" in calendar.unread[0]
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "BEGIN:VCALENDAR",
        ics(head="X-WR-TIMEZONE:Nowhere/Land"),
        ics("DTSTART:20261216T000000Z", head="CALSCALE:JULIAN"),
        ics(*["DTSTART:20261216T000000Z"] * (MOST_EVENTS + 1)),
        ics(*["DTSTART:20261216T000000Z\nDURATION:PT1H"] * 1001),
        ics("SUMMARY:" + "x" * LARGEST),
        "\0" * 100,
        "\r\n" * (LARGEST // 2),
    ],
    ids=["empty", "garbage", "half", "zone", "julian", "many", "meeting", "large", "zeros", "lines"],
)
def test_what_is_no_calendar_is_unread(text: str) -> None:
    with pytest.raises(UnreadError):
        freezes_of(text, "freeze.ics", START, END)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 400))
def test_a_calendar_broken_anywhere_raises_nothing_else(junk: bytes, at: int) -> None:
    whole = ics(
        "SUMMARY:Sale\nDTSTART:20261216T120000Z\nDURATION:PT6H\nRRULE:FREQ=WEEKLY;COUNT=3", head="X-WR-TIMEZONE:UTC"
    )
    text = whole[:at] + junk.decode("utf-8", "replace") + whole[at + len(junk) // 2 :]
    try:
        calendar = freezes_of(text, "freeze.ics", START, END)
    except UnreadError:
        return
    assert all(one.start <= END and one.end >= START for one in calendar.freezes)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 400),
    st.integers(1, 9),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]),
    st.integers(1, 30),
    st.data(),
)
def test_a_shorter_interval_never_finds_more(
    back: int, every: int, frequency: str, hours: int, data: st.DataObject
) -> None:
    begin = START - timedelta(days=back)
    count = data.draw(st.one_of(st.just(""), st.integers(1, 40).map(lambda number: f";COUNT={number}")))
    event = f"DTSTART:{begin:%Y%m%dT%H%M%SZ}\nDURATION:PT{hours}H\nRRULE:FREQ={frequency};INTERVAL={every}{count}"
    wide = set(found(event).freezes)
    start = START + timedelta(hours=data.draw(st.integers(0, 200)))
    end = start + timedelta(hours=data.draw(st.integers(0, 100)))
    narrow = set(found(event, start=start, end=min(end, END)).freezes)
    assert narrow == {one for one in wide if one.start <= min(end, END) and one.end >= start}


# --- the configuration ---------------------------------------------------------------------------------------


def configured(folder: Path, *calendars: str) -> Config:
    return Config(authority=AuthorityConfig(calendars=calendars), base=str(folder))


def nobody() -> None:
    raise AssertionError("no credentials are needed")


class Stubbed:
    """A session whose SSM answers what it is told to: moto takes no document of format TEXT."""

    def __init__(self) -> None:
        self.ssm = boto3.client("ssm", "eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")
        self.answers = Stubber(self.ssm)
        self.answers.activate()

    def client(self, service: str, **_: object) -> Any:
        assert service == "ssm"
        return self.ssm

    def document(self, name: str, content: str, kind: str = "ChangeCalendar") -> None:
        answer = {"Name": name, "Content": content, "DocumentType": kind, "DocumentFormat": "TEXT"}
        self.answers.add_response("get_document", answer, {"Name": name})


def test_files_and_change_calendars_together(tmp_path: Path) -> None:
    (tmp_path / "freeze.ics").write_text(ics("SUMMARY:Christmas\nDTSTART:20261223T180000Z\nDTEND:20261227T060000Z"))
    session = Stubbed()
    demo = "SUMMARY:Demo day\nDTSTART:20261216T000000Z\nDURATION:P1D"
    session.document("demo-days", ics(demo, head="X-CALENDAR-TYPE:DEFAULT_OPEN"))
    session.document("no-calendar", "{}", "Command")
    session.answers.add_client_error("get_document", "InvalidDocument", "no such document")
    session.answers.add_client_error("get_document", "AccessDeniedException", "not allowed to ssm:GetDocument")
    names = ("freeze.ics", "ssm:demo-days", "ssm:no-calendar", "ssm:not-there", "ssm:denied", "lost.ics")
    calendar = read_calendars(configured(tmp_path, *names), lambda: session, START, END)
    session.answers.assert_no_pending_responses()
    assert [(one.name, one.source) for one in calendar.freezes] == [
        ("Demo day", "ssm:demo-days"),
        ("Christmas", "freeze.ics"),
    ]
    assert [why.split(": ", 1)[0] for why in calendar.unread] == [f"calendar {name}" for name in names[2:]]
    assert "is a document of type Command" in calendar.unread[0]
    assert "not allowed" in calendar.unread[2]
    assert calendar.asked


def test_without_calendars_nothing_is_asked(tmp_path: Path) -> None:
    assert read_calendars(configured(tmp_path), nobody, START, END) == Calendar()


def test_without_credentials_a_change_calendar_is_unread(tmp_path: Path) -> None:
    assert read_calendars(configured(tmp_path, "ssm:demo-days"), lambda: None, START, END).unread == (
        "calendar ssm:demo-days: there are no credentials to ask SSM with",
    )


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda file: file.mkdir(), "no regular file"),
        (lambda file: file.write_bytes(b"BEGIN:VCALENDAR\xff"), "not UTF-8"),
        (lambda file: file.write_bytes(b"x" * (LARGEST + 1)), "larger than"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], Any], why: str) -> None:
    make(tmp_path / "freeze.ics")
    calendar = read_calendars(configured(tmp_path, "freeze.ics"), nobody, START, END)
    assert calendar.freezes == ()
    assert why in calendar.unread[0]


# --- rules ---------------------------------------------------------------------------------------------------


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules that dateutil walks to an end: each fits some day of every few years."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}"]
    filters = draw(st.sampled_from(["none", "months", "monthdays", "weekdays", "nth", "yeardays", "set", "friday"]))
    if filters == "none":
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if filters in ("months", "friday"):
        chosen = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True))
        parts.append(f"BYMONTH={','.join(map(str, chosen))}")
    if filters == "monthdays":
        chosen = draw(st.lists(st.integers(1, 31) | st.integers(-28, -1), min_size=1, max_size=3))
        parts.append(f"BYMONTHDAY={','.join(map(str, chosen))}")
    if filters in ("weekdays", "set", "friday"):
        chosen = draw(st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, unique=True))
        parts.append(f"BYDAY={','.join(chosen)}")
        parts += [f"WKST={draw(st.sampled_from(['MO', 'SU', 'WE']))}", f"INTERVAL={draw(st.integers(1, 3))}"] * (
            frequency == "WEEKLY" and filters == "weekdays"
        )
    if filters == "set":
        # In the week of the beginning dateutil counts from the beginning, the RFC from the week's first day.
        parts += [f"BYSETPOS={draw(st.sampled_from([1, -1]))}"] * (frequency != "WEEKLY")
    if filters == "nth":
        which = draw(st.integers(1, 4) | st.integers(-4, -1)) if frequency in ("MONTHLY", "YEARLY") else ""
        parts.append(f"BYDAY={which}FR")
    if filters == "yeardays":
        parts.append(f"BYYEARDAY={draw(st.integers(1, 365) | st.integers(-365, -1))}")
    return ";".join(parts)


@settings(max_examples=60, deadline=None)
@given(rules(), st.dates(date(2024, 1, 1), date(2025, 12, 31)), st.integers(0, 500))
def test_rules_give_the_days_that_dateutil_gives(rule: str, begin: date, length: int) -> None:
    end = begin + timedelta(days=length)
    midnight = datetime.combine(begin, datetime.min.time())
    wanted = rrulestr(rule, dtstart=midnight).between(midnight, datetime.combine(end, datetime.min.time()), inc=True)
    assert list(days(rule_of(vRecur.from_ical(rule)), begin, end)) == [one.date() for one in wanted]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("FREQ=WEEKLY;BYDAY=2MO", "says nothing"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO is not followed"),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR is not followed"),
        (f"FREQ=DAILY;BYSETPOS={','.join(['1'] * 400)}", "more than 366 values"),
    ],
)
def test_rules_that_are_not_followed(rule: str, why: str) -> None:
    with pytest.raises(RuleError, match=why):
        rule_of(vRecur.from_ical(rule))
