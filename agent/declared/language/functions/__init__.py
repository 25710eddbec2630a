"""Terraform's functions: a module per family, each with `FUNCTIONS`, name → `Function`; a new file is the registration.

Hides what all functions share: arity, conversion of arguments, null, unknown and sensitive arguments.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.types import DYNAMIC, Type
from agent.declared.language.values import (
    SENSITIVE,
    UNKNOWN,
    Null,
    Sensitive,
    Unknown,
    Value,
    flags,
    force,
    unmarked,
    whys,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function is called: what file functions and templates need."""

    directory: Path
    """Folder that relative paths start from: the root module's."""
    confined_to: Path
    """No file outside this folder is read, not through a link either."""
    render: Callable[[str, str, Mapping[str, Value]], Value] | None = None
    """Evaluates a template: its text, the name errors call it by, its variables. Set by the evaluator."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter."""

    name: str
    type: Type = DYNAMIC
    null: bool = False
    """Whether it may be null."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `call` gets its arguments converted to their parameters' types, forced and unmarked."""

    parameters: tuple[Parameter, ...]
    call: Callable[..., Value]
    """Takes a value for each argument; raises `EvaluationError`."""
    returns: Type | Callable[[Sequence[Value]], Type] = DYNAMIC
    """Type of the result where an argument is unknown."""
    variadic: Parameter | None = None
    partial: bool = False
    """Whether `call` also takes arguments that are or hold something unknown; else the result is then unknown."""
    marks: bool = False
    """Whether `call` sees `Sensitive` marks itself; else the result is sensitive if any argument is or holds such."""
    items: bool = False
    """Whether `call` takes collections as collections of anything: what they hold may be unknown or sensitive. Only an
    argument that is unknown itself makes the result unknown, only one that is sensitive itself makes it sensitive."""
    placed: bool = False
    """Whether `call` takes the `Place` before its arguments."""
    impure: str = ""
    """Why the result can never be told, for functions that ask a clock or throw dice."""


def call(name: str, arguments: Sequence[Value], place: Place) -> Value:
    """Calls a function. Raises `EvaluationError`, whose text begins with the function's name."""
    function = functions().get(name)
    if function is None:
        raise EvaluationError(f"there is no function `{name}`")
    if function.impure:
        return Unknown(f"{name}(): {function.impure}", DYNAMIC if callable(function.returns) else function.returns)
    given = [_converted(name, parameter, force(value)) for parameter, value in _paired(name, function, arguments)]
    hidden = False
    if function.items:
        hidden = any(isinstance(each, Sensitive) for each in given)
        given = [each.value if isinstance(each, Sensitive) else each for each in given]
    elif not function.marks and any(flags(each) & SENSITIVE for each in given):
        hidden, given = True, [unmarked(each)[0] for each in given]
    result = _called(name, function, given, place)
    return Sensitive(result) if hidden else result


def _called(name: str, function: Function, given: list[Value], place: Place) -> Value:
    blocked = [each for each in given if (isinstance(each, Unknown) if function.items else flags(each) & UNKNOWN)]
    if blocked and not function.partial:
        returns = function.returns(given) if callable(function.returns) else function.returns
        return Unknown((why for each in blocked for why in whys(each)), returns)
    try:
        return function.call(place, *given) if function.placed else function.call(*given)
    except EvaluationError as error:
        raise type(error)(f"{name}: {error}") from None


def _paired(name: str, function: Function, arguments: Sequence[Value]) -> list[tuple[Parameter, Value]]:
    least = len(function.parameters)
    if len(arguments) < least or (len(arguments) > least and function.variadic is None):
        wanted = f"{'at least ' if function.variadic else ''}{least}"
        raise EvaluationError(f"{name}: takes {wanted} arguments, {len(arguments)} are given")
    parameters = [*function.parameters, *[function.variadic] * (len(arguments) - least)]
    return [(each, value) for each, value in zip(parameters, arguments, strict=True) if each is not None]


def _converted(name: str, parameter: Parameter, value: Value) -> Value:
    try:
        converted = convert(value, parameter.type)
    except EvaluationError as error:
        raise type(error)(f"{name}: `{parameter.name}`: {error}") from None
    bare = converted.value if isinstance(converted, Sensitive) else converted
    if isinstance(bare, Null) and not parameter.null:
        raise EvaluationError(f"{name}: `{parameter.name}` is null")
    return converted


@functools.cache
def functions() -> Mapping[str, Function]:
    """All functions by name, found by folder. `try`, `can` and the like are forms of the evaluator."""
    found: dict[str, Function] = {}
    for module in pkgutil.iter_modules(__path__):
        table: Mapping[str, Any] = importlib.import_module(f"{__name__}.{module.name}").FUNCTIONS
        found.update(table)
    return found
