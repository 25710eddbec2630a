"""What our evaluation makes of a root module, held against an answer of Terraform's.

Hides which differences are none: sets have no order, null is what is not set, and a provider, where one took part, may
say more than the code.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha1
from pathlib import Path
from typing import Any, Literal

from module_oracle import HOLE, MOCKED, Answer

from agent.declared.configuration import read_module
from agent.declared.evaluation import DeclaredInstance, Evaluated, Surroundings, evaluate_root
from agent.declared.language.values import (
    UNKNOWN,
    List,
    Map,
    Null,
    Object,
    Set,
    Tuple,
    Unknown,
    Value,
    flags,
    force,
    to_plain,
    unmarked,
)
from agent.declared.state import read_state

Provider = Literal["", "real", "overlaid"]
"""Who took part besides the code: a mocked provider that adds nothing, a real one, a real one over a state."""

ACCOUNT = "123456789012"
REGION = "us-east-1"


def evaluated(root: Path, state: bytes = b"") -> Evaluated:
    """The root module in a folder, evaluated by us, over a state where there is one."""
    around = Surroundings(account=ACCOUNT, region=REGION)
    recorded = read_state(state, "the recorded state") if state else None
    return evaluate_root(read_module(root, root, None), recorded, around, outputs=True)


def differences(ours: Evaluated, theirs: Answer, *, provider: Provider) -> Iterator[str]:
    """Where ours is not Terraform's answer."""
    for problem in ours.problems:
        yield f"problem: {problem}"
    for address, why in ours.unexpanded.items():
        yield f"{address} is not expanded: {why}"
    there = theirs["instances"]
    for address in sorted(ours.instances.keys() ^ there.keys()):
        yield f"{address} is {'not ours' if address in there else 'ours alone'}"
    for address in sorted(ours.instances.keys() & there.keys()):
        yield from _instance(ours.instances[address], there[address], provider=provider)
    for name, answer in theirs["outputs"].items():
        if found := _unlike(ours.outputs.get(name), answer):
            yield f"output {name}: {found}"


def _instance(ours: DeclaredInstance, theirs: Answer, *, provider: Provider) -> Iterator[str]:
    for name, value in ours.values.items():
        if found := _unlike(value, theirs.get(name), provider=provider):
            yield f"{ours.address}: {name}: {found}"
    for name in theirs.keys() - ours.values.keys():
        if not provider and theirs[name] not in (HOLE, [], {}):
            yield f"{ours.address}: {name}: ours does not set it, terraform's is {theirs[name]!r}"
    if provider and ours.provider.default_tags and isinstance(theirs.get("tags_all"), dict):
        tags = {**_tags(ours.provider.default_tags), **_tags(ours.values.get("tags"))}
        if HOLE not in theirs["tags_all"].values() and tags != theirs["tags_all"]:
            yield f"{ours.address}: tags_all: {tags!r} instead of {theirs['tags_all']!r}"


def _tags(value: Value | None) -> dict[str, Any]:
    bare = None if value is None else unmarked(force(value))[0]
    return {key: to_plain(each) for key, each in bare.items.items()} if isinstance(bare, Map | Object) else {}


def _unlike(ours: Value | None, theirs: Any, *, provider: Provider = "") -> str:
    """What is different between our value and Terraform's; empty where nothing is."""
    bare = None if ours is None else unmarked(force(ours))[0]
    return "" if _alike(bare, theirs, provider) else f"{_plain(bare)!r} instead of {theirs!r}"


def _alike(ours: Value | None, theirs: Any, provider: Provider) -> bool:
    if theirs == MOCKED:
        return ours is not None
    if provider and isinstance(ours, Null | None):
        return True
    if theirs == HOLE:
        # What the provider computes is unknown to Terraform, and not set to us; or it is computed anew by an apply, and
        # to us what state has.
        return (
            provider == "overlaid" or bool(ours is not None and flags(ours) & UNKNOWN) or _plain(ours) in (None, [], {})
        )
    match ours:
        case Set():
            if theirs is None:
                return bool(provider) and not ours.items
            return isinstance(theirs, list) and _alike_sets(list(ours.items), theirs, provider)
        case List() | Tuple():
            same = isinstance(theirs, list) and len(ours.items) == len(theirs)
            pairs = zip(ours.items, theirs or (), strict=False)
            return (same and all(_alike(*pair, provider) for pair in pairs)) or (theirs is None and not ours.items)
        case Map() | Object():
            if theirs is None:
                return not ours.items
            names = ours.items.keys() | theirs.keys() if isinstance(theirs, dict) else ()
            return isinstance(theirs, dict) and all(
                _alike(ours.items.get(name), theirs.get(name), provider) for name in names
            )
    return _same(_plain(ours), theirs)


def _alike_sets(ours: list[Value], theirs: list[Any], provider: Provider) -> bool:
    left = list(theirs)
    for each in ours:
        found = next((index for index, other in enumerate(left) if _alike(each, other, provider)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _same(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours in (None, [], {}) and theirs in (None, [], {})
    numbers = isinstance(ours, int | Decimal) and isinstance(theirs, int | Decimal)
    kinds = isinstance(ours, bool) == isinstance(theirs, bool) if numbers else type(ours) is type(theirs)
    return kinds and (ours == theirs or (isinstance(ours, str) and _rewritten(ours, theirs)))


def _rewritten(ours: str, theirs: str) -> bool:
    """Whether the provider plans the string another way: a hash of user data, a policy's JSON in its own spelling."""
    try:
        return sha1(ours.encode()).hexdigest() == theirs or json.loads(ours) == json.loads(theirs)
    except ValueError:
        return False


def _plain(value: Value | None) -> Any:
    match value:
        case None:
            return None
        case Unknown():
            return HOLE
        case List() | Set() | Tuple():
            return [_plain(unmarked(each)[0]) for each in value.items]
        case Map() | Object():
            return {key: _plain(unmarked(each)[0]) for key, each in value.items.items()}
    return to_plain(unmarked(value)[0])
