"""One rule in a terminal, as a reviewer reads it: what it asks, why, and what to do when it is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.expression import MORE, compiled
from agent.facts import FACTS
from agent.judge import Condition, Rule
from agent.report.text import wrapped
from agent.rules import Control

_STAGES = {"enforce": "enforced: opens a case", "observe": "observed: told, and opens no case"}


def rule_lines(rule: Rule, controls: Mapping[str, Control], width: int) -> list[str]:
    """The rule in full, in lines no wider than told."""
    return list(wrapped(_rule(rule, controls), width))


def _rule(rule: Rule, controls: Mapping[str, Control]) -> Iterator[tuple[int, str]]:
    yield 0, f"{rule.id}: {rule.title}"
    yield 2, f"{rule.severity}, {_STAGES[rule.stage]}"
    yield 0, ""
    yield 0, "Why"
    yield 2, rule.why
    yield 0, "What it asks"
    yield from ((2, line) for line in condition_lines("broken where", rule.when))
    if rule.expression:
        yield 2, f"{'and ' if rule.when else 'broken '}where {rule.expression}"
    yield from ((2, line) for line in condition_lines("not broken where", rule.unless))
    for name in _asked(rule):
        yield 4, f"{name}: {FACTS[name].about if name in FACTS else MORE[name]}"
    yield 0, "What to do"
    yield 2, rule.fix
    if rule.runbook:
        yield 0, "Runbook"
        yield 2, rule.runbook
    yield 0, "Controls"
    for name in rule.controls:
        known = controls.get(name)
        yield 2, f"{name} {known.title} ({known.relation})" if known else name
    if rule.false_positives:
        yield 0, "May be wrong when"
        yield from ((2, line) for line in rule.false_positives)
    yield 0, "Examples"
    for example in rule.examples:
        yield 2, f"{'breaks' if example.violates else 'keeps '} {example.name}"


def _asked(rule: Rule) -> list[str]:
    """Everything a rule asks, in the order it does; what its expression asks by name."""
    names = [name for part in (rule.when, rule.unless) for clauses in part for name, _ in clauses]
    return list(dict.fromkeys([*names, *(sorted(compiled(rule.expression).variables) if rule.expression else ())]))


def condition_lines(word: str, condition: Condition) -> Iterator[str]:
    """A condition in words, an alternative a line."""
    for number, clauses in enumerate(condition):
        said = " and ".join(f"{name} is {' or '.join(words)}" for name, words in clauses)
        yield f"{word if not number else 'or'} {said}"
