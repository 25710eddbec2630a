"""Stretches of time with something in each, asked for what lies over a moment.

Hides how few of them are looked at: stretches of about the same length stand in one list by their beginning, so that
only those that begin shortly before the moment are seen, however many there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

_Held = TypeVar("_Held")

_ALWAYS = float("inf")


class Timeline(Generic[_Held]):
    """Things and when each begins and ends; both ends belong to the stretch, and either may be open."""

    __slots__ = ("_begin", "_by_length", "_end")

    def __init__(self, stretches: Iterable[tuple[datetime | None, datetime | None, _Held]]) -> None:
        """Built once. A stretch that ends before it begins covers nothing."""
        by_length: dict[int, list[tuple[float, float, int, _Held]]] = {}
        for number, (start, end, held) in enumerate(stretches):
            begins = -_ALWAYS if start is None else start.timestamp()
            ends = _ALWAYS if end is None else end.timestamp()
            if ends < begins:
                continue
            # Doubling lengths: of those that begin in reach, half or more lie over the moment.
            size = -1 if ends - begins == _ALWAYS else int(ends - begins).bit_length()
            by_length.setdefault(size, []).append((begins, ends, number, held))
        self._by_length: list[tuple[float, list[float], list[tuple[float, float, int, _Held]]]] = []
        for size, found in sorted(by_length.items()):
            found.sort(key=lambda one: one[:3])
            reach = _ALWAYS if size < 0 else float(2**size)
            self._by_length.append((reach, [one[0] for one in found], found))
        every = [one for _, _, found in self._by_length for one in found]
        self._begin = sorted({one[0] for one in every})
        self._end = sorted({one[1] for one in every})

    def __len__(self) -> int:
        return sum([len(starts) for _, starts, _ in self._by_length])

    def __iter__(self) -> Iterator[tuple[float, float, _Held]]:
        """Each with its beginning and end, in seconds since 1970."""
        for _, _, found in self._by_length:
            for begins, ends, _, held in found:
                yield begins, ends, held

    def steady(self, moment: float, tolerance: float = 0) -> tuple[float, float]:
        """Between which moments the same lies over each as over this one; what is at these two is not said."""
        begin, end = self._begin, self._end
        began, ended = bisect_right(begin, moment + tolerance), bisect_left(end, moment - tolerance)
        since_begin = begin[began - 1] - tolerance if began else -_ALWAYS
        since_end = end[ended - 1] + tolerance if ended else -_ALWAYS
        until_begin = begin[began] - tolerance if began < len(begin) else _ALWAYS
        until_end = end[ended] + tolerance if ended < len(end) else _ALWAYS
        return max(since_begin, since_end), min(until_begin, until_end)

    def at(self, moment: float, tolerance: float = 0) -> Iterator[_Held]:
        """What lies over a moment (seconds since 1970), or as near to it as `tolerance` (seconds) allows."""
        latest, earliest = moment + tolerance, moment - tolerance
        for reach, starts, found in self._by_length:
            for _, ends, _, held in found[bisect_left(starts, earliest - reach) : bisect_right(starts, latest)]:
                if ends >= earliest:
                    yield held
