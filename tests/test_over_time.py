"""Several scans of one estate: what was accepted, what is remembered, and what a hand change cannot slip through."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from line import END, GROUP_KEY, QUEUE_ARN, QUEUE_KEY, group, live, passes, queue, rule, ticket
from test_change_classes import BREAK_GLASS
from trail_records import ACCOUNT, QUEUE, assume, in_role, record, trail_of, user

from agent.declared.sensitive import seal_alike, seal_calls
from agent.model import Document, Gap, Held, Open, Proof, Review, Scope, Secret, Snapshot, TicketScope, Update
from agent.plan import Known
from agent.scan import Scan
from agent.seal import seal

SLOW = queue(visibility_timeout_seconds=60)
CLAIMED = record(userAgent="aws-cli/2.31.0 app/CHG-7")
UNSET_GROUP = replace(group(), configured=frozenset({"name"}))


def keys(found: Scan) -> set[Any]:
    return {resource.key for resource in found.accept}


def test_authority_is_not_convergence() -> None:
    """A ticketed hand change that still differs stays explained by it: its reading is no new reference."""
    found = passes(declared=[queue()], seen=[SLOW], records=[CLAIMED], tickets=[ticket()], accepted=[queue()])
    assert [finding.verdict.outcome for finding in found.findings] == ["authorised"]
    assert QUEUE_KEY not in keys(found)


def test_what_the_code_does_not_set_is_accepted_with_authority() -> None:
    before, after = queue(delay_seconds=0), queue(delay_seconds=9)
    asked = {"queueUrl": QUEUE, "attributes": {"DelaySeconds": "9"}}
    call = record(userAgent="aws-cli/2.31.0 app/CHG-7", requestParameters=asked)
    found = passes(declared=[before], seen=[after], records=[call], tickets=[ticket()], accepted=[before])
    assert [finding.verdict.outcome for finding in found.findings] == ["authorised"]
    assert QUEUE_KEY in keys(found)


def test_a_part_that_could_not_be_compared_is_not_accepted() -> None:
    """A state that was unreadable for one scan must not turn a rule opened by hand into the reference."""
    found = passes(declared=[UNSET_GROUP], seen=[UNSET_GROUP, rule(22)], lost=[Gap(Scope(ACCOUNT), "state: denied")])
    assert found.drifts == ()
    assert keys(found) == {GROUP_KEY}
    later = passes(declared=[UNSET_GROUP], seen=[UNSET_GROUP, rule(22)], accepted=[UNSET_GROUP])
    assert [drift.part for drift in later.drifts] == [rule(22).key]


def test_what_is_gone_from_both_sides_is_forgotten() -> None:
    accepted = [UNSET_GROUP, rule(22)]
    assert passes(declared=[UNSET_GROUP], seen=[UNSET_GROUP], accepted=accepted).forget == (rule(22).key,)
    hidden = [Gap(Scope(ACCOUNT, type="aws_security_group_rule"), "denied")]
    assert passes(declared=[UNSET_GROUP], seen=[UNSET_GROUP], accepted=accepted, gaps=hidden).forget == ()


def test_an_unrelated_call_with_authority_explains_no_drift() -> None:
    asked = {"queueUrl": QUEUE, "attributes": {"SomethingNew": "1"}}
    call = record(userAgent="aws-cli/2.31.0 app/CHG-7", requestParameters=asked)
    found = passes(declared=[queue()], seen=[SLOW], records=[call], tickets=[ticket()])
    assert [finding.verdict.outcome for finding in found.findings] == ["indeterminate"]


def test_drift_whose_evidence_may_be_on_its_way_is_not_clean() -> None:
    found = passes(declared=[queue()], seen=[SLOW], accepted=[queue()], since=END - timedelta(minutes=5))
    assert [finding.verdict.outcome for finding in found.findings] == ["pending"]
    assert (found.status, found.actions) == ("incomplete", ())


def test_a_ticket_system_that_does_not_answer_makes_the_scan_incomplete() -> None:
    found = passes(declared=[queue()], seen=[queue()], unanswered=("register: no such directory",))
    assert (found.status, [gap.why for gap in found.gaps]) == ("incomplete", ["register: no such directory"])
    assert found.compared == 1


def test_a_value_the_code_calls_sensitive_is_sealed_in_the_calls_too() -> None:
    key = b"k" * 32
    declared = queue(visibility_timeout_seconds=seal(key, "60"))
    side = Snapshot("declared", END, (declared,))
    (change,) = seal_calls(side, trail_of(record()).changes, key)
    (touch,) = change.touches
    assert isinstance(touch.sets["visibility_timeout_seconds"], Secret)
    assert change.request == {}
    assert seal_calls(side, [change], key) == (change,)
    changes = trail_of(record()).changes
    assert seal_calls(Snapshot("declared", END, (queue(),)), changes, key) == changes
    # Sealed on both sides, the call still explains what is live.
    assert touch.sets["visibility_timeout_seconds"] == seal(key, "60")


def test_what_a_stack_that_was_not_read_may_call_sensitive_is_sealed_whole() -> None:
    key = b"k" * 32
    lost = Snapshot("declared", END, gaps=(Gap(Scope(ACCOUNT), "state: denied"),))
    seen = queue(tags_all={"token": "canary-9d2e"}, policy="canary-9d2e")
    shut = seal_alike(lost, live(seen), key)
    assert "canary-9d2e" not in repr(shut)
    assert shut.resources[0].key == QUEUE_KEY
    canary = record(requestParameters={"queueUrl": QUEUE, "attributes": {"Policy": "canary-9d2e"}})
    calls = seal_calls(lost, trail_of(canary).changes, key)
    assert "canary-9d2e" not in repr(calls)
    nameless = record("CreateThing", "ec2", requestParameters={"note": "canary-9d2e"})
    assert "canary-9d2e" not in repr(seal_calls(lost, trail_of(nameless).changes, key))
    # What a stack that was read declares, and what lies in another account, stays legible.
    half = Snapshot("declared", END, (queue(),), lost.gaps)
    assert seal_alike(half, live(seen), key) == live(seen)
    assert seal_calls(half, trail_of(record()).changes, key) == trail_of(record()).changes
    other = Snapshot("declared", END, gaps=(Gap(Scope("999999999999"), "state: denied"),))
    assert seal_alike(other, live(seen), key) == live(seen)
    assert seal_calls(other, trail_of(nameless).changes, key) == trail_of(nameless).changes


def test_two_stacks_with_one_address_need_a_ticket_that_says_which() -> None:
    other = replace(queue(), key=replace(QUEUE_KEY, account="999999999999"), stack="dev")
    named = ticket(scope=TicketScope(addresses=("aws_sqs_queue.orders",)))
    found = passes(declared=[queue(), other], seen=[SLOW], records=[CLAIMED], tickets=[named])
    assert [finding.verdict.failed for finding in found.findings] == [("scope",)]


ROLE = in_role("deploy", "x", "ASIADEPLOY")
DELIVERED = [
    assume(user(), "deploy", "x", "ASIADEPLOY", at="09:00:00", sourceIdentity="erik@acme.example"),
    record(at="09:30:00", userIdentity=ROLE),
    record(at="10:00:00", requestParameters={"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "7"}}),
    record(at="11:00:00", userIdentity=ROLE),
    record(at="11:00:00", requestParameters={"queueUrl": QUEUE, "attributes": {"DelaySeconds": "1"}}),
    record(at="11:30:00", errorCode="AccessDenied"),
    record("StopLogging", "cloudtrail", at="12:00:00", requestParameters={"name": "t"}),
    record("StartLogging", "cloudtrail", at="12:20:00", requestParameters={"name": "t"}),
    record("DeleteQueue", at="13:00:00", requestParameters={"queueUrl": f"{QUEUE}-2"}),
]


def told(records: list[dict[str, Any]]) -> Any:
    found = passes(declared=[queue(), group()], seen=[SLOW, group(), rule(22)], accepted=[queue()], records=records)
    return found.findings, found.violations, found.actions, found.gaps, found.status


PERFECT = told(DELIVERED)


@settings(max_examples=25, deadline=None)
@given(st.permutations(DELIVERED), st.lists(st.sampled_from(DELIVERED), max_size=6))
def test_reordered_and_doubled_delivery_gives_the_same_findings(
    order: list[dict[str, Any]], twice: list[dict[str, Any]]
) -> None:
    assert told([*twice, *order, *twice]) == PERFECT


def test_the_delivered_story_has_findings_of_every_sort() -> None:
    findings, violations, actions, gaps, status = PERFECT
    assert status == "violations"
    assert len(gaps) == 1
    assert {one.key.type for one in findings} == {"aws_sqs_queue", "aws_security_group", "aws_cloudtrail"}
    assert any(one.candidates for one in findings)
    assert violations
    assert actions


def test_what_an_emergency_made_in_no_stack_keeps_its_case() -> None:
    """Documented and accepted, and still there: whether or not the stacks are said to be all there are."""
    url, arn = QUEUE.replace("orders", "backdoor"), QUEUE_ARN.replace("orders", "backdoor")
    attributes = {"arn": arn, "url": url, "id": url, "name": "backdoor", "visibility_timeout_seconds": 30}
    made = replace(queue(), key=replace(QUEUE_KEY, id=arn), attributes=attributes, identifiers=(url, arn, "backdoor"))
    role = in_role("break-glass", "dana@acme.example", "ASIAEMERGENCY")
    calls = [
        assume(user(), "break-glass", "dana@acme.example", "ASIAEMERGENCY", at="11:59:00"),
        record(
            "CreateQueue",
            userIdentity=role,
            requestParameters={"queueName": "backdoor"},
            responseElements={"queueUrl": url},
        ),
    ]
    sides: dict[str, Any] = {
        "declared": [queue()],
        "seen": [queue(), made],
        "accepted": [queue()],
        "records": calls,
        "complete": False,
    }
    first = passes(**sides, breakglass=BREAK_GLASS)
    (opened,) = first.actions
    assert isinstance(opened, Open)
    said, judged = (Proof(who, "signature", END, END, who) for who in ("dana", "sam"))
    documented = Document("d1", opened.case.key, said, "why", "INC-1", "a queue", "the on-call", "revert")
    accepted = Review("r1", opened.case.key, replace(judged, received_at=END + timedelta(minutes=1)), True, "fine")
    known = Known(
        cases=(replace(opened.case, ticket="T-1"),),
        first_seen={one.id: END for one in first.findings},
        keys={one.id: one.key for one in first.findings},
    )
    later = passes(
        **sides,
        breakglass=replace(BREAK_GLASS, declarations=(documented, accepted)),
        known=known,
        now=END + timedelta(minutes=10),
    )
    assert [one.verdict.outcome for one in later.findings] == ["authorised-emergency"]
    assert [(type(one), one.case.stage) for one in later.actions if not isinstance(one, Held)] == [(Update, "way-back")]
