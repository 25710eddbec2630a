"""YAML of plain values, written without ruamel.yaml, which takes twenty times as long for nothing gained.

Hides when a text needs quotes. What it writes is read back as the same values; what it cannot write it leaves to
ruamel.yaml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.tickets import document

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*|(?!0b)[0-9][0-9a-f]*[a-df][0-9a-f]*")
_TAKEN = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
"""Words that YAML 1.1 or 1.2 take for something else than text."""
_BLOCK = re.compile(r"[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\n]+")


def written(values: Mapping[str, Any]) -> str:
    """The text of a mapping of texts, lists of texts and lists of mappings of texts."""
    try:
        return "".join(_fields(values, ""))
    except TypeError:
        return document.dump(dict(values))


def _fields(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in values.items():
        match value:
            case str():
                yield f"{indent}{name}: {_text(value, indent)}\n"
            case []:
                yield f"{indent}{name}: []\n"
            case list():
                yield f"{indent}{name}:\n"
                for one in value:
                    yield from _item(one, indent)
            case _:
                raise TypeError(type(value).__name__)


def _item(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{indent}- {_text(value, indent)}\n"
        return
    if not isinstance(value, Mapping) or not value:
        raise TypeError(type(value).__name__)
    lines = "".join(_fields(value, f"{indent}  "))
    yield f"{indent}- {lines[len(indent) + 2 :]}"


def _text(text: str, indent: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _TAKEN:
        return text
    if text.endswith("\n") and not text.endswith("\n\n") and text[0] not in " \n" and _BLOCK.fullmatch(text):
        lines = text[:-1].split("\n")
        if not any(line != line.rstrip() for line in lines):
            return "|\n" + "\n".join(f"{indent}  {line}" if line else "" for line in lines)
    if text and _BLOCK.fullmatch(text) and "\n" not in text:
        return "'" + text.replace("'", "''") + "'"
    quoted = json.dumps(text, ensure_ascii=False)
    # JSON leaves alone what YAML takes for a line break, or for no character at all.
    return re.sub(
        r"[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]", lambda one: f"\\u{ord(one[0]):04x}", quoted
    )
