"""The states themselves: what became of each since the last scan, and whether the trail explains it.

Hides how a state that was written by hand is told from one that an apply wrote, and whose name stands on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from agent.authorise import PATHS, Estate, trusted, verdict
from agent.clean import clean, several
from agent.model import (
    GLOBAL,
    Actor,
    Authority,
    Change,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Resource,
    Snapshot,
    StateCause,
    StateRead,
    Test,
    Trail,
    Verdict,
)
from agent.motion import TYPE, finding_id
from agent.rereading import rewritten_by
from agent.twice import declared_twice

ADDRESS = "state"
"""What a ticket calls a stack's state: `shop/state`."""
RUNNING = timedelta(hours=1)
"""How long before a reading an apply may have begun that had not written its state by then."""
_FOREVER: tuple[StateCause, ...] = ("state-lineage-changed", "state-serial-backwards", "state-other-account")
"""What no run of Terraform does, whoever runs it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the states say."""

    findings: tuple[Finding, ...]
    notes: Mapping[str, str]
    """Stack → how its state moved since the last scan, for the findings of its resources."""
    keep: tuple[StateRead, ...]
    """What to hold the next scan's reading against; a state that nobody can judge yet is not among them."""

    @property
    def changes(self) -> tuple[JudgedChange, ...]:
        """The writings of states that the findings tell of."""
        return tuple(item for finding in self.findings for item in finding.changes)


def tell(
    declared: Snapshot,
    before: Mapping[str, StateRead],
    earlier: Sequence[Finding],
    trail: Trail,
    authority: Authority,
    now: datetime,
    first_seen: Mapping[FindingId, datetime],
) -> Told:
    """What became of the states that were read, by what the last scan read of each (`before`, by stack).

    `earlier` are the open findings of the store: one about a state stays while its change lies in the trail's interval,
    and is judged anew. `first_seen` is when an open finding was first reported.
    """
    keys, names = _known(declared.resources) if declared.states else ({}, {})
    work = _Telling(trail, authority, now, first_seen)
    for read in declared.states:
        known = replace(read, keys=keys.get(read.stack, {}), names=names.get(read.stack, {}))
        work.add(before.get(read.stack), known)
    work.again(earlier)
    twice = declared_twice(declared.resources, {read.stack: read for read in declared.states})
    return Told((*work.findings.values(), *twice), work.notes, tuple(work.keep))


_ByStack = Mapping[str, Mapping[str, tuple[Any, ...]]]
"""Stack → address → what is known of it."""


def _known(resources: Iterable[Resource]) -> tuple[_ByStack, _ByStack]:
    """What each address declares, the resource before its parts; and every name a call may know it by."""
    keys: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(lambda: defaultdict(tuple))
    names: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(lambda: defaultdict(tuple))
    for resource in resources:
        keys[resource.stack][resource.address] += (resource.key,)
        names[resource.stack][resource.address] += (resource.key.id, *resource.identifiers)
    return keys, {
        stack: {address: tuple(dict.fromkeys(known)) for address, known in each.items()}
        for stack, each in names.items()
    }


# --- one state since the last scan ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Moves:
    """What differs between two readings of one state, by address."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    content: tuple[str, ...]

    @property
    def moved(self) -> bool:
        """Whether a resource came, went or was renamed."""
        return bool(self.added or self.removed or self.renamed)

    def __str__(self) -> str:
        said = [
            ("entered", self.added),
            ("left", self.removed),
            ("renamed", tuple(f"{old} to {new}" for old, new in self.renamed)),
            ("rewritten", self.content),
        ]
        return "; ".join(f"{word} {several(names)}" for word, names in said if names) or "no resource differs"


def _moves(before: StateRead, now: StateRead) -> _Moves:
    old, new = (
        {address: value.partition(".")[::2] for address, value in read.addresses.items()} for read in (before, now)
    )
    gone = [address for address in old if address not in new]
    came = [address for address in new if address not in old]
    by_identity: dict[str, list[str]] = defaultdict(list)
    for address in came:
        by_identity[new[address][0]].append(address)
    renamed = [(address, by_identity[old[address][0]].pop(0)) for address in gone if by_identity.get(old[address][0])]
    moved = {address for pair in renamed for address in pair}
    return _Moves(
        tuple(address for address in came if address not in moved),
        tuple(address for address in gone if address not in moved),
        tuple(renamed),
        tuple(address for address in new if address in old and new[address] != old[address]),
    )


class _Telling:
    """The findings so far, and what they rest on."""

    def __init__(
        self, trail: Trail, authority: Authority, now: datetime, first_seen: Mapping[FindingId, datetime]
    ) -> None:
        self.first_seen = first_seen
        self.trail = trail
        self.authority = authority
        self.at = now
        self.findings: dict[FindingId, Finding] = {}
        self.notes: dict[str, str] = {}
        self.keep: list[StateRead] = []
        self.blind = {gap.scope.account for gap in trail.gaps}

    def add(self, before: StateRead | None, read: StateRead) -> None:
        """One state as it was read now, and as it was at the last scan."""
        if read.in_motion:
            return
        if before is None or before.location != read.location:
            self.keep.append(read)
            return
        finding = self._since(before, read)
        if finding is not None:
            self.findings[finding.id] = finding
        # Evidence that has not arrived yet must find the same question at the next scan.
        if finding is None or finding.verdict.outcome != "pending":
            self.keep.append(replace(read, reread=before.reread))

    def again(self, earlier: Iterable[Finding]) -> None:
        """Findings about states from earlier scans, as what is known now judges them."""
        for finding in earlier:
            if finding.cause not in ("state-edited", *_FOREVER) or finding.id in self.findings:
                continue
            (item,) = finding.changes
            change = item.change
            if change.time < self.trail.start:
                continue
            since, until = _interval(change)
            if finding.cause == "state-edited" and self._run(since, until, finding.key.id):
                continue
            pipeline = next(test for test in item.verdict.tests if test.name == "pipeline")
            judged = self._verdict(change, finding.key, finding.stack, pipeline)
            self.findings[finding.id] = replace(finding, changes=(JudgedChange(change, judged),), verdict=judged)

    def _since(self, before: StateRead, read: StateRead) -> Finding | None:
        if before.lineage != read.lineage:
            why = "another state stands where the last scan read one: its lineage is new, which no apply does"
            return self._finding("state-lineage-changed", before, read, why)
        if read.serial < before.serial:
            why = f"the state went back from serial {before.serial} to {read.serial}, which no apply does"
            return self._finding("state-serial-backwards", before, read, why)
        if before.accounts and read.accounts and not set(before.accounts) & set(read.accounts):
            were, are = ", ".join(before.accounts), ", ".join(read.accounts)
            why = f"the state spoke of account {were}, and now of {are}"
            return self._finding("state-other-account", before, read, why)
        if (before.serial, before.digest) == (read.serial, read.digest):
            return None
        moves = _moves(before, read)
        said = f"the state of stack {read.stack} went from serial {before.serial} to {read.serial}"
        since, until = _since(before), _until(read)
        run = self._run(since, until, read.location)
        if run:
            self.notes[read.stack] = f"{said} in a run of {run}{_commit(read)}"
            return None
        upgraded = "" if moves.moved else rewritten_by(before, read, moves.content)
        if upgraded or self._by_calls(moves, before, read):
            by = self._writer(since, until, read.location)
            named = f", written by {clean(by.actor.name)}" if by else ""
            why = f" ({upgraded})" if upgraded else ""
            self.notes[read.stack] = f"{said} without a run of a trusted pipeline{named}{_commit(read)}{why}"
            return None
        return self._finding("state-edited", before, read, f"{said}, and no call explains it: {moves}")

    # --- who may have written it ---

    def _writes(self, since: datetime, until: datetime, location: str) -> list[Change]:
        if not location.startswith("s3://"):
            return []
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return [
            change
            for change in self.trail.state_writes
            if since <= change.time <= until
            and (change.request.get("bucketName"), change.request.get("key")) == (bucket, key)
        ]

    def _writer(self, since: datetime, until: datetime, location: str) -> Change | None:
        """The last who wrote the state and is no trusted pipeline, where the trail has S3's data events."""
        writes = self._writes(since, until, location)
        return next((one for one in reversed(writes) if not trusted(one, self.authority.pipelines)), None)

    def _run(self, since: datetime, until: datetime, location: str) -> str:
        """Name of the trusted pipeline that may have written the state in an interval; empty: none."""
        writes = self._writes(since, until, location)
        seen = writes or (*self.trail.changes, *self.trail.sessions)
        names = [trusted(change, self.authority.pipelines) for change in seen if since <= change.time <= until]
        if writes and not all(names):
            return ""  # somebody else wrote it too
        return next(filter(None, names), "")

    def _by_calls(self, moves: _Moves, before: StateRead, read: StateRead) -> bool:
        """Whether the state is where an apply left it, whose calls the trail shows and the line judges."""
        if moves.renamed:
            return False
        since, until = _since(before), _until(read)
        mine = {key for each in (before, read) for keys in each.keys.values() for key in keys}
        calls = [change for change in self.trail.changes if change.time <= until]
        applied = [change for change in calls if change.time >= since and change.channel == "iac"]
        ran = any(not mine.isdisjoint(change.targets) for change in applied)
        for address in moves.added:
            if not (_acted(read, address, "create", applied) if address in read.keys else ran):
                return False
        for address in moves.removed:
            if not (_acted(before, address, "delete", calls) if address in before.keys else ran):
                return False
        if ran or moves.added or moves.removed:
            return True
        touched = {key for change in calls if change.time >= since for key in change.targets}
        return bool(moves.content) and all(
            not touched.isdisjoint(read.keys.get(address, ())) for address in moves.content
        )

    # --- what is told of it ---

    def _finding(self, cause: StateCause, before: StateRead, read: StateRead, why: str) -> Finding:
        account = next(iter(read.accounts or before.accounts), "*")
        key = Key(account, GLOBAL, TYPE, read.location)
        since, until = _since(before), _until(read)
        writer = self._writer(since, until, read.location)
        name = finding_id(key, f"{cause}|{read.serial}|{read.digest}")
        change = _change(before, read, key, writer, self.first_seen.get(name, _until(read)))
        if cause in _FOREVER:
            pipeline = Test("pipeline", "fail", why)
        elif self.blind & {"*", *read.accounts, *before.accounts}:
            said = "part of the trail was not read: a run of a trusted pipeline may lie there"
            pipeline = Test("pipeline", "unknown", said)
        else:
            said = f"no run of a trusted pipeline between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC"
            pipeline = Test("pipeline", "fail", said)
        judged = self._verdict(change, key, read.stack, pipeline)
        return Finding(
            name,
            key,
            stack=read.stack,
            changes=(JudgedChange(change, judged),),
            verdict=judged,
            unexplained="" if writer else "actor unknown: the trail has no S3 data event of who wrote the state",
            cause=cause,
            notes=(why,),
        )

    def _verdict(self, change: Change, key: Key, stack: str, pipeline: Test) -> Verdict:
        """A person may edit a state under a ticket for it; `scope` names it `STACK/state`."""
        required = (self.authority.paths or PATHS).get("manual", PATHS["manual"])
        if change.actor.kind == "unknown":
            required = tuple(name for name in required if name != "implementer")
        policies = tuple(
            replace(one, paths={name: tests for name, tests in one.paths.items() if name == "manual"})
            for one in self.authority.policies
        )
        asked = replace(self.authority, paths={"manual": required}, policies=policies)
        itself = Resource(key, {}, (key.id, stack), address=ADDRESS, stack=stack)
        found = verdict(change, (key,), asked, Estate([itself]), self.at)
        if found.outcome == "authorised":
            return found
        tests = (pipeline, *found.tests)
        if found.outcome == "unauthorised":
            if self.at - change.time < timedelta(seconds=self.authority.grace):
                return replace(found, outcome="pending", tests=tests)
            if pipeline.result == "unknown":
                return replace(found, outcome="indeterminate", tests=tests)
        return replace(found, tests=tests)


def _since(before: StateRead) -> datetime:
    assert before.read_at is not None  # the collector fills it
    return before.read_at - RUNNING


def _until(read: StateRead) -> datetime:
    assert read.read_at is not None
    return read.read_at


def _interval(change: Change) -> tuple[datetime, datetime]:
    """Between which readings a state was written, as `_change` noted it."""
    return datetime.fromisoformat(change.request["from"]), datetime.fromisoformat(change.request["to"])


def _acted(read: StateRead, address: str, act: str, changes: Iterable[Change]) -> bool:
    """Whether a call created or deleted what an address declares. What is deleted is known by name alone."""
    keys, names = read.keys[address], set(read.names.get(address, ()))
    return any(
        touch.act == act
        and touch.type == keys[0].type
        and change.account == keys[0].account
        and not (set(keys).isdisjoint(change.targets) and names.isdisjoint(touch.ids))
        for change in changes
        for touch in change.touches
    )


def _commit(read: StateRead) -> str:
    if not read.commit:
        return ""
    by = f" by {clean(read.commit_author)}" if read.commit_author else ""
    reviewed = f", reviewed by {several(read.reviewers)}" if read.reviewers else ""
    return f", commit {clean(read.commit)[:12]}{by}{reviewed}"


def _change(before: StateRead, read: StateRead, key: Key, writer: Change | None, noticed: datetime) -> Change:
    """The writing of a state as a change, so that somebody answers for it: who, when, and from what to what."""
    request = {
        "state": read.location,
        "serial": f"{before.serial} to {read.serial}",
        "from": _since(before).isoformat(),
        "to": _until(read).isoformat(),
    }
    if writer is not None:
        return replace(writer, targets=(key,), request=request)
    how = "no S3 data event names who wrote the state"
    return Change(
        event_ids=(f"state:{read.lineage}:{read.serial}:{read.digest[:16]}",),
        time=read.modified or noticed,
        action="terraform:WriteState",
        # Named after the state: what nobody signed is no one person's session.
        actor=Actor(f"whoever wrote {read.location}", "unknown", "", how),
        channel="other",
        account=key.account,
        region=GLOBAL,
        targets=(key,),
        request=request,
    )
