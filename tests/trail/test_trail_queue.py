"""Queues of SQS: notifications of S3 and CloudTrail, events of EventBridge; what else they hold never holds them up."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from trail_records import ACCOUNT, END, REGION, SPECS, START, packed, record

from agent.model import Gap, Scope
from agent.trail import bus, notified
from agent.trail.batch import Batch
from agent.trail.entries import Reader
from agent.trail.source import Blob, Delivery, Feed, Window

BUCKET = "trail-logs"
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/03/02/{ACCOUNT}_CloudTrail_{REGION}_"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:trail"


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[Any, Any]]:
    """Of SQS and S3, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            s3 = boto3.client("s3", region_name="us-east-1")
            s3.create_bucket(Bucket=BUCKET)
            yield boto3.client("sqs", region_name=REGION), s3


class Queue:
    """A queue, what is in it, and the clients that read it."""

    def __init__(self, sqs: Any, s3: Any) -> None:
        self.sqs = sqs
        self.s3 = s3
        self.url: str = sqs.create_queue(QueueName=f"trail-{uuid.uuid4()}")["QueueUrl"]

    def put(self, name: str, data: bytes) -> str:
        key = f"{FOLDER}20260302T1205Z_{name}.json.gz"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        return key

    def send(self, *bodies: Any) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in found.values())

    def notified(self, **options: Any) -> Feed:
        return notified.feed(self.sqs, self.url, self.s3, wait=0, workers=2, **{"buckets": [BUCKET]} | options)

    def bus(self, **options: Any) -> Feed:
        return bus.feed(self.sqs, self.url, wait=0, **options)


@pytest.fixture
def queue(clients: tuple[Any, Any]) -> Queue:
    return Queue(*clients)


def read(feed: Feed) -> tuple[list[Blob], list[Gap], list[Gap]]:
    """(files, gaps of this reading, lasting gaps), everything acknowledged."""
    blobs: list[Blob] = []
    gaps: list[Gap] = []
    lasting: list[Gap] = []
    for delivery in feed.deliveries(Window(START, END)):
        blobs += [blob for blob in delivery.blobs if isinstance(blob, Blob)]
        gaps += [gap for gap in delivery.blobs if isinstance(gap, Gap)]
        lasting += delivery.lasting
        gaps += delivery.acknowledge() if delivery.acknowledge else ()
    return blobs, gaps, lasting


def events(blobs: list[Blob]) -> list[str]:
    reader = Reader(SPECS)
    sifted = [reader.sift(blob) for blob in blobs]
    assert [gap for one in sifted for gap in one.gaps] == []
    return sorted(entry.event for one in sifted for entry in one.entries)


def of_s3(key: str, bucket: str = BUCKET, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": name,
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
            }
        ]
    }


def of_cloudtrail(*keys: str) -> dict[str, Any]:
    return {"s3Bucket": BUCKET, "s3ObjectKey": list(keys)}


def of_the_bus_of_s3(key: str) -> dict[str, Any]:
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key}}
    return {"source": "aws.s3", "detail-type": "Object Created", "account": ACCOUNT, "detail": detail}


def in_sns(message: Any) -> dict[str, Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": text, "UnsubscribeURL": "https://x"}


def on_the_bus(found: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "e",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.sqs",
        "account": ACCOUNT,
        "region": REGION,
        "detail": found,
    } | fields


def test_every_shape_of_a_notification_brings_the_file_it_names(queue: Queue) -> None:
    made = [record(at=f"12:00:0{n}") for n in range(7)]
    keys = [queue.put(f"{n}", packed(one)) for n, one in enumerate(made)]
    odd = queue.put("a b:c+d", packed(made[6]))
    queue.send(
        of_s3(keys[0]),
        in_sns(of_s3(keys[1])),
        in_sns(in_sns(of_s3(keys[2]))),
        of_cloudtrail(keys[3]),
        in_sns(of_cloudtrail(keys[4], keys[4], keys[0])),
        of_the_bus_of_s3(keys[5]),
        of_s3(odd.replace("+", "%2B").replace(" ", "+").replace(":", "%3A")),
    )
    blobs, gaps, lasting = read(queue.notified())
    assert events(blobs) == sorted(one["eventID"] for one in made)
    assert len(blobs) == 7  # the file that two messages name is fetched once
    assert {(blob.scope.account, blob.scope.region, blob.answers) for blob in blobs} == {(ACCOUNT, REGION, False)}
    assert (gaps, lasting, queue.left()) == ([], [], 0)


def test_what_is_no_log_file_is_passed_by(queue: Queue) -> None:
    key = queue.put("1", packed(record()))
    queue.send(
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET},
        in_sns({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}),
        in_sns("CloudTrail validation message."),
        "CloudTrail validation message.",
        of_s3(key.replace("/CloudTrail/", "/CloudTrail-Digest/")),
        of_s3(key.replace("/CloudTrail/", "/CloudTrail-Insight/")),
        of_s3("some/other/object.json.gz"),
        of_s3(key, name="ObjectRemoved:Delete"),
        of_the_bus_of_s3(key) | {"detail-type": "Object Deleted"},
    )
    assert read(queue.notified()) == ([], [], [])
    assert queue.left() == 0


DEEP = '{"a":' * 50_000
GARBAGE = (
    ("x" * 200_000, "no JSON"),
    ("[1, 2]", "no JSON object"),
    (DEEP, "nested too deep"),
    ("{}", "no notification of an object in S3"),
    ({"Records": [record()]}, "no notification of an object in S3"),
    ({"Records": [7]}, "no notification of an object in S3"),
    ({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": ["x"]}}}]}, "no notification of an object in S3"),
    ({"s3Bucket": None, "s3ObjectKey": ["x"]}, "no notification of an object in S3"),
    (in_sns(in_sns(in_sns(in_sns({})))), "more than 3 SNS envelopes around each other"),
    (
        in_sns("You have chosen to subscribe …") | {"Type": "SubscriptionConfirmation", "SubscribeURL": "http://x"},
        "an SNS SubscriptionConfirmation, for the owner of the subscription to answer",
    ),
    (
        of_s3(f"{FOLDER}20260302T1205Z_x.json.gz", bucket="mallory"),
        "names the bucket 'mallory', which is none of the trail's",
    ),
    (of_s3(f"{FOLDER}20260302T1205Z_{'x' * 2000}.json.gz"), "names what is no object: 'trail-logs', 'AWSLogs/"),
    (of_s3(f"{FOLDER}20260302T1205Z_gone.json.gz"), "An error occurred (NoSuchKey)"),
    (of_cloudtrail(f"{FOLDER}20260302T1205Z_\ud800\n.json.gz"), "no name that an object can have"),
)


@pytest.mark.parametrize(("body", "why"), GARBAGE, ids=range(len(GARBAGE)))
def test_a_message_that_nobody_can_read_is_told_and_taken_away(queue: Queue, body: Any, why: str) -> None:
    queue.send(body, of_s3(queue.put("1", packed(record()))))
    blobs, gaps, lasting = read(queue.notified())
    assert events(blobs) == [record()["eventID"]]
    assert gaps == []
    (gap,) = lasting
    assert gap.why.startswith(f"{queue.url}: message ")
    assert why in gap.why
    assert gap.why.endswith("; taken from the queue")
    assert len(gap.why) <= 500
    assert "\n" not in gap.why
    assert (gap.cause, gap.scope.id, gap.times) == ("poison", queue.url, 1)
    assert queue.left() == 0


def test_a_bucket_that_is_an_access_point_is_refused_even_where_any_bucket_will_do(queue: Queue) -> None:
    arn = f"arn:aws:s3:{REGION}:999999999999:accesspoint/mallory"
    queue.send(of_s3(f"{FOLDER}20260302T1205Z_x.json.gz", bucket=arn))
    blobs, gaps, lasting = read(queue.notified(buckets=[]))
    assert (blobs, gaps, len(lasting)) == ([], [], 1)
    assert "names what is no object" in lasting[0].why


def test_many_such_messages_are_told_as_a_number(queue: Queue) -> None:
    queue.send(*("x" for _ in range(40)))
    _, gaps, lasting = read(queue.notified())
    assert gaps == []
    assert len(lasting) == 10
    assert sum("(and 30 more like it)" in gap.why for gap in lasting) == 1
    assert sum(gap.times for gap in lasting) == 40
    assert queue.left() == 0


def test_each_message_is_counted_once_whichever_place_it_is_of() -> None:
    batch = Batch()
    for number in range(14):
        account = "222222222222" if number in (11, 13) else "111111111111" if number == 12 else "*"
        batch.miss(Gap(Scope(account=account, id="queue"), f"message {number}", cause="poison"), lasting=True)
    told = {gap.why: gap.times for gap in batch.deliver().lasting}
    assert told.pop("message 0 (and 1 more like it)") == 2
    assert told.pop("message 11 (and 1 more like it)") == 2
    assert told == {f"message {number}": 1 for number in (*range(1, 10), 12)}


@pytest.mark.parametrize("kind", ["notified", "bus"])
def test_dead_letters_are_where_unreadable_messages_are_left(queue: Queue, kind: str) -> None:
    dead = queue.sqs.create_queue(QueueName=f"dead-{kind}")["QueueUrl"]
    arn = queue.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    queue.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"RedrivePolicy": policy})
    queue.send("garbage")
    feed = queue.notified(hidden=0, seconds=0) if kind == "notified" else queue.bus(hidden=0, seconds=0)
    _, gaps, lasting = read(feed)
    assert [gap.why for gap in gaps] == [f"{queue.url}: not empty after 0 s; the rest is read next time"]
    assert lasting[0].why.endswith(f": no JSON; left for the dead-letter queue {arn}")
    _, gaps, lasting = read(feed)  # SQS moves it when it is asked for again
    assert [gap.why for gap in gaps] == [f"{arn}: 1 dead letters, not read"]
    assert (lasting, queue.left()) == ([], 0)


class Troubled:
    """A client some of whose calls fail."""

    def __init__(self, client: Any, **calls: Callable[..., Any]) -> None:
        self._client = client
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._client, name)


def failing(code: str) -> Callable[..., Any]:
    def call(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Call")

    return call


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "KMS.DisabledException"])
def test_a_file_that_cannot_be_fetched_now_leaves_its_message_in_the_queue(queue: Queue, code: str) -> None:
    key = queue.put("1", packed(record()))
    queue.send(of_s3(key), "garbage")
    good, queue.s3 = queue.s3, Troubled(queue.s3, get_object=failing(code))
    blobs, gaps, lasting = read(queue.notified(hidden=1))
    assert (blobs, len(gaps), len(lasting), queue.left()) == ([], 1, 1, 1)
    assert code in gaps[0].why
    assert gaps[0].scope.account == ACCOUNT
    assert ("kms:Decrypt" in gaps[0].why) == (code == "AccessDenied")
    queue.s3 = good
    queue.sqs.purge_queue(QueueUrl=queue.url)
    queue.send(of_s3(key))
    blobs, gaps, lasting = read(queue.notified())
    assert (len(blobs), gaps, lasting, queue.left()) == (1, [], [], 0)


def test_a_queue_that_is_not_there_and_a_message_that_stays_are_gaps(queue: Queue) -> None:
    queue.send(on_the_bus(record()))
    denied = Troubled(
        queue.sqs, delete_message_batch=lambda **_: {"Failed": [{"Id": "0", "Code": "ReceiptHandleIsInvalid"}]}
    )
    feed = bus.feed(denied, queue.url, wait=0)
    blobs, gaps, _ = read(feed)
    assert events(blobs) == [record()["eventID"]]
    assert [gap.why for gap in gaps] == [
        f"{queue.url}: 1 message could not be deleted and will come again: ReceiptHandleIsInvalid"
    ]
    denied = Troubled(queue.sqs, delete_message_batch=failing("AccessDenied"))
    queue.sqs.purge_queue(QueueUrl=queue.url)
    queue.send(on_the_bus(record()))
    _, gaps, _ = read(bus.feed(denied, queue.url, wait=0))
    assert ["AccessDenied" in gap.why for gap in gaps] == [True]
    blobs, gaps, lasting = read(bus.feed(queue.sqs, f"{queue.url}-gone", wait=0))
    assert (blobs, len(gaps), lasting) == ([], 1, [])
    assert gaps[0].why.startswith(f"{queue.url}-gone: ")
    denied = Troubled(queue.sqs, get_queue_attributes=failing("AccessDenied"))
    _, gaps, _ = read(bus.feed(denied, queue.url, wait=0))
    assert ["whether it has dead letters is not known" in gap.why for gap in gaps] == [True]


def test_nothing_is_taken_from_the_queue_before_it_was_kept(queue: Queue) -> None:
    queue.send(*(on_the_bus(record(at=f"12:00:{n:02d}")) for n in range(30)))
    found = list(queue.bus().deliveries(Window(START, END)))
    assert queue.left() == 30
    assert sum(len(events([blob])) for one in found for blob in one.blobs if isinstance(blob, Blob)) == 30
    assert [gap for one in found if one.acknowledge for gap in one.acknowledge()] == []
    assert queue.left() == 0


def test_time_is_bounded_and_the_rest_is_said(queue: Queue) -> None:
    queue.send(*(on_the_bus(record(at=f"12:00:{n:02d}")) for n in range(30)))
    ticks = iter(range(1000))
    blobs, gaps, _ = read(queue.bus(seconds=2.5, clock=lambda: float(next(ticks))))
    assert 0 < len(events(blobs)) < 30
    assert [gap.why for gap in gaps] == [f"{queue.url}: not empty after 2.5 s; the rest is read next time"]
    assert len(events(read(queue.bus())[0])) == 30 - len(events(blobs))


def test_messages_are_hidden_again_while_their_files_are_fetched(queue: Queue) -> None:
    keys = [queue.put(f"{n}", packed(record(at=f"12:00:0{n}"))) for n in range(6)]
    queue.send(of_cloudtrail(*keys))
    extended: list[Any] = []
    ticks = iter(range(0, 100_000, 40))
    queue.sqs = Troubled(queue.sqs, change_message_visibility_batch=lambda **asked: extended.append(asked))
    blobs, gaps, lasting = read(queue.notified(seconds=10_000, clock=lambda: float(next(ticks))))
    assert (len(blobs), gaps, lasting) == (6, [], [])
    assert 1 < len(extended) < 6
    assert {entry["VisibilityTimeout"] for one in extended for entry in one["Entries"]} == {120}


@pytest.mark.parametrize("kind", ["bus", "notified"])
def test_what_could_not_be_kept_is_there_again_at_once(queue: Queue, kind: str) -> None:
    """Nobody waits until it would be: a store that takes no writes for a second is no reason to be late by minutes."""
    if kind == "notified":
        queue.send(of_cloudtrail(queue.put("1", packed(record()))))
    else:
        queue.send(on_the_bus(record()))
    feed = queue.notified() if kind == "notified" else queue.bus()
    for delivery in feed.deliveries(Window(START, END)):
        if delivery.give_back is not None:
            delivery.give_back()
            break
    blobs, _, _ = read(feed)
    assert len(events(blobs)) == 1
    assert queue.left() == 0


def test_a_message_of_many_files_comes_in_several_deliveries(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.trail.batch._FILES", 2)
    keys = [queue.put(f"{n}", packed(record(at=f"12:00:0{n}"))) for n in range(5)]
    queue.send(of_cloudtrail(*keys))
    found: list[Delivery] = list(queue.notified().deliveries(Window(START, END)))
    assert [len(one.blobs) for one in found] == [2, 2, 1, 0]
    assert [one.acknowledge is not None for one in found] == [False, False, True, False]
    assert [one.checkpoint is not None for one in found] == [False, False, False, True]


# --- EventBridge ---------------------------------------------------------------------------------------------


def test_events_of_the_bus_in_every_envelope_are_one_file(queue: Queue) -> None:
    made = [record(at=f"12:00:0{n}") for n in range(5)]
    queue.send(
        on_the_bus(made[0]),
        in_sns(on_the_bus(made[1])),
        json.dumps(on_the_bus(made[2]), indent=1),
        made[3],
        json.dumps(on_the_bus(made[4]))[:-1] + ', "odd": [NaN, "\\ud800", ' + "9" * 400 + "]}",
    )
    blobs, gaps, lasting = read(queue.bus(accounts=[ACCOUNT]))
    assert events(blobs) == sorted(one["eventID"] for one in made)
    assert [blob.answers for blob in blobs] == [False]
    assert (gaps, lasting, queue.left()) == ([], [], 0)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("x" * 200_000, "no JSON"),
        (
            on_the_bus({"state": "running"}, **{"detail-type": "EC2 Instance State-change"}),
            "'EC2 Instance State-change'",
        ),
        (on_the_bus(record(), detail=[1]), "no CloudTrail event"),
        (on_the_bus(record(), source="mallory"), "an event of 'mallory', which is no service of AWS"),
        (on_the_bus(record(), source="aws.partner/x"), "which is no service of AWS"),
        (on_the_bus(record(), source=7), "which is no service of AWS"),
        (on_the_bus(record(), account="999999999999"), "an event of account '999999999999', which is none of the"),
        (on_the_bus(record(recipientAccountId=["x"])), "which is none of the estate's"),
    ],
)
def test_what_is_no_event_of_the_estate_is_told_and_taken_away(queue: Queue, body: Any, why: str) -> None:
    queue.send(body, on_the_bus(record(at="12:00:01")))
    blobs, gaps, lasting = read(queue.bus(accounts=frozenset([ACCOUNT])))
    assert (len(events(blobs)), gaps, queue.left()) == (1, [], 0)
    assert [why in gap.why and len(gap.why) <= 500 for gap in lasting] == [True]
