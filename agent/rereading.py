"""What only the provider's version changed: values that another version records otherwise, and nobody touched.

Hides how such a difference is told from drift: live is still what we accepted, no call was made, and the provider that
wrote the state is another one than at the last scan.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.equal import canonical
from agent.focus import Focus
from agent.model import Drift, Finding, Key, Limit, Resource, Scope, StateRead
from agent.resources import Spec

_FAMILY = re.compile(r"(?:^|\.)([a-z0-9]+)_\w+\.[\w-]+(?:\[.*\])?$", re.DOTALL)
"""An address → what its type begins with."""


@dataclass(frozen=True, slots=True)
class Reread:
    """The findings without such differences."""

    findings: tuple[Finding, ...]
    excused: tuple[Drift, ...]
    limits: tuple[Limit, ...]
    """One line for each provider and stack."""
    fingerprints: Mapping[str, tuple[str, ...]]
    """Stack → the differences, so that the next scan knows them again."""


def reread(
    findings: Iterable[Finding],
    before: Mapping[str, StateRead],
    now: Iterable[StateRead],
    accepted: Mapping[Key, Mapping[str, Any]],
    since: Mapping[Key, datetime],
    specs: Mapping[str, Spec],
) -> Reread:
    """Takes out the differences that only another provider version's reading makes.

    `before` are the states as the last scan read them, by stack; `accepted` and `since` the accepted readings of live
    and when they were taken.
    """
    reads = {read.stack: read for read in now}
    kept: list[Finding | None] = []
    excused: list[Drift] = []
    prints: dict[str, list[str]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        read, last = reads.get(finding.stack), before.get(finding.stack)
        drifts: Sequence[Drift] = ()
        if read is not None and last is not None and _untouched(finding, since):
            drifts = [one for one in finding.differences if _unchanged(one, accepted, specs)]
            drifts = [one for one in drifts if _print(one) in last.reread or _versions(one, last, read)]
        if drifts:
            prints.setdefault(finding.stack, []).extend(map(_print, drifts))
            excused += drifts
            counts[finding.stack, _versions(drifts[0], last, read)] += 1
        kept.append(_without(finding, drifts) if drifts else finding)
    limits = [Limit(Scope(), f"stack {stack}: {_said(moved, n)}", n) for (stack, moved), n in sorted(counts.items())]
    known = {stack: tuple(sorted(set(found))) for stack, found in prints.items()}
    return Reread(tuple(one for one in kept if one is not None), tuple(excused), tuple(limits), known)


def keep(
    reads: Iterable[StateRead],
    before: Mapping[str, StateRead],
    found: Reread,
    declared: Iterable[Resource],
    focus: Focus,
) -> tuple[StateRead, ...]:
    """The states to hold the next scan's reading against, with the differences that it knows again.

    A scan that left some of a stack's resources out has not seen their differences: those known before stay known, and
    of a provider version that is new the next scan is to judge, of all of them.
    """
    partial = set() if focus.whole else {one.stack for one in declared if one.key not in focus}
    kept = []
    for read in reads:
        prints, last = found.fingerprints.get(read.stack, ()), before.get(read.stack)
        if last is not None and read.stack in partial:
            if last.provider_versions != read.provider_versions:
                continue
            prints = tuple(sorted({*prints, *last.reread}))
        kept.append(replace(read, reread=prints))
    return tuple(kept)


def _untouched(finding: Finding, since: Mapping[Key, datetime]) -> bool:
    """Whether no call of the trail touched the resource since its live reading was accepted."""
    at = since.get(finding.key)
    return at is not None and not any(item.change.time >= at.replace(microsecond=0) for item in finding.changes)


def _unchanged(drift: Drift, accepted: Mapping[Key, Mapping[str, Any]], specs: Mapping[str, Spec]) -> bool:
    """Whether live is still as accepted, so that it is the declared side that reads otherwise."""
    if drift.kind != "changed" or drift.note:
        return False
    if drift.part is not None:
        return bool(accepted.get(drift.part) == drift.live)
    attribute = next((one for one in specs[drift.key.type].attributes if one.name == drift.attribute), None)
    if attribute is None or attribute.name not in accepted[drift.key]:
        return False
    was = accepted[drift.key][attribute.name]
    return bool(canonical(was, attribute.kind) == canonical(drift.live, attribute.kind))


def _versions(drift: Drift, before: StateRead | None, now: StateRead | None) -> str:
    """`provider hashicorp/aws 5.100.0 → 6.2.0`, where another one reads the resource's type now; else empty."""
    return _moved(before, now).get(drift.key.type.partition("_")[0], "") if before and now else ""


def _moved(before: StateRead, now: StateRead) -> Mapping[str, str]:
    """What resource types begin with → the provider of theirs that another version of read the state now."""
    return {
        name.rpartition("/")[2]: f"provider {name} {before.provider_versions[name]} → {version}"
        for name, version in now.provider_versions.items()
        if version and before.provider_versions.get(name, version) not in ("", version)
    }


def rewritten_by(before: StateRead, now: StateRead, addresses: Iterable[str]) -> str:
    """Which provider's other version wrote these addresses anew, and nothing but them; empty where it may be more.

    What the state calls the resources must be as it was: another version records other attributes of the same ones.
    What it now records is still held against the accepted reading, attribute by attribute.
    """
    moved, said = _moved(before, now), set()
    for address in addresses:
        family = _FAMILY.search(address)
        was, is_ = (read.addresses[address].partition(".")[0] for read in (before, now))
        if was != is_ or family is None or family[1] not in moved:
            return ""
        said.add(moved[family[1]])
    return ", ".join(sorted(said))


def _said(moved: str, count: int) -> str:
    resources = "1 resource reads" if count == 1 else f"{count} resources read"
    return f"{moved or 'an earlier change of the provider version'} changed how {resources}; live is as accepted"


def _print(drift: Drift) -> str:
    """What makes the difference the same one at the next scan: where it is, and what is declared there."""
    content = [str(drift.key), drift.attribute, str(drift.part or ""), drift.declared]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _without(finding: Finding, drifts: Sequence[Drift]) -> Finding | None:
    """The finding with what is left of it; None where nothing is."""
    rest = tuple(one for one in finding.drifts if one not in drifts)
    if not rest and not finding.changes:
        return None
    left = replace(finding, drifts=rest)
    return left if left.to_explain else replace(left, unexplained="")
