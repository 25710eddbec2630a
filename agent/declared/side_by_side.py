"""What a stack declares, attribute by attribute: configured beside recorded, where each stands, and why something is
unknown.

Hides secrets: what is sensitive by configuration, state, schema or specification is named and never shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.declared import unapplied
from agent.declared.evaluation import DeclaredInstance
from agent.declared.language.error import EvaluationError
from agent.declared.language.values import (
    SENSITIVE,
    UNKNOWN,
    Value,
    flags,
    force,
    to_plain,
    unmarked,
    whys,
)
from agent.declared.loading import Loaded
from agent.declared.places import provider_address
from agent.declared.schemas import provider, sensitive_paths
from agent.declared.sensitive import marked_by_code, marked_scalars, sealed
from agent.declared.state import Instance, StateError, Steps
from agent.model import Secret, Source
from agent.resources import Spec

HIDDEN = "(sensitive)"

Stand = Literal["", "not applied", "unknown", "ignored", "sensitive"]


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute or nested block."""

    name: str
    configured: Any
    """JSON-shaped, `HIDDEN` in place of what is sensitive; None where the code does not set it or it is unknown."""
    is_configured: bool
    recorded: Any
    """The same of state."""
    source: Source | None
    stand: Stand
    why: tuple[str, ...] = ()
    """Of an unknown value: the references to blame."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One resource instance."""

    address: str
    source: Source | None
    """None where no code declares it."""
    provider: str
    region: str
    recorded_at: str
    """Its address in state; empty where it is not in it."""
    rows: tuple[Row, ...]

    @property
    def stand(self) -> str:
        """How code and state stand to each other, in words."""
        if not self.recorded_at:
            return "in the code, not in state"
        if self.source is None:
            return "in state, not in the code"
        counts = {stand: sum(row.stand == stand for row in self.rows) for stand in ("not applied", "unknown")}
        told = ", ".join(f"{n} {stand}" for stand, n in counts.items() if n)
        moved = f"moved from {self.recorded_at}" if self.recorded_at != self.address else ""
        return ", ".join(filter(None, (told, moved))) or "applied"


def declared(loaded: Loaded, specs: Mapping[str, Spec]) -> Iterator[Declared]:
    """Every resource instance of the code, then those that only state has."""
    evaluated = loaded.evaluated
    instances = {each.address: each for each in loaded.state.instances} if loaded.state else {}
    before = {now: then for then, now in evaluated.moved.items()} if evaluated else {}
    for found in evaluated.instances.values() if evaluated else ():
        instance = instances.pop(found.recorded_at, None) or instances.pop(before.get(found.address, ""), None)
        yield _declared(found, instance, specs)
    for instance in instances.values():
        yield _recorded(instance, specs)


def _declared(found: DeclaredInstance, instance: Instance | None, specs: Mapping[str, Spec]) -> Declared:
    paths = marked_by_code(found)
    before, hidden = _attributes(instance, specs.get(found.type), paths) if instance else ({}, frozenset())
    hidden |= _secret(specs.get(found.type))
    merged = _merged(found, instance, specs.get(found.type)) if instance else None
    rows = []
    for name in dict.fromkeys((*found.values, *before)):
        value = found.values.get(name)
        stand: Stand = "not applied" if merged and name in merged.differs else ""
        if name in found.ignore_changes or "all" in found.ignore_changes:
            stand = "ignored"
        rows.append(_row(name, value, before.get(name), found.lines.get(name), stand, hidden))
    return Declared(
        address=found.address,
        source=found.source,
        provider=found.provider.address,
        region=found.provider.region,
        recorded_at=instance.address if instance else "",
        rows=tuple(rows),
    )


def _merged(found: DeclaredInstance, instance: Instance, spec: Spec | None) -> unapplied.Compared | None:
    try:
        return unapplied.compared(found, instance.attributes(), spec, everything=True)
    except StateError:
        return None


def _row(
    name: str, value: Value | None, before: Any, source: Source | None, stand: Stand, hidden: frozenset[str]
) -> Row:
    configured, why = (None, ()) if value is None else _shown(value)
    secret = name in hidden or (value is not None and bool(flags(value) & SENSITIVE))
    return Row(
        name=name,
        configured=HIDDEN if secret and configured is not None else configured,
        is_configured=value is not None,
        recorded=HIDDEN if secret and before is not None else _covered(before),
        source=source,
        stand="unknown" if why else stand,
        why=why,
    )


def _shown(value: Value) -> tuple[Any, tuple[str, ...]]:
    try:
        whole = value if unapplied.is_deep(value) else force(value)
    except EvaluationError as error:
        return None, (str(error),)
    if unapplied.is_deep(whole):
        return None, (f"its value is nested more than {unapplied.DEEPEST} levels deep",)
    bare, sensitive = unmarked(whole)
    if flags(bare) & UNKNOWN:
        return None, whys(bare)
    return HIDDEN if sensitive else to_plain(bare), ()


def _recorded(instance: Instance, specs: Mapping[str, Spec]) -> Declared:
    before, hidden = _attributes(instance, specs.get(instance.type))
    rows = tuple(_row(name, None, value, None, "", hidden) for name, value in before.items())
    return Declared(instance.address, None, instance.provider, "", instance.address, rows)


def _secret(spec: Spec | None) -> frozenset[str]:
    return frozenset(each.name for each in spec.attributes if each.secret) if spec else frozenset()


def _attributes(
    instance: Instance, spec: Spec | None, also: Iterable[Steps] = ()
) -> tuple[Mapping[str, Any], frozenset[str]]:
    """What state records, sealed, and the attributes that are sensitive as a whole."""
    try:
        recorded = instance.attributes()
    except StateError:
        return {}, frozenset()
    source = provider_address(instance.provider).source
    known = provider(source) if source else None
    schema = known.resource(instance.type) if known else None
    paths = (*instance.sensitive, *(sensitive_paths(schema.block) if schema else ()), *also)
    whole = _secret(spec) | {str(path[0]) for path in paths if len(path) == 1}
    return sealed(b"", recorded, paths, marked_scalars(recorded, paths)), frozenset(whole)


def _covered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _covered(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_covered(each) for each in value]
    return HIDDEN if isinstance(value, Secret) else value


def text(value: Any) -> str:
    """A value on one line, as JSON."""
    return value if value == HIDDEN else json.dumps(value, ensure_ascii=False, default=str)
