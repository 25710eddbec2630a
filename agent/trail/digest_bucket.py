"""The bucket that digests lie in: which accounts and regions it has, their digests, and whether a log file is intact.

Hides the two layouts (of an account, of an organisation), the names of digest files, and which answers of S3 tell of
the file (it is missing, it is archived) and which only of this reading.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from agent.model import GapCause, Scope
from agent.trail.digest_chain import LARGEST, Found, LogFile, UnreadableError, opened, sha256
from agent.trail.source import MAX_BYTES, TYPE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GONE = "missing"
ALTERED = "not as CloudTrail delivered them"
STAMP = "%Y%m%dT%H%M%S"
FAILED = (ClientError, BotoCoreError)
_PART = 1 << 20
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")
_DIGEST = re.compile(r"_CloudTrail-Digest_[a-z0-9-]+_([A-Za-z0-9._-]+)_([a-z0-9-]+)_(\d{8}T\d{6})Z\.json\.gz$")
_DELIVERED = re.compile(r"_(\d{8}T\d{4})Z_[^/]*\.json\.gz$")
_MISSING = ("NoSuchKey", "404", "NotFound")
_ARCHIVED = "InvalidObjectState"


class UnsettledError(Exception):
    """Nothing can be said yet: a gap of this reading, tried again in the next."""

    def __init__(self, why: str, cause: GapCause = "") -> None:
        super().__init__(why)
        self.cause: GapCause = cause


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of a digest file says."""

    key: str
    trail: str
    home: str
    """The trail's home region."""
    ends: str
    """`20260302T100000`, UTC."""


def named(key: str) -> Named | None:
    """The name of a digest file, read; None: it is none."""
    found = _DIGEST.search(key)
    return Named(key, found[1], found[2], found[3]) if found else None


def ends(key: str) -> str:
    """When a digest ends, by its name: `20260302T100000`; empty: it has no such name."""
    found = named(key)
    return found.ends if found else ""


@dataclass(frozen=True, slots=True)
class Place:
    """One account's region in the bucket."""

    account: str
    region: str
    home: str
    """Prefix of the account: `AWSLogs/o-abc/111122223333/`."""

    @property
    def digests(self) -> str:
        """Prefix of its digests."""
        return f"{self.home}CloudTrail-Digest/{self.region}/"

    @property
    def logs(self) -> str:
        """Prefix of its log files."""
        return f"{self.home}CloudTrail/{self.region}/"

    def scope(self, trail: str = "*") -> Scope:
        """What is unseen if the trail, or any of the region, cannot be believed."""
        return Scope(account=self.account, region=self.region, type=TYPE, id=trail)


Got = tuple[str, Found | UnreadableError | UnsettledError]
"""Key of a digest, and what lay there."""


@dataclass(frozen=True, slots=True)
class DigestBucket:
    """A bucket of digests and log files. Its methods raise `UnsettledError` where S3 does not answer."""

    client: S3Client
    name: str

    def places(self, top: str, accounts: Collection[str], regions: Collection[str]) -> Iterator[Place]:
        """Every account and region below `top` (`…AWSLogs/`) that has log files or digests; of these, empty: of all."""
        homes: dict[str, str] = {}
        for name in self._folders(top):
            inside = f"{top}{name}/"
            below = self._folders(inside) if name.startswith("o-") else []
            homes |= {account: f"{inside}{account}/" for account in below} or {name: inside}
        for account, home in sorted(homes.items()):
            if _ACCOUNT.fullmatch(account) and (not accounts or account in accounts):
                there = {*self._folders(f"{home}CloudTrail/"), *self._folders(f"{home}CloudTrail-Digest/")}
                for region in sorted(there):
                    if _REGION.fullmatch(region) and (not regions or region in regions):
                        yield Place(account, region, home)

    def digests(self, place: Place, since: datetime) -> list[Named]:
        """The region's digests from the day of `since` on, of all its trails, oldest first."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=place.digests, StartAfter=f"{place.digests}{since:%Y/%m/%d}"
        )
        try:
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        except FAILED as error:
            raise UnsettledError(f"{self.url(place.digests)}: {error}") from error
        # Nothing deeper: another account's trail may have been given a prefix that looks like this one's folder.
        folder = re.compile(rf"{re.escape(place.digests)}\d{{4}}/\d\d/\d\d/{place.account}_CloudTrail-Digest_[^/]+")
        there = (named(key) for key in keys if folder.fullmatch(key))
        return sorted(filter(None, there), key=lambda one: (one.ends, one.key))

    def first_log(self, place: Place, since: datetime) -> str:
        """When the first log file from the day of `since` on was delivered: `20260302T1005`; empty: there is none."""
        after = f"{place.logs}{since:%Y/%m/%d}"
        try:
            page = self.client.list_objects_v2(Bucket=self.name, Prefix=place.logs, StartAfter=after, MaxKeys=10)
        except FAILED as error:
            raise UnsettledError(f"{self.url(place.logs)}: {error}") from error
        stamps = (_DELIVERED.search(entry["Key"]) for entry in page.get("Contents", ()))
        return next((stamp[1] for stamp in stamps if stamp), "")

    def digest(self, key: str) -> Got:
        """What lies at the key of a digest; raises nothing."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
            if answer["ContentLength"] > LARGEST:
                return key, UnreadableError(f"{answer['ContentLength']} bytes")
            signature = answer.get("Metadata", {}).get("signature", "")
            return key, opened(answer["Body"].read(), self.name, key, signature)
        except UnreadableError as error:
            return key, error
        except FAILED as error:
            return key, UnsettledError(f"{self.url(key)}: {error}")

    def flaw(self, file: LogFile) -> str:
        """What is wrong with a log file that a digest lists; empty: nothing."""
        if file.bucket != self.name:
            return f"in bucket {file.bucket}, which is not read"
        if file.algorithm != "SHA-256":
            return f"hashed with {file.algorithm}, not SHA-256"
        try:
            body = self.client.get_object(Bucket=file.bucket, Key=file.key)["Body"]
            there = sha256(iter(lambda: body.read(_PART), b""), MAX_BYTES)
        except UnreadableError:
            return ALTERED
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _MISSING:
                return GONE
            if code == _ARCHIVED:
                return "archived, and not to be read"
            raise UnsettledError(f"{self.url(file.key)}: {error}") from error
        except BotoCoreError as error:
            raise UnsettledError(f"{self.url(file.key)}: {error}") from error
        return "" if there == file.sha256.lower() else ALTERED

    def url(self, key: str) -> str:
        """As people write it."""
        return f"s3://{self.name}/{key}"

    def _folders(self, prefix: str) -> list[str]:
        """Names directly below the prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, Delimiter="/")
        try:
            found = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", ())]
        except FAILED as error:
            raise UnsettledError(f"{self.url(prefix)}: {error}") from error
        return [name.removeprefix(prefix).rstrip("/") for name in found]
