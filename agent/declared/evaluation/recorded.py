"""What state records, found by where the configuration has it now.

Hides `moved` blocks, the moves Terraform makes by itself, and that instances stay undecoded until they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from agent.declared.addresses import parse_address
from agent.declared.evaluation.refactoring import Move, Moves
from agent.declared.state import Instance, State

Key = int | str | None
Group = tuple[str, str, str, str]
"""Address of the module instance, mode, type and name."""


@dataclass(slots=True)
class Recorded:
    """The instances of one state, at the addresses that moves give them."""

    groups: Mapping[Group, Mapping[Key, Instance]] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """Address in the state → address now, where they differ."""

    def move(self, address: str, now: str) -> None:
        """Notes that what is at an address goes on to another."""
        origin = next((before for before, after in self.moved.items() if after == address), address)
        self.moved[origin] = now

    def of(self, module: str, mode: str, type_: str, name: str) -> Mapping[Key, Instance]:
        """The recorded instances of one resource, by instance key."""
        return self.groups.get((module, mode, type_, name), {})


def recorded(state: State | None, moves: Iterable[Move] = ()) -> Recorded:
    """The state as the configuration's moves would leave it."""
    if state is None:
        return Recorded()
    chain = Moves(moves)
    groups: dict[Group, dict[Key, Instance]] = {}
    renamed: dict[str, str] = {}
    taken = {each.address for each in state.instances}
    for mode, instances in (("managed", state.instances), ("data", state.data)):
        for each in instances:
            now = _moved(each, chain, taken) if chain and mode == "managed" else each
            if now is not each:
                renamed[each.address] = now.address
            groups.setdefault((now.module, mode, now.type, now.name), {})[now.index] = now
    return Recorded(groups, renamed)


LONGEST = 200
"""Moves that one instance is followed through: a circle of them must end."""


def _moved(instance: Instance, moves: Moves, taken: set[str]) -> Instance:
    """The instance where moves take it; a move onto an address that state has already does not happen."""
    address = parse_address(instance.address)
    if address is None:
        return instance
    now = address
    for _ in range(LONGEST):
        following = moves.following(now)
        if following is None or str(following) in taken:
            break
        now = following
    if now == address:
        return instance
    return replace(instance, address=str(now), module=now.module_address, type=now.type, name=now.name, index=now.index)
