"""What all module instances of one evaluation share, and what went wrong in it.

Hides nothing: it is the notebook the others write into.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.declared.configuration import Item
from agent.declared.evaluation.recorded import Recorded
from agent.declared.hcl import tree
from agent.declared.language.defaults import Defaults, constraint
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Budget
from agent.declared.language.functions import Place
from agent.declared.language.types import Type
from agent.declared.language.values import Unknown, Value
from agent.declared.modules import Absent, Modules
from agent.declared.schemas import Provider, provider
from agent.model import Source


@dataclass(frozen=True, slots=True)
class Problem:
    """Something of the configuration that could not be evaluated, or that Terraform would refuse."""

    where: str
    """Address of what it concerns: `var.size`, `module.a.aws_b.c`."""
    why: str
    source: Source | None = None

    def __str__(self) -> str:
        return f"{self.source}: {self.where}: {self.why}" if self.source else f"{self.where}: {self.why}"


_DEEP = "it is nested too deeply to evaluate"


@dataclass(slots=True)
class Run:
    """One evaluation of one root module."""

    modules: Modules
    recorded: Recorded
    workspace: str
    account: str
    """Account that holds where no provider configuration tells one; empty where unknown."""
    region: str
    place: Place
    budget: Budget
    schema: Callable[[str], Provider | None] = provider
    """Source of a provider → its schemas."""
    problems: dict[Problem, None] = field(default_factory=dict)
    absent: dict[str, Absent] = field(default_factory=dict)
    """Module calls whose module is not to be had, by address."""
    constraints: dict[int, tuple[Type, Defaults]] = field(default_factory=dict)
    """By the identity of a variable's block, which lives as long as its module."""
    busy: dict[str, None] = field(default_factory=dict)
    """Names being evaluated right now, outermost first."""

    def constraint(self, item: Item) -> tuple[Type, Defaults]:
        """The type of a variable and its defaults, read once for all instances of its module."""
        if id(item) not in self.constraints:
            self.constraints[id(item)] = constraint(item.expression("type") or tree.Variable("any"))
        return self.constraints[id(item)]

    def problem(self, where: str, why: str, source: Source | None = None) -> Unknown:
        """Notes a problem; gives the value that stands in for what could not be told."""
        self.problems[Problem(where, why, source)] = None
        return Unknown(f"{where}: {why}")

    def attempt(self, where: str, source: Source | Callable[[], Source] | None, evaluate: Callable[[], Value]) -> Value:
        """The value of something with a name, once: an error becomes a problem, a cycle is named.

        Raises `TooMuch` once the steps of the whole evaluation are used up; what is too large, too deep or refused by
        itself is a problem like any other.
        """
        if where in self.busy:
            names = [*self.busy]
            circle = " → ".join((*names[names.index(where) :], where))
            return self.problem(where, f"it depends on itself: {circle}", source() if callable(source) else source)
        self.busy[where] = None
        try:
            return evaluate()
        except EvaluationError as error:
            if self.budget.steps < 0:
                raise
            return self.problem(where, str(error), source() if callable(source) else source)
        except RecursionError:
            return self.problem(where, _DEEP, source() if callable(source) else source)
        finally:
            del self.busy[where]
