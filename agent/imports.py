"""Log files read into the store by hand: what a source does not reach back to, or another team's export.

Hides that code and states are read first, because only they say what of a call is secret.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.clean import clean
from agent.collect import Collector, Sessions, units
from agent.config import Config
from agent.declared.sensitive import call_sealer
from agent.gather import declared_side
from agent.ingest import ingest
from agent.model import Gap, Snapshot
from agent.resources import load as load_specs
from agent.seal import ring
from agent.store import connect
from agent.trail import files
from agent.upkeep.keys import belongs, key_of


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought."""

    path: str
    new: int
    """Entries that were not kept before."""
    events: int
    """Records that were read, reads and noise included."""
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...] = ()
    """What was left out, and how much of it."""


def import_files(config: Config, path: Path) -> Imported:
    """Reads the files at `path` into the store. Raises ConfigError and StoreError; what cannot be read is a gap."""
    specs, sessions, now = load_specs(), Sessions(config), datetime.now(UTC)
    key = key_of(config)
    with connect(config.store_url()) as store, ThreadPoolExecutor(1) as pool:
        belongs(store, ring(key), config.path(config.store.key), now)
        collector = Collector(config, sessions, specs, key, now, pool, config.path(config.store.cache))
        planned = units(config, sessions, specs)
        sides = [collector.run(one) for one in planned.units if one.kind == "declared"]
        declared = declared_side(planned, collector, [one for one in sides if isinstance(one, Snapshot)], now)
        found = ingest(
            store.journal,
            [files.feed(path)],
            collector.reader(),
            collector.trail_start,
            now,
            seal=call_sealer(declared, key),
            now=lambda: datetime.now(UTC),
            by=collector.fingerprint(),
            once=True,
        )
    notes = tuple(f"{number:,} records: {why}" for why, number in found.strange.items())
    return Imported(str(path), found.new, found.events, (*found.gaps, *found.lasting), notes)


def imported_told(found: Imported) -> dict[str, Any]:
    """An import as JSON-shaped data."""
    gaps = [{"scope": str(gap.scope), "why": gap.why} for gap in found.gaps]
    return {"path": found.path, "events": found.events, "new": found.new, "gaps": gaps, "notes": list(found.notes)}


def imported_lines(found: Imported) -> str:
    """An import as lines for a terminal."""
    head = f"{clean(found.path)}: {found.events:,} records read, {found.new:,} kept that were not before"
    notes = map(clean, found.notes)
    return "\n".join([head, *notes, *(f"not read: {clean(gap.scope)}: {clean(gap.why)}" for gap in found.gaps)])
