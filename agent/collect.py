"""The collect stage: units of work, each read by one idempotent function whose result any worker can store.

Hides sessions, which unit reads what, and that a unit that cannot look gives gaps and not an error.
"""

from __future__ import annotations

import hashlib
import re
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from agent import __version__, directory, ticketing
from agent.aws_session import opened
from agent.config import Account, Config, duration
from agent.declared import stack
from agent.focus import Look
from agent.live import aws
from agent.live.requests import Calls
from agent.model import GLOBAL, Directory, Gap, Limit, Scope, Snapshot, Trail
from agent.resources import Spec
from agent.stacks import locate, with_commit
from agent.store import Unit, UnitSpec
from agent.trail import bus, digests, files, lookup, notified, s3
from agent.trail import read as trail
from agent.trail.claims import PATTERNS
from agent.trail.entries import Reader
from agent.trail.source import EVERYWHERE, LATE, Feed, once

_EAGER = 2.0  # seconds that messages are gathered for while somebody waits for the first
HOME = "us-east-1"
"""Region that global services are read in, and that records their events
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html)."""


@dataclass(slots=True)
class Sessions:
    """boto3 sessions by account, made once; sessions are not safe to make in threads, clients are to use."""

    config: Config
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _made: dict[int, boto3.Session] = field(default_factory=dict)

    def of(self, number: int) -> boto3.Session:
        """The session of `[[account]]` number `number`. Raises botocore's errors for a role that cannot be assumed."""
        with self._lock:
            if number not in self._made:
                self._made[number] = _session(self.config.account[number])
            return self._made[number]


def _session(account: Account) -> boto3.Session:
    first = account.regions[0] if account.regions else HOME
    session = opened(first, profile=account.profile or None)
    if not account.role_arn:
        return session
    asked: dict[str, Any] = {"RoleArn": account.role_arn, "RoleSessionName": "driftwarden"}
    if account.external_id:
        asked["ExternalId"] = account.external_id
    return opened(first, issued=session.client("sts").assume_role(**asked)["Credentials"])


def state_session(sessions: Sessions) -> boto3.Session | None:
    """The first account's session; None where it cannot be had, which matters only to a state in S3."""
    try:
        return sessions.of(0)
    except (ClientError, BotoCoreError, ResponseParserError):
        return None


def read_people(config: Config, sessions: Sessions, now: datetime) -> Directory:
    """The identity map of `[identities]`. Raises ConfigError for its file; what AWS does not answer is in `unread`."""
    asked = config.identities
    asks_aws = bool(asked.identity_center) or asked.organizations
    return directory.read(config, state_session(sessions) if asks_aws else None, now)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan will read."""

    units: tuple[UnitSpec, ...]
    read: frozenset[tuple[str, str]]
    """Account and region pairs the live reader will look at."""
    gaps: tuple[Gap, ...]
    """What is known beforehand not to be readable: accounts without credentials."""
    accounts: Mapping[int, str] = field(default_factory=dict)
    """Number of an `[[account]]` → its id, of those there are credentials for."""


def units(config: Config, sessions: Sessions, specs: Mapping[str, Spec]) -> Plan:
    """The units of one scan: a stack each, an account × region × service each, a trail source each, and the join."""
    found: list[UnitSpec] = []  # stacks come first: no live reading is kept before they are read
    read: set[tuple[str, str]] = set()
    gaps: list[Gap] = []
    accounts: dict[int, str] = {}
    for number, account in enumerate(config.account):
        try:
            name = aws.identify(sessions.of(number))
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            gaps.append(Gap(Scope(account=account.id or "*"), f"no credentials for this account: {error}"))
            continue
        if account.id and account.id != name:
            why = f"the credentials belong to account {name}, not to {account.id}"
            gaps.append(Gap(Scope(account=account.id), why))
            continue
        accounts[number] = name
        read.update((name, region) for region in account.regions)
        found += _live_units(number, name, account.regions, specs)
    home = next(iter(accounts.values()), "*")
    if accounts or not any(map(_needs_aws, config.trail.sources)):
        # One unit: a chain of sessions crosses accounts and regions, and is followed only within one reading.
        found.append(UnitSpec("trail", "cloudtrail", {"accounts": {str(n): name for n, name in accounts.items()}}))
    else:
        gaps.append(Gap(EVERYWHERE, "no credentials to read CloudTrail with"))
    stacks = [
        UnitSpec("declared", one.name, {"stack": n, "account": one.account or home})
        for n, one in enumerate(config.stack)
    ]
    # Two tables of one account share what is read without a region.
    once = {(unit.kind, unit.name): unit for unit in (*stacks, *found, UnitSpec("join", "join"))}
    return Plan(tuple(once.values()), frozenset(read), tuple(gaps), accounts)


def _needs_aws(source: str) -> bool:
    return source == "lookup" or source.startswith(("s3://", "s3-notifications:", "eventbridge:"))


def _live_units(number: int, account: str, regions: Sequence[str], specs: Mapping[str, Spec]) -> list[UnitSpec]:
    listed = [spec for spec in specs.values() if not spec.same_as]
    regional = sorted({spec.service for spec in listed if not spec.is_global})
    everywhere = sorted({spec.service for spec in listed if spec.is_global})
    pairs = [(region, service) for region in regions for service in regional]
    pairs += [(HOME, service) for service in everywhere]
    return [
        UnitSpec(
            "live",
            f"{account}/{region}/{service}",
            {"session": number, "account": account, "region": region, "service": service},
        )
        for region, service in pairs
    ]


def lost(unit: Unit, specs: Mapping[str, Spec]) -> tuple[Gap, ...]:
    """What stays unread where a unit gave no result, however often it was tried."""
    why = f"{unit.kind} {unit.name}: {unit.error or 'not read'}"
    if unit.kind == "trail":
        return (Gap(EVERYWHERE, why),)
    account = unit.args["account"]
    if unit.kind == "declared":
        return (Gap(Scope(account=account), why),)
    mine = {name: spec for name, spec in specs.items() if spec.service == unit.args["service"] and not spec.same_as}
    regions = {name: GLOBAL if spec.is_global else unit.args["region"] for name, spec in mine.items()}
    return tuple(Gap(Scope(account, region, name), why) for name, region in regions.items())


def ticket_patterns(config: Config) -> tuple[re.Pattern[str], ...]:
    """What a ticket reference looks like: as configured, else as is usual and as the configured systems write it."""
    if config.authority.ticket_patterns:
        return tuple(re.compile(pattern) for pattern in config.authority.ticket_patterns)
    own = (ticketing.references(name, settings) for name, settings in config.tickets.systems.items())
    return (*PATTERNS, *(re.compile(pattern, re.ASCII) for patterns in own for pattern in patterns))


def _is_pending(declared: Snapshot) -> bool:
    """Whether anything of a stack is merged and not applied: then its last commit is not the applied one."""
    return bool(declared.pending) or any(resource.unapplied for resource in declared.resources)


def blame(error: BaseException) -> str:
    """An error nobody foresaw, by name and place; not by its text, which may hold what was being read."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


@dataclass(frozen=True, slots=True)
class Collector:
    """Runs units. Holds nothing between them that another worker would need."""

    config: Config
    sessions: Sessions
    specs: Mapping[str, Spec]
    key: bytes
    started_at: datetime
    pool: ThreadPoolExecutor
    """Runs the single AWS calls; never a unit, which would wait for itself."""
    cache: Path | None = None
    last: datetime | None = None
    """When the last scan of the whole estate that ended began; None: there was none."""
    accounts: Mapping[int, str] = field(default_factory=dict)
    """Number of an `[[account]]` → its id, of those there are credentials for."""
    calls: Calls = field(default_factory=Calls)

    def run(self, unit: Unit | UnitSpec) -> Snapshot | Trail:
        """What one unit reads. Never raises for what it cannot read: that is a gap in the result."""
        kinds: Mapping[str, Callable[[Mapping[str, Any]], Snapshot | Trail]] = {
            "declared": self._declared,
            "live": self._live,
            "trail": self._trail,
        }
        return kinds[unit.kind](unit.args)

    def _declared(self, args: Mapping[str, Any]) -> Snapshot:
        one = self.config.stack[args["stack"]]
        located = locate(self.config, one)
        if located.why:
            gap = Gap(Scope(account=args["account"]), f"stack {one.name}: {located.why}")
            return Snapshot("declared", self.started_at, gaps=(gap,))
        read = stack.read(
            one.name,
            located.directory,
            state=one.state,
            account=args["account"],
            region=one.region,
            owner=partial(located.owner, one),
            key=self.key,
            taken_at=self.started_at,
            specs=self.specs,
            session=state_session(self.sessions),
            cache=self.cache,
            options=located.options,
        )
        snapshot = read.snapshot
        patterns = ticket_patterns(self.config)
        return replace(
            snapshot,
            gaps=tuple(replace(gap, why=f"stack {one.name}: {gap.why}") for gap in snapshot.gaps),
            limits=(
                *snapshot.limits,
                *(Limit(Scope(account=args["account"]), f"stack {one.name}: {note}") for note in located.notes),
            ),
            states=tuple(
                with_commit(each, located, one, patterns, applied=not _is_pending(snapshot)) for each in snapshot.states
            ),
        )

    def _live(self, args: Mapping[str, Any]) -> Snapshot:
        return aws.read(
            self.sessions.of(args["session"]),
            args["account"],
            args["region"],
            args["service"],
            specs=self.specs,
            key=self.key,
            taken_at=self.started_at,
            pool=self.pool,
            calls=self.calls,
        )

    def again(self, session: int, look: Look) -> Snapshot:
        """What one look reads, in the account of that session. Never raises for what it cannot read."""
        return aws.read(
            self.sessions.of(session),
            look.account,
            HOME if look.region == GLOBAL else look.region,
            look.service,
            specs=self.specs,
            key=self.key,
            taken_at=self.started_at,
            only=look.only,
            pool=self.pool,
            calls=self.calls,
        )

    def _trail(self, args: Mapping[str, Any]) -> Trail:
        """Straight from the sources, nothing kept: what queues hold stays in them."""
        feeds = self.feeds(args)
        probed = tuple(gap for feed in feeds if feed.probe is not None for gap in feed.probe())
        sources = [once(feed) for feed in feeds if not feed.drains]
        found = trail.read(sources, self.trail_start, self.started_at, **self._reading())
        return replace(found, gaps=(*found.gaps, *probed))

    @property
    def trail_start(self) -> datetime:
        """From when on changes are looked at: further back than configured where no scan ended for that long."""
        start = self.started_at - duration(self.config.trail.lookback)
        if self.last is not None:
            start = min(start, self.last - LATE)
        return max(start, self.started_at - duration(self.config.trail.keep))

    def expected(self) -> tuple[tuple[str, str], ...]:
        """Accounts and regions that must have an event where only queues are read: nobody asks those for silence."""
        if not all(one.startswith("eventbridge:") for one in self.config.trail.sources):
            return ()
        return tuple(
            (name, region)
            for number, name in self.accounts.items()
            for region in dict.fromkeys((HOME, *self.config.account[number].regions))
        )

    def reader(self) -> Reader:
        """Digests records as far back as they are kept."""
        return Reader(**self._reading(), since=self.started_at - duration(self.config.trail.keep))

    def fingerprint(self) -> str:
        """What the digest of a record depends on besides the record: another one reads it anew."""
        reading = self._reading()
        parts = (
            __version__,
            *sorted(self.specs),
            *(one.pattern for one in reading["patterns"]),
            *sorted(reading["states"]),
        )
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()

    def _reading(self) -> dict[str, Any]:
        named = (*(stack.state for stack in self.config.stack), *self.config.estate.known_states)
        return {
            "specs": self.specs,
            "patterns": ticket_patterns(self.config),
            "seal_key": self.key,
            "states": [state.removeprefix("s3://") for state in named if state.startswith("s3://")],
        }

    def feeds(self, args: Mapping[str, Any]) -> list[Feed]:
        """The sources of a trail unit."""
        accounts = {int(number): name for number, name in args["accounts"].items()}
        return [feed for where in self.config.trail.sources for feed in self._feeds(where, accounts)]

    def queues(self, wait: int) -> list[Feed]:
        """The sources that are queues, to be read again and again: each waits so many seconds for a first message."""
        kinds = ("eventbridge:", "s3-notifications:")
        named = [one for one in self.config.trail.sources if one.startswith(kinds)]
        return (
            [feed for where in named for feed in self._feeds(where, self.accounts, wait=wait)] if self.accounts else []
        )

    def _feeds(self, where: str, accounts: Mapping[int, str], wait: int = 0) -> Iterable[Feed]:
        patience: dict[str, Any] = {"wait": wait, "seconds": _EAGER, "eager": True} if wait else {}
        kind, _, url = where.partition(":")
        if where == "lookup":
            # Throttling is paced by the source itself: two requests a second for each account and region.
            once_only = ClientConfig(retries={"total_max_attempts": 1})
            return [
                lookup.feed(
                    self.sessions.of(number).client("cloudtrail", region_name=region, config=once_only), name, region
                )
                for number, name in accounts.items()
                for region in dict.fromkeys((HOME, *self.config.account[number].regions))
            ]
        if not _needs_aws(where):
            return [files.feed(self.config.path(where))]
        first, names = self.sessions.of(next(iter(accounts))), tuple(accounts.values())
        if kind == "eventbridge":
            return [bus.feed(first.client("sqs", region_name=region_of(url)), url, accounts=names, **patience)]
        client = first.client("s3", config=ClientConfig(max_pool_connections=16))
        if kind == "s3-notifications":
            # A queue may be writable by others: only the buckets that are named here are fetched from.
            buckets = [one.removeprefix("s3://").split("/")[0] for one in self.config.trail.sources if "s3://" in one]
            sqs = first.client("sqs", region_name=region_of(url))
            return [notified.feed(sqs, url, client, buckets=buckets, **patience)]
        bucket, _, prefix = where.removeprefix("s3://").partition("/")
        regions = sorted({HOME, *(region for number in accounts for region in self.config.account[number].regions)})
        found = [s3.feed(client, bucket, prefix, accounts=names, regions=regions)]
        if self.config.trail.validate:
            keys = partial(first.client, "cloudtrail")
            found.append(
                digests.feed(
                    client, lambda region: keys(region_name=region), bucket, prefix, accounts=names, regions=regions
                )
            )
        return found


def region_of(queue_url: str) -> str | None:
    """`eu-west-1` out of `https://sqs.eu-west-1.amazonaws.com/…`; None: the session's own."""
    match = re.match(r"https://(?:sqs\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.", queue_url)
    return match[1] if match else None
