"""The declared side as a process keeps it that looks again and again: read once, and again where it moved.

Hides that a state is looked at by its digest and code by its files' times, so that what stands still costs little.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.collect import Collector, Plan
from agent.declared.sensitive import call_sealer
from agent.focus import state_key
from agent.gather import declared_side
from agent.model import Key, Snapshot
from agent.settle import again, digest_of, looks, marked
from agent.stacks import Located, is_local
from agent.store import UnitSpec

_STATES = (".tfstate", ".backup", ".info")  # looked at by themselves
_MOST_FILES = 20_000  # of one stack's folder that are looked at


@dataclass(slots=True)
class Side:
    """Every stack of a plan, as it was last read."""

    planned: Plan
    _read: dict[str, Snapshot] = field(default_factory=dict)
    _code: dict[str, int] = field(default_factory=dict)
    _places: dict[str, Located] = field(default_factory=dict)
    _whole: Snapshot | None = None
    _sealer: Callable[[Any], Any] | None = None

    @property
    def stacks(self) -> Mapping[str, UnitSpec]:
        """Name → its unit."""
        return {unit.name: unit for unit in self.planned.units if unit.kind == "declared"}

    def read(self, collector: Collector, names: Iterable[str] | None = None) -> None:
        """Reads these stacks again; None: those that were never read. What cannot be read is a gap."""
        stacks = self.stacks
        units = [stacks[name] for name in (stacks.keys() - self._read.keys() if names is None else names)]
        if not units:
            return
        for unit in units:
            self._places.pop(unit.name, None)
        self._code |= {unit.name: _times(collector, unit) for unit in units}
        self._read |= again(collector, sorted(units, key=lambda one: one.name))
        self._whole = self._sealer = None

    def sealer(self, collector: Collector) -> Callable[[Any], Any]:
        """Takes out of a call or an entry what any of it calls secret; made once."""
        if self._sealer is None:
            self._sealer = call_sealer(self.snapshot(collector), collector.key)
        return self._sealer

    def snapshot(self, collector: Collector) -> Snapshot:
        """All of it, as one."""
        self.read(collector)
        if self._whole is None:
            parts = [self._read[name] for name in self.stacks]
            self._whole = declared_side(self.planned, collector, parts, collector.started_at)
        return self._whole

    def of(self, keys: Iterable[Key]) -> frozenset[str]:
        """The stacks that declare something of this."""
        wanted = frozenset(keys)
        return frozenset(name for name, part in self._read.items() if any(one.key in wanted for one in part.resources))

    def declared(self, stack: str) -> frozenset[Key]:
        """What a stack declares."""
        return frozenset(one.key for one in self._read[stack].resources)

    def states(self, stack: str) -> frozenset[Key]:
        """What the states of a stack are known by."""
        return frozenset(map(state_key, self._read[stack].states))

    def catch_up(self, collector: Collector, names: Iterable[str]) -> bool:
        """Reads those of the stacks again whose state or code is not what was read; whether there are any."""
        stacks = self.stacks
        units = [stacks[name] for name in sorted(names)]
        seen = looks(collector, [unit for unit in units if self._read[unit.name].states], self._places)
        moved = [name for name, look in seen.items() if look.digest != digest_of(self._read[name])]
        moved += [one.name for one in units if one.name not in moved and self._code[one.name] != _times(collector, one)]
        # One that could not be read may be by now.
        moved += [one.name for one in units if one.name not in moved and not self._read[one.name].states]
        self.read(collector, moved)
        return bool(moved)

    def settled(self, collector: Collector, names: Iterable[str]) -> Snapshot:
        """All of it, and which of these stacks somebody writes just now."""
        whole = self.snapshot(collector)
        stacks = self.stacks
        units = [stacks[name] for name in sorted(names) if self._read[name].states]
        unsettled = {
            name: marked(self._read[name], look) for name, look in looks(collector, units, self._places).items()
        }
        if all(unsettled[name] is self._read[name] for name in unsettled):
            return whole
        parts = [unsettled.get(name, self._read[name]) for name in stacks]
        return declared_side(self.planned, collector, parts, collector.started_at)


def _times(collector: Collector, unit: UnitSpec) -> int:
    """Changes with the files of a stack's folder; 0 where it lies in a repository elsewhere."""
    stack = collector.config.stack[unit.args["stack"]]
    if not is_local(stack):
        return 0
    found: list[tuple[str, int, int]] = []
    for folder, below, files in os.walk(collector.config.path(stack.dir)):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [_stamp(Path(folder) / name) for name in files if not name.endswith(_STATES)]
        if len(found) > _MOST_FILES:
            break
    return hash(tuple(sorted(found)))


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        status = file.stat()
    except OSError:
        return str(file), 0, 0
    return str(file), status.st_mtime_ns, status.st_size
