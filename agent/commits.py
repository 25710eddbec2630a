"""Ticket references that a pipeline's calls carry none of: in the applied commit's trailers, in tags of the same run.

Hides which commit a call belonged to: the one that was applied when the state was first read after the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.authorise import trusted
from agent.model import Change, Claim, Pipeline, Resource, StateRead, Trail


def with_commits(
    trail: Trail,
    reads: Iterable[StateRead],
    resources: Iterable[Resource],
    pipelines: Sequence[Pipeline],
    tagged: Callable[[Mapping[str, Any]], Sequence[Claim]] = lambda _: (),
) -> Trail:
    """The trail with the references of the applied commit on every call of a trusted pipeline.

    Where neither call nor commit names one, those in tags that its run set (`default_tags` change with each run, and
    only some calls show it), else those in the provider's `default_tags` on what it touched. Other tags of a resource
    may be of long ago. `reads` are the states as scans found them, `read_at` being the first time; `resources` are
    declared; `tagged` gives the references in a map of tags.
    """
    if not any(trusted(change, pipelines) for change in trail.changes):
        return trail
    by_run: dict[str, dict[Claim, None]] = {}
    for change in trail.changes:
        for claim in change.claims if change.session.startswith("ASIA") else ():
            if claim.where == "resource tag":
                by_run.setdefault(change.session, {})[replace(claim, where="resource tag set in the same run")] = None
    by_stack: dict[str, list[StateRead]] = {}
    for read in sorted((one for one in reads if one.read_at), key=lambda one: (one.stack, str(one.read_at))):
        by_stack.setdefault(read.stack, []).append(read)
    known: dict[tuple[str, str, str], Resource] = {}
    for resource in resources:
        for name in (resource.key.id, *resource.identifiers):
            known.setdefault((resource.key.account, resource.key.type, name), resource)

    def claimed(change: Change) -> Change:
        if not trusted(change, pipelines):
            return change
        names = ((change.account, touch.type, name) for touch in change.touches for name in touch.ids)
        touched = {one.key: one for one in map(known.get, names) if one is not None}.values()
        stacks = sorted({one.stack for one in touched} - {""})
        found = [claim for stack in stacks for claim in _applied(change, by_stack.get(stack, ()))]
        if not (found or change.claims):
            found = list(by_run.get(change.session, ())) or _on(touched, tagged)
        return replace(change, claims=tuple(dict.fromkeys((*change.claims, *found)))) if found else change

    return replace(trail, changes=tuple(map(claimed, trail.changes)))


def _on(touched: Iterable[Resource], tagged: Callable[[Mapping[str, Any]], Sequence[Claim]]) -> list[Claim]:
    """References in the `default_tags` that stand on declared resources."""
    claims = (claim for one in touched for claim in tagged(_default_tags(one)))
    return [replace(claim, where="default_tags of the resource") for claim in claims]


def _default_tags(resource: Resource) -> Mapping[str, Any]:
    """What the provider's configuration adds to a resource's own tags."""
    every, own = resource.attributes.get("tags_all"), resource.attributes.get("tags")
    if not isinstance(every, Mapping) or not isinstance(own, Mapping):
        return {}  # without its own tags nobody can tell which are which
    return {name: value for name, value in every.items() if name not in own}


def _applied(change: Change, reads: Sequence[StateRead]) -> tuple[Claim, ...]:
    """References of the commit in the first reading that can hold what the call did."""
    for read in reads:
        assert read.read_at is not None  # the caller leaves the others out
        if read.read_at >= change.time and (read.modified is None or read.modified >= change.time):
            return read.claims
    return ()
