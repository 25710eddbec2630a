"""`moved`, `import` and `removed` blocks: what the configuration says about what was elsewhere before.

Hides that their addresses are relative to the module they stand in, whichever instance of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from agent.declared.addresses import Address, Step, parse_address
from agent.declared.configuration import Item, Module, traversal
from agent.declared.hcl import tree
from agent.declared.modules import ModulePath, Modules, everywhere
from agent.model import Source


@dataclass(frozen=True, slots=True)
class Move:
    """A `moved` block."""

    within: ModulePath
    """The module it stands in; its addresses are relative to every instance of that."""
    before: Address
    after: Address

    def applied(self, address: Address) -> Address | None:
        """Where it takes an address; None where it does not concern it."""
        split = _split(address, self.within)
        if split is None:
            return None
        outer, inner = split
        moved = inner.renamed(self.before, self.after)
        return replace(moved, modules=(*outer.modules, *moved.modules)) if moved else None


class Moves:
    """Moves, found by the address they concern: thousands of them meet thousands of instances."""

    def __init__(self, moves: Iterable[Move]) -> None:
        self._found: dict[tuple[object, ...], list[tuple[int, Move]]] = defaultdict(list)
        for order, move in enumerate(moves):
            self._found[_place(move.within, move.before)].append((order, move))

    def __bool__(self) -> bool:
        return bool(self._found)

    def following(self, address: Address) -> Address | None:
        """Where the first move that concerns an address takes it; None where none does."""
        moves = [each for place in _places(address) for each in self._found.get(place, ())]
        return next((to for _, move in sorted(moves, key=_order) if (to := move.applied(address)) is not None), None)


def _order(move: tuple[int, Move]) -> int:
    return move[0]


def _place(within: ModulePath, before: Address) -> tuple[object, ...]:
    return (within, before.modules, before.type, before.name, before.index)


def _places(address: Address) -> Iterator[tuple[object, ...]]:
    """Every `_place` of a move that may concern an address."""
    names, modules = tuple(each.name for each in address.modules), address.modules
    for n in range(len(modules) + 1):
        for index in {address.index, None}:
            yield _place(names[:n], replace(address, modules=modules[n:], index=index))
        for k in range(n + 1, len(modules) + 1):
            for last in {modules[k - 1], Step(modules[k - 1].name)}:
                yield _place(names[:n], Address((*modules[n : k - 1], last)))


@dataclass(frozen=True, slots=True)
class Removal:
    """A `removed` block: what is at its address is managed no longer."""

    within: ModulePath
    target: Address
    source: Source
    destroy: bool
    """Whether the resource goes too; else it stays, and nobody manages it."""

    def covers(self, address: Address) -> bool:
        """Whether an instance is among what it names: a resource with all its instances, or all in a module."""
        split = _split(address, self.within)
        if split is None:
            return False
        inner, target = split[1], self.target
        names = [each.name for each in inner.modules]
        wanted = [each.name for each in target.modules]
        if not target.type:
            return names[: len(wanted)] == wanted
        return names == wanted and (inner.type, inner.name) == (target.type, target.name)


@dataclass(frozen=True, slots=True)
class Refactorings:
    """All such blocks of a root module and of the modules below."""

    moves: tuple[Move, ...] = ()
    removals: tuple[Removal, ...] = ()
    imports: tuple[Item, ...] = ()
    """Of the root module: only there they may stand."""


def refactorings(root: Module, modules: Modules) -> Refactorings:
    """Everything the configuration says of addresses. A module that cannot be read says nothing here."""
    moves: list[Move] = []
    removals: list[Removal] = []
    for path, code in everywhere(root, modules):
        for item in code.refactorings:
            before, after = (parse_address(traversal(item.expression(name))) for name in ("from", "to"))
            if item.block.type == "moved" and before is not None and after is not None:
                moves.append(Move(path, before, after))
            elif item.block.type == "removed" and before is not None:
                removals.append(Removal(path, before, item.source, _destroys(item)))
    imports = tuple(item for item in root.refactorings if item.block.type == "import")
    return Refactorings(tuple(moves), tuple(removals), imports)


def _destroys(item: Item) -> bool:
    """Whether a removed block's `lifecycle { destroy }` is left at true."""
    return all(each.body.attribute("destroy") != tree.Literal(False) for each in item.blocks("lifecycle"))


def _split(address: Address, within: ModulePath) -> tuple[Address, Address] | None:
    """An address as the module instance it lies in and the rest; None where it lies elsewhere."""
    n = len(within)
    if tuple(each.name for each in address.modules[:n]) != within:
        return None
    return replace(address, modules=address.modules[:n]), replace(address, modules=address.modules[n:])
