"""Where in a TOML file a mistake stands, and how it is told: `file:line: name: why`.

Hides how a path of the parsed values finds its line, and that what a reference was replaced by is never told.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_HEADER = re.compile(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\"-]+)\s*=")
_SYNTAX = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The file as it was written."""

    path: Path
    text: str
    replaced: dict[str, str]
    """What references were replaced by → the reference as written, which is told in its place."""

    def mistake(self, where: str, why: str) -> str:
        """The message for a mistake at a path such as `$.stack[1].dir`."""
        for value in sorted(filter(None, self.replaced), key=len, reverse=True):
            why = why.replace(value, self.replaced[value])
        name = where.removeprefix("$").removeprefix(".") or "the file"
        return f"{self.path}:{self._line(where)}: {name}: {why}"

    def not_toml(self, said: str) -> str:
        """The message for what `tomllib` says of text that is no TOML."""
        lines = self.text.splitlines() or [""]
        found = _SYNTAX.search(said)
        number = int(found[1]) if found and found[1] else len(lines)
        return f"{self.path}:{number}: not TOML: {_SYNTAX.sub('', said)}: {lines[number - 1].strip()[:80]}"

    def _line(self, where: str) -> int:
        """Line of the innermost table or key on the way; 1 where none is."""
        best, depth, table = 1, 0, "$"
        seen: Counter[str] = Counter()
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := _HEADER.match(line):
                name = f"$.{header[2]}"
                # `[stack.vars]` belongs to the `[[stack]]` above it.
                array = max((one for one in seen if name.startswith(f"{one}.")), key=len, default="")
                if array:
                    name = f"{array}[{seen[array] - 1}]{name.removeprefix(array)}"
                place = table = f"{name}[{seen[name]}]" if header[1] else name
                if header[1]:
                    seen[name] += 1
            elif key := _KEY.match(line):
                place = f"{table}.{key[1]}".replace('"', "")
            else:
                continue
            on_the_way = f"{where}.".startswith((f"{place}.", f"{place}[")) or place == f"{where}[0]"
            if len(place) > depth and on_the_way:
                best, depth = number, len(place)
        return best
