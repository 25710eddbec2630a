"""What the scan document says of authority besides verdicts: emergencies, tickets, what may differ, policy itself.

Every value is JSON; `docs/scan.schema.json` holds the shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agent.document.times import stamp
from agent.exempt import in_force
from agent.model import Document, Emergency, Hit, Review, Tolerated
from agent.performed import Performed


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of rules, exceptions, baseline or pre-approved changes that is not as the last scan saw it."""

    path: str
    what: Literal["added", "changed", "removed"]
    commit: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class PolicyNews:
    """What became of the policy itself since the last scan."""

    changes: tuple[FileChange, ...] = ()
    waiting: tuple[str, ...] = ()
    """What would loosen it and waits for two people."""


def emergencies(found: Iterable[Emergency]) -> list[dict[str, Any]]:
    """Break-glass sessions and windows."""
    return [
        {
            "id": one.id,
            "case": one.case,
            "person": one.person,
            "how": one.how,
            "first": stamp(one.first),
            "last": stamp(one.last),
            "deadline": stamp(one.deadline),
            "calls": len(one.events),
            "state": one.state,
            "late": one.late,
            "incident": _incident(one),
            "document": _document(one.document) if one.document else None,
            "review": _review(one.review) if one.review else None,
            "notes": list(one.notes),
        }
        for one in found
    ]


def _incident(one: Emergency) -> str | None:
    named = (one.document.incident if one.document else "", one.opening.incident if one.opening else "")
    return next(filter(None, named), None)


def _document(one: Document) -> dict[str, Any]:
    return {
        "by": one.by.person,
        "at": stamp(one.by.received_at),
        "why": one.why,
        "done": one.done,
        "told": one.told,
        "way_back": one.way_back,
    }


def _review(one: Review) -> dict[str, Any]:
    return {"by": one.by.person, "at": stamp(one.by.received_at), "accepted": one.accepted, "reason": one.reason}


def tickets(found: Iterable[Performed]) -> list[dict[str, Any]]:
    """The requested changes and the performed ones, side by side."""
    return [
        {
            "ref": one.ref,
            "system": one.system,
            "title": one.title,
            "url": one.url or None,
            "state": one.state,
            "due": one.due,
            "resources": [
                {"name": row.name, "result": row.status, "evidence": row.evidence, "event_ids": list(row.events)}
                for row in one.rows
            ],
        }
        for one in found
    ]


def tolerated(given: Tolerated, hits: Sequence[Hit], now: datetime) -> dict[str, Any]:
    """What may differ for now: every exception in force, every file of the baseline, and how often each counted."""
    counts = Counter(hit.id for hit in hits)
    exceptions = [
        {
            "id": one.id,
            "kind": "exception",
            "owner": one.owner,
            "approver": one.approver,
            "until": stamp(one.until),
            "reason": one.reason,
            "hits": counts[one.id],
            "source": one.source,
        }
        for one in given.exceptions
        if in_force(one, now)
    ]
    return {
        "hits": [{"id": hit.id, "finding": hit.finding, "attribute": hit.attribute} for hit in hits],
        "entries": [*exceptions, *_baseline(given, counts, now)],
        "problems": list(given.problems),
    }


def _baseline(given: Tolerated, counts: Mapping[str, int], now: datetime) -> Iterable[dict[str, Any]]:
    """One line for each file: an adopted estate may have thousands of entries."""
    files: dict[str, list[Any]] = {}
    for one in given.baseline:
        if in_force(one, now):
            files.setdefault(one.source.rpartition(":")[0] or one.source, []).append(one)
    for source, entries in sorted(files.items()):
        first = entries[0]
        yield {
            "id": source,
            "kind": "baseline",
            "owner": first.owner,
            "approver": first.approver,
            "until": stamp(min(one.until for one in entries)),
            "reason": f"{len(entries)} differences that were there when the estate was adopted",
            "hits": sum(counts[one.id] for one in entries),
            "source": source,
        }


def policy(news: PolicyNews) -> dict[str, Any]:
    """What became of the policy itself."""
    changes = [
        {"path": one.path, "what": one.what, "commit": one.commit or None, "author": one.author or None}
        for one in news.changes
    ]
    return {"changes": changes, "waiting": list(news.waiting)}
