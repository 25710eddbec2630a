"""Which calls explain one difference: what each did to it, in the order they were made, and how sure that is.

Hides that values are masked, that tags are set one by one, and that a call may be undone by a later one. A difference
is explained by the call that brought it about and that no later call took back; the newest call is not it by being new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from agent.clean import clean
from agent.equal import canonical
from agent.model import Candidate, Change, Drift, Key, Touch, Unknown
from agent.resources import Attribute, Spec

THRESHOLD = 0.5
"""Below it no change is named as the cause."""

_SET_IT = 0.95  # asked for exactly what is live, and no later call changed it
_SET_IT_BEFORE = 0.85  # as above; a later call set it to something its record does not show
_MAY_HAVE = 0.7  # the last to set it; its record does not show to what
_PERHAPS = 0.6  # as above, and another call has the better claim
_LEFT_SO = 0.6  # made the resource anew, and no call has set the attribute since
_HARDLY = 0.45  # from here on below THRESHOLD: it was so already, or the call is one of several people's
_SOME_UPDATE = 0.4  # the record names nothing that differs
_UNDONE = 0.3  # a later call set it to something that is not live
_SET_OTHER = 0.2  # set it to something that is not live

_DOUBTFUL = 20  # the latest of the calls before that are shown; a busy resource has thousands

Effect = Literal["other", "void", "vague", "new", "perhaps", "one", "maybe", "live", "made"]
"""What a call did to what differs. `other`: left it otherwise. `void`: took the resource away. `vague`: touched the
resource, its record does not say what of it. `new`: made the resource. `perhaps`: may have set it besides something
else. `one`: acted on one of several such things. `maybe`: set it, its record does not show to what. `live`: left it as
it is now. `made`: made or deleted just what is there or gone."""
_EFFECTS: tuple[Effect, ...] = ("other", "void", "vague", "new", "perhaps", "one", "maybe", "live", "made")
_ORDER: Mapping[Effect, int] = {effect: number for number, effect in enumerate(_EFFECTS)}
"""Within one second the order is not on record: calls count in this one, whose end is what is known to be live."""
_VAGUE = ("vague", "new", "perhaps", "one")
_TELLING = ("perhaps", "one", "maybe", "live", "made")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What explains one difference."""

    candidates: tuple[Candidate, ...] = ()
    """Best first, newest first among equals; some may be below `THRESHOLD`."""
    causes: tuple[Candidate, ...] = ()
    """Of each thing that differs (one attribute; each tag of several) the call that explains it."""
    whole: bool = True
    """Whether everything that differs has its cause."""


class _Step(NamedTuple):
    """What one call did to one thing that differs."""

    change: Change
    effect: Effect
    why: str
    """Empty: it explains nothing in any case."""
    besides: str = ""
    """What else it set for all to see."""


def explain(
    drift: Drift, changes: Iterable[Change], specs: Mapping[str, Spec], sure: Collection[tuple[str, ...]] = ()
) -> Explanation:
    """What explains a difference, of changes whose targets are known; in any order, each once or more often.

    `sure`: event ids of the calls that are known to have made other differences of the same resource. What is merged
    and not applied needs no explanation.
    """
    if drift.kind == "unapplied":
        return Explanation()
    once = {change.event_ids: change for change in changes}.values()
    told = [sorted(_weighed(steps, sure), key=best_first) for steps in _steps(drift, once, specs)]
    tops = [found[0] for found in told if found and found[0].score >= THRESHOLD]
    causes = {top.change.event_ids: top for top in tops}
    candidates = told[0]
    if len(told) > 1:
        ranked: dict[tuple[str, ...], list[Candidate]] = {}
        for candidate in (one for found in told for one in found):
            ranked.setdefault(candidate.change.event_ids, []).append(candidate)
        candidates = sorted((joined(several) for several in ranked.values()), key=best_first)
    return Explanation(tuple(candidates), tuple(causes.values()), len(tops) == len(told))


def rank(drift: Drift, changes: Iterable[Change], specs: Mapping[str, Spec]) -> tuple[Candidate, ...]:
    """Changes that may explain one drift, best first (newest first among equals), with a score and its reason."""
    return explain(drift, changes, specs).candidates


def best_first(candidate: Candidate) -> tuple[float, float, tuple[str, ...]]:
    """Sorts candidates: by score, then the newest first."""
    return (-candidate.score, -candidate.change.time.timestamp(), candidate.change.event_ids)


def joined(candidates: Sequence[Candidate], most: int = 4) -> Candidate:
    """Several reasons to think of one change as one candidate: with the best score, and every reason that counts."""
    if len(candidates) == 1:
        return candidates[0]
    best = min(candidates, key=lambda one: (-one.score, one.why))
    counting = [one for one in candidates if one.score >= THRESHOLD] or [best]
    reasons = sorted({one.why for one in counting}, key=lambda why: (why != best.why, why))
    more = f"; and {len(reasons) - most} more" if len(reasons) > most else ""
    return Candidate(best.change, best.score, "; ".join(reasons[:most]) + more)


# --- weighing ------------------------------------------------------------------------------------------------


def _weighed(steps: Iterable[_Step], sure: Collection[tuple[str, ...]]) -> list[Candidate]:
    """The calls that acted on one thing that differs, each with how likely it is the one that made it so."""
    ordered = sorted(steps, key=lambda step: (step.change.time, _ORDER[step.effect], step.change.event_ids))
    undone = max((n for n, step in enumerate(ordered) if step.effect in ("other", "void")), default=-1)
    tail = ordered[undone + 1 :]
    scores = _tail(tail, sure, anew=undone >= 0 and ordered[undone].effect == "void")
    found = [Candidate(step.change, score, step.why) for step, score in zip(tail, scores, strict=True)]
    for step in ordered[max(0, undone + 1 - _DOUBTFUL) : undone + 1]:
        if step.effect in _TELLING:
            found.append(Candidate(step.change, _UNDONE, f"{step.why}, which a later call undid"))
        elif step.why:
            found.append(Candidate(step.change, _SET_OTHER, step.why))
    return found


def _tail(tail: Sequence[_Step], sure: Collection[tuple[str, ...]], *, anew: bool) -> list[float]:
    """Scores of the calls that nothing later undid; `anew`: the resource was gone before them."""
    by: dict[Effect, list[int]] = {effect: [] for effect in _ORDER}
    for n, step in enumerate(tail):
        by[step.effect].append(n)
    scores = [_HARDLY if step.effect in _TELLING else _SOME_UPDATE for step in tail]
    guesses = sorted((*by["perhaps"], *by["one"]))
    if by["made"]:
        scores[by["made"][0]] = _SET_IT  # it was so already when the later ones asked for it
    elif by["live"]:
        _shown(tail, by, scores)
    elif by["maybe"]:
        for n in by["maybe"]:
            scores[n] = _MAY_HAVE if n == by["maybe"][-1] else _PERHAPS
    elif guesses:
        # Where all set the same besides, that is not what they were made for.
        alike = not by["one"] and len({tail[n].besides for n in guesses}) == 1
        alone = alike or len({_who(tail[n].change) for n in guesses}) == 1
        for n in guesses:
            if alone or tail[n].change.event_ids in sure:
                scores[n] = _MAY_HAVE if n == guesses[-1] or not alone else _PERHAPS
    elif anew and by["new"]:
        scores[by["new"][0]] = _LEFT_SO
    return scores


def _shown(tail: Sequence[_Step], by: Mapping[Effect, Sequence[int]], scores: list[float]) -> None:
    """Of calls that set what is live the first counts, of the last that nobody may have come between."""
    telling = sorted((*by["live"], *by["maybe"]))
    last = by["live"][-1]
    cause = last
    for n in reversed(telling[: telling.index(last)]):
        if tail[n].effect != "live":
            break
        cause = n  # it was so already when the later ones asked for it
    for n in telling:
        if n == cause:
            scores[n] = _SET_IT if telling[-1] == last else _SET_IT_BEFORE
        elif (n < cause) == (tail[n].effect == "live"):
            scores[n] = _PERHAPS


def _who(change: Change) -> str:
    return change.actor.arn or change.actor.name


# --- what each call did --------------------------------------------------------------------------------------


def _steps(drift: Drift, changes: Collection[Change], specs: Mapping[str, Spec]) -> list[list[_Step]]:
    """For each thing that differs, what the calls did to it."""
    if drift.part is not None or drift.kind in ("missing", "unmanaged"):
        spec = specs.get((drift.part or drift.key).type)
        made = _Made(drift, spec, changes)
        return [[step for change in changes if (step := _net(list(made.by(change)))) is not None]]
    spec = specs.get(drift.key.type)
    declared = next((one for one in spec.attributes if one.name == drift.attribute), None) if spec else None
    asked = _Asked(drift, declared or Attribute(drift.attribute, "", "json"), spec)
    for change in changes:
        if drift.key in change.targets:
            asked.add([touch for touch in change.touches if _about(touch, drift.key, change)], change)
    return asked.steps


def _about(touch: Touch, subject: Key, change: Change) -> bool:
    """Whether this touch of a call is the one that means the resource; another may mean another of its type."""
    if touch.type != subject.type or subject not in change.targets:
        return False
    if len(change.targets) == 1 or subject.id in touch.ids:
        return True
    return not any(other.id in touch.ids for other in change.targets if other.type == subject.type)


def _net(steps: Sequence[_Step]) -> _Step | None:
    """What one call did in the end; what its record tells least of counts only where there is nothing else."""
    if len(steps) < 2:
        return steps[0] if steps else None
    return next((step for step in reversed(steps) if step.effect not in _VAGUE), steps[-1])


class _Asked:
    """What calls asked of one attribute, held against what is live: of tags, each that differs by itself."""

    def __init__(self, drift: Drift, attribute: Attribute, spec: Spec | None) -> None:
        # Of these calls the record shows neither the value nor whether it was set.
        unshown = [event.name for event in spec.events if event.sets.get(attribute.name) == ""] if spec else []
        self.unshown = frozenset(unshown)
        self.attribute = attribute
        self.default = canonical(attribute.default, attribute.kind)
        self.live = self._plain(drift.live)
        self.tags: list[str] = []
        if attribute.kind == "tags":
            was, now = self._plain(drift.declared) or {}, self.live or {}
            if isinstance(was, dict) and isinstance(now, dict):
                self.tags = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
        self.steps: list[list[_Step]] = [[] for _ in self.tags or ("",)]
        self.why_live = f"set {attribute.name} to the value that is live"
        self.why_other = f"set {attribute.name} to another value"

    def _plain(self, value: Any) -> Any:
        found = canonical(value, self.attribute.kind)
        return self.default if found is None else found

    def add(self, touches: Sequence[Touch], change: Change) -> None:
        """What the touches of one call did to the resource."""
        told = [self._touched(touch, change) for touch in touches]
        for steps, did in zip(self.steps, zip(*told, strict=True), strict=False):
            step = did[0] if len(did) == 1 else _net([one for one in did if one is not None])
            if step is not None:
                steps.append(step)

    def _touched(self, touch: Touch, change: Change) -> Sequence[_Step | None]:
        """For each thing that differs what one touch did to it."""
        if self.attribute.name in touch.sets:
            return self._asked(touch, change)
        step: _Step | None = None
        if touch.act == "delete":
            step = _Step(change, "void", "")
        elif touch.act == "create":
            step = _Step(change, "new", "created the resource")
        elif not touch.sets:
            step = _Step(change, "vague", "updated the resource; the record does not say which attribute")
        return [step] * len(self.steps)

    def _asked(self, touch: Touch, change: Change) -> Sequence[_Step | None]:
        asked = touch.sets[self.attribute.name]
        if isinstance(asked, Unknown):
            return [self._hidden(tag, touch, change) for tag in self.tags or ("",)]
        want = self._plain(asked)
        if self.tags:
            return [self._tag(tag, want if isinstance(want, dict) else {}, change) for tag in self.tags]
        return (_Step(change, "live", self.why_live) if want == self.live else _Step(change, "other", self.why_other),)

    def _hidden(self, tag: str, touch: Touch, change: Change) -> _Step | None:
        """What a call did whose record does not show the value."""
        name, called = self.attribute.name, _name(change)
        why = f"sets {name}; the record does not show the value"
        if tag and called.startswith(_TAKING):
            # One that takes tags away leaves none, and takes only some.
            return None if tag in (self.live or {}) else _Step(change, "one", why)
        # One that sets something else for all to see has no need of this; one that does not did this, or nothing.
        besides = {other: value for other, value in touch.sets.items() if not isinstance(value, Unknown)}
        if besides and called in self.unshown:
            return _Step(change, "perhaps", why, repr(sorted(besides.items())))
        return _Step(change, "maybe", why)

    def _tag(self, tag: str, asked: Mapping[str, Any], change: Change) -> _Step | None:
        live = self.live or {}
        if tag in asked:
            same = asked[tag] == live.get(tag)
            why = f"set tag {clean(tag, 80)} to {'the value that is live' if same else 'another value'}"
            return _Step(change, "live" if same else "other", why)
        # A tagging call names the tags it sets, not all there are; one that names all may have taken the rest away.
        return _Step(change, "maybe", f"set all tags as they are, without {clean(tag, 80)}") if asked == live else None


_TAKING = ("Untag", "DeleteTags", "RemoveTags")
"""How the names of the calls begin that take tags away."""


def _name(change: Change) -> str:
    return change.action.partition(":")[2]


class _Made:
    """What calls did to a resource or part that came or went: acts on itself, or on the parent as a whole."""

    def __init__(self, drift: Drift, spec: Spec | None, changes: Iterable[Change]) -> None:
        self.drift = drift
        self.spec = spec
        self.subject = drift.part or drift.key
        events = spec.events if spec is not None else ()
        creating = {event.name for event in events if event.act == "create"}
        # PutRolePolicy creates and updates alike; what has a call of its own for creating is not made by another.
        self.upserts = {event.name for event in events if not creating or event.name in creating}
        # An edit deletes by an id and creates by content: whatever is done to that id later is done to this part.
        self.handles = {
            name
            for change in changes
            if drift.live is not None
            and any(t.act == "create" and _about(t, self.subject, change) for t in change.touches)
            for touch in change.touches
            if touch.act == "delete"
            for name in touch.ids
        }

    def by(self, change: Change) -> Iterator[_Step]:
        """What the touches of one call did, in their order."""
        subject = self.subject
        wanted = "delete" if self.drift.live is None else "create"
        handled = True
        for touch in change.touches:
            if _about(touch, subject, change):
                handled = False
                yield self._itself(touch, change, wanted)
            elif touch.type == subject.type and touch.act == wanted and _of_the_same(touch, self.drift, change):
                why = f"{wanted}d a part of the same resource, by an id the live reading does not show"
                yield _Step(change, "one", why)
            elif _of_its_parent(touch, change, self.drift, self.spec):
                if touch.act == wanted:
                    yield _Step(change, "maybe", f"{wanted}d the resource it belongs to")
                elif touch.act == "delete":
                    yield _Step(change, "other", "")
        if handled and any(
            touch.act == "delete" and not self.handles.isdisjoint(touch.ids) for touch in change.touches
        ):
            yield _Step(change, "other", "")

    def _itself(self, touch: Touch, change: Change, wanted: str) -> _Step:
        if touch.act == wanted:
            return _Step(change, "made", f"{wanted}d it")
        if touch.act != "update" or wanted == "delete":
            return _Step(change, "other", "")
        if _name(change) not in self.upserts:
            return _Step(change, "vague", "changed it, which does not make it")
        return _Step(change, "live" if _as_it_is(touch, self.drift.live, self.spec) else "maybe", "wrote it")


def _of_its_parent(touch: Touch, change: Change, drift: Drift, spec: Spec | None) -> bool:
    if drift.part is not None:
        return touch.type == drift.key.type and drift.key in change.targets
    # What is declared by itself goes with its parent, and comes without it.
    parent = spec.parent.type if spec is not None and spec.parent is not None else ""
    return touch.type == parent and touch.act == "delete" and drift.key in change.targets


def _as_it_is(touch: Touch, live: Any, spec: Spec | None) -> bool:
    """Whether a call that writes a whole resource shows its content, all of it as it is now."""
    known = live if isinstance(live, Mapping) else {}
    kinds = {one.name: one.kind for one in spec.attributes} if spec is not None else {}
    return bool(touch.sets) and all(
        name in known and name in kinds and canonical(asked, kinds[name]) == canonical(known[name], kinds[name])
        for name, asked in touch.sets.items()
    )


def _of_the_same(touch: Touch, drift: Drift, change: Change) -> bool:
    """Whether the call acts on a part of this parent that no identity could be found for (`sg-1|||||sgr-2`)."""
    return drift.part is not None and any(
        target.type == touch.type and target.id in touch.ids and target.id.startswith(f"{drift.key.id}||")
        for target in change.targets
    )
