"""CloudTrail records as AWS writes them, built from what a test cares about; the rest is filled in.

Account, ids and people are made up. An id is computed from the record: equal records are deliveries of one event.
"""

import gzip
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from agent.model import Change, Gap, Trail
from agent.resources.aws_sqs_queue import SPEC as SQS
from agent.trail.read import read
from agent.trail.source import Blob, Source

ACCOUNT = "111122223333"
REGION = "eu-west-1"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
END = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
SPECS = {"aws_sqs_queue": SQS}
QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders"

TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-aws/5.61.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5"
)
BOTO = "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11"


def user(name: str = "dana", key: str = "AKIADANA") -> dict:
    """userIdentity of an IAM user."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return {"type": "IAMUser", "principalId": f"AIDA{name}", "arn": arn, "accountId": ACCOUNT, "accessKeyId": key} | {
        "userName": name
    }


def in_role(
    role: str, session: str, key: str = "", *, path: str = "/", account: str = ACCOUNT, **context: object
) -> dict:
    """userIdentity of a role session; `context` goes into sessionContext."""
    issuer = {"type": "Role", "principalId": "AROAROLE", "arn": f"arn:aws:iam::{account}:role{path}{role}"}
    return {
        "type": "AssumedRole",
        "principalId": f"AROAROLE:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": issuer | {"accountId": account, "userName": role}, **context},
    }


def record(name: str = "SetQueueAttributes", service: str = "sqs", *, at: str = "12:00:00", **fields: object) -> dict:
    """A successful write through boto3 by dana on 2026-03-02, but for `fields`; a field of None is left out."""
    found = {
        "eventVersion": "1.11",
        "userIdentity": user(),
        "eventTime": f"2026-03-02T{at}Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": BOTO,
        "requestParameters": {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "60"}},
        "responseElements": None,
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | fields
    found = {key: value for key, value in found.items() if value is not None or key == "responseElements"}
    if "eventID" not in found:
        found["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(found, sort_keys=True)))
    return found


def assume(
    caller: dict, role: str, session: str, key: str, *, at: str = "11:30:00", call: str = "AssumeRole", **asked
) -> dict:
    """The AssumeRole record behind `in_role(role, session, key)`; `asked` goes into requestParameters."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"
    return record(
        call,
        "sts",
        at=at,
        userIdentity=caller,
        readOnly=True,
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "roleSessionName": session, **asked},
        responseElements={
            "credentials": {"accessKeyId": key, "expiration": "Mar 2, 2026, 12:30:00 PM"},
            "assumedRoleUser": {"assumedRoleId": f"AROAROLE:{session}", "arn": arn},
        },
    )


def packed(*records: dict) -> bytes:
    """A log file as CloudTrail delivers it."""
    return gzip.compress(json.dumps({"Records": records}, separators=(",", ":")).encode())


def source(*given: bytes | Gap) -> Source:
    """A source that gives these files, whatever the interval."""

    def blobs(_start: datetime, _end: datetime) -> Iterator[Blob | Gap]:
        for number, item in enumerate(given):
            yield item if isinstance(item, Gap) else Blob(f"file-{number}.json.gz", item)

    return blobs


def trail_of(*records: dict, **options: object) -> Trail:
    """The trail of START to END that these records make, all in one file."""
    return read([source(packed(*records))], START, END, **({"specs": SPECS} | options))


def change_of(*records: dict, **options: object) -> Change:
    """The one change of these records."""
    (change,) = trail_of(*records, **options).changes
    return change
