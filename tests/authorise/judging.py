"""One change, judged: dana set the queue's time-out at noon under CHG-7, except as a test says."""

from datetime import datetime, timedelta
from typing import Any

from line import DEPLOY, NOON, QUEUE_ARN, QUEUE_KEY, SUBJECT, group, queue, rule
from trail_records import ACCOUNT, REGION

from agent.authorise import Estate, verdict
from agent.model import (
    Actor,
    Authority,
    Change,
    Claim,
    Emergency,
    Key,
    Merge,
    Person,
    Pipeline,
    Run,
    Test,
    Ticket,
    TicketEvent,
    Tickets,
    Touch,
    Verdict,
)

KNOWN = Estate([queue(), group(), rule(22)])
LATER = NOON + timedelta(hours=6)
COMMIT = "4f1c2a9d0b5e6f708192a3b4c5d6e7f8091a2b3c"
DANA = Actor("dana", "person", f"arn:aws:iam::{ACCOUNT}:user/dana", "IAM user", 0.7)
RUN = Run("github", "acme/shop", "17", commit=COMMIT)
CI = Actor("acme/shop", "pipeline", how="OIDC", confidence=0.95, role=DEPLOY, subject=SUBJECT, run=RUN)
TRUSTED = (Pipeline("deploy", DEPLOY, subject="repo:acme/*"),)
CLAIM = (Claim("CHG-7", "session tag"),)
SETS = Touch("aws_sqs_queue", (QUEUE_ARN,), sets={"visibility_timeout_seconds": 60})
PEOPLE = (
    Person("dana", groups=("sre",), users=("ddiaz",)),
    Person("sam", groups=("Security",), users=("sam.smith",)),
    Person("ada", team="platform"),
)


def at(hours: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=hours)


def change(actor: Actor = DANA, claims: tuple[Claim, ...] = CLAIM, **fields: Any) -> Change:
    given = {"event_ids": ("e1",), "time": NOON, "touches": (SETS,)} | fields
    return Change(
        action="sqs:SetQueueAttributes",
        actor=actor,
        channel="sdk",
        account=ACCOUNT,
        region=REGION,
        claims=claims,
        **given,
    )


def judged(
    made: Change,
    *tickets: Ticket,
    targets: tuple[Key, ...] = (QUEUE_KEY,),
    now: datetime = LATER,
    estate: Estate | None = None,
    **trust: Any,
) -> Verdict:
    answered = {name: trust.pop(name) for name in ("unanswered", "merges", "merges_unread") if name in trust}
    authority = Authority(tickets=Tickets(tickets, **answered), **trust)
    return verdict(made, targets, authority, estate or KNOWN, now)


def history(*entries: tuple[float, dict[str, str]]) -> tuple[TicketEvent, ...]:
    return tuple(TicketEvent(at(hours), **fields) for hours, fields in entries)


def approved(*names: str) -> tuple[TicketEvent, ...]:
    return history(*((-3, {"approved_by": name}) for name in names), (-2, {"state": "approved"}))


def merge(**fields: Any) -> Merge:
    """Written by lena, approved by sam, merged by ada."""
    given = {
        "commit": COMMIT,
        "system": "github",
        "repository": "acme/shop",
        "ref": "#12",
        "author": "lena",
        "merged_by": "ada",
        "history": history((-5, {"approved_by": "sam"})),
        "checks": "passed",
    } | fields
    return Merge(**given)


def emergency(state: str = "awaiting-document", **fields: Any) -> Emergency:
    given = {
        "id": "BG-0123456789ab",
        "case": "c0ffee",
        "person": "dana",
        "how": "role Emergency",
        "first": NOON,
        "last": NOON,
        "deadline": at(24),
        "events": ("e1",),
    } | fields
    return Emergency(state=state, **given)


def the(found: Verdict, name: str) -> Test:
    """The test of that name."""
    (test,) = [test for test in found.tests if test.name == name]
    return test


def asked(found: Verdict) -> list[str]:
    """Names of its tests."""
    return [test.name for test in found.tests]
