"""Calls → touches: what the specs' paths see, what they must not trust, and which spellings an identifier has."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from trail_records import ACCOUNT, QUEUE, REGION, SPECS, change_of, record, trail_of

from agent.model import Touch, Unknown
from agent.resources import Attribute, Call, Event, Spec, load
from agent.seal import seal
from agent.trail.targets import Targets

MASK = "HIDDEN_DUE_TO_SECURITY_REASONS"


def spec(*events: Event, **fields: Any) -> Spec:
    return Spec(service="thing", listing=Call("list_things"), identity=("id",), attributes=(), events=events, **fields)


def touches(request: object, *events: Event, name: str = "SetThing", **fields: object) -> tuple[Touch, ...]:
    made = record(name, "thing", requestParameters=request, **fields)
    return change_of(made, specs={"aws_thing": spec(*events)}).touches


SET = Event(
    "SetThing", "requestParameters.id", sets={"size": "requestParameters.size", "colour": "requestParameters.colour"}
)


def test_a_queue_through_its_own_spec() -> None:
    (touch,) = change_of(record()).touches
    assert (touch.type, touch.ids, touch.act) == ("aws_sqs_queue", (QUEUE, "orders"), "update")
    assert touch.sets == {"visibility_timeout_seconds": "60"}


def test_null_means_that_the_call_did_not_set_it() -> None:
    assert touches({"id": "t-1", "size": 5}, SET) == (Touch("aws_thing", ("t-1",), "update", {"size": 5}),)
    assert touches({"id": "t-1", "size": 0, "colour": ""}, SET)[0].sets == {"size": 0, "colour": ""}


def test_an_attribute_the_record_never_shows_is_unknown() -> None:
    (touch,) = touches({"id": "t-1"}, Event("SetThing", "requestParameters.id", sets={"size": ""}))
    assert touch.sets == {"size": Unknown("the record does not show the value")}


@pytest.mark.parametrize("mask", [MASK, "***", "****"])
def test_masked_values_are_unknown_wherever_they_stand(mask: str) -> None:
    masked = Unknown("CloudTrail masks the value")
    assert touches({"id": "t-1", "size": mask}, SET)[0].sets == {"size": masked}
    assert touches({"id": "t-1", "size": {"a": [mask, 1]}}, SET)[0].sets == {"size": {"a": [masked, 1]}}


@pytest.mark.parametrize("found", [None, "", MASK, "****", {"a": 1}, True, [], [None], 1.5])
def test_what_is_no_identifier_matches_nothing_and_the_change_stays(found: object) -> None:
    assert touches({"id": found}, SET) == ()


def test_a_list_of_identifiers_is_several_resources_and_a_list_of_lists_names_each() -> None:
    several = Event("SetThing", "requestParameters.ids", "delete")
    assert [t.ids for t in touches({"ids": ["t-1", "t-2", MASK, 7]}, several)] == [("t-1",), ("t-2",), ("7",)]
    named = Event("SetThing", lambda _: [("t-1", "one"), ("t-2", "two")])
    assert [t.ids for t in touches({}, named)] == [("t-1", "one"), ("t-2", "two")]


def test_the_same_touch_is_told_once() -> None:
    assert len(touches({"id": "t-1", "ids": ["t-1", "t-1"]}, SET, Event("SetThing", "requestParameters.ids"))) == 1


def test_one_call_may_touch_several_types() -> None:
    made = record("SetThing", "thing", requestParameters={"id": "t-1"})
    specs = {
        "aws_thing": spec(SET),
        "aws_thing_policy": spec(SET),
        "aws_other": spec(SET, event_source="other.amazonaws.com"),
    }
    assert [t.type for t in change_of(made, specs=specs).touches] == ["aws_thing", "aws_thing_policy"]


def test_an_alias_type_touches_what_it_is_the_same_as() -> None:
    made = record("SetThing", "thing", requestParameters={"id": "t-1"})
    assert [t.type for t in change_of(made, specs={"aws_alias": spec(SET, same_as="aws_thing")}).touches] == [
        "aws_thing"
    ]


def test_an_event_may_have_a_source_of_its_own_and_a_version() -> None:
    made = record("SetThing20150331v2", "tagging", requestParameters={"id": "t-1"})
    event = replace(SET, source="tagging.amazonaws.com")
    change = change_of(made, specs={"aws_thing": spec(event)})
    assert (change.action, [t.ids for t in change.touches]) == ("tagging:SetThing", [("t-1",)])


@pytest.mark.parametrize(("when", "count"), [("requestParameters.kind == 'thing'", 1), ("requestParameters.other", 0)])
def test_when_must_be_true(when: str, count: int) -> None:
    assert len(touches({"id": "t-1", "kind": "thing"}, replace(SET, when=when))) == count


def raising(error: Exception) -> Callable[[Any], Any]:
    def path(_: Any) -> Any:
        raise error

    return path


@pytest.mark.parametrize(
    "error", [KeyError("a"), TypeError("b"), ValueError("c"), AttributeError("d"), IndexError("e")]
)
def test_a_spec_that_cannot_take_the_record_loses_its_touch_not_the_change(error: Exception) -> None:
    other = Event("SetThing", "requestParameters.id", "delete")
    found = touches({"id": "t-1"}, Event("SetThing", raising(error)), other)
    assert [t.act for t in found] == ["delete"]
    assert touches({"id": "t-1"}, Event("SetThing", raising(error))) == ()
    (touch,) = touches({"id": "t-1"}, Event("SetThing", "requestParameters.id", sets={"size": raising(error)}))
    assert isinstance(touch.sets["size"], Unknown)


@pytest.mark.parametrize("request_", [None, [], "text", 7, {"id": {"deep": 1}}])
def test_jmespath_over_strange_records(request_: object) -> None:
    sized = Event("SetThing", "length(requestParameters.id)")
    assert touches(request_, SET) == ()
    assert touches(request_, sized) in ((), (Touch("aws_thing", ("1",)),))


def test_a_call_no_spec_knows_is_kept_with_no_target() -> None:
    trail = trail_of(record("CreateWorkspace", "grafana", requestParameters={"name": "g"}))
    assert [(c.action, c.touches) for c in trail.changes] == [("grafana:CreateWorkspace", ())]


def test_a_record_cut_by_cloudtrail_shows_no_values() -> None:
    (touch,) = touches({"id": "t-1", "omitted": True}, SET)
    assert touch.sets == {"size": Unknown("CloudTrail cut the record"), "colour": Unknown("CloudTrail cut the record")}


def test_values_of_secret_attributes_are_hashed_or_unknown() -> None:
    secret = replace(spec(SET), attributes=(Attribute("size", "Size", secret=True),))
    made = record("SetThing", "thing", requestParameters={"id": "t-1", "size": "hunter2", "colour": "red"})
    sealed = change_of(made, specs={"aws_thing": secret}, seal_key=b"install key").touches[0].sets
    assert sealed == {"size": seal(b"install key", "hunter2"), "colour": "red"}
    unsealed = change_of(made, specs={"aws_thing": secret}).touches[0].sets
    assert unsealed["size"] == Unknown("a secret, and no install key to hash it with")


OURS = f"arn:aws:{{}}:eu-west-1:{ACCOUNT}:"


@pytest.mark.parametrize(
    ("given", "forms"),
    [
        ("t-1", ("t-1",)),
        ("/hostedzone/Z1", ("/hostedzone/Z1", "Z1")),
        ("a%2Fb", ("a%2Fb", "a/b")),
        (f"arn:aws:iam::{ACCOUNT}:role/ops/Deploy", ("ops/Deploy", "Deploy", "/ops/Deploy")),
        (f"arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Arole/Deploy", (f"arn:aws:iam::{ACCOUNT}:role/Deploy", "Deploy", "/Deploy")),
        (OURS.format("lambda") + "function:orders:live", ("orders",)),
        (
            OURS.format("logs") + "log-group:/aws/lambda/orders:*",
            (OURS.format("logs") + "log-group:/aws/lambda/orders", "/aws/lambda/orders"),
        ),
        (OURS.format("ssm") + "parameter/app/key", ("app/key", "key", "/app/key")),
        (OURS.format("sqs") + "orders", ("orders",)),
        ("arn:aws:s3:::bucket", ("bucket",)),
        ("arn:aws:iam::999999999999:role/Deploy", ()),
        ("arn:aws:iam", ()),
    ],
)
def test_the_spellings_of_an_identifier(given: str, forms: tuple[str, ...]) -> None:
    """The first is as the call gives it; another account's ARN yields no bare name, ours might bear it too."""
    (touch,) = touches({"id": given}, SET)
    assert touch.ids == (given, *(form for form in forms if form != given))


def test_the_account_is_the_resource_owners() -> None:
    owned = record(resources=[{"accountId": "999988887777", "type": "AWS::SQS::Queue", "ARN": "arn:aws:sqs:::q"}])
    assert change_of(owned, specs=SPECS).account == "999988887777"
    mixed = record(resources=[{"accountId": "999988887777"}, {"accountId": "1"}])
    assert change_of(mixed).account == ACCOUNT
    assert change_of(record(recipientAccountId=None, userIdentity={"accountId": "5"})).account == "5"


# --- types without a spec ------------------------------------------------------------------------------------

ALL = Targets(load(), b"")
ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:"


def of(name: str, service: str, request: object, response: object = None, **fields: object) -> list[tuple]:
    made = record(name, service, requestParameters=request, responseElements=response, eventID="e-1", **fields)
    return [(touch.type, touch.ids, touch.act) for touch in ALL.of(made["eventSource"], made["eventName"], made)]


def test_a_launch_touches_the_instance_and_nothing_it_mentions() -> None:
    asked = {"instancesSet": {"items": [{"imageId": "ami-1"}]}, "subnetId": "subnet-1", "keyName": "k"}
    answered = {"instancesSet": {"items": [{"instanceId": "i-1", "subnetId": "subnet-1", "vpcId": "vpc-1"}]}}
    assert of("RunInstances", "ec2", asked, answered) == [("aws_instance", ("i-1",), "create")]
    answered = {"CreateNatGatewayResponse": {"natGateway": {"natGatewayId": "nat-1", "subnetId": "subnet-1"}}}
    asked = {"CreateNatGatewayRequest": {"SubnetId": "subnet-1", "AllocationId": "eipalloc-1"}}
    assert of("CreateNatGateway", "ec2", asked, answered) == [("aws_nat_gateway", ("nat-1",), "create")]


@pytest.mark.parametrize(
    ("name", "service", "request_", "found"),
    [
        ("DeleteFlowLogs", "ec2", {"DeleteFlowLogsRequest": {"FlowLogId": {"tag": 1, "content": "fl-1"}}}, ["fl-1"]),
        (
            "DeleteFlowLogs",
            "ec2",
            {"DeleteFlowLogsRequest": {"FlowLogId": [{"tag": n, "content": f"fl-{n}"} for n in (1, 2)]}},
            ["fl-1", "fl-2"],
        ),
        ("StopInstances", "ec2", {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-1"}]}}, ["i-1"]),
        (
            "DeleteTransitGatewayVpcAttachment",
            "ec2",
            {"DelTGwVpcAttachReq": {"TransitGatewayAttachmentId": "tgw-attach-1"}},
            ["tgw-attach-1"],
        ),
        ("DeleteEnvironment", "airflow", {"Name": "dags"}, ["dags"]),
        ("UpdateService", "ecs", {"cluster": ARN.format("ecs") + "cluster/blue", "service": "web"}, ["blue|web"]),
        ("UpdateService", "ecs", {"service": ARN.format("ecs") + "service/default/web"}, ["default|web"]),
        (
            "UpdateService",
            "ecs",
            {"cluster": "arn:aws:ecs:eu-west-1:999999999999:cluster/blue", "service": "web"},
            ["arn:aws:ecs:eu-west-1:999999999999:cluster/blue|web"],
        ),
        ("DeleteTrail", "cloudtrail", {"name": ARN.format("cloudtrail") + "trail/main"}, ["main"]),
        (
            "DeleteAccessEntry",
            "eks",
            {"name": "prod", "principalArn": f"arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Arole%2FOps"},
            [f"prod|arn:aws:iam::{ACCOUNT}:role/Ops"],
        ),
        (
            "CreateNetworkAclEntry",
            "ec2",
            {"networkAclId": "acl-1", "ruleNumber": 90, "egress": False},
            ["acl-1|90|false"],
        ),
        ("PutTargets", "events", {"rule": "r", "targets": [{"id": "a"}, {"id": "b"}]}, ["default|r|a", "default|r|b"]),
        (
            "ChangeResourceRecordSets",
            "route53",
            {
                "hostedZoneId": "/hostedzone/Z1",
                "changeBatch": {
                    "changes": [
                        {"action": "UPSERT", "resourceRecordSet": {"name": "www.example.com.", "type": "A"}},
                        {"action": "DELETE", "resourceRecordSet": {"name": "example.com", "type": "MX"}},
                    ]
                },
            },
            ["Z1|www.example.com|A", "Z1|example.com|MX"],
        ),
    ],
)
def test_cloudtrails_spellings_of_one_name(name: str, service: str, request_: object, found: list[str]) -> None:
    assert [ids[0] for _, ids, _ in of(name, service, request_)] == found


def test_a_setting_comes_before_what_it_is_a_setting_of() -> None:
    shared = {"imageId": "ami-1", "launchPermission": {"add": {"items": [{"userId": "999999999999"}]}}}
    assert of("ModifyImageAttribute", "ec2", shared) == [
        ("aws_ami_launch_permission", ("ami-1|999999999999",), "update")
    ]
    assert of("ModifyImageAttribute", "ec2", {"imageId": "ami-1", "description": {"value": "x"}}) == [
        ("aws_ami", ("ami-1",), "update")
    ]


def test_two_generations_of_an_api_are_told_apart_by_what_they_ask() -> None:
    assert of("CreateStage", "apigateway", {"restApiId": "r1", "createStageInput": {"stageName": "prod"}}) == [
        ("aws_api_gateway_stage", ("r1|prod",), "create")
    ]
    assert of("CreateStage", "apigateway", {"apiId": "a1", "stageName": "prod"}) == [
        ("aws_apigatewayv2_stage", ("a1|prod",), "create")
    ]
    classic, later = {"loadBalancerName": "old"}, {"name": "new"}
    answered = {"loadBalancers": [{"loadBalancerArn": ARN.format("elasticloadbalancing") + "loadbalancer/app/new/1"}]}
    assert of("CreateLoadBalancer", "elasticloadbalancing", classic)[0][0] == "aws_elb"
    assert of("CreateLoadBalancer", "elasticloadbalancing", later, answered)[0][0] == "aws_lb"


def test_tags_of_ec2_go_to_each_type_by_its_ids() -> None:
    ids = ["vpc-1", "igw-1", "vpce-svc-1", "rtbassoc-1", "nothing", MASK]
    asked = {"resourcesSet": {"items": [{"resourceId": one} for one in ids]}, "tagSet": {"items": []}}
    assert [(type_, ids[0]) for type_, ids, _ in of("CreateTags", "ec2", asked)] == [
        ("aws_vpc", "vpc-1"),
        ("aws_internet_gateway", "igw-1"),
        ("aws_vpc_endpoint_service", "vpce-svc-1"),
    ]


@pytest.mark.parametrize(
    ("name", "service", "request_", "type_"),
    [
        ("AddTagsToResource", "rds", {"resourceName": ARN.format("rds") + "cluster:blue"}, "aws_rds_cluster"),
        ("AddTagsToResource", "rds", {"resourceName": ARN.format("rds") + "db:blue"}, "aws_db_instance"),
        (
            "AddTags",
            "elasticloadbalancing",
            {"resourceArns": [ARN.format("elasticloadbalancing") + "targetgroup/blue/1"]},
            "aws_lb_target_group",
        ),
        ("AddTags", "elasticloadbalancing", {"loadBalancerNames": ["blue"]}, "aws_elb"),
        (
            "TagResource",
            "cloudfront",
            {"resource": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"},
            "aws_cloudfront_distribution",
        ),
        (
            "UntagResource",
            "apigateway",
            {"resourceArn": "arn:aws:apigateway:eu-west-1::/apis/a1"},
            "aws_apigatewayv2_api",
        ),
        ("ChangeTagsForResource", "route53", {"resourceType": "hostedzone", "resourceId": "Z1"}, "aws_route53_zone"),
        (
            "ChangeTagsForResource",
            "route53",
            {"resourceType": "healthcheck", "resourceId": "h"},
            "aws_route53_health_check",
        ),
        ("AddTagsToResource", "ssm", {"resourceType": "Document", "resourceId": "Run"}, "aws_ssm_document"),
        ("TagResource", "secretsmanager", {"secretId": "db"}, "aws_secretsmanager_secret"),
        (
            "TagResource",
            "lambda",
            {"resource": ARN.format("lambda") + "event-source-mapping:1-2"},
            "aws_lambda_event_source_mapping",
        ),
    ],
)
def test_tagging_calls_go_by_arn(name: str, service: str, request_: dict, type_: str) -> None:
    assert [found for found, _, _ in of(name, service, request_)] == [type_]


def test_the_tagging_api_tags_anything_and_says_what_it_could_not() -> None:
    queue, gateway, other = ARN.format("sqs") + "q", ARN.format("ec2") + "natgateway/nat-1", ARN.format("sqs") + "r"
    asked = {"resourceARNList": [queue, gateway, other, ARN.format("x") + "unheard-of/1"], "tags": {"team": "a"}}
    made = record(
        "TagResources", "tagging", requestParameters=asked, responseElements={"failedResourcesMap": {other: {}}}
    )
    found = ALL.of("tagging.amazonaws.com", "TagResources", made)
    assert [(touch.type, touch.ids[-1], touch.sets) for touch in found] == [
        ("aws_sqs_queue", "q", {"tags_all": {"team": "a"}}),
        ("aws_nat_gateway", "/nat-1", {}),
    ]
    untagged = record("UntagResources", "tagging", requestParameters={"resourceARNList": [queue], "tagKeys": ["team"]})
    (touch,) = ALL.of("tagging.amazonaws.com", "UntagResources", untagged)
    assert isinstance(touch.sets["tags_all"], Unknown)


def test_a_call_nobody_wrote_down_goes_by_the_one_resource_its_record_lists() -> None:
    key, bucket = ARN.format("kms") + "key/1-2", "arn:aws:s3:::b"
    assert of("RotateKey", "kms", None, resources=[{"ARN": key, "accountId": ACCOUNT}]) == [
        ("aws_kms_key", (key, "1-2", "/1-2"), "update")
    ]
    assert of("PutBucketFuture", "s3", {}, resources=[{"ARN": bucket}])[0][0] == "aws_s3_bucket"
    assert of("PutBucketFuture", "s3", {}, resources=[{"ARN": bucket}, {"ARN": bucket}]) == []
    assert of("RotateKey", "kms", None, resources=[{"ARN": bucket}]) == []


def test_details_may_be_json_in_a_string() -> None:
    details = '{"createAccountStatus": {"accountId": "222233334444", "state": "SUCCEEDED"}}'
    assert of("CreateAccountResult", "organizations", None, serviceEventDetails=details) == [
        ("aws_organizations_account", ("222233334444",), "create")
    ]
    assert of("CreateAccountResult", "organizations", None, serviceEventDetails="{not json") == []


def nested(depth: int) -> dict:
    found: dict = {"internetGatewayId": "igw-1"}
    for _ in range(depth):
        found = {"items": found}
    return {"internetGatewayId": found}


@pytest.mark.parametrize(
    "request_",
    [
        *(None, [], "text", 7, {}, {"internetGatewayId": None}, {"internetGatewayId": {}}, {"internetGatewayId": 1.5}),
        *(
            {"internetGatewayId": value}
            for value in (MASK, "****", "", True, [None, {}], {"items": "x"}, {"a": "igw-1"})
        ),
        *({"DeleteInternetGatewayRequest": value} for value in (None, "", [], {"x": 1})),
        nested(100_000),
    ],
)
def test_strange_requests_touch_nothing_or_what_they_name(request_: object) -> None:
    for name in ("DeleteInternetGateway", "CreateTags", "CreateRoute"):
        assert of(name, "ec2", request_) in ([], [("aws_internet_gateway", ("x",), "delete")])
    assert of("TagResources", "tagging", request_) == []
    assert of("DeleteUserPolicy", "iam", request_) == []


def test_no_call_touches_more_than_ec2_takes_ids() -> None:
    many = {"instancesSet": {"items": [{"instanceId": f"i-{n}"} for n in range(5000)]}}
    assert len(of("StartInstances", "ec2", many)) == 1000
    listed = {"resourceARNList": [ARN.format("sqs") + f"q{n}" for n in range(5000)]}
    assert len(of("TagResources", "tagging", listed)) == 1000
