"""The line as one function: what it counts, what it was not told to read, which word it ends with, what it accepts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from line import GROUP_KEY, NOON, QUEUE_KEY, RULES, SPECS, group, live, passes, queue, rule
from trail_records import ACCOUNT, END, REGION, START, record, trail_of

from agent.attribute import finding_id
from agent.facts import seen
from agent.model import (
    GLOBAL,
    Authority,
    Case,
    CaseKey,
    Gap,
    Held,
    Key,
    Limit,
    Open,
    Resource,
    Scope,
    Snapshot,
    Tickets,
    Trail,
)
from agent.plan import Known
from agent.scan import Collected, Reading, Scan, scan

CHANGED = queue(visibility_timeout_seconds=60)


def collected(*declared: Resource, **given: Any) -> Collected:
    """What a scan looks at: a quiet estate that is as declared."""
    return Collected(
        **{
            "declared": Snapshot("declared", END, declared),
            "live": live(*declared),
            "trail": Trail(START, END),
            "read": frozenset({(ACCOUNT, REGION)}),
            "accepted": {},
            "known": Known(),
            "authority": Authority(),
            "rules": RULES,
            "specs": SPECS,
        }
        | given
    )


def of(account: str, region: str, type_: str = "aws_sqs_queue", id_: str = "q") -> Resource:
    return Resource(Key(account, region, type_, id_), {}, (id_,), address=f"{type_}.{id_}", stack="shop")


# --- what nobody was told to read ----------------------------------------------------------------------------


def test_what_is_declared_where_nobody_looks_is_a_gap_with_its_count() -> None:
    strangers = [of("444455556666", REGION, id_=name) for name in "ab"]
    away = of(ACCOUNT, "us-west-2")
    found = scan(collected(queue(), *strangers, away, live=live(queue())), END)
    why = "declared there, but not configured to be read"
    assert found.gaps == (
        Gap(Scope(ACCOUNT, "us-west-2"), why, 1),
        Gap(Scope("444455556666", REGION), why, 2),
    )
    assert (found.status, found.drifts) == ("incomplete", ())
    assert (found.declared, found.compared) == (4, 1)
    assert [one.key in found.unread() for one in (queue(), away)] == [False, True]


def test_what_has_no_region_is_read_with_its_account() -> None:
    role = of(ACCOUNT, GLOBAL, "aws_iam_role")
    assert scan(collected(role), END).gaps == ()
    elsewhere = of("444455556666", GLOBAL, "aws_iam_role")
    assert [gap.scope for gap in scan(collected(elsewhere), END).gaps] == [Scope("444455556666", GLOBAL)]


def test_what_a_reader_could_not_read_is_not_said_to_be_unconfigured() -> None:
    denied = Gap(Scope(account=ACCOUNT), "no credentials for this account")
    got = collected(queue(), live=Snapshot("live", END, gaps=(denied,)), read=frozenset())
    assert scan(got, END).gaps == (denied,)


# --- the word a scan ends with -------------------------------------------------------------------------------

GAP = Gap(Scope(type="aws_sns_topic"), "AccessDenied")
HELD = Case(CaseKey("a" * 16), "flood", (), "low", state="held", events=("e1",))


def drifted(**given: Any) -> Scan:
    return passes(declared=[queue()], seen=[CHANGED], records=[record()], **given)


def test_clean_and_incomplete() -> None:
    assert passes(declared=[queue()], seen=[queue()]).status == "clean"
    assert passes(declared=[queue()], seen=[queue()], gaps=[GAP]).status == "incomplete"


def test_violations_come_before_gaps() -> None:
    assert drifted().status == "violations"
    assert drifted(gaps=[GAP]).status == "violations"


def test_what_is_undecided_counts_as_a_violation_even_where_no_rule_says_so() -> None:
    got = collected(queue(), live=live(CHANGED), rules=())
    found = scan(got, END)
    assert (found.violations, found.findings[0].verdict.outcome) == ((), "indeterminate")
    assert found.status == "violations"


def test_a_gap_in_the_trail_is_a_finding() -> None:
    unread = Gap(Scope(type="cloudtrail"), "file-0.json.gz: not JSON")
    found = scan(collected(queue(), trail=Trail(START, END, gaps=(unread,))), END)
    assert (found.gaps, found.status) == ((unread,), "violations")
    assert [violation.rule for violation in found.violations] == ["trail-gap"]


def test_held_comes_before_everything_and_lasts_while_cases_wait() -> None:
    names = [f"{QUEUE_KEY.id}-{n}" for n in range(60)]
    gone = [replace(queue(), key=replace(QUEUE_KEY, id=name), identifiers=(name,), address=name) for name in names]
    since = {finding_id(one.key): NOON - timedelta(days=2) for one in gone}
    flood = passes(declared=gone, gaps=[GAP], known=Known((), since))
    assert flood.status == "held"
    (held,) = [action for action in flood.actions if isinstance(action, Held)]
    assert passes(declared=gone, known=Known(held.cases, since)).status == "held"
    assert passes(declared=[queue()], seen=[queue()], known=Known((HELD,))).status == "held"
    assert passes(declared=[queue()], seen=[queue()], known=Known((replace(HELD, state="closed"),))).status == "clean"


def test_a_held_case_that_is_let_go_holds_nothing() -> None:
    key = finding_id(QUEUE_KEY)
    waiting = replace(HELD, findings=(key,), events=())
    found = passes(declared=[queue()], seen=[queue()], known=Known((waiting,), {key: NOON}, {key: QUEUE_KEY}))
    assert found.status == "clean"


# --- what is worth telling -----------------------------------------------------------------------------------


def test_a_change_with_authority_is_counted_and_not_told() -> None:
    service = {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    found = passes(declared=[queue()], seen=[queue()], records=[record(userIdentity=service)])
    assert [item.verdict.outcome for item in found.changes] == ["service-made"]
    assert (found.findings, found.status) == ((), "clean")


def test_calls_nobody_knows_are_a_limit_by_name() -> None:
    calls = [record("CreateThing", "quicksight", at=f"12:00:0{n}", requestParameters={}) for n in range(2)]
    calls.append(record("DeleteThing", "quicksight", requestParameters={}))
    (limit,) = [one for one in passes(records=calls).limits if "quicksight" in one.why]
    said = "changes by calls whose target is not known: quicksight:CreateThing ×2, quicksight:DeleteThing"
    assert limit == Limit(Scope(), said, 3)


def test_the_verdict_on_a_change_is_over_all_its_targets() -> None:
    found = drifted()
    (item,) = found.changes
    assert (item.change.targets, item.verdict.outcome) == ((QUEUE_KEY,), "unauthorised")
    assert found.at == END
    assert found.read_at == END


def test_a_ticket_system_that_does_not_answer_leaves_the_verdict_open() -> None:
    trail = trail_of(record(), specs=SPECS)
    silent = Authority(tickets=Tickets(unanswered=("register: tickets.yaml:3: unknown field",)))
    got = collected(queue(), live=live(CHANGED), trail=trail, authority=silent)
    assert [finding.verdict.outcome for finding in scan(got, NOON + timedelta(minutes=5)).findings] == ["pending"]
    late = scan(got, END)
    assert [finding.verdict.outcome for finding in late.findings] == ["indeterminate"]
    (test,) = [one for one in late.findings[0].verdict.tests if one.name == "ticket"]
    assert (test.result, "tickets.yaml:3" in test.evidence) == ("unknown", True)


# --- what is accepted ----------------------------------------------------------------------------------------


def test_what_nobody_objects_to_is_accepted() -> None:
    inline = replace(rule(443), address=group().address, stack="shop")
    found = passes(declared=[queue(), group(), inline], seen=[queue(), group(), rule(443)])
    assert {one.key for one in found.accept} == {QUEUE_KEY, GROUP_KEY, rule(443).key}


def test_what_is_disputed_is_not_accepted() -> None:
    assert drifted().accept == ()
    found = passes(declared=[queue(), group()], seen=[queue(), group(), rule(22)])
    assert {one.key for one in found.accept} == {QUEUE_KEY}


def test_a_stranger_is_not_accepted() -> None:
    stranger = replace(queue(), key=replace(QUEUE_KEY, id="other"), identifiers=("other",))
    assert [one.key for one in passes(declared=[queue()], seen=[queue(), stranger]).accept] == [QUEUE_KEY]


def test_for_what_the_code_does_not_set_the_reference_is_the_accepted_reading() -> None:
    recorded = replace(queue(delay_seconds=0), configured=frozenset({"name"}))
    seen = queue(delay_seconds=5)
    before = scan(collected(recorded, live=live(seen)), END)
    assert [drift.attribute for drift in before.drifts] == ["delay_seconds"]
    accepted = {QUEUE_KEY: Reading(seen.attributes, START)}
    assert scan(collected(recorded, live=live(seen), accepted=accepted), END).drifts == ()


# --- whose it is ---------------------------------------------------------------------------------------------


def test_a_change_of_what_nobody_compares_is_told_with_its_address() -> None:
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/web/0123456789abcdef"
    named = Resource(Key(ACCOUNT, REGION, "aws_lb", arn), {}, (arn,), address="aws_lb.web", stack="shop")
    deleted = record("DeleteLoadBalancer", "elasticloadbalancing", requestParameters={"loadBalancerArn": arn})
    trail = trail_of(deleted, specs=SPECS)
    got = collected(queue(), declared=Snapshot("declared", END, (queue(),), named=(named,)), trail=trail)
    (finding,) = scan(replace(got, live=live(queue())), END).findings
    assert (finding.key, finding.address, finding.stack) == (named.key, "aws_lb.web", "shop")
    assert finding.notes == ("aws_lb is not compared: only the calls on it are known",)
    assert (finding.verdict.outcome, finding.drifts) == ("unauthorised", ())


def test_an_earlier_call_to_the_same_effect_does_not_take_the_drift_from_the_later_one() -> None:
    """It was clean in between, so that somebody put it back whom the trail does not show."""
    service = {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    before = record(at="10:00:00", userIdentity=service, userAgent="autoscaling.amazonaws.com")
    found = passes(
        declared=[queue()],
        seen=[CHANGED],
        accepted=[queue()],
        since=NOON - timedelta(hours=1),
        records=[before, record()],
    )
    (finding,) = found.findings
    assert [one.change.actor.name for one in finding.candidates] == ["dana"]
    (part,) = seen(finding, SPECS)
    assert (part.facts["kind"], part.facts["actor_kind"]) == (("changed",), ("person",))


# --- properties ----------------------------------------------------------------------------------------------


@given(
    declared=st.lists(st.sampled_from("abcdef"), unique=True),
    present=st.lists(st.sampled_from("abcdef"), unique=True),
    denied=st.booleans(),
)
def test_every_declared_resource_is_compared_or_inside_a_gap(
    declared: list[str], present: list[str], denied: bool
) -> None:
    make = lambda name: replace(  # noqa: E731 a row
        queue(), key=replace(QUEUE_KEY, id=name), identifiers=(name,), address=name
    )
    gaps = [Gap(Scope(ACCOUNT, REGION, "aws_sqs_queue"), "AccessDenied")] * denied
    found = passes(declared=[make(name) for name in declared], seen=[make(name) for name in present], gaps=gaps)
    if denied:
        assert (found.drifts, found.compared) == ((), 0)
        assert found.status == "incomplete"
        return
    assert found.compared == found.declared == len(declared)
    missing = {drift.key.id for drift in found.drifts if drift.kind == "missing"}
    unmanaged = {drift.key.id for drift in found.drifts if drift.kind == "unmanaged"}
    assert (missing, unmanaged) == (set(declared) - set(present), set(present) - set(declared))
    assert {one.key.id for one in found.accept} == set(declared) & set(present)


def test_the_line_gives_the_same_for_the_same() -> None:
    assert drifted() == drifted()
    assert [type(action) for action in drifted().actions] == [Open]


# --- in no configured stack ----------------------------------------------------------------------------------

STRANGER = replace(queue(), key=replace(QUEUE_KEY, id=QUEUE_KEY.id + "-mine"), identifiers=("https://mine",))
CREATED = record("CreateQueue", requestParameters={"queueName": "mine"}, responseElements={"queueUrl": "https://mine"})


def test_what_no_stack_declares_is_a_violation_only_where_the_stacks_are_all() -> None:
    assert {one.rule for one in passes(seen=[STRANGER]).violations} == {"unmanaged-resource", "undetermined-change"}
    found = passes(seen=[STRANGER], complete=False)
    assert [(one.kind, one.note) for one in found.drifts] == [("unmanaged", "unlisted")]
    assert (found.findings, found.violations, found.status) == ((), (), "clean")


def test_who_made_it_by_hand_answers_for_it_all_the_same() -> None:
    found = passes(seen=[STRANGER], records=[CREATED], complete=False)
    (finding,) = found.findings
    assert (finding.verdict.outcome, finding.verdict.failed) == ("unauthorised", ("ticket",))
    assert [one.kind for one in finding.drifts] == ["unmanaged"]
    assert finding.candidates[0].change.actor.name == "dana"
    assert {one.rule for one in found.violations} == {"unticketed-change"}


def test_a_change_of_it_that_does_not_explain_it_is_judged_and_its_being_there_is_not() -> None:
    tagged = record("SetQueueAttributes", requestParameters={"queueUrl": "https://mine", "attributes": {}})
    (finding,) = passes(seen=[STRANGER], records=[tagged], complete=False).findings
    assert (finding.verdict.outcome, finding.unexplained) == ("unauthorised", "")
    service = {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    by_service = tagged | {
        "userIdentity": service,
        "userAgent": "x",
        "eventID": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
    }
    assert passes(seen=[STRANGER], records=[by_service], complete=False).findings == ()


def test_starting_and_stopping_is_listed_and_no_finding() -> None:
    asked = {"instancesSet": {"items": [{"instanceId": "i-0aaaaaaaaaaaaaaaa"}]}}
    stopped = record("StopInstances", "ec2", requestParameters=asked)
    found = passes(declared=[queue()], seen=[queue()], records=[stopped])
    assert (found.findings, found.status) == ((), "clean")
    ((change,),) = [[item.change for item in found.changes]]
    assert [touch.type for touch in change.touches] == ["aws_ec2_instance_state"]
    tagged = record("CreateTags", "ec2", requestParameters={"resourcesSet": {"items": [{"resourceId": "vol-1"}]}})
    assert len(passes(declared=[queue()], seen=[queue()], records=[stopped, tagged]).findings) == 1
