"""Configuration that multiplies, nests or grows beyond reason is refused in bounded time and space."""

import time
from decimal import Decimal

import pytest
from evaluated_text import Known, value

from agent.declared.hcl import tree
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.types import STRING
from agent.declared.language.values import MAX_SIZE, List, Tuple, Value, type_of

TEN = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"


def test_loops_in_loops_end_when_the_steps_do() -> None:
    nested = "1"
    for depth in range(8):
        nested = f"[for x{depth} in {TEN} : {nested}]"
    started = time.monotonic()
    with pytest.raises(TooMuch, match="takes too many steps"):
        value(nested, steps=100_000)
    assert time.monotonic() - started < 10


def test_templates_in_loops_end_when_the_steps_do() -> None:
    loops = "%{ for x in y }" * 8 + "x" + "%{ endfor }" * 8
    with pytest.raises(TooMuch, match="takes too many steps"):
        value(f'"{loops}"', steps=100_000, y=Tuple(range(10)))


class Doubling:
    """`local.n` is made of two times `local.n-1`, as a chain of local values may be."""

    def __init__(self, written: str) -> None:
        self.scope = Known()
        self.written = written

    def at(self, depth: int) -> Value:
        found: Value = "xx"
        for _ in range(depth):
            found = value(self.written, x=found)
        return found


def test_text_that_doubles_is_bounded() -> None:
    with pytest.raises(TooMuch, match="at most 8,000,000 are evaluated"):
        Doubling('"${x}${x}"').at(60)


def test_lists_that_double_are_bounded() -> None:
    with pytest.raises(TooMuch, match=f"more than {MAX_SIZE:,} parts"):
        Doubling("[x, x]").at(60)


def test_objects_that_double_are_bounded() -> None:
    with pytest.raises(TooMuch, match="parts"):
        Doubling("{a = x, b = x}").at(60)


def test_walking_a_large_value_costs_steps() -> None:
    large = List(("x",) * 10_000, STRING)
    for written in ("x == x", "true ? x : []", "length(x)", "[for each in x : 1]"):
        with pytest.raises(TooMuch):
            value(written, steps=5_000, x=large)


@pytest.mark.parametrize("written", ["try([for x in y : 1])", "can([for x in y : 1])", "true ? 1 : [for x in y : 1]"])
def test_nothing_swallows_an_empty_budget(written: str) -> None:
    with pytest.raises(TooMuch):
        value(written, steps=50, y=Tuple(range(1000)))


def test_a_deep_tree_is_an_error_and_no_crash() -> None:
    deep: tree.Expression = tree.Number(Decimal(1))
    for _ in range(20_000):
        deep = tree.Unary("-", deep)
    with pytest.raises(TooMuch, match="too deeply"):
        evaluate(deep, Known())


def test_a_reference_to_itself_is_an_error_and_no_crash() -> None:
    class Circle(Known):
        def root(self, name: str) -> Value | Names:
            return evaluate(tree.Call("try", (tree.Variable("again"), tree.Literal(1)), False), self)

    with pytest.raises(TooMuch, match="too deeply"):
        evaluate(tree.Variable("x"), Circle())


@pytest.mark.parametrize("written", ["1e30000", "1e1000000000", '"1e99999" + 1', '"1p99999" + 1', "1e19999 * 1e19999"])
def test_numbers_have_a_largest_size(written: str) -> None:
    with pytest.raises(EvaluationError, match="more than 20,000 digits"):
        value(written)


def test_steps_are_shared_and_counted_down() -> None:
    budget = Budget(10)
    budget.spend(10)
    with pytest.raises(TooMuch):
        budget.spend(1)
    assert type_of(value("[1]", steps=2)) is not None
    with pytest.raises(TooMuch):
        value("[1]", steps=1)
