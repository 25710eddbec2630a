"""Whether a ticket's scope covers a resource and what a call did to it.

Hides how the parts of a scope combine, and what is not known: a scope that is limited to attributes covers no call of
which we do not know what it set.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.authorise.estate import Environment, Names
from agent.authorise.patterns import Match, Patterns, is_wild, matcher
from agent.model import Change, Key, Result, TicketScope, Touch


class Covering:
    """A ticket's scope, made ready."""

    __slots__ = (
        *("_accounts", "_actions", "_addresses", "_attributes", "_environments", "_ids", "_items", "_known"),
        *("_spelled", "_tags", "_types", "broad", "by_call"),
    )

    def __init__(self, scope: TicketScope) -> None:
        self._spelled = frozenset(scope.addresses)
        self._addresses = [matcher(one, brackets=False) for one in scope.addresses if is_wild(one, brackets=False)]
        self._ids, self._types, self._items = map(Patterns, (scope.resources, scope.types, scope.names))
        self._tags = [_tag(one) for one in scope.tags if "=" in one]
        self._accounts, self._attributes, self._actions = map(
            Patterns, (scope.accounts, scope.attributes, scope.actions)
        )
        self._environments = Patterns(name.casefold() for name in scope.environments)
        limited = scope.accounts or scope.environments or scope.attributes or scope.actions
        named = scope.addresses or scope.resources or scope.types or scope.tags or scope.names
        self.broad = bool(limited and not named)
        """Whether it covers whatever lies within its limits."""
        self.by_call = bool(scope.attributes or scope.actions)
        """Whether it depends on what the call did, and not on the resource alone."""
        self._known: dict[Key, bool] = {}

    def covers(self, key: Key, names: Names, environment: Environment, change: Change) -> Result:
        """Whether a change of one resource lies within the scope."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._within(key, environment) and (self.broad or self._means(key, names))
        if not found:
            return "fail"
        return self._does(change, [one for one in change.touches if _on(one, key, names)]) if self.by_call else "pass"

    def covers_call(self, change: Change) -> Result:
        """Whether a change of nobody knows what lies within the scope: only where it asks for no resource."""
        if self._accounts and not self._accounts.fit(change.account):
            return "fail"
        if not self.broad or self._environments:
            return "unknown"
        return self._does(change, change.touches)

    def _within(self, key: Key, environment: Environment) -> bool:
        if self._accounts and not self._accounts.fit(key.account):
            return False
        # What belongs to no known environment lies within none.
        return not self._environments or all(map(self._environments.fit_any, environment.sides))

    def _means(self, key: Key, names: Names) -> bool:
        return (
            not self._spelled.isdisjoint(names.exact)
            or any(match(name) for match in self._addresses for name in names.addresses)
            or self._ids.fit_any(names.ids)
            or self._types.fit(key.type)
            or any(name(tag) and value(said) for name, value in self._tags for tag, said in names.tags)
            or self._items.fit_any(names.items)
        )

    def _does(self, change: Change, touches: Sequence[Touch]) -> Result:
        if self._actions and not self._actions.fit(change.action):
            return "fail"
        if not self._attributes:
            return "pass"
        set_ = {name for touch in touches for name in touch.sets}
        if any(touch.act != "update" for touch in touches) or not all(map(self._attributes.fit, set_)):
            return "fail"
        return "pass" if touches and all(touch.sets for touch in touches) else "unknown"


def _tag(pattern: str) -> tuple[Match, Match]:
    """Name and value each by itself: the wildcard of one never reaches into the other."""
    name, _, value = pattern.partition("=")
    return matcher(name), matcher(value)


def _on(touch: Touch, key: Key, names: Names) -> bool:
    """Whether a call's touch is of this resource; ids that nobody knows may be its own."""
    return touch.type == key.type and (not touch.ids or key.id in touch.ids or not set(touch.ids).isdisjoint(names.ids))
