"""Which change explains which drift; and the honest answer where none does."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from line import GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, SPECS, group, live, queue, rule
from trail_records import ACCOUNT, END, QUEUE, REGION, START, record, trail_of

from agent.attribute import THRESHOLD, Attributed, attribute, finding_id, rank
from agent.compare import compare
from agent.model import (
    Actor,
    Candidate,
    Change,
    Drift,
    Finding,
    Key,
    Resource,
    Snapshot,
    Touch,
    Trail,
    Unknown,
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
        sets("VisibilityTimeout", "90", "12:40:00"),
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
    assert finding.unexplained == "actor unknown: no call in the trail explains it"
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
    found = attributed([], [], [record("CreateKeyPair", "ec2", requestParameters={"keyName": "x"})])
    assert found.findings == ()
    assert [change.action for change in found.unresolved] == ["ec2:CreateKeyPair"]
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
    assert {one.why for one in by_key[GROUP_KEY].candidates} == {"deleted it"}


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


def change(*touches: Touch, minute: int = 0, targets: tuple[Key, ...] = (QUEUE_KEY,)) -> Change:
    return Change(
        (f"e{minute}",),
        NOON + timedelta(minutes=minute),
        "sqs:X",
        Actor("dana", "person"),
        "sdk",
        ACCOUNT,
        REGION,
        touches,
        targets,
    )


def test_scores_by_what_the_record_shows() -> None:
    drift = Drift(QUEUE_KEY, "changed", "visibility_timeout_seconds", 30, 60)

    def score(act: Any = "update", **asked: Any) -> tuple[float, str]:
        found = rank(drift, [change(Touch("aws_sqs_queue", (QUEUE,), act, asked))], SPECS)
        return (found[0].score, found[0].why) if found else (0.0, "")

    assert score(visibility_timeout_seconds=60) == (0.95, "set visibility_timeout_seconds to the value that is live")
    assert score(visibility_timeout_seconds=Unknown("masked"))[0] == 0.7
    assert score() == (0.4, "updated the resource; the record does not say which attribute")
    assert score("create") == (0.4, "created the resource")
    assert score(visibility_timeout_seconds=9)[0] == 0.2
    assert score(delay_seconds=60) == (0.0, "")
    assert rank(drift, [change(Touch("aws_sns_topic", (QUEUE,)))], SPECS) == ()


def test_scores_of_what_came_or_went() -> None:
    there = Drift(QUEUE_KEY, "unmanaged", live={"a": 1})
    gone = Drift(QUEUE_KEY, "missing", declared={"a": 1})

    def why(drift: Drift, act: Any, type_: str = "aws_sqs_queue") -> str:
        found = rank(drift, [change(Touch(type_, (QUEUE,), act))], SPECS)
        return found[0].why if found else ""

    assert (why(there, "create"), why(there, "update"), why(there, "delete")) == ("created it", "wrote it", "")
    assert (why(gone, "delete"), why(gone, "create"), why(gone, "update")) == ("deleted it", "", "")
    assert why(gone, "delete", "aws_sns_topic") == ""
    part = Drift(GROUP_KEY, "changed", "ingress", live={"a": 1}, part=rule(22).key)
    made = change(Touch("aws_security_group", (GROUP_KEY.id,), "create"), targets=(GROUP_KEY,))
    assert [one.why for one in rank(part, [made], SPECS)] == ["created the resource it belongs to"]


def test_tags_are_explained_by_a_call_that_names_some_of_them() -> None:
    drift = Drift(QUEUE_KEY, "changed", "tags_all", {"a": "1"}, {"a": "1", "b": "2"})
    named = change(Touch("aws_sqs_queue", (QUEUE,), sets={"tags_all": {"b": "2"}}))
    other = change(Touch("aws_sqs_queue", (QUEUE,), sets={"tags_all": {"c": "3"}}), minute=1)
    none = change(Touch("aws_sqs_queue", (QUEUE,), sets={"tags_all": {}}), minute=2)
    assert [one.score for one in rank(drift, [named, other, none], SPECS)] == [0.95, 0.2, 0.2]


def test_among_equals_the_newest_comes_first() -> None:
    drift = Drift(QUEUE_KEY, "changed", "visibility_timeout_seconds", 30, 60)
    touch = Touch("aws_sqs_queue", (QUEUE,), sets={"visibility_timeout_seconds": "60"})
    ranked = rank(drift, [change(touch, minute=n) for n in (1, 3, 2)], SPECS)
    assert [one.change.event_ids for one in ranked] == [("e3",), ("e2",), ("e1",)]


def test_one_change_is_one_candidate_with_its_best_score() -> None:
    seen = queue(visibility_timeout_seconds=60, delay_seconds=5)
    both = record(requestParameters={"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "60", "DelaySeconds": "9"}})
    finding = the(attributed([queue(delay_seconds=0)], [seen], [both]))
    assert [one.score for one in finding.candidates] == [0.95]
    assert finding.unexplained != ""


@given(st.permutations(["1", "2", "60", "3"]))
def test_the_order_of_events_in_the_trail_never_matters(values: list[str]) -> None:
    stamps = {"1": "12:01:00", "2": "12:02:00", "60": "12:03:00", "3": "12:04:00"}
    records = [sets("VisibilityTimeout", value, stamps[value]) for value in values]
    candidates = the(attributed([queue()], [SLOW], records)).candidates
    assert [one.score for one in candidates] == [0.95, 0.2, 0.2, 0.2]
    assert isinstance(candidates[0], Candidate)


def test_the_id_of_a_finding_depends_on_its_resource_alone() -> None:
    assert finding_id(QUEUE_KEY) == finding_id(replace(QUEUE_KEY))
    assert finding_id(QUEUE_KEY) != finding_id(replace(QUEUE_KEY, id=QUEUE_ARN + "2"))


def test_a_part_whose_name_does_not_read_stays_its_own() -> None:
    odd = Key(ACCOUNT, REGION, "aws_security_group_rule", "sgr-0123")
    touched = change(Touch("aws_security_group_rule", ("sgr-0123",)), targets=())
    found = attribute([], Trail(START, END, (touched,)), (), {}, SPECS)
    assert the(found).key == odd
