"""How a week reads: its headline, what was not checked, and single values in the reader's time zone and words.

Hides figures from the templates where they would have to decide what a number means: that a week without a scan is not
a clean one is said here, once, for every page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from agent.clean import plural
from agent.cron import time_zone

FAILED: Mapping[str, str] = {
    "actor": "nobody answers for it",
    "pipeline": "not made by a pipeline",
    "ticket": "no ticket",
    "state": "not approved at the time",
    "window": "outside the planned window",
    "scope": "the ticket is for something else",
    "implementer": "not made by its implementer",
    "separation": "approved by its implementer, or by too few",
    "content": "not what was approved",
    "permitted": "the person may not change this",
    "review": "the commit was not reviewed",
    "checks": "checks did not pass",
    "freeze": "in a change freeze",
    "breakglass": "no emergency grant",
}
"""A failed test in a reader's words."""
STAGES: Mapping[str, str] = {
    "overdue": "overdue: no document",
    "awaiting-document": "to be documented",
    "rejected": "document rejected",
    "awaiting-review": "to be reviewed",
    "review-again": "accepted; its case holds calls that no review is of",
    "post-implementation": "under control again, to be reviewed after the work",
    "way-back": "accepted, not yet under control again",
    "beside": "accepted; its case waits for another emergency",
    "window-open": "open, no call seen",
    "window-documented": "documented, no call seen",
    "window-over": "over, no call seen",
    "accepted": "accepted and under control again",
}
LOOKS: Mapping[str, str] = {
    "stack": "single stacks",
    "trail": "what the trail touched",
    "open": "open findings again",
    "remind": "replies and reminders",
}
"""What scans of less than the estate looked at."""


STALE = 6 * 3600
"""Seconds of age of the newest event that a scan found, above which it is told. CloudTrail delivers within minutes, and
a scan's own calls are events: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html"""


def local(stamp: str, zone: str, year: int | None = None) -> str:
    """`Mon 16 Nov 00:00`, in the zone; with its year where that is not `year`; empty stays empty."""
    if not stamp:
        return ""
    at = datetime.fromisoformat(stamp).astimezone(time_zone(zone))
    return f"{at:%a %d %b %H:%M}" if year in (None, at.year) else f"{at:%a %d %b %Y %H:%M}"


def dated(stamp: str, zone: str) -> str:
    """`2026-11-16 00:00 CET`, in the zone."""
    return f"{datetime.fromisoformat(stamp).astimezone(time_zone(zone)):%Y-%m-%d %H:%M %Z}"


def long(seconds: int | None) -> str:
    """`3 d 4 h`, `17 h`, `45 min`, `20 s`; of what is not known a dash."""
    if seconds is None:
        return "–"
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def spark(values: Sequence[int | None]) -> Markup:
    """A small line of numbers; where one is not known the line is interrupted."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup()
    low, high = min(known), max(known)
    step = 92 / max(1, len(values) - 1)
    points = [
        None if value is None else f"{2 + number * step:.0f},{18 - 14 * (value - low) / ((high - low) or 1):.0f}"
        for number, value in enumerate(values)
    ]
    runs: list[list[str]] = [[]]
    for point in points:
        if point is not None:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    lines = "".join(f'<polyline points="{" ".join(run)}"/>' for run in runs if run)
    last = next(point for point in reversed(points) if point is not None).split(",")
    dot = f'<circle cx="{last[0]}" cy="{last[1]}" r="2.5"/>'
    svg = f'<svg class="spark" width="96" height="22" viewBox="0 0 96 22" aria-hidden="true">{lines}{dot}</svg>'
    return Markup(svg)  # noqa: S704 - numbers alone


def out_of(ended: int, planned: int) -> str:
    """`12 of 14`; of more than were planned `168, 28 planned`: which of them were the planned ones nobody knows."""
    if not planned:
        return f"{ended:,}"
    return f"{ended:,} of {planned:,}" if ended <= planned else f"{ended:,}, {planned:,} planned"


def first_words(figures: Mapping[str, Any]) -> str:
    """What a reader must know before any number; empty where everything was checked."""
    if nothing(figures):
        return "NOTHING WAS CHECKED"
    return "Not everything was checked" if unchecked(figures) else ""


def headline(figures: Mapping[str, Any]) -> list[str]:
    """The week in at most three sentences, after what was not checked."""
    decide, cases = figures["decisions"], figures["cases"]
    said = []
    if decide["count"]:
        overdue = f", {decide['overdue']:,} of them overdue" if decide["overdue"] else ""
        said.append(f"{plural(decide['count'], 'decision')} to make{overdue}.")
    if figures["unauthorised"]["count"]:
        count = figures["unauthorised"]["count"]
        said.append(f"{plural(count, 'change')} without authority{', ' * bool(where := places(figures))}{where}.")
    said.append(f"{of_cases(cases)}.")
    return said


def places(figures: Mapping[str, Any]) -> str:
    """How many of the changes without authority were made in production, and how many where nobody knows."""
    count, had = figures["unauthorised"]["count"], figures["completeness"]
    there, unplaced = had["production"], had["unplaced"]
    if there == count > 1:
        return "all in production"
    said = [f"{there:,} in production"] if there or not unplaced else []
    return ", ".join([*said, *([f"{unplaced:,} not known where"] if unplaced else [])])


def of_cases(cases: Mapping[str, Any]) -> str:
    """How many opened, were opened again, closed and are open."""
    again = f"{len(cases['again']):,} opened again, " if cases["again"] else ""
    opened = plural(len(cases["opened"]), "case")
    return f"{opened} opened, {again}{len(cases['closed']):,} closed, {len(cases['open']):,} open"


def never_read(figures: Mapping[str, Any]) -> str:
    """What no scan of the week could have read, in a line; empty: there is nothing of the kind."""
    known = figures["checked"]["limits"]
    if not known:
        return ""
    said = []
    if known["resources"]:
        said.append(f"{plural(known['resources'], 'resource')} of types that are not compared")
    if known["proven"] < known["places"]:
        proven = f"of {known['places'] - known['proven']:,} of {plural(known['places'], 'place')} " * bool(
            known["proven"]
        )
        said.append(f"log files {proven}not checked")
    counted = plural(known["count"], "limit") if known["count"] else "Limits"
    return ": ".join(filter(None, (counted, "; ".join(said)))) if known["count"] or said else ""


def nothing(figures: Mapping[str, Any]) -> bool:
    """Whether no scan of the estate ended in the week: nothing was checked then, and nothing is clean."""
    return not figures["checked"]["ended"]


def unchecked(figures: Mapping[str, Any]) -> list[str]:
    """What was not checked, a line each; empty: everything was that should have been."""
    checked, week = figures["checked"], figures["week"]
    said = [*_scans(checked), *_times(checked, week["timezone"]), *_unread(checked, week["timezone"])]
    if figures["undetermined"]["findings"]:
        said.append(f"{plural(len(figures['undetermined']['findings']), 'finding')} could not be judged")
    held = sum(row["state"] == "held" for row in figures["cases"]["open"])
    if held:
        said.append(f"{plural(held, 'case')} held back, and not filed")
    if not week["over"]:
        said.append(f"The week is not over: this is what was known {dated(week['until'], week['timezone'])}")
    return said


def _scans(checked: Mapping[str, Any]) -> Iterator[str]:
    if not checked["ended"]:
        yield "No scan of the whole estate ended in this week: nothing below is known to be clean"
    elif checked["ended"] < checked["planned"]:
        yield f"{checked['ended']:,} of {checked['planned']:,} planned scans of the estate ended"
    if checked["unfinished"]:
        yield f"{plural(len(checked['unfinished']), 'scan')} of the estate began and did not end"
    if checked["unread"]:
        yield f"The documents of {plural(checked['unread'], 'scan')} are no longer kept: their gaps are not known"
    for kind, count in checked["other"].items():
        if count["begun"] > count["ended"]:
            yield f"{plural(count['begun'] - count['ended'], 'scan')} of {LOOKS.get(kind, kind)} did not end"
        if count["incomplete"]:
            yield f"{plural(count['incomplete'], 'scan')} of {LOOKS.get(kind, kind)} left something unread"


def _times(checked: Mapping[str, Any], zone: str) -> Iterator[str]:
    unread = checked["trail"]["unread"] if checked["ended"] else ()
    for what, spans in (
        ("No look at the whole estate", checked["silences"]),
        ("Nothing ran", checked["stopped"]),
        ("No scan is known to have read the trail", unread),
    ):
        for one in spans[:3]:
            yield f"{what} from {local(one['from'], zone)} to {local(one['to'], zone)} ({long(one['seconds'])})"
        if len(spans) > 3:
            yield f"{what} in {len(spans) - 3:,} more stretches of time"
    for one in checked["unplanned"]:
        when = f"from {local(one['from'], zone)} to {local(one['to'], zone)}"
        ran = f": {one['ended']:,} ended, the longest time without one was {long(one['longest'])}"
        yield f"No scan of the whole estate was planned {when}{ran * bool(one['ended'])}"


def _unread(checked: Mapping[str, Any], zone: str) -> Iterator[str]:
    trail, covered = checked["trail"], checked["coverage"]
    if covered and covered["compared"] < covered["declared"]:
        missing = plural(covered["declared"] - covered["compared"], "declared resource")
        yield f"{missing} of {covered['declared']:,} not compared with what is there ({covered['percent']} % covered)"
    elif covered and covered["least"]["percent"] < 100:
        least = covered["least"]
        yield f"Only {least['percent']} % of declared resources compared {local(least['at'], zone)}"
    if checked["gaps"]["count"]:
        yield f"{plural(checked['gaps']['count'], 'part')} of the estate could not be read at some time"
    if trail["gaps"]["count"]:
        yield f"{plural(trail['gaps']['count'], 'gap')} in the trail: a change in there leaves no name"
    if trail["lag"] and trail["lag"]["seconds"] > STALE:
        old, at = long(trail["lag"]["seconds"]), local(trail["lag"]["at"], zone)
        yield f"The newest event in the trail was {old} old {at}: what happened after it was not known"
    if trail["silent"]:
        yield f"{plural(trail['silent'], 'scan')} found no event in the trail at all"
    if checked["tickets"]["count"]:
        yield f"Ticket systems did not answer ({plural(checked['tickets']['count'], 'reason')})"
