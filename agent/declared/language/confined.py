"""Which files of this machine a configuration may look at, and which of them a pattern names.

Hides links, what leads out of the folder a configuration is confined to, and Go's glob patterns: `doublestar`'s
(https://github.com/bmatcuk/doublestar/tree/v1.1.5), as far as Terraform's `fileset` shows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import re2

from agent.declared.language.error import EvaluationError, TooMuch

MAX_ENTRIES = 100_000
"""Of folders that one pattern may look at."""
MAX_DEPTH = 64
"""Of folders below one another; a link to a folder above itself has no end."""

_META = re.compile(r"[*?\[{\\]")


@dataclass(frozen=True, slots=True)
class Confined:
    """Files below `to`, seen from `directory`."""

    directory: Path
    to: Path

    def real(self, path: str) -> Path:
        """The real path of something that is there.

        Raises `EvaluationError` where nothing is, `TooMuch` where the path leads outside, or into a home folder.
        """
        if path.startswith("~"):
            raise TooMuch("the path begins in a home folder, and nobody knows whose")
        if "\0" in path:
            raise EvaluationError("no file has a path with a zero byte")
        try:
            allowed = os.path.realpath(self.to)
            found = Path(os.path.realpath(self.directory / path))
            there = os.path.lexists(self.directory / path) and found.exists()
        except (OSError, ValueError):
            raise EvaluationError("there is no such file") from None
        if not found.is_relative_to(allowed):
            raise TooMuch("the path leads outside the repository")
        if not there:
            raise EvaluationError("there is no such file")
        return found

    def matching(self, pattern: str) -> Iterator[str]:
        """Paths that match, files and folders, some twice; a link to nothing too. The pattern is relative or absolute.

        Raises `EvaluationError` for a pattern that is none, `TooMuch` where it leads outside or to too many files.
        """
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        once = [part for at, part in enumerate(parts) if part != "**" or parts[at - 1 : at] != ["**"]]
        return _Walk(self, MAX_ENTRIES).below("/" if pattern.startswith("/") else "", once)


@dataclass(slots=True)
class _Walk:
    files: Confined
    left: int
    expressions: dict[str, re2._Regexp] = field(default_factory=dict)

    def below(self, folder: str, parts: Sequence[str], depth: int = 0) -> Iterator[str]:
        """Paths below a folder that match the rest of a pattern."""
        if not parts:
            yield folder
            return
        if depth > MAX_DEPTH:
            raise TooMuch(f"more than {MAX_DEPTH} folders below one another")
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self._at_any_depth(folder, rest, depth)
        elif _META.search(part):
            expression = self._expression(part)
            for entry in self._entries(folder):
                if expression.fullmatch(entry.name) and (not rest or entry.is_dir()):
                    yield from self.below(folder + entry.name + ("/" if rest else ""), rest, depth + 1)
        elif os.path.lexists(self.files.directory / (folder + part)):
            yield from self.below(folder + part + ("/" if rest else ""), rest, depth + 1)

    def _at_any_depth(self, folder: str, rest: Sequence[str], depth: int) -> Iterator[str]:
        yield from self.below(folder, rest, depth + 1)
        for entry in self._entries(folder):
            if entry.is_dir():
                yield from self.below(f"{folder}{entry.name}/", ("**", *rest), depth + 1)
            elif not rest and entry.is_file():
                yield folder + entry.name

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What is in a folder; nothing where it is none."""
        try:
            found = []
            with os.scandir(self.files.real(folder)) as entries:
                for entry in entries:
                    self.left -= 1
                    if self.left < 0:
                        raise TooMuch(f"the pattern looks at more than {MAX_ENTRIES:,} files")
                    found.append(entry)
        except TooMuch:
            raise
        except (EvaluationError, FileNotFoundError, NotADirectoryError):
            return []
        except OSError:
            raise TooMuch("a folder that the pattern looks at cannot be read") from None
        return found

    def _expression(self, part: str) -> re2._Regexp:
        if part not in self.expressions:
            try:
                self.expressions[part] = re2.compile(_translated(part))
            except re2.error:
                raise EvaluationError("the pattern is none") from None
        return self.expressions[part]


_BAD = "the pattern is none: a bracket is left open, or a character missing"
_CLASS = re.compile(r"\[(\^?)((?:[^\\\]-]|\\.)(?:-(?:[^\\\]-]|\\.))?)+\]")


def _translated(part: str) -> str:
    """One part of a pattern, between slashes, as a regular expression."""
    found: list[str] = []
    inside, at = False, 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            found.append("[^/]*")
        elif character == "?":
            found.append("[^/]")
        elif character == "[":
            bracket = _CLASS.match(part, at - 1)
            if bracket is None:
                raise EvaluationError(_BAD)
            found.append(_character_class(bracket[0]))
            at = bracket.end()
        elif character == "\\":
            if at == len(part):
                raise EvaluationError(_BAD)
            found.append(re2.escape(part[at]))
            at += 1
        elif character == "{" and not inside:
            found.append("(?:")
            inside = True
        elif inside and character in ",}":
            found.append("|" if character == "," else ")")
            inside = character == ","
        else:
            found.append(re2.escape(character))
    if inside:
        raise EvaluationError(_BAD)
    return "(?s)" + "".join(found)


def _character_class(written: str) -> str:
    """`[^a-z\\]]` for RE2; the pattern's own escapes are backslashes too."""
    negated = written.startswith("[^")
    ranges = re.findall(r"\\.|[^\\]", written[2 if negated else 1 : -1], re.DOTALL)
    inner = "".join(each if each == "-" else re2.escape(each[-1]) for each in ranges)
    return f"[{'^' if negated else ''}{inner}]"
