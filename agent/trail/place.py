"""Where a record names a resource, for types without a spec: the little language of `agent/named`, made ready to use.

Hides CloudTrail's spellings: EC2's envelopes (`CreateNatGatewayRequest`) and lists (`items`, `item`, `content`),
details that are JSON in a string, and members that begin with the other case. Never raises but for nesting too deep.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from agent.named import joined
from agent.trail.spelling import usable

Record = Mapping[str, Any]
Look = Callable[[Record], list[str]]
"""Record → identifiers, one for each resource."""

_MEMBERS = {
    "request": "requestParameters",
    "response": "responseElements",
    "details": "serviceEventDetails",
    "additional": "additionalEventData",
}
_ENVELOPES = ("Request", "Response", "Req")
_WRAPPERS = ("items", "item", "content", "member")
_MOST = 1000  # identifiers of one call: EC2 takes 1000 ids at most
_NAMES = (str, int)
_TEXT = msgspec.json.Decoder()


@functools.cache
def compiled(place: str, names: tuple[str, ...]) -> Look:
    """What finds the identifiers at a place; `names` are the type's state attributes, `a+b` those of a joined name."""
    looks = [_alternative(each, names) for each in place.split(" | ")]
    if len(looks) == 1:
        return looks[0]

    def first(record: Record) -> list[str]:
        for look in looks:
            found = look(record)
            if found:
                return found
        return []

    return first


def _alternative(text: str, names: tuple[str, ...]) -> Look:
    parts = text.split(" + ")
    if len(parts) == 1:
        return _part(text, alone=True)
    looks = [_part(part, alone=False) for part in parts]
    attributes = next(
        (tuple(name.split("+")) for name in names if name.count("+") == len(parts) - 1), ("",) * len(parts)
    )

    def together(record: Record) -> list[str]:
        found = [look(record) for look in looks]
        most = max(map(len, found))
        # What is there once goes with each of a list; two lists go side by side.
        if any(len(values) not in (1, most) for values in found):
            return []
        account = str(record.get("recipientAccountId") or "")
        spelled = [[_decoded(value) for value in values] for values in found]
        rows = zip(*(values if len(values) == most else values * most for values in spelled), strict=True)
        return [joined(row, attributes, account) for row in rows]

    return together


def _decoded(name: str) -> str:
    """EKS has ARNs in its paths, as they are encoded there."""
    return unquote(name) if name.startswith("arn%3A") else name


def _part(text: str, *, alone: bool) -> Look:
    path, _, otherwise = text.partition("=")
    default = [otherwise.strip("'")] if otherwise else []
    looks = [_path(each, alone) for each in path.split("/")]

    def found(record: Record) -> list[str]:
        for look in looks:
            values = look(record)
            if values:
                return values
        return default

    return looks[0] if len(looks) == 1 and not default else found


def _path(text: str, alone: bool) -> Look:
    root, *names = text.split(".")
    if root == "account":
        return _account
    member = _MEMBERS[root]
    steps = tuple((name, _other_case(name)) for name in names)
    if len(steps) == 1:
        ((name, other),) = steps

        def member_of(record: Record) -> list[str]:
            top = record.get(member)
            value = top.get(name) if isinstance(top, dict) else None
            if value.__class__ is str:  # nearly always: the plain name of one resource
                return [value] if usable(value) else []
            return _found(top, ((name, other),), alone)

        return member_of
    return lambda record: _found(record.get(member), steps, alone)


def _account(record: Record) -> list[str]:
    account = record.get("recipientAccountId")
    return [account] if isinstance(account, str) and account else []


def _other_case(name: str) -> str:
    return name[:1].swapcase() + name[1:]


def _found(top: Any, steps: tuple[tuple[str, str], ...], alone: bool) -> list[str]:
    """Texts and numbers; as part of a joined name flags too (a rule's direction)."""
    if isinstance(top, str):
        try:
            top = _TEXT.decode(top)
        except (msgspec.DecodeError, RecursionError):
            return []
    if not isinstance(top, dict):
        return []
    if len(top) == 1:
        ((name, inner),) = top.items()
        top = inner if isinstance(inner, dict) and name.endswith(_ENVELOPES) else top
    found: list[str] = []
    for leaf in _leaves(top, steps):
        if isinstance(leaf, bool):
            found += [] if alone else ["true" if leaf else "false"]
        elif isinstance(leaf, _NAMES) and usable(leaf):
            found.append(str(leaf))
        if len(found) == _MOST:
            break
    return found


def _leaves(node: Any, steps: tuple[tuple[str, str], ...]) -> Iterator[Any]:
    if isinstance(node, list):
        for each in node:
            yield from _leaves(each, steps)
    elif not isinstance(node, dict):
        if not steps:
            yield node
    else:
        inner = None
        if steps:
            name, other = steps[0]
            inner = node.get(name)
            inner = node.get(other) if inner is None else inner
        if inner is not None:
            yield from _leaves(inner, steps[1:])
            return
        for wrapper in _WRAPPERS:
            if node.get(wrapper) is not None:
                yield from _leaves(node[wrapper], steps)
                return
