"""Rule files: YAML with examples inside → frozen `Rule` values, and the catalogue of controls they speak to.

Hides YAML, file places and every check that can be made before a finding is seen. A mistake in a file is an error with
file, line and what would be right; it is never a rule that quietly does not fire.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

from agent.expression import ExpressionError, compiled
from agent.facts import FACTS, Words
from agent.judge import Condition, Example, Rule, Stage, decide, example_facts
from agent.model import Severity, Unknown
from agent.rule_file import (
    DEEPEST,
    LARGEST,
    RISK_FILE,
    RuleError,
    RuleFile,
    list_of,
    mapping,
    meant,
    one_of,
    rule_files,
    shown_as,
    text,
)
from agent.shipped import shipped
from agent.tables import RulesConfig

__all__ = [
    "DEEPEST",
    "LARGEST",
    "RISK_FILE",
    "Checked",
    "Control",
    "RuleError",
    "check_rules",
    "load_controls",
    "load_rules",
    "ruleset_sha256",
    "staged",
]

Relation = Literal["supports", "partially supports"]
Evidence = Literal["rules", "report"]


@dataclass(frozen=True, slots=True)
class Control:
    """One control of one framework, and how our evidence stands to it; "satisfies" is the auditor's word, not ours."""

    id: str
    """`SOC2:CC8.1`"""
    framework: str
    """The framework's full name and version."""
    title: str
    """Short: the texts of ISO, PCI and AICPA are theirs."""
    relation: Relation
    evidence: Evidence
    """Where it comes from: rules that name the control, or what every report shows."""

    @property
    def number(self) -> str:
        """The id without its framework."""
        return self.id.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Checked:
    """One example of one rule, tried."""

    rule: str
    example: str
    expected: bool
    got: bool | Unknown

    @property
    def passed(self) -> bool:
        """Whether the rule decided as its example says."""
        return self.got is self.expected


def load_rules(directories: Sequence[Path] = ()) -> tuple[Rule, ...]:
    """The rules that ship with the package and those of the user's directories, by id; a later one replaces.

    Raises `RuleError`.
    """
    controls = load_controls(directories)
    rules = dict(_shipped_rules())
    for directory in directories:
        rules |= {rule.id: rule for rule in (_rule(file, controls) for file in rule_files(str(directory), directory))}
    return tuple(rules[name] for name in sorted(rules))


def load_controls(directories: Sequence[Path] = ()) -> Mapping[str, Control]:
    """The catalogue of controls by id: ours, and those in the `controls` folders of the user's directories of rules.

    Raises `RuleError`.
    """
    controls = dict(_shipped_controls())
    for directory in directories:
        if not directory.is_dir():
            raise RuleError(f"{directory}: no such directory of rules")
        controls |= _catalogue(f"{directory}/controls", directory / "controls")
    return controls


def staged(rules: Sequence[Rule], asked: RulesConfig) -> tuple[Rule, ...]:
    """The rules with the stages of `[rules] enforce` and `observe`. Raises `RuleError` for a name that is no rule's."""
    found = tuple(rules)
    wishes: tuple[tuple[Stage, tuple[str, ...]], ...] = (("enforce", asked.enforce), ("observe", asked.observe))
    for stage, names in wishes:
        for name in names:
            if not any(fnmatchcase(rule.id, name) for rule in rules):
                raise RuleError(
                    f"[rules] {stage}: no rule is called {name!r}{meant(name, [rule.id for rule in rules])}"
                )
        found = tuple(
            replace(rule, stage=stage) if any(fnmatchcase(rule.id, name) for name in names) else rule for rule in found
        )
    both = [rule.id for rule in rules if all(any(fnmatchcase(rule.id, one) for one in names) for _, names in wishes)]
    if both:
        raise RuleError(f"[rules]: {', '.join(both)} cannot be both enforced and observed")
    return found


def check_rules(rules: Iterable[Rule]) -> tuple[Checked, ...]:
    """Every example of every rule, tried."""
    return tuple(
        Checked(rule.id, example.name, example.violates, decide(rule, example_facts(example.facts)).broken)
        for rule in rules
        for example in rule.examples
    )


def ruleset_sha256(rules: Sequence[Rule]) -> str:
    """Digest of what the rules say, wherever their files stand: with the same digest the same is judged."""
    content = [dataclasses.asdict(rule) for rule in rules]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@functools.cache
def _shipped_rules() -> Mapping[str, Rule]:
    rules = (_rule(file, _shipped_controls()) for file in rule_files("rules", shipped("rules")))
    return {rule.id: rule for rule in rules}


@functools.cache
def _shipped_controls() -> Mapping[str, Control]:
    return _catalogue("rules/controls", shipped("rules") / "controls")


def _catalogue(label: str, place: Traversable) -> dict[str, Control]:
    return {control.id: control for file in rule_files(label, place) for control in _controls(file)}


# --- rules ---------------------------------------------------------------------------------------------------

_REQUIRED = ("id", "title", "severity", "stage", "why", "fix", "controls", "examples")
_KEYS = (*_REQUIRED, "when", "unless", "expression", "runbook", "false_positives")


def _rule(file: RuleFile, controls: Mapping[str, Control]) -> Rule:
    root = mapping(file, file.root, "a rule", _KEYS, _REQUIRED)
    name = text(file, root, "id")
    if name != file.name:
        raise file.error(root, "id", f"id {name!r} in a file named {file.name!r}: the file's name is the rule's id")
    severity: Severity = one_of(file, root, "severity", get_args(Severity))
    if not {"when", "expression"} & root.keys():
        raise file.error(root, "id", "a rule needs `when`, or an `expression`: it would never hold")
    examples = list_of(file, root, "examples", lambda node, index: _example(file, node, index))
    for violates, word in ((True, "breaks"), (False, "keeps")):
        if not any(example.violates is violates for example in examples):
            raise file.error(root, "examples", f"no example that {word} the rule: `violates: {str(violates).lower()}`")
    return Rule(
        name,
        text(file, root, "title"),
        severity,
        when=_condition(file, root, "when") if "when" in root else (),
        unless=_condition(file, root, "unless") if "unless" in root else (),
        why=text(file, root, "why"),
        fix=text(file, root, "fix"),
        controls=list_of(file, root, "controls", lambda node, index: _named(file, node, index, controls)),
        false_positives=list_of(file, root, "false_positives", lambda node, index: text(file, node, index)),
        examples=examples,
        stage=one_of(file, root, "stage", get_args(Stage)),
        expression=_expression(file, root),
        runbook=text(file, root, "runbook") if "runbook" in root else "",
    )


def _expression(file: RuleFile, root: Mapping[str, Any]) -> str:
    if "expression" not in root:
        return ""
    source = text(file, root, "expression")
    try:
        compiled(source)
    except ExpressionError as error:
        raise file.error(root, "expression", f"expression: {error}") from None
    return source


def _named(file: RuleFile, node: Sequence[Any], index: int, controls: Mapping[str, Control]) -> str:
    name = text(file, node, index)
    if name not in controls:
        raise file.error(node, index, f"unknown control {name!r}{meant(name, sorted(controls))}")
    return name


def _condition(file: RuleFile, node: Any, key: Any) -> Condition:
    value = node[key]
    alternatives = value if isinstance(value, list) else [value]
    if not alternatives:
        raise file.error(node, key, f"{key} is empty: it would never hold")
    return tuple(_clauses(file, node, key, alternative) for alternative in alternatives)


def _clauses(file: RuleFile, node: Any, key: Any, value: Any) -> tuple[tuple[str, Words], ...]:
    if not isinstance(value, Mapping) or not value:
        raise file.error(node, key, f"{key} must be a map of facts, or a list of such maps")
    return tuple((fact, _words(file, value, fact, wildcards=True)) for fact in value)


def _words(file: RuleFile, node: Mapping[str, Any], fact: str, *, wildcards: bool) -> Words:
    """What a fact is compared with, or in an example what it is."""
    if fact not in FACTS:
        raise file.error(node, fact, f"unknown fact {fact!r}{meant(fact, FACTS)}")
    value = node[fact]
    if isinstance(value, list):
        if not value:
            raise file.error(node, fact, f"{fact} is compared with nothing: it would never hold")
        return tuple(_word(file, value, index, fact, wildcards=wildcards) for index in range(len(value)))
    return (_word(file, node, fact, fact, wildcards=wildcards),)


def _word(file: RuleFile, node: Any, key: Any, fact: str, *, wildcards: bool) -> str:
    value, can_be = node[key], FACTS[fact].values
    word = ("no", "yes")[value] if isinstance(value, bool) else text(file, node, key)
    if can_be and word not in can_be and not (wildcards and any(fnmatchcase(one, word) for one in can_be)):
        raise file.error(node, key, f"{fact} is never {word!r}{meant(word, can_be)}")
    return word


def _example(file: RuleFile, node: Sequence[Any], index: int) -> Example:
    keys = ("name", "facts", "violates")
    if not isinstance(node[index], Mapping):
        raise file.error(node, index, f"an example must be a map with {', '.join(keys)}")
    example = mapping(file, node[index], "an example", keys, keys)
    facts, violates = example["facts"], example["violates"]
    if not isinstance(facts, Mapping):
        raise file.error(example, "facts", "facts must be a map; write {} for none but the usual ones")
    if not isinstance(violates, bool):
        raise file.error(example, "violates", f"violates must be true or false, not {shown_as(violates)}")
    return Example(
        text(file, example, "name"),
        {fact: _words(file, facts, fact, wildcards=False) for fact in facts},
        violates,
    )


# --- controls ------------------------------------------------------------------------------------------------


def _controls(file: RuleFile) -> Iterable[Control]:
    root = mapping(file, file.root, "a control file", ("framework", "controls"), ("framework", "controls"))
    framework, controls = text(file, root, "framework"), root["controls"]
    if not isinstance(controls, Mapping):
        raise file.error(root, "controls", "controls must be a map of control number to title, relation, evidence")
    for number in controls:
        if not isinstance(number, str):
            raise file.error(controls, number, f"control number {number} must be text; write it in quotes")
        if not isinstance(controls[number], Mapping):
            raise file.error(controls, number, f"control {number!r} must be a map with title, relation, evidence")
        fields = ("title", "relation", "evidence")
        control = mapping(file, controls[number], f"control {number!r}", fields, fields)
        yield Control(
            f"{file.name}:{number}",
            framework,
            text(file, control, "title"),
            one_of(file, control, "relation", get_args(Relation)),
            one_of(file, control, "evidence", get_args(Evidence)),
        )
