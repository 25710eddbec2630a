"""Log files as CloudTrail delivers them, and the ways a delivery goes wrong in life."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from recorder_calls import ACCOUNT, ALICE, clients

from agent.demo.recorder import Recorder, iam_user

NOW = datetime(2026, 5, 1, 12, 34, 56, tzinfo=UTC)


@pytest.fixture
def recorder(moto: str) -> Iterator[Recorder]:
    with Recorder(moto, ACCOUNT, clock=lambda: NOW, seed=11) as recorder:
        recorder.know(ALICE, iam_user("alice", ACCOUNT))
        yield recorder


@pytest.fixture
def bucket(recorder: Recorder, unique: str) -> str:
    clients(recorder.upstream)("s3").create_bucket(Bucket=unique)
    return unique


def read(recorder: Recorder, bucket: str, key: str) -> list[dict[str, Any]]:
    body = clients(recorder.upstream)("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    records: list[dict[str, Any]] = json.loads(gzip.decompress(body))["Records"]
    return records


def inject(recorder: Recorder, count: int, **fields: Any) -> list[str]:
    return [
        recorder.inject({"eventSource": "ecs.amazonaws.com", "eventName": "RunTask", **fields})["eventID"]
        for _ in range(count)
    ]


def test_layout_and_content(recorder: Recorder, bucket: str) -> None:
    clients(recorder.endpoint)("sqs", region="eu-west-1").list_queues()
    inject(recorder, 2)
    keys = recorder.deliver(bucket, "audit/")
    folder = rf"audit/AWSLogs/{ACCOUNT}/CloudTrail/{{0}}/2026/05/01/{ACCOUNT}_CloudTrail_{{0}}"
    named = [
        re.compile(folder.format(region) + r"_20260501T1230Z_[0-9A-Za-z]{16}\.json\.gz")
        for region in ("eu-west-1", "us-east-1")
    ]
    assert [bool(pattern.fullmatch(key)) for pattern, key in zip(named, keys, strict=True)] == [True, True]
    assert [record for key in keys for record in read(recorder, bucket, key)] == list(recorder.records)


def test_file_is_compact_json_on_one_line(recorder: Recorder, bucket: str) -> None:
    inject(recorder, 1)
    (key,) = recorder.deliver(bucket)
    body = clients(recorder.upstream)("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert gzip.decompress(body) == json.dumps({"Records": recorder.records}, separators=(",", ":")).encode()


def test_organisation_trail_has_its_id_in_the_path(recorder: Recorder, bucket: str) -> None:
    inject(recorder, 1)
    (key,) = recorder.deliver(bucket, organisation="o-abc")
    assert key.startswith(f"AWSLogs/o-abc/{ACCOUNT}/CloudTrail/us-east-1/")


def test_each_record_is_delivered_once_and_delivery_is_not_recorded(recorder: Recorder, bucket: str) -> None:
    inject(recorder, 3)
    recorder.deliver(bucket)
    inject(recorder, 1)
    (key,) = recorder.deliver(bucket)
    assert len(read(recorder, bucket, key)) == 1
    assert recorder.deliver(bucket) == ()
    assert len(recorder.records) == 4


def test_delayed_records_come_later(recorder: Recorder, bucket: str) -> None:
    (old,) = inject(recorder, 1, eventTime="2026-05-01T12:00:00Z")
    (new,) = inject(recorder, 1, eventTime="2026-05-01T12:30:00Z")
    (first,) = recorder.deliver(bucket, delay=timedelta(minutes=15))
    (second,) = recorder.deliver(bucket, delay=timedelta(minutes=15), at=NOW + timedelta(days=1))
    assert [record["eventID"] for record in read(recorder, bucket, first)] == [old]
    assert [record["eventID"] for record in read(recorder, bucket, second)] == [new]
    assert "/2026/05/02/" in second


def test_files_hold_so_many_records(recorder: Recorder, bucket: str) -> None:
    inject(recorder, 5)
    assert [len(read(recorder, bucket, key)) for key in recorder.deliver(bucket, per_file=2)] == [2, 2, 1]


def test_files_arrive_twice(recorder: Recorder, bucket: str) -> None:
    inject(recorder, 4)
    keys = recorder.deliver(bucket, per_file=2, twice=1)
    assert len(set(keys)) == 4
    contents = [[record["eventID"] for record in read(recorder, bucket, key)] for key in keys]
    assert (contents[0], contents[2]) == (contents[1], contents[3])


def test_records_arrive_out_of_order_and_complete(recorder: Recorder, bucket: str) -> None:
    made = inject(recorder, 20)
    keys = recorder.deliver(bucket, per_file=5, shuffled=True)
    delivered = [record["eventID"] for key in keys for record in read(recorder, bucket, key)]
    assert delivered != made
    assert sorted(delivered) == sorted(made)


def test_a_seed_repeats_ids_names_and_order(moto: str, bucket: str) -> None:
    def run() -> tuple[list[str], tuple[str, ...]]:
        with Recorder(moto, ACCOUNT, clock=lambda: NOW, seed=5) as recorder:
            made = inject(recorder, 9)
            return made, recorder.deliver(bucket, per_file=2, twice=0.5, shuffled=True)

    assert run() == run()


def test_a_bucket_that_is_missing_loses_nothing(recorder: Recorder, bucket: str) -> None:
    made = inject(recorder, 2)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        recorder.deliver(f"{bucket}-none")
    (key,) = recorder.deliver(bucket)
    assert [record["eventID"] for record in read(recorder, bucket, key)] == made
