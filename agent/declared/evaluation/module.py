"""One module instance: what the names of its code mean, each evaluated once and only when something asks for it.

Hides variables and their defaults, local values, outputs, and how the calls of other modules are repeated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from agent.declared.addresses import Key, bracketed
from agent.declared.configuration import Item, Module
from agent.declared.evaluation.expansion import Expansion, expand
from agent.declared.evaluation.providers import ProviderConfig, provider_config
from agent.declared.evaluation.resource import DataObject, ResourceObject
from agent.declared.evaluation.run import Run
from agent.declared.hcl import tree
from agent.declared.language.conversion import convert
from agent.declared.language.defaults import apply
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Names, Scope, evaluate
from agent.declared.language.types import STRING
from agent.declared.language.values import LAZY, Null, Object, Sensitive, Tuple, Unknown, Value, force, unmarked
from agent.declared.modules import Absent, ModulePath
from agent.declared.state import Instance
from agent.model import Source

Given = Mapping[str, Value]
"""Values that the outside gives to variables, before conversion to their types."""


@dataclass(frozen=True, slots=True)
class Named:
    """A namespace made of one function."""

    look_up: Callable[[str], Value | Names]

    def get(self, name: str) -> Value | Names:
        """What the name means in it."""
        return self.look_up(name)


class ModuleInstance:
    """A module instance, which is the scope its code is evaluated in."""

    def __init__(
        self,
        run: Run,
        code: Module,
        *,
        path: ModulePath = (),
        address: str = "",
        parent: ModuleInstance | None = None,
        call: Item | None = None,
        scope: Scope | None = None,
        given: Given | None = None,
    ) -> None:
        """`call` and `scope` are the block in the parent that calls it and the scope of that block's arguments."""
        self.run = run
        self.code = code
        self.path = path
        self.address = address
        self.parent = parent
        self.call = call
        self.call_scope = scope
        self.given = given or {}
        package = run.modules.confined(code)
        self.place = run.place if package is None else replace(run.place, confined_to=package)
        self.budget = run.budget
        self.values: dict[str, Value] = {}
        self.expansions: dict[str, Expansion] = {}
        self.children: dict[str, Mapping[Key, ModuleInstance] | Unknown] = {}
        self.objects: dict[tuple[str, str, str], Value] = {}
        self.provider_configs: dict[tuple[str, str], ProviderConfig] = {}
        self.roots: Mapping[str, Names] = {
            "var": Named(self.variable),
            "local": Named(self.local),
            "module": Named(self.called),
            "data": Named(lambda type_: Named(lambda name: self.resource("data", type_, name))),
            "ephemeral": Named(lambda type_: Named(lambda name: _ephemeral(type_, name))),
            "path": Named(self._path),
            "terraform": Named(self._terraform),
        }

    def root(self, name: str) -> Value | Names:
        """The meaning of the first word of a reference (`language.evaluate.Scope`)."""
        found = self.roots.get(name)
        if found is not None:
            return found
        if name in ("each", "count", "self"):
            raise EvaluationError(f"`{name}` means nothing here: only in blocks that are repeated")
        return Named(lambda resource: self.resource("managed", name, resource))

    def named(self, name: str) -> str:
        """The absolute address of something in this module."""
        return f"{self.address}.{name}" if self.address else name

    # --- variables -------------------------------------------------------------------------------------------

    def variable(self, name: str) -> Value:
        """`var.name`."""
        key = f"var.{name}"
        if key not in self.values:
            item = self.code.variables.get(name)
            if item is None:
                raise EvaluationError(f"there is no variable `{name}`")
            self.values[key] = self.run.attempt(self.named(key), item.source, lambda: self._variable(name, item))
        return self.values[key]

    def _variable(self, name: str, item: Item) -> Value:
        type_, defaults = self.run.constraint(item)
        value = self._given(name)
        nullable = item.expression("nullable") != tree.Literal(False)
        if value is None or (not nullable and isinstance(value, Null)):
            value = self._default(item)
        if value is None:
            return Unknown(f"{self.named(f'var.{name}')} is given no value", type_)
        value = convert(apply(defaults, force(value)), type_)
        return Sensitive(value) if _hides(item) else value

    def _default(self, item: Item) -> Value | None:
        written = item.expression("default")
        return None if written is None else evaluate(written, _Constant(self))

    def _given(self, name: str) -> Value | None:
        if self.call is None:
            return self.given.get(name)
        written = self.call.expression(name)
        if written is None or self.call_scope is None:
            return None
        return evaluate(written, self.call_scope)

    def validate(self) -> None:
        """Notes every variable whose `validation` fails; one that cannot be decided is left to Terraform."""
        for name, item in self.code.variables.items():
            for block in item.blocks("validation"):
                written = block.body.attribute("condition")
                if written is None:
                    continue
                where, source = self.named(f"var.{name}"), Source(item.file, block.line)
                held = self.run.attempt(f"{where} validation", source, partial(evaluate, written, self))
                if unmarked(held)[0] is False:
                    self.run.problem(where, "the value given does not meet its validation condition", source)

    # --- locals, outputs, paths --------------------------------------------------------------------------------

    def local(self, name: str) -> Value:
        """`local.name`."""
        key = f"local.{name}"
        if key not in self.values:
            found = self.code.locals.get(name)
            if found is None:
                raise EvaluationError(f"there is no local value `{name}`")
            self.values[key] = self.run.attempt(self.named(key), found.source, lambda: evaluate(found.value, self))
        return self.values[key]

    def output(self, name: str) -> Value:
        """The value of one of its outputs."""
        key = f"output.{name}"
        if key not in self.values:
            item = self.code.outputs.get(name)
            written = item.expression("value") if item else None
            if item is None or written is None:
                raise EvaluationError(f"{self.address or 'the root module'} has no output `{name}`")
            value = self.run.attempt(self.named(key), item.source, lambda: evaluate(written, self))
            self.values[key] = Sensitive(force(value)) if _hides(item) else value
        return self.values[key]

    def _path(self, name: str) -> Value:
        if name == "module":
            return Path(os.path.relpath(self.code.directory, self.run.modules.root.directory)).as_posix()
        if name == "root":
            return "."
        if name == "cwd":
            return Unknown("path.cwd is the folder Terraform was run in", STRING)
        raise EvaluationError(f"there is no `path.{name}`: only module, root and cwd")

    def _terraform(self, name: str) -> Value:
        if name == "workspace":
            return self.run.workspace
        if name == "applying":
            return Unknown("terraform.applying is different in plan and apply")
        raise EvaluationError(f"there is no `terraform.{name}`")

    # --- modules -----------------------------------------------------------------------------------------------

    def called(self, name: str) -> Value:
        """`module.name`: an object of outputs, or a tuple or object of such where the call is repeated."""
        key = f"module.{name}"
        if key not in self.values:
            call = self.code.calls.get(name)
            if call is None:
                raise EvaluationError(f"there is no module call `{name}`")
            found = self.instances(name, call)
            if isinstance(found, Unknown):
                return found
            outputs = {index: Outputs(each) for index, each in found.items()}
            self.values[key] = self.expansions[key].collected(outputs)
        return self.values[key]

    def instances(self, name: str, call: Item) -> Mapping[Key, ModuleInstance] | Unknown:
        """The instances of a module call by key; unknown where the module or its repetition is."""
        if name not in self.children:
            self.children[name] = self._instances(name, call)
        return self.children[name]

    def _instances(self, name: str, call: Item) -> Mapping[Key, ModuleInstance] | Unknown:
        path, where = (*self.path, name), self.named(f"module.{name}")
        code = self.run.modules.child(self.code, path, call)
        if isinstance(code, Absent):
            self.run.absent[where] = code
            return self.run.problem(where, f"{code.source or 'the module'}: {code.why}", call.source)
        if len(path) > MAX_MODULES:
            return self.run.problem(where, f"modules are nested more than {MAX_MODULES} deep", call.source)
        expansion = self.expansion(f"module.{name}", call)
        if expansion.unknown is not None:
            return expansion.unknown
        self.budget.spend(_MODULE * len(expansion.keys))
        return {
            key: ModuleInstance(
                self.run,
                code,
                path=path,
                address=f"{where}{bracketed(key)}",
                parent=self,
                call=call,
                scope=expansion.scope(self, key),
            )
            for key in expansion.keys
        }

    def expansion(self, name: str, item: Item) -> Expansion:
        """How often a block is repeated, worked out once."""
        if name not in self.expansions:
            self.expansions[name] = expand(item, self, self.named(name))
        return self.expansions[name]

    # --- resources and data sources ------------------------------------------------------------------------------

    def resource(self, mode: str, type_: str, name: str) -> Value:
        """`aws_b.c` or `data.aws_b.c`: an object, or a tuple or object of such where the block is repeated."""
        key = (mode, type_, name)
        if key not in self.objects:
            blocks = self.code.data if mode == "data" else self.code.resources
            item = blocks.get((type_, name))
            if item is None:
                kind = "data source" if mode == "data" else "resource"
                raise EvaluationError(f"there is no {kind} `{type_}.{name}` in {self.address or 'the root module'}")
            expansion = self.expansion(f"{'data.' if mode == 'data' else ''}{type_}.{name}", item)
            if expansion.unknown is not None:
                self.objects[key] = expansion.unknown
            else:
                self.objects[key] = expansion.collected(self._objects(mode, type_, name, item, expansion))
        return self.objects[key]

    def _objects(self, mode: str, type_: str, name: str, item: Item, expansion: Expansion) -> Mapping[Key, Value]:
        self.budget.spend(_RESOURCE * len(expansion.keys))
        made = DataObject if mode == "data" else ResourceObject
        recorded = self.run.recorded.of(self.address, mode, type_, name)
        if mode == "managed" and expansion.kind != "for_each":
            recorded = self._kept_by_count(recorded, counted=expansion.kind == "count")
        return {
            key: made(self, item, type_, name, key, expansion.scope(self, key), recorded.get(key))
            for key in expansion.keys
        }

    def _kept_by_count(self, recorded: Mapping[Key, Instance], *, counted: bool) -> Mapping[Key, Instance]:
        """Terraform's own move: where `count` comes or goes, the only instance becomes the first one, and back."""
        before, after = (None, 0) if counted else (0, None)
        if after in recorded or before not in recorded:
            return recorded
        found = recorded[before]
        self.run.recorded.move(found.address, found.address.removesuffix("[0]") + bracketed(after))
        return {**recorded, after: replace(found, index=after)}

    def resources(self) -> Iterator[ResourceObject]:
        """Every resource instance of this module and of all below, in the order of the code."""
        for type_, name in self.code.resources:
            yield from _members(self.resource("managed", type_, name))
        for name, call in self.code.calls.items():
            found = self.instances(name, call)
            for each in () if isinstance(found, Unknown) else found.values():
                yield from each.resources()

    def every(self) -> Iterator[ModuleInstance]:
        """This module instance and all below."""
        yield self
        for name, call in self.code.calls.items():
            found = self.instances(name, call)
            for each in () if isinstance(found, Unknown) else found.values():
                yield from each.every()

    def provider(self, name: str, alias: str) -> ProviderConfig:
        """The provider configuration that a local name and an alias mean here."""
        if (name, alias) not in self.provider_configs:
            self.provider_configs[name, alias] = provider_config(self, name, alias)
        return self.provider_configs[name, alias]


MAX_MODULES = 32
"""How deep modules may call modules: a module that calls itself would never end."""
_MODULE, _RESOURCE = 40, 25
"""Steps that an instance is worth though nothing in it is evaluated: repetition in repetition multiplies."""


class Outputs:
    """The object that a module instance is to its caller: its outputs, each evaluated when asked for."""

    flags = LAZY

    def __init__(self, instance: ModuleInstance) -> None:
        self.instance = instance

    def get(self, name: str) -> Value:
        """One output's value."""
        return self.instance.output(name)

    def force(self) -> Value:
        """All outputs."""
        return Object({name: force(self.instance.output(name)) for name in self.instance.code.outputs})


_SHOWN = (None, tree.Literal(False), tree.Literal("false"), tree.Literal(None))


def _hides(item: Item) -> bool:
    """Whether a variable or output is sensitive. Terraform takes any constant there, `"true"` and `!false` too; an
    ephemeral value is written down by nobody."""
    return any(item.expression(name) not in _SHOWN for name in ("sensitive", "ephemeral"))


def _ephemeral(type_: str, name: str) -> Value:
    return Unknown(f"ephemeral.{type_}.{name} is in no state: only a run of Terraform has it")


class _Constant:
    """The scope of a variable's default: nothing can be referred to."""

    def __init__(self, module: ModuleInstance) -> None:
        self.place = module.place
        self.budget = module.budget

    def root(self, name: str) -> Value | Names:
        raise EvaluationError(f"a default value is a constant: it cannot refer to `{name}`")


def _members(value: Value) -> Iterator[ResourceObject]:
    if isinstance(value, ResourceObject):
        yield value
    elif isinstance(value, Tuple | Object):
        for each in value.items.values() if isinstance(value, Object) else value.items:
            yield from _members(each)
