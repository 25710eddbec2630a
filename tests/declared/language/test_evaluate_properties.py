"""Properties of evaluation: whatever the tree, it gives a value or says why not, and nothing else."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.declared.hcl import tree
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.functions import Place
from agent.declared.language.types import DYNAMIC, NUMBER, STRING, ListOf
from agent.declared.language.values import (
    LAZY,
    List,
    Map,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    flags,
    force,
)

FAST = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


class Instance:
    """A lazy object with the attributes `a` and `k`."""

    flags = LAZY

    def get(self, name: str) -> Value:
        """See `Lazy`."""
        if name not in ("a", "k"):
            raise EvaluationError("there is none of that name")
        return Unknown("instance.a", STRING) if name == "a" else "k"

    def force(self) -> Value:
        """See `Lazy`."""
        return Object({"a": self.get("a"), "k": "k"})


class Space:
    """A namespace of everything there is."""

    def get(self, name: str) -> Value | Names:
        """See `Names`."""
        return ROOTS.get(name, Space())


ROOTS: Mapping[str, Value] = {
    "a": Tuple((1, "x", Null())),
    "b": Unknown("b"),
    "c": Sensitive(List(("1", "2"), STRING)),
    "d": Map({"k": Sensitive(1), "a": 2}, NUMBER),
    "e": Set((3, 1), NUMBER),
    "f": Instance(),
    "g": Tuple((Instance(), Unknown("g", ListOf(STRING)))),
    "h": Null(),
    "i": Object({"a": True, "k": Null(STRING)}),
    "j": List((), DYNAMIC),
}


class Scope:
    """The roots, a namespace, and nothing else."""

    def __init__(self, steps: int) -> None:
        self.place = Place(Path(__file__).parent, Path(__file__).parent)
        self.budget = Budget(steps)

    def root(self, name: str) -> Value | Names:
        """See `Scope`."""
        if name == "space":
            return Space()
        if name not in ROOTS:
            raise EvaluationError("there is no such name")
        return ROOTS[name]


NAMES = st.sampled_from(["a", "k", "x"])
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||"])
FUNCTIONS = st.sampled_from(["try", "can", "merge", "length", "concat", "tolist", "toset", "nope", "provider::x::f"])
LEAVES = st.one_of(
    st.builds(tree.Literal, st.none() | st.booleans() | st.sampled_from(["", "a", "k", "1", "true", "-3.5e2"])),
    st.builds(tree.Number, st.sampled_from(["0", "1", "-2", "0.1", "1e30", "1e-9"]).map(Decimal)),
    st.builds(tree.Variable, st.sampled_from([*ROOTS, "space", "x"])),
    st.just(tree.Item()),
)


def _parts(inner: st.SearchStrategy[tree.Expression]) -> st.SearchStrategy[tuple[tree.Part, ...]]:
    return st.lists(inner | st.sampled_from(["", "text", "\u0301"]), max_size=3).map(tuple)


def _deeper(inner: st.SearchStrategy[tree.Expression]) -> st.SearchStrategy[tree.Expression]:
    some = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        st.builds(tree.Tuple, some),
        st.builds(tree.Object, st.lists(st.tuples(inner, inner), max_size=3).map(tuple)),
        st.builds(
            tree.For, st.just("") | NAMES, NAMES, inner, st.none() | inner, inner, st.none() | inner, st.booleans()
        ),
        st.builds(tree.Conditional, inner, inner, inner),
        st.builds(tree.Binary, OPERATORS, inner, inner),
        st.builds(tree.Unary, st.sampled_from("!-"), inner),
        st.builds(tree.GetAttr, inner, NAMES),
        st.builds(tree.Index, inner, inner),
        st.builds(tree.Splat, inner, inner),
        st.builds(
            lambda name, items, more: tree.Call(name, items, more and bool(items)), FUNCTIONS, some, st.booleans()
        ),
        st.builds(tree.Template, _parts(inner)),
        st.builds(
            lambda c, yes, no: tree.Template((tree.TemplateIf(c, yes, no),)), inner, _parts(inner), _parts(inner)
        ),
        st.builds(lambda c, body: tree.Template((tree.TemplateFor("", "x", c, body),)), inner, _parts(inner)),
    )


TREES = st.recursive(LEAVES, _deeper, max_leaves=12)


@given(TREES)
@FAST
def test_a_tree_gives_a_value_or_an_error(expression: tree.Expression) -> None:
    try:
        found = force(evaluate(expression, Scope(20_000)))
    except EvaluationError as error:
        assert str(error)
    else:
        assert not flags(found) & LAZY


@given(TREES)
@FAST
def test_evaluation_depends_on_nothing_but_the_tree(expression: tree.Expression) -> None:
    assert _told(expression) == _told(expression)


def _told(expression: tree.Expression) -> str:
    try:
        return repr(force(evaluate(expression, Scope(20_000))))
    except EvaluationError as error:
        return f"error: {error}"
