"""The test `content`: is what a call did within the plan that was approved?

Hides how a target is found in a plan (by what it is called before and after, by its address, inside the block of the
resource it is a part of) and when two values are the same. Where a side does not show a value, nothing passes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from agent.clean import clean
from agent.equal import canonical, unknowns
from agent.model import ApprovedPlan, Change, Key, PlannedChange, Resource, Result, Test, Touch, Unknown
from agent.named import load as named
from agent.resources import WEIRD, Attribute, Attributes, Inline, Spec, identity, load

_LONGEST = 80
"""Characters shown of a value."""
_MOST = 3
"""How many reasons are told."""
_OPEN = "\0unknown"
_RANK: tuple[Result, ...] = ("fail", "unknown", "pass")

Told = tuple[Result, str]
_Entry = tuple[PlannedChange, Attributes | None]
"""What a plan does to a resource, and what that is then to be; None: the plan leaves that open."""


def within(
    change: Change,
    targets: Sequence[Key],
    known: Mapping[Key, Resource],
    plan: ApprovedPlan,
    specs: Mapping[str, Spec] | None = None,
) -> Test:
    """Whether all that the call did to these targets is in the plan, with the values it plans.

    `known` are the resources of both sides, declared ones first. `fail` names the attribute and both values. Without
    `specs` those that ship are asked what the attributes of a type mean.
    """
    if plan.changes is None:
        return Test("content", "unknown", plan.why or "the approved plan is known by its fingerprint alone")
    if not targets:
        return Test("content", "unknown", "the resource the call acted on is not known")
    held = _Plan(known, plan.changes, load() if specs is None else specs)
    told = [held.target(key, change) for key in targets]
    result = min((one for one, _ in told), key=_RANK.index)
    reasons = list(dict.fromkeys(said for one, said in told if one == result))
    more = f"; and {len(reasons) - _MOST} more" if len(reasons) > _MOST else ""
    return Test("content", result, f"{'; '.join(reasons[:_MOST])}{more} (plan {plan.fingerprint[:15]})")


def entries(
    key: Key, known: Mapping[Key, Resource], plan: ApprovedPlan, specs: Mapping[str, Spec] | None = None
) -> tuple[PlannedChange, ...]:
    """What a plan does to a resource; where that is nothing, to the one it is a part of."""
    held = _Plan(known, plan.changes or (), load() if specs is None else specs)
    own = held.own(key, held.names(key))
    return tuple(one for one, _ in own or held.around(key))


class _Plan:
    """A plan that calls are held against."""

    def __init__(
        self, known: Mapping[Key, Resource], planned: Sequence[PlannedChange], specs: Mapping[str, Spec]
    ) -> None:
        self.known = known
        self.planned = planned
        self.specs = specs

    def target(self, key: Key, change: Change) -> Told:
        """What is to be said of one target of a call."""
        resource = self.known.get(key)
        touches = [touch for touch in change.touches if self._means(touch, key, change)]
        if not touches and any(touch.act == "delete" for touch in change.touches):
            # Who deletes a resource deletes the parts of it that are declared by themselves.
            touches = [Touch(key.type, (), "delete")]
        name = clean(resource.address if resource and resource.address else f"{key.type} {key.id}", 200)
        if not touches:
            return "unknown", f"what the call did to {name} is not known"
        names = {*self.names(key), *(one for touch in touches for one in touch.ids)}
        if own := self.own(key, names):
            told = _best(self._whole(one, after, touches, name, names, resource) for one, after in own)
            return self._born(key, touches, name) or told if told[0] == "fail" else told
        if resource is not None and (around := self.around(key)):
            return _best(self._inside(one, resource, touches, name) for one, _ in around)
        return self._nowhere(key, resource, name)

    def _born(self, key: Key, touches: Sequence[Touch], name: str) -> Told | None:
        """Parts that AWS makes with a resource may go once the plan has made it, whatever comes in their place."""
        if any(touch.act != "delete" for touch in touches):
            return None
        made = (one for one, _ in self.around(key) if one.act == "create")
        return next((("pass", f"{name} goes with {clean(one.address, 200)}") for one in made), None)

    def own(self, key: Key, names: Collection[str]) -> list[_Entry]:
        """What the plan does to a resource at an address of its own."""
        resource = self.known.get(key)
        return self._of(key.type, names, resource.address if resource else "")

    def around(self, key: Key) -> list[_Entry]:
        """What the plan does to the resource that this one is a part of."""
        resource = self.known.get(key)
        if resource is None or resource.parent is None:
            return []
        outer = self.known.get(resource.parent, resource)
        return self._of(resource.parent.type, self.names(resource.parent), outer.address)

    def _means(self, touch: Touch, key: Key, change: Change) -> bool:
        """Whether this touch of the call is of this target; another may be of another of its type."""
        if touch.type != key.type:
            return False
        others = [one for one in change.targets if one.type == key.type and one != key]
        if not others or not self.names(key).isdisjoint(touch.ids):
            return True
        return all(self.names(other).isdisjoint(touch.ids) for other in others)

    def names(self, key: Key) -> set[str]:
        """Every name that calls may call it by."""
        resource = self.known.get(key)
        return {key.id, *(resource.identifiers if resource else ())}

    def _of(self, type_: str, names: Collection[str], address: str) -> list[_Entry]:
        found: list[_Entry] = []
        for one in self.planned:
            if self._type(one) != type_:
                continue
            facts = self._facts(one)
            sure = [fact for fact in facts if self._natural(one, fact) in names]
            # At the same address another stack may have another resource, which has other names.
            here = address == one.address and (not one.ids or one.replaces)
            matched = sure or [fact for fact in facts if here and self._may_be(one, fact, names)]
            if matched:
                found.append((one, matched[0]))
            elif not set(one.ids).isdisjoint(names):
                # Of what is its content, what is called so now is not there after.
                found.append((one, facts[0] if facts and not self._is_content(one) else {}))
            elif here and not facts:
                found.append((one, None))
        return found

    def _type(self, one: PlannedChange) -> str:
        known = self.specs.get(one.type) or named().get(one.type)
        return known.same_as if known and known.same_as else one.type

    def _facts(self, one: PlannedChange) -> list[Attributes]:
        """What is there after the plan: one resource, or the several that its specification makes of it.

        None is there after a deletion, and where what makes it what it is is known after the apply only.
        """
        if one.act == "delete" and not one.replaces:
            return []
        spec = self.specs.get(one.type)
        if spec is None or spec.split is None:
            return [one.sets]
        opened = {name: value for name, value in one.sets.items() if any(unknowns(value))}
        try:
            facts = list(spec.split({name: None if name in opened else value for name, value in one.sets.items()}))
        except WEIRD:
            return []
        return [{**fact, **{name: opened[name] for name in fact if name in opened}} for fact in facts]

    def _is_content(self, one: PlannedChange) -> bool:
        """Whether it may stand for several, each named after its content: a changed one goes, and another comes."""
        spec = self.specs.get(one.type)
        return spec is not None and spec.split is not None

    def _natural(self, one: PlannedChange, fact: Attributes) -> str:
        """What it will be called; empty where that is not known before."""
        spec = self.specs.get(one.type)
        names = spec.identity if spec else ("arn",)
        return "" if any(unknowns(fact.get(name)) for name in names) else identity(names, fact)

    def _may_be(self, one: PlannedChange, fact: Attributes, names: Collection[str]) -> bool:
        """Whether it may be called so, as far as that is known before."""
        spec = self.specs.get(one.type)
        return spec is None or any(_fits(spec.identity, fact, name) for name in names)

    def _whole(
        self,
        one: PlannedChange,
        after: Attributes | None,
        touches: Sequence[Touch],
        name: str,
        names: Collection[str],
        resource: Resource | None,
    ) -> Told:
        """What the call did to a resource that the plan has at an address of its own."""
        if after is None:
            return "unknown", f"the plan leaves open what {name} is"
        made_of_content = self._is_content(one)
        was, stays = not set(one.ids).isdisjoint(names), bool(after)
        told = []
        for touch in touches:
            allowed = (
                (one.act == "delete" or one.replaces or (made_of_content and was and not stays))
                if touch.act == "delete"
                else (one.act == "create" or (made_of_content and stays))
                if touch.act == "create"
                else True
            )
            if not allowed:
                told.append(_not_so(name, touch, one))
            elif touch.act == "delete":
                told.append(("pass", f"{name} is deleted in the plan"))
            else:
                spec = self.specs.get(self._type(one))
                # What created the resource that state has at this address was given what state then recorded.
                here = touch.act == "create" and resource is not None and resource.address == one.address
                planned = _filled(after, resource.attributes) if here and resource else after
                found = self._values(touch, planned, one.changed, spec, name)
                if one.act == "delete" and not one.replaces and found[0] == "fail" and not _deletes(spec):
                    found = "unknown", f"{found[1]}; it is deleted in the plan, by a call that sets it"
                told.append(found)
        return _worst(told)

    def _inside(self, one: PlannedChange, part: Resource, touches: Sequence[Touch], name: str) -> Told:
        """What the call did to a part that the plan has inside the block of the resource it belongs to."""
        outer, spec = self.specs.get(one.type), self.specs.get(part.key.type)
        inlines = [each for each in outer.inline if each.type == part.key.type] if outer else []
        inlines = [each for each in inlines if part.attribute in ("", each.attribute)] or inlines
        anew = one.act == "create" or one.replaces
        told: list[Told] = []
        for touch in touches:
            if touch.act == "delete" and (one.act == "delete" or anew):
                told.append(("pass", f"{name} goes with {clean(one.address, 200)}"))
            elif one.act == "delete" and not anew:
                told.append(_not_so(name, touch, one))
            elif spec is None or not any(each.attribute in one.changed for each in inlines):
                inside = " or ".join(sorted({each.attribute for each in inlines})) or "parts"
                told.append(("fail", f"{name}: the plan does not change the {inside} of {clean(one.address, 200)}"))
            else:
                told.append(self._planned_part(one, inlines, spec, part, touch, name))
        return _worst(told)

    def _planned_part(
        self, one: PlannedChange, inlines: Iterable[Inline], spec: Spec, part: Resource, touch: Touch, name: str
    ) -> Told:
        parts: list[Attributes] = []
        for inline in inlines:
            for why in unknowns(one.sets.get(inline.attribute)):
                return "unknown", f"{name}: the planned {inline.attribute} is not known: {clean(why.why, _LONGEST)}"
            try:
                parts += inline.parts(one.sets)
            except WEIRD:
                return "unknown", f"{name}: which {inline.attribute} the plan has cannot be told"
        stays = next((found for found in parts if _fits(spec.identity, found, part.key.id)), None)
        if (touch.act == "delete") == (stays is not None):
            return "fail", f"{name} was {touch.act}d, the plan {'keeps' if stays else 'does not have'} it"
        if stays is None:
            return "pass", f"{name} is deleted in the plan"
        return self._values(touch, stays, tuple(stays), spec, name)

    def _nowhere(self, key: Key, resource: Resource | None, name: str) -> Told:
        """Not in the plan; or created by it, under a name that only the apply could tell."""
        declared = resource is not None and bool(resource.address)
        for one in self.planned:
            if one.act == "create" and self._type(one) == key.type and not declared:
                facts = self._facts(one)
                if not facts or any(self._natural(one, f) == "" and self._may_be(one, f, (key.id,)) for f in facts):
                    return "unknown", f"{name} may be {clean(one.address, 200)}, whose name the plan could not know"
        return "fail", f"{name} is not in the plan"

    def _values(self, touch: Touch, after: Attributes, changed: Collection[str], spec: Spec | None, name: str) -> Told:
        if not touch.sets:
            if touch.act == "create":
                return "pass", f"{name} is created in the plan"
            return "unknown", f"{name}: the record does not show what the call set"
        shown = any(not isinstance(asked, Unknown) for asked in touch.sets.values())
        attributes = {one.name: one for one in spec.attributes} if spec else {}
        told = []
        for attribute, asked in sorted(touch.sets.items()):
            meaning = attributes.get(attribute, Attribute(attribute, "", "json"))
            result, said = _value(asked, after.get(attribute), meaning, shown or attribute in changed)
            told.append((result, f"{name}: {said}"))
        result, said = _worst(told)
        return (result, said) if result != "pass" else (result, f"{name}: {', '.join(sorted(touch.sets))} as planned")


def _value(asked: Any, want: Any, meaning: Attribute, may_be_planned: bool) -> Told:
    """One attribute: what the call asked for, what the plan has."""
    name = clean(meaning.name, 200)
    if any(unknowns(asked)):
        if may_be_planned:
            return "unknown", f"the record does not show what {name} was set to"
        return "fail", f"{name} was set to what the record does not show, the plan does not change it"
    default = canonical(meaning.default, meaning.kind)
    left, right = canonical(asked, meaning.kind), canonical(_marked(want), meaning.kind)
    right = _OPEN if isinstance(want, Unknown) else right
    left, right = default if left is None else left, default if right is None else right
    if meaning.kind == "tags" and isinstance(left, dict):
        # A tagging call names the tags it sets, not all there are.
        right = {tag: value for tag, value in right.items() if tag in left} if isinstance(right, dict) else right
    result = _compared(left, right)
    if result == "unknown":
        whys = [f"the planned {name} is not known: {clean(why.why, _LONGEST)}" for why in unknowns(want)]
        return "unknown", next(iter(whys), f"{name} is sealed on one side only")
    if result == "pass":
        return "pass", name
    return "fail", f"{name} was set to {_shown(asked)}, the plan has {_shown(want)}"


def _filled(after: Attributes, recorded: Attributes) -> Attributes:
    """What is planned, with what state recorded where the plan left it to the apply."""
    found = {name: recorded.get(name) for name, value in after.items() if any(unknowns(value)) and name in recorded}
    return {**after, **{name: value for name, value in found.items() if not any(unknowns(value))}}


def _marked(value: Any) -> Any:
    """A planned value with a mark, which no call can ask for, in place of what is unknown."""
    if isinstance(value, Unknown):
        return _OPEN
    if isinstance(value, Mapping):
        return {name: _marked(item) for name, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list | tuple) else value


def _deletes(spec: Spec | None) -> bool:
    """Whether calls delete resources of this type; what is a setting goes by being set."""
    return spec is None or any(event.act == "delete" for event in spec.events)


def _compared(left: Any, right: Any) -> Result:
    """Two canonical values; a sealed one and a plain one may be the same, or not."""
    if left == right or (left is None and right == _OPEN):
        return "pass"
    if right == _OPEN:
        return "unknown"
    if _is_sealed(left) != _is_sealed(right) and None not in (left, right):
        return "unknown"
    if isinstance(left, dict) and isinstance(right, dict) and not _is_sealed(left):
        return min((_compared(left.get(name), right.get(name)) for name in {*left, *right}), key=_RANK.index)
    if isinstance(left, list) and isinstance(right, list):
        # Sealed, the members of a set have another order.
        apart = any(map(_is_sealed, left)) != any(map(_is_sealed, right))
        if _OPEN in right:
            return "unknown"
        if len(left) == len(right):
            return "unknown" if apart else min(map(_compared, left, right), key=_RANK.index)
    return "fail"


def _is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"$secret"}


def _fits(names: Sequence[str], fact: Attributes, id_: str) -> bool:
    """Whether an identity may be the one of planned attributes, some of which only the apply will tell."""
    if not any(unknowns(fact.get(name)) for name in names):
        return identity(tuple(names), fact) == id_
    parts = id_.split("|") if len(names) > 1 else [id_]
    return len(parts) == len(names) and all(
        any(unknowns(fact.get(name))) or identity((name,), fact) == part
        for name, part in zip(names, parts, strict=True)
    )


def _not_so(name: str, touch: Touch, one: PlannedChange) -> Told:
    planned = "replaced" if one.replaces else f"{one.act}d"
    return "fail", f"{name} was {touch.act}d, in the plan it is {planned}"


def _shown(value: Any) -> str:
    """A value in a sentence: short, on one line, nothing secret."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)
    return clean(text or '""', _LONGEST)


def _best(told: Iterable[Told]) -> Told:
    return max(told, key=lambda one: _RANK.index(one[0]))


def _worst(told: Iterable[Told]) -> Told:
    """The worst; of equals all reasons."""
    found = list(told)
    result = min((one for one, _ in found), key=_RANK.index)
    return result, "; ".join(list(dict.fromkeys(said for one, said in found if one == result))[:_MOST])
