"""Values as Terraform code, laid out as `terraform fmt` does.

Hides quoting: nothing in a value is ever a template, a comment's end, or a character that steers a terminal. Secrets,
what is not known and what is too long stand as comments.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from agent.clean import clean
from agent.model import Secret, Unknown

LONGEST = 8000
"""Characters of one value; a policy document has at most 20,480, and most have a tenth."""
DEEPEST = 16
"""Levels of one value; code that people read has five."""
_SHORT = 80
"""Characters up to which a list or map stands on one line."""

_STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_TEMPLATE = re.compile(r"(?<![$%])([$%])(?=\{)|([$%])(?=\{)")
"""What begins a template: doubled it does not. After another such sign that could be read in two ways."""
_SIGNS = {"$": "\\u0024", "%": "\\u0025"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

Body = Mapping[str, Any]
"""Argument → value. A list of maps is a block for each, as the AWS provider has them."""


def quoted(text: str) -> str:
    """Text as a literal string: `${` and `%{` are escaped, and whatever is not printed."""
    shown = "".join(map(_escaped, text)) if not (text.isascii() and text.isprintable()) else text
    if shown is text:
        shown = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_TEMPLATE.sub(lambda sign: sign[1] * 2 if sign[1] else _SIGNS[sign[2]], shown)}"'


def block(head: str, body: Body, indent: int = 0) -> list[str]:
    """A block with its arguments and nested blocks; `head` is `resource "aws_sqs_queue" "orders"`."""
    pad = "  " * indent
    inside = arguments(body, indent + 1)
    return [f"{pad}{head} {{", *inside, f"{pad}}}"] if inside else [f"{pad}{head} {{}}"]


def arguments(body: Body, indent: int = 1) -> list[str]:
    """The lines of a block's inside: arguments first, then nested blocks, each between empty lines."""
    pad = "  " * indent
    simple = {name: value for name, value in body.items() if not _is_blocks(value)}
    lines = _aligned(simple, indent)
    for name, value in body.items():
        if name not in simple:
            if indent > DEEPEST:
                lines.append(f"{pad}# {clean(name, 100)}: nested too deep to be shown")
                continue
            for item in value:
                kept = {inner: one for inner, one in item.items() if one not in (None, "", [], {})}
                lines += ([""] if lines else []) + block(_key(name, always=False), kept, indent)
    return lines


def literal(value: Any, indent: int = 0) -> str | None:
    """A value as an expression, several lines where it is long; None where it holds what cannot be written down."""
    if indent > DEEPEST or isinstance(value, Secret | Unknown):
        return None
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return _number(value)
        case str():
            return quoted(value)
        case Mapping():
            return _map(value, indent)
        case list() | tuple() | set() | frozenset():
            return _list(list(value) if isinstance(value, list | tuple) else sorted(value, key=str), indent)
        case _:
            return None


def document(text: Any, indent: int = 0) -> str | None:
    """JSON text (a policy) as `jsonencode(…)`; what is no JSON object or list as any other value."""
    try:
        parsed = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, Mapping | list):
        return literal(text, indent)
    inner = literal(parsed, indent)
    return None if inner is None else f"jsonencode({inner})"


def _aligned(body: Body, indent: int) -> list[str]:
    """Arguments one below the other, equal signs in a column; what takes several lines stands by itself."""
    pad = "  " * indent
    groups: list[list[str]] = []
    run: list[tuple[str, str] | str] = []
    for name, value in body.items():
        made_of = value.value if isinstance(value, Written) else value
        expression = value.text if isinstance(value, Written) else literal(value, indent)
        if expression is None:
            run.append(f"{pad}# {clean(name, 100)}: {_why(made_of)}")
        elif len(expression) > LONGEST:
            run.append(f"{pad}# {clean(name, 100)}: {len(expression):,} characters, too long to be shown")
        elif "\n" in expression:
            groups += [_column(run), f"{pad}{_key(name, always=False)} = {expression}".split("\n")]
            run = []
        else:
            run.append((f"{pad}{_key(name, always=False)}", expression))
    groups.append(_column(run))
    lines: list[str] = []
    for group in filter(None, groups):
        lines += [*([""] if lines else []), *group]
    return lines


class Written:
    """A value that is already an expression."""

    __slots__ = ("text", "value")

    def __init__(self, text: str | None, value: Any) -> None:
        """`value` is what it was made of, and says why there may be no expression."""
        self.text = text
        self.value = value


def _column(run: Sequence[tuple[str, str] | str]) -> list[str]:
    """Names and values with the equal signs in one column; a line by itself, a comment, begins another."""
    out: list[str] = []
    column: list[tuple[str, str]] = []
    for one in (*run, ""):
        if isinstance(one, tuple):
            column.append(one)
            continue
        width = max((len(name) for name, _ in column), default=0)
        out += [f"{name:<{width}} = {value}" for name, value in column]
        column = []
        out += [one] if one else []
    return out


def _map(value: Mapping[Any, Any], indent: int) -> str | None:
    items = [(_key(str(name)), literal(item, indent + 1)) for name, item in value.items()]
    if not items:
        return "{}"
    told = [(name, item) for name, item in items if item is not None]
    if len(told) < len(items):
        return None
    short = ", ".join(f"{name} = {item}" for name, item in told)
    if len(short) <= _SHORT and "\n" not in short:
        return f"{{ {short} }}"
    pad = "  " * (indent + 1)
    lines: list[str] = []
    run: list[tuple[str, str] | str] = []
    for name, item in told:
        if "\n" in item:
            lines += [*_column(run), f"{pad}{name} = {item}"]
            run = []
        else:
            run.append((f"{pad}{name}", item))
    return "\n".join(["{", *lines, *_column(run), f"{'  ' * indent}}}"])


def _list(items: Sequence[Any], indent: int) -> str | None:
    told = [literal(item, indent + 1) for item in items]
    if not told:
        return "[]"
    known = [item for item in told if item is not None]
    if len(known) < len(told):
        return None
    short = ", ".join(known)
    if len(short) <= _SHORT and "\n" not in short:
        return f"[{short}]"
    pad = "  " * (indent + 1)
    return "\n".join(["[", *(f"{pad}{item}," for item in known), f"{'  ' * indent}]"])


def _key(name: str, *, always: bool = True) -> str:
    """A name of an argument or of an entry; that of an entry is always quoted: `for = 1` would begin an expression."""
    return name if not always and _NAME.fullmatch(name) else quoted(name)


def _number(value: float | Decimal) -> str | None:
    number = Decimal(str(value))
    return format(number, "f") if number.is_finite() and abs(number.adjusted()) < 100 else None


def _is_blocks(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _why(value: Any) -> str:
    if isinstance(value, Secret):
        return "sensitive, not shown"
    if isinstance(value, Unknown):
        return f"not known: {clean(value.why, 200)}"
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, Secret | Unknown):
            return "holds what is sensitive or not known, not shown"
        left += one.values() if isinstance(one, Mapping) else one if isinstance(one, list | tuple) else ()
    return "cannot be written down"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    category = unicodedata.category(character)
    if category == "Cs":  # half of a pair: no text that can be written down has it
        return "\\ufffd"
    if category in _STEERING or (character.isspace() and character != " "):
        code = ord(character)
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return character
