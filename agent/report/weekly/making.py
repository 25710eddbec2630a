"""A weekly report as a value: made of the store, kept in it, and written to a folder.

Hides how its digest is made: of the figures alone, so that when it was made changes nothing of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.config import Config
from agent.document.times import stamp
from agent.report.content import ReportError
from agent.report.weekly.figures import figures
from agent.report.weekly.page import html, markdown
from agent.report.weekly.week import Week, last
from agent.report.weekly.wording import dated
from agent.store import Made, Store

KIND = "weekly"
_KEPT = 200
"""Reports that an earlier one of the same week is looked for among: nearly four years of them."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """The report of one week."""

    id: str
    """`weekly-2026-W47`: the same however often it is made. Signatures are about an id and a digest."""
    week: Week
    made_at: datetime
    sha256: str
    """Of the figures, as canonical JSON."""
    figures: Mapping[str, Any]
    replaces: Made | None = None
    """What was kept of this week before; None: nothing."""

    @property
    def news(self) -> str:
        """What became of the report that it replaces, in words; empty where it says the same."""
        before = self.replaces
        if before is None or before.sha256 == self.sha256:
            return ""
        zone = self.week.zone
        sent = f", sent {dated(stamp(before.sent_at), zone)}" if before.sent_at else ""
        made = dated(stamp(before.made_at), zone)
        return f"It replaces the one made {made}{sent} (SHA-256 {before.sha256}): more is known now"


def make(config: Config, store: Store, now: datetime, week: Week | None = None) -> Weekly:
    """The report of a week; without `week`, of the last that is over at `now`.

    Raises StoreError, RuleError, and WeekError for a week that has not begun.
    """
    which = week or last(now, config.schedule.timezone)
    if which.begins >= now:
        raise ReportError(f"week {which.id} has not begun: it does at {stamp(which.begins)}")
    found = figures(config, store, which, now)
    digest = hashlib.sha256(canonical(found).encode()).hexdigest()
    name = f"{KIND}-{which.id}"
    before = next((one for one in store.reports.last(KIND, _KEPT) if one.id == name), None)
    return Weekly(name, which, now, digest, found, before)


def canonical(value: Mapping[str, Any]) -> str:
    """The one spelling of figures: JSON in ASCII, sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def keep(store: Store, weekly: Weekly, sent_at: datetime | None = None) -> None:
    """Keeps the report in the store. That an earlier one of its week was sent stays known. Raises StoreError."""
    before = weekly.replaces.sent_at if weekly.replaces else None
    week = weekly.week
    store.reports.keep(
        Made(
            weekly.id,
            KIND,
            week.begins,
            week.ends,
            weekly.made_at,
            weekly.sha256,
            weekly.figures,
            sent_at or before,
        )
    )


def write(weekly: Weekly, folder: Path) -> tuple[Path, ...]:
    """Writes it as HTML, Markdown and JSON, named by its id; gives the paths. Raises ReportError."""
    whole = {
        "id": weekly.id,
        "made_at": stamp(weekly.made_at),
        "sha256": weekly.sha256,
        "figures": weekly.figures,
        "signatures": [],
    }
    pages = {
        "html": html(weekly.figures, weekly.id, weekly.sha256, weekly.made_at, weekly.news),
        "md": markdown(weekly.figures, weekly.id, weekly.sha256, weekly.made_at, weekly.news),
        "json": json.dumps(whole, indent=1, sort_keys=True) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_replaced(folder / f"{weekly.id}.{suffix}", text) for suffix, text in pages.items())
    except OSError as error:
        raise ReportError(f"{folder}: {error.strerror}; [report] dir names a folder that can be written") from None


def _replaced(path: Path, text: str) -> Path:
    """Whoever reads meanwhile sees the old file or the new one, never half of one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path
