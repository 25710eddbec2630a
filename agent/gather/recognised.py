"""What was sealed under an older install key, recognised: what is read now is sealed under all of them.

Hides that after a rotation accepted readings and calls hold seals of the key before, which equal nothing that is read,
until they are spelled as the newest key spells them. What no reading holds any more stays as it was sealed: it was
another value, and differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.model import Change, Snapshot
from agent.scan import Collected, Reading
from agent.seal import known_before, renewed, ring
from agent.tolerated.digests import digests_of


def recognised(found: Collected, key: bytes) -> Collected:
    """The same with every seal under the newest key, and nothing of older ones left in it; as it is where `key`, which
    holds the install keys, holds one."""
    if len(ring(key)) == 1:
        return found
    sides = (found.declared, found.live)
    older = known_before(one.attributes for side in sides for one in side.resources)
    seals = {before: now for now, every in older.items() for before in every}
    return replace(
        found,
        declared=_side(found.declared, seals),
        live=_side(found.live, seals),
        trail=replace(found.trail, changes=tuple(_call(one, seals) for one in found.trail.changes)),
        accepted={at: Reading(renewed(one.attributes, seals), one.at) for at, one in found.accepted.items()},
        permissive=replace(found.permissive, digest=digests_of(key, found.specs, older)),
    )


def _side(side: Snapshot, seals: Mapping[str, str]) -> Snapshot:
    resources = (
        replace(one, attributes=renewed(one.attributes, seals), unapplied=renewed(one.unapplied, seals))
        for one in side.resources
    )
    return replace(side, resources=tuple(resources))


def _call(change: Change, seals: Mapping[str, str]) -> Change:
    touches = tuple(replace(one, sets=renewed(one.sets, seals)) if one.sets else one for one in change.touches)
    return change if touches == change.touches else replace(change, touches=touches)
