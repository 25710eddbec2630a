"""Evaluates a root module as Terraform would, from its code and what state records, without running Terraform.

Hides modules, repetition, references, provider configurations and the overlay of code and state. What cannot be told
is `Unknown` with its reasons; no placeholder stands in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.declared.configuration import Module, traversal
from agent.declared.evaluation.deep import deeply
from agent.declared.evaluation.module import ModuleInstance
from agent.declared.evaluation.providers import ProviderConfig
from agent.declared.evaluation.recorded import recorded
from agent.declared.evaluation.refactoring import Refactorings, refactorings
from agent.declared.evaluation.resource import Lines, ResourceObject
from agent.declared.evaluation.run import Problem, Run
from agent.declared.hcl import tree
from agent.declared.language.evaluate import Budget
from agent.declared.language.functions import Place
from agent.declared.language.values import Unknown, Value, force
from agent.declared.modules import Absent, Modules, Resolve, not_fetched
from agent.declared.schemas import Provider, Schema, provider
from agent.declared.state import State
from agent.declared.variables import Given, root_values
from agent.model import Source


@dataclass(frozen=True, slots=True)
class DeclaredInstance:
    """One resource instance, as its code has it."""

    address: str
    module: str
    """Address of its module instance; empty for the root module."""
    type: str
    name: str
    source: Source
    values: Mapping[str, Value]
    """What the code sets, by attribute or nested block, in the shape of the provider's schema; may be null, hold
    unknown parts with their reasons, or be sensitive."""
    lines: Mapping[str, Source]
    ignore_changes: tuple[str, ...]
    provider: ProviderConfig
    schema: Schema | None
    """The schema of its type; None where nobody ships one."""
    recorded_at: str
    """Its address in state, which a move may have changed; empty where state has no such instance."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a root module declares."""

    instances: Mapping[str, DeclaredInstance]
    """By address, in the order of the code."""
    unexpanded: Mapping[str, tuple[str, ...]]
    """Address of a resource or module call whose repetition cannot be told → why. Nobody knows what lies inside."""
    problems: tuple[Problem, ...]
    refactorings: Refactorings
    moved: Mapping[str, str]
    """Address in state → address in the code, where a move changes it."""
    imports: frozenset[str]
    """Addresses an `import` block names."""
    absent: Mapping[str, Absent]
    """Address of a module call whose module is not to be had → which, and why."""
    providers: Mapping[str, ProviderConfig]
    """Provider configurations by the address state gives them."""
    outputs: Mapping[str, Value] = field(default_factory=dict)
    """Outputs of the root module; asked for only."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an evaluation needs besides code and state."""

    workspace: str = "default"
    account: str = ""
    """Account that holds where no provider configuration tells one; empty where unknown."""
    region: str = ""
    given: Given = field(default_factory=Given)
    repository: Path | None = None
    """No function reads a file outside this folder; the root module's own folder where it is None."""
    cache: Path | None = None
    resolve: Resolve = not_fetched
    schema: Callable[[str], Provider | None] = provider
    steps: int = Budget.STEPS
    """Largest number of steps of evaluation."""


def evaluate_root(
    root: Module, state: State | None = None, around: Surroundings | None = None, *, outputs: bool = False
) -> Evaluated:
    """Everything the root module declares, evaluated.

    `state` is what it is overlaid with; None: nothing was applied yet, or it cannot be read. `outputs`: evaluate the
    root module's outputs too. Raises `ParseError` for a file of variable definitions that cannot be read, and
    `language.evaluate.TooMuch` for a configuration beyond all bounds. Raises `ParseError` also for a module below that
    cannot be read: a root module is read whole or not at all.
    """
    known = around or Surroundings()
    return deeply(lambda: _evaluated(root, state, known, outputs))


def _evaluated(root: Module, state: State | None, around: Surroundings, outputs: bool) -> Evaluated:
    modules = Modules(root, around.cache, around.resolve, around.repository, around.cache)
    changes = refactorings(root, modules)
    run = Run(
        modules=modules,
        recorded=recorded(state, changes.moves),
        workspace=around.workspace,
        account=around.account,
        region=around.region,
        place=Place(root.directory, around.repository or root.directory),
        budget=Budget(around.steps),
        schema=around.schema,
    )
    top = ModuleInstance(run, root, given=root_values(root, around.given, around.repository))
    before = {now: then for then, now in run.recorded.moved.items()}
    instances = {each.address: _instance(each, before) for each in top.resources()}
    for module in top.every():
        module.validate()
    shown = {name: force(top.output(name)) for name in root.outputs} if outputs else {}
    return Evaluated(
        instances=instances,
        unexpanded=dict(_unexpanded(top)),
        problems=tuple(run.problems),
        refactorings=changes,
        moved=run.recorded.moved,
        imports=_imports(changes),
        absent=dict(run.absent),
        providers=_providers(top),
        outputs=shown,
    )


def _instance(resource: ResourceObject, before: Mapping[str, str]) -> DeclaredInstance:
    found = {name: resource.configured(name) for name in resource.names()}
    values = {name: value for name, value in found.items() if value is not None}
    there = resource.instance is not None
    return DeclaredInstance(
        address=resource.address,
        module=resource.module.address,
        type=resource.type,
        name=resource.name,
        source=resource.item.source,
        values=values,
        lines=Lines(resource.item, tuple(values)),
        ignore_changes=resource.ignored(),
        provider=resource.provider,
        schema=resource.schema,
        recorded_at=before.get(resource.address, resource.recorded_address) if there else "",
    )


def _unexpanded(top: ModuleInstance) -> Iterator[tuple[str, tuple[str, ...]]]:
    for module in top.every():
        for name, expansion in module.expansions.items():
            if expansion.unknown is not None and not name.startswith("data."):
                yield module.named(name), expansion.unknown.why
        for name, children in module.children.items():
            if isinstance(children, Unknown):
                yield module.named(f"module.{name}"), children.why


def _providers(top: ModuleInstance) -> Mapping[str, ProviderConfig]:
    found: dict[str, ProviderConfig] = {}
    for module in top.every():
        configured = [module.provider(name, alias) for name, alias in module.code.providers]
        for config in (*configured, *module.provider_configs.values()):
            found.setdefault(config.address, config)
    return found


def _imports(changes: Refactorings) -> frozenset[str]:
    """Addresses that `import` blocks name; one with `for_each` names its resource, whichever instance."""
    written = (item.expression("to") for item in changes.imports)
    resources = (each.source if isinstance(each, tree.Index) and not traversal(each) else each for each in written)
    return frozenset(filter(None, map(traversal, resources)))
