"""Conversion between types, and the one type that several values have in common.

Hides Terraform's rules for both (https://developer.hashicorp.com/terraform/language/expressions/type-constraints and,
for what the page leaves out, what Terraform 1.11 does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from agent.declared.language.error import EvaluationError
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, Type, to_json
from agent.declared.language.values import Value, type_of


def convert(value: Value, type_: Type) -> Value:
    """The value as the type, `any` parts of which take the types the value has.

    `Sensitive` and `Unknown` stay what they are, inside and out. Attributes that `optional()` marks and the value
    lacks become null (their defaults are the variable's business). Raises `EvaluationError`.
    """
    raise NotImplementedError


def unified(types: Sequence[Type]) -> Type | None:
    """The type that values of all these types can be converted to without loss of meaning; None where there is none."""
    raise NotImplementedError


def text(value: bool | int | Decimal | str) -> str:
    """A primitive as `tostring` spells it."""
    raise NotImplementedError
