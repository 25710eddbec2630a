"""How much care a change asks for: a score from where it is made, what it is about, how much of it there is and how
often such changes went wrong, with the approvals that follow.

Hides the arithmetic. It never goes down when a change touches more: of several topics or acts the heaviest counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from agent.clean import clean
from agent.model import Finding, Outcome, Risk, Weights

FEW = 5
"""Changes of a type below which their share of failures says nothing: one of two would be half."""

_FAILED: tuple[Outcome, ...] = ("unauthorised", "regularised")
_SETTLED: tuple[Outcome, ...] = (*_FAILED, "authorised", "authorised-emergency")
"""Outcomes that stay. What AWS made is nobody's change, and what is tolerated was judged by somebody else."""
_STRICTEST = ("high", 0, 2, "")
"""Where a scheme has no level for a score, nothing is waved through."""


def assess(
    environment: str,
    topics: Collection[str],
    acts: Collection[str],
    size: int,
    failure_share: float,
    weights: Weights,
) -> Risk:
    """The risk of one change.

    `environment` is empty where it is not known; `topics` as `agent.topics` says, `acts` create, update, delete;
    `size` is how many resources the same session changed; `failure_share` (0 to 1) as `failures` gives it.
    """
    share = min(1.0, max(0.0, failure_share))
    name = f"environment {clean(environment, 60)}" if environment else "environment not known"
    counted = (
        (name, _environment(environment, weights.environments)),
        _heaviest(topics, weights.topics),
        _heaviest(acts, weights.acts),
        (f"{size} resources in the session", next((points for least, points in weights.sizes if size >= least), 0)),
        (f"{share:.0%} of such changes went wrong", int(weights.failures * share)),
    )
    score = sum(points for _, points in counted)
    level, _, approvals, group = next((one for one in weights.levels if score >= one[1]), _STRICTEST)
    # That the environment weighs nothing is said: it may be missing from the scheme, or from the configuration.
    reasons = tuple(f"{said} +{points}" for said, points in counted if points or said == name)
    return Risk(
        "low" if level == "low" else "medium" if level == "medium" else "high", score, reasons, approvals, group
    )


def failures(findings: Iterable[Finding]) -> Mapping[str, float]:
    """Resource type → share (0 to 1) of its changes that had no authority, or got it only afterwards.

    Of findings with judged changes, past and open; each change counts once for a type, by its events, and only where
    its verdict is settled. A type with fewer than `FEW` such changes has the share 0: so few say nothing.
    """
    failed: dict[tuple[str, tuple[str, ...]], bool] = {}
    for finding in findings:
        for item in finding.changes:
            if item.verdict.outcome in _SETTLED:
                one = (finding.key.type, item.change.event_ids)
                failed[one] = failed.get(one, False) or item.verdict.outcome in _FAILED
    all_, bad = Counter(type_ for type_, _ in failed), Counter(type_ for (type_, _), it in failed.items() if it)
    return {type_: bad[type_] / count if count >= FEW else 0.0 for type_, count in sorted(all_.items())}


def _environment(name: str, points: Mapping[str, int]) -> int:
    return max((worth for one, worth in points.items() if name and fnmatchcase(name.lower(), one.lower())), default=0)


def _heaviest(words: Collection[str], points: Mapping[str, int]) -> tuple[str, int]:
    """The words that weigh most, and how much that is."""
    most = max((points.get(word, 0) for word in words), default=0)
    return ", ".join(sorted(word for word in set(words) if points.get(word, 0) == most)), most
