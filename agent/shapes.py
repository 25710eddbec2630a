"""Which parts of findings are alike: what their facts depend on, without what only tells one finding from the next.

Hides which of a change's and a difference's values no fact asks, so that thousands of findings that differ in nothing
else are looked at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from agent.exposure import telling
from agent.facts import Part, Words
from agent.model import Change, Drift, Touch
from agent.resources import Spec

_PLAIN = frozenset({str, int, float, bool, type(None)})
_NESTED = (Mapping, list, tuple, set, frozenset)
_LONG = 64  # a digest is shorter than what is longer


class Shapes:
    """What facts depend on: two parts with the same shape have the same facts, but for those of `facts.WIDE`."""

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self._specs = specs
        self._telling: dict[tuple[str, str], bool] = {}

    def of(self, part: Part) -> Hashable:
        """The part's shape."""
        finding, change, verdict = part.finding, part.change, part.verdict
        risk = verdict.risk
        return (
            finding.verdict.outcome,
            finding.cause,
            finding.trail,
            finding.unexplained == "",
            finding.drifts == (),
            finding.changes == (),
            finding.key.type,
            tuple([self._drift(drift) for drift in part.drifts]),
            self._call(change) if change is not None else None,
            tuple([(test.name, test.result) for test in verdict.tests]),
            verdict.path,
            verdict.late,
            verdict.grant == "",
            verdict.since == (),
            verdict.environment,
            risk.level if risk is not None else "",
        )

    def _drift(self, drift: Drift) -> Hashable:
        kind, part = drift.kind, drift.part
        subject = part or drift.key
        said = (kind, drift.note, drift.key.type, subject.type if part is not None else "", drift.attribute)
        if kind == "changed" and part is None:
            name = drift.attribute
            return (
                *said,
                self._value(subject.type, name, drift.declared),
                self._value(subject.type, name, drift.live),
            )
        if drift.live is None or kind == "unapplied":
            return said
        return (*said, *self._new(subject.type, (subject.id,), drift.live))

    def _call(self, change: Change) -> Hashable:
        actor = change.actor
        return (
            change.action,
            change.channel,
            actor.kind,
            actor.groups,
            change.identity,
            change.tool,
            change.claims == (),
            tuple([self._touch(touch) for touch in change.touches]),
        )

    def _touch(self, touch: Touch) -> Hashable:
        if touch.act == "create":
            return (touch.type, *self._new(touch.type, touch.ids, touch.sets))
        type_ = touch.type
        return (type_, touch.act, tuple([(name, self._value(type_, name, it)) for name, it in touch.sets.items()]))

    def _new(self, type_: str, ids: Words, attributes: Any) -> Iterable[Hashable]:
        """A resource that came: what it is named by, too, may say what it admits."""
        spec = self._specs.get(type_)
        yield "create"
        if spec is not None and any(self._tells(type_, name) for name in spec.identity):
            yield _brief(ids)
        for name, value in attributes.items():
            if self._tells(type_, name):
                yield (name, _brief(value))

    def _value(self, type_: str, name: str, value: Any) -> Hashable:
        """The value, where facts may depend on it; something deep inside may always be telling."""
        plain = type(value) in _PLAIN or not isinstance(value, _NESTED)
        return None if plain and not self._tells(type_, name) else _brief(value)

    def _tells(self, type_: str, name: str) -> bool:
        found = self._telling.get((type_, name))
        if found is None:
            found = self._telling[type_, name] = telling(type_, name, self._specs)
        return found


def _brief(value: Any) -> Hashable:
    """The same for what is the same: `1` and `True` are equal to Python, and not to us."""
    text = repr(value)
    return (
        text if len(text) <= _LONG else hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    )
