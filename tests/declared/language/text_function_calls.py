"""Calls a function of the Terraform language with plain data, for the tests beside this file."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Place, call
from agent.declared.language.types import to_json
from agent.declared.language.values import Null, Object, Tuple, Value, to_plain, type_of

PLACE = Place(Path(), Path())


def value(plain: Any) -> Value:
    """Lists are tuples and dicts are objects, as literals are; values stay what they are."""
    if plain is None:
        return Null()
    if isinstance(plain, list):
        return Tuple(map(value, plain))
    if isinstance(plain, dict):
        return Object({name: value(each) for name, each in plain.items()})
    if isinstance(plain, float):
        return Decimal(repr(plain))
    made: Value = plain
    return made


def called(name: str, *arguments: Any) -> Value:
    """The result of `name(arguments…)`."""
    return call(name, [value(each) for each in arguments], PLACE)


def plain(name: str, *arguments: Any) -> Any:
    """The result as plain data."""
    return to_plain(called(name, *arguments))


def typed(name: str, *arguments: Any) -> tuple[Any, Any]:
    """The type of the result, as state spells it, and the result as plain data."""
    result = called(name, *arguments)
    return to_json(type_of(result)), to_plain(result)


def refused(name: str, *arguments: Any) -> str:
    """What the error says."""
    with pytest.raises(EvaluationError) as caught:
        called(name, *arguments)
    return str(caught.value)
