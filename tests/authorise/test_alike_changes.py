"""Changes that are alike share an answer, and it is the one that each would have got alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from judging import CI, COMMIT, DANA, LATER, SETS, TRUSTED, approved, at, change, history, merge, the
from line import GROUP_KEY, QUEUE_ARN, QUEUE_KEY, SPECS, group, queue, rule, ticket
from test_verdict_properties import MERGES, TICKETS, TRUST

from agent.authorise import Estate, verdict
from agent.model import (
    ApprovedPlan,
    Authority,
    Change,
    Claim,
    Key,
    PlannedChange,
    Ticket,
    Tickets,
    TicketScope,
    Touch,
    Weights,
)

RESOURCES = (queue(), group(), rule(22))
PERSON = replace(DANA, person="dana", groups=("sre",))
PLAN = ApprovedPlan(
    "sha256:1",
    (PlannedChange("aws_sqs_queue.orders", "update", "aws_sqs_queue", (QUEUE_ARN,), {"delay_seconds": 5}),),
)
# Whole hours, as tickets have: an hour is mostly where something begins or ends.
MADE = st.builds(
    change,
    actor=st.sampled_from([PERSON, PERSON, CI]),
    claims=st.sampled_from([(), (Claim("CHG-7", "session tag"),), (Claim("CHG-7", "session tag"),)]),
    time=st.integers(-6, 6).map(at) | st.integers(-6, 6).map(lambda hour: at(hour) + timedelta(microseconds=1)),
    session=st.sampled_from(["ASIA1", "ASIA2"]),
    touches=st.sampled_from([(SETS,), (SETS,), (), (replace(SETS, sets={"delay_seconds": 5}),), (Touch("x", ()),)]),
    targets=st.sampled_from([(QUEUE_KEY,), (QUEUE_KEY,), (QUEUE_KEY, GROUP_KEY), (rule(22).key,), ()]),
    event_ids=st.sampled_from([("e1",), ("e2",), ("e3",), ("e4",)]),
)
PLANNED = st.builds(replace, TICKETS, plan=st.sampled_from([None, None, PLAN]))


@given(
    st.lists(MADE, min_size=2, max_size=12),
    st.lists(PLANNED, max_size=4),
    st.lists(MERGES, max_size=2),
    TRUST,
    st.sampled_from([LATER, at(0), at(72)]),
)
@settings(max_examples=80, deadline=None)
def test_what_is_shared_is_what_each_would_have_got_alone(
    made: list[Change], tickets: list[Ticket], merges: list[Any], trust: dict[str, Any], now: Any
) -> None:
    answered = {name: trust[name] for name in ("unanswered", "merges_unread") if name in trust}
    rest = {name: value for name, value in trust.items() if name not in answered}
    authority = Authority(tickets=Tickets(tuple(tickets), merges=tuple(merges), **answered), **rest)
    shared = Estate(RESOURCES, SPECS, made)
    for one in (*made, *made):
        alone = verdict(one, one.targets, authority, Estate(RESOURCES, SPECS, made), now)
        assert verdict(one, one.targets, authority, shared, now) == alone


def test_the_calls_of_a_session_share_an_answer_and_each_is_told_of_its_own_moment() -> None:
    made = [change(time=at(second / 3600), session="ASIA1", event_ids=(f"e{second}",)) for second in range(10)]
    authority = Authority(tickets=Tickets((ticket(history=approved("sam")),)))
    estate = Estate(RESOURCES, SPECS, made)
    found = [verdict(one, (QUEUE_KEY,), authority, estate, LATER) for one in made]
    assert estate.grounds is not None
    assert len(estate.grounds[1].remembered(LATER)) == 1
    assert {one.outcome for one in found} == {"authorised"}
    assert [the(one, "state").evidence[-12:] for one in found] == [f"12:00:0{second} UTC" for second in range(10)]


def test_an_answer_ends_where_the_ticket_becomes_something_else() -> None:
    authority = Authority(
        tickets=Tickets(
            (
                ticket(
                    "CHG-7",
                    start=at(-3),
                    end=at(3),
                    history=(*approved("sam"), *history((1, {"state": "closed"}), (2, {"state": "approved"}))),
                ),
            )
        )
    )
    estate = Estate(RESOURCES, SPECS)
    found = {
        hour: verdict(change(time=at(hour)), (QUEUE_KEY,), authority, estate, LATER).failed
        for hour in (0, 0.5, 1, 1.5, 2, 3, 3.5)
    }
    assert found == {0: (), 0.5: (), 1: ("state",), 1.5: ("state",), 2: (), 3: (), 3.5: ("window",)}


def test_the_outcome_that_history_and_clock_decide_is_each_ones_own() -> None:
    authority = Authority(
        tickets=Tickets((ticket(history=approved("sam")),)), history={"e2": "unauthorised"}, grace=3600
    )
    estate = Estate(RESOURCES, SPECS)
    late = [
        verdict(change(event_ids=(event,)), (QUEUE_KEY,), authority, estate, LATER).late for event in ("e1", "e2", "e3")
    ]
    assert late == [False, True, False]
    silent = replace(authority, tickets=Tickets(unanswered=("jira: down",)))
    made = [change(time=at(hour), claims=()) for hour in (4, 5.5)]
    assert [verdict(one, (QUEUE_KEY,), silent, estate, LATER).outcome for one in made] == ["indeterminate", "pending"]


def test_what_a_call_set_is_looked_at_where_a_ticket_asks_for_it() -> None:
    estate = Estate(RESOURCES, SPECS)
    planned = replace(ticket(history=approved("sam")), plan=PLAN)
    authority = Authority(tickets=Tickets((planned,)))
    made = [change(touches=(replace(SETS, sets={"delay_seconds": seconds}),)) for seconds in (5, 6)]
    assert [verdict(one, (QUEUE_KEY,), authority, estate, LATER).failed for one in made] == [(), ("content",)]
    limited = replace(ticket(history=approved("sam")), scope=TicketScope(actions=("sqs:Set*",), types=("aws_sqs_*",)))
    authority = Authority(tickets=Tickets((limited,)))
    other = replace(change(), action="sqs:PurgeQueue")
    assert [verdict(one, (QUEUE_KEY,), authority, estate, LATER).failed for one in (change(), other)] == [
        (),
        ("scope",),
    ]


def test_a_larger_session_is_not_alike() -> None:
    small, large = change(session="ASIA1"), change(session="ASIA2")
    others = [change(session="ASIA2", targets=(Key("1", "r", "aws_sqs_queue", str(n)),)) for n in range(20)]
    estate = Estate(RESOURCES, SPECS, (small, large, *others))
    authority = Authority(weights=Weights(sizes=((10, 5),), levels=(("high", 5, 2, ""), ("low", 0, 0, ""))))
    levels = [verdict(one, (QUEUE_KEY,), authority, estate, LATER).risk for one in (small, large)]
    assert [risk.level for risk in levels if risk] == ["low", "high"]


def test_of_a_pipeline_the_review_of_its_commit_counts_at_the_time() -> None:
    later = replace(merge(), history=history((1, {"approved_by": "sam"})))
    plan = ticket(history=approved("sam"), start=at(-3), end=at(3))
    authority = Authority(tickets=Tickets((plan,), merges=(later,)), pipelines=TRUSTED)
    estate = Estate(RESOURCES, SPECS)
    assert later.commit == COMMIT
    found = [verdict(change(CI, time=at(hour)), (QUEUE_KEY,), authority, estate, at(0.5)) for hour in (0, 0.5, 1, 2)]
    assert [one.failed for one in found] == [("review",), ("review",), (), ()]
