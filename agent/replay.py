"""What other rules would have said of findings that were: every violation that would appear, disappear or differ. Pure.

A finding is judged as each of its verdicts left it, so that a rule is held against what was known at the time, and
not only against how it ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agent.judge import Bench, Rule
from agent.model import Finding, Violation
from agent.resources import Spec

What = Literal["appears", "disappears", "differs"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One violation that the other rules would change."""

    finding: str
    name: str
    """The finding's address, or type and id."""
    rule: str
    what: What
    before: str
    """Severity and stage, as of the finding's last such verdict; empty where it is not broken."""
    after: str
    first: datetime
    """When the finding was first judged so."""
    times: int
    """How many of its verdicts it concerns."""
    why: str = ""
    """Which facts break the rule, where it is broken afterwards."""


def replay(
    judged: Iterable[tuple[datetime, Finding]],
    before: Sequence[Rule],
    after: Sequence[Rule],
    specs: Mapping[str, Spec],
) -> tuple[Replayed, ...]:
    """The differences between two sets of rules over findings as they were judged, by finding and rule."""
    found: dict[tuple[str, str, What], Replayed] = {}
    now, then = Bench(before, specs), Bench(after, specs)
    for at, finding in sorted(judged, key=lambda one: (one[0], one[1].id)):
        was = {one.rule: one for one in now.violations(finding)}
        would = {one.rule: one for one in then.violations(finding)}
        for rule in sorted(was.keys() | would.keys()):
            one, other = _said(was.get(rule)), _said(would.get(rule))
            if one == other:
                continue
            what: What = "appears" if not one else "disappears" if not other else "differs"
            known = found.get((finding.id, rule, what))
            found[finding.id, rule, what] = Replayed(
                finding.id,
                finding.address or f"{finding.key.type} {finding.key.id}",
                rule,
                what,
                one,
                other,
                known.first if known else at,
                known.times + 1 if known else 1,
                would[rule].why if rule in would else "",
            )
    return tuple(found[key] for key in sorted(found))


def _said(violation: Violation | None) -> str:
    if violation is None:
        return ""
    undecided = ", undecided" if violation.indeterminate else ""
    return f"{violation.severity}, {'observe' if violation.observed else 'enforce'}{undecided}"
