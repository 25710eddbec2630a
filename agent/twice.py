"""Resources that two stacks declare: two applies will undo each other, and neither code tells what is right.

Hides that one mistake (a state listed twice, a resource imported and not removed) shows in many resources.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from agent.clean import several
from agent.model import GLOBAL, Finding, Key, Resource, StateRead, Test, Verdict
from agent.motion import TYPE, finding_id


def declared_twice(resources: Iterable[Resource], states: Mapping[str, StateRead]) -> list[Finding]:
    """One finding for each pair of stacks that declare the same resources: two applies will undo each other."""
    by_key: dict[Key, dict[str, str]] = defaultdict(dict)
    for resource in resources:
        by_key[resource.key].setdefault(resource.stack, resource.address)
    shared: dict[tuple[str, str], list[tuple[Key, str, str]]] = defaultdict(list)
    for key, stacks in by_key.items():
        first, *others = sorted(stacks)
        for other in others:
            shared[first, other].append((key, stacks[first], stacks[other]))
    return [_twice(pair, found, states) for pair, found in sorted(shared.items())]


def _twice(pair: tuple[str, str], found: Sequence[tuple[Key, str, str]], states: Mapping[str, StateRead]) -> Finding:
    one, other = pair
    accounts = Counter(key.account for key, _, _ in found)
    key = Key(accounts.most_common(1)[0][0], GLOBAL, TYPE, f"{one} and {other}")
    locations = {states[stack].location for stack in pair if stack in states}
    same = " (both read the same state)" if len(locations) == 1 and all(stack in states for stack in pair) else ""
    named = several([f"{one}/{here} = {other}/{there}" for _, here, there in found])
    count = "1 resource is" if len(found) == 1 else f"{len(found)} resources are"
    why = f"{count} declared in both stacks{same}: {named}"
    return Finding(
        finding_id(key, "declared-twice"),
        key,
        stack=one,
        verdict=Verdict(
            "indeterminate", (Test("scope", "unknown", f"which stack answers for it cannot be said: {why}"),)
        ),
        cause="declared-twice",
        notes=(why,),
    )
