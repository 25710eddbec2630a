"""Digest files: an intact chain is silent, and whatever is done to a log file or a digest is found, told once, by name.

The key is ours, in place of CloudTrail's; what is signed and how is what AWS documents.
"""

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trail_records import ACCOUNT, REGION, packed, record

from agent.model import Gap, Scope
from agent.trail import digest_chain, digests
from agent.trail.digest_chain import UnreadableError, inflated
from agent.trail.source import Delivery, Window

BUCKET = "trail"
OTHER = "444455556666"
START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
FIRST = START + timedelta(hours=2)
END = START + timedelta(hours=8)
"""Of the interval; the digests of the estate go from two to eight o'clock."""
SCOPE = Scope(account=ACCOUNT, region=REGION, type="cloudtrail", id="main")
PRIVATE = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)
FINGERPRINT = "31e8b5433410dfb61a9dc45cc65b22ff"


@dataclass
class Trail:
    """Writes log files and digests of one trail into the bucket as CloudTrail does."""

    client: Any
    name: str = "main"
    account: str = ACCOUNT
    region: str = REGION
    home: str = "AWSLogs"
    private: rsa.RSAPrivateKey = PRIVATE
    at: datetime = FIRST
    previous: Mapping[str, str] | None = None
    keys: list[str] = field(default_factory=list)
    """Of the digests."""
    logs: list[str] = field(default_factory=list)

    def put(self, key: str, data: bytes, **metadata: str) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data, Metadata=metadata)

    def log(self, number: int = 0) -> dict[str, str]:
        """A log file delivered in the hour from `at` on, and its entry in the digest."""
        time = self.at + timedelta(minutes=5 + number)
        folder = f"{self.home}/{self.account}/CloudTrail/{self.region}/{time:%Y/%m/%d}"
        key = f"{folder}/{self.account}_CloudTrail_{self.region}_{time:%Y%m%dT%H%MZ}_{self.name}{number:08}.json.gz"
        data = packed(record(at=f"{time:%T}"))
        self.put(key, data)
        self.logs.append(key)
        sha256 = hashlib.sha256(gzip.decompress(data)).hexdigest()
        return {"s3Bucket": BUCKET, "s3Object": key, "hashValue": sha256, "hashAlgorithm": "SHA-256"}

    def digest(self, logs: int = 1, **fields: object) -> str:
        """The digest of the next hour, with so many log files; its key."""
        end = self.at + timedelta(hours=1)
        folder = f"{self.home}/{self.account}/CloudTrail-Digest/{self.region}/{end:%Y/%m/%d}"
        name = f"{self.account}_CloudTrail-Digest_{self.region}_{self.name}_{REGION}_{end:%Y%m%dT%H%M%SZ}.json.gz"
        key = f"{folder}/{name}"
        previous = self.previous or {}
        content = {
            "awsAccountId": self.account,
            "digestStartTime": f"{self.at:%FT%TZ}",
            "digestEndTime": f"{end:%FT%TZ}",
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None,
            "oldestEventTime": None,
            "previousDigestS3Bucket": BUCKET if previous else None,
            "previousDigestS3Object": previous.get("key"),
            "previousDigestHashValue": previous.get("sha256"),
            "previousDigestHashAlgorithm": "SHA-256" if previous else None,
            "previousDigestSignature": previous.get("signature"),
            "logFiles": [self.log(number) for number in range(logs)],
        } | fields
        plain = json.dumps(content, separators=(",", ":")).encode()
        sha256 = hashlib.sha256(plain).hexdigest()
        signed = f"{content['digestEndTime']}\n{BUCKET}/{key}\n{sha256}\n{previous.get('signature', 'null')}"
        signature = self.private.sign(signed.encode(), padding.PKCS1v15(), SHA256()).hex()
        self.put(key, gzip.compress(plain), **{"signature": signature, "signature-algorithm": "SHA256withRSA"})
        self.previous = {"key": key, "sha256": sha256, "signature": signature}
        self.keys.append(key)
        self.at = end
        return key

    def until(self, hours: int) -> "Trail":
        """Digests up to `START` + hours."""
        while self.at < START + timedelta(hours=hours):
            self.digest()
        return self


def der(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PublicFormat = PublicFormat.PKCS1) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, form)


@dataclass
class Authority:
    """ListPublicKeys, which moto does not have: two pages, the second of which has CloudTrail's key."""

    value: bytes = field(default_factory=lambda: der(PRIVATE))
    asked: list[str] = field(default_factory=list)
    failing: bool = False

    def of(self, region: str) -> "Authority":
        self.asked.append(region)
        return self

    def list_public_keys(self, **arguments: Any) -> Mapping[str, Any]:
        assert arguments["StartTime"] < arguments["EndTime"]
        if self.failing:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "ListPublicKeys")
        if "NextToken" not in arguments:
            return {"PublicKeyList": [{"Fingerprint": "other", "Value": der(STRANGER)}], "NextToken": "2"}
        return {"PublicKeyList": [{"Fingerprint": FINGERPRINT, "Value": self.value}]}


class Memory:
    """S3 for what digests need of it, in this process: most tests write some twenty objects and read them twice."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, Mapping[str, str]]] = {}

    def put_object(self, **asked: Any) -> None:
        self.objects[asked["Key"]] = (asked["Body"], asked["Metadata"])

    def delete_object(self, **asked: Any) -> None:
        del self.objects[asked["Key"]]

    def get_object(self, **asked: Any) -> Mapping[str, Any]:
        if asked["Key"] not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        body, metadata = self.objects[asked["Key"]]
        return {"ContentLength": len(body), "Metadata": metadata, "Body": StreamingBody(io.BytesIO(body), len(body))}

    def list_objects_v2(self, **asked: Any) -> Mapping[str, Any]:
        prefix, after = asked["Prefix"], asked.get("StartAfter", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        if "Delimiter" in asked:
            return {"CommonPrefixes": [{"Prefix": name} for name in {prefix + folder(key, prefix) for key in keys}]}
        return {"Contents": [{"Key": key} for key in keys[: asked.get("MaxKeys", 1000)]]}

    def get_paginator(self, operation: str) -> "Memory":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **arguments: Any) -> list[Mapping[str, Any]]:
        return [self.list_objects_v2(**arguments)]


def folder(key: str, prefix: str) -> str:
    return key.removeprefix(prefix).partition("/")[0] + "/"


@pytest.fixture
def bucket() -> Memory:
    return Memory()


@pytest.fixture
def moto(on_moto: Callable[[], AbstractContextManager[None]], moto_reset: None) -> Any:
    """A client of a real enough S3, and a bucket."""
    with on_moto():
        client = boto3.client("s3", config=Config(max_pool_connections=16, retries={"total_max_attempts": 1}))
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def trail(bucket: Any) -> Trail:
    """From its first digest on, two to eight o'clock: six digests of one log file each."""
    return Trail(bucket).until(8)


def delivered(client: Any, *, checkpoints: Any = None, end: datetime = END, **options: Any) -> list[Delivery]:
    authority = options.pop("authority", None) or Authority()
    feed = digests.feed(client, authority.of, BUCKET, **options)
    return list(feed.deliveries(Window(START, end, checkpoints or {})))


def lasting(found: list[Delivery]) -> list[Gap]:
    return [gap for delivery in found for gap in delivery.lasting]


def passing(found: list[Delivery]) -> list[Gap]:
    return [gap for delivery in found for gap in delivery.blobs if isinstance(gap, Gap)]


def kept(found: list[Delivery], before: Any = None) -> dict[str, Any]:
    """The checkpoints after these deliveries, as the store gives them back."""
    new = {one.shard: one.checkpoint for one in found if one.checkpoint is not None}
    return json.loads(json.dumps((before or {}) | new))


def told(client: Any, **options: Any) -> list[tuple[str, str]]:
    """(cause, why) of everything one reading tells."""
    found = delivered(client, **options)
    gaps = lasting(found) + passing(found)
    return [(gap.cause, gap.why.replace(f"s3://{BUCKET}/", "")) for gap in gaps]


# --- intact --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [PublicFormat.PKCS1, PublicFormat.SubjectPublicKeyInfo])
def test_an_intact_chain_is_silent_and_verified_to_its_end(trail: Trail, form: PublicFormat) -> None:
    authority = Authority(der(PRIVATE, form))
    found = delivered(trail.client, authority=authority)
    assert (lasting(found), passing(found)) == ([], [])
    assert authority.asked == [REGION, REGION]
    assert digests.verified(kept(found)) == {(ACCOUNT, REGION): END}
    assert [one.shard for one in found] == [f"{ACCOUNT}/{REGION}/{REGION}/main"]


def test_each_digest_and_log_file_is_read_once(trail: Trail) -> None:
    before = kept(delivered(trail.client))
    assert delivered(trail.client, checkpoints=before) == []
    for key in [*trail.logs[:-1], *trail.keys[:-1]]:
        trail.client.delete_object(Bucket=BUCKET, Key=key)
    trail.until(10)
    found = delivered(trail.client, checkpoints=before, end=START + timedelta(hours=10))
    assert (lasting(found), passing(found)) == ([], [])
    assert digests.verified(kept(found, before)) == {(ACCOUNT, REGION): START + timedelta(hours=10)}


def test_one_step_after_the_other_can_be_kept(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_STEP", 2)
    trail.client.delete_object(Bucket=BUCKET, Key=trail.logs[4])
    found = delivered(trail.client)
    assert [len(one.lasting) for one in found] == [0, 0, 1, 0]
    for taken in range(1, len(found)):
        rest = delivered(trail.client, checkpoints=kept(found[:taken]))
        assert lasting(found[:taken]) + lasting(rest) == lasting(found)
        assert digests.verified(kept(rest, kept(found[:taken]))) == {(ACCOUNT, REGION): END}


def test_an_hour_without_log_files_is_proven_too(bucket: Any) -> None:
    quiet = Trail(bucket)
    for _ in range(6):
        quiet.digest(logs=0)
    found = delivered(bucket)
    assert (lasting(found) + passing(found), digests.verified(kept(found))) == ([], {(ACCOUNT, REGION): END})


def test_trails_accounts_and_regions_are_chains_of_their_own(trail: Trail) -> None:
    Trail(trail.client, "second_trail").until(8)
    Trail(trail.client, account=OTHER, region="us-east-1", home="audit/AWSLogs/o-abc").until(8)
    assert digests.verified(kept(delivered(trail.client))) == {(ACCOUNT, REGION): END}
    organisation = delivered(trail.client, prefix="/audit/")
    assert (lasting(organisation), passing(organisation)) == ([], [])
    assert digests.verified(kept(organisation)) == {(OTHER, "us-east-1"): END}
    trail.client.delete_object(Bucket=BUCKET, Key=trail.logs[0])
    assert delivered(trail.client, regions=["us-east-1"]) == delivered(trail.client, accounts=[OTHER]) == []
    assert [cause for cause, _ in told(trail.client, regions=[REGION], accounts=[ACCOUNT])] == ["tampered"]


def test_a_chain_that_began_before_the_interval_is_taken_up_in_its_middle(bucket: Any) -> None:
    long = Trail(bucket, at=START - timedelta(hours=20)).until(8)
    first = next(key for key in long.keys if "20260301T100000" in key)
    bucket.delete_object(Bucket=BUCKET, Key=first)  # older than any session of the interval
    assert told(bucket) == []


def test_the_same_from_s3(moto: Any) -> None:
    trail = Trail(moto, home="audit/AWSLogs/o-abc").until(8)
    Trail(moto, account=OTHER, region="us-east-1", home="audit/AWSLogs/o-abc").until(8)
    before = delivered(moto, prefix="audit")
    assert lasting(before) + passing(before) == []
    assert digests.verified(kept(before)) == {(ACCOUNT, REGION): END, (OTHER, "us-east-1"): END}
    moto.delete_object(Bucket=BUCKET, Key=trail.logs[1])
    moto.delete_object(Bucket=BUCKET, Key=trail.keys[3])
    trail.put(trail.logs[5], b"")
    whys = [why for cause, why in told(moto, prefix="audit") if cause == "tampered"]
    assert [word in why for word, why in zip(("missing: ", "T060000Z.json.gz is missing", "not as"), whys, strict=True)]
    trail.until(10)
    end = END + timedelta(hours=2)
    assert digests.verified(kept(delivered(moto, prefix="audit", checkpoints=kept(before), end=end), kept(before))) == {
        (ACCOUNT, REGION): end,
        (OTHER, "us-east-1"): END,
    }


# --- tampered ------------------------------------------------------------------------------------------------


def test_a_log_file_that_was_altered(trail: Trail) -> None:
    trail.put(trail.logs[2], packed(record(at="04:05:00", sourceIPAddress="203.0.113.9")))
    name = trail.logs[2].rsplit("/", 1)[1]
    span = "2026-03-02T04:00:00Z to 2026-03-02T05:00:00Z"
    why = f"trail main: 1 of the 1 log files delivered from {span}: not as CloudTrail delivered them: {name}"
    assert told(trail.client) == [("tampered", why)]
    assert lasting(delivered(trail.client))[0].scope == SCOPE


def test_packed_anew_a_log_file_is_still_what_was_delivered(trail: Trail) -> None:
    body = trail.client.get_object(Bucket=BUCKET, Key=trail.logs[2])["Body"].read()
    plain = gzip.decompress(body)
    trail.put(trail.logs[1], gzip.compress(gzip.decompress(body), 1))
    assert len(told(trail.client)) == 1
    for same in (plain, gzip.compress(plain, 1), gzip.compress(plain[:10]) + gzip.compress(plain[10:]) + b"\0" * 9):
        trail.put(trail.logs[2], same)
        assert len(told(trail.client)) == 1


def test_missing_log_files_are_counted_and_a_few_named(bucket: Any) -> None:
    busy = Trail(bucket)
    busy.digest(logs=9)
    busy.until(8)
    for key in busy.logs[:7]:
        bucket.delete_object(Bucket=BUCKET, Key=key)
    ((cause, why),) = told(bucket)
    assert (cause, why.count("json.gz")) == ("tampered", 5)
    assert "7 of the 9 log files delivered from 2026-03-02T02:00:00Z to 2026-03-02T03:00:00Z: missing: " in why
    assert why.endswith(" and 2 more")


def test_a_digest_that_was_deleted_is_named_once(trail: Trail) -> None:
    trail.client.delete_object(Bucket=BUCKET, Key=trail.keys[2])
    why = (
        f"trail main: digest {trail.keys[2]} is missing, and the digest after it names it; "
        "nothing proves the log files from 2026-03-02T04:00:00Z until 2026-03-02T05:00:00Z"
    )
    assert told(trail.client) == [("tampered", why)]
    before = kept(delivered(trail.client))
    assert delivered(trail.client, checkpoints=before) == []
    assert digests.verified(before) == {(ACCOUNT, REGION): END}


def test_the_first_digests_of_the_interval_deleted(bucket: Any) -> None:
    long = Trail(bucket, at=START - timedelta(hours=30)).until(8)
    for key in long.keys:
        if "20260301T1200" < key.rsplit("_", 1)[1] < "20260302T0500":
            bucket.delete_object(Bucket=BUCKET, Key=key)
    ((cause, why),) = told(bucket)
    assert cause == "tampered"
    assert "20260302T040000Z.json.gz is missing" in why


def test_the_newest_digests_deleted(trail: Trail) -> None:
    for key in trail.keys[1:]:
        trail.client.delete_object(Bucket=BUCKET, Key=key)
    why = "no digest since 20260302T030000Z: logging or log file validation is off, or digests are missing"
    assert told(trail.client) == [("stopped", why)]
    found = delivered(trail.client)
    assert passing(found)[0].scope == Scope(account=ACCOUNT, region=REGION, type="cloudtrail")
    assert passing(delivered(trail.client, checkpoints=kept(found))) == passing(found)


def edited(trail: Trail, key: str, **fields: object) -> bytes:
    """The digest with some fields replaced."""
    body = trail.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return gzip.compress(json.dumps(json.loads(gzip.decompress(body)) | fields).encode())


def signature_of(trail: Trail, key: str) -> dict[str, str]:
    return dict(trail.client.get_object(Bucket=BUCKET, Key=key)["Metadata"])


def test_a_digest_edited_to_hide_a_log_file(trail: Trail) -> None:
    trail.client.delete_object(Bucket=BUCKET, Key=trail.logs[2])
    trail.put(trail.keys[2], edited(trail, trail.keys[2], logFiles=[]), **signature_of(trail, trail.keys[2]))
    span = "nothing proves the log files from 2026-03-02T04:00:00Z to 20260302T050000Z"
    assert told(trail.client) == [
        ("tampered", f"trail main: digest {trail.keys[2]}: its signature does not verify; {span}")
    ]


def test_signed_again_with_another_key(trail: Trail) -> None:
    forger = Trail(trail.client, private=STRANGER, at=START + timedelta(hours=4))
    forger.previous = {"key": trail.keys[1], "sha256": "0" * 64, "signature": "00"}
    forger.digest(logs=0)
    assert forger.keys == [trail.keys[2]]
    assert [cause for cause, _ in told(trail.client)] == ["tampered"]
    forger.at = START + timedelta(hours=4)
    forger.digest(logs=0, digestPublicKeyFingerprint="made up")
    ((cause, why),) = told(trail.client)
    assert (cause, "signed with a key that AWS does not list" in why) == ("tampered", True)


def test_the_whole_chain_forged(bucket: Any) -> None:
    Trail(bucket, private=STRANGER).until(8)
    found = delivered(bucket)
    assert [gap.cause for gap in lasting(found) + passing(found)] == ["tampered"] * 6
    assert digests.verified(kept(found)) == {}
    again = delivered(bucket, checkpoints=kept(found))
    assert ([gap.cause for gap in passing(again)], lasting(again)) == (["tampered"], [])


def test_two_digests_swapped_and_an_old_one_played_again(trail: Trail) -> None:
    bodies = [trail.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in trail.keys]
    signatures = [signature_of(trail, key) for key in trail.keys]
    trail.put(trail.keys[1], bodies[2], **signatures[2])
    trail.put(trail.keys[2], bodies[1], **signatures[1])
    found = told(trail.client)
    assert [cause for cause, _ in found] == ["tampered", "tampered"]
    assert f"it was written as s3://{BUCKET}/{trail.keys[2]}" in lasting(delivered(trail.client))[0].why
    for number in (1, 2):
        trail.put(trail.keys[number], bodies[number], **signatures[number])
    trail.put(trail.keys[-1].replace("T080000Z", "T090000Z"), bodies[0], **signatures[0])
    assert [cause for cause, _ in told(trail.client)] == ["tampered"]


def test_without_its_metadata_a_digest_is_proven_by_the_one_after_it(trail: Trail) -> None:
    for key in trail.keys:
        body = trail.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        trail.put(key, body, signature="abc" if key == trail.keys[1] else "")
    found = delivered(trail.client)
    assert lasting(found) == []
    assert [(gap.cause, "T080000Z" in gap.why) for gap in passing(found)] == [("tampered", True)]
    trail.until(9)
    later = delivered(trail.client, checkpoints=kept(found), end=START + timedelta(hours=9))
    assert lasting(later) + passing(later) == []


def test_an_object_that_claims_to_be_of_the_future_hides_nothing(trail: Trail) -> None:
    forged = trail.keys[0].replace("20260302T030000Z", "29990302T030000Z")
    trail.put(forged, b"{}", signature="00")
    before = kept(delivered(trail.client))
    trail.until(12)
    trail.client.delete_object(Bucket=BUCKET, Key=trail.logs[-1])
    assert [cause for cause, _ in told(trail.client, checkpoints=before)] == ["tampered"]
    later = delivered(trail.client, checkpoints=before, end=START + timedelta(hours=20))
    assert {gap.cause for gap in passing(later)} == {"stopped"}
    assert delivered(trail.client, checkpoints=kept(later, before)) == []


def test_a_strangers_chain_below_our_folder_is_not_our_trails(trail: Trail) -> None:
    below = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/AWSLogs"
    Trail(trail.client, account=OTHER, home=below).until(8)
    for key in trail.keys[3:]:
        trail.client.delete_object(Bucket=BUCKET, Key=key)
    found = delivered(trail.client, end=END + timedelta(hours=2))
    assert [gap.cause for gap in passing(found)] == ["stopped"]
    assert digests.verified(kept(found)) == {(ACCOUNT, REGION): START + timedelta(hours=5)}


BOMB = gzip.compress(bytes(digest_chain.LARGEST + 1))
GARBAGE = [
    b"",
    b"{}",
    b"[]",
    b"not json",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"logFiles": ' + b"[" * 100_000,
    b"\x1f\x8b",
    gzip.compress(b"{}")[:-4],
    gzip.compress(b"x") * 70,
    BOMB,
]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage_in_place_of_a_digest_or_a_log_file(trail: Trail, number: int) -> None:
    trail.put(trail.keys[1], GARBAGE[number], signature="zz")
    trail.put(trail.logs[3], GARBAGE[number])
    assert [cause for cause, _ in told(trail.client)] == ["tampered", "tampered"]


@pytest.mark.parametrize(
    "fields",
    [
        {"digestEndTime": "yesterday"},
        {"digestEndTime": "0001-01-01T00:00:00+23:59"},
        {"digestSignatureAlgorithm": "none"},
        {"digestS3Object": "k" * 10_000},
        {"previousDigestSignature": None},
        {"previousDigestSignature": "\ud800"},
        {"logFiles": [{"s3Bucket": BUCKET}]},
        {"logFiles": None},
        {"awsAccountId": 5},
    ],
)
def test_a_digest_with_strange_fields_is_refused_in_few_words(trail: Trail, fields: dict[str, object]) -> None:
    trail.put(trail.keys[1], edited(trail, trail.keys[1], **fields), **signature_of(trail, trail.keys[1]))
    ((cause, why),) = told(trail.client)
    assert (cause, len(why) < 800) == ("tampered", True)


def test_signed_entries_that_cannot_be_followed_are_told_and_not_called_tampered(bucket: Any) -> None:
    odd = Trail(bucket)
    entry = odd.log()
    odd.digest(logFiles=[entry | {"s3Bucket": "elsewhere"}, entry | {"hashAlgorithm": "MD5"}, entry])
    odd.until(8)
    found = told(bucket)
    assert [cause for cause, _ in found] == ["unreadable", "unreadable"]
    assert ["in bucket elsewhere, which is not read" in found[1][1], "hashed with MD5" in found[0][1]] == [True, True]


# --- pauses --------------------------------------------------------------------------------------------------


def test_a_pause_within_the_chain(trail: Trail) -> None:
    before = kept(delivered(trail.client))
    trail.at, trail.previous = START + timedelta(hours=11), None
    trail.until(14)
    end = START + timedelta(hours=14)
    why = "trail main: logging or log file validation was off: no digest covers what was delivered"
    pause = [("stopped", f"{why} from 2026-03-02T08:00:00Z until 2026-03-02T11:00:00Z")]
    assert told(trail.client, end=end) == told(trail.client, end=end, checkpoints=before) == pause


def test_validation_switched_on_within_the_interval(trail: Trail) -> None:
    new = Trail(trail.client, region="us-east-1")
    new.log()
    assert told(trail.client, end=FIRST + timedelta(hours=4)) == []
    new.at += timedelta(hours=3)
    new.until(8)
    ((cause, why),) = told(trail.client)
    assert (cause, why.endswith("what was delivered until 2026-03-02T05:00:00Z")) == ("stopped", True)


def test_no_digest_at_all_is_told_once_for_as_much_as_has_none(bucket: Any) -> None:
    off = "log file validation is off: nothing proves that log files are complete and unaltered"
    for account, region in ((ACCOUNT, REGION), (ACCOUNT, "us-east-1"), (OTHER, REGION)):
        Trail(bucket, account=account, region=region).log()
    late = delivered(bucket, end=START + timedelta(hours=24))
    assert passing(late) == [Gap(Scope(type="cloudtrail"), off, cause="narrowed")]
    assert delivered(bucket, end=FIRST + timedelta(hours=1)) == []
    Trail(bucket, region="us-east-1", at=FIRST + timedelta(hours=1)).until(9)
    assert [gap.scope for gap in passing(delivered(bucket, end=START + timedelta(hours=9)))] == [
        Scope(account=ACCOUNT, region=REGION, type="cloudtrail"),
        Scope(account=OTHER, type="cloudtrail"),
    ]


def test_a_trail_that_was_given_up_long_ago_is_not_told_for_ever(trail: Trail) -> None:
    before = kept(delivered(trail.client))
    much_later = datetime(2026, 9, 1, tzinfo=UTC)
    feed = digests.feed(trail.client, Authority().of, BUCKET)
    assert list(feed.deliveries(Window(much_later, much_later + timedelta(hours=8), before))) == []


# --- not now -------------------------------------------------------------------------------------------------


def test_keys_that_are_not_answered_are_asked_for_again(trail: Trail) -> None:
    found = delivered(trail.client, authority=Authority(failing=True))
    assert lasting(found) == []
    assert ["ListPublicKeys in eu-west-1" in gap.why for gap in passing(found)] == [True]
    assert digests.verified(kept(found)) == {}
    again = delivered(trail.client, checkpoints=kept(found))
    assert digests.verified(kept(again)) == {(ACCOUNT, REGION): END}


class Refusing:
    """The client, but for one object that is not given, or not to its end."""

    def __init__(self, client: Any, key: str, code: str = "") -> None:
        self._client = client
        self._key = key
        self._code = code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, **arguments: Any) -> Any:
        if arguments["Key"] != self._key:
            return self._client.get_object(**arguments)
        if self._code:
            raise ClientError({"Error": {"Code": self._code}}, "GetObject")
        answer = self._client.get_object(**arguments)
        body = answer["Body"].read()
        return answer | {"Body": StreamingBody(io.BytesIO(body[:40]), len(body))}


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", ""])
@pytest.mark.parametrize("kind", ["keys", "logs"])
def test_an_object_that_is_not_given_is_tried_again(trail: Trail, kind: str, code: str) -> None:
    found = delivered(Refusing(trail.client, getattr(trail, kind)[3], code))
    assert ([gap.cause for gap in passing(found)], lasting(found)) == ([""], [])
    assert digests.verified(kept(found)) == {(ACCOUNT, REGION): START + timedelta(hours=5)}
    again = delivered(trail.client, checkpoints=kept(found))
    assert digests.verified(kept(again)) == {(ACCOUNT, REGION): END}


def test_an_archived_log_file_does_not_hold_up_the_chain(trail: Trail) -> None:
    found = delivered(Refusing(trail.client, trail.logs[3], "InvalidObjectState"))
    assert [(gap.cause, "archived" in gap.why) for gap in lasting(found)] == [("unreadable", True)]
    assert digests.verified(kept(found)) == {(ACCOUNT, REGION): END}


def test_a_bucket_that_is_not_there_is_a_gap(moto: Any) -> None:
    feed = digests.feed(moto, Authority().of, "none")
    ((gap,),) = [one.blobs for one in feed.deliveries(Window(START, END))]
    assert isinstance(gap, Gap)
    assert "NoSuchBucket" in gap.why


@pytest.mark.parametrize(
    "value",
    [b"", b"no key", der(ec.generate_private_key(ec.SECP256R1()), PublicFormat.SubjectPublicKeyInfo)],
    ids=["empty", "garbage", "elliptic"],
)
def test_a_key_that_is_no_rsa_key_proves_nothing(trail: Trail, value: bytes) -> None:
    assert {cause for cause, _ in told(trail.client, authority=Authority(value))} == {"tampered"}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"account": None},
        {"last": "x"},
        {"last": ["a", "b", "c", "no time"]},
        {"last": ["a", "b", "c", "2026-03-02T08:00:00"]},
        {"last": ["a", "b", 5, "2026-03-02T08:00:00Z"]},
    ],
)
def test_a_strange_checkpoint_is_as_good_as_none(trail: Trail, change: dict[str, object]) -> None:
    ((shard, checkpoint),) = kept(delivered(trail.client)).items()
    broken = {shard: checkpoint | change}
    assert digests.verified(broken) == {}
    assert digests.verified(kept(delivered(trail.client, checkpoints=broken))) == {(ACCOUNT, REGION): END}


# --- every mutation ------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_of_any_content_counts(trail: Trail, data: st.DataObject) -> None:
    """Whatever is done to the content of a log file or a digest: it is found, nothing raises, the rest is verified."""
    key = data.draw(st.sampled_from([*trail.keys, *trail.logs]))
    answer = trail.client.get_object(Bucket=BUCKET, Key=key)
    body = answer["Body"].read()
    plain = gzip.decompress(body)
    at = data.draw(st.integers(0, len(plain) - 1))
    match data.draw(st.sampled_from(["flip", "cut", "insert", "delete", "packed"])):
        case "flip":
            changed = plain[:at] + bytes([plain[at] ^ data.draw(st.integers(1, 255))]) + plain[at + 1 :]
        case "cut":
            changed = plain[:at]
        case "insert":
            changed = plain[:at] + data.draw(st.binary(min_size=1, max_size=5)) + plain[at:]
        case "packed":
            place = data.draw(st.integers(10, len(body) - 1))
            changed = body[:place]
        case _:
            changed = None
    if changed is None:
        trail.client.delete_object(Bucket=BUCKET, Key=key)
    else:
        trail.put(key, changed if changed == body[: len(changed)] else gzip.compress(changed), **answer["Metadata"])
    found = delivered(trail.client)
    trail.put(key, body, **answer["Metadata"])
    if key == trail.keys[-1] and changed is None:
        # Nothing names the newest digest yet; that it stays away is told after some hours.
        assert digests.verified(kept(found)) == {(ACCOUNT, REGION): END - timedelta(hours=1)}
        return
    assert [gap.cause for gap in lasting(found) + passing(found)] == ["tampered"]
    assert digests.verified(kept(found)) == {(ACCOUNT, REGION): END - timedelta(hours=key == trail.keys[-1])}


@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(1, 9))
def test_content_comes_in_any_parts(pieces: list[bytes], size: int) -> None:
    plain = b"".join(pieces)
    stored = b"".join(gzip.compress(piece) for piece in pieces) or gzip.compress(b"")
    parts = [stored[at : at + size] for at in range(0, len(stored), size)]
    assert b"".join(inflated(parts, 1000)) == plain
    with pytest.raises(UnreadableError):
        list(inflated([*parts[:-1], parts[-1][:-1]], 1000))
