"""What a scan checked and what it did not.

Hides that the document lists the trail's gaps twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.clean import percent
from agent.report.values import moment


@dataclass(frozen=True, slots=True)
class Note:
    """A gap or a limit."""

    scope: str
    why: str
    resources: int


@dataclass(frozen=True, slots=True)
class Place:
    """What the trail has of one account and region."""

    account: str
    region: str
    events: int
    newest: str
    verified: str
    """Until when digests prove it complete; empty: not checked."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Calls of one actor that were refused."""

    actor: str
    account: str
    count: int
    densest: int
    first: str
    last: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrailRead:
    """What was read of CloudTrail."""

    start: str
    end: str
    newest: str
    """Time of the newest event; empty where there was none."""
    events: int
    changes: int
    denied: int
    gaps: tuple[Note, ...]
    failed: int = 0
    places: tuple[Place, ...] = ()
    attempts: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was checked and what was not."""

    declared: int
    compared: int
    live: int
    attributes: int
    gaps: tuple[Note, ...]
    limits: tuple[Note, ...]
    trail: TrailRead

    @property
    def percent(self) -> int:
        """Share of the declared resources that was compared, rounded down: 99.9 is not 100."""
        return percent(self.compared, self.declared)


def coverage(item: Mapping[str, Any]) -> Coverage:
    """Of the document's `coverage`."""
    trail = item["trail"]
    trail_gaps = _notes(trail["gaps"])
    return Coverage(
        item["declared"],
        item["compared"],
        item["live"],
        item["attributes_compared"],
        # The document lists the trail's gaps twice: among all, and with the trail.
        tuple(note for note in _notes(item["gaps"]) if note not in trail_gaps),
        _notes(item["limits"]),
        TrailRead(
            moment(trail["from"]),
            moment(trail["to"]),
            moment(trail["newest_event"] or ""),
            trail["events"],
            trail["changes"],
            trail["denied"],
            trail_gaps,
            trail.get("failed", 0),
            tuple(map(_place, trail.get("places", ()))),
            tuple(map(_refused, trail.get("attempts", ()))),
        ),
    )


def _place(item: Mapping[str, Any]) -> Place:
    newest, verified = moment(item["newest"] or ""), moment(item["verified_until"] or "")
    return Place(item["account"], item["region"], item["events"], newest, verified)


def _refused(item: Mapping[str, Any]) -> Refused:
    times = moment(item["first"]), moment(item["last"])
    return Refused(item["actor"], item["account"], item["count"], item["densest"], *times, tuple(item["actions"]))


def _notes(items: Iterable[Mapping[str, Any]]) -> tuple[Note, ...]:
    return tuple(Note(item["scope"], item["why"], item["resources"]) for item in items)
