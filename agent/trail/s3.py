"""A trail's S3 bucket, in AWS's layout, of one account or of an organisation.

Hides the layout, that the date in a key is the day of delivery and not of the event, that files are many and small
(so that the number of GETs in flight decides the speed), and the digest and Insight files beside the logs.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from agent.model import Gap, Scope
from agent.trail.source import EVERYWHERE, LOOKBACK, MAX_BYTES, TYPE, Blob, Source

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

_LATE = timedelta(days=1)  # a record may be delivered on the day after its own
_SKEW = timedelta(minutes=15)  # by which the stamp in a key may lie before the events in the file
_STAMP = re.compile(r"_(\d{8}T\d{4})Z_[^/]*\.json\.gz$")  # time of delivery in a log file's name, UTC
_STAMPED = "%Y%m%dT%H%M"
_ACCOUNT = re.compile(r"\d{12}")
_FAILED = (ClientError, BotoCoreError)


@dataclass(frozen=True, slots=True)
class _Bucket:
    client: S3Client
    name: str

    def folders(self, prefix: str) -> list[str]:
        """Names directly below `prefix`, which ends in a slash or is empty."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, Delimiter="/")
        return [
            folder["Prefix"].removeprefix(prefix).rstrip("/")
            for page in pages
            for folder in page.get("CommonPrefixes", ())
        ]

    def objects(self, prefix: str) -> Iterator[ObjectTypeDef]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            yield from page.get("Contents", ())

    def get(self, key: str, scope: Scope) -> Blob | Gap:
        url = f"s3://{self.name}/{key}"
        try:
            return Blob(url, self.client.get_object(Bucket=self.name, Key=key)["Body"].read(), scope)
        except _FAILED as error:
            return Gap(scope, f"{url}: {error}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one account's logs of one region lie."""

    account: str
    region: str
    prefix: str

    @property
    def scope(self) -> Scope:
        return Scope(account=self.account, region=self.region, type=TYPE)


def source(
    client: S3Client,
    bucket: str,
    prefix: str = "",
    *,
    accounts: Collection[str] = (),
    regions: Collection[str] = (),
    workers: int = 16,
) -> Source:
    """Log files below `prefix` (what stands before `AWSLogs/`), of these accounts and regions; empty: all there are.

    `client` should allow `workers` connections (`Config(max_pool_connections=…)`). An account or region that was
    asked for and has no log file delivered since the start is a gap: a trail that does not cover it looks like that.
    """
    place = _Bucket(client, bucket)
    top = f"{prefix.strip('/')}/AWSLogs/".lstrip("/")

    def blobs(start: datetime, end: datetime) -> Iterator[Blob | Gap]:
        wanted: list[tuple[str, Scope]] = []
        for found in _places(place, top, accounts, regions):
            keys, gaps = ([], [found]) if isinstance(found, Gap) else _keys(place, found, start, end)
            yield from gaps
            wanted += [(key, found.scope) for key in keys]
        yield from _fetch(place, wanted, workers)

    return blobs


def _places(bucket: _Bucket, top: str, accounts: Collection[str], regions: Collection[str]) -> Iterator[_Place | Gap]:
    url = f"s3://{bucket.name}/{top}"
    try:
        homes = _homes(bucket, top)
    except _FAILED as error:
        yield Gap(EVERYWHERE, f"{url}: {error}")
        return
    found = sorted(name for name in homes if not accounts or name in accounts)
    for missing in sorted(set(accounts).difference(found)):
        yield Gap(Scope(account=missing, type=TYPE), f"{url}: no logs of account {missing}")
    if not found and not accounts:
        yield Gap(EVERYWHERE, f"{url}: no account's logs here; is the prefix right?")
    for account in found:
        yield from _regions(bucket, account, f"{homes[account]}CloudTrail/", regions)


def _homes(bucket: _Bucket, top: str) -> dict[str, str]:
    """Account → the prefix its logs lie under, in either layout."""
    homes: dict[str, str] = {}
    for name in bucket.folders(top):
        inside = f"{top}{name}/"
        names = bucket.folders(inside) if name.startswith("o-") else []
        homes |= {account: f"{inside}{account}/" for account in names} or {name: inside}
    return {account: home for account, home in homes.items() if _ACCOUNT.fullmatch(account)}


def _regions(bucket: _Bucket, account: str, home: str, regions: Collection[str]) -> Iterator[_Place | Gap]:
    try:
        there = bucket.folders(home)
    except _FAILED as error:
        yield Gap(Scope(account=account, type=TYPE), f"s3://{bucket.name}/{home}: {error}")
        return
    for region in sorted(regions or there):
        place = _Place(account, region, f"{home}{region}/")
        yield place if region in there else Gap(place.scope, f"s3://{bucket.name}/{home}: no logs of region {region}")


def _keys(bucket: _Bucket, place: _Place, start: datetime, end: datetime) -> tuple[list[str], list[Gap]]:
    """Keys of the log files that may hold events of the interval or sessions before it; a gap where none is of it."""
    keys: list[str] = []
    gaps: list[Gap] = []
    newest = ""
    earliest = start - LOOKBACK - _SKEW
    try:
        for day in _days(earliest.date(), (end + _LATE).date()):
            for entry in bucket.objects(f"{place.prefix}{day:%Y/%m/%d}/"):
                stamp = _STAMP.search(entry["Key"])
                if stamp is None or stamp[1] < f"{earliest:{_STAMPED}}":
                    continue
                newest = max(newest, stamp[1])
                if entry["Size"] <= MAX_BYTES:
                    keys.append(entry["Key"])
                else:
                    gaps.append(Gap(place.scope, f"s3://{bucket.name}/{entry['Key']}: {entry['Size']} bytes, not read"))
    except _FAILED as error:
        return keys, [*gaps, Gap(place.scope, f"s3://{bucket.name}/{place.prefix}: {error}")]
    if newest < f"{start - _SKEW:{_STAMPED}}":
        gaps.append(Gap(place.scope, f"s3://{bucket.name}/{place.prefix}: no log file delivered since {start:%FT%TZ}"))
    return keys, gaps


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _fetch(bucket: _Bucket, wanted: list[tuple[str, Scope]], workers: int) -> Iterator[Blob | Gap]:
    """In the order of `wanted`, at most two rounds of `workers` files in memory."""
    with ThreadPoolExecutor(workers, thread_name_prefix="trail-s3") as pool:
        flying: deque[Future[Blob | Gap]] = deque()
        for key, scope in wanted:
            flying.append(pool.submit(bucket.get, key, scope))
            if len(flying) >= 2 * workers:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
