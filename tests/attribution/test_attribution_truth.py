"""Whether the right call is named: an estate of every type, changed by many, in a trail full of something else."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pytest
from attribution_decoys import Cause, Told, told
from attribution_estate import CLEAN, END, SEAL, SPECS, START, Estate, Injected, estate, says
from trail_records import packed, source

from agent.attribute import attribute
from agent.authorise import SURE
from agent.compare import compare
from agent.explain import THRESHOLD
from agent.model import Change, Drift, Resource, Trail
from agent.named import load
from agent.trail.read import read

SEED = 20260302


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def changed(
    moto_server: str, reset_moto: Callable[[], None], on_moto: Callable[[], AbstractContextManager[None]]
) -> Iterator[Estate]:
    """One estate for the whole module: only what is told of it differs."""
    reset_moto()
    with on_moto():
        yield estate(moto_server)
    reset_moto()


@dataclass(frozen=True)
class Answer:
    """What the attribute stage says of one difference."""

    drift: Drift
    causes: tuple[Cause, ...]
    """Several where several calls made it together: then any of them is right."""
    named: Change | None
    """None: unknown."""
    shown: str
    """Score and reason of the best candidate."""

    @property
    def outcome(self) -> str:
        if self.named is None:
            return "unknown"
        return "right" if self.rightly else "wrong"

    @property
    def rightly(self) -> Cause | None:
        """The cause that is named."""
        named = self.named.event_ids if self.named else ()
        return next((cause for cause in self.causes if cause.record["eventID"] in named), None)

    @property
    def actor(self) -> str:
        """Whether the right call's caller is named rightly."""
        assert self.named is not None and self.rightly is not None
        found, by = self.named.actor, self.rightly.by
        if found.kind == "unknown" or found.confidence < SURE:
            return "unknown" if by.name else "right"
        return "right" if (found.name, found.kind) == (by.name, by.kind) else "wrong"


def differences(changed: Estate) -> list[tuple[Drift, list[Injected]]]:
    """Every difference between the sides, and the changes that left it."""
    drifts = compare(changed.declared, changed.live, {}, SPECS, complete=True).drifts
    owned = [(drift, [change for change in changed.changes if change.left(drift)]) for drift in drifts]
    assert [str(drift) for drift, owners in owned if not owners] == []
    return owned


def trail_of(given: Told) -> Trail:
    """What is delivered, in files of 400."""
    files = [packed(*given.records[first : first + 400]) for first in range(0, len(given.records), 400)]
    return read([source(*files)], START, END, specs=SPECS, seal_key=SEAL)


def answers(changed: Estate, given: Told) -> list[Answer]:
    """The attribute stage's answer for each difference by itself."""
    trail = trail_of(given)
    pairs = differences(changed)
    resources: tuple[Resource, ...] = (*changed.declared.resources, *changed.live.resources)
    since = {resource.key: CLEAN for resource in changed.declared.resources}
    stories = attribute([drift for drift, _ in pairs], trail, resources, since, SPECS).findings
    about = {story.key: tuple(judged.change for judged in story.changes) for story in stories}
    causes = {id(change): cause for change, cause in zip(changed.changes, given.causes, strict=True)}
    found = []
    for drift, owners in pairs:
        # A finding ranks what explains any of its differences; here each is asked for alone.
        alone = replace(trail, changes=about.get(drift.key, ()))
        stories = attribute([drift], alone, resources, since, SPECS).findings
        ranked = next(story.candidates for story in stories if story.key == drift.key)
        best = ranked[0] if ranked else None
        named = best.change if best and best.score >= THRESHOLD else None
        shown = f"{best.score} {best.why}" if best else ""
        found.append(Answer(drift, tuple(causes[id(change)] for change in owners), named, shown))
    return found


def table(given: list[Answer]) -> str:
    """By type how many are right, unknown and wrong; then each that is not right."""
    by_type: Mapping[str, Counter[str]] = defaultdict(Counter)
    for answer in given:
        by_type[(answer.drift.part or answer.drift.key).type][answer.outcome] += 1
    lines = [f"{name:50} {dict(counts)}" for name, counts in sorted(by_type.items())]
    for answer in given:
        if answer.outcome != "right":
            named, drift = answer.named, answer.drift
            said = f"{named.action} at {named.time}" if named else "nobody"
            truth = ", ".join(f"{one.record['eventName']} at {one.record['eventTime']}" for one in answer.causes)
            lines.append(
                f"{answer.outcome}: {drift.part or drift.key} {drift.attribute}: {truth}; named {said}: {answer.shown}"
            )
    return "\n".join(lines)


def test_the_estate_is_what_it_is_said_to_be(changed: Estate) -> None:
    pairs = differences(changed)
    left: Mapping[int, set[str]] = defaultdict(set)
    for drift, owners in pairs:
        for change in owners:
            left[id(change)].add(says(drift))
    assert [change for change in changed.changes if left[id(change)] != set(change.leaves)] == []
    assert len(changed.changes) >= 200
    compared = {name for name, spec in SPECS.items() if not spec.same_as}
    assert {(drift.part or drift.key).type for drift, _ in pairs} == compared
    declared = {one.address.split(".")[0] for one in changed.declared.resources}
    assert declared == set(SPECS)
    assert {change.by.key for change in changed.changes} == {member.key for member in changed.members}


def score(changed: Estate, seed: int) -> None:
    given = told(changed, seed)
    assert given.decoys >= 2000
    found = answers(changed, given)
    outcomes = Counter(answer.outcome for answer in found)
    assert outcomes["right"] >= 0.97 * len(found), table(found)
    assert outcomes["wrong"] <= 0.01 * len(found), table(found)
    named = [answer for answer in found if answer.outcome == "right"]
    actors = Counter(answer.actor for answer in named)
    told_wrong = {(answer.rightly.by.key, answer.named.actor) for answer in named if answer.actor == "wrong"}
    assert actors["right"] >= 0.99 * len(named), actors
    assert actors["wrong"] <= 0.01 * len(named), told_wrong
    assert {answer.rightly.by.key for answer in named} == {member.key for member in changed.members}


def test_types_without_a_specification_are_known_too() -> None:
    assert len({*load(), *SPECS}) >= 100


def test_the_right_call_is_named(changed: Estate) -> None:
    score(changed, SEED)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(1, 21))
def test_the_right_call_is_named_whatever_else_happens(changed: Estate, seed: int) -> None:
    score(changed, seed)


def test_nobody_is_named_where_the_call_never_arrived(changed: Estate) -> None:
    """What else was done to the same resources by others is no reason to name them."""
    found = answers(changed, told(changed, SEED, lost=True))
    named = [answer for answer in found if answer.named is not None]
    # A call that does not show its value may have set it, and so the last one to do so is named.
    unsure = [answer for answer in named if "does not show" in answer.shown]
    assert len(named) - len(unsure) <= 0.01 * len(found), table(found)
    assert len(unsure) <= 0.03 * len(found), table(found)
