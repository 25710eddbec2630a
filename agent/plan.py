"""The plan stage: which cases to open, update and close, or hold because there is too much to believe.

Hides grouping (one actor session is one case), identity over time (a change belongs to one case for ever) and the
nerve to stop.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agent.clean import clean
from agent.compare import Hidden
from agent.model import (
    SEVERITIES,
    Action,
    Case,
    CaseKey,
    Change,
    Close,
    Drift,
    Finding,
    FindingId,
    GapCause,
    Held,
    Key,
    Open,
    Severity,
    Update,
    Violation,
)

FLOOD_SHARE = 0.3
FLOOD_COUNT = 50
"""More than 30 % **and** at least 50 resources of one account newly in violation is not believed at once.
octoDNS stops at the same share: https://github.com/octodns/octodns, `Plan.MAX_SAFE_UPDATE_PCENT`."""

CRITICAL_TYPES = ("aws_iam_", "aws_cloudtrail", "aws_kms_")
UNDECIDED_AFTER = timedelta(hours=24)
"""An indeterminate finding opens a case only when it has stayed so for a day."""

_TRAIL: Mapping[GapCause, str] = {
    "stopped": "the trail was stopped",
    "narrowed": "the trail leaves something out",
    "tampered": "log files are missing or altered",
    "skewed": "events of the future",
    "refused": "many calls refused",
    "refused-widely": "very many calls refused, by root, or of many services",
}
"""Title of a case by what a finding about the trail tells of."""
_NOT_READ = "part of the trail was not read"

_ANSWERABLE = ("unauthorised", "regularised", "indeterminate", "pending-documentation")


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows: every case ever opened, and each open finding's resource and first sight."""

    cases: tuple[Case, ...] = ()
    first_seen: Mapping[FindingId, datetime] = field(default_factory=dict)
    keys: Mapping[FindingId, Key] = field(default_factory=dict)


def plan(
    violations: Sequence[Violation],
    findings: Sequence[Finding],
    known: Known,
    unread: Hidden,
    resources: Mapping[str, int],
    now: datetime,
) -> tuple[Action, ...]:
    """What to do about the violations.

    `unread` is what this run could not read: nothing inside it counts as fixed. `resources` counts the compared
    resources of each account.
    """
    by_finding: dict[FindingId, list[Violation]] = defaultdict(list)
    for violation in violations:
        by_finding[violation.finding].append(violation)
    broken = {finding.id: finding for finding in findings if _due(finding, by_finding, known, now)}
    answered = {event for case in known.cases for event in case.events}
    open_cases = [case for case in known.cases if case.state != "closed"]
    in_case = {finding for case in open_cases for finding in case.findings}
    fresh = [f for f in broken.values() if f.id not in in_case and not _answered(f, answered)]
    joining, groups = _group(open_cases, fresh, broken, findings)
    cases = [_case(members, by_finding, answered, now) for members in groups]
    opened, held = _flood(cases, [f for members in groups for f in members], by_finding, resources)
    waiting = {finding.id for finding in findings if finding.verdict.outcome == "pending"}
    gone = {one for one, key in known.keys.items() if key not in unread} - broken.keys() - waiting
    followed = _follow_up(open_cases, joining, gone, broken, answered, by_finding)
    return (*(Open(case) for case in opened), *followed, *held)


def _due(finding: Finding, by_finding: Mapping[FindingId, Sequence[Violation]], known: Known, now: datetime) -> bool:
    if finding.id not in by_finding:
        return False
    if finding.verdict.outcome != "indeterminate" or finding.trail:
        return True  # what the trail tells of itself is not settled by waiting
    since = known.first_seen.get(finding.id, now)
    critical = any(one.severity == "critical" and not one.indeterminate for one in by_finding[finding.id])
    return critical or now - since >= UNDECIDED_AFTER


def _to_answer(finding: Finding) -> list[Change]:
    """Changes that somebody must answer for."""
    return [item.change for item in finding.changes if item.verdict.outcome in _ANSWERABLE]


def _events(findings: Iterable[Finding], answered: Set[str]) -> tuple[str, ...]:
    """Ids of the events of changes that no case answers for yet, each once, as they happened.

    Another copy of an event may arrive late: a change is answered for when one of its events is.
    """
    changes = [change for finding in findings for change in _to_answer(finding)]
    at = {event: c.time for c in changes if answered.isdisjoint(c.event_ids) for event in c.event_ids}
    return tuple(sorted(at, key=lambda event: (at[event], event)))


def _answered(finding: Finding, answered: Set[str]) -> bool:
    """Whether every change behind the finding belongs to a case already, open or closed."""
    return bool(_to_answer(finding)) and not _events([finding], answered)


def _group(
    open_cases: Sequence[Case],
    fresh: Sequence[Finding],
    broken: Mapping[FindingId, Finding],
    findings: Sequence[Finding],
) -> tuple[Mapping[CaseKey, Sequence[Finding]], list[list[Finding]]]:
    """The fresh findings that join an open case, by its key, and the groups of the others that make a new one each.

    What shares a session, or a call, is one case, directly or through others. Nothing joins a held case: there it would
    wait unseen.
    """
    session = {event: _session(item.change) for f in findings for item in f.changes for event in item.change.event_ids}
    named: list[tuple[Case | Finding, set[str]]] = []
    for case in open_cases:
        if case.state == "open":
            events = {*case.events, *_events(_members(case, broken), frozenset())}
            named.append((case, events | {session[event] for event in case.events if event in session}))
    named += [(one, {*_events([one], frozenset()), *map(_session, _to_answer(one)[-1:])}) for one in fresh]
    joining: dict[CaseKey, Sequence[Finding]] = {}
    groups: list[list[Finding]] = []
    for together in _connected(named):
        members = [one for one in together if isinstance(one, Finding)]
        oldest = next((one for one in together if isinstance(one, Case)), None)
        if oldest is not None:
            joining[oldest.key] = members
        else:
            groups.append(members)
    return joining, groups


def _connected(named: Iterable[tuple[Case | Finding, Collection[str]]]) -> list[list[Case | Finding]]:
    """Things that share a name, directly or through others, in the order given."""
    things: dict[int, list[tuple[int, Case | Finding]]] = {}
    names: dict[int, set[str]] = {}
    home: dict[str, int] = {}
    for number, (thing, its) in enumerate(named):
        first, *others = sorted({home[name] for name in its if name in home}) or [number]
        moved = {*its, *(name for other in others for name in names.pop(other))}
        brought = [one for other in others for one in things.pop(other)]
        things.setdefault(first, []).extend([*brought, (number, thing)])
        names.setdefault(first, set()).update(moved)
        home.update(dict.fromkeys(moved, first))
    return [[thing for _, thing in sorted(group, key=lambda one: one[0])] for group in things.values()]


def _members(case: Case, broken: Mapping[FindingId, Finding]) -> list[Finding]:
    return [broken[finding] for finding in case.findings if finding in broken]


def _session(change: Change) -> str:
    """What makes changes one case: the credentials' session; for long-lived keys the principal and the day."""
    if change.session.startswith("ASIA"):  # temporary credentials; AKIA… are long-lived
        return f"session {change.session}"
    return f"principal {change.actor.arn or change.actor.name} {change.time:%Y-%m-%d}"


def _case(
    members: Sequence[Finding],
    by_finding: Mapping[FindingId, Sequence[Violation]],
    answered: Set[str],
    now: datetime,
) -> Case:
    """A new case, keyed by its first event: what comes to light later does not change its key."""
    violations = [violation for finding in members for violation in by_finding[finding.id]]
    events = _events(members, answered)
    seed = events[0] if events else f"{members[0].id} {[d.live for d in members[0].differences]!r}"
    key = CaseKey(hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest())
    return Case(
        key,
        _title(members),
        tuple(finding.id for finding in members),
        worst(violation.severity for violation in violations),
        rules=tuple(sorted({violation.rule for violation in violations})),
        controls=tuple(sorted({control for violation in violations for control in violation.controls})),
        opened_at=now,
        body="\n\n".join(story(finding) for finding in members),
        events=events,
    )


def worst(severities: Iterable[Severity]) -> Severity:
    """The highest of the severities; `low` for none."""
    return max(severities, key=SEVERITIES.index, default="low")


def _title(members: Sequence[Finding]) -> str:
    first, more = _name(members[0]), len(members) - 1
    what = f"{first} and {more} more" if more else first
    changes = _to_answer(members[0])
    if members[0].trail:
        return f"{what}: {_TRAIL.get(members[0].trail, _NOT_READ)}"
    if not changes:
        return f"{what}: drift, actor unknown"
    return f"{what}: changed by {clean(changes[-1].actor.name)} ({changes[-1].channel}) without authority"


def story(finding: Finding) -> str:
    """One finding in plain lines: what differs, who changed it, and what the tests said."""
    lines = [_name(finding), f"  finding {finding.id}, {clean(finding.key)}"]
    lines += [f"  {_difference(drift)}" for drift in finding.drifts]
    for item in finding.changes:
        change = item.change
        lines.append(
            f"  {change.time:%Y-%m-%d %H:%M:%S} UTC {clean(change.action)} by {clean(change.actor.name)} "
            f"({change.channel}, {clean(change.source_ip) or 'no address'}): {item.verdict.outcome}"
        )
        if item.verdict.outcome in _ANSWERABLE:
            lines += [f"    {test.name}: {test.result}, {clean(test.evidence)}" for test in item.verdict.tests]
    lines += [f"  {clean(line)}" for line in (finding.unexplained, *finding.notes) if line]
    return "\n".join(lines)


def _name(finding: Finding) -> str:
    return clean(finding.address or f"{finding.key.type} {finding.key.id}")


def _difference(drift: Drift) -> str:
    match drift.kind:
        case "missing":
            return "declared, and not there"
        case "unmanaged":
            return f"there, and {'in no configured stack' if drift.note == 'unlisted' else 'declared nowhere'}"
        case "unapplied":
            merged, applied = _short(drift.declared), _short(drift.live)
            return f"{drift.attribute}: merged and not applied: configured {merged}, recorded {applied}"
    absorbed = "; an apply wrote it into state" if drift.note == "absorbed" else ""
    if drift.part is not None:
        return f"{drift.attribute}: {'removed' if drift.live is None else 'added'} {clean(drift.part.id)}{absorbed}"
    return f"{drift.attribute}: declared {_short(drift.declared)}, live {_short(drift.live)}{absorbed}"


def _short(value: object) -> str:
    return clean(value, 200)


def _flood(
    cases: Sequence[Case],
    fresh: Sequence[Finding],
    by_finding: Mapping[FindingId, Sequence[Violation]],
    resources: Mapping[str, int],
) -> tuple[list[Case], list[Held]]:
    new = Counter(finding.key.account for finding in fresh)
    flooded = {
        account: count
        for account, count in new.items()
        if count >= FLOOD_COUNT and count > FLOOD_SHARE * resources.get(account, 0)
    }
    if not flooded:
        return list(cases), []
    by_id = {finding.id: finding for finding in fresh}
    believed: list[Case] = []
    doubted: list[Case] = []
    for case in cases:
        members = [by_id[finding] for finding in case.findings]
        flood = all(finding.key.account in flooded for finding in members)
        critical = any(_critical(finding, by_finding[finding.id]) for finding in members)
        (doubted if flood and not critical else believed).append(case)
    why = "; ".join(
        f"{count} of {resources.get(account, 0)} resources of account {account} newly in violation"
        for account, count in sorted(flooded.items())
    )
    return believed, [Held(tuple(replace(case, state="held") for case in doubted), why)] if doubted else []


def _critical(finding: Finding, violations: Sequence[Violation]) -> bool:
    """What a flood must never silence: identity, exposure, the trail, encryption keys."""
    return finding.key.type.startswith(CRITICAL_TYPES) or any(v.severity == "critical" for v in violations)


def _follow_up(
    open_cases: Sequence[Case],
    joining: Mapping[CaseKey, Sequence[Finding]],
    gone: Collection[FindingId],
    broken: Mapping[FindingId, Finding],
    answered: Set[str],
    by_finding: Mapping[FindingId, Sequence[Violation]],
) -> list[Action]:
    """What is new about cases already open, and those whose cause is gone."""
    told = set(answered)
    actions: list[Action] = []
    for case in open_cases:
        members = [*_members(case, broken), *joining.get(case.key, ())]
        news = _events(members, told)
        if case.state == "held":
            if any(_critical(finding, by_finding[finding.id]) for finding in members):
                actions.append(Open(replace(case, state="open")))
                continue
            news = ()  # nobody is told of a held case: what is new waits with it
        if news:
            note = "\n\n".join(story(finding) for finding in members if _events([finding], told))
            actions.append(Update(_grown(case, members, news, by_finding), note))
            told.update(news)
        elif _louder(case, members, by_finding):
            actions.append(Update(_grown(case, members, (), by_finding), "\n\n".join(map(story, members))))
        elif not case.events and all(finding in gone for finding in case.findings):
            # With a change behind it a person must answer, even when the resource was put back since.
            actions.append(Close(case, "what was found is no longer so"))
    return actions


def _louder(case: Case, members: Sequence[Finding], by_finding: Mapping[FindingId, Sequence[Violation]]) -> bool:
    """Whether drift that no call explains has made an open case graver than it was filed."""
    now = worst(violation.severity for finding in members for violation in by_finding[finding.id])
    return case.state == "open" and worst([case.severity, now]) != case.severity


def _grown(
    case: Case, members: Sequence[Finding], news: Sequence[str], by_finding: Mapping[FindingId, Sequence[Violation]]
) -> Case:
    violations = [violation for finding in members for violation in by_finding[finding.id]]
    return replace(
        case,
        findings=tuple(dict.fromkeys((*case.findings, *(finding.id for finding in members)))),
        events=(*case.events, *news),
        severity=worst([case.severity, *(violation.severity for violation in violations)]),
        rules=tuple(sorted({*case.rules, *(violation.rule for violation in violations)})),
        controls=tuple(sorted({*case.controls, *(one for violation in violations for one in violation.controls)})),
    )
