"""One YAML file of rules or controls, taken apart; whatever is wrong is an error: `file:line: what; what is right`.

Hides YAML, its dangers, and how a value finds its line. Scalars without quotes mean what they do in YAML 1.2 (core
schema, https://yaml.org/spec/1.2.2/#103-core-schema): `no` is a word and `012` is twelve.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, TypeVar

from yaml.events import CollectionEndEvent, MappingStartEvent, ScalarEvent

from agent.yaml_events import Event, YamlError, events, is_plain, line_of

T = TypeVar("T")

RISK_FILE = "risk.yaml"
"""The file of weights, which is no rule."""
LARGEST = 64 * 1024
"""Bytes of a rule file; ours have about two thousand."""
DEEPEST = 20
"""Levels of a rule file; ours have five."""
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)"), lambda text: float(text.replace(".", ""))),
    (re.compile(r"\.(nan|NaN|NAN)"), lambda _: float("nan")),
)


class RuleError(Exception):
    """A mistake in a rule or control file: `file:line: what is wrong; what would be right`."""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A parsed YAML file that can say where in it something stands."""

    label: str
    name: str
    """Without the extension."""
    root: Any

    def error(self, node: Any, entry: Any, text: str) -> RuleError:
        """An error at the entry (key or index) of a map or list of the file, or at its start."""
        line = node.lines.get(entry, node.line) if isinstance(node, _Map | _List) else 1
        return RuleError(f"{self.label}:{line}: {text}")


class _Map(dict[Any, Any]):
    """A map that knows its line and those of its keys."""

    line = 1
    lines: Mapping[Any, int] = MappingProxyType({})


class _List(list[Any]):
    """A list that knows its line and those of its items, by index."""

    line = 1
    lines: Mapping[int, int] = MappingProxyType({})


def rule_files(label: str, place: Traversable) -> Iterable[RuleFile]:
    """The YAML files of a directory by name, without that of weights; none where there is no directory."""
    if not place.is_dir():
        return
    for file in sorted(place.iterdir(), key=lambda found: found.name):
        if file.name.endswith((".yaml", ".yml")) and file.name != RISK_FILE:
            yield parse(f"{label}/{file.name}", file.name.rsplit(".", 1)[0], file)


def parse(label: str, name: str, file: Traversable) -> RuleFile:
    """One file, parsed. Raises `RuleError`."""
    try:
        raw = file.read_bytes()
        if len(raw) > LARGEST:
            raise RuleError(f"{label}: {len(raw)} bytes; a rule file has at most {LARGEST}")
        return RuleFile(label, name, _root(events(raw.decode())))
    except OSError as error:
        raise RuleError(f"{label}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RuleError(f"{label}:{line}: not UTF-8") from error
    except YamlError as error:
        raise RuleError(f"{label}:{error.line}: {error}" if error.line else f"{label}: {error}") from error


def _root(found: Iterator[Event]) -> Any:
    first = next(found, None)
    if first is None:
        return None
    root = _built(first, found, 1)
    next(found, None)  # meets a second document, if there is one
    return root


def _built(event: Event, found: Iterator[Event], depth: int) -> Any:
    if depth > DEEPEST:
        raise YamlError(line_of(event), f"nested deeper than {DEEPEST} levels")
    if isinstance(event, ScalarEvent):
        return _scalar(event)
    lines: dict[Any, int] = {}
    built: _Map | _List
    if isinstance(event, MappingStartEvent):
        built = _Map()
        while not isinstance(its := next(found), CollectionEndEvent):
            if not isinstance(its, ScalarEvent):
                raise YamlError(line_of(its), "a key must be text")
            key = _scalar(its)
            if key in lines:
                raise YamlError(line_of(its), f"key {key!r} stands here and on line {lines[key]}")
            lines[key] = line_of(its)
            built[key] = _built(next(found), found, depth + 1)
    else:
        built = _List()
        while not isinstance(its := next(found), CollectionEndEvent):
            lines[len(built)] = line_of(its)
            built.append(_built(its, found, depth + 1))
    built.line, built.lines = line_of(event), lines
    return built


def _scalar(event: ScalarEvent) -> Any:
    if not is_plain(event):
        return event.value
    if event.value in _WORDS:
        return _WORDS[event.value]
    number = next((of for pattern, of in _NUMBERS if pattern.fullmatch(event.value)), None)
    try:
        return event.value if number is None else number(event.value)
    except ValueError:  # Python reads no number of thousands of digits
        raise YamlError(line_of(event), "a number of too many digits") from None


def mapping(file: RuleFile, node: Any, what: str, known: Sequence[str], required: Sequence[str]) -> Mapping[str, Any]:
    """The node, if it is a map with known and all required keys."""
    if not isinstance(node, Mapping):
        raise file.error(node, None, f"{what} must be a map with {', '.join(required)}")
    for key in node:
        if key not in known:
            raise file.error(node, key, f"unknown key {key!r} in {what}{meant(key, known)}")
    for key in required:
        if key not in node:
            raise file.error(node, None, f"{what} has no {key!r}")
    return node


def text(file: RuleFile, node: Any, key: Any) -> str:
    """The text at a key or an index, its spaces folded. Raises `RuleError` for what is no text, or empty."""
    value = node[key]
    if not isinstance(value, str):
        raise file.error(node, key, f"{entry(key)} must be text, not {shown_as(value)}; write it in quotes")
    if not value.strip():
        raise file.error(node, key, f"{entry(key)} is empty")
    return " ".join(value.split())


def one_of(file: RuleFile, node: Any, key: str, choices: Sequence[str]) -> Any:
    """The word at a key, one of the choices. Raises `RuleError`."""
    value = text(file, node, key)
    if value not in choices:
        raise file.error(node, key, f"{key} {value!r} must be one of {', '.join(choices)}{meant(value, choices)}")
    return value


def list_of(
    file: RuleFile, node: Mapping[str, Any], key: str, each: Callable[[Sequence[Any], int], T]
) -> tuple[T, ...]:
    """The entries of a list, each read by a function of the list and the index."""
    value = node.get(key, [])
    if not isinstance(value, list):
        raise file.error(node, key, f"{key} must be a list")
    return tuple(each(value, index) for index in range(len(value)))


def meant(word: object, known: Iterable[str]) -> str:
    """For an error: the known word that was probably meant, else all of them."""
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def entry(key: Any) -> str:
    """A key or an index, as an error names it."""
    return f"entry {key + 1}" if isinstance(key, int) else f"{key}"


def shown_as(value: Any) -> str:
    """A value of the wrong kind, as an error names it."""
    match value:
        case None:
            return "empty"
        case Mapping():
            return "a map"
        case list():
            return "a list"
        case _:
            return str(value)
