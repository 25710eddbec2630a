"""What a feed gathers until there is enough for one delivery.

Hides how much one delivery may hold: a transaction is cheap for many small files, and none may grow without bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from agent.model import Gap
from agent.trail.source import Blob, Checkpoint, Delivery

_FILES = 64
_BYTES = 16 << 20
_TOLD = 10  # missed files of one delivery that are told one by one
_LONGEST = 500


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Text of others for a gap, cut in the middle: what it is about stands at its front, what went wrong at its end."""
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def instant(found: object) -> datetime | None:
    """A time in a checkpoint; None where it is none, or has no zone."""
    try:
        time = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        return None
    return time.astimezone(UTC) if time and time.tzinfo else None


@dataclass(slots=True)
class Batch:
    """Files and gaps of one shard."""

    shard: str = ""
    again: bool = False
    """What is in it was read before."""
    _blobs: list[Blob | Gap] = field(default_factory=list)
    _missed: list[Gap] = field(default_factory=list)
    _lasting: list[Gap] = field(default_factory=list)
    _size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it should be handed on."""
        return len(self._blobs) + len(self._missed) + len(self._lasting) >= _FILES or self._size >= _BYTES

    def add(self, found: Blob | Gap) -> None:
        """A file, or a gap of this reading that is told for itself."""
        self._blobs.append(found)
        self._size += len(found.data) if isinstance(found, Blob) else 0

    def miss(self, gap: Gap, *, lasting: bool) -> None:
        """A file that was not read; `lasting`: nor will it ever be."""
        (self._lasting if lasting else self._missed).append(gap)

    def deliver(
        self,
        checkpoint: Checkpoint | None = None,
        acknowledge: Callable[[], tuple[Gap, ...]] | None = None,
        give_back: Callable[[], None] | None = None,
    ) -> Delivery:
        """All of it; it is empty again afterwards."""
        found = Delivery(
            blobs=(*self._blobs, *_told(self._missed)),
            shard=self.shard,
            checkpoint=checkpoint,
            lasting=tuple(_told(self._lasting)),
            again=self.again,
            acknowledge=acknowledge,
            give_back=give_back,
        )
        self._blobs, self._missed, self._lasting, self._size = [], [], [], 0
        return found


def _told(gaps: list[Gap]) -> list[Gap]:
    """The first few as they are, and the rest of each place as a number."""
    told = dict.fromkeys(gaps[:_TOLD], 0)
    for gap in gaps[_TOLD:]:
        alike = next(one for one in gaps if (one.scope, one.cause) == (gap.scope, gap.cause))
        told[alike] = told[alike] + 1 if alike in told else 0
    return [
        replace(one, why=f"{one.why} (and {more} more like it)", times=one.times + more) if more else one
        for one, more in told.items()
    ]
