"""Rule files: YAML with examples inside → frozen `Rule` values, and the catalogue of controls they speak to.

Hides YAML, file places and every check that can be made before a finding is seen. A mistake in a file is an error with
file, line and what would be right; it is never a rule that quietly does not fire.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from agent.facts import FACTS, Words
from agent.judge import Condition, Example, Rule, decide, example_facts
from agent.model import Severity, Unknown
from agent.shipped import shipped

Relation = Literal["supports", "partially supports"]
Evidence = Literal["rules", "report"]

T = TypeVar("T")

LARGEST = 64 * 1024
"""Bytes of a rule file; ours have about two thousand."""
MOST_BRACKETS = 1000
"""The parser's time grows with the square of their nesting: 64 KiB of `[` take it a quarter of an hour."""


class RuleError(Exception):
    """A mistake in a rule or control file: `file:line: what is wrong; what would be right`."""


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
        rules |= {rule.id: rule for rule in (_rule(file, controls) for file in _files(str(directory), directory))}
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
    rules = (_rule(file, _shipped_controls()) for file in _files("rules", shipped("rules")))
    return {rule.id: rule for rule in rules}


@functools.cache
def _shipped_controls() -> Mapping[str, Control]:
    return _catalogue("rules/controls", shipped("rules") / "controls")


def _catalogue(label: str, place: Traversable) -> dict[str, Control]:
    return {control.id: control for file in _files(label, place) for control in _controls(file)}


# --- one file ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    """A parsed YAML file that can say where in it something stands."""

    label: str
    name: str
    """Without the extension."""
    root: Any

    def error(self, node: Any, entry: Any, text: str) -> RuleError:
        """An error at the entry (key or index) of a map or list of the file, or at its start."""
        try:
            line = node.lc.data[entry][0]
        except (AttributeError, KeyError, TypeError):
            line = getattr(getattr(node, "lc", None), "line", 0)
        return RuleError(f"{self.label}:{line + 1}: {text}")


def _files(label: str, place: Traversable) -> Iterable[_File]:
    if not place.is_dir():
        return
    for file in sorted(place.iterdir(), key=lambda found: found.name):
        if file.name.endswith((".yaml", ".yml")):
            yield _parse(f"{label}/{file.name}", file.name.rsplit(".", 1)[0], file)


def _parse(label: str, name: str, file: Traversable) -> _File:
    try:
        raw = file.read_bytes()
        if len(raw) > LARGEST:
            raise RuleError(f"{label}: {len(raw)} bytes; a rule file has at most {LARGEST}")
        if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS:
            raise RuleError(f"{label}: more than {MOST_BRACKETS} brackets; a rule file has fewer")
        return _File(label, name, YAML(typ="rt", pure=True).load(io.StringIO(raw.decode())))
    except OSError as error:
        raise RuleError(f"{label}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RuleError(f"{label}:{line}: not UTF-8") from error
    except RecursionError as error:
        raise RuleError(f"{label}: nested too deeply to be a rule") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        raise RuleError(f"{label}:{mark.line + 1 if mark else 1}: not YAML: {said}") from error
    except (YAMLError, ValueError) as error:
        raise RuleError(f"{label}: not YAML: {error}") from error


def _map(file: _File, node: Any, what: str, known: Sequence[str], required: Sequence[str]) -> Mapping[str, Any]:
    """The node, if it is a map with known and all required keys."""
    if not isinstance(node, Mapping):
        raise file.error(node, None, f"{what} must be a map with {', '.join(required)}")
    for key in node:
        if key not in known:
            raise file.error(node, key, f"unknown key {key!r} in {what}{_meant(key, known)}")
    for key in required:
        if key not in node:
            raise file.error(node, None, f"{what} has no {key!r}")
    return node


def _text(file: _File, node: Any, key: Any) -> str:
    value = node[key]
    if not isinstance(value, str):
        raise file.error(node, key, f"{_entry(key)} must be text, not {_shown(value)}; write it in quotes")
    if not value.strip():
        raise file.error(node, key, f"{_entry(key)} is empty")
    return " ".join(value.split())


def _one_of(file: _File, node: Any, key: str, choices: Sequence[str]) -> Any:
    value = _text(file, node, key)
    if value not in choices:
        raise file.error(node, key, f"{key} {value!r} must be one of {', '.join(choices)}{_meant(value, choices)}")
    return value


def _list(file: _File, node: Mapping[str, Any], key: str, each: Callable[[Sequence[Any], int], T]) -> tuple[T, ...]:
    """The entries of a list, each read by a function of the list and the index."""
    value = node.get(key, [])
    if not isinstance(value, list):
        raise file.error(node, key, f"{key} must be a list")
    return tuple(each(value, index) for index in range(len(value)))


def _meant(word: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _entry(key: Any) -> str:
    return f"entry {key + 1}" if isinstance(key, int) else f"{key}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case Mapping():
            return "a map"
        case list():
            return "a list"
        case _:
            return str(value)


# --- rules ---------------------------------------------------------------------------------------------------

_KEYS = ("id", "title", "severity", "when", "unless", "why", "fix", "controls", "false_positives", "examples")
_REQUIRED = ("id", "title", "severity", "when", "why", "fix", "controls", "examples")


def _rule(file: _File, controls: Mapping[str, Control]) -> Rule:
    root = _map(file, file.root, "a rule", _KEYS, _REQUIRED)
    name = _text(file, root, "id")
    if name != file.name:
        raise file.error(root, "id", f"id {name!r} in a file named {file.name!r}: the file's name is the rule's id")
    severity: Severity = _one_of(file, root, "severity", get_args(Severity))
    examples = _list(file, root, "examples", lambda node, index: _example(file, node, index))
    for violates, word in ((True, "breaks"), (False, "keeps")):
        if not any(example.violates is violates for example in examples):
            raise file.error(root, "examples", f"no example that {word} the rule: `violates: {str(violates).lower()}`")
    return Rule(
        name,
        _text(file, root, "title"),
        severity,
        when=_condition(file, root, "when"),
        unless=_condition(file, root, "unless") if "unless" in root else (),
        why=_text(file, root, "why"),
        fix=_text(file, root, "fix"),
        controls=_list(file, root, "controls", lambda node, index: _named(file, node, index, controls)),
        false_positives=_list(file, root, "false_positives", lambda node, index: _text(file, node, index)),
        examples=examples,
    )


def _named(file: _File, node: Sequence[Any], index: int, controls: Mapping[str, Control]) -> str:
    name = _text(file, node, index)
    if name not in controls:
        raise file.error(node, index, f"unknown control {name!r}{_meant(name, sorted(controls))}")
    return name


def _condition(file: _File, node: Any, key: Any) -> Condition:
    value = node[key]
    alternatives = value if isinstance(value, list) else [value]
    if not alternatives:
        raise file.error(node, key, f"{key} is empty: it would never hold")
    return tuple(_clauses(file, node, key, alternative) for alternative in alternatives)


def _clauses(file: _File, node: Any, key: Any, value: Any) -> tuple[tuple[str, Words], ...]:
    if not isinstance(value, Mapping) or not value:
        raise file.error(node, key, f"{key} must be a map of facts, or a list of such maps")
    return tuple((fact, _words(file, value, fact, wildcards=True)) for fact in value)


def _words(file: _File, node: Mapping[str, Any], fact: str, *, wildcards: bool) -> Words:
    """What a fact is compared with, or in an example what it is."""
    if fact not in FACTS:
        raise file.error(node, fact, f"unknown fact {fact!r}{_meant(fact, FACTS)}")
    value = node[fact]
    if isinstance(value, list):
        if not value:
            raise file.error(node, fact, f"{fact} is compared with nothing: it would never hold")
        return tuple(_word(file, value, index, fact, wildcards=wildcards) for index in range(len(value)))
    return (_word(file, node, fact, fact, wildcards=wildcards),)


def _word(file: _File, node: Any, key: Any, fact: str, *, wildcards: bool) -> str:
    value, can_be = node[key], FACTS[fact].values
    word = ("no", "yes")[value] if isinstance(value, bool) else _text(file, node, key)
    if can_be and word not in can_be and not (wildcards and any(fnmatchcase(one, word) for one in can_be)):
        raise file.error(node, key, f"{fact} is never {word!r}{_meant(word, can_be)}")
    return word


def _example(file: _File, node: Sequence[Any], index: int) -> Example:
    keys = ("name", "facts", "violates")
    if not isinstance(node[index], Mapping):
        raise file.error(node, index, f"an example must be a map with {', '.join(keys)}")
    example = _map(file, node[index], "an example", keys, keys)
    facts, violates = example["facts"], example["violates"]
    if not isinstance(facts, Mapping):
        raise file.error(example, "facts", "facts must be a map; write {} for none but the usual ones")
    if not isinstance(violates, bool):
        raise file.error(example, "violates", f"violates must be true or false, not {_shown(violates)}")
    return Example(
        _text(file, example, "name"),
        {fact: _words(file, facts, fact, wildcards=False) for fact in facts},
        violates,
    )


# --- controls ------------------------------------------------------------------------------------------------


def _controls(file: _File) -> Iterable[Control]:
    root = _map(file, file.root, "a control file", ("framework", "controls"), ("framework", "controls"))
    framework, controls = _text(file, root, "framework"), root["controls"]
    if not isinstance(controls, Mapping):
        raise file.error(root, "controls", "controls must be a map of control number to title, relation, evidence")
    for number in controls:
        if not isinstance(number, str):
            raise file.error(controls, number, f"control number {number} must be text; write it in quotes")
        if not isinstance(controls[number], Mapping):
            raise file.error(controls, number, f"control {number!r} must be a map with title, relation, evidence")
        fields = ("title", "relation", "evidence")
        control = _map(file, controls[number], f"control {number!r}", fields, fields)
        yield Control(
            f"{file.name}:{number}",
            framework,
            _text(file, control, "title"),
            _one_of(file, control, "relation", get_args(Relation)),
            _one_of(file, control, "evidence", get_args(Evidence)),
        )
