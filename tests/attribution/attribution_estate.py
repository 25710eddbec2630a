"""An estate of every resource type, read before and after people changed it by hand, and the record of every change.

Everything is real but the clock: resources stand in moto, calls are boto3's and pass the recorder, both sides are
readings of the live reader. The declared side is the reading before, as the stack `shop` would record it.
"""

import urllib.request
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from attribution_cast import ACCOUNT, REGION, Member, as_aws_writes, cast
from attribution_moves import DENY, KINDS, OWN, Kind, Move, of_name

from agent.demo.recorder import Recorder
from agent.live.aws import read
from agent.model import Drift, Resource, Snapshot
from agent.resources import load

SPECS = load()
SEAL = b"install key"
SERVICES = tuple(sorted({spec.service for spec in SPECS.values()}))
NAMES = ("orders", "ledger")
"""Every type has resources of these names: whoever goes by the name alone hits the wrong one."""

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
MADE = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
CLEAN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""When everything was last seen as declared."""
FIRST, LAST = datetime(2026, 3, 2, 12, 0, tzinfo=UTC), datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
END = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The recorder's."""

    now: datetime = MADE

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Injected:
    """One change that stays, as CloudTrail has it, and what it leaves."""

    type: str
    id: str
    """By which the resource's key is known."""
    name: str
    leaves: tuple[str, ...]
    """`type.attribute`, `type came`, `type went`."""
    move: Move
    by: Member
    at: datetime
    record: Mapping[str, Any]
    other: Mapping[str, Any] | None
    """The record of the call that leaves something else, or takes it back."""
    earlier: tuple[Mapping[str, Any], ...]
    """What was really called before it, on the way there."""

    @property
    def whole(self) -> bool:
        """Whether the resource itself came or went, now or on the way."""
        return self.move.shape == "again" or not {f"{self.type} came", f"{self.type} went"}.isdisjoint(self.leaves)

    def left(self, drift: Drift) -> bool:
        """Whether the difference is this change's."""
        subject = drift.part or drift.key
        owner = SPECS[subject.type].parent
        mine = subject.type == self.type or (owner is not None and owner.type == self.type)
        # A part's identity begins with its parent's.
        return mine and subject.id.split("|")[0] == self.id and says(drift) in self.leaves


@dataclass(frozen=True)
class Estate:
    """Both sides, and what lies between them."""

    declared: Snapshot
    live: Snapshot
    changes: tuple[Injected, ...]
    members: tuple[Member, ...]
    records: tuple[Mapping[str, Any], ...]
    """Everything the recorder wrote, in its order."""


def says(drift: Drift) -> str:
    """What the difference is: `type.attribute`, `type came`, `type went`."""
    subject = drift.part or drift.key
    if drift.part is None and drift.kind == "changed":
        return f"{subject.type}.{drift.attribute}"
    return f"{subject.type} {'went' if drift.live is None else 'came'}"


def estate(moto: str) -> Estate:
    """Make it, read it, change it, read it again; the same ids each time. The process must talk to moto."""
    with urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/seed?a=7", method="POST"), timeout=30):
        pass
    clock = Clock()
    session = boto3.Session("testing", "testing", region_name=REGION)
    with Recorder(moto, ACCOUNT, clock=clock, lookup_rate=None, seed=7) as recorder:
        clock.now = MADE
        members = cast(recorder, session, MADE)
        with recorder.paused():
            made = _made(members[0])
            before = _reading(session, CLEAN)
            rules = members[0].ec2.describe_security_group_rules()["SecurityGroupRules"]
        changes = tuple(_changed(recorder, clock, members, made))
        by_key = {member.key: member for member in members}
        return Estate(
            Snapshot("declared", END, tuple(_declared(before.resources, rules))),
            _reading(session, END),
            changes,
            tuple(members),
            tuple(as_aws_writes(record, by_key) for record in recorder.records),
        )


def _wanted() -> Iterator[tuple[Kind, Move, str]]:
    for kind in KINDS:
        for name in NAMES:
            yield from ((kind, move, name) for move in kind.moves)


def _made(by: Member) -> dict[tuple[str, str], str]:
    """Every resource the moves need: (type, name) → id."""
    by.iam.create_role(RoleName="machine", AssumeRolePolicyDocument=OWN)
    by.iam.create_instance_profile(InstanceProfileName="machine")
    for name in ("read", "admin"):
        by.iam.create_policy(PolicyName=name, PolicyDocument=DENY)
    ids: dict[tuple[str, str], str] = {}
    for kind, move, name in _wanted():
        full = name + move.on
        if not move.makes and (kind.type, full) not in ids:
            ids[(kind.type, full)] = kind.make(by, full)
    return ids


def _changed(
    recorder: Recorder, clock: Clock, members: Sequence[Member], made: Mapping[tuple[str, str], str]
) -> Iterator[Injected]:
    by_key = {member.key: member for member in members}
    wanted = list(_wanted())
    step = (LAST - FIRST) / len(wanted)

    def call(do: Any, by: Member, target: str, at: datetime) -> tuple[Mapping[str, Any], Any]:
        clock.now = at
        seen = len(recorder.records)
        answer = do(by, target)
        (record,) = [one for one in recorder.records[seen:] if not one["readOnly"]]
        assert "errorCode" not in record
        return as_aws_writes(record, by_key), answer

    for number, (kind, move, name) in enumerate(wanted):
        full = name + move.on
        target = full if move.makes else made[(kind.type, full)]
        # Not in the order of the table: neighbours in it are neighbours in no other way.
        at = FIRST + (zlib.crc32(f"{kind.type} {full} {number}".encode()) % len(wanted)) * step
        at = at.replace(microsecond=0)
        by, before, long_before = (members[(number + skip) % len(members)] for skip in (0, 3, 7))
        earlier = []
        answer = None
        if move.shape == "toggle":
            record, answer = call(move.do, long_before, target, at - timedelta(minutes=16))
            earlier.append(record)
        other = None
        if move.other is not None:
            other, _ = call(move.other, before, str(answer) if move.makes else target, at - timedelta(minutes=8))
            earlier.append(other)
        record, answer = call(move.do, by, target, at)
        leaves = of_name(kind, move, name).leaves
        known = str(answer) if move.makes else target
        yield Injected(kind.type, known, full, leaves, move, by, at, record, other, tuple(earlier))


def _reading(session: boto3.Session, at: datetime) -> Snapshot:
    """The whole account, as the live reader sees it."""
    found: list[Resource] = []
    for service in SERVICES:
        part = read(session, ACCOUNT, REGION, service, specs=SPECS, key=SEAL, taken_at=at)
        assert part.gaps == ()
        found += part.resources
    return Snapshot("live", at, tuple(found))


def _declared(resources: Sequence[Resource], rules: Sequence[Mapping[str, Any]]) -> Iterable[Resource]:
    """What Terraform's state would hold of a reading: parts by themselves or written inside their parents, in turn."""
    ours = [one for one in resources if not one.note]
    by_content = {(one["GroupId"], one["IsEgress"], one["FromPort"]): one["SecurityGroupRuleId"] for one in rules}
    for number, resource in enumerate(ours):
        address, names = f"{resource.key.type}.r{number}", resource.identifiers
        if resource.parent is not None and zlib.crc32(resource.parent.id.encode()) % 2:
            inside = next(n for n, one in enumerate(ours) if one.key == resource.parent)
            address = f"{resource.parent.type}.r{inside}"
        elif resource.key.type == "aws_security_group_rule":
            group, direction, protocol, port, *_ = resource.key.id.split("|")
            # State records the rule's id, which the live reading does not show.
            names = (*names, by_content[group, direction == "egress", int(port) if protocol == "tcp" else -1])
            address = f"aws_vpc_security_group_{direction}_rule.r{number}" if number % 2 else address
        yield replace(resource, address=address, identifiers=names, stack="shop")
