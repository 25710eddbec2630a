"""When something is due: durations and cron, over clock changes, for years, and what is no schedule."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cron import Cron, Every, shift, when

DAYS = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are bare


def moments(text: str, zone: str, since: str, until: str) -> list[str]:
    """Every time a schedule is due within (since, until), in UTC."""
    times = when(text, zone)
    assert times is not None
    now, end = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (since, until))
    found = []
    while (now := times.after(now)) <= end:
        found.append(f"{now:%m-%dT%H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "since", "until", "due"),
    [
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-30T12:00", ["03-29T01:30", "03-30T00:30"]),
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-26T12:00", ["10-25T00:30", "10-26T01:30"]),
        # In spring 02:00 is 03:00: due once, and not once for each name.
        ("0 2,3 * * *", "2026-03-28T12:00", "2026-03-29T12:00", ["03-29T01:00"]),
        (
            "0 * * * *",
            "2026-10-24T22:30",
            "2026-10-25T02:30",
            ["10-24T23:00", "10-25T00:00", "10-25T01:00", "10-25T02:00"],
        ),
        ("0 * * * *", "2026-03-28T23:30", "2026-03-29T02:30", ["03-29T00:00", "03-29T01:00", "03-29T02:00"]),
        (
            "*/30 1-2 * * *",
            "2026-10-24T22:00",
            "2026-10-25T03:00",
            ["10-24T23:00", "10-24T23:30", "10-25T00:00", "10-25T00:30"],
        ),
    ],
    ids=["spring", "autumn", "spring-twice", "hourly-autumn", "hourly-spring", "some-hours-autumn"],
)
def test_clock_changes(text: str, since: str, until: str, due: list[str]) -> None:
    assert moments(text, "Europe/Berlin", since, until) == due


@pytest.mark.parametrize(
    ("text", "since", "due"),
    [
        ("0 8 * * mon", "2026-11-27T00:00", "2026-11-30T08:00"),
        ("0 8 * * 1", "2026-11-27T00:00", "2026-11-30T08:00"),
        ("0 8 * * 7", "2026-11-27T00:00", "2026-11-29T08:00"),
        ("0 8 * * SUN", "2026-11-27T00:00", "2026-11-29T08:00"),
        ("0 8 1 * mon", "2026-11-27T00:00", "2026-11-30T08:00"),
        ("0 8 28 * */2", "2026-11-27T00:00", "2026-11-28T08:00"),  # as cron has it: one that begins with * restricts
        ("0 0 29 2 *", "2096-03-01T00:00", "2104-02-29T00:00"),
        ("5/20 * * * *", "2026-11-27T00:26", "2026-11-27T00:45"),
        ("59 23 31 dec *", "2026-12-31T23:59", "2027-12-31T23:59"),
    ],
)
def test_cron(text: str, since: str, due: str) -> None:
    times = when(text)
    assert isinstance(times, Cron)
    assert times.after(datetime.fromisoformat(since).replace(tzinfo=UTC)) == datetime.fromisoformat(due).replace(
        tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("soon", "write a duration such as 6h, or the five fields of cron"),
        ("* * * *", "five fields"),
        ("60 * * * *", "'60' is no minute; write 0 to 59"),
        ("0 0 0 * *", "write 1 to 31"),
        ("0 0 * foo *", "or jan to dec"),
        ("0 0 * * mon-", "'mon-' is no day of the week"),
        ("5-1 * * * *", "the smaller number first"),
        ("*/0 * * * *", "a step > 0"),
        ("*-5 * * * *", "a range is two numbers"),
        ("0 0 30 2 *", "this day never comes"),
        ("0m", "no time to wait"),
        ("¹ * * * *", "is no minute"),
    ],
)
def test_what_is_no_schedule(text: str, right: str) -> None:
    with pytest.raises(ValueError, match=r"'") as error:
        when(text)
    assert right in str(error.value)
    assert text in str(error.value)


def test_never_and_a_zone_that_is_none() -> None:
    assert when("") is None
    for zone in ("Europe/Nowhere", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="is no time zone; write for example UTC or Europe/Berlin"):
            when("0 8 * * *", zone)


@settings(max_examples=60)
@given(st.integers(1, 500_000), DAYS)
def test_every_so_long_is_at_the_same_moments_whoever_asks(seconds: int, began: datetime) -> None:
    times = Every(timedelta(seconds=seconds))
    late = shift("scan", timedelta(minutes=2), times)
    due = times.next_from(began, late)
    assert times.length / 2 < due - began <= times.length * 1.5
    assert times.next_from(due, late) - due == times.length
    assert times.after(due - timedelta(microseconds=1), late) == due


def test_jobs_begin_at_different_moments_and_each_at_its_own() -> None:
    hours, minute = Every(timedelta(hours=6)), Every(timedelta(minutes=1))
    jobs = ("scan", "trail", "remind", "report")
    most = timedelta(minutes=2)
    late = [shift(job, most, hours) for job in jobs]
    assert late == [shift(job, most, hours) for job in jobs]
    assert len(set(late)) == len(jobs)
    assert max(late) <= most
    assert max(shift(job, most, minute) for job in jobs) <= timedelta(seconds=6)


@settings(max_examples=60)
@given(DAYS)
def test_a_day_has_one_half_past_two(at: datetime) -> None:
    times = when("30 2 * * *", "Europe/Berlin")
    assert isinstance(times, Cron)
    first = times.after(at)
    second = times.after(first)
    days = [one.astimezone(times.zone).date() for one in (first, second)]
    assert days[1] - days[0] == timedelta(days=1)
    assert timedelta(hours=22, minutes=59) < second - first < timedelta(hours=25, minutes=1)
