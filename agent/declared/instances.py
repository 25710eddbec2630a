"""One recorded instance as the resources it declares: itself, or the facts its spec makes of it, and its inline parts.

Hides keys, parents, and what is left behind: only what a spec names leaves here, and nothing sensitive unsealed.
Identities and identifiers stay in clear even where Terraform marks them: AWS lists them to everybody who may read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.declared.evaluation import DeclaredInstance
from agent.declared.language.values import Null
from agent.declared.places import Place
from agent.declared.sensitive import marked_by_code, marked_scalars, sealed
from agent.declared.state import Instance, Steps
from agent.declared.unapplied import Configured
from agent.model import GLOBAL, Key, Resource, Source, Unknown
from agent.resources import WEIRD, Attributes, Inline, Parent, Spec, identity
from agent.seal import seal


class UnreadableError(Exception):
    """An instance that cannot be told as a resource: why."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What is the same for all instances of a stack."""

    stack: str
    owner: Callable[[Source | None], str]
    """Who owns what the code declares there."""
    key: bytes
    specs: Mapping[str, Spec]


@dataclass(frozen=True, slots=True)
class Found:
    """An instance with what surrounds it."""

    instance: Instance
    recorded: Attributes
    """Its attributes, decoded."""
    place: Place
    code: DeclaredInstance | None
    """What the code has of it; None where no code was found."""
    unapplied: Mapping[str, Configured] = field(default_factory=dict)
    """What the code sets and state has otherwise."""

    @property
    def source(self) -> Source | None:
        """Where the code declares it."""
        return self.code.source if self.code else None

    @property
    def ignored(self) -> tuple[str, ...]:
        """What the code ignores of it."""
        return self.code.ignore_changes if self.code else ()

    @property
    def sensitive(self) -> tuple[Steps, ...]:
        """Where its attributes are sensitive, by its state or by its code."""
        return (*self.instance.sensitive, *(marked_by_code(self.code) if self.code else ()))

    @property
    def configured(self) -> frozenset[str] | None:
        """What the code sets; `tags_all` where it sets tags on the resource or on the provider."""
        if self.code is None:
            return None
        names = frozenset(name for name, value in self.code.values.items() if not isinstance(value, Null))
        tagged = "tags" in names or not isinstance(self.code.provider.default_tags, Null)
        return names | {"tags_all"} if tagged else names


def declared(found: Found, reader: Reader) -> list[Resource]:
    """The resources an instance declares. Raises `UnreadableError`."""
    spec = reader.specs[found.instance.type]
    try:
        facts = list(spec.split(found.recorded)) if spec.split else [found.recorded]
        if not facts:
            raise UnreadableError(f"{found.instance.address}: state records nothing of it, apply the stack again")
        resources = [_itself(found, fact, spec, reader) for fact in facts]
        for inline in spec.inline:
            if _declares(found, inline):
                parent = resources[0].key
                resources += [_part(found, part, inline, parent, reader) for part in inline.parts(found.recorded)]
    except WEIRD as error:
        why = f"state does not record what the specification of {found.instance.type} needs"
        raise UnreadableError(f"{found.instance.address}: {why} ({type(error).__name__})") from None
    return resources


def covered(spec: Spec, specs: Mapping[str, Spec]) -> frozenset[str]:
    """The recorded attributes a spec takes note of, by comparing, naming or splitting into parts."""
    names = _kept(spec, specs) | {inline.attribute for inline in spec.inline} | {"id", "region", "timeouts"}
    return names | {"tags"} if "tags_all" in names else names


def _kept(spec: Spec, specs: Mapping[str, Spec]) -> frozenset[str]:
    """Names of the attributes that leave the reader."""
    names: set[str] = set()
    for each in (spec, specs[spec.same_as]) if spec.same_as in specs else (spec,):
        names.update((attribute.name for attribute in each.attributes), each.names, each.identity, each.identifiers)
        names.update(each.parent.identity if each.parent else ())
    return frozenset(names)


def _itself(found: Found, fact: Attributes, spec: Spec, reader: Reader) -> Resource:
    whole = fact is found.recorded
    parent = spec.parent or (reader.specs[spec.same_as].parent if spec.same_as in reader.specs else None)
    natural = _identity(spec, fact, found)
    return Resource(
        key=_key(found.instance.type, natural, found.place, reader.specs),
        attributes=_outgoing(found, fact, spec, reader, whole=whole),
        identifiers=_identifiers(spec, fact, natural),
        address=found.instance.address,
        stack=reader.stack,
        source=found.source,
        owner=reader.owner(found.source),
        configured=found.configured,
        ignore_changes=found.ignored,
        parent=_parent(parent, fact, found.place, reader.specs),
        attribute=parent.place(fact) if parent else "",
        unapplied=_unapplied(found, spec, reader),
        recorded_parts=tuple(_undeclared_parts(found, spec, reader)) if whole else (),
    )


def _unapplied(found: Found, spec: Spec, reader: Reader) -> dict[str, Any]:
    """What is merged and not applied, sealed like what is recorded."""
    secret = {attribute.name for attribute in spec.attributes if attribute.secret}
    marked = marked_scalars(found.recorded, found.sensitive)
    hidden: dict[str, Any] = {}
    for name, merged in found.unapplied.items():
        whole = merged.sensitive or name in secret
        paths = ((name,),) if whole else found.sensitive
        hidden |= sealed(reader.key, {name: merged.value}, paths, marked)
    return hidden


def _undeclared_parts(found: Found, spec: Spec, reader: Reader) -> Iterator[Key]:
    """Parts that state records inline and the code does not write: a refresh found them."""
    if found.code is None:
        return
    for inline in spec.inline:
        if not _declares(found, inline):
            for part in inline.parts(found.recorded):
                yield _key(inline.type, identity(reader.specs[inline.type].identity, part), found.place, reader.specs)


def _part(found: Found, part: Attributes, inline: Inline, parent: Key, reader: Reader) -> Resource:
    spec = reader.specs[inline.type]
    natural = _identity(spec, part, found)
    return Resource(
        key=_key(inline.type, natural, found.place, reader.specs),
        attributes=_outgoing(found, part, spec, reader, whole=False),
        identifiers=_identifiers(spec, part, natural),
        address=found.instance.address,
        stack=reader.stack,
        source=found.source,
        owner=reader.owner(found.source),
        configured=frozenset(part) if found.code else None,
        ignore_changes=found.ignored,
        parent=parent,
        attribute=inline.attribute,
    )


def _declares(found: Found, inline: Inline) -> bool:
    """Whether the code writes the parts inline; without code, whether state records any."""
    if found.configured is not None:
        return inline.attribute in found.configured
    return bool(found.recorded.get(inline.attribute))


def _identity(spec: Spec, attributes: Attributes, found: Found) -> str:
    if all(attributes.get(name) in (None, "") for name in spec.identity):
        names = " or ".join(spec.identity)
        raise UnreadableError(f"{found.instance.address}: state records no {names}, apply the stack again")
    return identity(spec.identity, attributes)


def _identifiers(spec: Spec, attributes: Attributes, natural: str) -> tuple[str, ...]:
    names = (natural, *(attributes.get(name) for name in spec.identifiers))
    return tuple(dict.fromkeys(name for name in names if name and isinstance(name, str)))


def _key(type_: str, natural: str, place: Place, specs: Mapping[str, Spec]) -> Key:
    spec = specs.get(type_)
    if spec and spec.same_as:
        return _key(spec.same_as, natural, place, specs)
    return Key(place.account, GLOBAL if spec and spec.is_global else place.region, type_, natural)


def _parent(parent: Parent | None, attributes: Attributes, place: Place, specs: Mapping[str, Spec]) -> Key | None:
    return _key(parent.type, identity(parent.identity, attributes), place, specs) if parent else None


def _outgoing(found: Found, fact: Attributes, spec: Spec, reader: Reader, *, whole: bool) -> dict[str, Any]:
    """The attributes that leave, sealed; what a spec compares and this state does not know is `Unknown`."""
    kept = _kept(spec, reader.specs)
    secret = {attribute.name for attribute in spec.attributes if attribute.secret}
    values: dict[str, Any] = {
        name: seal(reader.key, value) if name in secret else value for name, value in fact.items() if name in kept
    }
    if whole:
        unknown = Unknown("the state does not record it: another provider version wrote it")
        values = {attribute.name: unknown for attribute in spec.attributes} | values
    paths = found.sensitive if whole else ()
    hidden = sealed(reader.key, values, paths, marked_scalars(found.recorded, found.sensitive))
    return hidden | {name: values[name] for name in (*spec.identity, *spec.identifiers) if name in values}
