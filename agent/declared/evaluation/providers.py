"""Which provider configuration a resource uses, and where that reaches.

Hides how configurations are passed through modules, and what their arguments say of account, region and tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.declared.configuration import Item, traversal
from agent.declared.evaluation.body import value_of
from agent.declared.hcl import tree
from agent.declared.language.values import NULL, List, Map, Object, Sensitive, Set, Tuple, Unknown, Value, unmarked
from agent.declared.schemas import source_of
from agent.model import Source

if TYPE_CHECKING:
    from agent.declared.evaluation.module import ModuleInstance

_ROLE = re.compile(r"arn:[^:]+:iam::([0-9]{12}):role/.+")


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider configuration, evaluated."""

    address: str
    """As state writes it: `provider["registry.terraform.io/hashicorp/aws"].west`."""
    source: str
    """`registry.terraform.io/hashicorp/aws`."""
    region: str = ""
    """Empty where the configuration does not tell."""
    account: str = ""
    """Account of the role it assumes; empty where it does not tell."""
    default_tags: Value = field(default=NULL)
    """A map, null where there are none, unknown where they cannot be told; what is sensitive in it is marked."""
    ignore_tags: tuple[frozenset[str], tuple[str, ...]] = (frozenset(), ())
    """Tags that nobody looks at: their keys, and the prefixes of their keys."""
    where: Source | None = None


def local_name(item: Item, type_: str) -> tuple[str, str]:
    """The local name and alias of the provider that a resource or data block uses."""
    written = traversal(item.expression("provider"))
    name, _, alias = written.partition(".")
    return (name, alias) if name else (type_.partition("_")[0], "")


def provider_config(module: ModuleInstance, name: str, alias: str) -> ProviderConfig:
    """The configuration that a local name and an alias mean in a module instance."""
    source = module.code.requirements.get(name) or source_of(name)
    item = module.code.providers.get((name, alias))
    if item is not None and (module.parent is None or _is_configuration(item)):
        return _evaluated(module, item, source, alias)
    if module.parent is None or module.call is None:
        return ProviderConfig(_address(module, source, alias), source)
    passed = _passed(module.call, name, alias)
    if passed:
        outer, _, outer_alias = passed.partition(".")
        return module.parent.provider(outer, outer_alias)
    return module.parent.provider(_name_of(module.parent, source, name), alias)


def _is_configuration(item: Item) -> bool:
    """An empty `provider` block in a called module only says that one will be passed in (before Terraform 0.13)."""
    body = item.block.body
    return bool(body.blocks) or any(each.name not in ("alias", "version") for each in body.attributes)


def _passed(call: Item, name: str, alias: str) -> str:
    """What the call's `providers` gives for a name of the called module; empty where it says nothing of it."""
    written = call.expression("providers")
    wanted = f"{name}.{alias}" if alias else name
    for key, value in written.items if isinstance(written, tree.Object) else ():
        if traversal(key.reference if isinstance(key, tree.BareKey) else key) == wanted:
            return traversal(value)
    return ""


def _name_of(module: ModuleInstance, source: str, name: str) -> str:
    """The local name a module has for a provider."""
    return next((mine for mine, its in module.code.requirements.items() if its == source), name)


def _address(module: ModuleInstance, source: str, alias: str) -> str:
    inside = f"{module.address}." if module.address else ""
    return f'{inside}provider["{source}"]' + (f".{alias}" if alias else "")


def _evaluated(module: ModuleInstance, item: Item, source: str, alias: str) -> ProviderConfig:
    address = _address(module, source, alias)

    def told(name: str) -> Value:
        def read() -> Value:
            value = value_of(item.block.body, name, module)
            return NULL if value is None else value

        return module.run.attempt(f"{address} {name}", item.source, read)

    role = _text(_inner(told("assume_role"), "role_arn"))
    found = _ROLE.match(role)
    ignored = told("ignore_tags")
    return ProviderConfig(
        address=address,
        source=source,
        region=_text(told("region")),
        account=found[1] if found else "",
        default_tags=_inner(told("default_tags"), "tags"),
        ignore_tags=(frozenset(_texts(_inner(ignored, "keys"))), tuple(_texts(_inner(ignored, "key_prefixes")))),
        where=item.source,
    )


def _inner(value: Value, name: str) -> Value:
    """An attribute of a nested block that may be written once."""
    match value:
        case List() | Set() | Tuple():
            return _inner(value.items[0], name) if value.items else NULL
        case Object() | Map():
            return value.items.get(name, NULL)
        case Unknown():
            return value
        case Sensitive():
            return Sensitive(_inner(value.value, name))
    return NULL


def _text(value: Value) -> str:
    bare = unmarked(value)[0]
    return bare if isinstance(bare, str) else ""


def _texts(value: Value) -> list[str]:
    bare = unmarked(value)[0]
    items = bare.items if isinstance(bare, List | Set | Tuple) else ()
    return [each for each in items if isinstance(each, str)]
