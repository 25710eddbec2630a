"""`agent.content`: what a call did, held against the plan that was approved; the plan is one Terraform made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.content import within
from agent.declared.approved_plan import read_plan
from agent.model import (
    Act,
    Actor,
    ApprovedPlan,
    Change,
    Key,
    PlannedChange,
    Resource,
    Result,
    Test,
    Touch,
    Unknown,
)
from agent.seal import seal

KEY = b"k" * 32
PLAN = read_plan((Path(__file__).parent / "declared" / "data" / "plan.json").read_bytes(), KEY)
ACCOUNT, REGION = "111122223333", "eu-west-1"
HIDDEN = Unknown("the record does not show it")
QUEUE, GROUP, RULE, ROLE = "aws_sqs_queue", "aws_security_group", "aws_security_group_rule", "aws_iam_role"
ATTACHED = "aws_iam_role_policy_attachment"


def key(type_: str, id_: str) -> Key:
    return Key(ACCOUNT, "global" if type_.startswith("aws_iam") else REGION, type_, id_)


def declared(type_: str, id_: str, address: str = "", *names: str, **more: Any) -> Resource:
    return Resource(key(type_, id_), {}, names, address, "shop", **more)


def rule(group: str, cidr: str, port: int = 443) -> str:
    return f"{group}|ingress|tcp|{port}|{port}|{cidr}"


WEB = key(GROUP, "sg-web")
KNOWN: Mapping[Key, Resource] = {
    one.key: one
    for one in (
        declared(QUEUE, "orders", "aws_sqs_queue.orders", "https://sqs/orders"),
        declared(QUEUE, "new", "aws_sqs_queue.new"),
        declared(QUEUE, "other", "aws_sqs_queue.other"),
        declared(GROUP, "sg-web", "aws_security_group.web"),
        declared(GROUP, "sg-api", "aws_security_group.api"),
        declared(RULE, rule("sg-web", "192.168.0.0/16"), "aws_security_group.web", parent=WEB, attribute="ingress"),
        declared(RULE, rule("sg-web", "10.0.0.0/8"), "aws_security_group.web", parent=WEB, attribute="ingress"),
        declared(RULE, rule("sg-api", "10.1.0.0/16", 22), "aws_security_group_rule.ssh", parent=key(GROUP, "sg-api")),
        declared("aws_instance", "i-2", "aws_instance.web"),
        declared("aws_ssm_parameter", "/key", "aws_ssm_parameter.key"),
    )
}


def call(*touches: Touch, targets: Sequence[Key] = ()) -> Change:
    return Change(
        event_ids=("e1",),
        time=datetime(2026, 3, 2, tzinfo=UTC),
        action="sqs:SetQueueAttributes",
        actor=Actor("dana", "person"),
        channel="console",
        account=ACCOUNT,
        region=REGION,
        touches=touches,
        targets=tuple(targets) or tuple(key(touch.type, touch.ids[0]) for touch in touches),
    )


def asked(change: Change, plan: ApprovedPlan = PLAN, known: Mapping[Key, Resource] = KNOWN) -> Test:
    return within(change, change.targets, known, plan)


def one(type_: str, id_: str, act: Act = "update", **sets: Any) -> Test:
    return asked(call(Touch(type_, (id_,), act, sets)))


SETS_60 = {"visibility_timeout_seconds": "60"}


@pytest.mark.parametrize(
    ("type_", "id_", "act", "sets", "result", "said"),
    [
        (QUEUE, "orders", "update", SETS_60, "pass", "visibility_timeout_seconds as planned"),
        (QUEUE, "orders", "update", {**SETS_60, "delay_seconds": 0}, "pass", "delay_seconds, visibility_timeout"),
        (QUEUE, "orders", "update", {"visibility_timeout_seconds": 90}, "fail", "was set to 90, the plan has 60"),
        (QUEUE, "orders", "update", {"visibility_timeout_seconds": 30}, "fail", "was set to 30, the plan has 60"),
        (
            QUEUE,
            "orders",
            "update",
            {**SETS_60, "delay_seconds": 5},
            "fail",
            "delay_seconds was set to 5, the plan has 0",
        ),
        (QUEUE, "orders", "update", {"policy": '{"a": 1}'}, "fail", 'policy was set to {"a": 1}, the plan has ""'),
        (QUEUE, "orders", "update", {"policy": HIDDEN}, "fail", "the plan does not change it"),
        (QUEUE, "orders", "update", {"policy": HIDDEN, **SETS_60}, "unknown", "does not show what policy was set to"),
        (QUEUE, "orders", "update", {"tags_all": HIDDEN}, "unknown", "does not show what tags_all"),
        (QUEUE, "orders", "update", {"visibility_timeout_seconds": HIDDEN}, "unknown", "does not show"),
        (QUEUE, "orders", "update", {"tags_all": {"Name": "orders"}}, "pass", "tags_all as planned"),
        (QUEUE, "orders", "update", {"tags_all": {"Name": "x"}}, "fail", 'was set to {"Name": "x"}'),
        (QUEUE, "orders", "update", {"tags_all": {"Evil": "1"}}, "fail", "tags_all"),
        (QUEUE, "orders", "update", {"tags_all": {"Token": seal(KEY, "hunter2")}}, "pass", "as planned"),
        (QUEUE, "orders", "update", {"tags_all": {"Token": seal(KEY, "other")}}, "fail", "(sensitive, "),
        (QUEUE, "orders", "update", {"tags_all": {"Name": seal(KEY, "orders")}}, "unknown", "sealed on one side"),
        (QUEUE, "orders", "update", {"not_ours": 1}, "fail", "not_ours was set to 1, the plan has nothing"),
        (QUEUE, "orders", "update", {}, "unknown", "does not show what the call set"),
        (QUEUE, "orders", "create", SETS_60, "fail", "was created, in the plan it is updated"),
        (QUEUE, "orders", "delete", {}, "fail", "aws_sqs_queue.orders was deleted, in the plan it is updated"),
        (QUEUE, "https://sqs/orders", "update", SETS_60, "fail", "aws_sqs_queue https://sqs/orders is not in the plan"),
        (QUEUE, "other", "update", SETS_60, "fail", "aws_sqs_queue.other is not in the plan"),
        (QUEUE, "evil", "create", {}, "fail", "aws_sqs_queue evil is not in the plan"),
        # What is gone is declared no more, and found by its name.
        (QUEUE, "gone", "delete", {}, "pass", "deleted in the plan"),
        (QUEUE, "gone", "update", {"delay_seconds": 5}, "fail", "the plan has nothing"),
        (QUEUE, "gone", "update", {"delay_seconds": 0}, "pass", "as planned"),
        (QUEUE, "gone", "create", {}, "fail", "was created, in the plan it is deleted"),
        # Creating takes several calls.
        (QUEUE, "new", "create", {"delay_seconds": 0}, "pass", "as planned"),
        (QUEUE, "new", "create", {}, "pass", "created in the plan"),
        (QUEUE, "new", "update", {"delay_seconds": 1}, "fail", "was set to 1"),
        (
            QUEUE,
            "new",
            "create",
            {"kms_master_key_id": "k"},
            "unknown",
            "planned kms_master_key_id is not known: known after the apply",
        ),
        (QUEUE, "new", "delete", {}, "fail", "was deleted, in the plan it is created"),
        ("aws_kms_key", "1234", "create", {"description": "x"}, "unknown", "may be aws_kms_key.new"),
        ("aws_ssm_parameter", "/key", "update", {"value": HIDDEN}, "unknown", "does not show what value"),
        ("aws_ssm_parameter", "/key", "update", {"value": seal(KEY, "x")}, "unknown", "is never read"),
        ("aws_ssm_parameter", "/key", "delete", {}, "fail", "was deleted"),
        # Replaced: the old one goes, the new one has a name that nobody knew.
        ("aws_instance", "i-1", "delete", {}, "pass", "deleted in the plan"),
        ("aws_instance", "i-2", "create", {"ami": "ami-2"}, "pass", "ami as planned"),
        ("aws_instance", "i-2", "create", {"ami": "ami-3"}, "fail", "ami was set to ami-3, the plan has ami-2"),
        ("aws_instance", "i-3", "create", {"ami": "ami-2"}, "unknown", "may be aws_instance.web"),
        # Rules in the block of their group.
        (RULE, rule("sg-web", "192.168.0.0/16"), "create", {}, "pass", "created in the plan"),
        (RULE, rule("sg-web", "192.168.0.0/16"), "create", {"description": "x"}, "fail", "description was set to x"),
        (RULE, rule("sg-web", "192.168.0.0/16"), "delete", {}, "fail", "was deleted, the plan keeps it"),
        (RULE, rule("sg-web", "10.0.0.0/8"), "delete", {}, "fail", "the plan keeps it"),
        # Rules by themselves: a changed one goes and comes.
        (RULE, rule("sg-web", "10.3.0.0/16", 8443), "delete", {}, "pass", "deleted in the plan"),
        (RULE, rule("sg-web", "10.2.0.0/16", 8443), "create", {}, "pass", "created in the plan"),
        (RULE, rule("sg-web", "10.2.0.0/16", 8443), "delete", {}, "fail", "was deleted, in the plan it is updated"),
        (RULE, rule("sg-web", "10.3.0.0/16", 8443), "create", {}, "fail", "was created, in the plan it is updated"),
        (RULE, rule("sg-api", "10.1.0.0/16", 22), "create", {}, "pass", "aws_security_group_rule.ssh is created"),
        (RULE, rule("sg-api", "0.0.0.0/0", 22), "create", {}, "fail", "is not in the plan"),
    ],
)
def test_one_call(type_: str, id_: str, act: Act, sets: Mapping[str, Any], result: Result, said: str) -> None:
    test = one(type_, id_, act, **sets)
    assert (test.result, test.name) == (result, "content")
    assert said in test.evidence
    assert "hunter2" not in test.evidence
    assert PLAN.fingerprint[:15] in test.evidence


def test_a_rule_that_nobody_declares_is_held_against_its_group() -> None:
    opened = declared(RULE, rule("sg-web", "0.0.0.0/0"), parent=WEB)
    known = {**KNOWN, opened.key: opened}
    made = asked(call(Touch(RULE, (opened.key.id,), "create")), known=known)
    assert (made.result, "the plan does not have it" in made.evidence) == ("fail", True)
    gone = asked(call(Touch(RULE, (opened.key.id,), "delete")), known=known)
    assert gone.result == "pass"


def test_a_resource_is_known_by_any_of_its_names() -> None:
    change = call(Touch(QUEUE, ("https://sqs/orders",), "update", SETS_60), targets=[key(QUEUE, "orders")])
    assert asked(change).result == "pass"


def test_of_several_targets_the_worst_counts_and_each_has_its_own_touch() -> None:
    fine, wrong = Touch(QUEUE, ("orders",), "update", SETS_60), Touch(QUEUE, ("new",), "update", {"delay_seconds": 5})
    change = call(fine, wrong)
    assert asked(change).result == "fail"
    assert within(change, change.targets[:1], KNOWN, PLAN).result == "pass"
    assert "aws_sqs_queue.new" in asked(change).evidence
    assert "orders" not in asked(change).evidence


def test_a_touch_that_names_nobody_known_may_be_of_any_target() -> None:
    change = call(
        Touch(QUEUE, ("?",), "update", {"delay_seconds": 5}), targets=[key(QUEUE, "orders"), key(QUEUE, "new")]
    )
    assert asked(change).result == "fail"


def test_a_set_that_the_plan_leaves_open() -> None:
    sets = {"security_groups": HIDDEN, "subnets": ["a"]}
    made = PlannedChange("aws_lambda_function.f", "create", "aws_lambda_function", (), {"function_name": "f", **sets})
    asked_for = {"architectures": ["arm64"]}
    opened = replace(made, sets={**made.sets, "architectures": HIDDEN})
    change = call(Touch("aws_lambda_function", ("f",), "update", asked_for))
    assert asked(change, ApprovedPlan("sha256:1", (opened,)), {}).result == "unknown"
    assert asked(change, ApprovedPlan("sha256:1", (made,)), {}).result == "fail"


def test_what_created_a_resource_was_given_what_state_recorded() -> None:
    def recorded(**attributes: Any) -> dict[Key, Resource]:
        one = replace(declared(QUEUE, "new", "aws_sqs_queue.new"), attributes=attributes)
        return {one.key: one}

    made = call(Touch(QUEUE, ("new",), "create", {"kms_master_key_id": "k-1"}))
    assert asked(made, known=recorded(kms_master_key_id="k-1")).result == "pass"
    assert asked(made, known=recorded(kms_master_key_id="k-2")).result == "fail"
    assert asked(made, known=recorded(kms_master_key_id=HIDDEN)).result == "unknown"
    assert asked(made, known=recorded()).result == "unknown"
    # A later call may have been anybody's, and state follows whoever it was.
    later = call(Touch(QUEUE, ("new",), "update", {"kms_master_key_id": "k-1"}))
    assert asked(later, known=recorded(kms_master_key_id="k-1")).result == "unknown"
    elsewhere = {one.key: replace(one, address="") for one in recorded(kms_master_key_id="k-1").values()}
    assert asked(made, known=elsewhere).result == "unknown"


def test_a_rule_that_a_group_is_born_with_may_go() -> None:
    api = key(GROUP, "sg-api")
    out = declared(RULE, "sg-api|egress|-1|0|0|0.0.0.0/0", "aws_vpc_security_group_egress_rule.out", parent=api)
    sets = {"security_group_id": HIDDEN, "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}
    its = PlannedChange(out.address, "create", "aws_vpc_security_group_egress_rule", (), sets)
    plan = ApprovedPlan("sha256:1", (*(PLAN.changes or ()), its))
    known = {**KNOWN, out.key: out}
    assert asked(call(Touch(RULE, (out.key.id,), "delete")), plan, known).result == "pass"
    assert asked(call(Touch(RULE, (out.key.id,), "create")), plan, known).result == "pass"
    both = call(Touch(RULE, (out.key.id,), "create"), Touch(RULE, (out.key.id,), "delete"), targets=[out.key])
    assert asked(both, plan, known).result == "fail"
    there = {**known, api: replace(known[api], address="aws_security_group.there")}
    assert asked(call(Touch(RULE, (out.key.id,), "delete")), plan, there).result == "fail"


def test_a_setting_is_deleted_by_being_set() -> None:
    kind = "aws_s3_bucket_versioning"
    gone = ApprovedPlan("sha256:1", (PlannedChange(f"{kind}.b", "delete", kind, ("b",)),))
    off = call(Touch(kind, ("b",), "update", {"versioning_configuration": [{"status": "Suspended"}]}))
    assert asked(off, gone, {}).result == "unknown"
    assert asked(call(Touch(kind, ("b",), "update", {"versioning_configuration": []})), gone, {}).result == "pass"


def test_who_deletes_a_resource_deletes_its_parts() -> None:
    part = declared("aws_s3_bucket_policy", "b", "aws_s3_bucket_policy.b", parent=key("aws_s3_bucket", "b"))
    bucket = PlannedChange("aws_s3_bucket.b", "delete", "aws_s3_bucket", ("b",))
    change = call(Touch("aws_s3_bucket", ("b",), "delete"), targets=[key("aws_s3_bucket", "b"), part.key])
    known = {part.key: part}
    assert asked(change, ApprovedPlan("sha256:1", (bucket,)), known).result == "pass"
    kept = PlannedChange("aws_s3_bucket_policy.b", "update", "aws_s3_bucket_policy", ("b",), {"policy": "{}"})
    assert asked(change, ApprovedPlan("sha256:1", (bucket, kept)), known).result == "fail"
    assert "not in the plan" in asked(change, ApprovedPlan("sha256:1", ()), known).evidence


def test_the_same_address_in_another_stack_is_another_resource() -> None:
    there = declared(QUEUE, "orders-of-payroll", "aws_sqs_queue.orders")
    change = call(Touch(QUEUE, (there.key.id,), "update", SETS_60))
    assert asked(change, known={there.key: there}).result == "fail"
    made = declared(QUEUE, "new-of-payroll", "aws_sqs_queue.new")
    change = call(Touch(QUEUE, (made.key.id,), "create"))
    assert asked(change, known={made.key: made}).result == "fail"


# --- parts inside the block of their resource ----------------------------------------------------------------

PART = declared(ATTACHED, "r|p", parent=key(ROLE, "r"))
IN_ROLE: Mapping[Key, Resource] = {PART.key: PART, key(ROLE, "r"): declared(ROLE, "r", "aws_iam_role.r")}


def role(act: Act, arns: Any, *, replaces: bool = False, changed: tuple[str, ...] = ("managed_policy_arns",)) -> Any:
    sets = {} if act == "delete" else {"name": "r", "managed_policy_arns": arns}
    ids = () if act == "create" and not replaces else ("r",)
    return ApprovedPlan("sha256:1", (PlannedChange("aws_iam_role.r", act, ROLE, ids, sets, replaces, changed),))


@pytest.mark.parametrize(
    ("plan", "act", "result", "said"),
    [
        (role("update", ["p"]), "create", "pass", "created in the plan"),
        (role("update", ["q"]), "create", "fail", "the plan does not have it"),
        (role("update", ["q"]), "delete", "pass", "deleted in the plan"),
        (role("update", ["p"]), "delete", "fail", "keeps it"),
        (role("update", ["p"], changed=("tags",)), "create", "fail", "does not change the managed_policy_arns of"),
        (role("update", Unknown("later")), "create", "unknown", "planned managed_policy_arns is not known: later"),
        (role("update", 7), "create", "unknown", "cannot be told"),
        (role("create", ["p"]), "create", "pass", "created in the plan"),
        (role("create", ["p"]), "delete", "pass", "goes with aws_iam_role.r"),
        (role("create", ["p"], replaces=True), "delete", "pass", "goes with"),
        (role("delete", None), "delete", "pass", "goes with"),
        (role("delete", None), "create", "fail", "was created, in the plan it is deleted"),
    ],
)
def test_a_part_in_its_resource(plan: ApprovedPlan, act: Act, result: Result, said: str) -> None:
    test = asked(call(Touch(ATTACHED, ("r|p",), act)), plan, IN_ROLE)
    assert (test.result, said in test.evidence) == (result, True), test.evidence


def test_a_part_with_an_address_of_its_own_is_judged_by_it() -> None:
    own = PlannedChange("aws_iam_role_policy_attachment.p", "create", ATTACHED, (), {"role": "r", "policy_arn": "p"})
    plan = ApprovedPlan("sha256:1", (*role("update", ["q"]).changes, own))
    assert asked(call(Touch(ATTACHED, ("r|p",), "create", {"policy_arn": "p"})), plan, IN_ROLE).result == "pass"


def test_a_part_of_a_type_that_cannot_hold_it() -> None:
    part = declared(QUEUE, "x", parent=key(ROLE, "r"))
    test = asked(call(Touch(QUEUE, ("x",), "create")), role("update", ["p"]), {part.key: part})
    assert (test.result, "the parts of" in test.evidence) == ("fail", True)


def test_a_part_whose_resource_is_not_in_the_plan() -> None:
    assert "not in the plan" in asked(call(Touch(ATTACHED, ("r|p",), "create")), PLAN, IN_ROLE).evidence
    alone = {PART.key: PART}
    assert asked(call(Touch(ATTACHED, ("r|p",), "create")), role("update", ["p"]), alone).result == "pass"


# --- rules whose content only the apply will tell ------------------------------------------------------------


def ssh(**more: Any) -> ApprovedPlan:
    sets = {"security_group_id": Unknown("later"), "type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22}
    sets |= {"cidr_blocks": ["10.1.0.0/16"], "source_security_group_id": Unknown("later"), **more}
    return ApprovedPlan("sha256:1", (PlannedChange("aws_security_group_rule.ssh", "create", RULE, (), sets),))


@pytest.mark.parametrize(
    ("plan", "address", "result", "said"),
    [
        (ssh(), "aws_security_group_rule.ssh", "pass", "created in the plan"),
        (ssh(from_port=23), "aws_security_group_rule.ssh", "fail", "not in the plan"),
        (ssh(cidr_blocks=[Unknown("later")]), "aws_security_group_rule.ssh", "unknown", "leaves open what"),
        (ssh(from_port="x"), "aws_security_group_rule.ssh", "unknown", "leaves open what"),
        (ssh(), "", "unknown", "may be aws_security_group_rule.ssh"),
        (ssh(cidr_blocks=[Unknown("later")]), "", "unknown", "may be aws_security_group_rule.ssh"),
        (ssh(from_port=23), "", "fail", "not in the plan"),
    ],
)
def test_a_rule_known_in_part(plan: ApprovedPlan, address: str, result: Result, said: str) -> None:
    made = declared(RULE, rule("sg-api", "10.1.0.0/16", 22), address)
    test = asked(call(Touch(RULE, (made.key.id,), "create")), plan, {made.key: made})
    assert (test.result, said in test.evidence) == (result, True), test.evidence


# --- types without a specification ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("planned", "act", "result"),
    [
        (PlannedChange("aws_ecs_service.w", "create", "aws_ecs_service"), "create", "pass"),
        (PlannedChange("aws_ecs_service.w", "create", "aws_ecs_service"), "update", "unknown"),
        (PlannedChange("aws_ecs_service.w", "update", "aws_ecs_service", ("main|web",)), "update", "unknown"),
        (PlannedChange("aws_ecs_service.w", "delete", "aws_ecs_service", ("main|web",)), "delete", "pass"),
        (PlannedChange("aws_ecs_service.w", "delete", "aws_ecs_service", ("other",)), "delete", "fail"),
        (PlannedChange("aws_ecs_service.v", "create", "aws_ecs_service", (), {"arn": "a"}), "create", "fail"),
    ],
)
def test_a_type_without_a_specification(planned: PlannedChange, act: Act, result: Result) -> None:
    service = declared("aws_ecs_service", "main|web", "aws_ecs_service.w")
    plan = ApprovedPlan("sha256:1", (planned,))
    assert asked(call(Touch("aws_ecs_service", ("main|web",), act)), plan, {service.key: service}).result == result


# --- what cannot be told -------------------------------------------------------------------------------------


def test_without_the_plan_without_a_target_and_without_a_touch_nothing_passes() -> None:
    change = call(Touch(QUEUE, ("orders",), "update", SETS_60))
    assert asked(change, ApprovedPlan("sha256:1", None, "no plan with this fingerprint")) == Test(
        "content", "unknown", "no plan with this fingerprint"
    )
    assert asked(change, ApprovedPlan("sha256:1")).evidence == "the approved plan is known by its fingerprint alone"
    assert within(change, (), KNOWN, PLAN).result == "unknown"
    assert "is not known" in within(change, (key(GROUP, "sg-web"),), KNOWN, PLAN).evidence


@pytest.mark.parametrize(
    ("asked_for", "planned", "result"),
    [
        (seal(KEY, "a"), seal(KEY, "a"), "pass"),
        (seal(KEY, "a"), seal(KEY, "b"), "fail"),
        (seal(KEY, "a"), "a", "unknown"),
        (seal(KEY, "a"), None, "fail"),
        (["x", seal(KEY, "a")], ["x", seal(KEY, "a")], "pass"),
        (["x", seal(KEY, "a")], ["x", "a"], "unknown"),
        (["x", seal(KEY, "a")], ["y", seal(KEY, "a")], "fail"),
        (["x", seal(KEY, "a")], ["x"], "fail"),
        ({"n": {"t": seal(KEY, "a"), "u": 1}}, {"n": {"t": "a", "u": 2}}, "fail"),
        ({"n": {"t": seal(KEY, "a"), "u": 1}}, {"n": {"t": "a", "u": 1}}, "unknown"),
        ({"n": 1}, [1], "fail"),
        # What the apply will tell: a call that leaves it out asks for nothing else than what is known.
        ({"n": 1}, {"n": 1, "m": HIDDEN}, "pass"),
        ({"n": 2}, {"n": 1, "m": HIDDEN}, "fail"),
        ({"n": 1, "m": 3}, {"n": 1, "m": HIDDEN}, "unknown"),
        ([{"n": 1, "m": ""}], [{"n": 1, "m": HIDDEN}], "pass"),
        (["a", "b", "c"], ["a", HIDDEN], "unknown"),
        (["a"], HIDDEN, "unknown"),
        ("a", HIDDEN, "unknown"),
    ],
)
def test_sealed_and_open_values(asked_for: Any, planned: Any, result: Result) -> None:
    plan = ApprovedPlan("sha256:1", (PlannedChange("x.y", "update", "x", ("i",), {"v": planned}, changed=("v",)),))
    assert asked(call(Touch("x", ("i",), "update", {"v": asked_for})), plan, {}).result == result


def test_what_others_wrote_is_shown_on_one_line_and_cut() -> None:
    test = one(QUEUE, "orders", policy="x\n\x1b[31m" + "y" * 500)
    assert test.result == "fail"
    assert "\n" not in test.evidence
    assert "\x1b" not in test.evidence
    assert len(test.evidence) < 300
    many = [Touch(QUEUE, (f"q{n}",), "create") for n in range(9)]
    assert "; and 6 more" in asked(call(*many)).evidence


VALUES = st.sampled_from([0, 5, 60, "60", "", None, HIDDEN, {"Name": "orders"}, seal(KEY, "x")])
NAMES = st.sampled_from(["visibility_timeout_seconds", "delay_seconds", "policy", "tags_all", "kms_master_key_id"])


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES), st.sampled_from(["orders", "new", "gone"]))
def test_setting_more_never_helps(sets: Mapping[str, Any], more: Mapping[str, Any], queue: str) -> None:
    """A call that fails by what it sets for all to see fails whatever it sets besides."""
    less = one(QUEUE, queue, **sets)
    full = one(QUEUE, queue, **{**more, **sets})
    if sets and less.result == "fail" and not any(isinstance(value, Unknown) for value in sets.values()):
        assert full.result == "fail"
    if full.result == "pass":
        assert less.result == "pass" or not sets


@given(st.permutations(PLAN.changes or ()), st.dictionaries(NAMES, VALUES))
def test_the_order_of_the_plan_does_not_matter(changes: Sequence[PlannedChange], sets: Mapping[str, Any]) -> None:
    change = call(Touch(QUEUE, ("orders",), "update", sets), Touch(QUEUE, ("new",), "create"))
    assert asked(change, replace(PLAN, changes=tuple(changes))) == asked(change)
