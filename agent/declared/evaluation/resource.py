"""A resource instance or data source as references see it: configured where that is known, else as state has it.

Hides the overlay of code and state, the schema both are read with, and that each attribute is evaluated only once and
only when something asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.declared import data
from agent.declared.addresses import Key, bracketed
from agent.declared.configuration import META, Item, ignored_changes
from agent.declared.evaluation import body
from agent.declared.evaluation.providers import ProviderConfig, local_name
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Scope
from agent.declared.language.types import DYNAMIC
from agent.declared.language.values import (
    LAZY,
    NULL,
    UNKNOWN,
    Map,
    Null,
    Object,
    Sensitive,
    Unknown,
    Value,
    flags,
    rebuilt,
    same,
    unmarked,
)
from agent.declared.schemas import Block, Schema, sensitive_paths
from agent.declared.schemas.shape import dynamic, recorded_name, shaped_name
from agent.declared.state import Instance, StateError, Steps
from agent.model import Source

if TYPE_CHECKING:
    from agent.declared.evaluation.module import ModuleInstance


def _line(item: Item, name: str) -> Source:
    """Where a block sets an attribute or nested block."""
    inside = item.block.body
    for attribute in inside.attributes:
        if attribute.name == name:
            return item.at(attribute)
    lines = (each.line for each in inside.blocks if name in (each.type, *each.labels[:1]))
    return Source(item.file, next(lines, item.block.line))


class _Instance:
    """What resources and data sources have in common: a block, its scope, its schema, and what state records of it."""

    flags = LAZY
    mode = ""

    def __init__(
        self,
        module: ModuleInstance,
        item: Item,
        type_: str,
        name: str,
        key: Key,
        scope: Scope,
        instance: Instance | None,
    ) -> None:
        self.module = module
        self.item = item
        self.type = type_
        self.name = name
        self.key = key
        self.scope = scope
        self.instance = instance
        """What state records; None where it has nothing of it."""
        self.address = module.named(f"{self.mode}{type_}.{name}{bracketed(key)}")
        self._configured: dict[str, Value | None] = {}
        self._known: dict[str, Value] = {}
        self._decoded: Mapping[str, Any] | None = None
        self._provider: ProviderConfig | None = None
        self._schema: tuple[Schema | None] | None = None
        self._answer: tuple[Mapping[str, Value] | None] | None = None

    @property
    def recorded_address(self) -> str:
        """Its address in the state as the configuration's moves leave it; empty where it is not in it."""
        return self.instance.address if self.instance else ""

    @property
    def provider(self) -> ProviderConfig:
        """Its provider configuration."""
        if self._provider is None:
            self._provider = self.module.provider(*local_name(self.item, self.type))
        return self._provider

    @property
    def block(self) -> Block | None:
        """The schema of its body; None where nobody ships one."""
        found = self.schema
        return found.block if found else None

    @property
    def schema(self) -> Schema | None:
        """The schema of its type."""
        if self._schema is None:
            known = self.module.run.schema(self.provider.source)
            found = (known.data_source(self.type) if self.mode else known.resource(self.type)) if known else None
            self._schema = (found,)
        return self._schema[0]

    def names(self) -> Iterator[str]:
        """The attributes and nested blocks its code sets."""
        return (name for name in body.names(self.item.block.body) if name not in META)

    def configured(self, name: str) -> Value | None:
        """What its code sets a name to, None where it does not; what cannot be evaluated is unknown, and a problem."""
        if name not in self._configured:
            self._configured[name] = None if name in META else self._evaluated(name)
        return self._configured[name]

    def _evaluated(self, name: str) -> Value | None:
        unset = False

        def evaluate() -> Value:
            nonlocal unset
            value = body.value_of(self.item.block.body, name, self.scope)
            unset = value is None
            return NULL if value is None else self._shaped(name, value)

        value = self.module.run.attempt(f"{self.address}.{name}", partial(_line, self.item, name), evaluate)
        return None if unset else value

    def _shaped(self, name: str, value: Value) -> Value:
        block = self.block
        if block is None:
            return value
        return _marked(shaped_name(block, name, value, f"{self.address}.{name}"), self._hidden(block, name))

    def _recorded(self) -> Mapping[str, Any]:
        """What state records, decoded when first asked for. Raises `StateError`."""
        if self._decoded is None:
            self._decoded = self.instance.exact() if self.instance else {}
        return self._decoded

    @staticmethod
    def _hidden(block: Block, name: str) -> list[Steps]:
        """Where inside a name the schema says that something is sensitive."""
        return [path[1:] for path in sensitive_paths(block) if path[0] == name]

    def recorded(self, name: str) -> Value | None:
        """What state records of a name, in the shape of the schema; None where it has no such instance or name."""
        if self.instance is None:
            return None
        try:
            found = self._recorded()
        except StateError as error:
            return self.module.run.problem(self.address, str(error))
        if name not in found:
            return None
        block = self.block
        value = recorded_name(block, name, found[name]) if block else dynamic(found[name])
        hidden = [path[1:] for path in self.instance.sensitive if path[:1] == (name,)]
        value = _marked(value, [*hidden, *(self._hidden(block, name) if block else ())])
        return Sensitive(value) if () in self.instance.sensitive else value

    def get(self, name: str) -> Value:
        """One attribute, as `language.values.Lazy` has it."""
        if name not in self._known:
            self._known[name] = self.value(name)
        return self._known[name]

    def value(self, name: str) -> Value:
        """The value references get."""
        raise EvaluationError(f"`{name}` cannot be told")

    def attribute_names(self) -> list[str]:
        """Every attribute and nested block it has."""
        block = self.block
        if block is not None:
            return [*block.attributes, *block.blocks]
        found = list(self.names())
        return list(dict.fromkeys((*found, *self._recorded())))

    def force(self) -> Value:
        """The whole object, as `language.values.Lazy` has it."""
        return Object({name: self.get(name) for name in self.attribute_names()})


class ResourceObject(_Instance):
    """A managed resource instance."""

    def ignored(self) -> tuple[str, ...]:
        """Its `lifecycle.ignore_changes`, as paths."""
        return ignored_changes(self.item)

    def value(self, name: str) -> Value:
        """A configured value where it is known and not null, else what state records."""
        configured, recorded = self.configured(name), self.recorded(name)
        ignored = self.ignored()
        if recorded is not None and (name in ignored or "all" in ignored):
            return recorded
        if configured is not None and recorded is not None and not isinstance(unmarked(configured)[0], Null):
            return recorded if flags(configured) & UNKNOWN else configured
        if recorded is not None:
            return recorded
        return self._unrecorded(name, configured)

    def _unrecorded(self, name: str, configured: Value | None) -> Value:
        block = self.block
        attribute = block.attributes.get(name) if block else None
        if block is not None and attribute is None and name not in block.blocks:
            raise EvaluationError(f"{self.type} has no attribute `{name}`")
        if configured is not None and not (isinstance(configured, Null) and attribute and attribute.computed):
            return configured
        if block is not None and name in block.blocks:
            return shaped_name(block, name, NULL)
        if attribute is not None and not attribute.computed:
            return Null(attribute.type)
        why = "is not in state" if self.instance is None else "is not recorded in state"
        return Unknown(f"{self.address}.{name} {why}", attribute.type if attribute else DYNAMIC)


class Lines(Mapping[str, Source]):
    """Where a block sets each of some names, looked up when somebody asks."""

    __slots__ = ("_item", "_names")

    def __init__(self, item: Item, names: tuple[str, ...]) -> None:
        self._item = item
        self._names = names

    def __getitem__(self, name: str) -> Source:
        if name not in self._names:
            raise KeyError(name)
        return _line(self._item, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class DataObject(_Instance):
    """A data source: read natively where its answer depends on nothing but its arguments, else as state has it."""

    mode = "data."

    def value(self, name: str) -> Value:
        """The value references get."""
        native = self._native()
        if native is not None and name in native:
            return self._known_natively(name, native[name])
        configured = self.configured(name)
        if configured is not None and not isinstance(configured, Null):
            return configured
        block = self.block
        if block is not None and name not in block.attributes and name not in block.blocks:
            raise EvaluationError(f"{self.type} has no attribute `{name}`")
        recorded = self.recorded(name)
        if recorded is None:
            return Unknown(f"{self.address}.{name}: only Terraform reads this data source, and state has no answer")
        stale = self._stale()
        return Unknown(f"{self.address}.{name}: {stale}") if stale else recorded

    def _known_natively(self, name: str, value: Value) -> Value:
        """What state answered to the same question, where the arguments alone do not tell."""
        if not flags(value) & UNKNOWN or self._stale():
            return value
        recorded = self.recorded(name)
        return value if recorded is None else recorded

    def _native(self) -> Mapping[str, Value] | None:
        if self._answer is None:
            provider, run = self.provider, self.module.run
            here = data.Here(
                account=provider.account or run.account,
                region=provider.region or run.region,
                default_tags=provider.default_tags,
            )
            arguments = {name: self.configured(name) for name in self.names()}
            given = Object({name: value for name, value in arguments.items() if value is not None})
            self._answer = (data.read(self.type, given, here),)
        return self._answer[0]

    def _stale(self) -> str:
        """Why the recorded answer may be to another question."""
        for name in self.names():
            asked, answered = self.configured(name), self.recorded(name)
            if asked is None or answered is None:
                continue
            bare, before = unmarked(asked)[0], unmarked(answered)[0]
            if flags(bare) & UNKNOWN:
                return f"`{name}` of the data source is unknown"
            if not same(bare, before) and not isinstance(bare, Null):
                return f"state has the answer for another `{name}`"
        return ""


def _marked(value: Value, paths: list[Steps]) -> Value:
    """The value with `Sensitive` at each path; an index counts for every element."""
    for path in paths:
        value = _marked_at(value, path)
    return value


def _marked_at(value: Value, path: Steps) -> Value:
    if not path:
        return Sensitive(value)
    step, rest = path[0], path[1:]
    match value:
        case Object():
            return Object({key: _marked_at(each, rest) if key == step else each for key, each in value.items.items()})
        case Map():
            items = {key: _marked_at(each, rest) if key == step else each for key, each in value.items.items()}
            return Map(items, value.element)
    return rebuilt(value, lambda each: _marked_at(each, rest))
