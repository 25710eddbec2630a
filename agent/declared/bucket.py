"""The states in a bucket, told from what else lies there.

Hides how a state is recognised (by the end of its key, else by the first bytes of its content), and that all reading
has an end: keys, heads and sizes are bounded.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from agent.declared.places import own_place
from agent.declared.state import StateError, read_state

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_s3 import S3Client

MAX_KEYS = 100_000
PAGE = 1_000
"""Keys of one answer, the most that S3 gives."""
MAX_HEADS = 1_000
"""Objects without the ending of a state whose first bytes are looked at."""
MAX_BYTES = 64_000_000
"""Largest state that is read whole; of a larger one nothing is told but that it is there."""
_HEAD = 2_048
_WORKERS = 8
_ENDING = ".tfstate"
_NO_STATES = re.compile(
    r"\.(?:tflock|backup|md5|gz|zip|tar|tgz|bz2|xz|log|txt|csv|md|html|pdf|png|jpe?g|tf|tfplan|parquet)$"
)


@dataclass(frozen=True, slots=True)
class Known:
    """A state that is known to exist."""

    location: str
    """`s3://bucket/key`."""
    lineage: str = ""
    serial: int = 0
    resources: int = 0
    """Managed instances in it."""
    accounts: tuple[str, ...] = ()
    """Account ids in the ARNs of its resources."""
    declared: frozenset[tuple[str, str]] = frozenset()
    """Type and name of the resources of its root module."""
    unread: str = ""
    """Why nothing more is known of it; empty where it was read."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a bucket holds."""

    states: tuple[Known, ...] = ()
    others: tuple[str, ...] = ()
    """Keys that end as a state's do, of objects that are none."""
    why: str = ""
    """Why the list is not complete; empty where it is."""


def states(bucket: str, prefix: str, session: boto3.Session, expected: Iterable[str] = ()) -> Listing:
    """The states in a bucket below a prefix; objects that somebody `expected` (keys) are looked at whatever their name.

    Raises nothing: a bucket that cannot be listed is the listing's `why`.
    """
    client = session.client("s3")
    wanted = frozenset(expected)
    objects: list[tuple[str, int]] = []
    try:
        paged = client.get_paginator("list_objects_v2")
        pages = paged.paginate(Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": PAGE})
        every = ((each["Key"], each["Size"]) for page in pages for each in page.get("Contents", ()))
        objects = list(itertools.islice(every, MAX_KEYS + 1))
    except (ClientError, BotoCoreError) as error:
        return Listing(why=f"s3://{bucket}/{prefix} cannot be listed: {_said(error)}")
    why = f"s3://{bucket}/{prefix} holds more than {MAX_KEYS:,} objects, and no more were looked at: give a prefix"
    sure = [(key, size) for key, size in objects[:MAX_KEYS] if key.endswith(_ENDING) or key in wanted]
    known = {key for key, _ in sure}
    maybe = [each for each in objects[:MAX_KEYS] if each[0] not in known and _may_be(*each)]
    reader = _Reader(client, bucket)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="states") as pool:
        like = list(pool.map(lambda each: reader.looks_like_one(each[0]), maybe[:MAX_HEADS]))
        chosen = [*sure, *(each for each, is_one in zip(maybe, like, strict=False) if is_one)]
        found = list(pool.map(lambda each: reader.state(*each), sorted(chosen)))
    if len(objects) <= MAX_KEYS:
        why = f"{len(maybe) - MAX_HEADS:,} objects without .tfstate in their name were not looked at: give a prefix"
    full = len(objects) <= MAX_KEYS and len(maybe) <= MAX_HEADS
    return Listing(
        tuple(each for each in found if isinstance(each, Known)),
        tuple(each for each in found if isinstance(each, str)),
        "" if full else why,
    )


def _may_be(key: str, size: int) -> bool:
    return size > 40 and not key.endswith("/") and not _NO_STATES.search(key.lower())


def _said(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    return str(error)


@dataclass(frozen=True, slots=True)
class _Reader:
    client: S3Client
    bucket: str

    def head(self, key: str) -> bytes:
        answer = self.client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes=0-{_HEAD - 1}")
        return answer["Body"].read(_HEAD)

    def looks_like_one(self, key: str) -> bool:
        try:
            return _is_state(self.head(key))
        except (ClientError, BotoCoreError):
            return False

    def state(self, key: str, size: int) -> Known | str:
        """The state, or the key of what is none."""
        location = f"s3://{self.bucket}/{key}"
        try:
            if size > MAX_BYTES:
                return Known(location, unread=f"it has {size:,} bytes") if _is_state(self.head(key)) else key
            data = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read(MAX_BYTES + 1)
        except (ClientError, BotoCoreError) as error:
            return Known(location, unread=_said(error))
        if not _is_state(data[:_HEAD]):
            return key
        try:
            state = read_state(data, location, limit=MAX_BYTES)
        except StateError as error:
            return Known(location, unread=str(error).removeprefix(f"{location} "))
        accounts = {own_place(each).account for each in state.instances}
        return Known(
            location,
            state.lineage,
            state.serial,
            len(state.instances),
            tuple(sorted(accounts - {""})),
            frozenset((each.type, each.name) for each in state.instances if not each.module),
        )


def _is_state(head: bytes) -> bool:
    """A JSON object that begins as Terraform's states do, or OpenTofu's encrypted ones."""
    text = head.lstrip()
    named = b'"version"' in text and (b'"serial"' in text or b'"terraform_version"' in text or b'"lineage"' in text)
    return text.startswith(b"{") and (named or b'"encrypted_data"' in text)
