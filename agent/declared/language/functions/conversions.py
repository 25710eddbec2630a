"""Functions that change a value's type or its marks.

Hides little: conversion is `conversion.convert`, marks are `Sensitive`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.declared.language.conversion import convert
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, ListOf, MapOf, SetOf, Type
from agent.declared.language.values import Sensitive, Unknown, Value


def _to(type_: Type) -> Function:
    def conversion(value: Value) -> Value:
        return convert(value, type_)

    return _seeing_all(conversion, type_)


def _sensitive(value: Value) -> Value:
    return Sensitive(value)


def _nonsensitive(value: Value) -> Value:
    return value.value if isinstance(value, Sensitive) else value


def _issensitive(value: Value) -> Value:
    """Whether an unknown value is sensitive nobody can say: it may become so."""
    if isinstance(value, Sensitive):
        return True
    return Unknown(value.why, BOOL) if isinstance(value, Unknown) else False


def _ephemeralasnull(value: Value) -> Value:
    """Ephemeral values are unknown here, and what is not ephemeral stays as it is."""
    return value


def _seeing_all(call: Callable[[Value], Value], returns: Type = DYNAMIC) -> Function:
    return Function((Parameter("value", null=True),), call, returns, partial=True, marks=True)


FUNCTIONS: Mapping[str, Function] = {
    "ephemeralasnull": _seeing_all(_ephemeralasnull),
    "issensitive": _seeing_all(_issensitive, BOOL),
    "nonsensitive": _seeing_all(_nonsensitive),
    "sensitive": _seeing_all(_sensitive),
    "tobool": _to(BOOL),
    "tolist": _to(ListOf(DYNAMIC)),
    "tomap": _to(MapOf(DYNAMIC)),
    "tonumber": _to(NUMBER),
    "toset": _to(SetOf(DYNAMIC)),
    "tostring": _to(STRING),
}
