"""What a source of CloudTrail records gives, whatever it is: bytes with a name, or a gap.

Hides nothing of a source but its kind; `s3`, `lookup` and `files` make sources, `read` calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.model import Gap, Scope

TYPE = "cloudtrail"
"""Type in the scope of every gap in the trail: it covers no resource, it says that changes may be unseen."""

LOOKBACK = timedelta(hours=13)
"""How far before the interval a session still in use may have been issued: 12 h, the longest role session, and 1 h,
the longest chained one. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use.html"""

MAX_BYTES = 256 << 20
"""Largest file taken, before and after gunzip. CloudTrail's own files stay far below."""


EVERYWHERE = Scope(type=TYPE)


@dataclass(frozen=True, slots=True)
class Blob:
    """One file or page of records, undecoded."""

    name: str
    """Where it came from, as a reader would look for it: path, `s3://` URL, LookupEvents query and page."""
    data: bytes
    scope: Scope = EVERYWHERE
    """What is unseen if it cannot be decoded."""
    answers: bool = False
    """The source answers for the whole interval, so that silence is an answer: true of LookupEvents alone."""


Source = Callable[[datetime, datetime], Iterator[Blob | Gap]]
"""(start, end) of the interval reported on → everything that may hold its events, late delivery included, and the
sessions issued in the `LOOKBACK` before it. May give more than was asked for, twice and in any order."""
