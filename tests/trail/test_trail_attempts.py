"""Refused calls: who made them, how many at once, and on which days they are a burst."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from trail_records import ACCOUNT, record, trail_of, user

from agent.model import Actor, Attempt, Change
from agent.trail.attempts import BURST, MANY, MOST, attempts

NIGHT = datetime(2026, 3, 2, 23, 50, tzinfo=UTC)
DANA = Actor("dana", "person", f"arn:aws:iam::{ACCOUNT}:user/dana")


def refused(*times: datetime, actor: Actor = DANA, action: str = "s3:GetObject", **fields: str) -> list[Change]:
    return [
        Change((f"{actor.arn}/{action}/{n}",), time, action, actor, "cli", ACCOUNT, "eu-west-1", **fields)
        for n, time in enumerate(times)
    ]


def only(calls: list[Change], **errors: str) -> Attempt:
    (found,) = attempts(calls, errors)
    return found


def each(count: int, start: datetime = NIGHT, step: timedelta = timedelta(seconds=20)) -> list[datetime]:
    return [start + step * n for n in range(count)]


def test_what_is_told_of_an_actor() -> None:
    calls = refused(*each(3), source_ip="203.0.113.9") + refused(*each(2), action="iam:ListUsers")
    found = only(calls, **{calls[0].event_ids[0]: "AccessDenied"})
    assert (found.actor, found.account, found.count) == (DANA, ACCOUNT, 5)
    assert (found.first, found.last) == (NIGHT, NIGHT + timedelta(seconds=40))
    assert (found.actions, found.source_ips) == (("s3:GetObject", "iam:ListUsers"), ("203.0.113.9",))
    assert (found.regions, found.errors) == (("eu-west-1",), ("AccessDenied",))
    assert (found.densest, found.bursts) == (5, ())


def test_twenty_within_ten_minutes_are_a_burst_and_nineteen_are_none() -> None:
    spread = BURST / (MANY - 1)
    (burst,) = only(refused(*each(MANY, step=spread))).bursts
    assert (burst.densest, burst.services) == (MANY, 1)
    assert only(refused(*each(MANY - 1))).bursts == ()
    assert only(refused(*each(10 * MANY, step=spread * 1.1))).bursts == ()


def test_a_burst_counts_to_the_day_it_ends_on() -> None:
    across = only(refused(*each(MANY, start=NIGHT + timedelta(minutes=8))))
    assert [(burst.day, burst.count, burst.densest) for burst in across.bursts] == [("2026-03-03", 14, 20)]
    days = only(refused(*each(MANY), *each(MANY + 5, start=NIGHT + timedelta(days=2))))
    assert [(burst.day, burst.count) for burst in days.bursts] == [("2026-03-02", 20), ("2026-03-04", 25)]
    assert days.bursts[1].first == NIGHT + timedelta(days=2)


def test_services_are_counted_by_day() -> None:
    calls = [call for n in range(12) for call in refused(*each(2), action=f"service{n}:List")]
    (burst,) = only(calls).bursts
    assert (burst.services, burst.count) == (12, 24)
    assert len(only(calls).actions) == 10


def test_actors_beyond_the_most_are_counted_and_not_kept() -> None:
    calls = [call for n in range(MOST + 7) for call in refused(NIGHT, actor=Actor(f"s{n:05}", "unknown"))]
    found = attempts([*calls, *refused(*each(2), actor=Actor("z", "unknown"))], {})
    assert (len(found), found[0].actor.name, found[-1].actor.name) == (MOST, "z", "s00998")


@given(st.lists(st.integers(0, 4000), max_size=40).flatmap(lambda n: st.tuples(st.just(n), st.permutations(n))))
def test_order_does_not_matter_and_the_densest_is_found(both: tuple[list[int], list[int]]) -> None:
    first, second = (
        attempts([call for n in numbers for call in refused(NIGHT + timedelta(seconds=n))], {}) for numbers in both
    )
    assert first == second
    for found in first:
        windows = [sum(n <= other <= n + 600 for other in both[0]) for n in both[0]]
        assert found.densest == max(windows)


def test_from_records() -> None:
    fields = {"errorCode": "Client.UnauthorizedOperation", "userIdentity": user("mal", "AKIAMAL"), "readOnly": True}
    calls = [record("DescribeInstances", "ec2", at=f"12:00:{n:02}", **fields) for n in range(25)]
    found = trail_of(record(), *calls)
    assert (found.denied, len(found.changes)) == (25, 1)
    (attempt,) = found.attempts
    assert (attempt.actor.name, attempt.errors) == ("mal", ("Client.UnauthorizedOperation",))
    assert [(burst.day, burst.densest) for burst in attempt.bursts] == [("2026-03-02", 25)]
