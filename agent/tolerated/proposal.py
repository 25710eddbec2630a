"""A baseline proposed from what the last scans found: what differs today, without what no baseline may hold.

Hides which findings may be adopted, and how a stack's differences become files of bounded size.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.config import Config
from agent.exempt import EXEMPTIBLE
from agent.judge import Rule, judge
from agent.model import Drift, Finding, JudgedChange, Outcome, Verdict
from agent.plan import CRITICAL_TYPES
from agent.resources import Spec
from agent.tolerated import baseline

_AS_IF: Outcome = "unauthorised"
_COMMENT = (
    "What differed in {stack} on {day}, proposed as its baseline: tolerated until the end below, and never called\n"
    "authorised. Strike out what should be answered for; then the approver signs: driftwarden baseline approve FILE"
)


@dataclass(frozen=True, slots=True)
class Proposed:
    """One file to be written."""

    name: str
    """Without its ending."""
    text: str
    entries: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """The files of a proposed baseline, and what is not in them."""

    files: tuple[Proposed, ...]
    critical: tuple[Finding, ...]
    """What no baseline may hold: it must be answered for."""
    unwritable: tuple[Finding, ...]
    """What has a name that no file can hold."""


def propose(
    findings: Iterable[Finding],
    stack: str | None,
    head: Mapping[str, str],
    now: datetime,
    digest: Callable[[Drift], str],
    critical: Callable[[Finding], bool],
) -> Proposal:
    """The baseline of one stack, or with None of all: a file for each, more for a large one.

    `head` are the fields `owner`, `approver`, `until` and `install`, and `reason` where one is given. Only what nobody
    had authority for is adopted; what a baseline or an exception covers already is not adopted twice.
    """
    by_stack: dict[str, list[tuple[Drift, str, str]]] = defaultdict(list)
    left: dict[str, Finding] = {}
    unwritable: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda one: str(one.key)):
        drifts = [drift for drift in finding.to_explain if not finding.trail and not finding.cause]
        if finding.verdict.outcome not in EXEMPTIBLE or (stack is not None and finding.stack != stack) or not drifts:
            continue
        if critical(finding):
            left[finding.id] = finding
            continue
        for drift in drifts:
            if baseline.writable(drift):
                by_stack[finding.stack].append((drift, digest(drift), finding.address))
            else:
                unwritable[finding.id] = finding
    files = tuple(one for name, lines in sorted(by_stack.items()) for one in _files(name, lines, head, now))
    return Proposal(files, tuple(left.values()), tuple(unwritable.values()))


def _files(
    stack: str, lines: Sequence[tuple[Drift, str, str]], head: Mapping[str, str], now: datetime
) -> Iterable[Proposed]:
    name = f"{now:%Y-%m-%d}-{re.sub(r'[^A-Za-z0-9._-]+', '-', stack)[:80] or 'undeclared'}"
    comment = _COMMENT.format(stack=baseline.quoted(stack) if stack else "no configured stack", day=f"{now:%Y-%m-%d}")
    fields = {"stack": stack} if stack else {}
    fields |= {**head, "since": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    for start in range(0, len(lines), baseline.MOST):
        some = lines[start : start + baseline.MOST]
        yield Proposed(name, baseline.render(fields, some, comment), len(some))


def critical_of(rules: Iterable[Rule], specs: Mapping[str, Spec], own: Iterable[str] = ()) -> Callable[[Finding], bool]:
    """What says of a finding that it is critical: by its type, by a rule of that severity that it would break if
    nobody had authority for it, or because it is something of the agent's own.

    `own` are names of the agent's own resources (`own_names`). A rule that cannot be decided counts as broken.
    """
    grave = [rule for rule in rules if rule.severity == "critical"]
    mine = frozenset(own)

    def critical(finding: Finding) -> bool:
        keys = (finding.key, *(drift.part for drift in finding.drifts if drift.part is not None))
        if any(key.type.startswith(CRITICAL_TYPES) for key in keys):
            return True
        if any(name in mine for key in keys for name in (key.id, key.id.rsplit(":", 1)[-1], key.id.rsplit("/", 1)[-1])):
            return True
        return bool(judge([_unauthorised(finding)], grave, specs))

    return critical


def _unauthorised(finding: Finding) -> Finding:
    """The finding as if nobody had authority for any of it: what it is about does not depend on that."""
    changes = tuple(JudgedChange(item.change, Verdict(_AS_IF, item.verdict.tests)) for item in finding.changes)
    return Finding(
        finding.id,
        finding.key,
        finding.address,
        finding.stack,
        finding.owner,
        finding.drifts,
        finding.candidates,
        changes,
        Verdict(_AS_IF, finding.verdict.tests),
        finding.unexplained,
    )


def own_names(config: Config) -> frozenset[str]:
    """Names of what the agent itself works with: its roles, the queues and the buckets of its trail."""
    roles = (*(one.role_arn for one in config.account), config.identities.role_arn)
    names = {name for arn in roles if arn for name in (arn, arn.rsplit("/", 1)[-1])}
    for source in config.trail.sources:
        kind, _, rest = source.partition(":")
        if kind == "s3":
            names.add(rest.removeprefix("//").partition("/")[0])
        elif kind in ("s3-notifications", "eventbridge"):
            names |= {rest, rest.rsplit("/", 1)[-1]}
    return frozenset(names - {""})
