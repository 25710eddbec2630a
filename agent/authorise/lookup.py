"""Which tickets may give a change its authority: those it refers to, and those whose scope and window may cover it.

Hides the index: a resource's names lead to the few tickets that may mean it, and its time to the fewer that are on.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from agent.authorise.estate import Names
from agent.authorise.patterns import beginning, is_wild, matcher
from agent.authorise.people import People
from agent.authorise.terms import Terms
from agent.authorise.timeline import Timeline
from agent.model import Key, Ticket, TicketScope

_Line = tuple[int, ...] | Timeline[int]
"""Numbers of tickets."""
_Few = tuple[tuple[float, float, int], ...]
"""Of some tickets: from when to when a change may lie in the window, and the number."""
_MANY = 8  # tickets in a line from which it is not looked through
_ANY = ""  # in place of an account: any


class Lookup:
    """The tickets that were found, ready to be looked up."""

    def __init__(self, found: Iterable[Ticket], people: People, tolerance: float) -> None:
        """`tolerance`: seconds a change may lie outside a window."""
        self._tickets = _arranged(found)
        self._people = people
        self._tolerance = tolerance
        self._terms: dict[int, Terms] = {}
        self._named: dict[str, tuple[list[Terms], str]] = {}
        self._by_ref: dict[str, list[int]] = defaultdict(list)
        for number, ticket in enumerate(self._tickets):
            self._by_ref[ticket.ref].append(number)
        numbered = list(enumerate(self._tickets))
        # A normal ticket that plans no start is found by reference alone: nobody knows when it was meant for.
        normal = _Index((number, one) for number, one in numbered if one.kind != "standard" and one.start is not None)
        standard = _Index((number, one) for number, one in numbered if one.kind == "standard")
        self._indexes = {True: (standard,), False: (normal, standard)}
        self._lines: dict[tuple[Key, bool], tuple[_Few, list[Timeline[int]]]] = {}

    def named(self, ref: str) -> tuple[list[Terms], str]:
        """The ticket under a reference, once for each set of terms; or why it cannot be told which is meant.

        Neither: nobody who answered knows the reference.
        """
        found = self._named.get(ref)
        if found is None:
            numbers = self._by_ref.get(ref, ())
            systems = sorted({self._tickets[number].system for number in numbers})
            if len(systems) > 1:
                found = ([], f"{ref} is in {' and '.join(systems)}: which is meant cannot be told")
            else:
                found = (sorted(map(self._ready, numbers), key=_order), "")
            self._named[ref] = found
        return found

    def covering(self, key: Key, names: Names, at: float, *, standard: bool) -> list[Terms]:
        """Tickets whose scope may mean a resource and whose window is on: all that cover it, and some that do not.

        `at`: seconds since 1970. With `standard`, standard changes alone.
        """
        lines = self._lines.get((key, standard))
        if lines is None:
            found = (line for index in self._indexes[standard] for line in index.lines(key, names))
            lines = self._lines[key, standard] = self._few_and_long(found)
        few, long = lines
        numbers = {number for begins, ends, number in few if begins <= at <= ends}
        for line in long:
            numbers.update(line.at(at, self._tolerance))
        return self._sorted(numbers)

    def steady(self, key: Key, at: float, *, standard: bool) -> tuple[float, float]:
        """Between which moments the answer of `covering`, which was asked before, stays the same."""
        few, long = self._lines[key, standard]
        begins, ends = -math.inf, math.inf
        for line in long:
            since, until = line.steady(at, self._tolerance)
            begins, ends = max(begins, since), min(ends, until)
        for start, end, _ in few:
            if at < start:
                ends = min(ends, start)
            elif end < at:
                begins = max(begins, end)
            else:
                begins, ends = max(begins, start), min(ends, end)
        return begins, ends

    def covering_call(self, account: str, at: float, *, standard: bool) -> list[Terms]:
        """The same for a call that acted on nobody knows what: tickets that mean no resource in particular."""
        few, long = self._few_and_long(line for index in self._indexes[standard] for line in index.broad(account))
        numbers = {number for begins, ends, number in few if begins <= at <= ends}
        return self._sorted(numbers.union(*(line.at(at, self._tolerance) for line in long)))

    def _few_and_long(self, lines: Iterable[_Line]) -> tuple[_Few, list[Timeline[int]]]:
        """The tickets of the short lines, each once, and the long lines: most names mean few tickets."""
        few: dict[int, None] = {}
        long = []
        for line in lines:
            if isinstance(line, tuple):
                few.update(dict.fromkeys(line))
            else:
                long.append(line)
        return tuple([self._stretch(number) for number in few]), long

    def _stretch(self, number: int) -> tuple[float, float, int]:
        start, end = self._tickets[number].start, self._tickets[number].end
        begins = -math.inf if start is None else start.timestamp()
        ends = math.inf if end is None else end.timestamp()
        if ends < begins:  # it covers nothing, however much is tolerated
            return math.inf, math.inf, number
        return begins - self._tolerance, ends + self._tolerance, number

    def _sorted(self, numbers: Collection[int]) -> list[Terms]:
        return sorted(map(self._ready, numbers), key=_order) if numbers else []

    def _ready(self, number: int) -> Terms:
        found = self._terms.get(number)
        if found is None:
            found = self._terms[number] = Terms(self._tickets[number], self._people, self._tolerance, number)
        return found


def _arranged(found: Iterable[Ticket]) -> tuple[Ticket, ...]:
    """The tickets; several sets of terms of one ticket in an order of their own, whatever order they came in."""
    every: dict[tuple[str, str], list[Ticket]] = defaultdict(list)
    for ticket in found:
        every[ticket.ref, ticket.system].append(ticket)
    return tuple(one for under in every.values() for one in (sorted(under, key=_content) if len(under) > 1 else under))


def _content(ticket: Ticket) -> tuple[str, list[str]]:
    return repr(replace(ticket, history=())), sorted(map(repr, ticket.history))


def _order(terms: Terms) -> tuple[object, ...]:
    return terms.order


class _Index:
    """Part of a scope and one of its patterns → the tickets that have it, by the account they are limited to."""

    def __init__(self, tickets: Iterable[tuple[int, Ticket]]) -> None:
        self._within: dict[str, _Places] = defaultdict(_Places)
        for number, ticket in tickets:
            places = _places(ticket.scope)
            for account in _accounts(ticket.scope):
                self._within[account].add(places, number, ticket)
        for within in self._within.values():
            within.arrange()

    def lines(self, key: Key, names: Names) -> Iterator[_Line]:
        """Where the tickets stand that may mean a resource."""
        for account in (_ANY, key.account):
            if account in self._within:
                yield from self._within[account].lines(key, names)

    def broad(self, account: str) -> Iterator[_Line]:
        """Where the tickets stand that cover whatever lies within their limits."""
        if _ANY in self._within:
            yield from self._within[_ANY].called("account", (account,))


class _Places:
    """An index of the tickets of one account, or of all that are limited to none."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._tickets: dict[int, Ticket] = {}
        self._lines: dict[str, dict[str, _Line]] = {}
        self._wild: dict[str, _Wildcards] = {}

    def add(self, places: Iterable[tuple[str, str]], number: int, ticket: Ticket) -> None:
        """Before it is arranged."""
        self._tickets[number] = ticket
        for part, pattern in places:
            self._numbers[part][pattern].append(number)

    def arrange(self) -> None:
        """Makes it ready to be asked."""
        for part, found in self._numbers.items():
            lines = self._lines[part] = {pattern: self._line(numbers) for pattern, numbers in found.items()}
            wild = [one for one in lines if is_wild(one, brackets=part != "address")]
            if wild:
                self._wild[part] = _Wildcards({one: lines[one] for one in wild}, brackets=part != "address")

    def _line(self, numbers: list[int]) -> _Line:
        if len(numbers) <= _MANY:
            return tuple(numbers)
        return Timeline((self._tickets[number].start, self._tickets[number].end, number) for number in numbers)

    def lines(self, key: Key, names: Names) -> Iterator[_Line]:
        for part in self._lines:
            yield from self.called(part, _CALLED[part](key, names))

    def called(self, part: str, names: Iterable[str]) -> Iterator[_Line]:
        """Where the tickets stand with any of these names in a part of their scope."""
        lines, wild = self._lines.get(part, {}), self._wild.get(part)
        for name in names:
            line = lines.get(name)
            if line is not None:
                yield line
            if wild is not None:
                yield from wild.fitting(name)


class _Wildcards:
    """Wildcards by how they begin: a name is held against those that begin as it does."""

    def __init__(self, lines: Mapping[str, _Line], *, brackets: bool) -> None:
        self._brackets = brackets
        self._by_beginning: dict[str, list[tuple[str, _Line]]] = defaultdict(list)
        for pattern, line in lines.items():
            self._by_beginning[beginning(pattern, brackets=brackets)].append((pattern, line))
        self._lengths = sorted({len(begins) for begins in self._by_beginning})

    def fitting(self, name: str) -> Iterator[_Line]:
        for length in self._lengths:
            if length > len(name):
                break
            for pattern, line in self._by_beginning.get(name[:length], ()):
                if matcher(pattern, brackets=self._brackets)(name):
                    yield line


_CALLED: Mapping[str, Callable[[Key, Names], Iterable[str]]] = {
    "address": lambda _, names: names.addresses,
    "id": lambda _, names: names.ids,
    "type": lambda key, _: (key.type,),
    "tag": lambda _, names: tuple([f"{name}={value}" for name, value in names.tags]),
    "item": lambda _, names: names.items,
    "account": lambda key, _: (key.account,),
}
"""Part of a scope → what a resource is called there."""


def _accounts(scope: TicketScope) -> Collection[str]:
    """The accounts under which a ticket is to be found; `_ANY`: whichever the resource is in."""
    found = set(scope.accounts)
    named = scope.addresses or scope.resources or scope.types or scope.tags or scope.names
    return found if named and 0 < len(found) <= _MANY and not any(map(is_wild, found)) else (_ANY,)


def _places(scope: TicketScope) -> set[tuple[str, str]]:
    named = {
        *(("address", one) for one in scope.addresses),
        *(("id", one) for one in scope.resources),
        *(("type", one) for one in scope.types),
        *(("tag", one) for one in scope.tags),
        *(("item", one) for one in scope.names),
    }
    if named:
        return named
    if scope.accounts:
        return {("account", one) for one in scope.accounts}
    return {("account", "*")} if scope.environments or scope.attributes or scope.actions else set()
