"""Which change explains which drift; and the honest answer where none does."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line import GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, SPECS, group, live, queue, rule
from trail_records import ACCOUNT, END, QUEUE, REGION, START, record, trail_of

from agent.attribute import Attributed, attribute, finding_id
from agent.compare import compare
from agent.explain import THRESHOLD
from agent.model import (
    GLOBAL,
    Actor,
    Change,
    Drift,
    Finding,
    Key,
    Resource,
    Snapshot,
    Touch,
    Trail,
)


def attributed(declared: list[Resource], seen: list[Resource], records: list[dict], **since: Any) -> Attributed:
    side = Snapshot("declared", END, tuple(declared))
    found = compare(side, live(*seen), {}, SPECS)
    trail = trail_of(record("GetQueueAttributes", at="08:00:00", readOnly=True), *records, specs=SPECS)
    return attribute(found.drifts, trail, (*declared, *live(*seen).resources), since.get("clean", {}), SPECS)


def the(found: Attributed) -> Finding:
    (finding,) = found.findings
    return finding


def sets(name: str, value: str, at: str = "12:00:00") -> dict:
    return record(at=at, requestParameters={"queueUrl": QUEUE, "attributes": {name: value}})


SLOW = queue(visibility_timeout_seconds=60)


def test_the_call_that_set_what_is_live_explains_it() -> None:
    finding = the(attributed([queue()], [SLOW], [sets("VisibilityTimeout", "60")]))
    (candidate,) = finding.candidates
    assert candidate.score > 0.9
    assert candidate.why == "set visibility_timeout_seconds to the value that is live"
    assert finding.unexplained == ""


def test_decoys_on_the_same_resource_explain_nothing() -> None:
    decoys = [
        sets("DelaySeconds", "60", "12:30:00"),
        sets("VisibilityTimeout", "90", "12:10:00"),
        record("TagQueue", at="12:50:00", requestParameters={"queueUrl": QUEUE, "tags": {"x": "60"}}),
    ]
    finding = the(attributed([queue()], [SLOW], decoys))
    assert [(one.score, one.why) for one in finding.candidates] == [
        (0.2, "set visibility_timeout_seconds to another value")
    ]
    assert finding.candidates[0].score < THRESHOLD
    assert finding.unexplained.startswith("actor unknown: before the trail's window")
    right = the(attributed([queue()], [SLOW], [sets("VisibilityTimeout", "60", "12:20:00"), *decoys]))
    assert right.candidates[0].change.time == NOON + timedelta(minutes=20)


def test_what_was_done_before_the_resource_was_last_clean_explains_nothing() -> None:
    clean = {"clean": {QUEUE_KEY: NOON + timedelta(minutes=1)}}
    finding = the(attributed([queue()], [SLOW], [sets("VisibilityTimeout", "60")], **clean))
    assert finding.candidates == ()
    assert finding.verdict.outcome == "pending"
    assert len(finding.changes) == 1


def test_an_event_of_the_very_second_of_the_reading_may_have_come_after_it() -> None:
    clean = {"clean": {QUEUE_KEY: NOON + timedelta(milliseconds=900)}}
    assert the(attributed([queue()], [SLOW], [sets("VisibilityTimeout", "60")], **clean)).unexplained == ""


def test_a_resource_in_another_region_is_another_resource() -> None:
    found = attributed([queue()], [queue()], [record(awsRegion="us-west-2")])
    assert [finding.key.region for finding in found.findings] == ["us-west-2"]


def test_what_neither_side_has_gets_a_key_from_its_call() -> None:
    gone = record("DeleteQueue", requestParameters={"queueUrl": QUEUE + "-old"})
    finding = the(attributed([], [], [gone]))
    assert finding.key == replace(QUEUE_KEY, id=QUEUE + "-old")


def test_a_call_on_no_known_type_is_unresolved_and_kept() -> None:
    found = attributed([], [], [record("CreateThing", "quicksight", requestParameters={"name": "x"})])
    assert found.findings == ()
    assert [change.action for change in found.unresolved] == ["quicksight:CreateThing"]
    assert len(found.changes) == 1


def permission(port: int, cidr: str = "0.0.0.0/0", name: str = "AuthorizeSecurityGroupIngress", **more: Any) -> dict:
    items = [{"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipRanges": {"items": [{"cidrIp": cidr}]}}]
    return record(name, "ec2", requestParameters={"groupId": GROUP_KEY.id, "ipPermissions": {"items": items}}, **more)


def test_a_part_nobody_declares_is_its_parents_story() -> None:
    finding = the(attributed([group()], [group(), rule(22)], [permission(22)]))
    assert (finding.key, finding.address) == (GROUP_KEY, "aws_security_group.web")
    assert finding.candidates[0].why == "created it"


def test_a_declared_part_has_a_story_of_its_own() -> None:
    child = replace(rule(22), address="aws_security_group_rule.ssh", stack="shop")
    found = attributed([group(), child], [group()], [permission(22, name="RevokeSecurityGroupIngress")])
    assert [(one.address, one.candidates[0].why) for one in found.findings] == [
        ("aws_security_group_rule.ssh", "deleted it")
    ]


def test_a_part_written_inside_its_parent_is_the_parents() -> None:
    inside = replace(rule(443), address=group().address, stack="shop")
    finding = the(attributed([group(), inside], [group()], [permission(443, name="RevokeSecurityGroupIngress")]))
    assert finding.key == GROUP_KEY


def test_a_part_added_and_removed_again_is_told_with_its_parent() -> None:
    records = [permission(22), permission(22, name="RevokeSecurityGroupIngress", at="12:01:00")]
    found = attributed([group()], [group()], records)
    assert the(found).key == GROUP_KEY
    assert [(one.key, one.parent) for one in found.gone] == [(rule(22).key, GROUP_KEY)]


def test_a_part_of_a_parent_nobody_knows_belongs_to_the_parents_name() -> None:
    assert the(attributed([], [], [permission(22)])).key == GROUP_KEY


def test_deleting_the_parent_explains_its_missing_parts() -> None:
    inside = replace(rule(443), address=group().address, stack="shop")
    deleted = record("DeleteSecurityGroup", "ec2", requestParameters={"groupId": GROUP_KEY.id})
    found = attributed([group(), inside], [], [deleted])
    by_key = {finding.key: finding for finding in found.findings}
    assert [one.why for one in by_key[GROUP_KEY].candidates] == ["deleted it; deleted the resource it belongs to"]


def test_a_rule_changed_by_its_id_explains_the_rule_that_went() -> None:
    inside = replace(rule(443), address=group().address, stack="shop")
    asked = {
        "ModifySecurityGroupRulesRequest": {
            "GroupId": GROUP_KEY.id,
            "SecurityGroupRule": {
                "SecurityGroupRuleId": "sgr-0aaaaaaaaaaaaaaaa",
                "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0"},
            },
        }
    }
    edited = record("ModifySecurityGroupRules", "ec2", requestParameters=asked)
    finding = the(attributed([group(), inside], [group(), rule(22)], [edited]))
    assert (finding.key, finding.unexplained) == (GROUP_KEY, "")


def test_one_change_is_one_candidate_with_its_best_score() -> None:
    seen = queue(visibility_timeout_seconds=60, delay_seconds=5)
    both = record(requestParameters={"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "60", "DelaySeconds": "9"}})
    finding = the(attributed([queue(delay_seconds=0)], [seen], [both]))
    assert [one.score for one in finding.candidates] == [0.95]
    assert finding.unexplained != ""


@given(st.permutations(["1", "2", "60", "3"]))
def test_the_order_of_events_in_the_trail_never_matters(values: list[str]) -> None:
    stamps = {"1": "12:01:00", "2": "12:02:00", "3": "12:03:00", "60": "12:04:00"}
    records = [sets("VisibilityTimeout", value, stamps[value]) for value in values]
    candidates = the(attributed([queue()], [SLOW], records)).candidates
    assert [one.score for one in candidates] == [0.95, 0.2, 0.2, 0.2]
    assert candidates[0].change.time == NOON + timedelta(minutes=4)


def test_the_id_of_a_finding_depends_on_its_resource_alone() -> None:
    assert finding_id(QUEUE_KEY) == finding_id(replace(QUEUE_KEY))
    assert finding_id(QUEUE_KEY) != finding_id(replace(QUEUE_KEY, id=QUEUE_ARN + "2"))


def calls(*touches: Touch, minute: int = 0, by: str = "dana", session: str = "", action: str = "sqs:X") -> Change:
    """One call, its targets unknown as yet."""
    who = Actor(by, "person")
    at = NOON + timedelta(minutes=minute)
    return Change((f"e{minute}",), at, action, who, "sdk", ACCOUNT, REGION, touches, session=session)


def test_a_part_whose_name_does_not_read_stays_its_own() -> None:
    odd = Key(ACCOUNT, REGION, "aws_security_group_rule", "sgr-0123")
    touched = calls(Touch("aws_security_group_rule", ("sgr-0123",)))
    found = attribute([], Trail(START, END, (touched,)), (), {}, SPECS)
    assert the(found).key == odd


# --- types that nobody compares ------------------------------------------------------------------------------

LB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/web/0123456789abcdef"
LB_KEY = Key(ACCOUNT, REGION, "aws_lb", LB)
NAMED = Resource(LB_KEY, {}, (LB, "web"), address="aws_lb.web", stack="shop", owner="@acme/web")
NOT_COMPARED = "aws_lb is not compared: only the calls on it are known"


def told(*made: Change, resources: tuple[Resource, ...] = (), drifts: tuple[Drift, ...] = ()) -> Attributed:
    return attribute(drifts, Trail(START, END, made), resources, {}, SPECS)


def test_a_change_of_a_declared_resource_that_nobody_compares_is_told_with_its_address() -> None:
    touched = Touch("aws_lb", (LB,), sets={})
    finding = the(told(calls(touched), resources=(NAMED,)))
    assert (finding.key, finding.address, finding.stack, finding.owner) == (LB_KEY, "aws_lb.web", "shop", "@acme/web")
    assert (finding.drifts, finding.unexplained, finding.notes) == ((), "", (NOT_COMPARED,))
    assert finding.changes[0].change.targets == (LB_KEY,)


def test_what_nobody_declares_and_nobody_compares_has_its_name_and_its_region() -> None:
    (balancer,) = told(calls(Touch("aws_lb", ("app/x",), "create"))).findings
    assert (balancer.key, balancer.address) == (Key(ACCOUNT, REGION, "aws_lb", "app/x"), "")
    (user,) = told(calls(Touch("aws_iam_user", ("marco",), "create"))).findings
    assert user.key == Key(ACCOUNT, GLOBAL, "aws_iam_user", "marco")


def test_a_call_that_names_nothing_is_kept_without_a_target() -> None:
    found = told(calls(Touch("aws_lb", ())), calls(minute=1))
    assert (found.findings, len(found.unresolved), found.gone) == ((), 2, ())


def test_the_call_s_own_spelling_counts_before_what_is_derived_from_it() -> None:
    """`parameter/a/b` is spelt `b` too, which may be another parameter."""
    deep, flat = (Key(ACCOUNT, REGION, "aws_ssm_parameter", name) for name in ("/a/b", "b"))
    resources = (Resource(deep, {}, ("arn:x:parameter/a/b",)), Resource(flat, {}))
    touched = calls(Touch("aws_ssm_parameter", ("arn:x:parameter/a/b", "b", "/a/b")))
    assert told(touched, resources=resources).changes[0].targets == (deep,)


# --- parts ---------------------------------------------------------------------------------------------------


def test_what_is_declared_by_itself_went_with_its_parent() -> None:
    child = replace(rule(22), address="aws_security_group_rule.ssh", stack="shop")
    deleted = record("DeleteSecurityGroup", "ec2", requestParameters={"groupId": GROUP_KEY.id})
    found = attributed([group(), child], [], [deleted])
    assert [(one.address, one.candidates[0].why, one.unexplained) for one in found.findings] == [
        ("aws_security_group.web", "deleted it", ""),
        ("aws_security_group_rule.ssh", "deleted the resource it belongs to", ""),
    ]


def test_an_attribute_of_a_part_written_inside_its_parent_has_its_calls() -> None:
    inside = replace(rule(443), address=group().address, stack="shop")
    seen = replace(rule(443), attributes={**rule(443).attributes, "description": "by hand"})
    items = [{"ipProtocol": "tcp", "fromPort": 443, "toPort": 443}]
    items[0] |= {"ipRanges": {"items": [{"cidrIp": "0.0.0.0/0", "description": "by hand"}]}}
    described = record(
        "UpdateSecurityGroupRuleDescriptionsIngress",
        "ec2",
        requestParameters={"groupId": GROUP_KEY.id, "ipPermissions": {"items": items}},
    )
    finding = the(attributed([group(), inside], [group(), seen], [described]))
    assert (finding.key, finding.candidates[0].score) == (rule(443).key, 0.95)


# --- several calls, one explanation --------------------------------------------------------------------------

BOTH = (
    Drift(QUEUE_KEY, "changed", "visibility_timeout_seconds", 30, 60),
    Drift(QUEUE_KEY, "changed", "delay_seconds", 0, 5),
)
FIRST = Touch("aws_sqs_queue", (QUEUE,), sets={"visibility_timeout_seconds": 60})
SECOND = Touch("aws_sqs_queue", (QUEUE,), sets={"delay_seconds": 5})


def explained(*made: Change, drifts: tuple[Drift, ...] = BOTH) -> Finding:
    return the(told(*made, resources=(queue(),), drifts=drifts))


def test_two_calls_of_one_session_that_each_explain_a_part_are_one_explanation() -> None:
    both = (calls(FIRST, session="ASIA1", action="sqs:A"), calls(SECOND, minute=1, session="ASIA1", action="sqs:B"))
    finding = explained(*both)
    assert {one.change.event_ids: one.together for one in finding.candidates} == {
        ("e0",): (("e1",),),
        ("e1",): (("e0",),),
    }
    assert finding.notes == ("one explanation: 2 calls by dana, 2026-03-02 12:00:00 to 12:01:00 UTC: sqs:A, sqs:B",)
    assert finding.unexplained == ""


@pytest.mark.parametrize(
    "second",
    [
        calls(SECOND, minute=16, session="ASIA1"),
        calls(SECOND, minute=1, session="ASIA2"),
        calls(SECOND, minute=1, session="ASIA1", by="marco"),
    ],
)
def test_later_calls_and_those_of_others_are_explanations_of_their_own(second: Change) -> None:
    finding = explained(calls(FIRST, session="ASIA1"), second)
    assert ({one.together for one in finding.candidates}, finding.notes) == ({()}, ())
    assert finding.unexplained == ""


def test_a_call_that_explains_nothing_belongs_to_no_explanation() -> None:
    idle = calls(Touch("aws_sqs_queue", (QUEUE,)), minute=2, session="ASIA1")
    finding = explained(calls(FIRST, session="ASIA1"), calls(SECOND, minute=1, session="ASIA1"), idle)
    assert {one.change.event_ids[0]: len(one.together) for one in finding.candidates} == {"e0": 1, "e1": 1, "e2": 0}


def test_one_call_that_explains_both_says_so() -> None:
    whole = Touch("aws_sqs_queue", (QUEUE,), sets={**FIRST.sets, **SECOND.sets})
    (candidate,) = explained(calls(whole)).candidates
    assert candidate.why == (
        "set delay_seconds to the value that is live; set visibility_timeout_seconds to the value that is live"
    )
    assert candidate.together == ()


def test_a_revoke_and_an_authorise_are_one_explanation() -> None:
    inside = replace(rule(443), address=group().address, stack="shop")
    records = [permission(443, name="RevokeSecurityGroupIngress"), permission(22, at="12:01:00")]
    finding = the(attributed([group(), inside], [group(), rule(22)], records))
    assert [one.why for one in finding.candidates] == ["created it", "deleted it"]
    assert [len(one.together) for one in finding.candidates] == [1, 1]


def test_of_several_who_may_have_removed_a_part_the_one_who_added_another_is_believed() -> None:
    inside = replace(rule(443), address=group().address, stack="shop")
    drifts = compare(Snapshot("declared", END, (group(), inside)), live(group(), rule(22)), {}, SPECS).drifts
    unnamed = [Touch(rule(22).key.type, (f"{GROUP_KEY.id}|||||sgr-{n}",), "delete") for n in range(2)]
    added = Touch(rule(22).key.type, (rule(22).key.id,), "create")
    resources = (group(), inside, rule(22))
    doubtful = (calls(unnamed[0]), calls(unnamed[1], minute=1, by="marco"))
    finding = the(told(*doubtful, resources=resources, drifts=drifts))
    assert finding.candidates[0].score < THRESHOLD
    finding = the(told(doubtful[1], calls(unnamed[0], added), resources=resources, drifts=drifts))
    assert finding.unexplained == ""
    assert {one.change.event_ids[0]: one.score for one in finding.candidates} == {"e0": 0.95, "e1": 0.45}


# --- in general ----------------------------------------------------------------------------------------------


@given(st.data())
def test_neither_order_nor_doubles_in_the_trail_matter(data: st.DataObject) -> None:
    names = st.sampled_from([(QUEUE,), (QUEUE_ARN,), ("orders",), ("strange",)])
    sets = st.sampled_from([{}, dict(FIRST.sets), dict(SECOND.sets), {"delay_seconds": 9}, {**FIRST.sets, "x": 1}])
    acts = st.sampled_from(["create", "update", "update", "delete"])
    touches = st.lists(st.builds(Touch, st.just("aws_sqs_queue"), names, acts, sets), max_size=2)
    people = st.sampled_from(["dana", "marco"])
    made = [
        replace(
            calls(*data.draw(touches), minute=data.draw(st.integers(0, 20)), by=data.draw(people)), event_ids=(f"e{n}",)
        )
        for n in range(data.draw(st.integers(0, 6)))
    ]
    found = told(*made, resources=(queue(),), drifts=BOTH)
    doubled = [*made, *(data.draw(st.lists(st.sampled_from(made), max_size=3)) if made else [])]
    again = told(*data.draw(st.permutations(doubled)), resources=(queue(),), drifts=BOTH)
    assert again.findings == found.findings
    assert {one.event_ids: one for one in again.changes} == {one.event_ids: one for one in found.changes}
    assert found.explained == tuple(one for one in found.findings if one.drifts)
