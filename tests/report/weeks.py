"""An estate over simulated weeks: each scan is the real line over a real store, only cloud, trail and clock are told.

Hides how a scan is put together; a story says what is live, which calls were made, and when is looked.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from line import DEPLOY, SPECS, SUBJECT, group, queue, rule, ticket
from trail_records import ACCOUNT, QUEUE, REGION, in_role, packed, record, source

from agent import store as stores
from agent.collected import BreakGlass, Collected, Permissive, Reading
from agent.config import Config
from agent.document import document
from agent.document.authority import FileChange, PolicyNews
from agent.model import (
    Authority,
    Declaration,
    EmergencyRole,
    Environments,
    Gap,
    Hit,
    Limit,
    Pipeline,
    PolicyException,
    Proof,
    Resource,
    Snapshot,
    Ticket,
    Tickets,
    Tolerated,
    Weights,
)
from agent.plan import Known
from agent.rules import load_rules, ruleset_sha256
from agent.scan import scan
from agent.store import ScanCommit, ScanKind, Seen, Store
from agent.tables import AuthorityConfig, ReportConfig, ScheduleConfig, Stack, TrailSource
from agent.trail.read import read

BERLIN = ZoneInfo("Europe/Berlin")
RULES = load_rules()
ROLE = f"arn:aws:iam::{ACCOUNT}:role/break-glass"
LOOKBACK = timedelta(days=7)


def at(text: str) -> datetime:
    """`2026-11-02 14:00`, as clocks in Berlin show it, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def queue_of(name: str, seconds: int = 30) -> Resource:
    """A queue of the stack as its state records it."""
    made = queue(visibility_timeout_seconds=seconds)
    if name == "orders":
        return made
    key = replace(made.key, id=made.key.id.replace("orders", name))
    attributes = {**made.attributes, "name": name, "url": QUEUE.replace("orders", name), "arn": key.id}
    attributes["id"] = attributes["url"]
    names = tuple(one.replace("orders", name) for one in made.identifiers)
    return replace(made, key=key, attributes=attributes, identifiers=names, address=f"aws_sqs_queue.{name}")


DECLARED = (*map(queue_of, ("orders", "invoices", "mail", "audit")), group())


def config(folder: Path, **tables: Any) -> Config:
    """The configuration of the estate; a scan is due at midnight and noon."""
    known: dict[str, Any] = {
        "stack": (Stack(name="shop", dir="shop", environment="production"),),
        "trail": TrailSource(lookback="7d"),
        "schedule": ScheduleConfig(timezone="Europe/Berlin", scan="0 */12 * * *"),
        "authority": AuthorityConfig(roles={"approver": ("sam", "kim")}),
        "report": ReportConfig(dir="reports"),
        "base": str(folder),
    }
    return Config(**(known | tables))


def said(who: str, when: datetime) -> Proof:
    return Proof(who, "signature", when, when, principal=who)


@dataclass
class Life:
    """The estate as it goes on."""

    store: Store
    done: list[tuple[datetime, Resource]] = field(default_factory=list)
    """What is so from a time on: the queue as it then is, or one more rule of the group."""
    records: list[dict[str, Any]] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    declared: list[Declaration] = field(default_factory=list)
    exceptions: tuple[PolicyException, ...] = ()
    gaps: tuple[Gap, ...] = ()
    trail_gaps: tuple[Gap, ...] = ()
    silent: tuple[str, ...] = ()
    """Ticket systems that do not answer."""
    news: tuple[FileChange, ...] = ()
    accounts: Mapping[str, str] = field(default_factory=dict)
    """Account → its environment."""
    weights: Weights | None = None
    limits: tuple[Limit, ...] = ()
    older: bool = False
    """Documents are kept as an earlier release wrote them."""
    runs: int = 0

    def again(self, store: Store) -> Self:
        """The same estate, going on over a copy of its store."""
        copy = replace(self, store=store, done=[*self.done], records=[*self.records])
        copy.tickets, copy.declared = [*self.tickets], [*self.declared]
        return copy

    def call(self, when: datetime, seconds: int = 60, name: str = "orders", **fields: Any) -> None:
        """Somebody sets a queue's time-out; it has that value from then on."""
        asked = {"queueUrl": queue_of(name).attributes["url"], "attributes": {"VisibilityTimeout": str(seconds)}}
        self._record(record(**{"eventTime": stamp(when), "requestParameters": asked, **fields}))
        self.done.append((when, queue_of(name, seconds)))

    def opens(self, when: datetime, port: int, **fields: Any) -> None:
        """Somebody opens a port of the group to the world."""
        ranges = {"ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
        permission = {"ipProtocol": "tcp", "fromPort": port, "toPort": port, **ranges}
        asked = {"groupId": group().key.id, "ipPermissions": {"items": [permission]}}
        known = {"eventTime": stamp(when), "requestParameters": asked}
        self._record(record("AuthorizeSecurityGroupIngress", "ec2", **{**known, **fields}))
        self.done.append((when, rule(port)))

    def live(self, now: datetime) -> list[Resource]:
        """What is there at a time."""
        there = {one.key: one for one in DECLARED}
        return [*(there | {one.key: one for when, one in self.done if when <= now}).values()]

    def does(self, when: datetime, action: str, service: str, **fields: Any) -> None:
        """Somebody makes a call that changes nothing the estate has."""
        self._record(record(action, service, eventTime=stamp(when), **fields))

    def _record(self, made: dict[str, Any]) -> None:
        made["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{len(self.records)}"))
        self.records.append(made)

    def look(self, now: datetime, kind: ScanKind = "whole") -> Any:
        """One scan that ends at `now`; gives its document."""
        self.runs += 1
        run, started = f"{now:%Y%m%dT%H%M%S}-{self.runs:06x}", now - timedelta(seconds=20)
        store = self.store
        store.scans.begin(run, started, "c" * 64, ruleset_sha256(RULES), kind=kind)
        open_ones = store.findings.open()
        start = now - LOOKBACK
        heard = record("GetQueueAttributes", readOnly=True, eventTime=stamp(now - timedelta(minutes=9)))
        happened = [one for one in self.records if stamp(start) <= one["eventTime"] <= stamp(now)]
        trail = read([source(packed(heard, *happened), *self.trail_gaps)], start, now, specs=SPECS)
        known = {key: Reading(one.attributes, one.accepted_at) for key, one in store.readings.accepted().items()}
        said = [one for one in self.declared if one.by.received_at <= now]
        found = scan(
            Collected(
                declared=Snapshot("declared", now, DECLARED, limits=self.limits),
                live=replace(Snapshot("live", now, tuple(map(_bare, self.live(now)))), gaps=self.gaps),
                trail=trail,
                read=frozenset({(ACCOUNT, REGION)}),
                accepted=known,
                known=Known(
                    tuple(one.case for one in store.cases.listed()),
                    {name: one.first_seen for name, one in open_ones.items()},
                    {name: one.finding.key for name, one in open_ones.items()},
                ),
                authority=Authority(
                    pipelines=(Pipeline("deploy", DEPLOY, subject=SUBJECT),),
                    tickets=Tickets(tuple(self.tickets), self.silent),
                    environments=Environments({"shop": "production"}, self.accounts),
                    weights=self.weights,
                ),
                rules=RULES,
                specs=SPECS,
                complete=True,
                breakglass=BreakGlass(said, (EmergencyRole("break-glass", ROLE),)),
                permissive=Permissive(Tolerated(self.exceptions)),
            ),
            now,
        )
        news, self.news = self.news, ()
        shown = document(
            found,
            run_id=run,
            started_at=started,
            config_sha256="c" * 64,
            ruleset_sha256=ruleset_sha256(RULES),
            trail=trail,
            resources={one.key: one for one in (*DECLARED, *self.live(now))},
            cases=store.cases.open(),
            news=PolicyNews(news),
        )
        if self.older:
            _as_before(shown)
        seen = {one.id for one in found.findings}
        hidden = found.unread()
        events = tuple(
            ("policy.changed", {"path": n.path, "what": n.what, "commit": n.commit, "author": n.author}) for n in news
        )
        kept = store.scans.commit(
            ScanCommit(
                run,
                now,
                found.status,
                json.dumps(shown).encode(),
                seen=tuple(Seen(one) for one in found.findings),
                closed=tuple(n for n, one in open_ones.items() if n not in seen and one.finding.key not in hidden),
                accepted=tuple(stores.Reading(one.key, one.attributes, now, "no drift") for one in found.accept),
                forgotten=found.forget,
                actions=found.actions,
                events=events,
                hits=tuple(Hit(one.id, one.finding) for one in found.hits),
                kind=kind,
                read_at=now,
            )
        )
        assert kept
        return shown

    def looks(self, since: datetime, until: datetime) -> None:
        """The scans of [since, until) that are due at midnight and noon in Berlin, each a minute later."""
        day = since.astimezone(BERLIN).date()
        while (first := datetime.combine(day, datetime.min.time(), BERLIN)).astimezone(UTC) < until:
            for hour in (0, 12):
                due = first.replace(hour=hour).astimezone(UTC) + timedelta(minutes=1)
                if since <= due < until:
                    self.look(due)
            day += timedelta(days=1)

    def says(self, kind: str, one: Declaration) -> None:
        """Somebody declares something."""
        self.store.declarations.add([(kind, one)])
        self.declared.append(one)

    def case(self, *, emergency: bool = False) -> str:
        """Key of the only open case of that kind."""
        (key,) = [one.key for one in self.store.cases.open() if bool(one.grant) is emergency]
        return key


def emergency_session(key: str = "ASIAEMERGENCY", who: str = "dana") -> dict[str, Any]:
    """userIdentity of somebody in the emergency role."""
    made: dict[str, Any] = in_role("break-glass", who, key, sourceIdentity=who)
    return made


def granted(ref: str, begins: datetime, ends: datetime, **fields: Any) -> Ticket:
    """An approved change of the queue, by dana."""
    return ticket(ref, start=begins, end=ends, history=approved(begins), **fields)


def approved(begins: datetime) -> Sequence[Any]:
    return tuple(
        replace(one, at=begins - timedelta(days=2 - number / 2)) for number, one in enumerate(ticket().history)
    )


def stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _as_before(document: dict[str, Any]) -> None:
    """Takes away what earlier releases did not write."""
    for limit in document["coverage"]["limits"]:
        del limit["uncompared"]
    for one in (*document["changes"], *(change for finding in document["findings"] for change in finding["changes"])):
        del one["account"], one["verdict"]["environment"]


def _bare(one: Resource) -> Resource:
    """As it is seen live: what Terraform knows is not in it."""
    return replace(one, address="", stack="", source=None, configured=None, ignore_changes=(), owner="")
