"""Log files in the bucket of a trail, laid out and named as CloudTrail does; late, twice or out of order on request."""

from __future__ import annotations

import gzip
import json
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import boto3

_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Plan:
    """How to cut and name the files; what each part means, `Recorder.deliver` says."""

    prefix: str = ""
    organisation: str = ""
    per_file: int = 500
    twice: float = 0
    shuffled: bool = False


@dataclass(frozen=True, slots=True)
class LogFile:
    """One object to write."""

    key: str
    body: bytes


def log_files(records: Sequence[Mapping[str, Any]], plan: Plan, at: datetime, random: Random) -> list[LogFile]:
    """The files that hold the records. `at`: delivery time; `random` decides names, order and duplicates."""
    files = []
    for account, region in sorted({(one["recipientAccountId"], one["awsRegion"]) for one in records}):
        mine = [one for one in records if (one["recipientAccountId"], one["awsRegion"]) == (account, region)]
        if plan.shuffled:
            random.shuffle(mine)
        for part in _parts(mine, plan.per_file):
            body = _compressed(part)
            files.append(LogFile(_key(plan, account, region, at, random), body))
            if random.random() < plan.twice:
                files.append(LogFile(_key(plan, account, region, at, random), body))
    return files


def put(files: Sequence[LogFile], bucket: str, endpoint: str) -> None:
    """Write files to a bucket at `endpoint`. Raises botocore's ClientError where the bucket does not take them."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="recorder",
        aws_secret_access_key="recorder",  # noqa: S106 moto checks no signature
    )
    for file in files:
        client.put_object(
            Bucket=bucket, Key=file.key, Body=file.body, ContentType="application/json", ContentEncoding="gzip"
        )


def _parts(records: Sequence[Mapping[str, Any]], size: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(records), size):
        yield records[start : start + size]


def _compressed(records: Sequence[Mapping[str, Any]]) -> bytes:
    text = json.dumps({"Records": records}, separators=(",", ":"))
    return gzip.compress(text.encode(), mtime=0)


def _key(plan: Plan, account: str, region: str, at: datetime, random: Random) -> str:
    name = "".join(random.choices(_LETTERS, k=16))
    # File times are whole five minutes, as CloudTrail's are.
    minute = at.replace(minute=at.minute - at.minute % 5)
    parts = (
        plan.prefix.strip("/"),
        "AWSLogs",
        plan.organisation,
        account,
        "CloudTrail",
        region,
        f"{at:%Y/%m/%d}",
        f"{account}_CloudTrail_{region}_{minute:%Y%m%dT%H%MZ}_{name}.json.gz",
    )
    return "/".join(part for part in parts if part)
