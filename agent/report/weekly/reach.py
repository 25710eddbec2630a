"""How far the scans of a week reached: what they never read, and times of which no scan read the trail.

Hides that the end of a week is read by the first scan after it, and that documents of earlier releases do not say of
which resources nothing is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.report.weekly.population import moment
from agent.report.weekly.records import Records
from agent.report.weekly.week import Week

_MOST = 40
"""Limits that are listed one by one."""

Span = tuple[datetime, datetime]


def limits(covered: Mapping[str, Any]) -> dict[str, Any]:
    """What a scan with this coverage never reads, the most resources first; `resources` are those of which nothing is
    compared (None: the document does not say), `places` those of the trail, `proven` how many digests prove complete.
    """
    every = sorted(covered["limits"], key=lambda one: (-_uncompared(one), -one["resources"], one["scope"], one["why"]))
    places = covered["trail"].get("places", ())
    return {
        "count": len(every),
        "resources": sum(map(_uncompared, every)) if all("uncompared" in one for one in every) else None,
        "places": len(places),
        "proven": sum(bool(one["verified_until"]) for one in places),
        "listed": [{name: one[name] for name in ("scope", "why", "resources")} for one in every[:_MOST]],
    }


def _uncompared(limit: Mapping[str, Any]) -> int:
    return limit["resources"] if limit.get("uncompared") else 0


def span(covered: Mapping[str, Any]) -> Span:
    """From when to when a scan with this coverage read the trail."""
    return moment(covered["trail"]["from"]), moment(covered["trail"]["to"])


def after(records: Records, week: Week, known: Iterable[tuple[str, str]]) -> list[Span]:
    """What the first scan after a week read of its trail; nothing where that had gaps that are not `known`."""
    scan = records.whole_from(week.ends)
    document = records.document(scan, "coverage") if scan is not None else {}
    if not document:
        return []
    gaps = {(gap["scope"], gap["why"]) for gap in document["coverage"]["trail"]["gaps"]}
    return [span(document["coverage"])] if gaps <= set(known) else []


def left_out(spans: Sequence[Span], begins: datetime, until: datetime) -> list[Span]:
    """The parts of [begins, until) that lie in none of the spans."""
    found, reached = list[Span](), begins
    for start, end in sorted(spans):
        if start > reached:
            found.append((reached, min(start, until)))
        reached = max(reached, end)
        if reached >= until:
            return found
    return [*found, (reached, until)] if reached < until else found
