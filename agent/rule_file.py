"""One YAML file of rules or controls, taken apart; whatever is wrong is an error: `file:line: what; what is right`.

Hides YAML, its dangers, and how a value finds its line.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

T = TypeVar("T")

RISK_FILE = "risk.yaml"
"""The file of weights, which is no rule."""
LARGEST = 64 * 1024
"""Bytes of a rule file; ours have about two thousand."""
MOST_BRACKETS = 1000
"""The parser's time grows with the square of their nesting: 64 KiB of `[` take it a quarter of an hour."""


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
        try:
            line = node.lc.data[entry][0]
        except (AttributeError, KeyError, TypeError):
            line = getattr(getattr(node, "lc", None), "line", 0) or 0  # a scalar of ruamel's may have a place of None
        return RuleError(f"{self.label}:{line + 1}: {text}")


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
        if raw.count(b"[") + raw.count(b"{") > MOST_BRACKETS:
            raise RuleError(f"{label}: more than {MOST_BRACKETS} brackets; a rule file has fewer")
        return RuleFile(label, name, YAML(typ="rt", pure=True).load(io.StringIO(raw.decode())))
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
