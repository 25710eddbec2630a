"""What a report says, read from a scan's document: nothing is decided here, only put in the order a reviewer needs.

Hides the document's shape from every rendering, so that HTML, Markdown and the terminal cannot tell different stories.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.judge import Rule
from agent.model import SEVERITIES
from agent.report.coverage import Coverage, coverage
from agent.report.listed import Merged, StateLine, Unlisted, merged, states, unlisted
from agent.report.values import Shown, detail, difference, moment
from agent.rules import Control

SCHEMA = "driftwarden/scan/1"

AUTHORISED = ("authorised", "authorised-emergency")


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
class Tested:
    """One test of a verdict."""

    name: str
    result: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict."""

    outcome: str
    path: str
    ticket: str
    late: bool
    tests: tuple[Tested, ...]

    @property
    def passed(self) -> int:
        """How many of the tests passed."""
        return sum(test.result == "pass" for test in self.tests)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the tests that failed."""
        return tuple(test.name for test in self.tests if test.result == "fail")


@dataclass(frozen=True, slots=True)
class Call:
    """One change the trail showed."""

    time: str
    action: str
    channel: str
    source_ip: str
    actor: str
    actor_kind: str
    how: str
    sure: int
    """Percent."""
    events: tuple[str, ...]
    targets: tuple[str, ...]
    why: str
    """Why it is thought to explain the drift; empty where it was not asked, or does not."""
    verdict: Judged


@dataclass(frozen=True, slots=True)
class Difference:
    """One drift: what is declared, what is."""

    headline: str
    """added, removed, changed, missing, not declared, in no configured stack."""
    attribute: str
    part: str
    declared: Shown
    live: Shown
    detail: tuple[str, ...]
    source: str
    unset: bool
    """Whether the code leaves the attribute to AWS."""
    absorbed: bool
    """Whether an apply wrote the hand change into state."""


@dataclass(frozen=True, slots=True)
class Story:
    """One finding."""

    id: str
    name: str
    """Address; for a resource nobody declares, its type and id."""
    type: str
    key: str
    """Natural id."""
    account: str
    region: str
    stack: str
    case: str
    severity: str
    """Empty where no rule is broken."""
    differences: tuple[Difference, ...]
    """What live and declared disagree about."""
    merged: tuple[Merged, ...]
    """What of it the code says and no apply has done yet."""
    calls: tuple[Call, ...]
    unexplained: str
    notes: tuple[str, ...]
    """What else is known of it."""
    verdict: Judged
    rules: tuple[Rule, ...]
    unnamed: tuple[str, ...]
    """Broken rules that the ruleset at hand no longer has."""
    because: Mapping[str, str]
    """Broken rule → which facts break it, or could not be decided."""
    controls: tuple[str, ...]

    @property
    def actors(self) -> tuple[str, ...]:
        """Whoever made the changes that somebody must answer for, each once; without any, whoever made the others."""
        settled = (*AUTHORISED, "service-made")
        open_ones = [call for call in self.calls if call.verdict.outcome not in settled]
        return tuple(dict.fromkeys(call.actor for call in open_ones or self.calls))


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
    """Worst first."""
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

    @property
    def stories(self) -> tuple[Story, ...]:
        """Every finding that needs a decision, worst first."""
        found = (*(story for case in self.cases for story in case.stories), *self.loose)
        return tuple(sorted(found, key=lambda story: (-_rank(story.severity), story.name, story.id)))

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
    except (KeyError, TypeError, AttributeError) as error:
        raise ReportError(f"not a whole scan document: {error}") from error


def _report(document: Mapping[str, Any], rules: Mapping[str, Rule], controls: Mapping[str, Control]) -> Report:
    run = document["run"]
    waiting = merged(document)
    stories = {item["id"]: _story(item, rules, waiting) for item in document["findings"]}
    broken = [story for story in stories.values() if story.severity]
    quiet = [story for story in stories.values() if not story.severity]
    calls = [_call(item) for item in document["changes"]]
    cases = [_answer(item, stories) for item in document["cases"]]
    in_case = {story.id for case in cases for story in case.stories}
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
        tuple(sorted(cases, key=lambda case: (-_rank(case.severity), case.key))),
        tuple(sorted((s for s in broken if s.id not in in_case), key=lambda s: (-_rank(s.severity), s.name, s.id))),
        tuple(call for call in calls if call.verdict.outcome in AUTHORISED),
        tuple(story for story in quiet if story.verdict.outcome in AUTHORISED),
        tuple(story for story in quiet if story.verdict.outcome not in (*AUTHORISED, "unapplied")),
        tuple(story for story in quiet if story.verdict.outcome == "unapplied"),
        waiting,
        unlisted(document),
        states(document),
        sum(call.verdict.outcome == "service-made" for call in calls),
        _evidence(controls, rules, broken),
        tuple((rule, _breaking(broken, {rule.id})) for rule in rules.values()),
    )


def _rank(severity: str) -> int:
    return [str(one) for one in SEVERITIES].index(severity) if severity else -1


def _story(item: Mapping[str, Any], rules: Mapping[str, Rule], waiting: Iterable[Merged]) -> Story:
    why = {tuple(candidate["event_ids"]): candidate["why"] for candidate in item["candidates"]}
    return Story(
        item["id"],
        item["address"] or f"{item['type']} {item['id_live']}",
        item["type"],
        item["id_live"],
        item["account"],
        item["region"],
        item["stack"],
        item["case"] or "",
        item["severity"] or "",
        tuple(_difference(drift) for drift in item["drifts"] if drift["kind"] != "unapplied"),
        tuple(one for one in waiting if one.finding == item["id"]),
        tuple(_call(call, why.get(tuple(call["event_ids"]), "")) for call in item["changes"]),
        item["unexplained"] or "",
        tuple(item.get("notes", ())),
        _judged(item["verdict"]),
        tuple(rules[name] for name in item["rules"] if name in rules),
        tuple(name for name in item["rules"] if name not in rules),
        {one["rule"]: one["why"] + " (undecided)" * one["indeterminate"] for one in item["violations"]},
        tuple(item["controls"]),
    )


def _difference(item: Mapping[str, Any]) -> Difference:
    headline, declared, live = difference(item)
    return Difference(
        headline,
        item["attribute"],
        item["part"] or "",
        declared,
        live,
        detail(item["detail"]),
        item["source"] or "",
        item["basis"] == "unset" and item["kind"] != "unmanaged",
        item.get("note") == "absorbed",
    )


def _call(item: Mapping[str, Any], why: str = "") -> Call:
    actor = item["actor"]
    return Call(
        moment(item["time"]),
        item["action"],
        item["channel"],
        item["source_ip"],
        actor["name"],
        actor["kind"],
        actor["how"],
        round(100 * actor["confidence"]),
        tuple(item["event_ids"]),
        tuple(target["address"] or f"{target['type']} {target['id']}" for target in item.get("targets", ())),
        why,
        _judged(item["verdict"]),
    )


def _judged(item: Mapping[str, Any]) -> Judged:
    tests = tuple(Tested(test["name"], test["result"], test["evidence"]) for test in item["tests"])
    return Judged(item["outcome"], item["path"], item["ticket"] or "", item["late"], tests)


def _answer(item: Mapping[str, Any], stories: Mapping[str, Story]) -> Answer:
    seen = [stories[name] for name in item["findings"] if name in stories]
    return Answer(
        item["key"],
        item["title"],
        item["state"],
        item["severity"],
        item["ticket"] or "",
        tuple(sorted(seen, key=lambda story: (-_rank(story.severity), story.name, story.id))),
        tuple(name for name in item["findings"] if name not in stories),
    )


def _evidence(
    controls: Mapping[str, Control], rules: Mapping[str, Rule], broken: Sequence[Story]
) -> tuple[Evidence, ...]:
    naming = {name: tuple(rule.id for rule in rules.values() if name in rule.controls) for name in controls}
    return tuple(
        Evidence(control, naming[name], sum(name in story.controls for story in broken))
        for name, control in controls.items()
    )


def _breaking(broken: Sequence[Story], rules: set[str]) -> int:
    return sum(not rules.isdisjoint((*(rule.id for rule in story.rules), *story.unnamed)) for story in broken)
