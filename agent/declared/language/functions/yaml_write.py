"""`yamlencode`.

Hides how Terraform lays YAML out, found by trying: blocks, texts in double quotes, texts of several lines as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from agent.declared.language.conversion import text
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.json_text import DEEPEST
from agent.declared.language.functions.text import bounded, nfc
from agent.declared.language.types import STRING
from agent.declared.language.values import List, Map, Null, Object, Set, Tuple, Value

_STEP = 2
_WIDTH = 80
"""Column behind which a quoted text goes on in the next line, at its next space."""
_LONGEST_KEY = 128
"""Bytes; a longer key stands behind a `?`."""

_BREAKS = re.compile("[\r\n\x85\u2028\u2029]")
_UNWRITTEN = re.compile(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
"""What is never written as it is."""
_ESCAPED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
"""What a text in double quotes escapes: the same, line breaks, `"` and `\\`."""
_NAMES = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
    '"': '"', "\\": "\\", "\x85": "N", "\u2028": "L", "\u2029": "P",
}  # fmt: skip
_LINES_THAT_END_IN_SPACE = re.compile(" (?:[\n\x85\u2028\u2029]|\\Z)")


class _Page:
    """A text that grows, and where its last line ends."""

    __slots__ = ("column", "fresh", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.column = 0
        self.fresh = True
        """Whether the line holds nothing yet but indentation and what introduces an item."""

    def write(self, part: str) -> None:
        """Adds what holds no line break."""
        self.parts.append(part)
        self.column += len(part)
        self.size += len(part)
        bounded(self.size)
        self.fresh = False

    def token(self, part: str) -> None:
        """Adds it, with a space before it where something stands there."""
        spaced = not self.column or self.parts[-1].endswith(" ")
        self.write(part if spaced else f" {part}")

    def introduce(self, part: str) -> None:
        """Adds `-`, `?` or `:`, behind which an item may begin in the same line."""
        self.token(part)
        self.fresh = True

    def end_line(self, character: str = "\n") -> None:
        """Ends the line, with one of the characters that do that."""
        self.parts.append(character)
        self.column, self.fresh = 0, True

    def line(self, indent: int) -> None:
        """Goes to a line, this or the next, that holds nothing yet, and indents it."""
        if not self.fresh or self.column > indent:
            self.end_line()
        if self.column < indent:
            self.parts.append(" " * (indent - self.column))
            self.size += indent - self.column
        self.column = indent


def encoded(value: Value) -> str:
    """A known, unmarked, forced value as YAML. Raises `EvaluationError`."""
    page = _Page()
    _node(page, value, -_STEP, 0, of_key=False)
    if page.column:
        page.end_line()
    if isinstance(value, bool | int | Decimal | Null):
        page.parts.append("...\n")
    return nfc("".join(page.parts))


def _node(page: _Page, value: Value, indent: int, depth: int, *, of_key: bool) -> None:
    """Writes a value inside a container indented so; a list that is a key's value is not indented further."""
    if depth > DEEPEST:
        raise EvaluationError(f"the value is nested deeper than {DEEPEST} levels")
    match value:
        case Null():
            page.token("null")
        case bool() | int() | Decimal():
            page.token(text(value))
        case str():
            _text(page, value, max(indent, 0) + _STEP, may_break=True)
        case List() | Set() | Tuple():
            if not value.items:
                page.token("[]")
            for each in value.items:
                page.line(own := indent if of_key else indent + _STEP)
                page.introduce("-")
                _node(page, each, own, depth + 1, of_key=False)
        case Map() | Object():
            if not value.items:
                page.token("{}")
            for key, each in value.items.items():
                _pair(page, key, each, indent + _STEP, depth + 1)


def _pair(page: _Page, key: str, value: Value, indent: int, depth: int) -> None:
    page.line(indent)
    simple = len(key.encode()) <= _LONGEST_KEY and not _BREAKS.search(key)
    if simple:
        _text(page, key, indent + _STEP, may_break=False)
        page.write(":")
    else:
        page.introduce("?")
        _text(page, key, indent + _STEP, may_break=True)
        page.line(indent)
        page.introduce(":")
    _node(page, value, indent, depth, of_key=simple)


def _text(page: _Page, value: str, indent: int, *, may_break: bool) -> None:
    if "\n" in value and may_break and not _UNWRITTEN.search(value) and not _LINES_THAT_END_IN_SPACE.search(value):
        _literal(page, value, indent)
    else:
        _quoted(page, value, indent, may_break=may_break)


def _literal(page: _Page, value: str, indent: int) -> None:
    hint = str(_STEP) if value[0] == " " or _BREAKS.match(value) else ""
    keep = "-" if not _BREAKS.match(value[-1]) else "+" if len(value) == 1 or _BREAKS.match(value[-2]) else ""
    page.token(f"|{hint}{keep}")
    page.end_line()
    position = 0
    for found in _BREAKS.finditer(value):
        _line(page, value[position : found.start()], indent)
        page.end_line(found[0])
        position = found.end()
    _line(page, value[position:], indent)


def _line(page: _Page, part: str, indent: int) -> None:
    if part:
        page.line(indent)
        page.write(part)


_WORD_OR_SPACE = re.compile("[^ ]+| ")


def _quoted(page: _Page, value: str, indent: int, *, may_break: bool) -> None:
    bounded(len(value))
    page.token('"')
    escapes = {ord(each): _escape(each) for each in set(_ESCAPED.findall(value))}
    after_space = False
    last = len(value) - 1
    for found in _WORD_OR_SPACE.finditer(value):
        space, at = found[0] == " ", found.start()
        if space and may_break and not after_space and page.column > _WIDTH and 0 < at < last:
            page.line(indent)
            if value[at + 1] == " ":
                page.write("\\")
        else:
            page.write(found[0].translate(escapes))
        after_space = space
    page.write('"')


def _escape(character: str) -> str:
    if character in _NAMES:
        return f"\\{_NAMES[character]}"
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


FUNCTIONS: Mapping[str, Function] = {"yamlencode": Function((Parameter("value", null=True),), encoded, STRING)}
