"""How single values read: times, attribute values, the two sides of a difference, the words of a verdict.

Hides JSON and the names of the code from the reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SHORT = 160
"""Characters up to which a value stands in its place; a longer one is folded away."""

TESTS: Mapping[str, str] = {
    "actor": "Somebody answers for it",
    "pipeline": "Trusted pipeline",
    "ticket": "Ticket exists",
    "state": "Approved at the time",
    "window": "Inside the planned window",
    "scope": "Ticket covers the resource",
    "implementer": "Made by its implementer",
    "separation": "Approved by somebody else",
    "content": "As approved",
    "permitted": "Person may change this",
    "review": "Commit was reviewed",
    "checks": "Checks passed",
    "freeze": "No change freeze",
    "breakglass": "Emergency grant",
}
"""What each test of a verdict asks, in an auditor's words."""

OUTCOMES: Mapping[str, str] = {
    "authorised-emergency": "Authorised (emergency)",
    "pending-documentation": "Emergency, document due",
    "service-made": "Made by an AWS service",
    "unapplied": "In the code, not applied yet",
    "pending": "Waiting for evidence",
    "indeterminate": "Undetermined",
    "excepted": "Covered by an exception",
    "baselined": "In the baseline",
    "regularised": "Approved afterwards",
}
"""Outcomes whose own word says too little."""

CHANNELS: Mapping[str, str] = {
    "console": "in the console",
    "cloudshell": "in CloudShell",
    "cli": "with the AWS CLI",
    "sdk": "with an SDK",
    "iac": "with an infrastructure-as-code client",
    "service": "by an AWS service",
    "other": "with another client",
}

_INDEX = re.compile(r"root((?:\['[^']*'\]|\[\d+\])+)")
"""How the describing library names a place inside a value."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as text; a whole resource or part also attribute by attribute."""

    text: str
    absent: bool = False
    """Whether there is no value, and the text only says so."""
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def long(self) -> bool:
        """Whether it needs room of its own."""
        return len(self.text) > SHORT


UNSET = Shown("(not set)", absent=True)


def moment(stamp: str) -> str:
    """`2026-01-02T03:04:05Z` as `2026-01-02 03:04:05 UTC`; empty stays empty."""
    return stamp.replace("T", " ").replace("Z", " UTC")


def words(name: str) -> str:
    """An outcome, status or severity as a person writes it."""
    return OUTCOMES.get(name) or name.replace("-", " ").capitalize()


def shown(value: Any) -> Shown:
    """Any JSON value: text as it is, a map entry by entry without those that are not set, anything else as JSON."""
    if value in (None, "", [], {}):
        return UNSET
    if isinstance(value, str):
        return Shown(value)
    if not isinstance(value, Mapping):
        return Shown(json.dumps(value, ensure_ascii=False, sort_keys=True))
    entries = ((str(name), shown(value[name])) for name in sorted(value))
    kept = tuple((name, f"{{{e.text}}}" if e.attributes else e.text) for name, e in entries if not e.absent)
    return Shown(", ".join(f"{name} = {text}" for name, text in kept), attributes=kept) if kept else UNSET


def difference(drift: Mapping[str, Any]) -> tuple[str, Shown, Shown]:
    """A drift of the document → its headline, what is declared, what is live."""
    declared, live = shown(drift["declared"]), shown(drift["live"])
    match drift["kind"]:
        case "missing":
            return "missing", declared, Shown("(does not exist)", absent=True)
        case "unmanaged":
            nowhere = "in no configured stack" if drift.get("note") == "unlisted" else "not declared"
            return nowhere, Shown("(declared nowhere)", absent=True), live
    if drift["part"] and drift["declared"] is None:
        return "added", Shown("(not declared)", absent=True), live
    if drift["part"] and drift["live"] is None:
        return "removed", declared, Shown("(does not exist)", absent=True)
    return "changed", declared, live


_ITEM = re.compile(r"Item (\S+) \((.*)\) (added|removed) (?:to|from) \w+\.", re.DOTALL)
_VALUE = re.compile(r"(?:Value|Type) of (\S+) changed from (?:\w+ to \w+ and value changed from )?(.*)\.", re.DOTALL)


def detail(texts: Iterable[str]) -> tuple[str, ...]:
    """Lines about differences inside a value, shortened: `added Statement[1]: {...}`, `Statement[0].Effect: a to b`."""
    return tuple(_line(_INDEX.sub(lambda found: _path(found[1]), text)) for text in texts)


def _line(text: str) -> str:
    if item := _ITEM.fullmatch(text):
        return f"{item[3]} {item[1]}: {item[2]}"
    if value := _VALUE.fullmatch(text):
        return f"{value[1]}: {value[2]}"
    return text


def _path(index: str) -> str:
    return re.sub(r"\['([^']*)'\]", r".\1", index).removeprefix(".")
