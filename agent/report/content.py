"""What a report says, read from a scan's document: nothing is decided here, only put in the order a reviewer needs.

Hides the document's shape from every rendering, so that HTML, Markdown and the terminal cannot tell different stories.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from agent.judge import Rule
from agent.report.authority import NOTHING, Emergency, Standing, standing
from agent.report.coverage import Coverage, coverage
from agent.report.listed import Merged, StateLine, Unlisted, merged, states, unlisted
from agent.report.stories import Call, Story, call_of, rank, story_of
from agent.report.values import moment
from agent.report.verdicts import AUTHORISED
from agent.rules import Control

SCHEMA = "driftwarden/scan/1"


class ReportError(Exception):
    """The document is not one that a report can be made of."""


@dataclass(frozen=True, slots=True)
class Run:
    """Which scan this is, and by what it judged."""

    id: str
    started: str
    finished: str
    config_sha256: str
    ruleset_sha256: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A case: what a person must answer."""

    key: str
    title: str
    state: str
    severity: str
    ticket: str
    stories: tuple[Story, ...]
    earlier: tuple[str, ...]
    """Ids of its findings that this scan no longer saw."""
    grant: str = ""
    """Id of the emergency it is about; empty: not break-glass."""
    deadline: str = ""
    stage: str = ""
    elsewhere: tuple[Story, ...] = ()
    """Its findings that are told in full with another case."""
    decides: bool = True
    """Whether it stands among what needs a decision: a break-glass case does once it is a violation."""


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """An emergency with its case, and what it changed."""

    emergency: Emergency
    case: Answer | None
    stories: tuple[Story, ...]
    """Findings that are told in full here."""
    elsewhere: tuple[Story, ...]
    """Findings of it that are told in full among what needs a decision, or with another emergency."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A control, and what this scan has to say about it."""

    control: Control
    rules: tuple[str, ...]
    findings: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says, in the order it says it."""

    status: str
    run: Run
    coverage: Coverage
    cases: tuple[Answer, ...]
    """Worst first; those of emergencies too."""
    loose: tuple[Story, ...]
    """Findings that break a rule and are in no case yet."""
    authorised: tuple[Call, ...]
    to_codify: tuple[Story, ...]
    """Authorised, and still not what the code declares."""
    waiting: tuple[Story, ...]
    """Findings that break no rule: pending, service-made, excepted."""
    unapplied: tuple[Story, ...]
    """Findings of nothing but what is merged and not applied."""
    merged: tuple[Merged, ...]
    unlisted: tuple[Unlisted, ...]
    states: tuple[StateLine, ...]
    service_made: int
    controls: tuple[Evidence, ...]
    rules: tuple[tuple[Rule, int], ...]
    """Each rule and how many findings break it."""
    breakglass: tuple[BreakGlass, ...] = ()
    """Most urgent first."""
    observed: tuple[Story, ...] = ()
    """Findings that break nothing but observed rules."""
    standing: Standing = NOTHING
    """Tickets and what was done, what may differ, what became of the policy."""

    @property
    def decisions(self) -> tuple[Answer, ...]:
        """Cases among what needs a decision."""
        return tuple(case for case in self.cases if case.decides)

    @property
    def undone(self) -> tuple[BreakGlass, ...]:
        """Emergencies that somebody still has something to do about."""
        return tuple(one for one in self.breakglass if one.emergency.waits)

    @property
    def stories(self) -> tuple[Story, ...]:
        """Every finding that needs a decision, worst first."""
        found = (*(story for case in self.decisions for story in case.stories if story.severity), *self.loose)
        return _ordered(found)

    @property
    def every(self) -> tuple[Story, ...]:
        """Every finding of the scan, each once."""
        told = (*(s for case in self.cases for s in case.stories), *(s for one in self.breakglass for s in one.stories))
        others = (*self.loose, *self.observed, *self.to_codify, *self.waiting, *self.unapplied)
        return tuple({story.id: story for story in (*told, *others)}.values())

    @property
    def complete(self) -> bool:
        """Whether everything was read that should have been."""
        return not self.coverage.gaps and not self.coverage.trail.gaps


def read(document: Mapping[str, Any], rules: Sequence[Rule], controls: Mapping[str, Control]) -> Report:
    """The report of one scan document (`docs/scan.schema.json`), with the rules and controls that it names.

    Raises `ReportError` for a document of another kind.
    """
    if document.get("schema") != SCHEMA:
        raise ReportError(f"not a scan document: schema is {document.get('schema')!r}, expected {SCHEMA!r}")
    try:
        return _report(document, {rule.id: rule for rule in rules}, controls)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ReportError(f"not a whole scan document: {error}") from error


def _report(document: Mapping[str, Any], rules: Mapping[str, Rule], controls: Mapping[str, Control]) -> Report:
    run = document["run"]
    waiting = merged(document)
    stories = {item["id"]: story_of(item, rules, waiting) for item in document["findings"]}
    broken = [story for story in stories.values() if story.severity]
    also = standing(document)
    cases = _answers(document["cases"], stories, {one.case for one in also.emergencies})
    breakglass = _breakglass(also.emergencies, cases, stories.values())
    told = {story.id for case in cases for story in case.stories if case.decides}
    told |= {story.id for one in breakglass for story in one.stories}
    quiet = [story for story in stories.values() if not story.severity and story.id not in told]
    observed = _ordered(story for story in quiet if story.observed)
    quiet = [story for story in quiet if not story.observed]
    calls = [call_of(item) for item in document["changes"]]
    return Report(
        document["status"],
        Run(
            run["id"],
            moment(run["started_at"]),
            moment(run["finished_at"]),
            run["config_sha256"],
            run["ruleset_sha256"],
        ),
        coverage(document["coverage"]),
        cases,
        _ordered(story for story in broken if story.id not in told),
        tuple(call for call in calls if call.verdict.outcome in AUTHORISED),
        tuple(story for story in quiet if story.verdict.outcome in AUTHORISED),
        tuple(story for story in quiet if story.verdict.outcome not in (*AUTHORISED, "unapplied")),
        tuple(story for story in quiet if story.verdict.outcome == "unapplied"),
        waiting,
        unlisted(document),
        states(document),
        sum(call.verdict.outcome == "service-made" for call in calls),
        _evidence(controls, rules, broken),
        tuple((rule, _breaking(stories.values(), rule.id)) for rule in rules.values()),
        breakglass,
        observed,
        also,
    )


def _ordered(stories: Iterable[Story]) -> tuple[Story, ...]:
    """Worst first."""
    return tuple(sorted(stories, key=lambda story: (-rank(story.severity), story.name, story.id)))


def _answers(
    items: Iterable[Mapping[str, Any]], stories: Mapping[str, Story], emergencies: Set[str]
) -> tuple[Answer, ...]:
    """Cases, worst first; a finding of two is told in full with the one that is not break-glass, else the worse."""
    told: set[str] = set()
    made = []
    for item in sorted(items, key=lambda one: (bool(one.get("grant")), -rank(one["severity"]), one["key"])):
        seen = _ordered(stories[name] for name in item["findings"] if name in stories)
        grant = item.get("grant") or ""
        case = Answer(
            item["key"],
            item["title"],
            item["state"],
            item["severity"],
            item["ticket"] or "",
            tuple(story for story in seen if story.id not in told),
            tuple(name for name in item["findings"] if name not in stories),
            grant,
            moment(item.get("deadline") or ""),
            item.get("stage") or "",
            tuple(story for story in seen if story.id in told),
            not (grant and item["key"] in emergencies) or any(story.severity for story in seen),
        )
        told |= {story.id for story in seen}
        made.append(case)
    return tuple(sorted(made, key=lambda case: (-rank(case.severity), case.key)))


def _breakglass(
    emergencies: Iterable[Emergency], cases: Iterable[Answer], stories: Collection[Story]
) -> tuple[BreakGlass, ...]:
    """Each emergency with what it changed, which is told in full here unless it stands among what needs a decision."""
    by_key = {case.key: case for case in cases}
    told = {story.id for case in by_key.values() if case.decides for story in case.stories}
    told |= {story.id for story in stories if story.severity}
    made = []
    for one in emergencies:
        case = by_key.get(one.case)
        its = {story.id for story in (*case.stories, *case.elsewhere)} if case else set()
        found = _ordered(story for story in stories if one.id in story.grants or story.id in its)
        here = tuple(story for story in found if story.id not in told)
        made.append(BreakGlass(one, case, here, tuple(story for story in found if story.id in told)))
        told |= {story.id for story in here}
    return tuple(made)


def _evidence(
    controls: Mapping[str, Control], rules: Mapping[str, Rule], broken: Sequence[Story]
) -> tuple[Evidence, ...]:
    naming = {name: tuple(rule.id for rule in rules.values() if name in rule.controls) for name in controls}
    return tuple(
        Evidence(control, naming[name], sum(name in story.controls for story in broken))
        for name, control in controls.items()
    )


def _breaking(stories: Iterable[Story], rule: str) -> int:
    """How many findings break a rule, observed or not."""
    return sum(rule in story.because for story in stories)
