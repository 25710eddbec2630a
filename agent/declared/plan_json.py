"""A plan as JSON (`terraform show -json PLAN`) → what a root module declares, for whoever makes one in a pipeline.

Hides the format's layout (https://developer.hashicorp.com/terraform/internals/json-format). A plan has no lines: every
source is the plan itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent.declared.evaluation import DeclaredInstance, Evaluated
from agent.declared.evaluation.providers import ProviderConfig
from agent.declared.evaluation.refactoring import Refactorings
from agent.declared.language.values import Sensitive, Unknown, Value, from_plain
from agent.declared.places import module_path
from agent.declared.regular import read_regular
from agent.declared.schemas import Block, provider
from agent.declared.schemas.shape import recorded_name
from agent.model import Source

MAX_BYTES = 500 * 1024 * 1024
"""Largest plan read."""


class PlanError(Exception):
    """A plan that cannot be read: which, why, and what would be right."""


class _Change(msgspec.Struct):
    actions: tuple[str, ...] = ()
    after: dict[str, Any] | None = None
    after_unknown: Any = None
    after_sensitive: Any = None
    importing: Any = None


class _ResourceChange(msgspec.Struct):
    address: str
    type: str
    name: str
    change: _Change
    mode: str = "managed"
    provider_name: str = ""
    module_address: str = ""
    previous_address: str = ""


class _Resource(msgspec.Struct):
    type: str
    name: str
    mode: str = "managed"
    provider_config_key: str = ""
    expressions: dict[str, Any] = {}


class _Call(msgspec.Struct):
    module: _Module | None = None


class _Module(msgspec.Struct):
    resources: tuple[_Resource, ...] = ()
    module_calls: dict[str, _Call] = {}


class _Provider(msgspec.Struct):
    full_name: str = ""
    alias: str = ""
    expressions: dict[str, Any] = {}


class _Configuration(msgspec.Struct):
    root_module: _Module = msgspec.field(default_factory=_Module)
    provider_config: dict[str, _Provider] = {}


class _Plan(msgspec.Struct):
    format_version: str
    resource_changes: tuple[_ResourceChange, ...] = ()
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)
    errored: bool = False


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_PLAN = msgspec.json.Decoder(_Plan)


def read(path: Path, versions: Mapping[str, str]) -> Evaluated:
    """The plan in a file; `versions` are those locked, by provider source. Raises `PlanError`."""
    try:
        data = read_regular(path, MAX_BYTES + 1)
    except OSError as error:
        raise PlanError(f"plan {path}: {error.strerror}; `terraform show -json PLAN` writes one") from None
    if len(data) > MAX_BYTES:
        raise PlanError(f"plan {path} has more than {MAX_BYTES:,} bytes: split the stack")
    try:
        plan = _PLAN.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = "it is not what `terraform show -json PLAN` writes"
        raise PlanError(f"plan {path}: {why} ({type(error).__name__})") from None
    if not plan.format_version.startswith("1."):
        raise PlanError(f"plan {path} has format version {plan.format_version[:20]}, read is version 1")
    if plan.errored:
        raise PlanError(f"plan {path} ended with an error and is not whole: plan again")
    return _declared(plan, path.name, versions)


def _declared(plan: _Plan, shown: str, versions: Mapping[str, str]) -> Evaluated:
    blocks = dict(_blocks(plan.configuration.root_module, ()))
    providers = {name: _provider(each) for name, each in plan.configuration.provider_config.items()}
    instances: dict[str, DeclaredInstance] = {}
    moved: dict[str, str] = {}
    for each in plan.resource_changes:
        if each.mode != "managed" or each.change.after is None:
            continue
        block = blocks.get((module_path(each.module_address), each.type, each.name))
        config = providers.get(block.provider_config_key if block else "")
        used = config or ProviderConfig(f'provider["{each.provider_name}"]', each.provider_name)
        before = each.previous_address or each.address
        if before != each.address:
            moved[before] = each.address
        created = each.change.actions == ("create",) or each.change.importing is not None
        names = tuple(block.expressions) if block else tuple(each.change.after)
        known = provider(used.source, versions.get(used.source, ""))
        schema = known.resource(each.type) if known else None
        values = dict(_values(each, names, schema.block if schema else None))
        source = Source(shown, 1)
        instances[each.address] = DeclaredInstance(
            address=each.address,
            module=each.module_address,
            type=each.type,
            name=each.name,
            source=source,
            values=values,
            lines=dict.fromkeys(values, source),
            ignore_changes=(),
            provider=used,
            schema=schema,
            recorded_at="" if created else before,
        )
    return Evaluated(
        instances=instances,
        unexpanded={},
        problems=(),
        refactorings=Refactorings(),
        moved=moved,
        imports=frozenset(each.address for each in plan.resource_changes if each.change.importing is not None),
        absent={},
        providers={each.address: each for each in providers.values()},
    )


def _blocks(module: _Module, path: tuple[str, ...]) -> Iterator[tuple[tuple[tuple[str, ...], str, str], _Resource]]:
    for each in module.resources:
        if each.mode == "managed":
            yield (path, each.type, each.name), each
    for name, call in module.module_calls.items():
        if call.module is not None:
            yield from _blocks(call.module, (*path, name))


def _provider(each: _Provider) -> ProviderConfig:
    region = each.expressions.get("region")
    told = region.get("constant_value") if isinstance(region, dict) else None
    alias = f".{each.alias}" if each.alias else ""
    return ProviderConfig(f'provider["{each.full_name}"]{alias}', each.full_name, told if isinstance(told, str) else "")


def _values(each: _ResourceChange, names: tuple[str, ...], block: Block | None) -> Iterator[tuple[str, Value]]:
    after = each.change.after or {}
    for name in names:
        if name not in after and not _part(each.change.after_unknown, name):
            continue
        value = _value(after.get(name), name, block)
        value = _unknown(value, _part(each.change.after_unknown, name), f"{each.address}.{name}")
        hidden = each.change.after_sensitive is True or bool(_any(_part(each.change.after_sensitive, name)))
        yield name, Sensitive(value) if hidden else value


def _value(value: Any, name: str, block: Block | None) -> Value:
    return from_plain(value) if block is None else recorded_name(block, name, value)


def _part(marks: Any, name: str) -> Any:
    return marks.get(name) if isinstance(marks, Mapping) else marks


def _any(marks: Any) -> bool:
    if isinstance(marks, Mapping):
        return any(map(_any, marks.values()))
    return any(map(_any, marks)) if isinstance(marks, list) else marks is True


def _unknown(value: Value, marks: Any, where: str) -> Value:
    """The value with `Unknown` where the plan says that the apply will tell."""
    if marks is True:
        return Unknown(f"{where} is known after the apply")
    if not _any(marks):
        return value
    return Unknown(f"{where} is in part known after the apply")
