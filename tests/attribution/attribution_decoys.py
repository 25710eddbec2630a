"""Everything else a trail holds: thousands of records on the same resources and names, none of which is the cause.

Each is a recorded call with something exchanged (time, caller, account, region, outcome), or a call written by hand
that names the same thing and means another. Together with the real calls they make a history that can have happened:
what is undone is done again, and then the truth is the call that did it last.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from attribution_cast import ACCOUNT, REGION, Member
from attribution_estate import CLEAN, SEAL, SPECS, Estate, Injected

from agent.trail.targets import Targets

Record = Mapping[str, Any]
TARGETS = Targets(SPECS, SEAL)
_VERSION = re.compile(r"(?:\d{8}(?:v\d+)?|\d{4}_\d{2}_\d{2})$")

_CALLER = ("userIdentity", "sourceIPAddress", "userAgent", "sessionCredentialFromConsole", "tlsDetails")
_REFUSALS = ("AccessDenied", "ThrottlingException", "ValidationException")
_EC2_REFUSALS = ("Client.UnauthorizedOperation", "Client.DryRunOperation", "Client.RequestLimitExceeded")

_NAMESAKES: tuple[tuple[str, str, str], ...] = (
    ("ecr", "PutLifecyclePolicy", "repositoryName"),
    ("events", "PutRule", "name"),
    ("monitoring", "PutMetricAlarm", "alarmName"),
    ("codebuild", "UpdateProject", "name"),
    ("secretsmanager", "UpdateSecret", "secretId"),
    ("iam", "UpdateUser", "userName"),
    ("iam", "PutGroupPolicy", "groupName"),
    ("iam", "AddRoleToInstanceProfile", "instanceProfileName"),
    ("kinesis", "UpdateShardCount", "streamName"),
    ("elasticache", "ModifyCacheCluster", "cacheClusterId"),
    ("redshift", "ModifyCluster", "clusterIdentifier"),
    ("rds", "ModifyDBCluster", "dBClusterIdentifier"),
    ("rds", "ModifyDBParameterGroup", "dBParameterGroupName"),
    ("ecs", "UpdateService", "service"),
    ("autoscaling", "UpdateAutoScalingGroup", "autoScalingGroupName"),
    ("glue", "UpdateJob", "jobName"),
    ("cloudtrail", "UpdateTrail", "name"),
    ("eks", "UpdateClusterConfig", "name"),
    ("batch", "UpdateComputeEnvironment", "computeEnvironment"),
    ("synthetics", "UpdateCanary", "name"),
)
"""(service, call, where it names what it changes): types that may bear the same name as ours."""

_ASPECTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ec2": (("ec2", "CreateFlowLogs"), ("ec2", "RebootInstances"), ("ec2", "AssociateRouteTable")),
    "iam": (("iam", "UpdateAccessKey"), ("iam", "DeletePolicyVersion")),
    "s3": (("s3", "PutBucketAcl"), ("s3", "PutBucketLogging"), ("s3", "PutBucketLifecycle")),
    "kms": (("kms", "CreateAlias"), ("kms", "UpdateAlias")),
    "sns": (("sns", "Subscribe"), ("sns", "PutDataProtectionPolicy")),
    "sqs": (("sqs", "PurgeQueue"), ("sqs", "StartMessageMoveTask")),
    "dynamodb": (("dynamodb", "CreateBackup"), ("dynamodb", "UpdateContributorInsights")),
    "lambda": (("lambda", "UpdateAlias20150331"), ("lambda", "PutFunctionEventInvokeConfig")),
    "rds": (("rds", "CreateDBSnapshot"), ("rds", "RebootDBInstance")),
    "logs": (("logs", "PutMetricFilter"), ("logs", "DeleteMetricFilter")),
    "ssm": (("ssm", "LabelParameterVersion"), ("ssm", "UnlabelParameterVersion")),
}
"""Calls on the same resource, named alike, that set none of what is compared."""

_READS: Mapping[str, str] = {
    "ec2": "DescribeInstanceAttribute",
    "iam": "GetRole",
    "s3": "GetBucketPolicy",
    "kms": "GetKeyPolicy",
    "sns": "GetTopicAttributes",
    "sqs": "GetQueueAttributes",
    "dynamodb": "DescribeTable",
    "lambda": "GetFunction20150331v2",
    "rds": "DescribeDBInstances",
    "logs": "DescribeLogGroups",
    "ssm": "GetParameters",
}


@dataclass(frozen=True)
class Cause:
    """The call that what is now comes from, and whose it is."""

    record: Record
    by: Member


@dataclass(frozen=True)
class Told:
    """What is delivered, and of each injected change (in the estate's order) the cause of what is now."""

    records: tuple[Record, ...]
    """Shuffled; some are delivered twice."""
    causes: tuple[Cause, ...]
    decoys: int
    """Distinct records that are no cause."""


def told(estate: Estate, seed: int, *, lost: bool = False) -> Told:
    """A history around the changes; the same for the same seed. `lost`: the causes themselves were never delivered.

    What only repeats a cause is lost with it: nobody could tell the two apart.
    """
    # Not the bare number: the recorder draws its event ids from a seed too.
    writer = _Writer(estate, Random(f"decoys {seed}"), repeats=not lost)
    real = [dict(record) for record in estate.records]
    causes, others = [], []
    for change in estate.changes:
        cause, added = writer.around(change)
        causes.append(cause)
        others += added
    caused = {cause.record["eventID"]: cause.record for cause in causes}
    distinct = {record["eventID"]: record for record in (*real, *others)} | caused
    delivered = [record for event, record in distinct.items() if not (lost and event in caused)]
    delivered += writer.random.sample(delivered, len(delivered) // 4)
    writer.random.shuffle(delivered)
    return Told(tuple(delivered), tuple(causes), len(distinct) - len(caused))


class _Writer:
    """Makes records out of recorded ones."""

    def __init__(self, estate: Estate, random: Random, *, repeats: bool) -> None:
        self.random = random
        self.repeats = repeats
        # One record of each member's: who they are and what by, for other records to bear.
        self.callers = {
            one.by.key: (one.by, {name: one.record.get(name) for name in _CALLER}) for one in estate.changes
        }
        self.service = next(one.by for one in estate.changes if one.by.kind == "service")
        self.changes = estate.changes
        self.left: Mapping[tuple[str, str], set[str]] = defaultdict(set)
        for one in estate.changes:
            self.left[one.type, one.id].update(one.leaves)

    def around(self, change: Injected) -> tuple[Cause, list[Record]]:
        """The change's cause, and records that are none."""
        cause, others = self.history(change)
        others += self.copies(change)
        others += self.by_name(change)
        others += self.siblings(change)
        return cause, others

    def history(self, change: Injected) -> tuple[Cause, list[Record]]:
        """What else was done and undone: before the change, and for some after it."""
        cause, random = Cause(change.record, change.by), self.random
        found = []
        if change.other is not None:
            for minutes in (70, 55)[: random.choice((1, 2))]:
                pair = (change.record, change.other)
                first, then = reversed(pair) if change.move.shape == "again" else pair
                found += [self.again(change, first, -minutes), self.again(change, then, 5 - minutes)]
        if change.move.shape == "set" and change.other is not None:
            found += [self.again(change, change.other, -random.randint(20, 45)) for _ in range(2)]
            found.append(self.again(change, change.other, -random.randint(3, 7), self.service))
            if not change.move.masked:
                # Within the same second: only one of them set what is now.
                found.append(self.again(change, change.other, 0))
            if self.repeats and not change.move.masked and random.random() < 0.5:
                # Sets what is already so: changes nothing.
                found.append(self.again(change, change.record, random.randint(1, 20)))
        if change.other is not None and random.random() < 0.25:
            found.append(self.again(change, change.other, 21))
            by = self.anybody_else(change)
            cause = Cause(self.again(change, change.record, 25, by), by)
        return cause, found

    def copies(self, change: Injected) -> Iterator[Record]:
        """The same call long ago, failed, only asked about, and elsewhere."""
        random = self.random
        if not change.move.makes:
            yield self.moved(self.again(change, change.record, 0), CLEAN - timedelta(minutes=random.randint(5, 200)))
        ec2 = change.record["eventSource"] == "ec2.amazonaws.com"
        for minutes in (-random.randint(1, 30), random.randint(1, 30)):
            error = random.choice(_EC2_REFUSALS if ec2 else _REFUSALS)
            failed = {**self.again(change, change.record, minutes), "errorCode": error, "responseElements": None}
            yield failed | ({"requestParameters": None} if error == "AccessDenied" and random.random() < 0.5 else {})
        service = _service(change.record)
        asked = {"eventName": _READS[service], "readOnly": True, "responseElements": None}
        yield {**self.again(change, change.record, random.randint(-30, 30)), **asked}
        if service != "s3":
            yield self.elsewhere(change, ACCOUNT, "210987654321")
        if service not in ("s3", "iam"):
            yield self.elsewhere(change, REGION, "eu-west-1")

    def by_name(self, change: Injected) -> Iterator[Record]:
        """Other things of that name, and other aspects of the same thing."""
        random = self.random
        for service, name, parameter in random.sample(_NAMESAKES, 2):
            yield self.written(change, service, name, {parameter: change.name, "description": "by hand"})
        service, name = random.choice(_ASPECTS[_service(change.record)])
        yield self.written(change, service, name, change.record["requestParameters"])

    def siblings(self, change: Injected) -> Iterator[Record]:
        """What was called on others of the type, on this one: it sets what nobody asks about."""
        left = self.left[change.type, change.id]
        gone = f"{change.type} went" in left
        alike = [one for one in self.changes if one.type == change.type and one.id != change.id and not one.whole]
        for one in self.random.sample(alike, min(3, len(alike))):
            # Only of its own group can a rule be named by its id.
            names_rule = "sgr-" in str(one.record["requestParameters"])
            makes = change.move.makes and one.record["eventName"] == change.record["eventName"]
            if left.isdisjoint(sets(one)) and not names_rule and not makes:
                # Of what is gone nothing can be changed, and nothing before it is there.
                minutes = self.random.randint(-30, -1) if gone else self.random.randint(1, 30)
                again = json.dumps(self.again(change, one.record, minutes))
                yield json.loads(again.replace(one.id, change.id))

    def written(self, change: Injected, service: str, name: str, asked: Any) -> Record:
        call = {"eventSource": f"{service}.amazonaws.com", "eventName": name, "requestParameters": asked}
        made = {**self.again(change, change.record, self.random.randint(-5, 5)), **call, "responseElements": None}
        made.pop("resources", None)
        return made

    def anybody_else(self, change: Injected) -> Member:
        return self.random.choice([by for key, (by, _) in self.callers.items() if key != change.by.key])

    def again(self, change: Injected, record: Record | None, minutes: int, by: Member | None = None) -> Record:
        """The call once more, `minutes` from the change, by somebody else."""
        assert record is not None
        _, shown = self.callers[(by or self.anybody_else(change)).key]
        made = {**record, **shown, "eventID": self.uuid(), "requestID": self.uuid()}
        made = {name: value for name, value in made.items() if value is not None or name not in _CALLER}
        return self.moved(made, change.at + timedelta(minutes=minutes))

    def moved(self, record: Record, at: datetime) -> Record:
        return {**record, "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}

    def elsewhere(self, change: Injected, here: str, there: str) -> Record:
        """The same call, at the same time, in another account or region."""
        return dict(json.loads(json.dumps(self.again(change, change.record, 0)).replace(here, there)))

    def uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))


def sets(change: Injected) -> set[str]:
    """All that the call may set (`type.attribute`), whether its record shows the value or not, and what it leaves.

    A part that comes or goes has all its attributes set.
    """
    record = change.record
    touches = TARGETS.of(record["eventSource"], _VERSION.sub("", record["eventName"]), record)
    found = {f"{touch.type}.{attribute}" for touch in touches for attribute in touch.sets}
    for touch in touches:
        if touch.type != change.type:
            found |= {f"{touch.type}.{one.name}" for one in SPECS[touch.type].attributes}
            found |= {f"{touch.type} came", f"{touch.type} went"}
    return found | set(change.leaves)


def _service(record: Record) -> str:
    return str(record["eventSource"]).removesuffix(".amazonaws.com")
