"""What our evaluator makes of the oracle's expressions, spelled as the recorded answers are.

Hides the scope they are evaluated in: `local.…` as `given.tf` and `unknown.tf` define it, files below this folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from expression_oracle import GIVEN, HERE, Answer

from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse
from agent.declared.language import types
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.functions import Place
from agent.declared.language.types import STRING
from agent.declared.language.values import UNKNOWN as UNKNOWN_FLAG
from agent.declared.language.values import (
    List,
    Map,
    Object,
    Sensitive,
    Set,
    Tuple,
    Value,
    flags,
    force,
    to_plain,
    type_of,
    unmarked,
)
from agent.declared.language.values import Unknown as UnknownValue

STEPS = 500_000
"""Enough for each of the expressions."""

HOLE = "(unknown)"
"""Stands where a planned answer is unknown."""


class Locals:
    """`local.…`, each evaluated when it is first asked for."""

    def __init__(self, expressions: Mapping[str, tree.Expression], scope: "Scope") -> None:
        self.expressions = expressions
        self.scope = scope
        self.known: dict[str, Value] = {}

    def get(self, name: str) -> Value | Names:
        if name not in self.known:
            if name not in self.expressions:
                raise EvaluationError(f"there is no local.{name}")
            self.known[name] = evaluate(self.expressions[name], self.scope)
        return self.known[name]


class Scope:
    """Locals, the one resource of `unknown.tf`, and nothing else."""

    def __init__(self) -> None:
        self.place = Place(HERE, HERE)
        self.budget = Budget()
        self.locals = Locals(_locals(), self)

    def root(self, name: str) -> Value | Names:
        if name == "local":
            return self.locals
        if name == "terraform_data":
            return Object({"other": Object({"id": UnknownValue("terraform_data.other.id", STRING)})})
        raise EvaluationError(f"there is no {name}")


@cache
def _locals() -> Mapping[str, tree.Expression]:
    blocks = [each for path in (GIVEN, HERE / "unknown.tf") for each in parse(path.read_bytes()).of_type("locals")]
    return {each.name: each.value for block in blocks for each in block.body.attributes}


@cache
def scope() -> Scope:
    """The one scope: locals are evaluated once."""
    return Scope()


@dataclass(frozen=True)
class Refused:
    """What Terraform should refuse too."""

    why: str


def ours(text: str) -> Value | Refused:
    """Our value of an expression, lazy objects evaluated."""
    known = scope()
    known.budget = Budget(STEPS)
    try:
        expression = parse(f"v = {text}\n".encode()).attribute("v")
        assert expression is not None
        return force(evaluate(expression, known))
    except (ParseError, EvaluationError) as error:
        return Refused(str(error))


def difference(answer: Answer, value: Value | Refused) -> str:
    """What our value has that the recorded answer has not; empty where they agree."""
    if answer.get("error") == "infinite":
        return "" if isinstance(value, Refused) or not _finite(value) else f"ours: {shown(value)}"
    if "error" in answer or isinstance(value, Refused):
        both = "error" in answer and isinstance(value, Refused)
        return "" if both else f"terraform: {_spelled(answer)}, ours: {shown(value)}"
    if "unknown" in answer:
        same = equal(filled(answer["value"], answer["unknown"]), plain(value))
    else:
        same = (
            types.to_json(type_of(value)) == answer["type"]
            and not flags(value) & UNKNOWN_FLAG
            and equal(answer["value"], plain(value))
            and answer.get("sensitive", False) == isinstance(value, Sensitive)
        )
    return "" if same else f"terraform: {_spelled(answer)}, ours: {shown(value)}"


def shown(value: Value | Refused) -> str:
    """Our answer, for people."""
    if isinstance(value, Refused):
        return f"refused ({value.why})"
    mark = "sensitive " if isinstance(value, Sensitive) else ""
    return f"{mark}{plain(value)!r} {json.dumps(types.to_json(type_of(value)))}"


def _spelled(answer: Answer) -> str:
    if "error" in answer:
        return f"error ({answer['error']})"
    if "unknown" in answer:
        return repr(filled(answer["value"], answer["unknown"]))
    mark = "sensitive " if answer.get("sensitive") else ""
    return f"{mark}{answer['value']!r} {json.dumps(answer['type'])}"


def equal(left: Any, right: Any) -> bool:
    """Whether two plain values are the same: numbers by value, and a boolean is no number."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(each, right[key]) for key, each in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    numbers = isinstance(left, int | Decimal) and isinstance(right, int | Decimal)
    same_kind = isinstance(left, bool) == isinstance(right, bool) if numbers else type(left) is type(right)
    return same_kind and bool(left == right)


def filled(after: Any, unknown: Any) -> Any:
    """A planned value with a `HOLE` wherever it is unknown."""
    if unknown is True:
        return HOLE
    if isinstance(unknown, list):
        return [filled(each, hole) for each, hole in zip(after, unknown, strict=True)]
    if isinstance(unknown, dict):
        return {**after, **{key: filled(after.get(key), hole) for key, hole in unknown.items()}}
    return after


def plain(value: Value) -> Any:
    """A forced value as JSON has it, with a `HOLE` wherever it is unknown; marks are left out."""
    bare, _ = unmarked(value)
    if isinstance(bare, UnknownValue):
        return HOLE
    match bare:
        case List() | Set() | Tuple():
            return [plain(each) for each in bare.items]
        case Map() | Object():
            return {key: plain(each) for key, each in bare.items.items()}
    return to_plain(bare)


def _finite(value: Value) -> bool:
    match unmarked(value)[0]:
        case Decimal() as number:
            return number.is_finite()
        case List(items=items) | Set(items=items) | Tuple(items=items):
            return all(map(_finite, items))
        case Map(items=named) | Object(items=named):
            return all(map(_finite, named.values()))
    return True
