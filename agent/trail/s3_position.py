"""How far the log files of one account and region were read.

Hides that files land out of order, hours after the time in their names where a bucket is replicated or delivery was
held up: what landed within the last day of names is asked for again, and what was read of it is remembered.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from agent.trail.batch import instant
from agent.trail.source import LATE, Checkpoint

_NAME = re.compile(r"(\d{4})/(\d\d)/(\d\d)/[^/]*_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)Z_[^/]*\.json\.gz", re.ASCII)
_VERSION = 1
_LANDING = timedelta(hours=1)
"""S3 dates an object by the beginning of its upload, and by its own clock; it refuses ours where it is 15 minutes off.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
_REMEMBERED = 5_000
"""Files of the last day that are known one by one. Of more, the oldest are read again after an interrupted first
reading: that costs time and changes nothing, since an event counts once."""
_OWED = 500


def time_of(name: str) -> datetime | None:
    """When a log file was delivered, by its name below the region's folder; None where it is no log file.

    The day of the folder bounds it: the keys are read in the order of the folders, and a name may claim any time.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    year, month, day_of_month, *stamp = (int(part) for part in found.groups())
    try:
        day = datetime(year, month, day_of_month, tzinfo=UTC)
        time = datetime(stamp[0], stamp[1], stamp[2], stamp[3], stamp[4], tzinfo=UTC)
    except ValueError:
        return None
    return min(max(time, day), day + timedelta(hours=23, minutes=59))


def _digest(name: str) -> str:
    return blake2b(name.encode("utf-8", "replace"), digest_size=8).hexdigest()


@dataclass(slots=True)
class Position:
    """Where a reading goes on, and what it has handed on since."""

    since: datetime
    """Delivery time from which on everything was asked for."""
    until: datetime
    """Newest delivery time of what was read, never in the future."""
    now: datetime
    """When this reading began."""
    landed: datetime | None = None
    """What S3 had by then was seen by a reading that came to its end."""
    owed: dict[str, None] = field(default_factory=dict)
    """Names of files that could not be fetched and may be later."""
    _first: datetime | None = None
    """Where an earlier delivery time is asked for than was before: from there on."""
    _before: datetime | None = None
    _known: Mapping[str, None] = field(default_factory=dict)
    _recent: deque[tuple[datetime, datetime | None, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    @classmethod
    def of(cls, checkpoint: Checkpoint | None, earliest: datetime, now: datetime) -> Position:
        """From a checkpoint; from `earliest` where there is none, and up to where it begins where it begins later."""
        found = _read(checkpoint)
        if found is None:
            return cls(earliest, earliest, now)
        until = min(found.until, now)
        return cls(
            found.since,
            until,
            now,
            found.landed,
            dict.fromkeys(found.owed),
            _first=earliest if earliest < found.since else None,
            _before=until,
            _known=dict.fromkeys(found.read),
        )

    @property
    def begin(self) -> datetime:
        """Delivery time from which on names are looked at."""
        return self._first or max(self.since, self._again)

    @property
    def _again(self) -> datetime:
        """From here on something may have landed since."""
        return self.since if self._before is None else self._before - LATE

    @property
    def owes_too_much(self) -> bool:
        """Whether reading on would only add to what is owed."""
        return len(self.owed) >= _OWED

    def wants(self, name: str, time: datetime, modified: datetime) -> bool:
        """Whether a listed file is new; `time` from its name, `modified` when it landed."""
        if time < self.begin or self.since <= time < self._again:
            return False
        digest = _digest(name)
        if digest in self._known:
            self._recent.append((time, modified, digest))
            return False
        if self.landed is None or self._before is None or time < self.since or time > self._before:
            return True
        return modified >= self.landed

    def took(self, name: str, time: datetime | None, modified: datetime | None, *, owed: bool) -> None:
        """A file was handed on, or could not be: then for ever, or it stays `owed`."""
        if owed:
            self.owed[name] = None
        else:
            self.owed.pop(name, None)
        if time is not None:
            self._recent.append((time, modified, _digest(name)))
            self.until = max(self.until, min(time, self.now))

    def finish(self) -> None:
        """Everything there was is handed on: only what lands from now on is new."""
        self.since = min(self.since, self._first or self.since)
        self.landed = self.now - _LANDING
        self._known = {}
        self._recent = deque(one for one in self._recent if one[1] is None or one[1] >= self.landed)

    def checkpoint(self) -> Checkpoint:
        """To go on from here."""
        while self._recent and self._recent[0][0] < self.until - LATE:
            self._recent.popleft()
        recent = list(dict.fromkeys((*self._known, *(digest for _, _, digest in self._recent))))
        return {
            "version": _VERSION,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "landed": self.landed.isoformat() if self.landed else None,
            "read": recent[-_REMEMBERED:],
            "owed": list(self.owed),
        }


@dataclass(frozen=True, slots=True)
class _Stored:
    since: datetime
    until: datetime
    landed: datetime | None
    read: list[str]
    owed: list[str]


def _read(checkpoint: Checkpoint | None) -> _Stored | None:
    """None for what is no checkpoint of this version."""
    if checkpoint is None or checkpoint.get("version") != _VERSION:
        return None
    since, until, landed = (instant(checkpoint.get(name)) for name in ("since", "until", "landed"))
    if since is None or until is None:
        return None
    return _Stored(since, until, landed, _texts(checkpoint.get("read")), _texts(checkpoint.get("owed")))


def _texts(found: Any) -> list[str]:
    return [one for one in found if isinstance(one, str)] if isinstance(found, list | tuple) else []
