"""Why no call explains a difference: still on its way, before the window, in a gap, or nowhere in a whole trail.

Hides how late a trail may be, and what of it covers which resource.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from agent.model import GLOBAL, FindingId, Gap, Key, Trail

_GAPS_TOLD = 3


class Unseen:
    """What a trail can have missed of a resource."""

    def __init__(self, trail: Trail, first_seen: Mapping[FindingId, datetime], now: datetime, grace: timedelta) -> None:
        """`first_seen`: when an open finding was first reported; a new one, `now`. `grace`: how long calls take."""
        self.trail = trail
        self.first_seen = first_seen
        self.at = now
        self.grace = grace
        self._gaps = [gap for gap in trail.gaps if gap.cause != "refused"]
        self._newest: dict[str, dict[str, datetime | None]] = defaultdict(dict)
        for covered in trail.coverage:
            self._newest[covered.account][covered.region] = covered.newest

    def waits(self, finding: FindingId, clean_since: datetime | None) -> bool:
        """Whether the call may be on its way: clean within the window, and seen to differ only lately."""
        inside = clean_since is not None and clean_since >= self.trail.start
        return inside and self.at - self._first(finding) < self.grace

    def why(self, finding: FindingId, key: Key, clean_since: datetime | None) -> str:
        """Why nobody is known for a difference of the resource."""
        first, newest = self._first(finding), self._newest_of(key)
        if self.waits(finding, clean_since):
            said = f"the trail's newest event of {_place(key)} is {_time(newest)}" if newest else self._nothing(key)
            late = f"calls take up to {self.grace // timedelta(minutes=1)} minutes to be delivered"
            return f"actor not known yet: {said}, the difference was first seen {_time(first)}, and {late}"
        reasons = []
        if clean_since is None or clean_since < self.trail.start:
            start = f"{self.trail.start:%Y-%m-%d %H:%M} UTC"
            shown = f"or by a call the trail does not show: none since {start} explains it"
            reasons.append(f"before the trail's window, {shown}")
        gaps = sorted({gap.why for gap in self._gaps if _hides(gap, key)})
        reasons += [f"part of the trail was not read: {why}" for why in gaps[:_GAPS_TOLD]]
        reasons += [f"{len(gaps) - _GAPS_TOLD} more such gaps"] if len(gaps) > _GAPS_TOLD else []
        if newest is None:
            reasons.append(self._nothing(key))
        elif newest < first - self.grace:
            reasons.append(f"nothing newer than {_time(newest)} has come from {_place(key)}: the call may be missing")
        if not reasons:
            reasons.append(
                "no call in the trail explains it, and none of it is missing: a call to data, one inside AWS, "
                "or one that is not logged"
            )
        return "actor unknown: " + "; ".join(reasons)

    def _first(self, finding: FindingId) -> datetime:
        return self.first_seen.get(finding, self.at)

    def _newest_of(self, key: Key) -> datetime | None:
        """The newest event of its account and region; what has no region may be recorded in any."""
        regions = self._newest.get(key.account, {})
        if key.region != GLOBAL:
            return regions.get(key.region)
        return max((newest for newest in regions.values() if newest is not None), default=None)

    def _nothing(self, key: Key) -> str:
        return f"the trail has no event of {_place(key)}"


def _hides(gap: Gap, key: Key) -> bool:
    """Whether a gap in the trail may hide a call on the resource. Its type and id name a trail, not a resource."""
    scope = gap.scope
    if scope.account not in ("*", key.account):
        return False
    return GLOBAL in (key.region, scope.region) or scope.region in ("*", key.region)


def _place(key: Key) -> str:
    return f"account {key.account}" + ("" if key.region == GLOBAL else f" in {key.region}")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
