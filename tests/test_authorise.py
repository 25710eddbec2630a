"""Verdicts: which test says so, and that nothing but permission ever makes a change authorised."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line import DEPLOY, GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, SUBJECT, group, queue, rule, ticket
from trail_records import ACCOUNT, REGION

from agent.authorise import PATHS, TESTS, Estate, authorise, verdict
from agent.model import (
    NOT_JUDGED,
    Actor,
    Authority,
    Candidate,
    Change,
    Claim,
    Directory,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Person,
    Pipeline,
    Ticket,
    TicketEvent,
    Tickets,
    TicketScope,
    Verdict,
)
from agent.people import needed

KNOWN = Estate([queue(), group(), rule(22)])
LATER = NOON + timedelta(hours=6)
DANA = Actor("dana", "person", f"arn:aws:iam::{ACCOUNT}:user/dana", "IAM user", 0.7)
PIPELINE = Actor("acme/shop", "pipeline", how="OIDC", confidence=0.95, role=DEPLOY, subject=SUBJECT)
CLAIM = (Claim("CHG-7", "session tag"),)


def change(actor: Actor = DANA, claims: tuple[Claim, ...] = CLAIM, **fields: Any) -> Change:
    return Change(("e1",), NOON, "sqs:SetQueueAttributes", actor, "sdk", ACCOUNT, REGION, claims=claims, **fields)


def judged(
    made: Change, *tickets: Ticket, targets: tuple[Key, ...] = (QUEUE_KEY,), now: datetime = LATER, **trust: Any
) -> Verdict:
    authority = Authority(tickets=Tickets(tickets, trust.pop("unanswered", ())), **trust)
    return verdict(made, targets, authority, KNOWN, now)


def test_a_person_under_an_approved_ticket() -> None:
    found = judged(change(), ticket())
    assert (found.outcome, found.path, found.ticket, found.failed) == ("authorised", "manual", "CHG-7", ())
    assert [test.name for test in found.tests] == list(PATHS["manual"])
    assert all(test.evidence for test in found.tests)


def test_a_ticket_found_by_scope_and_window() -> None:
    found = judged(change(claims=()), ticket())
    assert (found.outcome, found.ticket) == ("authorised", "CHG-7")
    assert "by scope and window" in next(test.evidence for test in found.tests if test.name == "ticket")


@pytest.mark.parametrize(
    "other",
    [
        ticket(scope=TicketScope(addresses=("aws_vpc.main",))),
        ticket(start=NOON + timedelta(hours=1)),
        ticket(start=None),
        ticket(scope=TicketScope()),
    ],
)
def test_a_ticket_that_does_not_cover_the_change_is_no_ticket_for_it(other: Ticket) -> None:
    found = judged(change(claims=()), other)
    assert (found.outcome, found.failed) == ("unauthorised", ("ticket",))


def test_a_reference_to_nothing() -> None:
    found = judged(change(), ticket("CHG-8"))
    assert (found.outcome, found.failed) == ("unauthorised", ("ticket",))
    assert found.tests[-1].evidence == "CHG-7 (session tag): no such ticket"


@pytest.mark.parametrize("claims", [CLAIM, ()])
def test_a_system_that_did_not_answer_decides_nothing(claims: tuple[Claim, ...]) -> None:
    found = judged(change(claims=claims), unanswered=("roundup: connection refused",))
    assert found.outcome == "indeterminate"
    assert "connection refused" in found.tests[-1].evidence
    soon = judged(change(claims=claims), unanswered=("roundup: down",), now=NOON + timedelta(minutes=5))
    assert soon.outcome == "pending"


def test_service_made() -> None:
    service = Actor("autoscaling.amazonaws.com", "service", how="AWSService")
    assert judged(change(service)).outcome == "service-made"


@pytest.mark.parametrize(
    ("actor", "result"),
    [
        (replace(DANA, kind="root"), "fail"),
        (replace(DANA, kind="shared"), "fail"),
        (replace(DANA, kind="unknown"), "unknown"),
        (replace(DANA, confidence=0.4), "unknown"),
        (replace(DANA, how=""), "pass"),
        (replace(DANA, kind="unknown", person="dana", confidence=0.3, how="dana's entry ended 2026-01-31"), "fail"),
        (replace(DANA, kind="workload", service="lambda.amazonaws.com"), "pass"),
        (replace(DANA, kind="unknown", service="codepipeline.amazonaws.com"), "unknown"),
    ],
)
def test_who(actor: Actor, result: str) -> None:
    found = judged(change(actor), ticket())
    assert found.tests[0].result == result
    expected = {"fail": "unauthorised", "unknown": "indeterminate", "pass": "authorised"}
    assert found.outcome == expected[result]


def test_a_credential_of_somebody_who_left_fails_with_its_reason() -> None:
    left = replace(DANA, kind="unknown", person="dana", confidence=0.3, how="dana's entry ended 2026-01-31")
    found = judged(change(left), ticket())
    assert found.failed == ("actor",)
    assert found.tests[0].evidence == "dana: dana's entry ended 2026-01-31: not theirs to use at that time"


def history(*entries: tuple[float, dict[str, str]]) -> tuple[TicketEvent, ...]:
    return tuple(TicketEvent(NOON + timedelta(hours=hours), **fields) for hours, fields in entries)


APPROVED = ((-3, {"approved_by": "sam"}), (-2, {"state": "approved"}))


@pytest.mark.parametrize(
    ("fields", "failed"),
    [
        ({"history": history(*APPROVED, (-1, {"state": "closed"}))}, ("state",)),
        ({"history": history((-1, {"state": "draft"}), (-1, {"approved_by": "sam"}))}, ("state",)),
        ({"history": history(*APPROVED, (-1, {"withdrawn_by": "sam"}))}, ("separation",)),
        ({"history": history((-2, {"state": "approved"}))}, ("separation",)),
        ({"history": history((-3, {"approved_by": "DANA"}), (-2, {"state": "approved"}))}, ("separation",)),
        ({"history": history((-3, {"approved_by": "lena"}), (-2, {"state": "approved"}))}, ("separation",)),
        ({"start": NOON + timedelta(minutes=1)}, ("window",)),
        ({"end": NOON - timedelta(minutes=1)}, ("window",)),
        ({"implementer": "marco"}, ("implementer",)),
        ({"implementer": ""}, ("implementer",)),
        ({"scope": TicketScope(addresses=("aws_sqs_queue.o",))}, ("scope",)),
        ({"scope": TicketScope(accounts=("999999999999",), addresses=("*",))}, ("scope",)),
    ],
)
def test_each_test_can_fail_alone(fields: dict[str, Any], failed: tuple[str, ...]) -> None:
    found = judged(change(), ticket(**fields))
    assert (found.outcome, found.failed, found.path) == ("unauthorised", failed, "manual")


@pytest.mark.parametrize(
    "fields",
    [
        {"start": None, "end": None},
        {"start": None},
        {"end": None},
        {"implementer": "Dana"},
        {"scope": TicketScope(resources=(QUEUE_ARN,))},
        {"scope": TicketScope(resources=("ord*",))},
        {"scope": TicketScope(types=("aws_sqs_*",))},
        {"scope": TicketScope(accounts=(ACCOUNT,))},
        {"history": history(*APPROVED, (-1, {"state": "Implementing"}))},
    ],
)
def test_what_still_passes(fields: dict[str, Any]) -> None:
    assert judged(change(), ticket(**fields)).outcome == "authorised"


def test_tolerance_widens_the_window() -> None:
    late = ticket(end=NOON - timedelta(minutes=10))
    assert judged(change(), late, tolerance=15 * 60).outcome == "authorised"


def test_a_ticket_without_history_decides_nothing_about_its_state() -> None:
    found = judged(change(), ticket(history=()))
    assert [test.result for test in found.tests if test.name == "state"] == ["unknown"]


def test_more_approvals() -> None:
    two = ticket(history=history(*APPROVED, (-1, {"approved_by": "ada"})))
    assert judged(change(), two, approvals=2).outcome == "authorised"
    assert judged(change(), ticket(), approvals=2).failed == ("separation",)


def test_a_ticket_of_the_parent_covers_its_parts() -> None:
    covering = ticket(scope=TicketScope(addresses=("aws_security_group.web",)))
    assert judged(change(), covering, targets=(rule(22).key,)).outcome == "authorised"


def test_a_bracketed_address_covers_itself() -> None:
    named = replace(queue(), address='aws_sqs_queue.q["a"]')
    authority = Authority(tickets=Tickets((ticket(scope=TicketScope(addresses=('aws_sqs_queue.q["a"]',))),)))
    assert verdict(change(), (QUEUE_KEY,), authority, Estate([named]), LATER).outcome == "authorised"


def test_an_address_that_two_stacks_have_must_say_which() -> None:
    other = replace(queue(), key=replace(QUEUE_KEY, account="999999999999"), stack="dev")
    both = Estate([queue(), other])
    for address, outcome in (
        ("aws_sqs_queue.orders", "unauthorised"),
        ("dev/aws_sqs_queue.orders", "unauthorised"),
        ("shop/aws_sqs_queue.orders", "authorised"),
        ("aws_sqs_queue.*", "authorised"),
    ):
        authority = Authority(tickets=Tickets((ticket(scope=TicketScope(addresses=(address,))),)))
        assert (address, verdict(change(), (QUEUE_KEY,), authority, both, LATER).outcome) == (address, outcome)


def test_a_resource_nobody_knows() -> None:
    other = replace(QUEUE_KEY, id="gone")
    assert judged(change(), ticket(scope=TicketScope(resources=("gone",))), targets=(other,)).outcome == "authorised"
    assert judged(change(), ticket(), targets=(other,)).failed == ("scope",)
    nothing = judged(change(), ticket(), targets=())
    assert [test.result for test in nothing.tests if test.name == "scope"] == ["unknown"]


def test_people_have_other_names_in_the_ticket_system() -> None:
    sso = replace(DANA, name="dana@acme.example", arn="arn:aws:sts::1:assumed-role/Engineer/dana@acme.example")
    assert judged(change(sso), ticket()).failed == ("implementer",)
    assert judged(change(sso), ticket(), people={"dana@acme.example": "dana"}).outcome == "authorised"
    assert judged(change(sso), ticket(), people={"*/dana@acme.example": "dana"}).outcome == "authorised"
    assert judged(change(sso), ticket(), people={"marco": "dana"}).failed == ("implementer",)


DIRECTORY = Directory(
    (
        Person("dana", "Dana Diaz", users=("ddiaz", "Dana@Acme.example")),
        Person("sam", users=("sam.smith",)),
        Person("left", users=("lefty",), valid_until=NOON - timedelta(days=1)),
    )
)
KNOWN_DANA = replace(DANA, name="somebody@sso", person="dana")


def under(actor: Actor, one: Ticket, **fields: Any) -> Verdict:
    return judged(change(actor), one, directory=DIRECTORY, **fields)


@pytest.mark.parametrize("name", ["dana", "DDiaz", "dana@acme.example"])
def test_the_identity_map_says_who_the_implementer_is(name: str) -> None:
    assert under(KNOWN_DANA, ticket(implementer=name)).outcome == "authorised"
    other = under(KNOWN_DANA, ticket(implementer="marco"))
    assert other.failed == ("implementer",)
    assert other.tests[5].evidence == "made by dana, CHG-7 is implemented by marco"


def test_only_whom_the_map_knows_has_other_names() -> None:
    """An AWS name that looks like somebody's user name in the ticket system is no proof of being them."""
    stranger = replace(DANA, name="ddiaz")
    assert under(stranger, ticket(implementer="dana")).failed == ("implementer",)
    assert under(stranger, ticket(implementer="ddiaz")).outcome == "authorised"
    assert under(stranger, ticket(implementer="dana"), people={"ddiaz": "dana"}).outcome == "authorised"


def test_people_of_the_configuration_win_over_the_map() -> None:
    assert under(KNOWN_DANA, ticket(implementer="marco"), people={"somebody@sso": "marco"}).outcome == "authorised"


def test_what_is_kept_of_the_map_gives_the_same_verdict() -> None:
    crowd = tuple(Person(f"p{n}", principals=(f"p{n}@acme.example",), users=(f"u{n}",)) for n in range(200))
    whole = Directory((*crowd, *DIRECTORY.people))
    for one in (ticket(implementer="ddiaz"), ticket(implementer="u7", history=approvals("p9", "u9"), requester="u8")):
        made = change(KNOWN_DANA)
        asked = Authority(tickets=Tickets((one,)), directory=whole, people={"x": "u3"})
        kept = needed(asked, [made])
        found = [
            verdict(made, (QUEUE_KEY,), replace(asked, directory=directory), KNOWN, LATER)
            for directory in (whole, kept)
        ]
        assert found[0] == found[1]
        assert {"dana"} <= {person.id for person in kept.people}
        assert len(kept.people) < 8


def approvals(*names: str) -> tuple[TicketEvent, ...]:
    return history(*((-3, {"approved_by": name}) for name in names), (-2, {"state": "approved"}))


@pytest.mark.parametrize(
    ("approvers", "needed", "outcome"),
    [
        (("ddiaz",), 1, "unauthorised"),
        (("dana@acme.example",), 1, "unauthorised"),
        (("sam",), 1, "authorised"),
        (("sam", "sam.smith"), 2, "unauthorised"),
        (("sam", "marco"), 2, "authorised"),
        (("lefty",), 1, "authorised"),
    ],
)
def test_another_user_name_is_not_another_person(approvers: tuple[str, ...], needed: int, outcome: str) -> None:
    found = under(KNOWN_DANA, ticket(history=approvals(*approvers)), approvals=needed)
    assert found.outcome == outcome
    assert found.failed == (() if outcome == "authorised" else ("separation",))


def trusted(**proof: Any) -> dict[str, Any]:
    return {"pipelines": (Pipeline("deploy", DEPLOY, **proof),)}


def test_a_pipeline_needs_its_ticket_and_its_proof() -> None:
    trust = trusted(subject="repo:acme/*")
    assert judged(change(PIPELINE), ticket(), **trust).path == "pipeline"
    without = judged(change(PIPELINE, claims=()), **trust)
    assert (without.outcome, without.path, without.failed) == ("unauthorised", "pipeline", ("ticket",))
    by_hand = judged(change(replace(PIPELINE, subject="")), ticket(), **trust)
    assert by_hand.outcome == "unauthorised"


@pytest.mark.parametrize(
    ("proof", "actor", "ip", "result"),
    [
        ({"source_identity": "ci-*"}, replace(PIPELINE, subject="", source_identity="ci-7"), "", "authorised"),
        ({"source_identity": "ci-*"}, replace(PIPELINE, source_identity="dana"), "", "unauthorised"),
        ({"source_ips": ("192.0.2.0/24",)}, PIPELINE, "192.0.2.9", "authorised"),
        ({"source_ips": ("192.0.2.0/24",)}, PIPELINE, "198.51.100.1", "unauthorised"),
        ({"source_ips": ("192.0.2.0/24",)}, PIPELINE, "ec2.amazonaws.com", "unauthorised"),
        ({"subject": SUBJECT}, replace(PIPELINE, role="arn:aws:iam::1:role/other"), "", "unauthorised"),
    ],
)
def test_what_proves_a_pipeline(proof: dict[str, Any], actor: Actor, ip: str, result: str) -> None:
    assert judged(change(actor, source_ip=ip), ticket(), **trusted(**proof)).outcome == result


DEPLOYER = Actor("d-1", "workload", how="STS", confidence=0.95, role=DEPLOY, service="codedeploy.amazonaws.com")
STARTED = Actor("codepipeline.amazonaws.com", "unknown", how="", confidence=0.3, role=DEPLOY)


@pytest.mark.parametrize(
    ("service", "actor", "outcome"),
    [
        ("codedeploy.amazonaws.com", DEPLOYER, "authorised"),
        ("codebuild.amazonaws.com", DEPLOYER, "unauthorised"),
        ("codedeploy.amazonaws.com", replace(DEPLOYER, service=""), "unauthorised"),
        ("codedeploy.amazonaws.com", replace(DEPLOYER, role="arn:aws:iam::1:role/other"), "unauthorised"),
        ("codedeploy.amazonaws.com", replace(DANA, role=DEPLOY, name="codedeploy.amazonaws.com"), "unauthorised"),
        # Nobody knows who started it, but AWS vouches for what it is, and it was said to be trusted.
        ("codepipeline.amazonaws.com", replace(STARTED, service="codepipeline.amazonaws.com"), "authorised"),
        ("codepipeline.amazonaws.com", STARTED, "unauthorised"),
    ],
)
def test_a_service_of_aws_deploys(service: str, actor: Actor, outcome: str) -> None:
    found = judged(change(actor), ticket(implementer="marco"), **trusted(service=service))
    assert (found.outcome, found.path) == (outcome, "pipeline" if outcome == "authorised" else found.path)
    if outcome == "authorised":
        assert found.tests[1].evidence == f"deploy: role {DEPLOY}, issued to {service}"


def test_a_service_that_nobody_called_trusted_is_no_pipeline() -> None:
    assert judged(change(DEPLOYER), ticket()).failed == ("implementer",)
    assert judged(change(replace(STARTED, service="codepipeline.amazonaws.com")), ticket()).tests[0].result == "unknown"


def test_a_standing_change_needs_no_implementer() -> None:
    standing = ticket(
        kind="standard", implementer="", history=history((-99, {"approved_by": "sam"}), (-99, {"state": "approved"}))
    )
    found = judged(change(), standing)
    assert (found.outcome, found.path) == ("authorised", "standing")
    assert judged(change(), replace(standing, kind="normal")).outcome == "unauthorised"


def test_configured_paths_take_the_place_of_the_defaults() -> None:
    assert judged(change(claims=()), paths={"manual": ("actor",)}).outcome == "authorised"


def test_approved_afterwards_is_regularised_and_never_authorised() -> None:
    late = ticket(history=history((1, {"approved_by": "sam"}), (2, {"state": "approved"}), (3, {"state": "closed"})))
    found = judged(change(), late)
    assert (found.outcome, found.late, found.ticket) == ("regularised", True, "CHG-7")
    assert judged(change(), late, now=NOON + timedelta(minutes=30)).outcome == "unauthorised"


def test_of_several_tickets_the_one_that_passes_counts() -> None:
    two = (Claim("CHG-6", "session name"), *CLAIM)
    assert judged(change(claims=two), ticket("CHG-6", implementer="marco"), ticket()).ticket == "CHG-7"


def finding(**fields: Any) -> Finding:
    made = change(targets=(QUEUE_KEY,))
    given = {
        "changes": (JudgedChange(made, Verdict("pending")),),
        "candidates": (Candidate(made, 0.9, "it did"),),
        "verdict": NOT_JUDGED,
    } | fields
    return Finding(FindingId("F-1"), QUEUE_KEY, **given)


def concluded(one: Finding, *tickets: Ticket, first_seen: datetime | None = None) -> Finding:
    seen = {one.id: first_seen} if first_seen else {}
    authority = Authority(tickets=Tickets(tickets))
    (found,) = authorise([one], authority, [*KNOWN.known.values(), replace(queue(), address="")], seen, LATER)
    return found


def test_a_finding_takes_the_worst_of_its_changes() -> None:
    second = replace(change(claims=()), event_ids=("e2",), targets=(QUEUE_KEY,))
    one = finding(changes=(*finding().changes, JudgedChange(second, Verdict("pending"))))
    found = concluded(one, ticket(start=None))
    assert [item.verdict.outcome for item in found.changes] == ["authorised", "unauthorised"]
    assert found.verdict.outcome == "unauthorised"
    assert concluded(finding(), ticket()).verdict.outcome == "authorised"


def test_a_call_is_judged_for_this_resource_alone() -> None:
    both = replace(change(), targets=(QUEUE_KEY, GROUP_KEY, rule(22).key))
    one = finding(changes=(JudgedChange(both, Verdict("pending")),), candidates=())
    assert concluded(one, ticket()).verdict.outcome == "authorised"
    other = replace(one, key=GROUP_KEY)
    assert concluded(other, ticket()).verdict.failed == ("scope",)


def test_drift_nobody_explains() -> None:
    waiting = finding(changes=(), candidates=(), unexplained="actor unknown: …", verdict=Verdict("pending"))
    assert concluded(waiting).verdict.outcome == "pending"
    assert concluded(waiting, first_seen=LATER - timedelta(hours=1)).verdict.outcome == "indeterminate"
    assert concluded(replace(waiting, verdict=NOT_JUDGED)).verdict.outcome == "indeterminate"


def test_a_finding_without_anything_to_judge_keeps_its_verdict() -> None:
    assert concluded(finding(changes=(), candidates=())).verdict == NOT_JUDGED


def test_the_paths_ask_for_known_tests_only() -> None:
    assert {test for path in PATHS.values() for test in path} <= set(TESTS)


TIMES = st.integers(-48, 48).map(lambda hours: NOON + timedelta(hours=hours))
EVENTS = st.builds(
    TicketEvent,
    TIMES,
    state=st.sampled_from(["", "draft", "approved", "closed"]),
    approved_by=st.sampled_from(["", "sam", "dana", "lena"]),
    withdrawn_by=st.sampled_from(["", "sam"]),
)
TICKETS = st.builds(
    ticket,
    ref=st.sampled_from(["CHG-7", "CHG-8"]),
    implementer=st.sampled_from(["dana", "marco", ""]),
    history=st.lists(EVENTS, max_size=5).map(lambda found: tuple(sorted(found, key=lambda event: event.at))),
    start=st.none() | TIMES,
    end=st.none() | TIMES,
)


@given(st.lists(TICKETS, max_size=3))
def test_an_unrelated_ticket_never_authorises(tickets: list[Ticket]) -> None:
    unrelated = ticket("CHG-99", scope=TicketScope(addresses=("aws_vpc.elsewhere",)))
    before, after = judged(change(), *tickets), judged(change(), *tickets, unrelated)
    assert before == after


@given(TICKETS)
def test_taking_an_approval_away_never_authorises(one: Ticket) -> None:
    without = replace(one, history=tuple(replace(event, approved_by="") for event in one.history))
    if judged(change(), one).outcome != "authorised":
        assert judged(change(), without).outcome != "authorised"


@given(st.lists(TICKETS, max_size=3), st.randoms())
def test_the_order_of_tickets_never_changes_the_outcome(tickets: list[Ticket], random: Any) -> None:
    shuffled = random.sample(tickets, len(tickets))
    assert judged(change(), *tickets).outcome == judged(change(), *shuffled).outcome
