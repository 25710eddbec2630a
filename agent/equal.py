"""When two values mean the same: one canonical form per kind of attribute.

Hides what makes drift tools noisy (https://github.com/hashicorp/terraform/issues/28803): null against empty, "30"
against 30, the order of sets, the many spellings of one policy document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from agent.model import Secret, Unknown
from agent.resources import Kind

EMPTY: tuple[Any, ...] = (None, "", [], {}, ())
_DIGITS = 400
"""More than any 64-bit float has before or after its point."""
_TRUE, _FALSE = ("true", "1"), ("false", "0")


def canonical(value: Any, kind: Kind) -> Any:
    """The value in a form where `==` is sameness: nested lists, dicts and strings; None for anything empty.

    Sets come out sorted, numbers and booleans as text, JSON text parsed. A value that is no policy or no JSON where
    one is expected stays the text it is, and so does one nested too deep to walk.
    """
    try:
        return _canonical(value, kind)
    except RecursionError:
        return str(value) if isinstance(value, str) else repr(type(value))


def _canonical(value: Any, kind: Kind) -> Any:
    if value in EMPTY:
        return None
    if isinstance(value, Secret):
        return _scalar(value)
    match kind:
        case "number":
            return _number(value)
        case "bool":
            return _boolean(value)
        case "tags":
            if not _is_map(value):
                return _tree(value)
            # A tag without a value is a tag: policies test whether it is there.
            return {k: _scalar("" if v is None else v) for k, v in value.items() if not k.startswith("aws:")} or None
        case "set":
            return _sorted([_unordered(item) for item in _listed(value)]) or None
        case "list":
            return [_block(item) for item in _listed(value)]
        case "policy":
            return _policy(_parsed(value))
        case "json":
            return _tree(_parsed(value))
        case _:
            return _tree(value)


def unknowns(value: Any) -> tuple[Unknown, ...]:
    """Every `Unknown` inside a value, in order."""
    if isinstance(value, Unknown):
        return (value,)
    if _is_map(value):
        return tuple(found for item in value.values() for found in unknowns(item))
    if isinstance(value, list | tuple):
        return tuple(found for item in value for found in unknowns(item))
    return ()


def parsed(value: Any) -> Any:
    """JSON text as the value it stands for; anything else unchanged."""
    return _parsed(value)


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _tree(value: Any) -> Any:
    """Order kept, empty entries of maps dropped, scalars as text."""
    if value in EMPTY:
        return None
    if _is_map(value):
        items = {str(name): _tree(item) for name, item in value.items()}
        return {name: item for name, item in sorted(items.items()) if item is not None} or None
    if isinstance(value, list | tuple):
        return [_tree(item) for item in value]
    return _scalar(value)


def _block(value: Any) -> Any:
    """As `_tree`, with false left out: a block's unset argument is recorded as false or null, as its provider likes."""
    if _is_map(value):
        return _tree({name: None if item is False else _block(item) for name, item in value.items()})
    return [_block(item) for item in value] or None if isinstance(value, list | tuple) else _tree(value)


def _unordered(value: Any) -> Any:
    """As `_block`, with every list inside taken for a set: the members of a set of blocks hold sets themselves."""
    if _is_map(value):
        return _tree({name: None if item is False else _unordered(item) for name, item in value.items()})
    if isinstance(value, list | tuple):
        return _sorted([_unordered(item) for item in value]) or None
    return _tree(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, Secret):
        return {"$secret": value.digest}
    return str(value)


def _number(value: Any) -> str:
    try:
        number = Decimal(str(value)).normalize()
    except ArithmeticError:
        return str(value)
    # Neither infinity nor a number whose digits would fill the memory.
    return format(number, "f") if number.is_finite() and abs(number.adjusted()) < _DIGITS else str(value)


def _boolean(value: Any) -> str:
    text = str(value).lower()
    return "true" if text in _TRUE else "false" if text in _FALSE else text


def _sorted(items: list[Any]) -> list[Any]:
    return sorted((item for item in items if item is not None), key=lambda item: json.dumps(item, sort_keys=True))


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


# IAM policy documents: which spellings mean the same is said in
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html


def _policy(document: Any) -> Any:
    if not _is_map(document):
        return _tree(document)
    rest = {name: item for name, item in document.items() if name != "Statement"}
    statements = _listed(document.get("Statement") or [])
    return {"document": _tree(rest), "statements": _sorted([_statement(item) for item in statements])}


def _statement(statement: Any) -> Any:
    if not _is_map(statement):
        return _tree(statement)
    out: dict[str, Any] = {}
    for name, item in sorted(statement.items()):
        match name:
            case "Action" | "NotAction":
                # Actions are not case-sensitive.
                out[name] = _sorted([str(action).lower() for action in _listed(item)])
            case "Resource" | "NotResource":
                out[name] = _sorted([_scalar(resource) for resource in _listed(item)])
            case "Principal" | "NotPrincipal":
                out[name] = _principal(item)
            case "Condition":
                out[name] = _condition(item)
            case _:
                out[name] = _tree(item)
    return {name: item for name, item in out.items() if item not in EMPTY}


def _principal(value: Any) -> Any:
    if value == "*":
        # "*" and {"AWS": "*"} are equivalent in a resource policy's Principal.
        return {"AWS": ["*"]}
    if not _is_map(value):
        return _tree(value)
    return {kind: _sorted([_account(item) for item in _listed(members)]) for kind, members in sorted(value.items())}


def _account(principal: Any) -> Any:
    """A bare account id means the account's root."""
    text = str(principal)
    return f"arn:aws:iam::{text}:root" if len(text) == 12 and text.isdigit() else text


def _condition(value: Any) -> Any:
    if not _is_map(value):
        return _tree(value)
    out: dict[str, Any] = {}
    for operator, tests in sorted(value.items()):
        if not _is_map(tests):
            return _tree(value)
        # Condition keys are not case-sensitive; a single value and a list of one are the same.
        out[operator] = {k.lower(): _sorted([_scalar(v) for v in _listed(vs)]) for k, vs in sorted(tests.items())}
    return out
