"""`agent.performed`: what a ticket asked for and what was done under it, and when nothing can be said."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.authorise import Estate, verdict
from agent.declared.approved_plan import read_plan
from agent.model import (
    Act,
    Actor,
    ApprovedPlan,
    Authority,
    Change,
    Claim,
    Covered,
    Gap,
    GapCause,
    JudgedChange,
    Key,
    Outcome,
    Resource,
    Scope,
    Test,
    Ticket,
    TicketEvent,
    Tickets,
    TicketScope,
    Touch,
    Trail,
    Unknown,
    Verdict,
)
from agent.performed import Performed, performed
from agent.resources import load

DAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW = DAY + timedelta(days=2)
ACCOUNT, REGION = "111122223333", "eu-west-1"
QUEUE, GROUP, RULE = "aws_sqs_queue", "aws_security_group", "aws_security_group_rule"
PLAN = read_plan((Path(__file__).parent / "declared" / "data" / "plan.json").read_bytes(), b"k")


def key(type_: str, id_: str) -> Key:
    return Key(ACCOUNT, REGION, type_, id_)


def resource(type_: str, id_: str, address: str, stack: str = "shop", **more: Any) -> Resource:
    return Resource(key(type_, id_), {}, (f"arn:{id_}",), address, stack, **more)


WEB = key(GROUP, "sg-web")
INSIDE = "sg-web|ingress|tcp|443|443|192.168.0.0/16"
ESTATE = Estate(
    [
        resource(QUEUE, "orders", "aws_sqs_queue.orders"),
        resource(QUEUE, "other", "aws_sqs_queue.other"),
        resource(QUEUE, "twin", "aws_sqs_queue.twin"),
        resource(QUEUE, "twin-2", "aws_sqs_queue.twin", "payroll"),
        resource(GROUP, "sg-web", "aws_security_group.web"),
        resource(RULE, INSIDE, "aws_security_group.web", parent=WEB, attribute="ingress"),
    ],
    load(),
)
TRAIL = Trail(
    DAY - timedelta(days=5), NOW, coverage=(Covered(ACCOUNT, REGION, 9, DAY - timedelta(days=5), NOW),), events=9
)
APPROVED = TicketEvent(DAY, "approved")
CLOSED = TicketEvent(DAY + timedelta(hours=8), "closed")


def ticket(*addresses: str, **more: Any) -> Ticket:
    return Ticket("CHG-1", "register", **{"scope": TicketScope(addresses), "history": (APPROVED, CLOSED), **more})


def done(
    id_: str = "orders",
    outcome: Outcome = "authorised",
    *failed: str,
    type_: str = QUEUE,
    act: Act = "update",
    ref: str = "CHG-1",
    session: str = "ASIA1",
    event: str = "e1",
    claims: tuple[str, ...] = (),
    **sets: Any,
) -> JudgedChange:
    change = Change(
        event_ids=(event,),
        time=DAY + timedelta(hours=2),
        action="sqs:SetQueueAttributes",
        actor=Actor("dana", "person"),
        channel="cli",
        account=ACCOUNT,
        region=REGION,
        touches=(Touch(type_, (id_,), act, sets),),
        targets=(key(type_, id_),),
        session=session,
        claims=tuple(Claim(text, "session tag") for text in claims),
    )
    tests = tuple(Test(name, "fail", "because") for name in failed)
    return JudgedChange(change, Verdict(outcome, tests, "manual", ref))


def compared(
    one: Ticket | Sequence[Ticket],
    *judged: JudgedChange,
    trail: Trail = TRAIL,
    now: datetime = NOW,
    estate: Estate = ESTATE,
    authority: Authority | None = None,
) -> tuple[Performed, ...]:
    tickets = (one,) if isinstance(one, Ticket) else one
    return performed(tickets, judged, trail, authority or Authority(), estate, now)


def rows(*given: Any, **more: Any) -> list[tuple[str, str]]:
    (found,) = compared(*given, **more)
    return [(row.name, row.status) for row in found.rows]


# --- as approved, beyond, not performed ----------------------------------------------------------------------


def test_what_was_approved_and_done() -> None:
    (found,) = compared(ticket("aws_sqs_queue.orders"), done())
    (row,) = found.rows
    assert (row.name, row.status, row.events, row.key) == (
        "aws_sqs_queue.orders",
        "approved",
        ("e1",),
        key(QUEUE, "orders"),
    )
    assert row.evidence == "sqs:SetQueueAttributes by dana at 2026-03-02 02:00 UTC"
    assert (found.state, found.due, found.nothing) == ("closed", "closed since 2026-03-02 08:00 UTC", False)


def test_implemented_on_paper_nothing_performed() -> None:
    (found,) = compared(ticket("aws_sqs_queue.orders", "aws_sqs_queue.other"))
    assert found.nothing
    assert [row.name for row in found.rows] == ["aws_sqs_queue.orders", "aws_sqs_queue.other"]
    assert found.rows[0].evidence == ("no call on it under CHG-1 between 2026-03-02 00:00 UTC and 2026-03-02 08:00 UTC")
    assert found.rows[0].key == key(QUEUE, "orders")


def test_a_part_of_it_and_more_than_it() -> None:
    one = ticket("aws_sqs_queue.orders", "aws_sqs_queue.other")
    outside = done("twin", "unauthorised", "scope", event="e2")
    assert rows(one, done(), outside) == [
        ("aws_sqs_queue.other", "not performed"),
        ("aws_sqs_queue.orders", "approved"),
        ("shop/aws_sqs_queue.twin", "beyond"),
    ]


def test_of_one_call_on_two_resources_each_has_its_row() -> None:
    both = done(outcome="unauthorised", ref="CHG-1")
    change = replace(both.change, targets=(key(QUEUE, "orders"), key(QUEUE, "other")))
    failed = Verdict("unauthorised", (Test("scope", "fail", "other"),), "manual", "CHG-1")
    assert rows(ticket("aws_sqs_queue.orders"), JudgedChange(change, failed)) == [
        ("aws_sqs_queue.orders", "approved"),
        ("aws_sqs_queue.other", "beyond"),
    ]


@pytest.mark.parametrize(
    ("outcome", "failed", "status", "said"),
    [
        ("authorised", (), "approved", ""),
        ("authorised-emergency", (), "approved", ""),
        ("regularised", (), "approved", ""),
        ("unauthorised", ("window", "implementer"), "beyond", "not as approved: window, implementer"),
        ("indeterminate", (), "not known", "its verdict is indeterminate"),
        ("pending", (), "not known", "its verdict is pending"),
        ("pending-documentation", (), "not known", "its verdict is pending-documentation"),
    ],
)
def test_how_the_verdict_counts(outcome: Outcome, failed: tuple[str, ...], status: str, said: str) -> None:
    (found,) = compared(ticket("aws_sqs_queue.orders"), done("orders", outcome, *failed))
    assert (found.rows[0].status, said in found.rows[0].evidence) == (status, True)


def test_the_worst_call_on_a_resource_counts_and_the_last_is_told() -> None:
    later = done("orders", "unauthorised", "window", event="e2")
    later = replace(later, change=replace(later.change, time=NOW - timedelta(hours=1)))
    (found,) = compared(ticket("aws_sqs_queue.orders"), later, done())
    (row,) = found.rows
    assert (row.status, row.events) == ("beyond", ("e1", "e2"))
    assert row.evidence.startswith("sqs:SetQueueAttributes by dana at 2026-03-03 23:00 UTC and 1 earlier; not as")


def test_what_the_session_did_besides_is_beyond() -> None:
    stray = done("other", "unauthorised", "ticket", ref="", event="e2")
    one = ticket("aws_sqs_queue.orders")
    assert rows(one, done(), stray) == [("aws_sqs_queue.orders", "approved"), ("aws_sqs_queue.other", "beyond")]
    elsewhere = done("other", "unauthorised", "ticket", ref="", event="e2", session="ASIA2")
    for_good = done("other", "unauthorised", "ticket", ref="", event="e2", session="AKIA1")
    its_own = done("other", "unauthorised", "ticket", ref="", event="e2", claims=("CHG-2",))
    service = done("other", "service-made", event="e2")
    for not_mine in (elsewhere, for_good, its_own, service):
        assert rows(one, done(), not_mine) == [("aws_sqs_queue.orders", "approved")]
    assert rows(one, done(session="AKIA1"), for_good) == [("aws_sqs_queue.orders", "approved")]


def test_a_call_that_names_the_ticket_is_under_it_whatever_judged_it() -> None:
    claimed = done("other", "unauthorised", "scope", ref="CHG-9", claims=("CHG-1",))
    assert rows(ticket("aws_sqs_queue.orders"), claimed)[-1] == ("aws_sqs_queue.other", "beyond")


# --- what a scope asks for -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        (TicketScope(("aws_sqs_queue.o*",)), []),
        (TicketScope(("shop/aws_sqs_queue.orders",)), []),
        (TicketScope(("aws_sns_topic.*", "aws_sqs_queue.orders")), ["addresses: aws_sns_topic.*"]),
        (TicketScope(resources=("arn:orders", "orders")), []),
        (TicketScope(resources=("arn:other", "orders")), ["aws_sqs_queue.other"]),
        (TicketScope(("aws_sqs_queue.other", "aws_sqs_queue.orders"), ("arn:other",)), ["aws_sqs_queue.other"]),
        (TicketScope(resources=("arn:nobody-knows", "orders")), ["arn:nobody-knows"]),
        (TicketScope(("aws_sqs_queue.twin", "aws_sqs_queue.orders")), ["aws_sqs_queue.twin"]),
        (TicketScope(("payroll/aws_sqs_queue.twin", "aws_sqs_queue.o*")), ["payroll/aws_sqs_queue.twin"]),
        (TicketScope(types=("aws_sqs_*", "aws_sns_*")), ["types: aws_sns_*"]),
        (TicketScope(names=("shop", "basket")), ["names: basket"]),
        (TicketScope(("aws_sqs_queue.orders",), tags=("Team=x",)), ["tags: Team=x"]),
        (TicketScope(accounts=(ACCOUNT,)), []),
        (TicketScope(("aws_sqs_queue.orders",), accounts=(ACCOUNT,)), []),
    ],
)
def test_what_was_asked_for_and_not_done(scope: TicketScope, missing: list[str]) -> None:
    found = rows(ticket(scope=scope), done())
    assert [name for name, status in found if status == "not performed"] == missing
    assert found[-1] == ("aws_sqs_queue.orders", "approved")


def test_a_scope_of_limits_alone_asks_for_anything_within() -> None:
    limits = TicketScope(accounts=(ACCOUNT,), environments=("test",))
    assert rows(ticket(scope=limits)) == [(f"anything in {ACCOUNT}, test", "not performed")]
    assert compared(ticket(scope=TicketScope())) == ()


def test_a_call_of_which_it_is_not_known_what_it_set() -> None:
    scope = TicketScope(("aws_sqs_queue.orders",), attributes=("delay_*",))
    assert rows(ticket(scope=scope), done()) == [("aws_sqs_queue.orders", "not known")]
    assert rows(ticket(scope=scope), done(delay_seconds=5)) == [("aws_sqs_queue.orders", "approved")]


# --- what an approved plan asks for --------------------------------------------------------------------------


def planned(*addresses: str) -> ApprovedPlan:
    return replace(PLAN, changes=tuple(one for one in PLAN.changes or () if one.address in addresses))


TAGS: dict[str, Any] = {"tags_all": {"Name": "orders"}}


def test_an_update_done_in_part() -> None:
    one = ticket("aws_sqs_queue.orders", plan=planned("aws_sqs_queue.orders"))
    (found,) = compared(one, done(visibility_timeout_seconds=60))
    assert found.rows[0].status == "partial"
    assert found.rows[0].evidence.endswith("the approved plan also has tags_all")
    assert rows(one, done(visibility_timeout_seconds=60, **TAGS)) == [("aws_sqs_queue.orders", "approved")]
    two = done(event="e2", **TAGS)
    assert rows(one, done(visibility_timeout_seconds=60), two) == [("aws_sqs_queue.orders", "approved")]


def test_another_value_than_planned_is_beyond() -> None:
    one = ticket("aws_sqs_queue.orders", plan=planned("aws_sqs_queue.orders"))
    (found,) = compared(one, done("orders", "unauthorised", "content", visibility_timeout_seconds=90))
    assert found.rows[0].status == "beyond"
    assert "was set to 90, the plan has 60" in found.rows[0].evidence


def test_what_the_plan_has_and_nobody_did() -> None:
    plan = planned("aws_sqs_queue.orders", "aws_sqs_queue.gone", "aws_kms_key.new")
    one = ticket("aws_sqs_queue.*", "aws_kms_key.*", plan=plan)
    found = rows(one, done(visibility_timeout_seconds=60, **TAGS))
    assert found == [
        ("aws_kms_key.new", "not performed"),
        ("aws_sqs_queue.gone", "not performed"),
        ("aws_sqs_queue.orders", "approved"),
    ]


def test_a_rule_in_its_group_is_the_group_s_row() -> None:
    one = ticket("aws_security_group.web", plan=planned("aws_security_group.web"))
    assert rows(one, done(INSIDE, type_=RULE, act="create")) == [("aws_security_group.web", "approved")]


def test_what_a_plan_leaves_open_is_not_lacking() -> None:
    plan = planned("aws_sqs_queue.orders")
    assert plan.changes is not None
    (change,) = plan.changes
    opened = replace(change, sets={**change.sets, "tags_all": Unknown("later")})
    one = ticket("aws_sqs_queue.orders", plan=replace(plan, changes=(opened,)))
    assert rows(one, done(visibility_timeout_seconds=60)) == [("aws_sqs_queue.orders", "approved")]
    made = replace(change, act="create")
    one = ticket("aws_sqs_queue.orders", plan=replace(plan, changes=(made,)))
    assert rows(one, done(visibility_timeout_seconds=60)) == [("aws_sqs_queue.orders", "approved")]


def test_a_plan_that_was_not_found_leaves_the_scope() -> None:
    one = ticket("aws_sqs_queue.orders", "aws_sqs_queue.other", plan=ApprovedPlan("sha256:1", None, "not found"))
    assert rows(one, done()) == [("aws_sqs_queue.other", "not performed"), ("aws_sqs_queue.orders", "not known")]


# --- when it is compared -------------------------------------------------------------------------------------

END = NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "now", "due"),
    [
        ({"history": (APPROVED,)}, NOW, ""),
        ({"history": (APPROVED,), "end": END}, NOW, "its window ended 2026-03-03 23:00 UTC"),
        ({"history": (APPROVED,), "end": NOW + timedelta(hours=1)}, NOW, ""),
        ({"history": (APPROVED,), "end": NOW - timedelta(minutes=14)}, NOW, ""),
        ({"history": (APPROVED, CLOSED)}, CLOSED.at + timedelta(minutes=14), ""),
        ({"history": (APPROVED, CLOSED)}, CLOSED.at + timedelta(minutes=15), "closed since 2026-03-02 08:00 UTC"),
        ({"history": (APPROVED, CLOSED, TicketEvent(END, "approved"))}, NOW, ""),
        ({"history": (CLOSED, APPROVED, TicketEvent(END, "closed"))}, NOW, "closed since 2026-03-02 08:00 UTC"),
        ({"history": (APPROVED, TicketEvent(END, "Implemented"), TicketEvent(END, "closed"))}, NOW, "closed since"),
        ({"history": (TicketEvent(DAY, "draft"), CLOSED)}, NOW, ""),
        ({"history": (TicketEvent(DAY, approved_by="lee"), CLOSED)}, NOW, "closed since"),
        ({"history": (), "end": END}, NOW, ""),
        ({"history": (APPROVED, TicketEvent(DAY, "cancelled")), "end": END}, NOW, ""),
        ({"kind": "standard"}, NOW, ""),
    ],
)
def test_when_a_ticket_is_due(changes: dict[str, Any], now: datetime, due: str) -> None:
    found = compared(ticket("aws_sqs_queue.orders", **changes), now=now, trail=replace(TRAIL, end=now))
    assert [one.due.startswith(due) for one in found] == ([True] if due else [])


def test_a_cancelled_ticket_shows_what_was_done_under_it_alone() -> None:
    one = ticket("aws_sqs_queue.orders", "aws_sqs_queue.other", end=END)
    one = replace(one, history=(APPROVED, TicketEvent(END, "cancelled")))
    assert rows(one, done("orders", "unauthorised", "state")) == [("aws_sqs_queue.orders", "beyond")]


def test_of_edited_terms_each_covers_and_the_last_ask() -> None:
    first = ticket("aws_sqs_queue.orders", history=(APPROVED,))
    second = ticket("aws_sqs_queue.other", history=(APPROVED, CLOSED))
    assert rows([second, first], done()) == [
        ("aws_sqs_queue.other", "not performed"),
        ("aws_sqs_queue.orders", "approved"),
    ]


def test_tickets_come_in_the_order_of_their_references() -> None:
    tickets = [replace(ticket("aws_sqs_queue.orders"), ref=ref) for ref in ("CHG-3", "CHG-2")]
    assert [one.ref for one in compared(tickets)] == ["CHG-2", "CHG-3"]


# --- where nothing can be said -------------------------------------------------------------------------------


def gap(account: str = "*", region: str = "*", cause: GapCause = "") -> Trail:
    return replace(TRAIL, gaps=(Gap(Scope(account, region, "trail"), "log file unreadable", cause=cause),))


def covered(account: str, newest: datetime | None) -> Trail:
    return replace(TRAIL, coverage=(Covered(account, REGION, 1, newest, newest),))


@pytest.mark.parametrize(
    ("trail", "status", "said"),
    [
        (TRAIL, "not performed", "no call"),
        (gap(), "not known", "part of the trail was not read: log file unreadable"),
        (gap(ACCOUNT, REGION, "stopped"), "not known", "part of the trail"),
        (gap(ACCOUNT, "global"), "not known", "part of the trail"),
        (gap("999999999999"), "not performed", "no call"),
        (gap(ACCOUNT, "us-east-1"), "not performed", "no call"),
        (gap(cause="refused-widely"), "not performed", "no call"),
        (replace(TRAIL, start=DAY + timedelta(hours=1)), "not known", "was read from 2026-03-02 01:00 UTC to"),
        (replace(TRAIL, end=DAY + timedelta(hours=1)), "not known", "was read from"),
        (replace(TRAIL, coverage=()), "not known", f"no event of account {ACCOUNT} since 2026-03-02 00:00 UTC"),
        (covered("999999999999", NOW), "not known", "no event of account"),
        (covered(ACCOUNT, DAY - timedelta(days=1)), "not known", "no event of account"),
        (covered(ACCOUNT, None), "not known", "no event of account"),
    ],
)
def test_what_the_trail_may_have_missed_is_not_said_to_be_missing(trail: Trail, status: str, said: str) -> None:
    (found,) = compared(ticket("aws_sqs_queue.orders"), trail=trail)
    assert (found.rows[0].status, said in found.rows[0].evidence) == (status, True), found.rows[0].evidence
    assert found.nothing == (status == "not performed")


def test_of_what_nobody_knows_any_gap_may_hide_the_call() -> None:
    one = ticket("aws_sqs_queue.unheard-of")
    assert rows(one, trail=gap("999999999999")) == [("aws_sqs_queue.unheard-of", "not known")]
    assert rows(one, trail=covered("999999999999", NOW)) == [("aws_sqs_queue.unheard-of", "not performed")]
    (found,) = compared(one, trail=replace(TRAIL, coverage=()))
    assert "no event of any account" in found.rows[0].evidence


def test_the_window_counts_from_its_planned_start() -> None:
    one = ticket("aws_sqs_queue.orders", start=DAY - timedelta(days=6))
    assert rows(one) == [("aws_sqs_queue.orders", "not known")]
    inside = ticket("aws_sqs_queue.orders", start=TRAIL.start)
    assert rows(inside) == [("aws_sqs_queue.orders", "not performed")]
    assert rows(inside, authority=Authority(tolerance=60)) == [("aws_sqs_queue.orders", "not known")]


# --- with real verdicts, and at large ------------------------------------------------------------------------


def test_with_the_verdicts_of_the_line() -> None:
    history = (TicketEvent(DAY, "approved", "lee"), replace(CLOSED, at=DAY + timedelta(hours=8)))
    one = ticket(
        "aws_sqs_queue.orders",
        implementer="dana",
        start=DAY,
        end=DAY + timedelta(hours=9),
        history=history,
        plan=planned("aws_sqs_queue.orders"),
    )
    authority = Authority(Tickets((one,)))
    calls = [
        done(claims=("CHG-1",), visibility_timeout_seconds=60, **TAGS),
        done("other", claims=("CHG-1",), event="e2", delay_seconds=5),
    ]
    changes = [
        replace(item.change, actor=replace(item.change.actor, how="signed in", confidence=1.0)) for item in calls
    ]
    judged = [JudgedChange(change, verdict(change, change.targets, authority, ESTATE, NOW)) for change in changes]
    assert [item.verdict.outcome for item in judged] == ["authorised", "unauthorised"]
    assert rows(one, *judged) == [("aws_sqs_queue.orders", "approved"), ("aws_sqs_queue.other", "beyond")]


CALLS = st.builds(
    done,
    st.sampled_from(["orders", "other", "twin", "nobody's"]),
    st.sampled_from(["authorised", "unauthorised", "indeterminate", "service-made"]),
    ref=st.sampled_from(["", "CHG-1", "CHG-2"]),
    session=st.sampled_from(["ASIA1", "ASIA2", "AKIA1"]),
    event=st.sampled_from("abcdef"),
)


@given(st.lists(CALLS, max_size=6, unique_by=lambda item: item.change.event_ids), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_nothing_is_both(calls: list[JudgedChange], random: Any) -> None:
    tickets = [ticket("aws_sqs_queue.o*", "aws_sqs_queue.orders"), replace(ticket("aws_sqs_queue.*"), ref="CHG-2")]
    found = compared(tickets, *calls)
    other = list(calls)
    random.shuffle(other)
    again = compared(tickets[::-1], *other)
    assert found == again
    for one in found:
        names = [row.name for row in one.rows]
        assert len(names) == len(set(names))
        assert all(row.events for row in one.rows if row.status in ("approved", "partial", "beyond"))
