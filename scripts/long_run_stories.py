"""The stories of the long run: what people, a pipeline and services do, and what must become of it.

Each story has resources and sessions of its own, so that what must be found follows from it alone: one case, or none,
for just its calls. It is told step by step; between two steps it waits for what the daemon must have done by then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import long_run_estate as estates
from botocore.exceptions import ClientError
from long_run_cast import Teller, Wait
from long_run_estate import ACCOUNT, DEPLOY, RESCUE

from agent.demo.recorder import service

FORM = ("--why", "Orders were lost", "--incident", "INC-1", "--done", "Raised the time-out", "--told", "the on-call")

Story = Callable[[Teller], Iterator[Wait]]


def by_hand(t: Teller) -> Iterator[Wait]:
    """One person, one session, two queues."""
    who = t.world.random.choice(estates.ENGINEERS)
    key, t.truth.actors = t.session(who), (who,)
    for queue in (t.world.take("queue"), t.world.take("queue")):
        t.timeout(key, queue, 5)
        yield lambda: True
    t.timeout(key, queue, 6)


def tags(t: Teller) -> Iterator[Wait]:
    """A tag put on a queue."""
    key, t.truth.actors = t.session("dana"), ("dana",)
    url = f"{t.estate.recorder.upstream}/{ACCOUNT}/{t.world.take('queue')}"
    t.estate.client("sqs", key).tag_queue(QueueUrl=url, Tags={"Team": "mine"})
    yield lambda: True


def rule(t: Teller) -> Iterator[Wait]:
    """A rule added to a security group: a part of a parent."""
    key, t.truth.actors = t.session("marco"), ("marco",)
    opened = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
    t.estate.client("ec2", key).authorize_security_group_ingress(
        GroupId=t.estate.ids[t.world.take("group")], IpPermissions=[opened]
    )
    yield lambda: True


def policy(t: Teller) -> Iterator[Wait]:
    """A policy written into a role: a part of a parent, and a critical one."""
    key, t.truth.actors = t.session("priya"), ("priya",)
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    t.estate.client("iam", key).put_role_policy(
        RoleName=t.world.take("role"), PolicyName="more", PolicyDocument=json.dumps(allow)
    )
    yield lambda: True


def retention(t: Teller) -> Iterator[Wait]:
    """Logs kept shorter."""
    key, t.truth.actors = t.session("dana"), ("dana",)
    t.estate.client("logs", key).put_retention_policy(logGroupName=t.world.take("log"), retentionInDays=1)
    yield lambda: True


def ticketed(t: Teller) -> Iterator[Wait]:
    """By hand, under an approved ticket that names the log group and whoever does it."""
    t.truth.case, t.truth.outcome, t.truth.ticket = "none", "authorised", f"CHG-{t.truth.number}"
    log = t.world.take("log")
    t.estate.ticket(
        t.truth.ticket,
        estates.approved(t.truth.ticket, estates.free(t.estate, log), "priya", estates.now() - timedelta(days=1)),
    )
    key = t.session("priya", agent=f"Boto3/1.44.5 app/{t.truth.ticket}")
    t.estate.client("logs", key).put_retention_policy(logGroupName=log, retentionInDays=400)
    yield lambda: True


def found_late(t: Teller) -> Iterator[Wait]:
    """Approved before it was done, and the ticket turns up when the case is open: it closes."""
    t.truth.case, t.truth.outcome, t.truth.ticket = "closed", "authorised", f"CHG-{t.truth.number}"
    queue, t.truth.actors = t.world.take("queue"), ("dana",)
    before = estates.now() - timedelta(hours=3)
    t.timeout(t.session("dana", agent=f"Boto3/1.44.5 app/{t.truth.ticket}"), queue, 60)
    yield t.open
    t.estate.ticket(t.truth.ticket, estates.approved(t.truth.ticket, estates.free(t.estate, queue), "dana", before))
    yield t.closed


def approved_afterwards(t: Teller) -> Iterator[Wait]:
    """Approved only after it was done: it stays a case, whose verdict is another one."""
    t.truth.outcome, t.truth.ticket = "regularised", f"CHG-{t.truth.number}"
    queue, t.truth.actors = t.world.take("queue"), ("marco",)
    t.timeout(t.session("marco", agent=f"Boto3/1.44.5 app/{t.truth.ticket}"), queue, 60)
    yield t.open
    t.estate.ticket(
        t.truth.ticket, estates.approved(t.truth.ticket, estates.free(t.estate, queue), "marco", estates.now())
    )


def deployed(t: Teller) -> Iterator[Wait]:
    """The pipeline, merged and ticketed: code, cloud and state move, and nothing is filed."""
    t.truth.case, t.truth.outcome, t.truth.ticket = "none", "authorised", f"CHG-{t.truth.number}"
    queue = t.world.take("queue")
    t.estate.ticket(
        t.truth.ticket,
        estates.approved(t.truth.ticket, estates.free(t.estate, queue), "priya", estates.now() - timedelta(days=1)),
    )
    _deploy(t, queue, t.truth.ticket)
    yield lambda: True


def deployed_without_ticket(t: Teller) -> Iterator[Wait]:
    """The pipeline without a ticket: a case, though code, cloud and state agree."""
    t.truth.actors = ("deploy-robot",)
    _deploy(t, t.world.take("queue"), f"run-{t.truth.number}")
    yield lambda: True


def _deploy(t: Teller, queue: str, name: str) -> None:
    agent = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/5.100.0"
    key = t.session("robot", role=DEPLOY, name=name, source_identity="deploy-robot", agent=agent)
    t.timeout(key, queue, 45)
    t.estate.queues[queue] = 45
    t.estate.applied()


def emergency(t: Teller) -> Iterator[Wait]:
    """A session of the emergency role: several calls, documented and reviewed at the socket, put back, closed."""
    t.truth.case, t.truth.outcome, t.truth.actors = "closed", "authorised-emergency", ("dana",)
    queues = [t.world.take("queue"), t.world.take("queue")]
    key = t.session("dana", role=RESCUE, name="dana", source_identity="dana@acme.example")
    for seconds in (61, 62, 63):
        for queue in queues:
            t.timeout(key, queue, seconds)
        yield lambda: True
    # What is documented is what its case shows by then; calls that come to light later are in the emergency alone.
    yield lambda: t.stage("awaiting-document")() and t.world.seen.all_in(t.truth.keys)
    its = str(t.estate.folder / "keys" / "dana")
    t.estate.driftwarden("breakglass", "document", t.case, *FORM, "--way-back", "revert", "--key", its)
    t.estate.driftwarden("breakglass", "review", t.case, "--accept", "--reason", "the on-call confirms")
    with t.estate.recorder.paused():  # whoever puts it back, the trail does not tell of it
        for queue in queues:
            t.timeout("testing", queue, 30)
    t.truth.asleep = True
    yield lambda: t.closed() or t.stage("post-implementation")()
    if not t.closed():
        worked = ("--accept", "--reason", "it worked", "--post-implementation")
        t.estate.driftwarden("breakglass", "review", t.case, *worked)
    yield t.closed


def undocumented(t: Teller) -> Iterator[Wait]:
    """An emergency that nobody documented yet."""
    t.truth.outcome, t.truth.actors = "pending-documentation", ("marco",)
    key = t.session("marco", role=RESCUE, name="marco", source_identity="marco@acme.example")
    queue = t.world.take("queue")
    for seconds in (61, 62, 63, 64):
        t.timeout(key, queue, seconds)
        yield lambda: True


def put_back(t: Teller) -> Iterator[Wait]:
    """Changed and put back at once: a change without drift is a case all the same."""
    key, t.truth.actors = t.session("priya"), ("priya",)
    queue = t.world.take("queue")
    t.timeout(key, queue, 5)
    t.timeout(key, queue, 30)
    yield lambda: True


def reviewed(t: Teller) -> Iterator[Wait]:
    """Changed, put back by the same person, and accepted by somebody else: closed."""
    t.truth.case, t.truth.actors = "closed", ("marco",)
    key, queue = t.session("marco"), t.world.take("queue")
    t.timeout(key, queue, 5)
    yield t.open
    t.timeout(key, queue, 30)
    yield lambda: t.world.seen.all_in(t.truth.keys)  # what is reviewed is what one could see
    t.estate.driftwarden("cases", "review", t.case, "--accept", "--reason", "put back, and explained")
    t.truth.asleep = True
    yield t.closed


def created(t: Teller) -> Iterator[Wait]:
    """A queue that nobody declared, of two calls."""
    key, t.truth.actors = t.session("dana"), ("dana",)
    sqs = t.estate.client("sqs", key)
    sqs.create_queue(QueueName=f"extra-{t.truth.number}")
    yield lambda: True
    t.timeout(key, f"extra-{t.truth.number}", 77)


def created_and_removed(t: Teller) -> Iterator[Wait]:
    """A queue that nobody declared, and that is gone again."""
    key, t.truth.actors = t.session("dana"), ("dana",)
    sqs = t.estate.client("sqs", key)
    sqs.create_queue(QueueName=f"brief-{t.truth.number}")
    yield lambda: True
    sqs.delete_queue(QueueUrl=f"{t.estate.recorder.upstream}/{ACCOUNT}/brief-{t.truth.number}")


def deleted(t: Teller) -> Iterator[Wait]:
    """A declared log group deleted."""
    key, t.truth.actors = t.session("marco"), ("marco",)
    t.estate.client("logs", key).delete_log_group(logGroupName=t.world.take("log"))
    yield lambda: True


def denied(t: Teller) -> Iterator[Wait]:
    """Attempts that AWS refuses: counted, and no change."""
    t.truth.case = "none"
    who = f"intern{t.truth.number}"
    key = t.session(who)
    t.estate.recorder.deny(key, "sqs:*")
    for queue in (t.world.spare["queue"][0], t.world.spare["queue"][1]):
        try:
            t.timeout(key, queue, 1)
        except ClientError:
            t.truth.refused += 1
        yield lambda: True


def by_service(t: Teller) -> Iterator[Wait]:
    """AWS itself: no case."""
    t.truth.case, t.truth.outcome = "none", "service-made"
    key = t.session("service")
    t.estate.recorder.know(key, service("autoscaling.amazonaws.com", ACCOUNT))
    queue = t.world.take("queue")
    t.timeout(key, queue, 90)
    mine = (one for one in reversed(t.estate.recorder.records) if one["userIdentity"].get("type") == "AWSService")
    t.truth.events.append(next(one["eventID"] for one in mine if queue in one["requestParameters"]["queueUrl"]))
    yield lambda: True


def excepted(t: Teller) -> Iterator[Wait]:
    """What an exception covers may differ."""
    t.truth.case, t.truth.outcome = "none", "excepted"
    names = t.world.spare["exempt"]
    t.timeout(t.session("lena"), t.world.random.choice(names), t.world.random.randint(100, 200))
    yield lambda: True


def two_people(t: Teller) -> Iterator[Wait]:
    """Two people on one queue: one case, which names both."""
    t.truth.actors = ("dana", "priya")
    queue = t.world.take("queue")
    t.timeout(t.session("dana"), queue, 7)
    if t.world.random.random() < 0.5:
        yield t.open  # the second's call joins a case that is open
    t.timeout(t.session("priya"), queue, 8)
    yield lambda: True


STORIES: Mapping[Story, tuple[int, tuple[str, ...]]] = {
    by_hand: (6, ("queue",)),
    tags: (3, ("queue",)),
    rule: (4, ("group",)),
    policy: (3, ("role",)),
    retention: (3, ("log",)),
    ticketed: (4, ("log",)),
    found_late: (2, ("queue",)),
    approved_afterwards: (2, ("queue",)),
    deployed: (2, ("queue",)),
    deployed_without_ticket: (1, ("queue",)),
    emergency: (1, ("queue",)),
    undocumented: (1, ("queue",)),
    put_back: (3, ("queue",)),
    reviewed: (1, ("queue",)),
    created: (3, ()),
    created_and_removed: (2, ()),
    deleted: (2, ("log",)),
    denied: (3, ("queue",)),
    by_service: (3, ("queue",)),
    excepted: (3, ("exempt",)),
    two_people: (3, ("queue",)),
}
"""Story → how often it is told among the others, and what it takes."""
