"""What the trail tells of itself: that somebody stopped, deleted or narrowed it, and until when.

Hides which CloudTrail calls blind a trail and which open its eyes again. Such calls are changes like any other; the
interval between them is a gap besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from agent.model import Change, Gap, Scope
from agent.trail.source import TYPE

CONTROLS = frozenset(
    f"cloudtrail:{name}"
    for name in ("CreateTrail", "StartLogging", "StopLogging", "DeleteTrail", "PutEventSelectors", "UpdateTrail")
)
"""Actions that begin or end blindness."""


def blind(changes: Iterable[Change], start: datetime, end: datetime) -> tuple[Gap, ...]:
    """Gaps of the interval that the changes tell of; changes from before `start` count, in any order."""
    gaps = []
    since: dict[tuple[str, str, str], Change] = {}
    for change in sorted(changes, key=lambda c: (c.time, c.event_ids)):
        trail = (change.account, _trail(change))
        for effect, began in _effects(change):
            if began:
                since.setdefault((*trail, effect), change)
            else:
                first = since.pop((*trail, effect), None)
                gaps += _gap(first, change, effect, start, end)
    for (_, _, effect), first in since.items():
        gaps += _gap(first, None, effect, start, end)
    return tuple(gaps)


def _effects(change: Change) -> Iterator[tuple[str, bool]]:
    """(what it does to the trail, whether that begins here)."""
    match change.action.partition(":")[2]:
        case "StopLogging":
            yield "logging stopped", True
        case "DeleteTrail":
            yield "deleted", True
        case "StartLogging":
            yield "logging stopped", False
            yield "deleted", False
        case "PutEventSelectors":
            yield "event selectors leave out management writes", not _logs_writes(change.request)
        case "UpdateTrail":
            wide = change.request.get("isMultiRegionTrail")
            if isinstance(wide, bool):
                yield "narrowed to one region", not wide


def _logs_writes(request: Mapping[str, Any]) -> bool:
    """Whether management writes of every service still arrive. What the record does not show is taken for yes."""
    selectors = _list(request.get("eventSelectors"))
    if selectors:
        return any(
            s.get("includeManagementEvents") is not False
            and s.get("readWriteType") != "ReadOnly"
            and not s.get("excludeManagementEventSources")
            for s in selectors
        )
    advanced = _list(request.get("advancedEventSelectors"))
    return not advanced or any(_selects_writes(_list(s.get("fieldSelectors"))) for s in advanced)


def _selects_writes(fields: list[Mapping[str, Any]]) -> bool:
    """An advanced selector for all management events, or all of them that write."""
    by_field = {str(f.get("field")): f for f in fields}
    if by_field.get("eventCategory", {}).get("equals") != ["Management"]:
        return False
    rest = by_field.keys() - {"eventCategory", "readOnly"}
    return not rest and by_field.get("readOnly", {}).get("equals") in (None, ["false"])


def _list(found: Any) -> list[Mapping[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _trail(change: Change) -> str:
    """Its name: calls take the name or the ARN."""
    named = change.request.get("name") or change.request.get("trailName") or ""
    return str(named).rsplit("/", 1)[-1]


def _gap(first: Change | None, last: Change | None, effect: str, start: datetime, end: datetime) -> list[Gap]:
    if first is None or first.time > end or (last is not None and last.time < start):
        return []
    until = f" until {last.time:%FT%TZ}" if last else ", and not brought back since"
    named = _trail(first) or "(name not recorded)"
    why = f"trail {named}: {effect} by {first.actor.name} at {first.time:%FT%TZ}{until}"
    return [Gap(Scope(account=first.account, type=TYPE, id=named), why)]
