"""Shell-style wildcards, made ready once and asked often.

Hides that the same pattern stands in many tickets, and that an address's `["key"]` is no set of characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import lru_cache

Match = Callable[[str], object]

_WILD = re.compile(r"[*?\[]")
_WILD_ADDRESS = re.compile(r"[*?]")


@lru_cache(maxsize=1 << 16)
def matcher(pattern: str, *, brackets: bool = True) -> Match:
    """What says whether a name fits a pattern. Without `brackets` only `*` and `?` are wildcards."""
    begins = beginning(pattern, brackets=brackets)
    if pattern == f"{begins}*":  # the most frequent by far, and a regular expression is dear to make
        return lambda name: name.startswith(begins)
    return re.compile(translate(pattern if brackets else pattern.replace("[", "[[]"))).match


def is_wild(pattern: str, *, brackets: bool = True) -> bool:
    """Whether a pattern may fit another name than itself."""
    return "*" in pattern or "?" in pattern or (brackets and "[" in pattern)


def beginning(pattern: str, *, brackets: bool = True) -> str:
    """What every name that fits begins with: all before the first wildcard."""
    return (_WILD if brackets else _WILD_ADDRESS).split(pattern, maxsplit=1)[0]


class Patterns:
    """Several patterns, of which one must fit."""

    __slots__ = ("exact", "wild")

    def __init__(self, patterns: Iterable[str], *, brackets: bool = True) -> None:
        """A pattern always fits its own spelling."""
        self.exact = frozenset(patterns)
        self.wild = tuple(matcher(one, brackets=brackets) for one in self.exact if is_wild(one, brackets=brackets))

    def __bool__(self) -> bool:
        return bool(self.exact)

    def fit(self, name: str) -> bool:
        """Whether any of them fits the name."""
        return name in self.exact or any(match(name) for match in self.wild)

    def fit_any(self, names: Iterable[str]) -> bool:
        """Whether any of them fits any of the names."""
        return any(map(self.fit, names))
