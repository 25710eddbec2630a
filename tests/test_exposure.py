"""`agent.exposure`: what differences and calls mean for security, on the real resource specs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.exposure import effect
from agent.exposure.grants import added, is_public, lifted
from agent.exposure.turns import Signal
from agent.model import Actor, Change, Drift, Key, Touch, Unknown
from agent.resources import load

SPECS = load()
ACCOUNT, REGION = "111122223333", "eu-west-1"
OPEN_RULE = "sg-1|ingress|tcp|22|22|0.0.0.0/0"


def key(type_: str, id_: str = "it") -> Key:
    return Key(ACCOUNT, REGION, type_, id_)


def changed(type_: str, attribute: str, declared: Any, live: Any) -> Drift:
    return Drift(key(type_), "changed", attribute, declared, live)


def call(action: str, *touches: Touch) -> Change:
    actor = Actor("dana", "person")
    return Change(("e1",), datetime(2026, 1, 2, tzinfo=UTC), action, actor, "console", ACCOUNT, REGION, touches=touches)


def public(*drifts: Drift, change: Change | None = None, unexplained: str = "") -> Signal:
    subject = drifts[0].key if drifts else key("aws_security_group")
    return effect(subject, drifts, change, SPECS, unexplained).public


def weakened(*drifts: Drift, change: Change | None = None, type_: str = "") -> Signal:
    return effect(drifts[0].key if drifts else key(type_), drifts, change, SPECS).weakened


def privilege(*drifts: Drift, change: Change | None = None, type_: str = "") -> Signal:
    return effect(drifts[0].key if drifts else key(type_), drifts, change, SPECS).privilege


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", principal: Any = None, **more: Any) -> dict[str, Any]:
    who = {} if principal is None else {"Principal": principal}
    return {"Effect": "Allow", "Action": action, "Resource": resource, **who, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


# --- security group rules ------------------------------------------------------------------------------------


def rule_added(rule: str, **live: Any) -> Drift:
    part = key("aws_security_group_rule", rule)
    return Drift(key("aws_security_group", "sg-1"), "changed", "ingress", live={"description": "", **live}, part=part)


@pytest.mark.parametrize(
    ("rule", "evidence"),
    [
        (OPEN_RULE, "admits 0.0.0.0/0 to tcp 22"),
        ("sg-1|ingress|tcp|8000|9000|::/0", "admits ::/0 to tcp 8000-9000"),
        ("sg-1|ingress|-1|0|0|128.0.0.0/1", "admits 128.0.0.0/1 to -1 0"),
    ],
)
def test_a_rule_for_the_world_is_public(rule: str, evidence: str) -> None:
    assert Signal(("yes",), evidence) == public(rule_added(rule))


@pytest.mark.parametrize(
    "rule",
    [
        "sg-1|egress|-1|0|0|0.0.0.0/0",
        "sg-1|ingress|tcp|22|22|10.0.0.0/8",
        "sg-1|ingress|tcp|22|22|203.0.113.7/32",
        "sg-1|ingress|tcp|22|22|sg-2",
        "sg-1|ingress|tcp|22|22|pl-63a5400a",
    ],
)
def test_other_rules_are_not(rule: str) -> None:
    assert Signal(("no",)) == public(rule_added(rule, description="0.0.0.0/0"))


def test_a_rule_taken_away_opens_nothing() -> None:
    part = key("aws_security_group_rule", OPEN_RULE)
    gone = Drift(key("aws_security_group", "sg-1"), "changed", "ingress", declared={}, live=None, part=part)
    assert Signal(("no",)) == public(gone)


def test_a_call_that_opened_and_was_undone_is_public() -> None:
    opened = Touch("aws_security_group_rule", (OPEN_RULE,), "create", {"description": ""})
    assert public(change=call("ec2:AuthorizeSecurityGroupIngress", opened)).value == ("yes",)


def test_a_rule_changed_by_its_id_says_what_it_admits_or_is_not_known() -> None:
    now_open = Touch("aws_security_group_rule", ("sgr-1",), "create", {"source": "0.0.0.0/0", "protocol": "tcp"})
    unread = Touch("aws_security_group_rule", ("sgr-1",), "create", {"source": Unknown("several")})
    described = Touch("aws_security_group_rule", (OPEN_RULE,), "update", {"description": "0.0.0.0/0"})
    assert public(change=call("ec2:ModifySecurityGroupRules", now_open)).value == ("yes",)
    assert Unknown("which addresses the call admits is not on record") == public(change=call("ec2:X", unread)).value
    assert public(change=call("ec2:UpdateSecurityGroupRuleDescriptionsIngress", described)).value == ("no",)


def test_what_a_call_did_to_other_resources_does_not_count() -> None:
    elsewhere = Touch("aws_s3_bucket_public_access_block", ("b",), "delete")
    nowhere = Touch("aws_unheard_of", ("x",), "update", {"publicly_accessible": True})
    assert public(change=call("x:Y", elsewhere, nowhere)).value == ("no",)


def test_an_undeclared_group_nobody_saw_come_is_not_known_to_be_closed() -> None:
    group = Drift(key("aws_security_group", "sg-1"), "unmanaged", live={"name": "tmp"}, basis="unset")
    queue = Drift(key("aws_sqs_queue"), "unmanaged", live={"policy": ""}, basis="unset")
    made = Touch("aws_security_group", ("sg-1",), "create", {"name": "tmp"})
    assert isinstance(public(group, unexplained="before the trail").value, Unknown)
    assert public(group, change=call("ec2:CreateSecurityGroup", made)).value == ("no",)
    assert public(queue, unexplained="before the trail").value == ("no",)


# --- policies, switches, lists -------------------------------------------------------------------------------

EVERYBODY = allow("s3:GetObject", "arn:aws:s3:::b/*", "*")
ONE_ACCOUNT = allow("s3:GetObject", "arn:aws:s3:::b/*", {"AWS": "444455556666"})


@pytest.mark.parametrize(
    ("declared", "live", "value"),
    [
        (policy(ONE_ACCOUNT), policy(ONE_ACCOUNT, EVERYBODY), ("yes",)),
        ("", policy(EVERYBODY), ("yes",)),
        (policy(EVERYBODY), policy(EVERYBODY, ONE_ACCOUNT), ("no",)),
        (policy(allow(["s3:Get*", "s3:List*"], "*", {"AWS": ["*"]})), policy(EVERYBODY), ("no",)),
        (policy(EVERYBODY), policy(ONE_ACCOUNT), ("no",)),
        (policy(EVERYBODY), "", ("no",)),
    ],
)
def test_only_what_is_newly_public_counts(declared: str, live: str, value: tuple[str, ...]) -> None:
    assert value == public(changed("aws_sqs_queue", "policy", declared, live)).value


def test_an_unreadable_policy_is_not_known_to_be_closed() -> None:
    drift = changed("aws_sqs_queue", "policy", policy(ONE_ACCOUNT), "{not json")
    assert Unknown("the policy document could not be read") == public(drift).value


def test_an_added_bucket_policy_is_read_though_the_bucket_is_the_subject() -> None:
    part = key("aws_s3_bucket_policy", "b")
    drift = Drift(key("aws_s3_bucket", "b"), "changed", "policy", live={"policy": policy(EVERYBODY)}, part=part)
    assert Signal(("yes",), "policy allows everybody") == public(drift)


@pytest.mark.parametrize(
    ("type_", "attribute", "declared", "live", "value"),
    [
        ("aws_db_instance", "publicly_accessible", False, True, ("yes",)),
        ("aws_db_instance", "publicly_accessible", None, "true", ("yes",)),
        ("aws_db_instance", "publicly_accessible", True, False, ("no",)),
        ("aws_db_instance", "publicly_accessible", True, "true", ("no",)),
        ("aws_s3_bucket_public_access_block", "block_public_acls", True, False, ("yes",)),
        ("aws_lb", "internal", True, False, ("yes",)),
        ("aws_s3_bucket_acl", "acl", "private", "public-read", ("yes",)),
        ("aws_s3_bucket_acl", "acl", "public-read", "private", ("no",)),
        ("aws_eks_cluster", "public_access_cidrs", ["198.51.100.0/24"], ["0.0.0.0/0"], ("yes",)),
        ("aws_sqs_queue", "delay_seconds", 0, 5, ("no",)),
    ],
)
def test_switches_and_lists(type_: str, attribute: str, declared: Any, live: Any, value: tuple[str, ...]) -> None:
    assert value == public(changed(type_, attribute, declared, live)).value


def test_grants_to_everybody_are_found_wherever_they_stand() -> None:
    uri = "http://acs.amazonaws.com/groups/global/AllUsers"
    live = [{"grant": [{"grantee": [{"uri": uri, "depth": 1}], "permission": "READ"}]}]
    assert public(changed("aws_s3_bucket_acl", "access_control_policy", [], live)).value == ("yes",)


@pytest.mark.parametrize("attribute", ["publicly_accessible", "acl"])
def test_a_switch_the_record_does_not_show_is_unknown(attribute: str) -> None:
    type_ = "aws_db_instance" if attribute == "publicly_accessible" else "aws_s3_bucket_acl"
    change = call("x:Modify", Touch(type_, ("it",), "update", {attribute: Unknown("not shown")}))
    answer = effect(key(type_), (), change, SPECS).public
    assert Unknown(f"{attribute} as the call set it is not on record") == answer.value


def test_a_lost_public_access_block_opens_and_a_lost_bucket_does_not() -> None:
    gone = Drift(key("aws_s3_bucket_public_access_block"), "missing", declared={"block_public_acls": True})
    assert Signal(("yes",), "the public access block is gone") == public(gone)
    assert public(Drift(key("aws_s3_bucket"), "missing", declared={})).value == ("no",)


def test_a_public_access_block_deleted_and_made_again_was_open_in_between() -> None:
    touch = Touch("aws_s3_bucket_public_access_block", ("b",), "delete")
    change = call("s3:DeleteBucketPublicAccessBlock", touch)
    assert effect(key("aws_s3_bucket", "b"), (), change, SPECS).public.value == ("yes",)


def test_what_is_merely_not_applied_means_nothing() -> None:
    unapplied = Drift(key("aws_db_instance"), "unapplied", "publicly_accessible", False, True)
    assert public(unapplied).value == ("no",)


# --- protection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "attribute", "declared", "live", "value"),
    [
        ("aws_sqs_queue", "kms_master_key_id", "alias/orders", "", ("encryption",)),
        ("aws_sqs_queue", "kms_master_key_id", "alias/orders", None, ("encryption",)),
        ("aws_sqs_queue", "kms_master_key_id", "alias/orders", "alias/other", ("none",)),
        ("aws_sqs_queue", "kms_master_key_id", "", "alias/orders", ("none",)),
        ("aws_db_instance", "storage_encrypted", True, False, ("encryption",)),
        ("aws_kms_key", "enable_key_rotation", "true", "false", ("encryption",)),
        ("aws_kms_key", "enable_key_rotation", False, True, ("none",)),
        ("aws_dynamodb_table", "server_side_encryption", [{"enabled": True}], [], ("encryption",)),
        ("aws_cloudwatch_log_group", "retention_in_days", 365, 7, ("logging",)),
        ("aws_cloudwatch_log_group", "retention_in_days", 0, 365, ("logging",)),
        ("aws_cloudwatch_log_group", "retention_in_days", 7, 0, ("none",)),
        ("aws_cloudwatch_log_group", "retention_in_days", 7, "30", ("none",)),
        ("aws_db_instance", "backup_retention_period", 7, 0, ("retention",)),
        ("aws_db_instance", "backup_retention_period", "seven", 1, ("none",)),
        ("aws_sqs_queue", "message_retention_seconds", 1209600, 60, ("retention",)),
        ("aws_dynamodb_table", "point_in_time_recovery", [{"enabled": True}], [{"enabled": False}], ("retention",)),
        ("aws_s3_bucket_versioning", "versioning_configuration", [{"status": "Enabled"}], [{"status": "Suspended"}],
         ("retention",)),
        ("aws_s3_bucket_server_side_encryption_configuration", "rule",
         [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms", "kms_master_key_id": "k"}]}],
         [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256", "kms_master_key_id": ""}]}],
         ("encryption",)),
        ("aws_sqs_queue", "delay_seconds", 9, 0, ("none",)),
    ],
)  # fmt: skip
def test_protections_have_a_direction(
    type_: str, attribute: str, declared: Any, live: Any, value: tuple[str, ...]
) -> None:
    assert value == weakened(changed(type_, attribute, declared, live)).value


def test_the_evidence_says_from_what_to_what() -> None:
    drift = changed("aws_cloudwatch_log_group", "retention_in_days", 365, 7)
    assert Signal(("logging",), "retention_in_days went from 365 to 7") == weakened(drift)


def test_lost_protections_and_what_is_new() -> None:
    key_gone = Drift(key("aws_kms_key"), "missing", declared={})
    queue_gone = Drift(key("aws_sqs_queue"), "missing", declared={})
    new = Drift(key("aws_db_instance"), "unmanaged", live={"storage_encrypted": False})
    assert Signal(("encryption",), "aws_kms_key is gone") == weakened(key_gone)
    assert weakened(queue_gone).value == ("none",)
    assert weakened(new).value == ("none",)


def test_two_protections_are_both_named() -> None:
    drifts = (
        changed("aws_db_instance", "backup_retention_period", 7, 1),
        changed("aws_db_instance", "storage_encrypted", True, False),
    )
    evidence = "backup_retention_period went from 7 to 1; storage_encrypted went from true to false"
    assert Signal(("encryption", "retention"), evidence) == weakened(*drifts)


@pytest.mark.parametrize(
    ("type_", "sets", "value"),
    [
        ("aws_kms_key", {"enable_key_rotation": False}, ("encryption",)),
        ("aws_kms_key", {"enable_key_rotation": True}, ("none",)),
        ("aws_sqs_queue", {"kms_master_key_id": ""}, ("encryption",)),
        ("aws_cloudwatch_log_group", {"retention_in_days": 0}, ("none",)),
        ("aws_cloudwatch_log_group", {"retention_in_days": 7}, "retention_in_days before the call is not on record"),
        ("aws_sqs_queue", {"kms_master_key_id": Unknown("?")}, "kms_master_key_id as the call set it is not on record"),
    ],
)
def test_a_call_without_drift_is_weaker_where_the_record_says_so(type_: str, sets: Any, value: Any) -> None:
    answer = weakened(change=call("x:Set", Touch(type_, ("it",), "update", sets)), type_=type_).value
    assert value == (answer.why if isinstance(answer, Unknown) else answer)


def test_a_call_on_a_drifted_attribute_is_compared_with_what_is_declared() -> None:
    drift = changed("aws_cloudwatch_log_group", "retention_in_days", 365, 400)
    lowered = Touch("aws_cloudwatch_log_group", ("it",), "update", {"retention_in_days": 1})
    silent = Touch("aws_cloudwatch_log_group", ("it",), "update", {"retention_in_days": Unknown("not shown")})
    assert weakened(drift, change=call("logs:PutRetentionPolicy", lowered)).value == ("logging",)
    assert weakened(drift, change=call("logs:PutRetentionPolicy", silent)).value == ("none",)


def test_some_calls_turn_protection_off_by_name() -> None:
    assert Signal(("logging",), "cloudtrail:StopLogging") == weakened(
        change=call("cloudtrail:StopLogging"), type_="aws_cloudtrail"
    )


# --- privilege -----------------------------------------------------------------------------------------------

READ = allow("s3:GetObject", "arn:aws:s3:::b/*")
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}


@pytest.mark.parametrize(
    ("type_", "attribute", "declared", "live", "value"),
    [
        ("aws_iam_policy", "policy", policy(READ), policy(READ, allow("iam:*")), ("raised",)),
        ("aws_iam_policy", "policy", policy(allow("s3:*")), policy(READ), ("same",)),
        ("aws_iam_policy", "policy", policy(READ, deny("s3:*")), policy(READ), ("raised",)),
        ("aws_iam_policy", "policy", policy(READ), policy(READ, deny("s3:*")), ("same",)),
        ("aws_iam_role", "assume_role_policy", policy(TRUST), policy({**TRUST, "Principal": "*"}), ("raised",)),
        ("aws_iam_role", "permissions_boundary", "arn:aws:iam::aws:policy/B", "", ("raised",)),
        ("aws_iam_role", "permissions_boundary", None, "arn:aws:iam::aws:policy/B", ("same",)),
        ("aws_iam_role", "managed_policy_arns", ["a"], ["a", "b"], ("raised",)),
        ("aws_iam_role", "managed_policy_arns", ["a", "b"], "a", ("same",)),
        ("aws_iam_role", "description", "x", "y", ("same",)),
        ("aws_sqs_queue", "policy", policy(ONE_ACCOUNT), policy(allow("sqs:*", "*", {"AWS": "4"})), ("raised",)),
        ("aws_sqs_queue", "delay_seconds", 1, 2, ("same",)),
    ],
)
def test_privileges_have_a_direction(
    type_: str, attribute: str, declared: Any, live: Any, value: tuple[str, ...]
) -> None:
    assert value == privilege(changed(type_, attribute, declared, live)).value


def test_what_nobody_compared_is_unknown() -> None:
    boundary = changed("aws_iam_role", "permissions_boundary", "arn:1", "arn:2")
    broken = changed("aws_iam_policy", "policy", policy(READ), "{")
    listed = changed("aws_iam_role", "managed_policy_arns", Unknown("not read"), ["a"])
    for drift in (boundary, broken, listed):
        assert isinstance(privilege(drift).value, Unknown)


def test_an_attached_policy_is_new_and_a_detached_one_is_less() -> None:
    part = key("aws_iam_role_policy_attachment", "app|arn:aws:iam::aws:policy/AdministratorAccess")
    live = {"policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    role = key("aws_iam_role", "app")
    attached = Drift(role, "changed", "managed_policy_arns", live=live, part=part)
    detached = Drift(role, "changed", "managed_policy_arns", declared=live, live=None, part=part)
    assert Signal(("raised",), "new aws_iam_role_policy_attachment") == privilege(attached)
    assert privilege(detached).value == ("same",)


def test_a_policy_rewritten_and_put_back_may_have_raised() -> None:
    touch = Touch("aws_iam_role_policy", ("app|inline",), "update", {"policy": policy(READ)})
    answer = privilege(change=call("iam:PutRolePolicy", touch), type_="aws_iam_role").value
    assert Unknown("policy before the call is not on record") == answer


# --- policy documents ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        (allow("s3:*"), allow(["s3:GetObject", "S3:PutObject"]), False),
        (allow("s3:Get*"), allow("s3:*"), True),
        (allow("s3:Get?bject"), allow("s3:GetObject"), False),
        (allow("s3:Get?"), allow("s3:Get*"), True),
        (allow("s3:GetObject", "arn:aws:s3:::a/*"), allow("s3:GetObject", "arn:aws:s3:::a/[x]"), False),
        (allow("s3:GetObject", "arn:aws:s3:::[ab]"), allow("s3:GetObject", "arn:aws:s3:::a"), True),
        (allow("s3:GetObject", "arn:a"), allow("s3:GetObject", ["arn:a", "arn:b"]), True),
        (allow("s3:*", Condition={"Bool": {"aws:SecureTransport": "true"}}), allow("s3:Get*"), True),
        (allow("s3:*"), allow("s3:*", Condition={"Bool": {"aws:SecureTransport": "true"}}), False),
        (allow("s3:*", principal={"AWS": "1"}), allow("s3:*", principal={"AWS": ["1", "2"]}), True),
        (allow("s3:*", principal={"AWS": "*"}), allow("s3:*", principal={"AWS": "2"}), False),
        (allow("s3:*", principal={"AWS": "*"}), allow("s3:*", principal={"Service": "x"}), True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, allow("s3:*"), True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
         {"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:a"}, False),
        (allow("s3:*", Sid="old"), allow("s3:*", Sid="new"), False),
    ],
)  # fmt: skip
def test_what_one_statement_allows_beyond_another(before: Any, after: Any, more: bool) -> None:
    assert more is bool(added(policy(before), policy(after)))


def test_two_statements_may_cover_a_third_action_by_action() -> None:
    before = policy(allow("s3:GetObject"), allow("s3:PutObject"))
    assert added(before, policy(allow(["s3:GetObject", "s3:PutObject"]))) == ()


@pytest.mark.parametrize(
    "document",
    [
        '"text"',
        '{"Statement": ["x"]}',
        '{"Statement": [{"Principal": ["*"]}]}',
        '{"Statement": [{"Condition": {"Bool": "x"}}]}',
        '{"Statement": [{"Condition": 1}]}',
    ],
)
def test_documents_that_are_no_policies(document: str) -> None:
    assert Unknown("the policy document could not be read") == added(document, policy(READ))
    assert Unknown("the policy document could not be read") == lifted(policy(READ), document)


def public_ones(*statements: dict[str, Any]) -> list[bool]:
    new = added("", policy(*statements))
    assert not isinstance(new, Unknown)
    return [is_public(statement) for statement in new]


def test_an_unknown_document_keeps_its_reason() -> None:
    assert Unknown("denied") == added(Unknown("denied"), policy(READ))


@pytest.mark.parametrize(
    ("condition", "narrow"),
    [
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"ArnLike": {"AWS:SourceArn": ["arn:aws:s3:::b"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, True),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
        ({"StringLike": {"aws:PrincipalArn": "*"}}, False),
        ({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}, False),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}, True),
        ({"ForAllValues:StringEquals": {"aws:SourceAccount": "1"}}, False),
        ({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
    ],
)
def test_only_some_conditions_narrow_everybody(condition: Any, narrow: bool) -> None:
    assert [not narrow] == public_ones(allow("s3:*", principal="*", Condition=condition))


def test_everybody_but_one_is_everybody() -> None:
    assert public_ones({"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "s3:*"}) == [True]
