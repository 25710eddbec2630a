"""What a case says of its findings, in plain text lines; everything that others wrote is cleaned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from agent.clean import clean
from agent.model import SEVERITIES, Change, Drift, Finding, GapCause, JudgedChange, Severity, Test

ANSWERABLE = ("unauthorised", "regularised", "indeterminate", "pending-documentation", "authorised-emergency")
"""Outcomes of changes that somebody must answer for."""

_TRAIL: Mapping[GapCause, str] = {
    "stopped": "the trail was stopped",
    "narrowed": "the trail leaves something out",
    "tampered": "log files are missing or altered",
    "skewed": "events of the future",
    "poison": "messages of a queue that hold no event",
    "refused": "many calls refused",
    "refused-widely": "very many calls refused, by root, or of many services",
}
"""Title of a case by what a finding about the trail tells of."""
_NOT_READ = "part of the trail was not read"
_MANY = 20
"""So many calls may be told again with a new one."""


def worst(severities: Iterable[Severity]) -> Severity:
    """The highest of the severities; `low` for none."""
    return max(severities, key=SEVERITIES.index, default="low")


def to_answer(finding: Finding) -> list[Change]:
    """Changes that somebody must answer for."""
    return [item.change for item in finding.changes if item.verdict.outcome in ANSWERABLE]


def title(members: Sequence[Finding]) -> str:
    """The title of a case about these findings, by the first of them."""
    what, changes = several_named(members), to_answer(members[0])
    if members[0].trail:
        return f"{what}: {_TRAIL.get(members[0].trail, _NOT_READ)}"
    if not changes:
        return f"{what}: drift, actor unknown"
    return f"{what}: changed by {clean(changes[-1].actor.name)} ({changes[-1].channel}) without authority"


def counted(members: Iterable[Finding], told: Iterable[str] = ()) -> tuple[str, ...]:
    """Marks of what has grown, without an event that anybody answers for, beyond what the marks in `told` say."""
    found = []
    for one in members:
        begins = f"counted {one.id} "
        before = (int(mark.removeprefix(begins)) for mark in told if mark.startswith(begins))
        if one.least > max(before, default=0):
            found.append(f"{begins}{one.least}")
    return tuple(found)


def several_named(members: Sequence[Finding]) -> str:
    """The first finding's name, and how many more there are."""
    first, more = name(members[0]), len(members) - 1
    return f"{first} and {more} more" if more else first


def story(finding: Finding, news: Collection[str] | None = None) -> str:
    """One finding in plain lines: what differs, who changed it, and what the tests said.

    Of a change's tests those are left out that said the same of the change before it. Where the case knows of the
    finding already, `news` are ids of the events that it does not: other calls are left out where they are many.
    """
    lines = [name(finding), f"  finding {finding.id}, {clean(finding.key)}"]
    lines += [f"  {_difference(drift)}" for drift in finding.drifts]
    told = finding.changes
    if news is not None:
        fresh = [item for item in told if not set(news).isdisjoint(item.change.event_ids)]
        others = len(told) - len(fresh)
        if others > _MANY:
            told = tuple(fresh)
            lines.append(f"  {others:,} other calls on it are in the report")
    before: Sequence[Test] = ()
    for item in told:
        lines.append(f"  {call(item)}")
        tests = item.verdict.tests if item.verdict.outcome in ANSWERABLE else ()
        lines += [f"    {test.name}: {test.result}, {clean(test.evidence)}" for test in tests if test not in before]
        before = tests
    lines += [f"  {clean(line)}" for line in (finding.unexplained, *finding.notes) if line]
    return "\n".join(lines)


def call(item: JudgedChange) -> str:
    """One call on a line: when, what, who, from where, and the verdict."""
    change = item.change
    return (
        f"{change.time:%Y-%m-%d %H:%M:%S} UTC {clean(change.action)} by {clean(change.actor.name)} "
        f"({change.channel}, {clean(change.source_ip) or 'no address'}): {item.verdict.outcome}"
    )


def name(finding: Finding) -> str:
    """Its address, else type and id."""
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
