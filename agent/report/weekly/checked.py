"""What was checked in a week and what was not: scans, coverage, gaps, the trail, and times in which nothing ran.

Hides that a gap is found again by every scan, and how long nothing must have been looked at to be called silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from agent.clean import percent
from agent.config import Config
from agent.document.times import stamp
from agent.report.weekly.plans import Stretch, stretches
from agent.report.weekly.population import moment
from agent.report.weekly.reach import Span, after, left_out, limits, span
from agent.report.weekly.records import Records
from agent.report.weekly.week import Week
from agent.store import Scan

_SLACK = 1.5
"""A scan may begin late, or take long: so much longer than planned is no silence yet."""
_STILL = timedelta(minutes=30)
"""Shorter than this nothing is called down-time."""
_MOST = 40
"""Gaps that are listed one by one."""


@dataclass
class _Gap:
    """One thing that could not be read."""

    scope: str
    why: str
    resources: int
    first: datetime
    last: datetime
    scans: int = 0


@dataclass
class _Look:
    """What the documents of the week say, gathered one by one."""

    gaps: dict[tuple[str, str], _Gap] = field(default_factory=dict)
    trail_gaps: dict[tuple[str, str], _Gap] = field(default_factory=dict)
    percents: list[tuple[int, int, int, datetime]] = field(default_factory=list)
    """(percent, compared, declared, when)"""
    spans: list[Span] = field(default_factory=list)
    """From when to when the trail was read."""
    limits: dict[str, Any] = field(default_factory=dict)
    """Of the last; empty: none is known."""
    lags: list[tuple[int, datetime]] = field(default_factory=list)
    """(seconds, when)"""
    documents: int = 0

    def add(self, document: Mapping[str, Any], at: datetime) -> None:
        """What one scan of the estate says."""
        covered, trail = document["coverage"], document["coverage"]["trail"]
        self.documents += 1
        self.spans.append(span(covered))
        self.limits = limits(covered)
        declared, compared = covered["declared"], covered["compared"]
        self.percents.append((percent(compared, declared), compared, declared, at))
        if trail["newest_event"]:
            self.lags.append((max(0, int((moment(trail["to"]) - moment(trail["newest_event"])).total_seconds())), at))
        of_trail = {(gap["scope"], gap["why"]) for gap in trail["gaps"]}
        for gap in (*(one for one in covered["gaps"] if (one["scope"], one["why"]) not in of_trail), *trail["gaps"]):
            name = (gap["scope"], gap["why"])
            kept = self.trail_gaps if name in of_trail else self.gaps
            known = kept.setdefault(name, _Gap(*name, gap["resources"], at, at))
            known.last, known.scans = at, known.scans + 1
            known.resources = max(known.resources, gap["resources"])


def checked(config: Config, records: Records, week: Week, until: datetime) -> dict[str, Any]:
    """Section 1, up to `until`, which is the week's end or, before that, now."""
    every = records.scans(week.begins, until)
    wholes = [scan for scan in every if scan.kind == "whole"]
    ended = records.wholes(week.begins, until)
    look = _Look()
    for scan, document in records.documents(ended, "coverage"):
        look.add(document, scan.finished_at or scan.started_at)
    planned = stretches(config, records, week.begins, until)
    moments = [scan.finished_at for scan in ended if scan.finished_at]
    read = [*look.spans, *(after(records, week, look.trail_gaps) if until == week.ends else ())]
    return {
        "planned": sum(one.due for one in planned),
        "schedule": planned[-1].schedule,
        "unplanned": _unplanned(records, week, until, moments, planned),
        "begun": len(wholes),
        "ended": len(ended),
        "by_status": dict(sorted(Counter(scan.status or "unknown" for scan in ended).items())),
        "unfinished": [stamp(scan.started_at) for scan in wholes if scan.finished_at is None],
        "unread": len(ended) - look.documents,
        "first": stamp(moments[0]) if moments else "",
        "last": stamp(moments[-1]) if moments else "",
        "silences": _silences(records, week, until, moments, planned),
        "stopped": _stopped(config, records, every, week, until),
        "other": _others(every),
        "coverage": _coverage(look.percents),
        "gaps": _listed(look.gaps.values(), tickets=False),
        "tickets": _listed(look.gaps.values(), tickets=True),
        "trail": {**_trail(look), "unread": [_span(*one) for one in left_out(read, week.begins, until)]},
        "limits": look.limits,
    }


def _unplanned(
    records: Records, week: Week, until: datetime, moments: Sequence[datetime], planned: Sequence[Stretch]
) -> list[dict[str, Any]]:
    """Times for which no look at the whole estate was planned, each with how many ended in it, and the longest time
    without one: what should have been is not known of them."""
    before = records.whole_before(week.begins)
    edges = [before.finished_at] if before is not None and before.finished_at else []
    found = []
    for one in planned:
        # A schedule may have nothing due in the first hours of a week.
        if one.due or (one.schedule and len(planned) == 1 and until < week.ends):
            continue
        within = [moment for moment in moments if one.begins <= moment < one.until]
        last = max((moment for moment in (*edges, *moments) if moment < one.begins), default=one.begins)
        longest = max(b - a for a, b in pairwise([last, *within, one.until]))
        ran = {"ended": len(within), "longest": int(longest.total_seconds())}
        found.append({**_span(one.begins, one.until), **ran})
    return found


def _silences(
    records: Records, week: Week, until: datetime, moments: Sequence[datetime], planned: Sequence[Stretch]
) -> list[dict[str, Any]]:
    """Times without a look at the whole estate, much longer than planned; the whole week where there was none."""
    if not moments:
        longest = max((one.longest for one in planned if one.longest), default=timedelta())
        return [_span(week.begins, until)] if until - week.begins > longest * _SLACK else []
    before = records.whole_before(week.begins)
    start = before.finished_at if before is not None and before.finished_at else week.begins
    return _empty(planned, [start, *moments], lambda longest: longest * _SLACK)


def _stopped(
    config: Config, records: Records, every: Sequence[Scan], week: Week, until: datetime
) -> list[dict[str, Any]]:
    """Times in which no scan of any kind began, though the trail is polled more often: the daemon was down.

    Known only where a daemon runs: it alone scans what the trail touched.
    """
    if not any(scan.kind == "trail" for scan in every):
        return []
    planned = stretches(config, records, week.begins, until, "trail")
    return _empty(planned, [scan.started_at for scan in every], _most)


def _empty(
    planned: Sequence[Stretch], moments: Sequence[datetime], most: Callable[[timedelta], timedelta]
) -> list[dict[str, Any]]:
    """Times between two moments that are longer than the schedule in force allows."""
    found: list[tuple[datetime, datetime]] = []
    for one in planned:
        if one.longest is None:
            continue
        before = max((moment for moment in moments if moment < one.begins), default=one.begins)
        edges = [max(before, one.begins - one.longest)]
        edges += [*(moment for moment in moments if one.begins <= moment < one.until), one.until]
        spans = [(max(a, one.begins), b) for a, b in pairwise(edges) if b - a > most(one.longest)]
        if spans and found and found[-1][1] == spans[0][0]:
            spans[0] = (found.pop()[0], spans[0][1])
        found += spans
    return [_span(*span) for span in found]


def _most(longest: timedelta) -> timedelta:
    return max(_STILL, 3 * longest)


def _span(begins: datetime, ends: datetime) -> dict[str, Any]:
    return {"from": stamp(begins), "to": stamp(ends), "seconds": int((ends - begins).total_seconds())}


def _others(every: Iterable[Scan]) -> dict[str, Any]:
    """Scans of less than the estate, by kind: how many began, ended, and ended with something unread."""
    found: dict[str, Counter[str]] = {}
    for scan in every:
        if scan.kind != "whole":
            count = found.setdefault(scan.kind, Counter())
            count["begun"] += 1
            count["ended"] += scan.finished_at is not None
            count["incomplete"] += scan.status == "incomplete"
    names = ("begun", "ended", "incomplete")
    return {kind: {name: found[kind][name] for name in names} for kind in sorted(found)}


def _coverage(percents: Sequence[tuple[int, int, int, datetime]]) -> dict[str, Any]:
    """Empty where no scan ended: then nothing is known, and not 0."""
    if not percents:
        return {}
    least, last = min(percents, key=lambda one: (one[0], one[3])), percents[-1]
    return {
        "percent": last[0],
        "compared": last[1],
        "declared": last[2],
        "least": {"percent": least[0], "at": stamp(least[3])},
    }


def _listed(gaps: Iterable[_Gap], *, tickets: bool) -> dict[str, Any]:
    """Gaps, those of most scans first; of ticket systems or of everything else."""
    which = [gap for gap in gaps if (gap.scope.split("/")[2:3] == ["tickets"]) is tickets]
    which.sort(key=lambda gap: (-gap.scans, -gap.resources, gap.scope, gap.why))
    shown = [
        {
            "scope": gap.scope,
            "why": gap.why,
            "resources": gap.resources,
            "first": stamp(gap.first),
            "last": stamp(gap.last),
            "scans": gap.scans,
        }
        for gap in which[:_MOST]
    ]
    return {"count": len(which), "listed": shown}


def _trail(look: _Look) -> dict[str, Any]:
    worst = max(look.lags, default=None)
    return {
        "gaps": _listed(look.trail_gaps.values(), tickets=False),
        "lag": {"seconds": worst[0], "at": stamp(worst[1])} if worst else {},
        "silent": look.documents - len(look.lags),
    }
