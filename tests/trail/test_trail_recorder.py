"""The trail of real boto3 calls, recorded as CloudTrail records them: from the bucket and from LookupEvents alike."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from trail_records import SPECS

from agent.demo.recorder import Recorder, iam_user, role_session
from agent.model import Claim
from agent.trail import lookup, s3
from agent.trail.read import read
from agent.trail.source import once

ACCOUNT = "123456789012"
REGION = "us-east-1"
DANA, SSO = "AKIADANA000000000000", "ASIASSO0000000000000"
ADMINS = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admins_0123456789abcdef"


START = datetime.now(UTC) - timedelta(hours=2)
END = START + timedelta(hours=1)


@pytest.fixture
def recorder(moto_server: str, moto_variables: Mapping[str, str], moto_reset: None) -> Iterator[Recorder]:
    ticks = itertools.count(1)
    # eventTime has no fractions: with a second for each call, the order of the calls is that of the trail.
    with Recorder(
        moto_server, ACCOUNT, clock=lambda: START + timedelta(seconds=next(ticks)), lookup_rate=None, seed=11
    ) as made:
        made.know(DANA, iam_user("dana", ACCOUNT))
        made.know(SSO, role_session(ADMINS, "erik@example.com", datetime.now(UTC)))
        yield made


def client(service: str, endpoint: str, key: str = DANA, secret: str = "x", token: str | None = None) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def play(recorder: Recorder) -> str:
    """Dana makes a queue, changes it in a role under a ticket, is denied a call; Erik deletes it. Gives its URL."""
    at = recorder.endpoint
    url = client("sqs", at).create_queue(QueueName="orders")["QueueUrl"]
    client("sqs", at).list_queues()
    issued = client("sts", at).assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Deploy",
        RoleSessionName="late-fix",
        Tags=[{"Key": "ticket", "Value": "OPS-7"}],
    )["Credentials"]
    in_role = client("sqs", at, issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    in_role.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
    recorder.deny(DANA, "sqs:DeleteQueue")
    with pytest.raises(ClientError):
        client("sqs", at).delete_queue(QueueUrl=url)
    client("sqs", at, SSO).delete_queue(QueueUrl=url)
    return url


def test_who_did_what_from_the_bucket_and_from_lookup_events(recorder: Recorder) -> None:
    url = play(recorder)
    bucket = client("s3", recorder.upstream)
    bucket.create_bucket(Bucket="trail")
    recorder.deliver("trail", "org", organisation="o-abc123", per_file=2, twice=1, shuffled=True)
    events = client("cloudtrail", recorder.endpoint)

    delivered = once(s3.feed(bucket, "trail", "org", accounts=[ACCOUNT], regions=[REGION]))
    asked = once(lookup.feed(events, ACCOUNT, REGION, sleep=lambda _: None))
    from_bucket, from_api = (read([one], START, END, specs=SPECS) for one in (delivered, asked))

    assert [(c.action, c.actor.name, c.actor.kind, c.channel) for c in from_bucket.changes] == [
        ("sqs:CreateQueue", "dana", "person", "sdk"),
        ("sqs:SetQueueAttributes", "dana", "person", "sdk"),
        ("sqs:DeleteQueue", "erik@example.com", "person", "sdk"),
    ]
    _, changed, deleted = from_bucket.changes
    assert changed.actor.how == "IAM user; AssumeRole chain: dana → Deploy"
    assert changed.claims == (Claim("OPS-7", "session tag"),)
    assert [(t.act, t.ids, t.sets) for t in changed.touches] == [
        ("update", (url, "orders"), {"visibility_timeout_seconds": "77"})
    ]
    assert [(t.act, t.ids) for t in deleted.touches] == [("delete", (url, "orders"))]
    assert (from_bucket.denied, from_bucket.gaps) == (1, ())
    assert (from_api.changes, from_api.denied, from_api.gaps) == (from_bucket.changes, 1, ())
    assert read([asked, delivered, asked], START, END, specs=SPECS).changes == from_bucket.changes
