"""Versions and version constraints of modules, by Terraform's rules.

Hides how operators are read, that `~>` counts the numbers written, and that a pre-release is chosen only where it is
named exactly (https://developer.hashicorp.com/terraform/language/expressions/version-constraints).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, total_ordering

_VERSION = re.compile(
    r"v?(?P<numbers>\d{1,18}(?:\.\d{1,18}){0,9})"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_CONSTRAINT = re.compile(r"\s*(?P<operator>~>|>=|<=|!=|=|>|<|)\s*(?P<version>\S+)\s*")
_LONGEST = 1000


class ConstraintError(Exception):
    """A constraint that is none: what stands there, and what would be right."""


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A version as Semantic Versioning 2 orders it; numbers that are not written are 0."""

    numbers: tuple[int, ...]
    """At least three."""
    written: int
    """How many of the numbers are written."""
    pre: str
    build: str = ""

    def __str__(self) -> str:
        """As a registry is asked for it: every number written, no `v`."""
        pre, build = f"-{self.pre}" if self.pre else "", f"+{self.build}" if self.build else ""
        return ".".join(map(str, self.numbers)) + pre + build

    @cached_property
    def order(self) -> tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]:
        """Sorts as versions do: a release after its pre-releases, numbers before words."""
        numbers = self.numbers
        while len(numbers) > 3 and numbers[-1] == 0:
            numbers = numbers[:-1]
        parts = self.pre.split(".") if self.pre else []
        words = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
        return numbers, 0 if self.pre else 1, words

    def __eq__(self, other: object) -> bool:
        """Whatever its build metadata."""
        return isinstance(other, Version) and self.order == other.order

    def __lt__(self, other: Version) -> bool:
        """Earlier."""
        return self.order < other.order

    def __hash__(self) -> int:
        """As `__eq__`."""
        return hash(self.order)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One comparison with a version."""

    operator: str
    version: Version
    exact: bool = False
    """Written as a version alone, or with `=` right before it: how Terraform 1.11 tells who wants one version."""

    def allows(self, found: Version) -> bool:
        """Whether it holds for a release."""
        match self.operator:
            case "" | "=":
                return found == self.version
            case "!=":
                return found != self.version
            case ">":
                return found > self.version
            case ">=":
                return found >= self.version
            case "<":
                return found < self.version
            case "<=":
                return found <= self.version
            case _:
                return self._about(found)

    def _about(self, found: Version) -> bool:
        """`~>`: the last number written may grow, those before it not."""
        if self.version.pre or found < self.version:
            return False  # `~> 1.0.0-rc1` allows nothing but pre-releases, which no range allows
        kept = max(self.version.written - 1, 0)
        return found.numbers[:kept] == self.version.numbers[:kept]


def version(text: str) -> Version | None:
    """A version in its parts; None for what is none."""
    found = _VERSION.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        return None
    numbers = tuple(int(number) for number in found["numbers"].split("."))
    return Version(numbers + (0,) * (3 - len(numbers)), len(numbers), found["pre"] or "", found["build"] or "")


def constraints(text: str) -> tuple[Constraint, ...]:
    """`~> 5.0, != 5.1` in its parts; none for an empty text. Raises `ConstraintError`."""
    if len(text) > _LONGEST:
        raise ConstraintError(f"a version constraint has at most {_LONGEST} characters")
    if not text.strip():
        return ()
    return tuple(map(_constraint, text.split(",")))


def newest(published: Iterable[str], wanted: Sequence[Constraint]) -> Version | None:
    """The newest version that meets every constraint; None where none does. What is no version is passed over.

    A pre-release is chosen where it is the only thing wanted, and by its very name.
    """
    exact = wanted[0].version if len(wanted) == 1 and wanted[0].exact else None
    known = [found for found in map(version, published) if found is not None]
    if exact is not None and exact.pre:
        return next((one for one in known if one == exact and one.pre == exact.pre), None)
    releases = [one for one in known if not one.pre and all(each.allows(one) for each in wanted)]
    return max(releases, default=None)


def _constraint(text: str) -> Constraint:
    found = _CONSTRAINT.fullmatch(text)
    wanted = version(found["version"]) if found else None
    if found is None or wanted is None:
        raise ConstraintError('a version constraint cannot be read: write for example "~> 5.0, != 5.1.0"')
    plain = re.fullmatch(r"\s*=?[0-9][^+]*", text) is not None
    return Constraint(found["operator"], wanted, plain)
