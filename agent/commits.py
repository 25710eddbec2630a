"""Ticket references from the commits that a pipeline applied: in the trailers, where its calls carry none.

Hides which commit a call belonged to: the one that was applied when the state was first read after the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from agent.authorise import trusted
from agent.model import Change, Claim, Pipeline, Resource, StateRead, Trail


def with_commits(
    trail: Trail, reads: Iterable[StateRead], resources: Iterable[Resource], pipelines: Sequence[Pipeline]
) -> Trail:
    """The trail with the references of the applied commit on every call of a trusted pipeline.

    `reads` are the states as scans found them, `read_at` being the first time; `resources` are declared.
    """
    by_stack: dict[str, list[StateRead]] = {}
    for read in sorted((one for one in reads if one.read_at), key=lambda one: (one.stack, str(one.read_at))):
        by_stack.setdefault(read.stack, []).append(read)
    if not any(read.claims for found in by_stack.values() for read in found):
        return trail
    stacks: dict[tuple[str, str, str], str] = {}
    for resource in resources:
        for name in (resource.key.id, *resource.identifiers):
            stacks.setdefault((resource.key.account, resource.key.type, name), resource.stack)

    def claimed(change: Change) -> Change:
        if not trusted(change, pipelines):
            return change
        named = {stacks.get((change.account, touch.type, name)) for touch in change.touches for name in touch.ids}
        found = [claim for stack in sorted(filter(None, named)) for claim in _applied(change, by_stack.get(stack, ()))]
        return replace(change, claims=tuple(dict.fromkeys((*change.claims, *found)))) if found else change

    return replace(trail, changes=tuple(map(claimed, trail.changes)))


def _applied(change: Change, reads: Sequence[StateRead]) -> tuple[Claim, ...]:
    """References of the commit in the first reading that can hold what the call did."""
    for read in reads:
        assert read.read_at is not None  # the caller leaves the others out
        if read.read_at >= change.time and (read.modified is None or read.modified >= change.time):
            return read.claims
    return ()
