"""A trail's S3 bucket, in AWS's layout, of one account or of an organisation.

Hides the layout, that the date in a key is the day of delivery and not of the event, that files are many and small
(so that the number of GETs in flight decides the speed), that they land out of order, and the digest and Insight files
beside the logs. How far each account and region was read is `s3_position`'s.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from agent.model import Gap, Scope
from agent.trail.batch import Batch, shortened
from agent.trail.s3_position import Position, time_of
from agent.trail.source import EVERYWHERE, LATE, LOOKBACK, MAX_BYTES, TYPE, Blob, Delivery, Feed, Window

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

_SKEW = timedelta(minutes=15)  # by which the stamp in a key may lie before the events in the file
_ACCOUNT = re.compile(r"\d{12}")
_LOG = re.compile(
    r"(?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?(\d{12})/CloudTrail/([a-z0-9-]+)/\d{4}/\d\d/\d\d/[^/]+Z_[^/]*\.json\.gz",
    re.DOTALL,
)
_SMALL = 8 << 20  # fetched beside others; CloudTrail's own files are, and what is larger is fetched alone
_CHUNK = 1 << 20
_Job = TypeVar("_Job")
_FAILED = (ClientError, BotoCoreError, OSError)
_FOREVER = ("NoSuchKey", "NoSuchBucket", "InvalidObjectState")
"""No such object, or one that was archived: asking again brings nothing.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_Errors"""


@dataclass(frozen=True, slots=True)
class Missed:
    """An object that could not be fetched."""

    gap: Gap
    forever: bool
    """No later try will fetch it."""
    large: bool = False


def scope_of(key: str) -> Scope | None:
    """Whose logs an object of a trail's bucket holds; None where it is no CloudTrail log file."""
    found = _LOG.fullmatch(key)
    return Scope(account=found[1], region=found[2], type=TYPE) if found else None


def fetch(client: S3Client, bucket: str, key: str, scope: Scope, most: int) -> Blob | Missed:
    """One object, whatever it is, of at most `most` bytes. Never raises for what S3 answers."""
    url = f"s3://{bucket}/{key}"
    pieces: list[bytes] = []
    size = 0
    try:
        with closing(client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            while size <= most and (piece := body.read(_CHUNK)):
                pieces.append(piece)
                size += len(piece)
    except UnicodeError:
        return Missed(Gap(scope, shortened(f"{url!a}: no name that an object can have")), forever=True)
    except _FAILED as error:
        forever = isinstance(error, ParamValidationError) or _code(error) in _FOREVER
        return Missed(Gap(scope, _why(url, error)), forever)
    if size > most:
        return Missed(_too_large(url, f"more than {most} bytes", scope), forever=True, large=True)
    return Blob(url, b"".join(pieces), scope)


def in_order(
    pool: ThreadPoolExecutor, workers: int, jobs: Iterable[_Job], get: Callable[[_Job, int], Blob | Missed]
) -> Iterator[tuple[_Job, Blob | Missed]]:
    """What `get(job, most)` brings for each job, in the order of the jobs: two rounds of `workers` are in memory."""
    flying: deque[tuple[_Job, Future[Blob | Missed]]] = deque()

    def landed() -> tuple[_Job, Blob | Missed]:
        job, future = flying.popleft()
        found = future.result()
        return job, get(job, MAX_BYTES) if isinstance(found, Missed) and found.large else found

    for job in jobs:
        flying.append((job, pool.submit(get, job, _SMALL)))
        if len(flying) >= 2 * workers:
            yield landed()
    while flying:
        yield landed()


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _why(url: str, error: Exception) -> str:
    said = str(error)
    # S3 asks KMS in the caller's name, and hands on what KMS says; without a reason it says "Access Denied" alone.
    if _code(error) in ("AccessDenied", "403"):
        missing = "kms:Decrypt is missing for the key" if "kms" in said.lower() else "s3:GetObject is missing"
        either = "" if "kms" in said.lower() else ", or kms:Decrypt where a KMS key encrypts the file"
        return shortened(f"{shortened(url, 300)}: {missing}{either}: {said}")
    return shortened(f"{shortened(url, 300)}: {said}")


def _too_large(url: str, size: str, scope: Scope) -> Gap:
    return Gap(scope, shortened(f"{url}: {size}, not read"), cause="unreadable")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one account's logs of one region lie."""

    account: str
    region: str
    prefix: str
    shard: str

    @property
    def scope(self) -> Scope:
        return Scope(account=self.account, region=self.region, type=TYPE)


@dataclass(frozen=True, slots=True)
class _Bucket:
    client: S3Client
    name: str
    accounts: Collection[str]
    regions: Collection[str]

    def url(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def folders(self, prefix: str) -> Iterator[str]:
        """Names directly below `prefix`, which ends in a slash or is empty."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, Delimiter="/")
        for page in pages:
            for folder in page.get("CommonPrefixes", ()):
                yield folder["Prefix"].removeprefix(prefix).rstrip("/")

    def page(self, prefix: str, after: str = "", token: str = "") -> tuple[list[ObjectTypeDef], str]:
        """Objects below `prefix` whose keys sort after `after`, or the page that `token` names; and the next token."""
        if token:
            answer = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, ContinuationToken=token)
        else:
            answer = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, StartAfter=after)
        return answer.get("Contents", []), answer.get("NextContinuationToken", "")

    def places(self, top: str) -> Iterator[_Place | Gap]:
        """Every account and region that is wanted and there; a gap for what is wanted and not there."""
        try:
            homes = self._homes(top)
        except _FAILED as error:
            yield Gap(EVERYWHERE, _why(self.url(top), error))
            return
        found = sorted(name for name in homes if not self.accounts or name in self.accounts)
        for missing in sorted(set(self.accounts).difference(found)):
            why = f"{self.url(top)}: no logs of account {missing}"
            yield Gap(Scope(account=missing, type=TYPE), why, cause="undelivered")
        if not found and not self.accounts:
            yield Gap(EVERYWHERE, f"{self.url(top)}: no account's logs here; is the prefix right?")
        for account in found:
            yield from self._regions(account, top, homes[account])

    def _homes(self, top: str) -> dict[str, list[str]]:
        """Account → where below `top` its logs lie: in either layout, or in both."""
        homes: dict[str, list[str]] = {}
        for name in self.folders(top):
            if _ACCOUNT.fullmatch(name):
                homes.setdefault(name, []).append(f"{name}/")
            elif name.startswith("o-"):
                for account in self.folders(f"{top}{name}/"):
                    if _ACCOUNT.fullmatch(account):
                        homes.setdefault(account, []).append(f"{name}/{account}/")
        return homes

    def _regions(self, account: str, top: str, homes: list[str]) -> Iterator[_Place | Gap]:
        there: dict[str, list[_Place]] = {}
        for home in homes:
            logs = f"{top}{home}CloudTrail/"
            try:
                for region in self.folders(logs):
                    place = _Place(account, region, f"{logs}{region}/", f"{home}{region}")
                    there.setdefault(region, []).append(place)
            except _FAILED as error:
                yield Gap(Scope(account=account, type=TYPE), _why(self.url(logs), error))
                return
        for region in sorted(self.regions or there):
            yield from there.get(region, ())
            if region not in there:
                why = f"{self.url(f'{top}{homes[0]}CloudTrail/')}: no logs of region {region}"
                yield Gap(Scope(account=account, region=region, type=TYPE), why, cause="undelivered")


@dataclass(frozen=True, slots=True)
class _Listed:
    """One object to fetch."""

    key: str
    size: int = 0
    """As listed; 0: not known."""
    time: datetime | None = None
    modified: datetime | None = None


@dataclass(slots=True)
class _Ahead:
    """A place whose first page is being listed."""

    place: _Place
    position: Position
    first: Future[tuple[list[ObjectTypeDef], str]]
    trouble: list[Gap] = field(default_factory=list)
    """Why it was not read to its end."""


def feed(
    client: S3Client,
    bucket: str,
    prefix: str = "",
    *,
    accounts: Collection[str] = (),
    regions: Collection[str] = (),
    workers: int = 16,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Feed:
    """Log files below `prefix` (what stands before `AWSLogs/`), of these accounts and regions; empty: all there are.

    `client` should allow `workers` connections (`Config(max_pool_connections=…)`). An account or region that was
    asked for and has no log file delivered since the start is a gap: a trail that does not cover it looks like that.
    """
    place = _Bucket(client, bucket, accounts, regions)
    top = f"{prefix.strip('/')}/AWSLogs/".lstrip("/")

    def deliveries(window: Window) -> Iterator[Delivery]:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="trail-s3")
        try:
            yield from _Reading(place, window, pool, workers, now()).all(top)
        finally:
            pool.shutdown(cancel_futures=True)

    return Feed(f"s3://{bucket}/{top.removesuffix('AWSLogs/')}", deliveries)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading of a bucket."""

    bucket: _Bucket
    window: Window
    pool: ThreadPoolExecutor
    workers: int
    now: datetime

    def all(self, top: str) -> Iterator[Delivery]:
        """Place after place; the first pages of the next ones are listed meanwhile."""
        newest: dict[tuple[str, str], datetime] = {}
        urls: dict[tuple[str, str], str] = {}
        missing: list[Gap] = []
        listed: deque[_Ahead] = deque()
        for place in self.bucket.places(top):
            if isinstance(place, Gap):
                missing.append(place)
                continue
            listed.append(self._ahead(place))
            if len(listed) > self.workers:
                yield from self._noted(listed.popleft(), newest, urls)
        while listed:
            yield from self._noted(listed.popleft(), newest, urls)
        for at, when in newest.items():
            if when < self.window.start - _SKEW:
                scope = Scope(account=at[0], region=at[1], type=TYPE)
                # Without its times, which pass: the same gap is the same in every scan.
                missing.append(Gap(scope, f"{urls[at]}: no log file of the interval delivered", cause="undelivered"))
        if missing:
            yield Delivery(tuple(missing))

    def _noted(
        self, ahead: _Ahead, newest: dict[tuple[str, str], datetime], urls: dict[tuple[str, str], str]
    ) -> Iterator[Delivery]:
        """The place, and until when it has files: of an account that lies there in both layouts, one is enough."""
        yield from self._place(ahead)
        at = ahead.place.account, ahead.place.region
        # What was not listed to its end has a gap that says so.
        reached = self.now if ahead.trouble else ahead.position.until
        newest[at] = max(newest.get(at, datetime.min.replace(tzinfo=UTC)), reached)
        urls[at] = self.bucket.url(ahead.place.prefix)

    def _ahead(self, place: _Place) -> _Ahead:
        earliest = self.window.start - LOOKBACK - _SKEW
        position = Position.of(self.window.checkpoints.get(place.shard), earliest, self.now)
        # From the beginning of a day: that names sort by their stamps is not said anywhere.
        after = f"{place.prefix}{position.begin:%Y/%m/%d}/"
        return _Ahead(place, position, self.pool.submit(self.bucket.page, place.prefix, after))

    def _place(self, ahead: _Ahead) -> Iterator[Delivery]:
        place, position = ahead.place, ahead.position
        batch = Batch(place.shard)
        for jobs in ([_Listed(place.prefix + name) for name in position.owed], self._new(ahead)):
            for job, found in in_order(self.pool, self.workers, jobs, partial(self._get, place)):
                forever = isinstance(found, Missed) and found.forever
                name = job.key.removeprefix(place.prefix)
                position.took(name, job.time, job.modified, owed=isinstance(found, Missed) and not forever)
                if isinstance(found, Blob):
                    batch.add(found)
                else:
                    batch.miss(found.gap, lasting=forever)
                if batch.is_full:
                    yield batch.deliver(position.checkpoint())
        if not ahead.trouble:
            position.finish()
        for gap in ahead.trouble:
            batch.add(gap)
        yield batch.deliver(position.checkpoint())

    def _new(self, ahead: _Ahead) -> Iterator[_Listed]:
        """What is new, in the order of the keys."""
        place, position = ahead.place, ahead.position
        last = f"{self.window.end + LATE:%Y/%m/%d}"
        try:
            entries, token = ahead.first.result()
            while True:
                for entry in entries:
                    name = entry["Key"].removeprefix(place.prefix)
                    if name[: len(last)] > last:
                        return
                    time = time_of(name)
                    if time is None or not position.wants(name, time, entry["LastModified"]):
                        continue
                    if position.owes_too_much:
                        why = f"{len(position.owed)} files could not be fetched, not read on"
                        ahead.trouble.append(Gap(place.scope, f"{self.bucket.url(place.prefix)}: {why}"))
                        return
                    yield _Listed(entry["Key"], entry["Size"], time, entry["LastModified"])
                if not token:
                    return
                entries, token = self.bucket.page(place.prefix, token=token)
        except _FAILED as error:
            ahead.trouble.append(Gap(place.scope, _why(self.bucket.url(place.prefix), error)))

    def _get(self, place: _Place, job: _Listed, most: int) -> Blob | Missed:
        if job.size > MAX_BYTES:
            return Missed(_too_large(self.bucket.url(job.key), f"{job.size} bytes", place.scope), forever=True)
        return fetch(self.bucket.client, self.bucket.name, job.key, place.scope, most)
