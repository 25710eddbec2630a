"""Evaluates text for tests; hides parsing and the scope, in which every name is what the test says."""

from collections.abc import Mapping
from pathlib import Path

from agent.declared.hcl.parse import parse
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.functions import Place
from agent.declared.language.values import Value


class Known:
    """A scope of given names; below `space` stands a namespace with the same names."""

    def __init__(self, names: Mapping[str, Value] | None = None, steps: int = Budget.STEPS) -> None:
        self.names = names or {}
        self.place = Place(Path(__file__).parent, Path(__file__).parent)
        self.budget = Budget(steps)

    def root(self, name: str) -> Value | Names:
        """See `Scope`."""
        return Space(self) if name == "space" else self.member(name)

    def member(self, name: str) -> Value:
        """The value of a name."""
        if name not in self.names:
            raise EvaluationError(f"there is no `{name}`")
        return self.names[name]


class Space:
    """A namespace."""

    def __init__(self, scope: Known) -> None:
        self.scope = scope

    def get(self, name: str) -> Value | Names:
        """See `Names`."""
        return self.scope.member(name)


def value(text: str, steps: int = Budget.STEPS, **names: Value) -> Value:
    """The value of an expression, given these names."""
    expression = parse(f"v = {text}\n".encode()).attribute("v")
    assert expression is not None
    return evaluate(expression, Known(names, steps))
