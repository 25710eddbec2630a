"""One pass of the line over a small estate, for tests: records go through the trail reader, the rest is built here.

The estate is a queue, a security group with an inline rule and a role, in one stack of one account.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from trail_records import ACCOUNT, END, QUEUE, REGION, record, trail_of

from agent.model import (
    Authority,
    Finding,
    Gap,
    Key,
    Pipeline,
    Resource,
    Snapshot,
    Source,
    StateRead,
    Ticket,
    TicketEvent,
    Tickets,
    TicketScope,
    Unapplied,
)
from agent.plan import Known
from agent.resources import load
from agent.rules import load_rules
from agent.scan import BreakGlass, Collected, Permissive, Reading, Scan, scan

SPECS = load()
RULES = load_rules()
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
QUEUE_KEY = Key(ACCOUNT, REGION, "aws_sqs_queue", QUEUE_ARN)
GROUP_KEY = Key(ACCOUNT, REGION, "aws_security_group", "sg-0aaaaaaaaaaaaaaaa")
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SUBJECT = "repo:acme/shop:ref:refs/heads/main"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def queue(**attributes: Any) -> Resource:
    """The declared queue as its state records it."""
    recorded = {"arn": QUEUE_ARN, "url": QUEUE, "id": QUEUE, "name": "orders", "visibility_timeout_seconds": 30}
    recorded |= {"policy": "", "tags_all": {"Team": "shop"}, **attributes}
    return Resource(
        QUEUE_KEY,
        recorded,
        (QUEUE, QUEUE_ARN, "orders"),
        address="aws_sqs_queue.orders",
        stack="shop",
        source=Source("main.tf", 3),
        configured=frozenset({"name", "visibility_timeout_seconds", "policy", "tags_all"}),
    )


def group() -> Resource:
    """The declared group; its rules are parts of their own."""
    name = GROUP_KEY.id
    return Resource(
        GROUP_KEY,
        {"id": name, "name": "web", "description": "web", "vpc_id": "vpc-1", "tags_all": {}},
        (name, "web"),
        address="aws_security_group.web",
        stack="shop",
        source=Source("main.tf", 9),
        configured=frozenset({"name", "ingress"}),
    )


def rule(port: int, cidr: str = "0.0.0.0/0") -> Resource:
    """A live ingress rule of the group."""
    attributes = {
        "security_group_id": GROUP_KEY.id,
        "type": "ingress",
        "protocol": "tcp",
        "from_port": port,
        "to_port": port,
        "source": cidr,
        "description": "",
    }
    key = Key(ACCOUNT, REGION, "aws_security_group_rule", f"{GROUP_KEY.id}|ingress|tcp|{port}|{port}|{cidr}")
    return Resource(key, attributes, (key.id,), parent=GROUP_KEY, attribute="ingress")


def live(*resources: Resource) -> Snapshot:
    """The live side: what Terraform knows of a resource is not in it."""
    seen = (
        replace(one, address="", stack="", source=None, configured=None, ignore_changes=(), owner="")
        for one in resources
    )
    return Snapshot("live", END, tuple(seen))


def state(serial: int = 4, **fields: Any) -> StateRead:
    """The stack's state as a scan at 20:00 reads it; it holds the queue and the group."""
    given = {
        "stack": "shop",
        "location": "s3://acme-state/shop.tfstate",
        "lineage": "3f1c",
        "serial": serial,
        "digest": f"{serial:064x}",
        "terraform_version": "1.11.4",
        "accounts": (ACCOUNT,),
        "read_at": END,
        "provider_versions": {"hashicorp/aws": "5.100.0"},
        "addresses": {"aws_sqs_queue.orders": "q1.c1", "aws_security_group.web": "g1.c1"},
    } | fields
    return StateRead(**given)


def ticket(ref: str = "CHG-7", **fields: Any) -> Ticket:
    """Approved by sam yesterday, implemented by dana, for the queue, all of that day."""
    given = {
        "ref": ref,
        "system": "register",
        "requester": "lena",
        "implementer": "dana",
        "scope": TicketScope(addresses=("aws_sqs_queue.orders",)),
        "start": NOON - timedelta(hours=4),
        "end": NOON + timedelta(hours=4),
        "history": (
            TicketEvent(NOON - timedelta(days=2), state="draft"),
            TicketEvent(NOON - timedelta(days=1), approved_by="sam"),
            TicketEvent(NOON - timedelta(days=1), state="approved"),
        ),
    } | fields
    return Ticket(**given)


def passes(
    *,
    declared: Sequence[Resource] = (),
    seen: Sequence[Resource] = (),
    records: Sequence[Mapping[str, Any]] = (),
    tickets: Sequence[Ticket] = (),
    accepted: Sequence[Resource] = (),
    gaps: Sequence[Gap] = (),
    lost: Sequence[Gap] = (),
    unanswered: Sequence[str] = (),
    since: datetime | None = None,
    authority: Authority | None = None,
    now: datetime = END,
    known: Known | None = None,
    complete: bool = True,
    states: Sequence[StateRead] = (),
    before: Sequence[StateRead] = (),
    earlier: Sequence[Finding] = (),
    pending: Sequence[Unapplied] = (),
    breakglass: BreakGlass | None = None,
    permissive: Permissive | None = None,
    observed: Collection[str] = (),
) -> Scan:
    """One scan. `accepted` were read and accepted at `since`, or at the start of the trail's window.

    `gaps` are of the live side, `lost` of the declared one, `unanswered` of ticket systems. `states` are as read now,
    `before` as the last scan read them. `observed` are stacks in observe mode.
    """
    trust = authority or Authority(pipelines=(Pipeline("deploy", DEPLOY, subject=SUBJECT),))
    side = live(*seen)
    # A trail is never silent: somebody always reads something.
    trail = trail_of(record("GetQueueAttributes", at="08:00:00", readOnly=True), *records, specs=SPECS)
    return scan(
        Collected(
            declared=Snapshot(
                "declared", END, tuple(declared), tuple(lost), pending=tuple(pending), states=tuple(states)
            ),
            live=replace(side, gaps=tuple(gaps)),
            trail=trail,
            read=frozenset({(ACCOUNT, REGION)}),
            accepted={one.key: Reading(one.attributes, since or trail.start) for one in accepted},
            known=known or Known(),
            authority=replace(trust, tickets=Tickets(tuple(tickets), tuple(unanswered))),
            rules=RULES,
            specs=SPECS,
            complete=complete,
            states={one.stack: one for one in before},
            earlier=tuple(earlier),
            breakglass=breakglass or BreakGlass(),
            permissive=permissive or Permissive(),
            observed=frozenset(observed),
        ),
        now,
    )
