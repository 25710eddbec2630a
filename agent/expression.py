"""Rules' expressions in CEL, the Common Expression Language (https://cel.dev): what `when` and `unless` cannot say.

Hides the engine, and everything that bounds it: it has no limit of its own, holds the interpreter's lock while it runs,
and ends the process on values nested ten thousand deep. A rule's source is short, its loops are nested twice at most,
and what it sees is cut to size before. An expression that fails is undecided, never false.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

from agent.facts import FACTS, Seen
from agent.model import Change, Drift, Secret, Unknown

LONGEST = 4_000
"""Characters of an expression."""
DEEPEST = 2
"""Loops (`exists`, `all`, `filter`, `map`) within one another: three over a thousand values run for minutes."""
MOST_BRACKETS = 200
"""The parser gives up on a hundred thousand, and takes the process with it."""
MOST = 200
"""Entries of a list or map that an expression sees."""
MOST_VALUES = 5_000
"""Values of one variable, however nested: what is converted for every change must not take its time."""
LONGEST_TEXT = 4_000
_LEVELS = 8  # of a request; CloudTrail's own have fewer than ten

MORE: Mapping[str, str] = {
    "change": "the call: action, channel, source_ip, user_agent, session, account, region, time (RFC 3339), hour, "
    "weekday (0 is Monday), request; an empty map where no call is known",
    "drifts": "what differs: a list of maps with attribute, kind, declared and live",
}
"""What an expression may ask besides the facts, each of which is a list of texts."""

FUNCTIONS = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "has", "all", "exists", "exists_one", "filter"),
        *("map", "string", "int", "double", "bool", "in", "min", "max", "glob", "cidr_contains"),
    }
)
"""`glob(text, pattern)` and `cidr_contains(block, address)` are ours; the others are CEL's."""

_FAILS = (ValueError, TypeError, LookupError, RuntimeError, ArithmeticError)
"""What the engine raises for an expression that cannot be parsed or evaluated."""
_LOOPS = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\((?:\s*([A-Za-z_]\w*)\s*,)?")
_TEXTS = re.compile(r"""[rR](?:"[^"]*"|'[^']*')|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")


class ExpressionError(Exception):
    """What is wrong with an expression, and what would be right."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that can be asked."""

    source: str
    variables: frozenset[str]
    program: Any

    def holds(self, part: Seen) -> bool | Unknown:
        """Whether it is true of a finding's part; `Unknown` where a fact it asks is not known, or where it fails."""
        for name in sorted(self.variables & part.facts.keys()):
            value = part.facts[name]
            if isinstance(value, Unknown):
                return value
        try:
            context = _engine().Context()
            for name in self.variables:
                context.add_variable(name, _variable(name, part))
            context.add_function("glob", _glob)
            context.add_function("cidr_contains", _cidr_contains)
            found = self.program.execute(context)
        except _FAILS as error:
            return Unknown(f"the expression fails: {_said(error)}")
        return found if isinstance(found, bool) else Unknown(f"the expression gives {type(found).__name__}, no bool")


@functools.lru_cache(maxsize=1000)
def compiled(source: str) -> Expression:
    """The expression of a rule. Raises ExpressionError."""
    plain = _TEXTS.sub('""', source)
    if len(source) > LONGEST:
        raise ExpressionError(f"{len(source)} characters; an expression has at most {LONGEST}")
    if source.count("(") + source.count("[") + source.count("{") > MOST_BRACKETS:
        raise ExpressionError(f"more than {MOST_BRACKETS} brackets")
    if "//" in plain:
        raise ExpressionError("a comment would hide all that follows: lines are joined; say it in `why`")
    if deepest(source) > DEEPEST:
        raise ExpressionError(f"loops are nested deeper than {DEEPEST}: they would run for minutes")
    try:
        program = _engine().compile(source)
        asked = program.references()
    except _FAILS as error:
        raise ExpressionError(f"not CEL: {_said(error)}") from None
    known, own = {*FACTS, *MORE}, {found[1] for found in _LOOPS.finditer(plain) if found[1]}
    for name in sorted(own & known):
        raise ExpressionError(f"a loop's variable is called {name!r}, as what a rule asks is; call it otherwise")
    for name in sorted(set(asked["variables"]) - own):
        if name not in known:
            raise ExpressionError(f"unknown name {name!r}{_meant(name, known)}")
    for name in asked["functions"]:
        if name[:1].isalpha() and name not in FUNCTIONS:
            raise ExpressionError(f"unknown function {name!r}{_meant(name, FUNCTIONS)}")
    return Expression(source, frozenset(asked["variables"]) - own, program)


def deepest(source: str) -> int:
    """How many loops of an expression are within one another."""
    plain = _TEXTS.sub('""', source)
    starts = {plain.index("(", found.start()) for found in _LOOPS.finditer(plain)}
    open_ones: list[bool] = []
    most = 0
    for at, mark in enumerate(plain):
        if mark == "(":
            open_ones.append(at in starts)
            most = max(most, sum(open_ones))
        elif mark == ")" and open_ones:
            open_ones.pop()
    return most


@functools.cache
def _engine() -> Any:
    try:
        # Imported as late as this: with its command line it takes 0.6 s.
        import cel
    except ImportError:
        raise ExpressionError("the library for expressions is not installed: pip install 'driftwarden[cel]'") from None
    return cel


def _variable(name: str, part: Seen) -> Any:
    left = iter(range(MOST_VALUES))
    if name == "change":
        return _call(part.change, left) if part.change is not None else {}
    if name == "drifts":
        return [_difference(drift, left) for drift in part.drifts[:MOST]]
    value = part.facts[name]
    return [] if isinstance(value, Unknown) else [word[:LONGEST_TEXT] for word in value[:MOST]]


def _call(change: Change, left: Iterator[int]) -> dict[str, Any]:
    return {
        "action": change.action,
        "channel": change.channel,
        "source_ip": change.source_ip,
        "user_agent": change.user_agent[:LONGEST_TEXT],
        "session": change.session,
        "account": change.account,
        "region": change.region,
        "time": f"{change.time:%Y-%m-%dT%H:%M:%SZ}",
        "hour": change.time.hour,
        "weekday": change.time.weekday(),
        "request": _bounded(change.request, _LEVELS, left),
    }


def _difference(drift: Drift, left: Iterator[int]) -> dict[str, Any]:
    return {
        "attribute": drift.attribute,
        "kind": drift.kind,
        "declared": _bounded(drift.declared, _LEVELS, left),
        "live": _bounded(drift.live, _LEVELS, left),
    }


def _bounded(value: Any, levels: int, left: Iterator[int]) -> Any:
    """The value as an expression may see it: small, shallow, and without what nobody may."""
    if next(left, None) is None:
        return "…"
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < 2**53 else str(value)
        case str():
            return value[:LONGEST_TEXT]
        case Secret() | Unknown():
            return type(value).__name__.lower()
        case Mapping() if levels:
            return {str(name)[:LONGEST_TEXT]: _bounded(value[name], levels - 1, left) for name in list(value)[:MOST]}
        case Sequence() | frozenset() | set() if levels:
            return [_bounded(one, levels - 1, left) for one in list(value)[:MOST]]
    return "…"


def _glob(text: str, pattern: str) -> bool:
    return fnmatchcase(text, pattern)


def _cidr_contains(block: str, address: str) -> bool | None:
    """None, which decides nothing, where the block is none: what is raised in here the engine writes to the log."""
    try:
        network = ip_network(block, strict=False)
    except ValueError:
        return None
    try:
        return ip_address(address) in network
    except ValueError:  # a service's DNS name stands where the address would
        return False


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"
