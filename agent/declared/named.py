"""One recorded instance of a type without a spec, by what calls may name it: nothing else of it leaves state.

Hides how names are joined, and that a name which is marked sensitive, or equals what is, is no name to show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.declared.evaluation import DeclaredInstance
from agent.declared.instances import Reader
from agent.declared.places import Place
from agent.declared.sensitive import marked_by_code, marked_scalars
from agent.declared.state import Instance, Steps
from agent.model import GLOBAL, Key, Resource
from agent.named import Named, joined, load
from agent.resources import GLOBAL_TYPES

ACCOUNT = "@account"


def is_named(type_: str) -> bool:
    """Whether calls are told of resources of this type."""
    return type_ in load()


def named(instance: Instance, code: DeclaredInstance | None, place: Place, reader: Reader) -> Resource | None:
    """The instance without attributes; None where state has no name of it. Raises `StateError`."""
    type_ = load()[instance.type]
    marked = (*instance.sensitive, *(marked_by_code(code) if code else ()))
    names = tuple(dict.fromkeys(names_of(type_, instance.attributes(), marked, place.account)))
    if not names:
        return None
    own = type_.same_as or instance.type
    source = code.source if code else None
    return Resource(
        key=Key(place.account, GLOBAL if own in GLOBAL_TYPES else place.region, own, names[0]),
        attributes={},
        identifiers=names,
        address=code.address if code else instance.address,
        stack=reader.stack,
        source=source,
        owner=reader.owner(source),
    )


def names_of(type_: Named, recorded: Mapping[str, Any], marked: tuple[Steps, ...], account: str) -> Iterator[str]:
    """What calls may name an instance by, of its attributes; `marked` are those that are sensitive. Some come twice."""
    hidden = {path[0] for path in marked if path}
    secrets = marked_scalars(recorded, marked)
    for name in type_.names:
        attributes = tuple(name.split("+"))
        if name == ACCOUNT:
            yield account
        elif () not in marked and not hidden & {attribute.partition(".")[0] for attribute in attributes}:
            values = tuple(_text(_at(recorded, attribute), alone=len(attributes) == 1) for attribute in attributes)
            if all(values) and not secrets & set(values):
                whole = len(values) > 1 or attributes[0].endswith("name")
                yield joined(values, attributes, account) if whole else values[0]


def _at(recorded: Mapping[str, Any], attribute: str) -> Any:
    """A recorded value; `block.attribute` is that of the one block."""
    outer, dot, inner = attribute.partition(".")
    value = recorded.get(outer)
    if not dot:
        return value
    first = value[0] if isinstance(value, list) and value else None
    return first.get(inner) if isinstance(first, dict) else None


def _text(value: Any, *, alone: bool) -> str:
    """A name alone is a text; in a joined one a rule's number and direction count too."""
    if isinstance(value, str):
        return value
    if alone or not isinstance(value, int | float):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
