"""The judge stage: which rules a finding breaks.

Hides how a condition is decided when a fact is not known: three-valued, and undecided is reported, never passed over.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from agent.facts import FACTS, Facts, Seen, Words, seen
from agent.model import (
    GLOBAL,
    Attempt,
    Burst,
    Finding,
    FindingId,
    GapCause,
    Key,
    Severity,
    Test,
    Trail,
    Unknown,
    Verdict,
    Violation,
)
from agent.resources import Spec

Clause = tuple[str, Words]
"""A fact and the values it may have, shell-style wildcards allowed: one of them must match."""
Condition = tuple[tuple[Clause, ...], ...]
"""Alternatives, one of which must hold; each holds when all of its clauses do. Empty: never."""


@dataclass(frozen=True, slots=True)
class Example:
    """A finding's facts and whether it breaks the rule. Facts not named are those of `facts.FACTS`."""

    name: str
    facts: Mapping[str, Words]
    violates: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What must not be, why, and what to do about it."""

    id: str
    title: str
    severity: Severity
    when: Condition
    unless: Condition = ()
    why: str = ""
    fix: str = ""
    controls: tuple[str, ...] = ()
    """`SOC2:CC8.1`: framework and control id, as in `rules/controls`."""
    false_positives: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one set of facts breaks a rule; `Unknown` where a fact that decides is not known."""

    broken: bool | Unknown
    because: str = ""


def judge(findings: Sequence[Finding], rules: Sequence[Rule], specs: Mapping[str, Spec]) -> tuple[Violation, ...]:
    """Every rule that every finding breaks, in the order of the findings; a rule at most once for each finding.

    A rule that cannot be decided gives a violation marked `indeterminate`. What is merged and not applied breaks none.
    """
    return tuple(
        violation
        for finding in findings
        if finding.verdict.outcome != "unapplied"
        for violation in _judged(finding, rules, specs)
    )


def _judged(finding: Finding, rules: Sequence[Rule], specs: Mapping[str, Spec]) -> Iterable[Violation]:
    parts = seen(finding, specs)
    for rule in rules:
        decisions = [decide(rule, part) for part in parts]
        broken = next((decision for decision in decisions if decision.broken is True), None)
        undecided = next((decision for decision in decisions if isinstance(decision.broken, Unknown)), None)
        decision = broken or undecided
        if decision is not None:
            yield Violation(rule.id, rule.severity, rule.controls, finding.id, decision.because, broken is None)


def decide(rule: Rule, part: Seen) -> Decision:
    """Whether these facts break the rule, and because of which of them."""
    when, because = _any(rule.when, part)
    unless, _ = _any(rule.unless, part)
    if when is False or unless is True:
        return Decision(False)
    for answer in (when, unless):
        if isinstance(answer, Unknown):
            return Decision(answer, f"could not be decided: {answer.why}")
    return Decision(True, because)


def _any(condition: Condition, part: Seen) -> tuple[bool | Unknown, str]:
    doubt: Unknown | None = None
    for clauses in condition:
        answer = _all(clauses, part.facts)
        if answer is True:
            return True, "; ".join(_said(name, wanted, part) for name, wanted in clauses)
        if isinstance(answer, Unknown):
            doubt = doubt or answer
    return (doubt, "") if doubt is not None else (False, "")


def _all(clauses: Sequence[Clause], facts: Facts) -> bool | Unknown:
    answers = [_one(name, wanted, facts) for name, wanted in clauses]
    if False in answers:
        return False
    return next((answer for answer in answers if isinstance(answer, Unknown)), True)


def _one(name: str, wanted: Words, facts: Facts) -> bool | Unknown:
    values = facts.get(name, Unknown(f"there is no fact {name!r}"))
    if isinstance(values, Unknown):
        # A rule may ask for what is not known: `public: [yes, unknown]`.
        return "unknown" in wanted or values
    return any(_matches(value, pattern) for value in values for pattern in wanted)


def _matches(value: str, pattern: str) -> bool:
    # The exact spelling first: an address's `["key"]` is a character class to fnmatch.
    return value == pattern or fnmatchcase(value, pattern)


def _said(name: str, wanted: Words, part: Seen) -> str:
    values = part.facts[name]
    evidence = part.evidence.get(name, "")
    if isinstance(values, Unknown):
        return f"{name} is unknown ({values.why})"
    matched = ", ".join(value for value in values if any(_matches(value, pattern) for pattern in wanted))
    return f"{name} is {matched}" + (f" ({evidence})" if evidence else "")


def example_facts(overrides: Mapping[str, Words]) -> Seen:
    """The facts of a rule's example: a person set a queue's delay in the console without a ticket, except as said."""
    facts: dict[str, Words | Unknown] = {name: overrides.get(name, fact.example) for name, fact in FACTS.items()}
    for name, values in facts.items():
        if values == ("unknown",) and FACTS[name].values[-1:] == ("unknown",):
            facts[name] = Unknown("the example says so")
    return Seen(facts)


# --- the trail -----------------------------------------------------------------------------------------------

WIDELY = 100
"""Refused calls of one day that are no slip any more, whatever was tried."""
WIDELY_SERVICES = 10
"""So many services have nothing in common but that somebody wants to know what a credential may do."""
_TOLD = 50  # bursts of one account told one by one: the names of sessions are free, and there may be any number
_UNRELIABLE = ("tampered", "narrowed", "skewed")


def trail_findings(trail: Trail) -> tuple[Finding, ...]:
    """What the trail tells of itself: each stretch that was not read, and each burst of refused calls.

    Of a gap the id depends on what was not read and why, so that the same gap stays one finding from scan to scan:
    nobody can say that nothing happened there. Of a burst it depends on actor, account and day; nothing was changed by
    refused calls, and the scan lacks nothing.
    """
    found: dict[FindingId, Finding] = {}
    for gap in trail.gaps:
        scope = gap.scope
        finding = _trail_id(f"{scope}|{gap.why}")
        why = f"the trail {'is not to be relied on' if gap.cause in _UNRELIABLE else 'was not read'}: {gap.why}"
        found[finding] = Finding(
            finding,
            Key(scope.account, scope.region, "aws_cloudtrail", scope.id),
            verdict=Verdict("indeterminate", (Test("actor", "unknown", why),)),
            unexplained=why,
            trail=gap.cause,
        )
    return (*found.values(), *_bursts(trail.attempts))


def _bursts(attempts: Iterable[Attempt]) -> Iterable[Finding]:
    told: Counter[str] = Counter()
    for attempt in attempts:
        for burst in attempt.bursts:
            told[attempt.account] += 1
            if told[attempt.account] <= _TOLD:
                yield _burst(attempt, burst)
    for account, count in sorted(told.items()):
        if count > _TOLD:
            more = f"{count - _TOLD} more bursts of refused calls, by others: whoever it is has many names"
            yield _refused(account, "others", f"refused|{account}|others", "refused-widely", more)


def _burst(attempt: Attempt, burst: Burst) -> Finding:
    """A burst: by root, very many calls or calls of many services weigh more."""
    actor = attempt.actor
    who = actor.arn or actor.name
    widely = actor.kind == "root" or burst.count >= WIDELY or burst.services >= WIDELY_SERVICES
    services = f"{burst.services} service{'' if burst.services == 1 else 's'}"
    why = (
        f"{burst.count} calls of {actor.name} to {services} were refused on {burst.day}, {burst.densest} of them "
        f"within ten minutes (first {burst.first:%T}, last {burst.last:%T} UTC); they changed nothing"
    )
    seen = tuple(
        f"{what}: {', '.join(words)}"
        for what, words in (("refused", attempt.actions), ("from", attempt.source_ips), ("as", attempt.errors))
        if words
    )
    cause: GapCause = "refused-widely" if widely else "refused"
    return replace(
        _refused(attempt.account, who, f"refused|{attempt.account}|{who}|{burst.day}", cause, why), notes=seen
    )


def _refused(account: str, who: str, name: str, cause: GapCause, why: str) -> Finding:
    key = Key(account, GLOBAL, "aws_cloudtrail", who)
    return Finding(_trail_id(name), key, verdict=Verdict("indeterminate"), unexplained=why, trail=cause)


def _trail_id(text: str) -> FindingId:
    return FindingId("F-" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest())
