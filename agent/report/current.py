"""What is known of the estate now: the last scan of all of it, with what was looked at since in its place.

Hides that a daemon finds most things between two such scans, in looks whose documents tell of what they touched alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.store import Store


@dataclass(frozen=True, slots=True)
class Current:
    """The scan document as it would be now."""

    document: Mapping[str, Any]
    """As in docs/scan.schema.json; the run and the coverage are those of the scan of everything."""
    looks: int = 0
    """How many looks since told of something."""
    last: datetime | None = None
    """When the last of them ended."""


def current(store: Store) -> Current | None:
    """What is known now; None before the first scan of everything has ended. Raises StoreError."""
    kept = store.scans.document()
    if kept is None:
        return None
    document: dict[str, Any] = json.loads(kept)
    run = document["run"]  # tells its times to the second
    exact = (one.started_at for one in store.scans.last(kind="whole", ended=True) if one.run_id == run["id"])
    looks = store.scans.looks_since(next(exact, datetime.fromisoformat(run["started_at"])))
    if not looks:
        return Current(document)
    told = [json.loads(found) for _, found in looks]
    open_cases = {case.key for case in store.cases.open()}
    return Current(updated(document, told, set(store.findings.open()), open_cases), len(looks), looks[0][0])


def updated(
    document: Mapping[str, Any], looks: Sequence[Mapping[str, Any]], findings: Set[str], cases: Set[str]
) -> dict[str, Any]:
    """The document of a scan with those of later looks, newest first, in its place.

    `findings`, `cases`: ids and keys of those that are open now: others are over, whoever told of them.
    """
    newest_first = (*looks, document)
    its = [one for one in _newest(newest_first, "findings", "id").values() if one["id"] in findings]
    moved = {_place(one) for look in looks for one in look["findings"]}
    moved |= {_place(one) for one in document["findings"] if one["id"] not in findings}
    drifts = [one for one in document["drifts"] if (one["account"], one["region"], one["type"], one["id"]) not in moved]
    drifts += [drift for one in its if _place(one) in moved for drift in one["drifts"]]
    return {
        **document,
        "status": _status(document, its),
        "drifts": drifts,
        "changes": _changes(newest_first),
        "findings": its,
        "cases": [one for key, one in sorted(_newest(newest_first, "cases", "key").items()) if key in cases],
        "emergencies": [*_newest(newest_first, "emergencies", "id").values()],
    }


def _newest(documents: Iterable[Mapping[str, Any]], name: str, key: str) -> dict[str, Mapping[str, Any]]:
    """Each entry as it was told last."""
    found: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        for one in document.get(name, ()):
            found.setdefault(one[key], one)
    return found


def _place(finding: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return finding["account"], finding["region"], finding["type"], finding["id_live"]


def _changes(documents: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every call once, oldest first."""
    found: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        for one in document["changes"]:
            if found.keys().isdisjoint(one["event_ids"]):
                found |= dict.fromkeys(one["event_ids"], one)
    return sorted({id(one): one for one in found.values()}.values(), key=lambda one: str(one["time"]))


def _status(document: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> str:
    """The word for it all, by the rules of a scan."""
    outcomes = {one["verdict"]["outcome"] for one in findings}
    if document["status"] == "held":
        return "held"
    if "indeterminate" in outcomes or any(one["severity"] for one in findings):
        return "violations"
    return "incomplete" if document["coverage"]["gaps"] or "pending" in outcomes else "clean"
