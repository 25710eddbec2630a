"""Log files as CloudTrail writes them, as many as are asked for: real records with fresh ids, times and keys.

Hides where the records come from: the public datasets in the folder DRIFTWARDEN_CLOUDTRAIL_DATA names (one record a
line), or, without them, a few made up here.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.trail import classify, decode
from agent.trail.source import Blob

WRITES = 0.1  # of all records
A_SECOND = 50  # events: a busy account
SESSIONS = 4  # keys that each caller of the records uses by turns
START = datetime(2026, 3, 2, tzinfo=UTC)

_ID = re.compile(r'"(eventID|requestID)":"[^"]*"')
_HOST_ID = re.compile(r'"x-amz-id-2":"[^"]*"')
_TIME = re.compile(r'"eventTime":"[^"]*"')
_KEY = re.compile(r"\b(A[SK]IA)([A-Z0-9]{16})\b")


class Records:
    """An endless stream of records as compact JSON."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.real = True
        found = list(_real())
        if not found:
            self.real = False
            found = list(_made_up())
        self._writes = [text for text, writes in found if writes]
        self._others = [text for text, writes in found if not writes]
        self.distinct = len(found)

    def stream(self) -> Iterator[str]:
        """One record after the other, one in ten a write."""
        number = 0
        while True:
            text = self._random.choice(self._writes if self._random.random() < WRITES else self._others)
            yield self._fresh(text, START + timedelta(seconds=number // A_SECOND))
            number += 1

    def _fresh(self, text: str, time: datetime) -> str:
        text = _ID.sub(lambda found: f'"{found[1]}":"{self._uuid()}"', text)
        text = _HOST_ID.sub(lambda _: f'"x-amz-id-2":"{base64.b64encode(self._random.randbytes(56)).decode()}"', text)
        turn = self._random.randrange(SESSIONS)
        text = _KEY.sub(lambda found: f"{found[1]}{found[2][:-1]}{'ABCDEFGH'[turn]}", text)
        return _TIME.sub(f'"eventTime":"{time:%FT%TZ}"', text)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def packed(records: Iterator[str], files: int, each: int) -> list[bytes]:
    """So many log files of so many records."""
    return [gzip.compress(plain([next(records) for _ in range(each)]), 6) for _ in range(files)]


def plain(records: Sequence[str]) -> bytes:
    """One log file, not packed."""
    return f'{{"Records":[{",".join(records)}]}}'.encode()


def _real() -> Iterator[tuple[str, bool]]:
    """(record, whether it is a write) of every line of the datasets."""
    folder = os.environ.get("DRIFTWARDEN_CLOUDTRAIL_DATA")
    for path in sorted(Path(folder).glob("*.jsonl")) if folder else ():
        for line in path.read_bytes().splitlines():
            for record in decode.records(Blob(path.name, line)):
                # Some are fixtures that somebody cut by hand; CloudTrail leaves out neither.
                if isinstance(record, decode.Record) and record.id and record.time:
                    text = json.dumps(json.loads(line), separators=(",", ":"))
                    sort = classify.sort(record)
                    yield text, sort in ("change", "failed") or (sort == "denied" and record.read_only is False)


def _made_up() -> Iterator[tuple[str, bool]]:
    calls = [
        ("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
        ("s3", "GetBucketAcl", {"bucketName": "invoices", "Host": "invoices.s3.eu-west-1.amazonaws.com", "acl": ""}),
        ("kms", "Decrypt", {"encryptionContext": {"aws:lambda:FunctionArn": "arn:aws:lambda:eu-west-1:1:function:a"}}),
        ("iam", "GetRole", {"roleName": "deploy"}),
        ("sqs", "SetQueueAttributes", {"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders"}),
        ("ec2", "AuthorizeSecurityGroupIngress", {"groupId": "sg-0123456789abcdef0", "ipPermissions": {"items": []}}),
    ]
    for number in range(600):
        service, name, request = calls[number % len(calls)]
        writes = not name.startswith(("Get", "Describe", "Decrypt"))
        session = f"person-{number % 50}"
        yield json.dumps(_record(service, name, request, session, writes), separators=(",", ":")), writes


def _record(service: str, name: str, request: dict[str, object], session: str, writes: bool) -> dict[str, object]:
    role = {"type": "Role", "principalId": "AROAEXAMPLE", "arn": "arn:aws:iam::111122223333:role/Deploy"}
    return {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE:{session}",
            "arn": f"arn:aws:sts::111122223333:assumed-role/Deploy/{session}",
            "accountId": "111122223333",
            "accessKeyId": "ASIAEXAMPLE000000000",
            "sessionContext": {"sessionIssuer": role, "attributes": {"creationDate": "2026-03-02T00:00:00Z"}},
        },
        "eventTime": "2026-03-02T00:00:00Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11.7",
        "requestParameters": request,
        "responseElements": None,
        "requestID": "",
        "eventID": "",
        "readOnly": not writes,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
    }
