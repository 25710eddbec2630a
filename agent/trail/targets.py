"""Which resources a call acts on, and what it sets there, as the resource specs say.

Hides evaluation of the specs' paths over records that may be cut, masked or strange, and the spellings one identifier
comes in. A call no spec knows touches nothing: the change stays, its target unknown.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import jmespath
from jmespath.exceptions import JMESPathError

from agent.model import Act, Touch, Unknown
from agent.resources import Event, Path, Spec
from agent.seal import seal

Document = Mapping[str, Any]
"""A record in CloudTrail's spelling: `decode.document`."""
Look = Callable[[Document], Any]

_CANNOT = (JMESPathError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a path or a spec's function may raise on a record unlike the ones it was written for."""
_MOST = 1000  # identifiers of one call: EC2 takes 1000 ids at most


@dataclass(frozen=True, slots=True)
class _Effect:
    """One event of one resource type, its paths ready to use."""

    type: str
    ids: Look
    act: Act
    sets: Mapping[str, Look | None]
    secrets: frozenset[str]
    when: Look


class Targets:
    """(eventSource, eventName) → what the call does to which types."""

    def __init__(self, specs: Mapping[str, Spec], seal_key: bytes) -> None:
        """`seal_key`: the install key under which values of secret attributes are hashed; empty: they stay unknown."""
        self._seal_key = seal_key
        self._effects: dict[tuple[str, str], list[_Effect]] = defaultdict(list)
        for name, spec in specs.items():
            secrets = frozenset(attribute.name for attribute in spec.attributes if attribute.secret)
            for event in spec.events:
                source = event.source or spec.event_source or f"{spec.service}.amazonaws.com"
                self._effects[(source, event.name)].append(_effect(spec.same_as or name, event, secrets))

    def of(self, source: str, name: str, record: Document) -> tuple[Touch, ...]:
        """What the call touches; empty where no spec knows it or the record shows no identifier. Never raises.

        `name` without its version suffix.
        """
        account = str(record.get("recipientAccountId") or "")
        found: dict[tuple[Any, ...], Touch] = {}
        for effect in self._effects.get((source, name), ()):
            for touch in self._touches(effect, record, account):
                found.setdefault((touch.type, touch.ids, touch.act), touch)
        return tuple(found.values())

    def _touches(self, effect: _Effect, record: Document, account: str) -> Iterator[Touch]:
        if not _looked(effect.when, record, otherwise=False):
            return
        resources = list(_resources(_looked(effect.ids, record, otherwise=None)))
        sets = self._sets(effect, record) if resources else {}
        for names in resources[:_MOST]:
            ids = tuple(dict.fromkeys(form for name in names for form in _forms(name, account)))
            if ids:
                yield Touch(effect.type, ids, effect.act, sets)

    def _sets(self, effect: _Effect, record: Document) -> Mapping[str, Any]:
        cut = any(isinstance(part := record.get(name), dict) and part.get("omitted") for name in _CUT)
        found = {}
        for attribute, look in effect.sets.items():
            if look is None:
                found[attribute] = Unknown("the record does not show the value")
            elif cut:
                found[attribute] = Unknown("CloudTrail cut the record")
            else:
                value = _looked(look, record, otherwise=Unknown("the record is unlike what its spec expects"))
                if value is not None:
                    found[attribute] = self._shown(value, attribute in effect.secrets)
        return found

    def _shown(self, value: Any, secret: bool) -> Any:
        shown = _unmasked(value)
        if not secret:
            return shown
        return (
            seal(self._seal_key, shown) if self._seal_key else Unknown("a secret, and no install key to hash it with")
        )


_CUT = ("requestParameters", "responseElements")


def _effect(type_: str, event: Event, secrets: frozenset[str]) -> _Effect:
    sets = {attribute: _look(path) if path else None for attribute, path in event.sets.items()}
    return _Effect(type_, _look(event.ids), event.act, sets, secrets, _look(event.when) if event.when else _always)


def _always(_: Document) -> bool:
    return True


@functools.cache
def _compiled(expression: str) -> Look:
    look: Look = jmespath.compile(expression).search
    return look


def _look(path: Path) -> Look:
    return _compiled(path) if isinstance(path, str) else path


def _looked(look: Look, record: Document, otherwise: Any) -> Any:
    try:
        return look(record)
    except _CANNOT:
        return otherwise


def _resources(found: Any) -> Iterator[tuple[str, ...]]:
    """One identifier, a list of them (several resources), or a list whose entries list the names of one resource."""
    for entry in found if isinstance(found, list | tuple | set | frozenset) else (found,):
        names = entry if isinstance(entry, list | tuple) else (entry,)
        usable = tuple(str(name) for name in names if isinstance(name, str | int) and _usable(name))
        if usable:
            yield usable


_MASKS = ("HIDDEN_DUE_TO_SECURITY", "<sensitiveDataRemoved>", "Value hidden due to security")


def _usable(name: str | int) -> bool:
    return not isinstance(name, bool) and name != "" and not _is_masked(name)


def _is_masked(found: Any) -> bool:
    """CloudTrail's own masks: a phrase, or three stars and more; one star is a policy's "everybody"."""
    return isinstance(found, str) and (found.startswith(_MASKS) or (len(found) > 2 and not found.strip("*")))


def _unmasked(found: Any) -> Any:
    if _is_masked(found):
        return Unknown("CloudTrail masks the value")
    if isinstance(found, dict):
        return {name: _unmasked(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [_unmasked(value) for value in found]
    return found


def _forms(name: str, account: str) -> Iterator[str]:
    """The identifier as the call gives it, then the other spellings a resource may be known by."""
    yield name
    plain = unquote(name) if "%" in name else name
    plain = plain.removeprefix("/hostedzone/").removesuffix(":*")
    if plain:
        yield plain
    if plain.startswith("arn:"):
        yield from _names_in(plain, account)


def _names_in(arn: str, account: str) -> Iterator[str]:
    """The names an ARN of our own account holds: another account's resource may bear the same name as ours."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[4] not in ("", account):
        return
    kind, colon, rest = parts[5].partition(":")
    if colon and "/" not in kind:
        # `function:name:alias`, `log-group:/a/b`, `secret:name-AbCdEf`, `db:name`
        yield rest.partition(":")[0]
        return
    _, slash, path = parts[5].partition("/")
    if slash:
        # `role/path/name`, `table/name`, `parameter/a/b`, whose name begins with the slash
        yield from (path, path.rsplit("/", 1)[-1], f"/{path}")
    else:
        yield parts[5]
