"""The night the declarations are told about: who is who, what they did with the emergency role, and what a scan saw."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from agent.config import AuthorityConfig
from agent.declare import Documented, Ground, Opened, Reviewed, Source, Speaker, nonce, written
from agent.model import (
    Actor,
    Case,
    CaseKey,
    Change,
    Directory,
    Drift,
    Finding,
    FindingId,
    Held,
    JudgedChange,
    Key,
    Open,
    Person,
    Verdict,
)
from agent.store import ScanCommit, Seen, Store

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
GRANT = "BG-0123456789ab"
CASE = "abcdef0123456789"

_runs = count(1)
PEOPLE = (
    Person("dana", "Dana K.", principals=("dana@example.org",), groups=("sre",), users=("dana.k",)),
    Person("kim", "Kim", principals=("kim@example.org",), groups=("security",)),
    Person("erik", "Erik", groups=("security", "Leads")),
    Person("alex", kind="contractor", sponsor="kim", groups=("external-reviewers",)),
    Person("gone", valid_until=NOW - HOUR),
    Person("ops", kind="shared", sponsor="kim"),
    Person("ci", kind="service", sponsor="kim"),
    Person("twin", users=("twin.a",)),
    Person("other", users=("twin.a",)),
)
DIRECTORY = Directory(PEOPLE)
ROLES: Any = {"approver": ("group:security", "alex"), "admin": ("kim", "group:leads")}
AUTHORITY = AuthorityConfig(roles=ROLES)


def ground(store: Store, **authority: Any) -> Ground:
    """What is judged by; keywords are keys of `[authority]`."""
    return Ground(store, "shop", AuthorityConfig(**{"roles": ROLES, **authority}), DIRECTORY)


def speaker(person: str, at: datetime = NOW, **more: Any) -> Speaker:
    """Somebody who says something at a time, and is heard at once."""
    return replace(Speaker(person, "signature", at, at, person, "-----BEGIN SSH SIGNATURE-----"), **more)


def opened(**fields: Any) -> Opened:
    """The opening of a window of two hours."""
    given = {"at": NOW, "incident": "INC-7", "until": NOW + 2 * HOUR, **fields}
    return Opened(estate="shop", nonce=nonce(), **given)


def documented(**fields: Any) -> Documented:
    """A document with everything in it."""
    given = {
        "at": NOW,
        "case": CASE,
        "why": "Checkout was down.",
        "incident": "INC-7",
        "done": "Opened port 443.",
        "told": "kim, by phone",
        "way_back": "revert",
        **fields,
    }
    return Documented(estate="shop", nonce=nonce(), **given)


def reviewed(accepted: bool = True, reason: str = "I saw the calls.", **fields: Any) -> Reviewed:
    """A review."""
    given = {"at": NOW, "case": CASE, **fields}
    return Reviewed(estate="shop", nonce=nonce(), accepted=accepted, reason=reason, **given)


def source(statement: Any, **more: Any) -> Source:
    """The signed form of a statement."""
    return Source(written(statement), **more)


def call(event: str = "e1", actor: str = "dana", at: datetime = NOW, *, known: bool = True) -> Change:
    """A change made in the emergency role, by somebody the identity map knows or not."""
    arn = f"arn:aws:sts::111122223333:assumed-role/BreakGlass/{actor}"
    who = Actor(actor, "person", arn=arn, confidence=0.9, person=actor if known else "")
    return Change((event,), at, "ec2:AuthorizeSecurityGroupIngress", who, "console", "111122223333", "eu-west-1")


def seen(store: Store, *calls: Change, at: datetime = NOW, held: bool = False, **case: Any) -> Case:
    """A scan that saw calls, and opened or held the case of them."""
    key = Key("111122223333", "eu-west-1", "aws_security_group", "sg-1")
    drift = Drift(key, "changed", "ingress", [], [443])
    verdict = Verdict("pending-documentation", grant=case.get("grant", ""))
    finding = Finding(FindingId("F-sg"), key, drifts=(drift,), verdict=verdict)
    finding = replace(finding, changes=tuple(JudgedChange(one, verdict) for one in calls))
    events = tuple(event for one in calls for event in one.event_ids)
    made = {"grant": "" if held else GRANT, "events": events, **case}
    key_of_case, severity = CaseKey(made.pop("key", CASE)), made.pop("severity", "high")
    told = Case(key_of_case, "sg-1 changed", (finding.id,), severity, **made)
    run_id = f"r{next(_runs)}"
    store.scans.begin(run_id, at, "c" * 64, "r" * 64)
    action = Held((told,), "a flood") if held else Open(told)
    kept = ScanCommit(run_id, at, "violations", b"{}", seen=(Seen(finding),), actions=(action,))
    assert store.scans.commit(kept)
    return told
