"""What is tolerated, as the command line lists it: what is in force, what waits, what ends soon, what nobody needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.model import PolicyException
from agent.store.tolerated import Use
from agent.tolerated.baseline import BaselineFile
from agent.tolerated.exceptions import SOON, State, state

_ORDER: Sequence[State] = ("expiring", "waiting", "in force", "not begun", "expired")
_NEW = timedelta(days=14)
"""What is in force for less long need not have been used yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """One exception, or one file of the baseline."""

    id: str
    state: State
    until: datetime
    owner: str
    approver: str
    scope: str
    reason: str
    source: str
    use: str
    """How often it was needed, in words."""
    unused: bool
    """In force for a while, and never needed."""

    def told(self) -> Mapping[str, Any]:
        """The row as JSON."""
        return {
            "id": self.id,
            "state": self.state,
            "until": self.until.isoformat(),
            "owner": self.owner,
            "approver": self.approver,
            "scope": self.scope,
            "reason": self.reason,
            "source": self.source,
            "use": self.use,
            "unused": self.unused,
        }


def exception_rows(found: Sequence[PolicyException], uses: Mapping[str, Use] | None, now: datetime) -> list[Row]:
    """The exceptions, those that need somebody first. `uses` is None where no store says how they were used."""
    rows = []
    for one in found:
        use = uses.get(one.id) if uses is not None else None
        its = state(one, now)
        old = one.since is not None and now - one.since >= _NEW
        rows.append(
            Row(
                one.id,
                its,
                one.until,
                one.owner,
                one.approver,
                _scope(one),
                one.reason,
                one.source,
                _said(use, uses),
                unused=its in ("in force", "expiring") and uses is not None and use is None and old,
            )
        )
    return sorted(rows, key=_place)


def baseline_rows(found: Sequence[BaselineFile], uses: Mapping[str, Use] | None, now: datetime) -> list[Row]:
    """The files of the baseline, those that need somebody first."""
    rows = []
    for one in found:
        needed = [entry for entry in one.entries if uses is not None and entry.id in uses]
        its: State = "in force"
        if one.until <= now:
            its = "expired"
        elif not one.approved:
            its = "waiting"
        elif one.since > now:
            its = "not begun"
        elif one.until - now <= SOON:
            its = "expiring"
        said = f"{len(needed)} of {len(one.entries)}" if uses is not None else "not known"
        scope = f"{len(one.entries)} differences of {one.stack or 'no stack'}"
        unused = its in ("in force", "expiring") and uses is not None and not needed and now - one.since >= _NEW
        rows.append(
            Row(one.file.name, its, one.until, one.owner, one.approver, scope, "", str(one.file), said, unused=unused)
        )
    return sorted(rows, key=_place)


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The rows for a table with the heads of `HEADS`."""
    return [
        (
            row.state,
            row.id,
            f"{row.until:%Y-%m-%d}",
            f"{row.owner} / {row.approver}",
            f"{row.use}, unused" if row.unused else row.use,
            f"{row.scope}: {row.reason}" if row.reason else row.scope,
        )
        for row in rows
    ]


HEADS = ("State", "Id", "Until", "Owner / approver", "Scans", "What and why")


def _place(row: Row) -> tuple[int, datetime, str]:
    return _ORDER.index(row.state), row.until, row.id


def _scope(one: PolicyException) -> str:
    parts = [*one.addresses, *one.keys]
    parts += [f"{name} {', '.join(which)}" for name, which in (("of type", one.types), ("in", one.accounts)) if which]
    attributes = ", ".join(one.attributes) or "whatever differs"
    return f"{' '.join(parts)}, {attributes}"


def _said(use: Use | None, uses: Mapping[str, Use] | None) -> str:
    if uses is None:
        return "not known"
    return f"{use.count}, last {use.last_seen:%Y-%m-%d}" if use is not None else "none"
