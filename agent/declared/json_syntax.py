"""Configuration in JSON (https://developer.hashicorp.com/terraform/language/syntax/json) → the tree of its HCL twin.

Hides which properties are blocks, which strings are references, templates or plain text, and the lines they stand on.
Inside a resource nobody can tell a block from an attribute without the provider's schema: there everything is an
attribute, and whoever knows the schema takes it for the block it is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from agent.declared.hcl import parse as hcl
from agent.declared.hcl import template, tree
from agent.declared.hcl.error import ParseError
from agent.declared.language.numbers import MAX_DIGITS

_LABELS = {"resource": 2, "data": 2, "provider": 1, "variable": 1, "output": 1, "module": 1}
_PLAIN = ("locals", "terraform", "moved", "import", "removed", "check")
_BLOCKS = {
    "resource": {"lifecycle", "connection", "provisioner", "dynamic"},
    "data": {"lifecycle", "dynamic"},
    "provider": {"default_tags", "ignore_tags", "assume_role", "assume_role_with_web_identity", "endpoints", "dynamic"},
    "variable": {"validation"},
    "output": {"precondition"},
    "terraform": {"backend", "cloud", "required_providers", "provider_meta"},
    "cloud": {"workspaces"},
    "removed": {"lifecycle"},
}
_LABELLED = {"dynamic", "backend", "provisioner", "provider_meta"}
_REFERENCES = {"provider", "providers", "depends_on", "from", "to", "ignore_changes", "replace_triggered_by", "type"}
"""Properties whose strings are written as in HCL, without `${}`; `type` in variables only."""


def parse(data: bytes, file: str) -> tree.Body:
    """One `.tf.json` file's content → its tree. Raises `ParseError`."""
    if len(data) > hcl.MAX_BYTES:
        raise ParseError(file, 1, 1, f"the file has {len(data):,} bytes: at most {hcl.MAX_BYTES:,} are read, split it")
    content = loads(data, file)
    if not isinstance(content, dict | list):
        raise ParseError(file, 1, 1, "a configuration in JSON is an object, or a list of objects")
    reader = _Reader(file, lines(data.decode("utf-8-sig")))
    return reader.file_body(content)


def loads(data: bytes, file: str) -> Any:
    """JSON with exact numbers, and text that is Unicode. Raises `ParseError`."""
    try:
        return _sound(json.loads(data.decode("utf-8-sig"), parse_float=_number), 0)
    except UnicodeDecodeError as error:
        raise ParseError(file, data.count(b"\n", 0, error.start) + 1, 1, "bytes that are not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ParseError(file, error.lineno, error.colno, f"not JSON: {error.msg}") from None
    except RecursionError:
        raise ParseError(file, 1, 1, f"JSON nested deeper than {MAX_DEPTH} levels: split it") from None
    except ValueError:
        raise ParseError(file, 1, 1, f"JSON with a number of more than {MAX_DIGITS:,} digits") from None


MAX_DEPTH = 100
"""Lists and objects within one another."""
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def _number(text: str) -> Decimal:
    """Raises `ValueError` for one with more digits than numbers may have."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or abs(int(exponent or 0)) > MAX_DIGITS:
        raise ValueError
    return Decimal(text)


def _sound(value: Any, depth: int) -> Any:
    """The data with half characters replaced, as Go does. Raises `RecursionError` where it is nested too deeply."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_sound(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {_sound(name, depth): _sound(each, depth + 1) for name, each in value.items()}
    return value


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]')


def lines(text: str) -> Mapping[tuple[str, ...], list[int]]:
    """Path of property names → the lines it stands on, in order of appearance; array indexes are no part of a path."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    path: list[str] = []
    depth: list[int] = []
    line, last = 1, ""
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "\n":
                line += 1
            case ":":
                path.append(last)
                found[tuple(path)].append(line)
            case "{" | "[":
                depth.append(len(path))
            case "}" | "]":
                del path[depth.pop() if depth else 0 :]
            case ",":
                del path[depth[-1] if depth else 0 :]
            case text_token:
                last = text_token[1:-1]
    return found


class _Reader:
    """Conversion of one file."""

    def __init__(self, file: str, where: Mapping[tuple[str, ...], list[int]]) -> None:
        self.file = file
        self.where = where
        self.asked: dict[tuple[str, ...], int] = {}

    def line(self, path: tuple[str, ...]) -> int:
        """Where the next property of this path stands; each call moves on, so that lists of bodies get their own."""
        known = self.where.get(path, [1])
        n = self.asked.get(path, 0)
        self.asked[path] = n + 1
        return known[min(n, len(known) - 1)]

    def error(self, path: tuple[str, ...], message: str) -> ParseError:
        return ParseError(self.file, self.line(path), 1, f"`{'.'.join(path)}` {message}")

    def file_body(self, content: Any) -> tree.Body:
        blocks: list[tree.Block] = []
        for each in content if isinstance(content, list) else [content]:
            for name, value in self.mapping(each, ()):
                if name in _LABELS:
                    blocks += self.labelled(name, (), (name,), value, _LABELS[name])
                elif name in _PLAIN:
                    line = self.line((name,))
                    blocks += [tree.Block(name, (), self.body(name, body, (name,)), line) for body in _bodies(value)]
                elif name != "//":
                    raise self.error((name,), "is no block that Terraform knows at the top of a file")
        return tree.Body((), tuple(blocks))

    def mapping(self, value: Any, path: tuple[str, ...]) -> Iterable[tuple[str, Any]]:
        if not isinstance(value, dict):
            raise self.error(path or ("",), "must be an object here")
        return value.items()

    def labelled(
        self, type_: str, labels: tuple[str, ...], path: tuple[str, ...], value: Any, more: int
    ) -> Iterable[tree.Block]:
        if not more:
            for body in _bodies(value):
                yield tree.Block(type_, labels, self.body(type_, body, path), self.line(path))
            return
        for each in _bodies(value):
            for name, inner in self.mapping(each, path):
                if name != "//":
                    yield from self.labelled(type_, (*labels, name), (*path, name), inner, more - 1)

    def body(self, kind: str, value: Any, path: tuple[str, ...]) -> tree.Body:
        attributes: list[tree.Attribute] = []
        blocks: list[tree.Block] = []
        for name, each in self.mapping(value, path):
            inner = (*path, name)
            if name == "//":
                continue
            if name in _BLOCKS.get(kind, ()):
                labels = 1 if name in _LABELLED else 0
                blocks += self.labelled(name, (), inner, each, labels)
            elif name == "content" and kind == "dynamic":
                blocks += [tree.Block(name, (), self.body("content", body, inner), 1) for body in _bodies(each)]
            else:
                attributes.append(tree.Attribute(name, self.value(kind, name, each, inner), self.line(inner)))
        return tree.Body(tuple(attributes), tuple(blocks))

    def value(self, kind: str, name: str, value: Any, path: tuple[str, ...]) -> tree.Expression:
        if kind == "variable" and name != "type":
            return self.convert(value, path, tree.Literal)
        if kind == "backend" or name in ("source", "version", "alias", "description"):
            return self.convert(value, path, tree.Literal)
        if name in _REFERENCES and (name != "type" or kind == "variable"):
            return self.convert(value, path, self.reference)
        return self.convert(value, path, lambda text: self.template(text, path))

    def convert(self, value: Any, path: tuple[str, ...], text: Callable[[str], tree.Expression]) -> tree.Expression:
        match value:
            case None | bool():
                return tree.Literal(value)
            case int() | Decimal():
                return tree.Number(Decimal(value))
            case str():
                return text(value)
            case list():
                return tree.Tuple(tuple(self.convert(each, path, text) for each in value))
            case dict():
                pairs = ((self.template(key, path), self.convert(each, path, text)) for key, each in value.items())
                return tree.Object(tuple(pairs))
        raise self.error(path, "has a value that JSON does not have")

    def reference(self, text: str) -> tree.Expression:
        """`aws.west`, `list(string)`: an expression without `${}`; what is none stays text."""
        plain = text.removeprefix("${").removesuffix("}") if text.startswith("${") else text
        try:
            body = hcl.parse(f"v = {plain}\n".encode(), self.file)
        except ParseError:
            return tree.Literal(text)
        return body.attributes[0].value

    def template(self, text: str, path: tuple[str, ...]) -> tree.Expression:
        if "${" not in text and "%{" not in text:
            return tree.Literal(text)
        known = self.where.get(path, [1])
        return template.parse_template(text, self.file, known[0])


def _bodies(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
