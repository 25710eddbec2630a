"""Which items of a listing are looked for, where only some resources are to be read.

Hides that a listed item has some of its names only, and that a part is also meant by the name of what it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from glob import escape

from agent.paths import compiled
from agent.resources import WEIRD, Item, Path, Spec, identity


class Sought:
    """The resources that are looked for, by type and any of their names."""

    def __init__(self, specs: Mapping[str, Spec], only: Mapping[str, frozenset[str]]) -> None:
        """`only` as `aws.read` takes it."""
        self._specs = specs
        self._paths = {name: _paths(specs[name]) for name in only}
        self._only = {name: set(names) for name, names in only.items()}
        self._asked: dict[str, frozenset[str]] = {}

    def learn(self, name: str, items: Iterable[Item]) -> None:
        """What a type's listing tells of the names: what a part that is meant belongs to, and how that is called.

        To be told of the parts first.
        """
        spec = self._specs[name]
        meant = [item for item in items if self._only[name] and self._named(name, spec, item)]
        if spec.parent is not None:
            self._only.setdefault(spec.parent.type, set()).update(self._parent(name, spec, item) for item in meant)
        else:
            # Parts name it by its identity, whatever it was meant by.
            self._only[name].update(identity(spec.identity, self._shown(name, item)) for item in meant)

    def asked(self, name: str) -> tuple[str, ...] | None:
        """What a type's resources are to be asked for by, one after the other; None: they must be listed."""
        spec, its = self._specs[name], self._only[name]
        if spec.one is None or (spec.parent is not None and its):
            return None
        names = self._only.get(spec.parent.type, set()) if spec.parent is not None else its
        found = {spec.one.named(each) for each in names}
        known = sorted(each for each in found if each)
        if not known or None in found:
            return None
        self._asked[name] = frozenset(known)
        return tuple(known)

    def meant(self, name: str, asked: str) -> tuple[str, ...]:
        """Patterns of the identities that a type's resources may have which were asked for by this name, sorted."""
        spec = self._specs[name]
        assert spec.one is not None
        if spec.parent is None:
            return tuple(sorted({escape(each) for each in (asked, *self._spelled(name, asked))}))
        of = spec.parent.identity
        if len(of) != 1 or of[0] not in spec.identity:
            return ("*",)
        parents = {asked, *self._spelled(spec.parent.type, asked)}
        return tuple(
            sorted("|".join(escape(one) if each == of[0] else "*" for each in spec.identity) for one in parents)
        )

    def _spelled(self, name: str, asked: str) -> Iterator[str]:
        one = self._specs[name].one
        if one is not None:
            yield from (each for each in self._only.get(name, ()) if one.named(each) == asked)

    def __contains__(self, listed: tuple[str, Item]) -> bool:
        """Whether a listed item of a type is looked for. One that shows none of its names may be."""
        name, item = listed
        spec = self._specs[name]
        if spec.parent is not None and self._parent(name, spec, item) in self._only.get(spec.parent.type, ()):
            return True
        return self._named(name, spec, item)

    def _named(self, name: str, spec: Spec, item: Item) -> bool:
        shown = self._shown(name, item)
        its = {shown.get(other, "") for other in spec.identifiers} - {""}
        if any(shown.get(other) for other in spec.identity):
            its.add(identity(spec.identity, shown))
        # What was asked for by name need not show the spelling that it was meant by.
        return not its or not its.isdisjoint(self._only[name] | self._asked.get(name, frozenset()))

    def _shown(self, name: str, item: Item) -> Mapping[str, str]:
        return {other: _text(path, item) for other, path in self._paths[name].items()}

    def _parent(self, name: str, spec: Spec, item: Item) -> str:
        assert spec.parent is not None
        return identity(spec.parent.identity, self._shown(name, item))


def _paths(spec: Spec) -> Mapping[str, Path]:
    """Where the naming attributes of a type stand in a listed item."""
    paths = {attribute.name: attribute.path for attribute in spec.attributes} | dict(spec.names)
    parent = spec.parent.identity if spec.parent else ()
    return {name: paths[name] for name in (*spec.identity, *spec.identifiers, *parent) if name in paths}


def _text(path: Path, item: Item) -> str:
    """What names a listed item; empty: the listing does not show it."""
    try:
        found = path(item) if callable(path) else compiled(path)(item)
    except WEIRD:
        return ""
    return "" if found is None else str(found)
