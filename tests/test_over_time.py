"""Several scans of one estate: what was accepted, what is remembered, and what a hand change cannot slip through."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from line import END, GROUP_KEY, QUEUE_KEY, group, live, passes, queue, rule, ticket
from trail_records import ACCOUNT, QUEUE, record, trail_of

from agent.declared.sensitive import seal_alike, seal_calls
from agent.model import Gap, Scope, Secret, Snapshot, TicketScope
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
    trail = seal_calls(side, trail_of(record()), key)
    (touch,) = trail.changes[0].touches
    assert isinstance(touch.sets["visibility_timeout_seconds"], Secret)
    assert trail.changes[0].request == {}
    assert seal_calls(Snapshot("declared", END, (queue(),)), trail_of(record()), key) == trail_of(record())
    # Sealed on both sides, the call still explains what is live.
    assert touch.sets["visibility_timeout_seconds"] == seal(key, "60")


def test_what_a_stack_that_was_not_read_may_call_sensitive_is_sealed_whole() -> None:
    key = b"k" * 32
    lost = Snapshot("declared", END, gaps=(Gap(Scope(ACCOUNT), "state: denied"),))
    seen = queue(tags_all={"token": "canary-9d2e"}, policy="canary-9d2e")
    shut = seal_alike(lost, live(seen), key)
    assert "canary-9d2e" not in repr(shut)
    assert shut.resources[0].key == QUEUE_KEY
    calls = seal_calls(
        lost, trail_of(record(requestParameters={"queueUrl": QUEUE, "attributes": {"Policy": "canary-9d2e"}})), key
    )
    assert "canary-9d2e" not in repr(calls)
    nameless = record("CreateThing", "ec2", requestParameters={"note": "canary-9d2e"})
    assert "canary-9d2e" not in repr(seal_calls(lost, trail_of(nameless), key))
    # What a stack that was read declares, and what lies in another account, stays legible.
    half = Snapshot("declared", END, (queue(),), lost.gaps)
    assert seal_alike(half, live(seen), key) == live(seen)
    assert seal_calls(half, trail_of(record()), key) == trail_of(record())
    other = Snapshot("declared", END, gaps=(Gap(Scope("999999999999"), "state: denied"),))
    assert seal_alike(other, live(seen), key) == live(seen)
    assert seal_calls(other, trail_of(nameless), key) == trail_of(nameless)


def test_two_stacks_with_one_address_need_a_ticket_that_says_which() -> None:
    other = replace(queue(), key=replace(QUEUE_KEY, account="999999999999"), stack="dev")
    named = ticket(scope=TicketScope(addresses=("aws_sqs_queue.orders",)))
    found = passes(declared=[queue(), other], seen=[SLOW], records=[CLAIMED], tickets=[named])
    assert [finding.verdict.failed for finding in found.findings] == [("scope",)]
