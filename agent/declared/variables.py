"""The values a root module's variables are given.

Hides where they come from and which wins: the environment, then terraform.tfvars, then *.auto.tfvars, then what the
stack's configuration names (https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.declared import json_syntax
from agent.declared.configuration import Item, Module, read_file
from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse
from agent.declared.language.defaults import constraint
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.functions import Place
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING
from agent.declared.language.values import Value, from_plain

PREFIX = "TF_VAR_"


@dataclass(frozen=True, slots=True)
class Given:
    """What a stack's configuration says of variables."""

    files: tuple[Path, ...] = ()
    """Files of definitions, later ones winning."""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """JSON-shaped values, which win over everything; a string for a variable of another type is HCL, as with `-var`."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def root_values(root: Module, given: Given, repository: Path | None = None) -> Mapping[str, Value]:
    """Variable → the value it is given, not yet converted to its type; those given none are left out.

    Definitions of variables that do not exist are ignored, as Terraform does for files and the environment. Raises
    `ParseError` for a file of definitions that cannot be read.
    """
    found: dict[str, Value] = {}
    within = (repository or root.directory, *(each.parent for each in given.files))
    for name, text in given.environment.items():
        if name.startswith(PREFIX) and name[len(PREFIX) :] in root.variables:
            found[name[len(PREFIX) :]] = _typed(root.variables[name[len(PREFIX) :]], text, name)
    for path in (*_definitions(root.directory), *given.files):
        found |= _file(path, os.path.relpath(path, root.directory), within)
    for name, value in given.values.items():
        item = root.variables.get(name)
        if item is not None:
            found[name] = _typed(item, value, f"vars.{name}") if isinstance(value, str) else from_plain(value)
    return {name: value for name, value in found.items() if name in root.variables}


def _definitions(directory: Path) -> Iterator[Path]:
    """Files Terraform loads by itself, in its order."""
    for name in ("terraform.tfvars", "terraform.tfvars.json"):
        if (directory / name).is_file():
            yield directory / name
    yield from sorted(path for path in directory.iterdir() if path.name.endswith((".auto.tfvars", ".auto.tfvars.json")))


def _file(path: Path, shown: str, within: tuple[Path, ...]) -> Mapping[str, Value]:
    data = read_file(path, shown, within)
    if path.name.endswith(".json"):
        content = json_syntax.loads(data, shown)
        if not isinstance(content, dict):
            raise ParseError(shown, 1, 1, "definitions of variables in JSON are one object")
        return {name: from_plain(value) for name, value in content.items()}
    # Not from the cache, and not into it: such a file may hold passwords and be gone tomorrow.
    try:
        body = parse(data, shown)
    except ParseError as error:
        raise error.discreet() from None
    if body.blocks:
        raise ParseError(shown, body.blocks[0].line, 1, "a file of definitions has no blocks: write `name = value`")
    return {each.name: _constant(each.value, shown, each.line) for each in body.attributes}


def _constant(written: tree.Expression, shown: str, line: int) -> Value:
    try:
        return evaluate(written, _Alone())
    except EvaluationError as error:
        # A name in it may be a password without its quotes.
        raise ParseError(shown, line, 1, re.sub(r"`[^`]*`", "such a name", str(error))) from None


def _typed(item: Item, text: str, where: str) -> Value:
    """A variable's value given as text: itself for a string (or for a variable without a type), else HCL."""
    written = item.expression("type")
    type_ = constraint(written)[0] if written is not None else DYNAMIC
    if type_ in (STRING, NUMBER, BOOL, DYNAMIC):
        return text
    try:
        body = parse(f"value = {text}\n".encode(), where)
    except ParseError as error:
        raise error.discreet() from None
    return _constant(body.attributes[0].value, where, 1)


class _Alone:
    """A scope in which nothing can be referred to and no file be read."""

    def __init__(self) -> None:
        nowhere = Path(os.devnull)
        self.place = Place(nowhere, nowhere)
        self.budget = Budget()

    def root(self, name: str) -> Value | Names:
        raise EvaluationError(f"`{name}` is a reference, a definition of a variable a constant: write text in quotes")
