"""An estate with a history, for tests of scans that look at part of it: a cloud, calls on it, and a store, all values.

Every operation changes the cloud at once and gives the call that CloudTrail will tell of, sooner or later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.focus import EVERYTHING, Focus, Look, focused, looks, remembered, wanted
from agent.model import (
    GLOBAL,
    Actor,
    Authority,
    Case,
    CaseKey,
    CaseState,
    Change,
    Claim,
    Close,
    EmergencyRole,
    Finding,
    FindingId,
    Held,
    Key,
    Pipeline,
    PolicyException,
    Resource,
    Snapshot,
    Source,
    Ticket,
    TicketEvent,
    Tickets,
    TicketScope,
    Tolerated,
    Touch,
    Trail,
)
from agent.plan import Known
from agent.resources import load
from agent.rules import load_rules
from agent.scan import BreakGlass, Collected, Permissive, Reading, Scan, scan

ACCOUNT, REGION = "111122223333", "eu-west-1"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SPECS = load()
SOME = ("unticketed-change", "ticket-does-not-cover-change", "pipeline-without-ticket", "change-reverted-unseen")
RULES = [
    one
    for one in load_rules()
    if one.id in (*SOME, "iam-privilege-change-by-hand", "breakglass-undocumented", "undetermined-change")
]
"""Of the rules those that these changes break: to judge by all takes most of the time."""
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"
RESCUE = f"arn:aws:iam::{ACCOUNT}:role/break-glass"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
WIDER = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def queue(name: str, seconds: int = 30, delay: int = 0, team: str = "shop") -> Resource:
    url, arn = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    attributes = {"name": name, "url": url, "id": url, "arn": arn, "visibility_timeout_seconds": seconds}
    attributes |= {"delay_seconds": delay, "tags_all": {"Team": team}}
    return Resource(Key(ACCOUNT, REGION, "aws_sqs_queue", name), attributes, (name, url, arn))


def group(name: str, team: str = "shop") -> Resource:
    attributes = {
        "id": name,
        "name": f"{name}-web",
        "description": "web",
        "vpc_id": "vpc-1",
        "tags_all": {"Team": team},
    }
    return Resource(Key(ACCOUNT, REGION, "aws_security_group", name), attributes, (name,))


def rule(of: str, port: int) -> Resource:
    attributes = {
        "security_group_id": of,
        "type": "ingress",
        "protocol": "tcp",
        "from_port": port,
        "to_port": port,
        "source": "10.0.0.0/8",
        "description": "",
    }
    key = Key(ACCOUNT, REGION, "aws_security_group_rule", f"{of}|ingress|tcp|{port}|{port}|10.0.0.0/8")
    return Resource(key, attributes, (key.id,), parent=group(of).key, attribute="ingress")


def role(name: str) -> Resource:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    attributes = {"name": name, "id": name, "arn": arn, "max_session_duration": 3600, "tags_all": {}}
    return Resource(Key(ACCOUNT, GLOBAL, "aws_iam_role", name), attributes, (name, arn))


def role_policy(of: str, name: str, policy: Mapping[str, Any]) -> Resource:
    key = Key(ACCOUNT, GLOBAL, "aws_iam_role_policy", f"{of}|{name}")
    attributes = {"role": of, "name": name, "id": f"{of}:{name}", "policy": policy}
    return Resource(key, attributes, (key.id, f"{of}:{name}"), parent=role(of).key, attribute="inline_policy")


def attachment(of: str, arn: str) -> Resource:
    key = Key(ACCOUNT, GLOBAL, "aws_iam_role_policy_attachment", f"{of}|{arn}")
    found = {"role": of, "policy_arn": arn}
    return Resource(key, found, (key.id,), parent=role(of).key, attribute="managed_policy_arns")


def declared(one: Resource, address: str, stack: str = "shop", *configured: str) -> Resource:
    return replace(
        one,
        address=address,
        stack=stack,
        source=Source("main.tf", 3),
        configured=frozenset(configured or (*one.attributes, "ingress", "managed_policy_arns", "inline_policy")),
    )


DECLARED = (
    declared(queue("q0"), "aws_sqs_queue.q0"),
    declared(queue("q1"), "aws_sqs_queue.q1", "shop", "name", "tags_all"),
    declared(queue("q2"), "aws_sqs_queue.q2", "pay"),
    declared(group("sg-0a"), "aws_security_group.a"),
    declared(rule("sg-0a", 443), "aws_security_group.a"),  # written inside the group
    declared(group("sg-0b"), "aws_security_group.b", "pay"),
    declared(rule("sg-0b", 22), "aws_security_group_rule.ssh", "pay"),
    declared(role("app"), "aws_iam_role.app"),
    declared(role_policy("app", "own", ALLOW), "aws_iam_role_policy.own"),
)
TICKET = Ticket(
    ref="CHG-7",
    system="register",
    requester="lena",
    implementer="dana",
    scope=TicketScope(addresses=("aws_sqs_queue.q0", "aws_security_group.a")),
    start=START,
    end=START + timedelta(days=2),
    history=(
        TicketEvent(NOON - timedelta(days=2), state="draft"),
        TicketEvent(NOON - timedelta(days=1), approved_by="sam"),
        TicketEvent(NOON - timedelta(days=1), state="approved"),
    ),
)
ALLOWED = PolicyException(
    *("X-1", "load test", "lena", "sam"),
    until=NOON + timedelta(days=9),
    addresses=("aws_sqs_queue.q2",),
    attributes=("visibility_timeout_seconds",),
    approved="commit 1",
)
SESSIONS = ("dana", "dana CHG-7", "marco", "pipeline", "rescue")
"""Who works, and under what; each is one session."""
UNSEEN = "unseen"
"""Whoever it is, the trail never tells of it."""


def actor_of(who: str) -> dict[str, Any]:
    """The fields of a change that say whose it is."""
    name = who.split(maxsplit=1)[0]
    if who == "pipeline":
        actor = Actor("repo:acme/shop", "pipeline", DEPLOY, "OIDC subject", 0.95, DEPLOY, "repo:acme/shop:main")
        return {"actor": actor, "channel": "iac", "session": "ASIAPIPELINE"}
    if who == "rescue":
        actor = Actor("nils", "person", f"{RESCUE}/nils", "session name", 0.9, RESCUE)
        return {"actor": actor, "channel": "cli", "session": "ASIARESCUE"}
    actor = Actor(name, "person", f"arn:aws:iam::{ACCOUNT}:user/{name}", "IAM user", 0.9)
    claims = (Claim("CHG-7", "user agent"),) if "CHG-7" in who else ()
    return {"actor": actor, "channel": "cli", "session": f"ASIA{name.upper()}{len(claims)}", "claims": claims}


Cloud = dict[Key, Resource]
Step = Callable[[Cloud], tuple[str, str, tuple[Touch, ...]] | None]
"""An operation: it changes the cloud and gives the call's action, region and touches; None where AWS would refuse."""


def _touch(one: Resource, act: Any, **sets: Any) -> Touch:
    # Calls on a queue name it by its URL, and by its name.
    ids = (one.identifiers[1], one.key.id) if one.key.type == "aws_sqs_queue" else (one.key.id,)
    return Touch(one.key.type, ids, act, sets)


def put(action: str, made: Resource, *sets: str) -> Step:
    """Creates what is not there, else sets these attributes of it."""

    def step(cloud: Cloud) -> tuple[str, str, tuple[Touch, ...]] | None:
        if made.parent is not None and made.parent not in cloud:
            return None
        before = cloud.get(made.key)
        if before is None:
            cloud[made.key] = made
            touch = _touch(made, "create", **made.attributes)
        else:
            given = {name: made.attributes[name] for name in sets}
            cloud[made.key] = replace(before, attributes={**before.attributes, **given})
            touch = _touch(made, "update", **given)
        return action, made.key.region, (touch,)

    return step


def drop(action: str, one: Resource) -> Step:
    """Deletes what is there, with its parts."""

    def step(cloud: Cloud) -> tuple[str, str, tuple[Touch, ...]] | None:
        if one.key not in cloud:
            return None
        for key in [key for key, each in cloud.items() if one.key in (key, each.parent)]:
            del cloud[key]
        return action, one.key.region, (_touch(one, "delete"),)

    return step


def tag_groups(team: str) -> Step:
    """One call that sets the tags of both groups."""

    def step(cloud: Cloud) -> tuple[str, str, tuple[Touch, ...]] | None:
        both = [cloud[one.key] for one in (group("sg-0a"), group("sg-0b")) if one.key in cloud]
        for one in both:
            cloud[one.key] = replace(one, attributes={**one.attributes, "tags_all": {"Team": team}})
        touches = tuple(_touch(one, "update", tags_all={"Team": team}) for one in both)
        return ("ec2:CreateTags", REGION, touches) if touches else None

    return step


def nothing_known(_: Cloud) -> tuple[str, str, tuple[Touch, ...]] | None:
    """A call whose target nobody knows."""
    return "glue:StartJobRun", REGION, ()


def other_type(_: Cloud) -> tuple[str, str, tuple[Touch, ...]] | None:
    """A call on a type that nobody compares."""
    return "elasticloadbalancing:ModifyListener", REGION, (Touch("aws_lb_listener", ("listener/web",)),)


STEPS: tuple[Step, ...] = (
    *(
        put("sqs:SetQueueAttributes", queue(name, s), "visibility_timeout_seconds")
        for name in ("q0", "q2")
        for s in (30, 60)
    ),
    *(put("sqs:SetQueueAttributes", queue(name, delay=d), "delay_seconds") for name in ("q0", "q1") for d in (0, 9)),
    *(put("sqs:TagQueue", queue("q1", team=team), "tags_all") for team in ("shop", "pay")),
    drop("sqs:DeleteQueue", queue("q1")),
    put("sqs:CreateQueue", queue("q1"), "name"),
    put("sqs:CreateQueue", queue("extra"), "name"),
    drop("sqs:DeleteQueue", queue("extra")),
    *(
        put("ec2:AuthorizeSecurityGroupIngress", rule(of, p), "description")
        for of in ("sg-0a", "sg-0b")
        for p in (22, 443)
    ),
    *(drop("ec2:RevokeSecurityGroupIngress", rule(of, p)) for of in ("sg-0a", "sg-0b") for p in (22, 443)),
    drop("ec2:DeleteSecurityGroup", group("sg-0b")),
    put("ec2:CreateSecurityGroup", group("sg-0b"), "name"),
    put("ec2:CreateSecurityGroup", group("sg-0c"), "name"),
    put("ec2:AuthorizeSecurityGroupIngress", rule("sg-0c", 22), "description"),
    tag_groups("shop"),
    tag_groups("pay"),
    *(put("iam:PutRolePolicy", role_policy("app", "own", policy), "policy") for policy in (ALLOW, WIDER)),
    put("iam:PutRolePolicy", role_policy("app", "more", ALLOW), "policy"),
    drop("iam:DeleteRolePolicy", role_policy("app", "own", ALLOW)),
    drop("iam:DeleteRolePolicy", role_policy("app", "more", ALLOW)),
    put("iam:AttachRolePolicy", attachment("app", READ_ONLY), "policy_arn"),
    drop("iam:DetachRolePolicy", attachment("app", READ_ONLY)),
    drop("iam:DeleteRole", role("app")),
    put("iam:CreateRole", role("app"), "name"),
    nothing_known,
    other_type,
)


def call(number: int, at: datetime, who: str, step: tuple[str, str, tuple[Touch, ...]]) -> Change:
    """The call of an operation, as the trail tells of it."""
    action, region, touches = step
    at_region = "us-east-1" if region == GLOBAL else region
    return Change((f"e{number:03}",), at, action, account=ACCOUNT, region=at_region, touches=touches, **actor_of(who))


@dataclass
class Keeper:
    """What a store keeps from scan to scan, as the real one does."""

    accepted: dict[Key, Reading] = field(default_factory=dict)
    findings: dict[FindingId, Finding] = field(default_factory=dict)
    first_seen: dict[FindingId, datetime] = field(default_factory=dict)
    cases: dict[CaseKey, Case] = field(default_factory=dict)

    def copy(self) -> Keeper:
        return Keeper(dict(self.accepted), dict(self.findings), dict(self.first_seen), dict(self.cases))

    def known(self) -> Known:
        keys = {name: one.key for name, one in self.findings.items()}
        return Known(tuple(self.cases.values()), dict(self.first_seen), keys, dict(self.findings))

    def keep(self, found: Scan) -> None:
        """A scan's result becomes what is known."""
        seen = {one.id: one for one in found.findings}
        unread = found.unread()
        for name in [name for name, one in self.findings.items() if name not in seen and one.key not in unread]:
            del self.findings[name], self.first_seen[name]
        self.findings |= seen
        for name in seen:
            self.first_seen.setdefault(name, found.at)
        self.accepted |= {one.key: Reading(one.attributes, found.read_at) for one in found.accept}
        for key in found.forget:
            del self.accepted[key]
        for action in found.actions:
            if isinstance(action, Held):
                self.cases |= {case.key: replace(case, state="held") for case in action.cases}
            else:
                state: CaseState = "closed" if isinstance(action, Close) else "open"
                self.cases[action.case.key] = replace(action.case, state=state)


@dataclass
class Estate:
    """The cloud and the trail at one moment."""

    cloud: Cloud = field(default_factory=dict)
    trail: list[Change] = field(default_factory=list)
    declares: Sequence[Resource] = DECLARED
    complete: bool = True
    window: timedelta | None = None
    """How far the trail reaches back; what happened before that came late. None: to the beginning."""

    @classmethod
    def clean(cls, complete: bool = True, window: timedelta | None = None) -> Estate:
        """Everything is as it is declared."""
        found = cls(complete=complete, window=window)
        found.cloud = {one.key: undeclared(one) for one in found.declares}
        return found

    def look(self, keeper: Keeper, at: datetime, news: Sequence[Change] | None, keys: Iterable[Key] = ()) -> Scan:
        """A scan of what these changes touched and of these keys; None: of everything. Nothing is kept."""
        sides = Snapshot("declared", at, tuple(self.declares)), Snapshot("live", at, tuple(self.cloud.values()))
        focus = EVERYTHING
        if news is not None:
            memory = remembered(
                {key: one.attributes for key, one in keeper.accepted.items()}, keeper.findings.values(), SPECS
            )
            want = wanted(news, memory, SPECS, keys, sides[0])
            sides = sides[0], replace(sides[1], resources=answered(self.cloud, looks(want, SPECS)))
            open_keys = (one.key for one in keeper.findings.values())
            focus = focused(want, news, *sides, [*keeper.accepted, *open_keys], SPECS)
        return self.scan(keeper, at, sides, focus, news=news or ())

    def scan(
        self,
        keeper: Keeper,
        at: datetime,
        sides: tuple[Snapshot, Snapshot],
        focus: Focus,
        sessions: Sequence[Change] = (),
        news: Iterable[Change] = (),
    ) -> Scan:
        """A scan of what was read."""
        changes = sorted(self.trail, key=lambda one: (one.time, one.event_ids))
        start = START if self.window is None else at - self.window
        trail = Trail(start, at, tuple(changes), sessions=tuple(sessions))
        return scan(
            Collected(
                declared=sides[0],
                live=sides[1],
                trail=trail,
                read=frozenset({(ACCOUNT, REGION)}),
                accepted=dict(keeper.accepted),
                known=keeper.known(),
                authority=Authority(
                    tickets=Tickets((TICKET,)), pipelines=(Pipeline("deploy", DEPLOY, subject="repo:acme/shop:*"),)
                ),
                rules=RULES,
                specs=SPECS,
                complete=self.complete,
                breakglass=BreakGlass(roles=(EmergencyRole("break-glass", RESCUE),)),
                permissive=Permissive(Tolerated((ALLOWED,))),
                focus=focus,
                news=frozenset(event for one in news for event in one.event_ids),
            ),
            at,
        )


def undeclared(one: Resource) -> Resource:
    """A resource as it is live: what Terraform knows of it is not in it."""
    return replace(one, address="", stack="", source=None, configured=None, owner="")


def answered(cloud: Cloud, asked: Iterable[Look]) -> tuple[Resource, ...]:
    """What AWS would show to these readings."""
    found: dict[Key, Resource] = {}
    for look in asked:
        for key, one in cloud.items():
            names = look.only.get(key.type)
            if names is None or (key.account, key.region, SPECS[key.type].service) != (
                *(look.account, look.region),
                look.service,
            ):
                continue
            parents = look.only.get(one.parent.type, frozenset()) if one.parent else frozenset()
            if not names.isdisjoint(one.identifiers) or (one.parent and one.parent.id in parents):
                found[key] = one
    return tuple(found[key] for key in sorted(found))
