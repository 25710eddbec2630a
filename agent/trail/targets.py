"""Which resource a call acts on, and what it sets there: as the resource specs say, or the table of types without one.

Hides evaluation of the specs' paths over records that may be cut, masked or strange. A call neither knows touches
nothing: the change stays, its target unknown. Whatever else a call mentions (the subnet of a new instance) it does not
touch.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jmespath.exceptions import JMESPathError

from agent import named, paths, tags
from agent.model import Act, Touch, Unknown
from agent.resources import Event, Path, Spec
from agent.seal import newest, seal
from agent.trail import arns, place
from agent.trail.spelling import forms, is_masked, usable

Document = Mapping[str, Any]
"""A record in CloudTrail's spelling: `decode.document`."""
Look = Callable[[Document], Any]

_CANNOT = (JMESPathError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a path or a spec's function may raise on a record unlike the ones it was written for."""
_NAMES, _LISTS, _SEVERAL = (str, int), (list, tuple), (list, tuple, set, frozenset)
_MOST = 1000  # identifiers of one call: EC2 takes 1000 ids at most


@dataclass(frozen=True, slots=True)
class _Effect:
    """One event of one resource type, its paths ready to use."""

    type: str
    ids: Look
    act: Act
    sets: Mapping[str, Look | None]
    secrets: frozenset[str]
    when: Look | None


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
        """What the call touches; empty where nothing knows it or the record shows no identifier. Never raises.

        `name` without its version suffix.
        """
        account = str(record.get("recipientAccountId") or "")
        found: dict[tuple[Any, ...], Touch] = {}
        for effect in self._effects.get((source, name), ()):
            for touch in self._touches(effect, record, account):
                found.setdefault((touch.type, touch.ids, touch.act), touch)
        if name in arns.TAGGING:
            return _tagged(tuple(found.values()), source, record, account)
        return tuple(found.values()) or _without_spec(source, name, record, account)

    def _touches(self, effect: _Effect, record: Document, account: str) -> Iterator[Touch]:
        if effect.when is not None and not _looked(effect.when, record, otherwise=False):
            return
        resources = list(_resources(_looked(effect.ids, record, otherwise=None)))
        sets = self._sets(effect, record) if resources and effect.sets else {}
        for names in resources[:_MOST]:
            if len(names) == 1:
                yield Touch(effect.type, forms(names[0], account), effect.act, sets)
            else:
                ids = dict.fromkeys(form for name in names for form in forms(name, account))
                yield Touch(effect.type, tuple(ids), effect.act, sets)

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
        if not self._seal_key:
            return Unknown("a secret, and no install key to hash it with")
        return seal(newest(self._seal_key), shown)


_CUT = ("requestParameters", "responseElements")


def _effect(type_: str, event: Event, secrets: frozenset[str]) -> _Effect:
    sets = {attribute: _look(path) if path else None for attribute, path in event.sets.items()}
    return _Effect(type_, _look(event.ids), event.act, sets, secrets, _look(event.when) if event.when else None)


def _look(path: Path) -> Look:
    return paths.compiled(path) if isinstance(path, str) else path


def _looked(look: Look, record: Document, otherwise: Any) -> Any:
    try:
        return look(record)
    except _CANNOT:
        return otherwise


def _resources(found: Any) -> Iterator[tuple[str, ...]]:
    """One identifier, a list of them (several resources), or a list whose entries list the names of one resource."""
    for entry in found if isinstance(found, _SEVERAL) else (found,):
        if type(entry) is str:
            told: tuple[str, ...] = (entry,) if usable(entry) else ()
        else:
            names = entry if isinstance(entry, _LISTS) else (entry,)
            told = tuple(str(name) for name in names if isinstance(name, _NAMES) and usable(name))
        if told:
            yield told


def _unmasked(found: Any) -> Any:
    if is_masked(found):
        return Unknown("CloudTrail masks the value")
    if isinstance(found, dict):
        return {name: _unmasked(value) for name, value in found.items()}
    if isinstance(found, _LISTS):
        return [_unmasked(value) for value in found]
    return found


# --- types without a spec ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """One call of one type without a spec."""

    type: str
    act: Act
    look: place.Look
    named: bool
    """Its identity is a plain name, which a call may give as an ARN."""


@functools.cache
def _known() -> Mapping[tuple[str, str], tuple[_Known, ...]]:
    """(eventSource, eventName) → the types it may change; settings before what they are settings of."""
    found: dict[tuple[str, str], list[_Known]] = defaultdict(list)
    for type_, each in sorted(named.load().items(), key=lambda item: (not item[1].parent, item[0])):
        for call in each.calls:
            look = place.compiled(call.place, each.names)
            plain = each.names[0].endswith("name") and "+" not in each.names[0]
            found[f"{each.source}.amazonaws.com", call.name].append(_Known(type_, call.act, look, plain))
    return {call: tuple(types) for call, types in found.items()}


def _without_spec(source: str, name: str, record: Document, account: str) -> tuple[Touch, ...]:
    """The first type that the record names: one call changes one thing."""
    for known in _known().get((source, name), ()):
        found: list[str] = _looked(known.look, record, otherwise=[])
        if found:
            return tuple(_touch(known.type, one, known.act, account, known.named) for one in dict.fromkeys(found))
    listed = record.get("resources")
    if isinstance(listed, list) and len(listed) == 1:
        # A call nobody wrote down, whose record says itself what it is about.
        for arn in arns.arns_in(listed[0]):
            type_ = arns.type_of(arn)
            if type_ and f"{arn.split(':', 3)[2]}.amazonaws.com" == source:
                return (_touch(type_, arn, "update", account),)
    return ()


def _touch(type_: str, name: str, act: Act, account: str, plain: bool = False) -> Touch:
    ids = forms(name, account)
    if plain and len(ids) > 1:
        ids = tuple(dict.fromkeys((named.bare(name, account), *ids)))
    return Touch(type_, ids, act)


def _tagged(found: tuple[Touch, ...], source: str, record: Document, account: str) -> tuple[Touch, ...]:
    """What a tagging call touches: as specs say, unless the ARN is of another type; and what no spec knows."""
    kept = [touch for touch in found if arns.type_of(touch.ids[0]) in ("", touch.type)]
    told = {name for touch in kept for name in touch.ids}
    name, service = str(record.get("eventName")), source.removesuffix(".amazonaws.com")
    request = _mapping(record.get("requestParameters"))
    ids: list[str] = _looked(_EC2_IDS, record, otherwise=[]) if service == "ec2" else []
    kept += [_touch(type_, one, "update", account) for one in ids if (type_ := arns.type_of_id(one))]
    # The Resource Groups Tagging API answers with those it could not tag; every other API has its own resources.
    failed = _mapping(_mapping(record.get("responseElements")).get("failedResourcesMap"))
    unspecified = named.load()
    for type_, one in (*((arns.type_of(arn), arn) for arn in arns.arns_in(request)), arns.kind_of(service, request)):
        if type_ and one not in told and one not in failed and (type_ in unspecified or service == "tagging"):
            sets = {} if type_ in unspecified else _tags_set(name, record)
            kept.append(Touch(type_, forms(one, account), "update", sets))
    return tuple(kept[:_MOST]) or _without_spec(source, name, record, account)


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


_EC2_IDS = place.compiled("request.resourcesSet.resourceId", ("id",))


def _tags_set(name: str, record: Document) -> Mapping[str, Any]:
    """What the Resource Groups Tagging API sets, on a type whose tags are compared."""
    asked = _looked(_TAGS, record, otherwise=None) if name == "TagResources" else None
    return {"tags_all": Unknown("the record does not show the value") if asked is None else _unmasked(asked)}


_TAGS = tags.at("requestParameters.tags")
