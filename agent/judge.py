"""The judge stage: which rules a finding breaks.

Hides how a condition is decided when a fact is not known: three-valued, and undecided is reported, never passed over;
and that findings which are alike are judged once.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import chain
from typing import Literal

from agent.clean import plural
from agent.expression import compiled
from agent.facts import FACTS, WIDE, Facts, Part, Seen, Words, described, parts, wide
from agent.model import (
    GLOBAL,
    Attempt,
    Burst,
    Finding,
    FindingId,
    GapCause,
    Key,
    Poisoned,
    Severity,
    Test,
    Trail,
    Unknown,
    Verdict,
    Violation,
)
from agent.resources import Spec
from agent.shapes import Shapes

Stage = Literal["observe", "enforce"]
"""What a rule that is broken brings about: it is told; or it is told, opens a case and counts for the exit code."""
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
    """Empty: any finding, where there is an expression."""
    unless: Condition = ()
    why: str = ""
    fix: str = ""
    controls: tuple[str, ...] = ()
    """`SOC2:CC8.1`: framework and control id, as in `rules/controls`."""
    false_positives: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    stage: Stage = "enforce"
    expression: str = ""
    """CEL; it must hold as `when` does. Empty: not asked."""
    runbook: str = ""
    """What to do in the first minutes, in steps; or where that is written."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one set of facts breaks a rule; `Unknown` where a fact that decides is not known."""

    broken: bool | Unknown
    because: str = ""


_KEPT = Decision(False)
_PATTERN = frozenset("*?[")
_REMEMBERED = 20_000
"""Shapes whose decisions are kept; names are attacker-written, and there may be any number."""


def judge(findings: Sequence[Finding], rules: Sequence[Rule], specs: Mapping[str, Spec]) -> tuple[Violation, ...]:
    """Every rule that every finding breaks, in the order of the findings; a rule at most once for each finding.

    A rule that cannot be decided gives a violation marked `indeterminate`. What is merged and not applied breaks none.
    """
    bench = Bench(rules, specs)
    return tuple([violation for finding in findings for violation in bench.violations(finding)])


@dataclass(frozen=True, slots=True)
class _Said:
    """What rules say of all parts of one shape."""

    decided: tuple[tuple[int, Decision], ...]
    """Rules that are broken or undecided, by their position."""
    doubtful: tuple[int, ...]
    """Rules that ask more than the shape, and may be broken."""
    facts: Seen
    """Of the part that was looked at; all but `WIDE` are every such part's."""


class Bench:
    """Rules made ready: what they say of one part of a finding they say of all that are alike."""

    def __init__(self, rules: Sequence[Rule], specs: Mapping[str, Spec]) -> None:
        self._rules, self._specs = rules, specs
        self._shapes = Shapes(specs)
        self._known: dict[Hashable, _Said] = {}
        # Of a rule that asks more than a shape: when it cannot be broken, by the shape alone.
        self._narrowed = {number: narrowed for number, rule in enumerate(rules) if (narrowed := _narrowed(rule))}

    def violations(self, finding: Finding) -> list[Violation]:
        """Every rule that the finding breaks, in the order of the rules."""
        if finding.verdict.outcome == "unapplied":
            return []
        found = [self._decided(part) for part in parts(finding, self._specs)]
        decided = found[0] if len(found) == 1 else sorted(chain.from_iterable(found), key=_worst_first)
        violations, last = [], -1
        for number, decision in decided:
            if number != last:
                last, rule = number, self._rules[number]
                violations.append(
                    Violation(
                        rule.id,
                        rule.severity,
                        rule.controls,
                        finding.id,
                        decision.because,
                        decision.broken is not True,
                        rule.stage == "observe",
                    )
                )
        return violations

    def _decided(self, part: Part) -> Sequence[tuple[int, Decision]]:
        shape = self._shapes.of(part)
        said = self._known.get(shape)
        if said is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            said = self._known[shape] = self._look(described(part, self._specs))
        if not said.doubtful:
            return said.decided
        facts = Seen({**said.facts.facts, **wide(part)}, said.facts.evidence, part.change, part.drifts)
        more = [
            (number, decision)
            for number in said.doubtful
            if (decision := decide(self._rules[number], facts)).broken is not False
        ]
        return sorted((*said.decided, *more), key=_position) if more else said.decided

    def _look(self, part: Seen) -> _Said:
        decided, more = [], []
        for number, rule in enumerate(self._rules):
            narrowed = self._narrowed.get(number)
            if narrowed is not None:
                if decide(narrowed, part).broken is not False:
                    more.append(number)
            elif (decision := decide(rule, part)).broken is not False:
                decided.append((number, decision))
        return _Said(tuple(decided), tuple(more), part)


def _narrowed(rule: Rule) -> Rule | None:
    """The rule without what a shape does not tell: where this one is kept, the rule is; None: it asks no such thing."""
    asked = {name for condition in (rule.when, rule.unless) for clauses in condition for name, _ in clauses}
    if not rule.expression and asked.isdisjoint(WIDE):
        return None
    when = tuple(tuple(clause for clause in clauses if clause[0] not in WIDE) for clauses in rule.when)
    unless = tuple(clauses for clauses in rule.unless if WIDE.isdisjoint(name for name, _ in clauses))
    # An alternative without clauses always holds, and so does a rule with nothing but an expression.
    return replace(rule, when=when or ((),), unless=unless, expression="")


def _worst_first(said: tuple[int, Decision]) -> tuple[int, bool]:
    """By rule; what is broken before what is undecided."""
    return said[0], said[1].broken is not True


def _position(said: tuple[int, Decision]) -> int:
    return said[0]


def decide(rule: Rule, part: Seen) -> Decision:
    """Whether these facts break the rule, and because of which of them."""
    when, because = _any(rule.when, part) if rule.when or not rule.expression else (True, "")
    if when is False:
        return _KEPT
    unless = _any(rule.unless, part)[0] if rule.unless else False
    if unless is True:
        return _KEPT
    said: bool | Unknown = True
    if rule.expression:
        said = compiled(rule.expression).holds(part)
        because = "; ".join(filter(None, (because, f"the expression holds: {rule.expression}")))
    if said is False:
        return _KEPT
    for answer in (when, said, unless):
        if isinstance(answer, Unknown):
            return Decision(answer, f"could not be decided: {answer.why}")
    return Decision(True, because)


def _any(condition: Condition, part: Seen) -> tuple[bool | Unknown, str]:
    doubt: Unknown | None = None
    for clauses in condition:
        answer = _all(clauses, part.facts)
        if answer is True:
            return True, "; ".join([_said(name, wanted, part) for name, wanted in clauses])
        if isinstance(answer, Unknown):
            doubt = doubt or answer
    return (doubt, "") if doubt is not None else (False, "")


def _all(clauses: Sequence[Clause], facts: Facts) -> bool | Unknown:
    doubt: Unknown | None = None
    for name, wanted in clauses:
        answer = _one(name, wanted, facts)
        if answer is False:
            return False
        if isinstance(answer, Unknown):
            doubt = doubt or answer
    return True if doubt is None else doubt


def _one(name: str, wanted: Words, facts: Facts) -> bool | Unknown:
    values = facts.get(name, Unknown(f"there is no fact {name!r}"))
    if isinstance(values, Unknown):
        # A rule may ask for what is not known: `public: [yes, unknown]`.
        return "unknown" in wanted or values
    exact, patterns = _patterns(wanted)
    # The exact spelling first: an address's `["key"]` is a character class to fnmatch.
    return not exact.isdisjoint(values) or any(fnmatchcase(value, one) for one in patterns for value in values)


@functools.lru_cache(maxsize=10_000)
def _patterns(wanted: Words) -> tuple[frozenset[str], Words]:
    """The words as they are spelled, and those of them that are patterns."""
    return frozenset(wanted), tuple(word for word in wanted if not _PATTERN.isdisjoint(word))


def _said(name: str, wanted: Words, part: Seen) -> str:
    values = part.facts[name]
    evidence = part.evidence.get(name, "")
    if isinstance(values, Unknown):
        return f"{name} is unknown ({values.why})"
    matched = ", ".join(value for value in values if any(value == one or fnmatchcase(value, one) for one in wanted))
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
    refused calls, and the scan lacks nothing. Of a queue that nothing ever came through the scan's gaps tell: nobody
    has to answer for it.
    """
    found: dict[FindingId, Finding] = {}
    poisoned = {one.scope: one for one in trail.poisoned}
    for gap in trail.gaps:
        if gap.cause == "unproven":
            continue
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
        if gap.cause == "poison" and scope in poisoned:
            found[finding] = _counted(found[finding], poisoned[scope])
    return (*found.values(), *_bursts(trail.attempts))


def _counted(finding: Finding, one: Poisoned) -> Finding:
    """It with how many messages there are at least, which changes seldom; how many; and what the last ones were."""
    least = next(n for n in _LEAST if n <= one.count)
    notes = (
        f"{plural(least, 'message')} or more",
        f"{plural(one.count, 'message')} in all, the last at {one.last:%F %T} UTC",
        *one.latest,
    )
    return replace(finding, least=least, notes=notes)


_LEAST = tuple(n * 10**power for power in range(9, -1, -1) for n in (5, 2, 1))
"""Largest first."""


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
