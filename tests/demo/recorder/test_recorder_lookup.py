"""LookupEvents, served by the recorder with AWS's behaviour."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from recorder_calls import ACCOUNT, ALICE, clients

from agent.demo.recorder import Recorder, iam_user

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Clock:
    """Says the time it was set to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(moto: str, clock: Clock) -> Iterator[Recorder]:
    with Recorder(moto, ACCOUNT, clock=clock, lookup_rate=None, seed=3) as recorder:
        recorder.know(ALICE, iam_user("alice", ACCOUNT))
        yield recorder


@pytest.fixture
def look_up(recorder: Recorder) -> Callable[..., dict[str, Any]]:
    """`look_up(Attribute="value", …)` in us-east-1."""
    trail = clients(recorder.endpoint)("cloudtrail")

    def ask(attribute: str = "", value: str = "", **parameters: Any) -> dict[str, Any]:
        if attribute:
            parameters["LookupAttributes"] = [{"AttributeKey": attribute, "AttributeValue": value}]
        answer: dict[str, Any] = trail.lookup_events(**parameters)
        return answer

    return ask


def inject(recorder: Recorder, count: int, name: str = "RunTask", **fields: Any) -> list[str]:
    return [
        recorder.inject({"eventSource": "ecs.amazonaws.com", "eventName": name, **fields})["eventID"]
        for _ in range(count)
    ]


def test_entry_says_what_the_record_says(
    recorder: Recorder, clock: Clock, look_up: Callable[..., dict[str, Any]], unique: str
) -> None:
    clients(recorder.endpoint)("sqs").create_queue(QueueName=unique)
    record = recorder.records[-1]
    clock.now += timedelta(seconds=1)
    (event,) = look_up("EventName", "CreateQueue")["Events"]
    assert json.loads(event.pop("CloudTrailEvent")) == record
    assert event == {
        "EventId": record["eventID"],
        "EventName": "CreateQueue",
        "ReadOnly": "false",
        "AccessKeyId": ALICE,
        "EventTime": START,
        "EventSource": "sqs.amazonaws.com",
        "Username": "alice",
        "Resources": [{"ResourceType": "AWS::SQS::Queue", "ResourceName": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{unique}"}],
    }


def test_pages_of_fifty_newest_first(recorder: Recorder, clock: Clock, look_up: Callable[..., dict[str, Any]]) -> None:
    made = []
    for _ in range(120):
        clock.now += timedelta(seconds=1)
        made += inject(recorder, 1)
    first = look_up("EventName", "RunTask")
    # What arrives between two pages moves nothing.
    clock.now += timedelta(seconds=1)
    inject(recorder, 1)
    second = look_up("EventName", "RunTask", NextToken=first["NextToken"])
    third = look_up("EventName", "RunTask", NextToken=second["NextToken"])
    pages = [[event["EventId"] for event in page["Events"]] for page in (first, second, third)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert [event for page in pages for event in page] == made[::-1]
    assert "NextToken" not in third


def test_events_of_one_second_are_all_found(recorder: Recorder, look_up: Callable[..., dict[str, Any]]) -> None:
    made = inject(recorder, 7)
    first = look_up("EventName", "RunTask", MaxResults=4)
    second = look_up("EventName", "RunTask", MaxResults=4, NextToken=first["NextToken"])
    assert [event["EventId"] for page in (first, second) for event in page["Events"]] == made[::-1]


def test_a_last_page_that_is_full_has_no_token(recorder: Recorder, look_up: Callable[..., dict[str, Any]]) -> None:
    inject(recorder, 3)
    assert "NextToken" not in look_up("EventName", "RunTask", MaxResults=3)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("EventName", "PutRolePolicy"),
        ("EventSource", "iam.amazonaws.com"),
        ("ReadOnly", "false"),
        ("Username", "bob"),
        ("AccessKeyId", "AKIABOB"),
        ("ResourceType", "AWS::IAM::Role"),
        ("ResourceName", "payments"),
        ("EventId", "e-1"),
    ],
)
def test_one_attribute_filters(
    recorder: Recorder, look_up: Callable[..., dict[str, Any]], attribute: str, value: str
) -> None:
    recorder.inject(
        {
            "eventSource": "iam.amazonaws.com",
            "eventName": "PutRolePolicy",
            "eventID": "e-1",
            "userIdentity": {"type": "IAMUser", "userName": "bob", "accessKeyId": "AKIABOB"},
            "requestParameters": {"roleName": "payments"},
        }
    )
    inject(recorder, 1, "DescribeTasks", readOnly=True)
    assert [event["EventId"] for event in look_up(attribute, value)["Events"]] == ["e-1"]
    assert look_up(attribute, value + "x")["Events"] == []


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"type": "Root"}, "root"),
        ({"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Deploy/CHG1"}, "CHG1"),
        ({"type": "WebIdentityUser", "userName": "repo:a/b"}, "repo:a/b"),
    ],
)
def test_user_name_of_an_identity(
    recorder: Recorder, look_up: Callable[..., dict[str, Any]], identity: dict[str, str], name: str
) -> None:
    inject(recorder, 1, userIdentity=identity)
    assert look_up("EventName", "RunTask")["Events"][0]["Username"] == name


def test_time_range_is_inclusive(recorder: Recorder, clock: Clock, look_up: Callable[..., dict[str, Any]]) -> None:
    made = []
    for _ in range(5):
        made += inject(recorder, 1)
        clock.now += timedelta(minutes=1)
    found = look_up(
        "EventName", "RunTask", StartTime=START + timedelta(minutes=1), EndTime=START + timedelta(minutes=3)
    )
    assert [event["EventId"] for event in found["Events"]] == made[3:0:-1]


def test_nothing_older_than_ninety_days(
    recorder: Recorder, clock: Clock, look_up: Callable[..., dict[str, Any]]
) -> None:
    inject(recorder, 1)
    clock.now += timedelta(days=89)
    (kept,) = inject(recorder, 1)
    clock.now += timedelta(days=2)
    found = look_up("EventName", "RunTask", StartTime=START - timedelta(days=1))
    assert [event["EventId"] for event in found["Events"]] == [kept]


def test_each_region_answers_for_itself_and_global_services_in_us_east_1(recorder: Recorder, unique: str) -> None:
    make = clients(recorder.endpoint)
    make("sqs", region="eu-west-1").create_queue(QueueName=unique)
    make("iam", region="eu-west-1").create_user(UserName=unique)

    def writes(region: str) -> list[str]:
        ask = [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]
        events = make("cloudtrail", region=region).lookup_events(LookupAttributes=ask)["Events"]
        return [event["EventName"] for event in events]

    assert (writes("eu-west-1"), writes("us-east-1")) == (["CreateQueue"], ["CreateUser"])


def test_insight_events_are_none(recorder: Recorder, look_up: Callable[..., dict[str, Any]]) -> None:
    inject(recorder, 1)
    assert look_up(EventCategory="insight")["Events"] == []


def test_lookup_is_recorded_itself(recorder: Recorder, look_up: Callable[..., dict[str, Any]]) -> None:
    look_up("ReadOnly", "false", MaxResults=5)
    record = recorder.records[-1]
    assert record["requestParameters"] == {
        "lookupAttributes": [{"attributeKey": "ReadOnly", "attributeValue": "false"}],
        "maxResults": 5,
    }
    assert (record["eventName"], record["readOnly"], record["responseElements"]) == ("LookupEvents", True, None)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"NextToken": "made up"}, "InvalidNextTokenException"),
        ({"StartTime": START, "EndTime": START - timedelta(1)}, "InvalidTimeRangeException"),
        (
            {
                "LookupAttributes": [
                    {"AttributeKey": "EventName", "AttributeValue": "a"},
                    {"AttributeKey": "Username", "AttributeValue": "b"},
                ]
            },
            "InvalidLookupAttributesException",
        ),
        ({"LookupAttributes": [{"AttributeKey": "Region", "AttributeValue": "a"}]}, "InvalidLookupAttributesException"),
    ],
)
def test_refusals(recorder: Recorder, parameters: dict[str, Any], code: str) -> None:
    # botocore would refuse some of these itself.
    trail = clients(recorder.endpoint)("cloudtrail", validate=False)
    with pytest.raises(ClientError) as error:
        trail.lookup_events(**parameters)
    assert error.value.response["Error"]["Code"] == code
    assert recorder.records[-1]["errorCode"] == code


@pytest.mark.parametrize("changed", [{"value": "StopTask"}, {"MaxResults": 2}])
def test_a_token_serves_only_the_parameters_it_came_from(
    recorder: Recorder, look_up: Callable[..., dict[str, Any]], changed: dict[str, Any]
) -> None:
    inject(recorder, 2)
    token = look_up("EventName", "RunTask", MaxResults=1)["NextToken"]
    asked: dict[str, Any] = {"attribute": "EventName", "value": "RunTask", "MaxResults": 1, "NextToken": token}
    with pytest.raises(ClientError, match="InvalidNextTokenException"):
        look_up(**{**asked, **changed})


def test_two_requests_a_second_per_region(moto: str) -> None:
    with Recorder(moto, ACCOUNT) as recorder:
        recorder.know(ALICE, iam_user("alice", ACCOUNT))
        make = clients(recorder.endpoint)
        here, there = make("cloudtrail"), make("cloudtrail", region="eu-west-1")
        here.lookup_events()
        here.lookup_events()
        with pytest.raises(ClientError, match=r"ThrottlingException.*Rate exceeded"):
            here.lookup_events()
        there.lookup_events()
        time.sleep(1.01)
        here.lookup_events()
        throttled = [record for record in recorder.records if "errorCode" in record]
        assert [(one["awsRegion"], one["requestParameters"]) for one in throttled] == [("us-east-1", None)]
