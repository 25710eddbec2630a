"""What one plan looks at: findings, what the store knows, the emergencies, and what of it is settled or to be answered.

Hides that a change is answered for once, whichever copy of its event a case holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agent.compare import Hidden
from agent.emergency import session
from agent.explain import THRESHOLD
from agent.model import (
    Candidate,
    Case,
    CaseKey,
    Emergency,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Opening,
    Outcome,
    Review,
    Violation,
)
from agent.plan.story import ANSWERABLE, to_answer

UNDECIDED_AFTER = timedelta(hours=24)
"""An indeterminate finding opens a case only when it has stayed so for a day."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows: every case ever opened, and each open finding's resource and first sight."""

    cases: tuple[Case, ...] = ()
    first_seen: Mapping[FindingId, datetime] = field(default_factory=dict)
    keys: Mapping[FindingId, Key] = field(default_factory=dict)
    findings: Mapping[FindingId, Finding] = field(default_factory=dict)
    """The open findings as earlier scans left them: what a scan is not about is taken from here."""


@dataclass(frozen=True, slots=True)
class EmergencyPlan:
    """The emergencies as they stand, and whom to remind when."""

    emergencies: tuple[Emergency, ...] = ()
    """As `emergency.fold` gives them."""
    remind: tuple[timedelta, ...] = ()
    """How long before a deadline reminders are sent."""
    escalate: tuple[str, ...] = ()
    """Who is addressed when a window is declared or a deadline has passed: the approvers, as text."""
    openings: tuple[Opening, ...] = ()
    """Every window declared ahead: each has a case at once."""
    after_work: Mapping[CaseKey, Review] = field(default_factory=dict)
    """The newest review after the work of each case."""
    whole: bool = True
    """Whether all of the trail was read."""


_CERTAIN: tuple[Outcome, ...] = ("authorised", "service-made", "excepted", "baselined")
_REMAINS = (*_CERTAIN, "unapplied", "authorised-emergency", "regularised")
"""Verdicts on a finding of which each part is certain, an emergency's own aside."""
_COVERED = ("excepted", "baselined")
"""Of these, verdicts with which what no call explains is covered."""


def _first(item: JudgedChange) -> str:
    return item.change.event_ids[0]


def _beside(one: Candidate) -> Iterator[str]:
    return (event for events in one.together for event in events)


def events(findings: Iterable[Finding], answered: Set[str]) -> tuple[str, ...]:
    """Ids of the events of changes that no case answers for yet, each once, as they happened.

    Another copy of an event may arrive late: a change is answered for when one of its events is.
    """
    changes = [change for finding in findings for change in to_answer(finding)]
    at = {event: c.time for c in changes if answered.isdisjoint(c.event_ids) for event in c.event_ids}
    return tuple(sorted(at, key=lambda event: (at[event], event)))


class Sight:
    """Everything one plan is made from."""

    def __init__(
        self,
        violations: Sequence[Violation],
        findings: Sequence[Finding],
        known: Known,
        unread: Hidden,
        now: datetime,
        emergency: EmergencyPlan,
        changes: Sequence[JudgedChange],
        reviews: Mapping[CaseKey, Review],
        accepted_holds: Collection[CaseKey],
    ) -> None:
        """See `plan.plan`."""
        self.reviews, self.accepted_holds = reviews, accepted_holds
        self.known, self.unread, self.at, self.emergency = known, unread, now, emergency
        self.violations: dict[FindingId, list[Violation]] = defaultdict(list)
        for violation in violations:
            self.violations[violation.finding].append(violation)
        self.findings = {finding.id: finding for finding in findings}
        self._cases = {case.key for case in known.cases}
        self.everything = unread.focus.keys is None
        """Whether the scan is about all there is."""
        self.answered = {event for case in known.cases for event in case.events}
        """Events that a case answers for, open or closed."""
        kept = (one for case in known.cases for one in case.emergencies)
        self.remembered = self.answered.union(event for one in kept for event in one.events)
        """These, and the other events of the emergencies that cases are about."""
        self.emergencies = {one.id: one for one in emergency.emergencies}
        self._of_emergencies = {one.case for one in emergency.emergencies}
        self._grants = {event: one.id for one in emergency.emergencies for event in one.events}
        self.broken = {finding.id: finding for finding in findings if self._due(finding)}
        self._shown: dict[str, list[FindingId]] = defaultdict(list)
        for finding in findings:
            for event in (event for item in finding.changes for event in item.change.event_ids):
                self._shown[event].append(finding.id)
        self.judged: dict[str, list[JudgedChange]] = defaultdict(list)
        """Event → the verdicts on its change, one for each finding it is in."""
        for item in (*(item for finding in findings for item in finding.changes), *changes):
            for event in item.change.event_ids:
                self.judged[event].append(item)

    def broken_by(self, members: Iterable[Finding]) -> list[Violation]:
        """The violations of some findings."""
        return [violation for finding in members for violation in self.violations.get(finding.id, ())]

    def grant(self, item: JudgedChange) -> str:
        """Id of the emergency a change must be answered for in; empty: none."""
        if item.verdict.outcome not in ANSWERABLE:
            return ""
        known = (self._grants[event] for event in item.change.event_ids if event in self._grants)
        return item.verdict.grant or next(known, "")

    def thread(self, item: JudgedChange) -> str:
        """What makes changes one case: the emergency, else the session."""
        grant = self.grant(item)
        return f"emergency {grant}" if grant else session(item.change)

    def thread_of(self, event: str) -> str:
        """The thread of an event that is seen: an emergency's before a session's, whichever finding has it."""
        return min(map(self.thread, self.judged[event]))

    def brought(self, members: Iterable[Finding]) -> set[str]:
        """Ids of the emergencies of what no case answers for yet in some findings."""
        items = (item for finding in members for item in finding.changes)
        return {self.grant(item) for item in items if self.answered.isdisjoint(item.change.event_ids)} - {""}

    def elsewhere(self, case: Case) -> list[Finding]:
        """Findings of a case that the scan is not about, as earlier scans left them, with today's verdicts.

        Good to tell what belongs together, and for nothing else: what is tolerated of them is not known.
        """
        found = (self.known.findings[one] for one in case.findings if self.beyond(one) and one in self.known.findings)
        told = ((one, [now for item in one.changes for now in self._today(item)]) for one in found)
        # One without a change that is judged today says nothing of what belongs together.
        return [replace(one, changes=tuple(changes)) for one, changes in told if changes]

    def _today(self, item: JudgedChange) -> Sequence[JudgedChange]:
        """Today's verdict on a change of a finding that the scan is not about; empty where it was not judged.

        The one on a call with several targets is the gravest of all: where this target's was authority, it may be that
        of another target.
        """
        now = self.judged.get(_first(item), ())[-1:]
        settled = item.verdict.outcome != "pending" and item.verdict.outcome not in ANSWERABLE
        return [item] if now and settled and len(item.change.targets) > 1 else now

    def may_move(self, case: Case) -> bool:
        """Whether anything that is seen has to do with a case: else all of it stays as it was.

        There may be thousands, and a scan for single events sees a few.
        """
        if self.everything or case.state != "open" or case.stage or case.grant or case.emergencies or not case.events:
            return True
        if case.key in self.reviews or case.key in self.accepted_holds or case.key in self._of_emergencies:
            return True
        if any(event in self.judged for event in case.events):
            return True
        for finding in case.findings:
            known = self.known.findings.get(finding)
            if finding in self.broken or (known and any(_first(item) in self.judged for item in known.changes)):
                return True
        return False

    def beyond(self, finding: FindingId) -> bool:
        """Whether a finding is open, and the scan is not about it."""
        key = self.known.keys.get(finding)
        return finding not in self.findings and key is not None and key not in self.unread.focus

    def emergencies_of(self, case: Case, members: Iterable[Finding] = ()) -> list[Emergency]:
        """The emergencies a case is about, and those without a case that its findings, `members`, bring to it."""
        brought = self.brought(members)
        return [
            one
            for one in self.emergency.emergencies
            if one.case == case.key or (one.id in brought and one.case not in self._cases)
        ]

    def outcomes(self, event: str) -> set[Outcome]:
        """The verdicts on an event's change; empty: it is not seen any more."""
        return {item.verdict.outcome for item in self.judged.get(event, ())}

    def members(self, case: Case) -> list[Finding]:
        """The findings of a case that break a rule now."""
        return [self.broken[finding] for finding in case.findings if finding in self.broken]

    def settled(self, finding: FindingId) -> bool:
        """Whether a case's finding is gone, or nothing of it differs any more. What was not read is not settled."""
        found = self.findings.get(finding)
        if found is None:
            # Of a case's findings the store forgets only those that were seen to be gone.
            return finding not in self.known.keys or self.known.keys[finding] not in self.unread
        return not found.differences and found.verdict.outcome != "pending" and found.key not in self.unread

    def showing(self, its: Iterable[str]) -> list[FindingId]:
        """The findings that show some of these events."""
        return list(dict.fromkeys(finding for event in its for finding in self._shown.get(event, ())))

    def may_show(self, its: Iterable[str]) -> bool:
        """Whether a finding that the scan is not about may show some of these events: then it is not known whose they
        are."""
        if self.everything:
            return False
        return any(
            item.change.targets and event not in self._shown for event in its for item in self.judged.get(event, ())
        )

    def loose(self, emergencies: Iterable[Emergency], members: Iterable[Finding]) -> list[JudgedChange]:
        """The calls of emergencies that none of some findings shows, in the order of time."""
        shown = {event for finding in members for item in finding.changes for event in item.change.event_ids}
        made = dict.fromkeys(event for one in emergencies for event in one.events if event not in shown)
        found = {item.change.event_ids: item for event in made for item in self.judged.get(event, ())[:1]}
        return sorted(found.values(), key=lambda item: (item.change.time, item.change.event_ids))

    def others(self, finding: FindingId, its: Set[str]) -> bool:
        """Whether what differs of a finding is none of these events' doing, and covered or somebody's with authority.

        Where one of them explains any of it, or where it is not known what does, it is not.
        """
        found = self.findings.get(finding)
        if found is None or found.key in self.unread or found.verdict.outcome not in _REMAINS:
            return False
        explained = [one for one in found.candidates if one.score >= THRESHOLD]
        if found.verdict.outcome not in _COVERED and (found.unexplained or not explained):
            return False
        causes = {event for one in explained or found.candidates for event in (*one.change.event_ids, *_beside(one))}
        rest = (item for item in found.changes if its.isdisjoint(item.change.event_ids))
        return its.isdisjoint(causes) and all(item.verdict.outcome in _CERTAIN for item in rest)

    def tolerated(self, finding: FindingId) -> bool:
        """Whether a finding may differ: an exception or the baseline covers it."""
        found = self.findings.get(finding)
        return found is not None and found.verdict.outcome in ("excepted", "baselined")

    def closed(self, key: CaseKey) -> Case | None:
        """The closed case of that key, if there is one."""
        return next((case for case in self.known.cases if case.key == key and case.state == "closed"), None)

    def _due(self, finding: Finding) -> bool:
        if any(self.grant(item) for item in finding.changes):
            return True  # an emergency is answered for whatever the rules say
        if finding.id not in self.violations:
            return False
        if finding.verdict.outcome != "indeterminate" or finding.trail:
            return True  # what the trail tells of itself is not settled by waiting
        since = self.known.first_seen.get(finding.id, self.at)
        critical = any(one.severity == "critical" and not one.indeterminate for one in self.violations[finding.id])
        return critical or self.at - since >= UNDECIDED_AFTER
