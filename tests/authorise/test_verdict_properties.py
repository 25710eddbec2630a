"""What must hold whatever the tickets: nothing but permission authorises, and no order of evidence matters."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import CI, COMMIT, DANA, LATER, SETS, TRUSTED, at, change, emergency, judged, merge
from line import DEPLOY, GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, SPECS, group, queue, rule, ticket
from trail_records import ACCOUNT, REGION

from agent.authorise import Estate, trusted
from agent.authorise.estate import Environment
from agent.authorise.lookup import Lookup
from agent.authorise.people import People
from agent.authorise.scopes import Covering
from agent.authorise.timeline import Timeline
from agent.model import (
    Authority,
    Calendar,
    Change,
    Claim,
    Directory,
    Environments,
    Freeze,
    Key,
    Person,
    Pipeline,
    Resource,
    Ticket,
    TicketEvent,
    TicketScope,
    Touch,
    Weights,
)

HOURS = st.integers(-48, 48)
TIMES = HOURS.map(at)
NAMES = st.sampled_from(["", "sam", "ada", "dana", "ddiaz", "lena"])
EVENTS = st.builds(
    TicketEvent,
    TIMES,
    state=st.sampled_from(["", "draft", "approved", "implementing", "closed"]),
    approved_by=NAMES,
    withdrawn_by=st.sampled_from(["", "sam"]),
    group=st.sampled_from(["", "security"]),
)
HISTORIES = st.lists(EVENTS, max_size=5, unique_by=lambda event: event.at).map(tuple)
SCOPES = st.builds(
    TicketScope,
    addresses=st.sampled_from([(), ("aws_sqs_queue.orders",), ("shop/aws_sqs_queue.*",), ("aws_vpc.x", "*group*")]),
    resources=st.sampled_from([(), (QUEUE_ARN,), ("arn:aws:sqs:*",), ("web",)]),
    types=st.sampled_from([(), (), ("aws_sqs_queue",), ("aws_s*",)]),
    accounts=st.sampled_from([(), (ACCOUNT,), ("1*",), ("999999999999",)]),
    environments=st.sampled_from([(), (), ("staging",), ("prod*",)]),
    tags=st.sampled_from([(), (), ("Team=shop",), ("T*=*",), ("Team=b*",)]),
    names=st.sampled_from([(), (), ("orders",), ("we?",), ("shop",)]),
    attributes=st.sampled_from([(), (), ("visibility_*",), ("delay_seconds",)]),
    actions=st.sampled_from([(), (), ("sqs:*",), ("ec2:*",)]),
)
TICKETS = st.builds(
    ticket,
    ref=st.sampled_from(["CHG-7", "CHG-8", "CHG-9"]),
    system=st.sampled_from(["register", "register", "jira"]),
    kind=st.sampled_from(["normal", "normal", "standard", "emergency"]),
    implementer=st.sampled_from(["dana", "ddiaz", "marco", ""]),
    scope=SCOPES,
    history=HISTORIES,
    start=st.none() | TIMES,
    end=st.none() | TIMES,
    groups=st.sampled_from([(), (), ("sre",)]),
    incomplete=st.sampled_from(["", "", "cut short"]),
)
MERGES = st.builds(
    merge,
    commit=st.sampled_from([COMMIT, COMMIT[:8], "0" * 40]),
    system=st.sampled_from(["github", "gitlab"]),
    author=st.sampled_from(["", "lena", "sam"]),
    merged_by=st.sampled_from(["", "ada", "sam"]),
    history=HISTORIES,
    checks=st.sampled_from(["passed", "failed", "pending", "none"]),
    references=st.sampled_from([(), ("CHG-8",)]),
)
CHANGES = st.builds(
    change,
    actor=st.sampled_from([DANA, replace(DANA, person="dana", groups=("sre",)), CI, replace(CI, subject="")]),
    claims=st.sampled_from([(), (Claim("CHG-7", "session tag"),), (Claim("CHG-9", "x"), Claim("CHG-7", "y"))]),
)
TARGETS = st.sampled_from([(QUEUE_KEY,), (QUEUE_KEY, GROUP_KEY), (rule(22).key,), ()])
TRUST = st.fixed_dictionaries(
    {},
    optional={
        "pipelines": st.just(TRUSTED),
        "directory": st.just(Directory((Person("dana", users=("ddiaz",)), Person("sam", groups=("security",))))),
        "permitted": st.sampled_from([{"*": ("sre",)}, {"staging": ("deploy", "sre")}]),
        "environments": st.just(Environments(stacks={"shop": "staging"})),
        "calendar": st.sampled_from([Calendar((Freeze("f", at(-1), at(1)),), asked=True), Calendar((), ("x",), True)]),
        "unanswered": st.just(("jira: down",)),
        "approvals": st.integers(0, 2),
        "weights": st.just(Weights(levels=(("high", 0, 1, "security"),))),
        "tolerance": st.just(3600),
        "emergencies": st.sampled_from([(emergency(),), (emergency("overdue"),), (emergency("accepted"),)]),
        "history": st.just({"e1": "unauthorised"}),
    },
)
LESS = ("authorised", "authorised-emergency")


@given(CHANGES, TARGETS, st.lists(TICKETS, max_size=4), st.lists(MERGES, max_size=3), TRUST, st.randoms())
@settings(max_examples=60, deadline=None)
def test_no_order_of_evidence_matters(
    made: Change, targets: Any, tickets: list[Ticket], merges: list[Any], trust: dict[str, Any], random: Any
) -> None:
    first = judged(made, *tickets, targets=targets, merges=tuple(merges), **trust)
    again = [replace(one, history=tuple(random.sample(one.history, len(one.history)))) for one in tickets]
    reviews = [replace(one, history=tuple(random.sample(one.history, len(one.history)))) for one in merges]
    mixed = {"merges": tuple(random.sample(reviews, len(reviews)))}
    if "emergencies" in trust:
        mixed["emergencies"] = trust["emergencies"][::-1]
    second = judged(made, *random.sample(again, len(again)), targets=targets, **(trust | mixed))
    assert (first.outcome, first.path, first.ticket, first.late, first.failed) == (
        second.outcome,
        second.path,
        second.ticket,
        second.late,
        second.failed,
    )


@given(CHANGES, st.lists(TICKETS, max_size=3), st.lists(MERGES, max_size=2), TRUST)
@settings(max_examples=50, deadline=None)
def test_an_unrelated_ticket_changes_nothing(
    made: Change, tickets: list[Ticket], merges: list[Any], trust: dict[str, Any]
) -> None:
    unrelated = ticket("CHG-99", scope=TicketScope(addresses=("aws_vpc.elsewhere",)), kind="standard")
    before = judged(made, *tickets, merges=tuple(merges), **trust)
    assert judged(made, *tickets, unrelated, merges=tuple(merges), **trust) == before


@given(CHANGES, st.lists(TICKETS, min_size=1, max_size=3), st.lists(MERGES, max_size=2), TRUST, st.data())
@settings(max_examples=60, deadline=None)
def test_taking_an_approval_away_never_authorises(
    made: Change, tickets: list[Ticket], merges: list[Any], trust: dict[str, Any], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(tickets) - 1))
    one = tickets[number]
    gone = data.draw(st.sampled_from([event.approved_by for event in one.history if event.approved_by] or [""]))
    kept = tuple(event if event.approved_by != gone else replace(event, approved_by="") for event in one.history)
    less = [*tickets[:number], replace(one, history=kept), *tickets[number + 1 :]]
    before = judged(made, *tickets, merges=tuple(merges), **trust)
    after = judged(made, *less, merges=tuple(merges), **trust)
    assert after.outcome not in LESS or before.outcome in LESS


@given(CHANGES, TARGETS, st.lists(TICKETS, max_size=3), TRUST)
@settings(max_examples=50, deadline=None)
def test_a_verdict_holds_what_it_says(made: Change, targets: Any, tickets: list[Ticket], trust: dict[str, Any]) -> None:
    found = judged(made, *tickets, targets=targets, **trust)
    results = {test.result for test in found.tests}
    assert found.tests
    assert len({test.name for test in found.tests}) == len(found.tests)
    assert all(test.evidence for test in found.tests)
    assert ("fail" in results) == (
        found.outcome == "unauthorised" or (found.outcome == "regularised" and "fail" in results)
    )
    assert found.outcome not in ("authorised", "authorised-emergency", "pending-documentation") or results == {"pass"}
    assert found.outcome not in ("indeterminate", "pending") or results == {"pass", "unknown"} or results == {"unknown"}


# --- the index -----------------------------------------------------------------------------------------------

ESTATE = Estate(
    [
        queue(),
        group(),
        rule(22),
        Resource(Key(ACCOUNT, REGION, "aws_vpc", "vpc-1"), {"tags": {"Name": "web"}}, ("vpc-1",)),
    ],
    SPECS,
)


@given(st.lists(TICKETS, max_size=12), TIMES, st.sampled_from(list(ESTATE.known)), st.sampled_from([0.0, 3600.0]))
@settings(max_examples=120, deadline=None)
def test_the_index_finds_what_a_plain_scan_does(tickets: list[Ticket], when: Any, key: Key, tolerance: float) -> None:
    lookup = Lookup(tickets, People(Directory()), tolerance)
    names, environment = ESTATE.names(key), Environment("staging", frozenset({"staging"}))
    made = change(time=when, touches=(replace(SETS, type=key.type, ids=(key.id,)),))
    for standard in (False, True):
        near = lookup.covering(key, names, when.timestamp(), standard=standard)
        found = [one.ticket for one in near if one.covering.covers(key, names, environment, made) != "fail"]
        plain = [
            one
            for one in tickets
            if Covering(one.scope).covers(key, names, environment, made) != "fail"
            and (one.kind == "standard" or (one.start is not None and not standard))
            and (one.start is None or one.start - timedelta(seconds=tolerance) <= when)
            and (one.end is None or when <= one.end + timedelta(seconds=tolerance))
            and not (one.start and one.end and one.end < one.start)
        ]
        assert sorted(map(repr, found)) == sorted(map(repr, plain))


@given(
    st.lists(st.tuples(st.none() | HOURS, st.none() | HOURS), max_size=20),
    st.integers(-60, 60),
    st.sampled_from([0, 1, 7]),
)
@settings(deadline=None)
def test_a_timeline_finds_what_lies_over_a_moment(
    stretches: list[tuple[int | None, int | None]], hour: int, tolerance: int
) -> None:
    line = Timeline(
        (None if start is None else at(start), None if end is None else at(end), number)
        for number, (start, end) in enumerate(stretches)
    )
    expected = {
        number
        for number, (start, end) in enumerate(stretches)
        if (start is None or start <= hour + tolerance)
        and (end is None or hour - tolerance <= end)
        and not (start is not None and end is not None and end < start)
    }
    assert set(line.at(at(hour).timestamp(), tolerance * 3600)) == expected


def test_an_authority_is_made_ready_once_for_an_estate() -> None:
    first = judged(change(), ticket(), estate=ESTATE)
    grounds = ESTATE.grounds
    assert judged(change(), ticket(implementer="marco"), estate=ESTATE) != first
    assert ESTATE.grounds is not grounds


def test_whether_a_pipeline_made_a_call() -> None:
    assert trusted(change(CI), TRUSTED) == "deploy"
    assert trusted(change(DANA), TRUSTED) == ""
    assert trusted(change(replace(CI, subject="")), (Pipeline("x", DEPLOY, source_ips=("192.0.2.0/24",)),)) == ""


@pytest.mark.parametrize("approvals", [0, 1])
def test_nothing_is_authorised_by_nothing(approvals: int) -> None:
    found = judged(change(claims=(), touches=(Touch("aws_vpc", ()),)), approvals=approvals, now=LATER)
    assert found.outcome == "unauthorised"
    assert judged(change(claims=()), now=NOON).outcome == "unauthorised"
    assert Authority().approvals == 1


@pytest.mark.parametrize("count", [1, 8, 9, 40])
def test_however_many_tickets_mean_a_resource_those_that_are_on_are_found(count: int) -> None:
    hourly = [ticket(f"CHG-{hour}", start=at(hour - 20), end=at(hour - 19)) for hour in range(count)]
    lookup = Lookup(hourly, People(Directory()), 0)
    for hour in range(count):
        moment = at(hour - 19.5).timestamp()
        (found,) = lookup.covering(QUEUE_KEY, ESTATE.names(QUEUE_KEY), moment, standard=False)
        assert found.ref == f"CHG-{hour}"
