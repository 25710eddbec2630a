"""Sources: files of a folder, pages of LookupEvents, objects of a bucket in AWS's layout; what they miss is a gap."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from trail_records import ACCOUNT, END, REGION, SPECS, START, assume, in_role, packed, record, user

from agent.model import Gap
from agent.trail import files, lookup, s3, source
from agent.trail.classify import ASSUMING
from agent.trail.read import read
from agent.trail.source import Blob, Window, once


def split(found: Iterator[Blob | Gap]) -> tuple[list[Blob], list[Gap]]:
    everything = list(found)
    return [b for b in everything if isinstance(b, Blob)], [g for g in everything if isinstance(g, Gap)]


# --- files ---------------------------------------------------------------------------------------------------


def test_a_folder_is_searched_and_digests_are_left_out(tmp_path: Path) -> None:
    for name in (
        "b/2.json.gz",
        "a/1.json",
        "c.jsonl",
        "readme.md",
        "CloudTrail-Digest/d.json.gz",
        "x/CloudTrail-Insight/i.json",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(packed(record(sourceIPAddress=name)))
    blobs, gaps = split(once(files.feed(tmp_path))(START, END))
    assert [Path(blob.name).relative_to(tmp_path).as_posix() for blob in blobs] == [
        "c.jsonl",
        "a/1.json",
        "b/2.json.gz",
    ]
    assert gaps == []
    assert len(read([once(files.feed(tmp_path))], START, END, specs=SPECS).changes) == 3


def test_one_file_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_text(json.dumps(record()))
    assert len(read([once(files.feed(file))], START, END, specs=SPECS).changes) == 1


@pytest.mark.parametrize("name", ["", "not-there"])
def test_a_folder_without_log_files_is_a_gap(tmp_path: Path, name: str) -> None:
    blobs, gaps = split(once(files.feed(tmp_path / name))(START, END))
    assert blobs == []
    assert len(gaps) == 1
    assert str(tmp_path / name) in gaps[0].why


def test_what_is_no_regular_file_is_a_gap_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for feed in (files.feed(tmp_path), files.feed(tmp_path / "pipe.json")):
        blobs, gaps = split(once(feed)(START, END))
        assert blobs == []
        assert [gap.why for gap in gaps] == [f"{tmp_path / 'pipe.json'}: no regular file, not read"]


def test_a_dangling_link_and_a_file_too_large_are_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "gone")
    (tmp_path / "b.json").write_bytes(b"x" * 2048)
    monkeypatch.setattr(files, "MAX_BYTES", 1024)
    blobs, gaps = split(once(files.feed(tmp_path))(START, END))
    assert blobs == []
    assert [gap.why.partition(": ")[2].partition(",")[0] for gap in gaps] == ["No such file or directory", "0 MB"]


# --- LookupEvents --------------------------------------------------------------------------------------------


class Waiting:
    """Counts the seconds that a source sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def events(*records: dict) -> dict[str, Any]:
    return {"Events": [{"EventId": r["eventID"], "CloudTrailEvent": json.dumps(r, indent=1)} for r in records]}


@pytest.fixture
def cloudtrail() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client(
        "cloudtrail",
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def asked(key: str, value: str, start: datetime, **more: object) -> dict[str, Any]:
    attributes = [{"AttributeKey": key, "AttributeValue": value}]
    return {"LookupAttributes": attributes, "StartTime": start, "EndTime": END, "MaxResults": 50, **more}


def looked_up(
    client: Any, *, sessions: bool = False, now: datetime = END, wait: Waiting | None = None
) -> source.Source:
    feed = lookup.feed(client, ACCOUNT, REGION, sessions=sessions, sleep=wait or Waiting(), now=lambda: now)
    return once(feed)


def test_all_pages_of_writes_and_the_sessions_before_them(cloudtrail: tuple[Any, Stubber]) -> None:
    client, stub = cloudtrail
    earlier = START - source.LOOKBACK
    used = record(at="12:00:00", userIdentity=in_role("Deploy", "x", "ASIA1"))
    stub.add_response("lookup_events", events(used) | {"NextToken": "n"}, asked("ReadOnly", "false", START))
    stub.add_response("lookup_events", events(record(at="11:00:00")), asked("ReadOnly", "false", START, NextToken="n"))
    issued = assume(user("erik", "AKIAERIK"), "Deploy", "x", "ASIA1", at="02:00:00")
    stub.add_response("lookup_events", events(issued), asked("EventName", "AssumeRole", earlier))
    for name in sorted(ASSUMING - {"AssumeRole"}):
        stub.add_response("lookup_events", events(), asked("EventName", name, earlier))
    trail = read([looked_up(client, sessions=True)], START, END, specs=SPECS)
    assert [change.actor.name for change in trail.changes] == ["dana", "erik"]
    assert trail.gaps == ()


def test_no_more_than_two_requests_a_second(cloudtrail: tuple[Any, Stubber]) -> None:
    client, stub = cloudtrail
    for number in range(4):
        stub.add_response("lookup_events", events() | ({"NextToken": f"{number}"} if number < 3 else {}))
    wait = Waiting()
    assert split(looked_up(client, wait=wait)(START, END)) == ([], [])
    assert len(wait.slept) == 3
    assert all(0.4 < seconds <= 2 for seconds in wait.slept)


def test_throttling_is_waited_out(cloudtrail: tuple[Any, Stubber]) -> None:
    client, stub = cloudtrail
    stub.add_client_error("lookup_events", "ThrottlingException")
    stub.add_client_error("lookup_events", "ThrottlingException")
    stub.add_response("lookup_events", events(record()))
    wait = Waiting()
    blobs, gaps = split(looked_up(client, wait=wait)(START, END))
    assert (len(blobs), gaps) == (1, [])
    assert [seconds for seconds in wait.slept if seconds in (0.5, 1.0)] == [0.5, 1.0]
    assert (blobs[0].scope.account, blobs[0].scope.region, blobs[0].answers) == (ACCOUNT, REGION, True)


@pytest.mark.parametrize(("code", "times"), [("AccessDeniedException", 1), ("ThrottlingException", 8)])
def test_a_query_that_fails_is_a_gap_and_the_others_go_on(
    cloudtrail: tuple[Any, Stubber], code: str, times: int
) -> None:
    client, stub = cloudtrail
    for _ in range(times):
        stub.add_client_error("lookup_events", code)
    for _ in ASSUMING:
        stub.add_response(
            "lookup_events", events(), {"LookupAttributes": ANY, "StartTime": ANY, "EndTime": ANY, "MaxResults": 50}
        )
    blobs, gaps = split(looked_up(client, sessions=True)(START, END))
    assert blobs == []
    assert len(gaps) == 1
    assert gaps[0].why.startswith(f"LookupEvents {ACCOUNT}/{REGION} ReadOnly=false page 1: ")
    assert code in gaps[0].why


def test_what_is_older_than_ninety_days_is_a_gap(cloudtrail: tuple[Any, Stubber]) -> None:
    client, stub = cloudtrail
    now = START + timedelta(days=90, hours=1)
    stub.add_response("lookup_events", events(record()), asked("ReadOnly", "false", now - timedelta(days=90)))
    blobs, gaps = split(looked_up(client, now=now)(START, END))
    assert len(blobs) == 1
    assert [gap.why for gap in gaps] == ["LookupEvents keeps 90 days: nothing of the interval's first 1"]
    assert len(split(looked_up(client, now=now + timedelta(days=1))(START, END))[1]) == 1


# --- S3 ------------------------------------------------------------------------------------------------------


BUCKET = "trail-logs"


def from_s3(*given: Any, **options: Any) -> source.Source:
    return once(s3.feed(*given, now=lambda: END + timedelta(hours=24), **options))


def key(
    account: str = ACCOUNT, region: str = REGION, stamp: str = "20260302T1205", *, home: str = "AWSLogs/", n: int = 0
) -> str:
    day = f"{stamp[:4]}/{stamp[4:6]}/{stamp[6:8]}"
    return f"{home}{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{stamp}Z_{n:016d}.json.gz"


@pytest.fixture
def bucket(
    on_moto: Callable[[], AbstractContextManager[None]], reset_moto: Callable[[], None]
) -> Iterator[Callable[[dict[str, bytes]], Any]]:
    """Call it with key → bytes; gives the client."""
    with on_moto():
        client = boto3.client("s3", config=Config(max_pool_connections=16))
        client.create_bucket(Bucket=BUCKET)

        def filled(objects: dict[str, bytes]) -> Any:
            for name, data in objects.items():
                client.put_object(Bucket=BUCKET, Key=name, Body=data)
            return client

        yield filled
        reset_moto()


def test_an_account_and_an_organisation_layout_below_a_prefix(bucket: Callable[[dict[str, bytes]], Any]) -> None:
    other = "444455556666"
    client = bucket(
        {
            key(home="audit/AWSLogs/"): packed(record(at="12:00:00")),
            key(other, "us-east-1", home="audit/AWSLogs/o-abc123/"): packed(
                record(at="12:01:00", recipientAccountId=other)
            ),
            key(home="AWSLogs/"): packed(record(at="12:02:00")),
            "audit/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/02/d.json.gz": b"digest",
            "audit/AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/2026/03/02/i.json.gz": b"insight",
            f"audit/AWSLogs/{ACCOUNT}/Config/eu-west-1/2026/3/2/c.json.gz": b"config",
            f"audit/AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/02/notes.txt": b"by hand",
        }
    )
    trail = read([from_s3(client, BUCKET, "/audit/")], START, END, specs=SPECS)
    assert [change.time.minute for change in trail.changes] == [0, 1]
    assert [change.account for change in trail.changes] == [ACCOUNT, other]
    assert trail.gaps == ()


def test_days_are_of_delivery_the_next_day_and_the_sessions_before_count(
    bucket: Callable[[dict[str, bytes]], Any],
) -> None:
    used = in_role("Deploy", "x", "ASIA1")
    client = bucket(
        {
            key(stamp="20260301T1905"): packed(
                assume(user("erik", "AKIAERIK"), "Deploy", "x", "ASIA1") | {"eventTime": "2026-03-01T19:00:00Z"}
            ),
            key(stamp="20260303T1900"): packed(record(at="19:59:59", userIdentity=used)),
            key(stamp="20260301T0600"): b"not gzip: too early to be read",
            key(stamp="20260304T0600"): b"not gzip: too late to be read",
        }
    )
    trail = read([from_s3(client, BUCKET)], START, END, specs=SPECS)
    assert [change.actor.name for change in trail.changes] == ["erik"]
    assert trail.gaps == ()


def test_only_the_accounts_and_regions_asked_for(bucket: Callable[[dict[str, bytes]], Any]) -> None:
    client = bucket(
        {
            key(account, region): packed(record(recipientAccountId=account, awsRegion=region))
            for account in (ACCOUNT, "444455556666")
            for region in (REGION, "us-east-1")
        }
    )
    asked_for = from_s3(client, BUCKET, accounts=[ACCOUNT], regions=["us-east-1"])
    assert [(c.account, c.region) for c in read([asked_for], START, END, specs=SPECS).changes] == [
        (ACCOUNT, "us-east-1")
    ]


def test_more_files_than_workers_come_in_order(bucket: Callable[[dict[str, bytes]], Any]) -> None:
    keys = [key(stamp=f"20260302T12{n:02d}", n=n) for n in range(12)]
    client = bucket({name: packed(record(at=f"12:{n:02d}:00")) for n, name in enumerate(keys)})
    blobs, gaps = split(from_s3(client, BUCKET, workers=2)(START, END))
    assert [blob.name for blob in blobs] == [f"s3://{BUCKET}/{name}" for name in keys]
    assert {(blob.scope.account, blob.scope.region) for blob in blobs} == {(ACCOUNT, REGION)}
    assert gaps == []


def test_what_no_trail_covers_is_a_gap(bucket: Callable[[dict[str, bytes]], Any]) -> None:
    client = bucket(
        {key(): packed(record()), key(region="us-east-1", stamp="20260301T2300"): packed(record(at="01:00:00"))}
    )
    asked_for = from_s3(client, BUCKET, accounts=[ACCOUNT, "444455556666"], regions=[REGION, "us-east-1", "eu-north-1"])
    _, gaps = split(asked_for(START, END))
    assert sorted((gap.scope.account, gap.scope.region, gap.why.partition(": ")[2]) for gap in gaps) == [
        (ACCOUNT, "eu-north-1", "no logs of region eu-north-1"),
        (ACCOUNT, "us-east-1", "no log file of the interval delivered"),
        ("444455556666", "*", "no logs of account 444455556666"),
    ]


def test_an_empty_prefix_a_missing_bucket_and_a_wrong_key_are_gaps(bucket: Callable[[dict[str, bytes]], Any]) -> None:
    client = bucket({key(): packed(record())})
    assert ["is the prefix right?" in gap.why for gap in split(from_s3(client, BUCKET, "other")(START, END))[1]] == [
        True
    ]
    assert ["NoSuchBucket" in gap.why for gap in split(from_s3(client, "none")(START, END))[1]] == [True]
    wrong = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1}))
    (gap,) = split(from_s3(wrong, BUCKET)(START, END))[1]
    assert gap.why.startswith(f"s3://{BUCKET}/AWSLogs/: Could not connect")


class Between:
    """A client through which an object vanishes, or grows, between the listing and the GET of it."""

    def __init__(self, client: Any, replaced: dict[str, bytes | None]) -> None:
        self._client = client
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803  boto3's names
        if Key in self._replaced:
            data = self._replaced.pop(Key)
            if data is None:
                self._client.delete_object(Bucket=Bucket, Key=Key)
            else:
                self._client.put_object(Bucket=Bucket, Key=Key, Body=data)
        return self._client.get_object(Bucket=Bucket, Key=Key)


def test_a_file_that_cannot_be_fetched_or_is_too_large_costs_itself(
    bucket: Callable[[dict[str, bytes]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, gone, large, grown = (key(stamp=f"20260302T120{n}", n=n) for n in range(4))
    client = bucket({name: packed(record()) for name in (good, gone, grown)} | {large: b"x" * 4096})
    monkeypatch.setattr(s3, "MAX_BYTES", 4000)
    monkeypatch.setattr(s3, "_SMALL", 50)
    found = list(s3.feed(Between(client, {gone: None, grown: b"x" * 5000}), BUCKET).deliveries(Window(START, END)))
    assert [blob.name for one in found for blob in one.blobs] == [f"s3://{BUCKET}/{good}"]
    lasting = [gap for one in found for gap in one.lasting]
    assert [(gap.why.split("/")[-1].split(": ", 1)[1].partition(",")[0][:30], gap.cause) for gap in lasting] == [
        ("An error occurred (NoSuchKey) ", ""),
        ("4096 bytes", "unreadable"),
        ("more than 4000 bytes", "unreadable"),
    ]
    assert {gap.scope.account for gap in lasting} == {ACCOUNT}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt on the resource",
            "kms:Decrypt is missing",
        ),
        ("Access Denied", "s3:GetObject is missing, or kms:Decrypt where a KMS key encrypts the file"),
    ],
)
def test_a_key_of_kms_that_may_not_be_used_is_named(
    bucket: Callable[[dict[str, bytes]], Any], said: str, told: str
) -> None:
    class Denied(Between):
        def get_object(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": said}}, "GetObject")

    client = bucket({key(n=n): packed(record()) for n in range(12)})
    blobs, gaps = split(from_s3(Denied(client, {}), BUCKET)(START, END))
    assert blobs == []
    assert len(gaps) == 10
    assert told in gaps[1].why
    assert gaps[0].why.endswith("(and 2 more like it)")


def test_an_account_in_both_layouts_is_read_in_both_and_one_of_them_may_end(
    bucket: Callable[[dict[str, bytes]], Any],
) -> None:
    client = bucket(
        {
            key(stamp="20260301T2300"): packed(record(at="01:00:00")),
            key(home="AWSLogs/o-abc123/"): packed(record(at="12:00:00")),
        }
    )
    blobs, gaps = split(from_s3(client, BUCKET, accounts=[ACCOUNT])(START, END))
    assert len(blobs) == 2
    assert gaps == []


def test_the_interval_may_span_a_year(bucket: Callable[[dict[str, bytes]], Any]) -> None:
    client = bucket({key(stamp="20260101T0003"): packed(record() | {"eventTime": "2025-12-31T23:59:00Z"})})
    end = datetime(2025, 12, 31, 23, 59, 30, tzinfo=UTC)
    trail = read([from_s3(client, BUCKET)], end - timedelta(hours=1), end, specs=SPECS)
    assert [change.time.year for change in trail.changes] == [2025]
