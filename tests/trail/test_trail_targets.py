"""Calls → touches: what the specs' paths see, what they must not trust, and which spellings an identifier has."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from trail_records import ACCOUNT, QUEUE, SPECS, change_of, record, trail_of

from agent.model import Touch, Unknown
from agent.resources import Attribute, Call, Event, Spec
from agent.seal import seal

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
