"""The order in which Terraform iterates over a set; hides the spelling it sorts by, which was found by trying."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from agent.declared.language.numbers import general


def key(value: object) -> tuple[int, Any]:
    """What to sort a set's items by: primitives by value, all else by its spelling, null after both.

    Containers are told by their `items` alone; the items of one set are all of one type.
    """
    if isinstance(value, str | bool | int | Decimal):
        return (0, value)
    spelled = spelling(value)
    return (2 if spelled == _NULL else 1, spelled)


_NULL = "~"


def spelling(value: object) -> str:
    """One line that tells a value from others of its type."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | Decimal):
        return general(value)
    items = getattr(value, "items", None)
    if isinstance(items, dict):
        return "{" + "".join(f"{spelling(name)}:{spelling(each)};" for name, each in items.items()) + "}"
    if isinstance(items, tuple):
        return "[" + "".join(f"{spelling(each)};" for each in items) + "]"
    return _NULL
