"""What a report lists besides findings: what is merged and not applied, what is in no configured stack, the states.

Hides that a document written by an earlier version has none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.report.values import Shown, moment, shown

ACTIONS: Mapping[str, str] = {
    "create": "to be created",
    "destroy": "to be destroyed",
    "update": "to be updated",
    "import": "to be imported",
    "forget": "to be forgotten",
    "move": "to be moved",
}


@dataclass(frozen=True, slots=True)
class Merged:
    """Something the code says and no apply has done yet: one attribute, or a whole resource."""

    name: str
    stack: str
    what: str
    """The attribute, or what becomes of the resource."""
    configured: Shown | None
    """None for a whole resource."""
    recorded: Shown | None
    source: str
    why: str
    finding: str
    """Id of the resource's finding; empty for a whole resource."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A live resource in no configured stack."""

    type: str
    id: str
    account: str
    region: str
    finding: str
    """Id of the finding, where somebody's change of it is one; else empty."""


@dataclass(frozen=True, slots=True)
class StateLine:
    """One state, as it was read."""

    stack: str
    location: str
    serial: int
    resources: int
    modified: str
    commit: str
    author: str
    moving: str
    """Why it could not be relied on."""


def merged(document: Mapping[str, Any]) -> tuple[Merged, ...]:
    """By stack and name; attributes of a resource together."""
    attributes = (
        Merged(
            drift["address"],
            drift["stack"],
            drift["attribute"],
            shown(drift["declared"]),
            shown(drift["live"]),
            drift["source"] or "",
            "",
            finding["id"],
        )
        for finding in document["findings"]
        for drift in finding["drifts"]
        if drift["kind"] == "unapplied"
    )
    wholes = (
        Merged(
            item["address"],
            item["stack"],
            ACTIONS.get(item["action"], item["action"]),
            None,
            None,
            item["source"] or "",
            item["why"],
            "",
        )
        for item in document.get("unapplied", ())
    )
    return tuple(sorted((*attributes, *wholes), key=lambda one: (one.stack, one.name, one.what)))


def unlisted(document: Mapping[str, Any]) -> tuple[Unlisted, ...]:
    """By account, region, type and id."""
    told = {(f["account"], f["region"], f["type"], f["id_live"]): f["id"] for f in document["findings"]}
    places = (
        (drift["account"], drift["region"], drift["type"], drift["id"])
        for drift in document["drifts"]
        if drift.get("note") == "unlisted"
    )
    return tuple(Unlisted(place[2], place[3], place[0], place[1], told.get(place, "")) for place in sorted(places))


def states(document: Mapping[str, Any]) -> tuple[StateLine, ...]:
    """By stack."""
    found: Iterable[Mapping[str, Any]] = sorted(document.get("states", ()), key=lambda item: item["stack"])
    return tuple(
        StateLine(
            item["stack"],
            item["location"],
            item["serial"],
            item["resources"],
            moment(item["modified"] or ""),
            (item["commit"] or "")[:12],
            item["commit_author"] or "",
            item["in_motion"] or "",
        )
        for item in found
    )
