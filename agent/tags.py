"""Tags as one plain map, whichever of its shapes AWS uses: lists of pairs in four spellings, maps, XML turned JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.paths import compiled


def plain(value: Any) -> dict[str, str]:
    """`[{Key, Value}]`, `[{key, value}]`, `[{TagKey, TagValue}]`, one such pair or a map → `{key: value}`.

    The tags that AWS keeps for itself (`aws:…`) are left out. CloudTrail turns the text `true` of an S3 tag into a
    boolean; it becomes text again. Raises TypeError or KeyError on anything else.
    """
    pairs = value or {}
    if isinstance(pairs, Mapping) and {name.lower() for name in pairs} in ({"key", "value"}, {"tagkey", "tagvalue"}):
        pairs = [pairs]
    if not isinstance(pairs, Mapping):
        pairs = dict(_pair(tag) for tag in pairs)
    return {name: _text(text) for name, text in pairs.items() if not name.startswith("aws:")}


def at(path: str) -> Callable[[Mapping[str, Any]], dict[str, str] | None]:
    """A function that finds tags at a JMESPath of a CloudTrail record and gives them as a plain map, or None."""
    look = compiled(path)

    def found(record: Mapping[str, Any]) -> dict[str, str] | None:
        value = look(record)
        return None if value is None else plain(value)

    return found


def _pair(tag: Mapping[str, Any]) -> tuple[str, Any]:
    lower = {name.lower().removeprefix("tag"): text for name, text in tag.items()}
    return str(lower["key"]), lower.get("value")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
