"""The access log: who entered, how often, into what, and what was refused; per person and week."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.access import Row, Seen, access, monday
from agent.model import Actor, Attempt, Change, KeyUse

WEDNESDAY = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
WEEK = datetime(2026, 3, 2, tzinfo=UTC)
DANA = Actor("dana", "person", "arn:aws:iam::1:user/dana")
ADMIN = "arn:aws:iam::222222222222:role/admin"
SANDBOX = "arn:aws:iam::333333333333:role/sandbox"


def change(action: str = "sqs:DeleteQueue", **fields: Any) -> Change:
    given: dict[str, Any] = {
        "event_ids": ("e",),
        "time": WEDNESDAY,
        "actor": DANA,
        "channel": "cli",
        "account": "1",
        "region": "r",
    }
    return Change(action=action, **(given | fields))


def signed(result: str, mfa: str = "Yes", **fields: Any) -> Change:
    return change("signin:ConsoleLogin", request={"result": result, "mfa": mfa}, source_ip="198.51.100.7", **fields)


def session(role: str, **fields: Any) -> Change:
    return change("sts:AssumeRole", actor=replace(DANA, role=role), **fields)


def attempt(count: int = 40) -> Attempt:
    last = WEDNESDAY + timedelta(hours=1)
    return Attempt(DANA, "1", count, WEDNESDAY, last, 12, ("AccessDenied",), ("ec2:RunInstances",), ("203.0.113.9",))


SEEN = Seen(
    changes=[change(session="AKIA1"), change(time=WEDNESDAY + timedelta(days=7))],
    sessions=[session(SANDBOX), session(ADMIN), session(ADMIN)],
    sign_ins=[signed("success"), signed("success", "No"), signed("Failed authentication")],
    attempts=[attempt()],
    key_use=[KeyUse("AKIA1", WEEK, "arn:aws:iam::1:user/d", "1", 7, "198.51.100.8")],
)


def test_one_line_per_person_and_week() -> None:
    first, second = access(SEEN, production=["222222222222"])
    assert first == Row(
        WEEK,
        "dana",
        "person",
        sign_ins=2,
        without_mfa=1,
        failed_sign_ins=1,
        sessions=3,
        roles=(ADMIN, SANDBOX),
        into_production=2,
        changes=1,
        refused=40,
        key_calls=7,
        keys=("AKIA1",),
        accounts=("1", "222222222222", "333333333333"),
        source_ips=("198.51.100.7", "198.51.100.8", "203.0.113.9"),
    )
    assert second == Row(WEEK + timedelta(days=7), "dana", "person", changes=1, accounts=("1",))


def test_without_known_production_accounts_every_session_counts() -> None:
    assert access(SEEN)[0].into_production == 3


def test_services_enter_nothing() -> None:
    service = Actor("autoscaling.amazonaws.com", "service")
    assert access(Seen([change(actor=service)], attempts=[replace(attempt(), actor=service)])) == ()


def test_a_key_nobody_changed_anything_with_is_its_users() -> None:
    (row,) = access(Seen(key_use=SEEN.key_use))
    assert (row.name, row.kind, row.key_calls) == ("d", "person", 7)
    (row,) = access(Seen(key_use=[replace(SEEN.key_use[0], arn="")]))
    assert row.name == "AKIA1"


def test_two_names_of_one_person_are_one_line() -> None:
    names = [replace(DANA, name=name, person="dana") for name in ("dana", "dana@acme.example")]
    (row,) = access(Seen([change(actor=actor) for actor in names]))
    assert (row.person, row.changes) == ("dana", 2)


def test_the_most_refused_come_first() -> None:
    erik = replace(DANA, name="erik")
    rows = access(Seen([change()], attempts=[replace(attempt(3), actor=erik)]))
    assert [row.name for row in rows] == ["erik", "dana"]


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_week_begins_on_monday(at: datetime) -> None:
    first = monday(at) if at > datetime(1, 1, 8, tzinfo=UTC) else WEEK
    assert first.weekday() == 0
    assert at <= datetime(1, 1, 8, tzinfo=UTC) or timedelta(0) <= at - first < timedelta(days=7)
