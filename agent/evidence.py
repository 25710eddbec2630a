"""What verdicts rest on, gathered for one scan: tickets, merges, approved plans, freezes, pre-approved changes, risk.

Hides who is asked for what, and in which order: what a merge names must be known before tickets are looked up.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from agent import freeze, standing, ticketing
from agent.authorise import PATHS, trusted
from agent.collect import Sessions, state_session
from agent.config import Config, PolicyConfig, duration, reading
from agent.declared.approved_plan import find_plans
from agent.model import (
    Authority,
    Change,
    Directory,
    Environments,
    Finding,
    FindingId,
    Merge,
    Outcome,
    Policy,
    Ticket,
    Tickets,
    Trail,
)
from agent.risk import failures
from agent.risk_file import load_weights
from agent.store import Store
from agent.store.findings import Known
from agent.tickets import Forge
from agent.tolerated import approvals_of

REMEMBERED = timedelta(days=90)
"""How far back changes count that ended in a case: a quarter, as most control periods."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who answers, and by which rules."""

    config: Config
    """Its `[authority]` as it is in force."""
    systems: ticketing.Systems
    people: Directory
    sessions: Sessions
    key: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What verdicts rest on."""

    authority: Authority
    problems: tuple[str, ...]
    """What is wrong with entries of pre-approved changes."""


def gather_evidence(
    asked: Asked, store: Store, trail: Trail, open_ones: Mapping[FindingId, Known], accounts: Iterable[str]
) -> Evidence:
    """Everything the verdicts on a trail's changes rest on. `accounts` are those that are read.

    Asks ticket systems, forges and calendars; never raises for their silence. Raises RuleError for the weights of risk.
    """
    config, policy = asked.config, asked.config.authority
    start = min([trail.start, *(change.time for change in trail.changes)])
    merges, silent = _merges(asked, trail.changes)
    refs = {claim.text for change in trail.changes for claim in change.claims}
    refs |= {ref for merge in merges for ref in merge.references}
    tickets = ticketing.look_up(asked.systems, refs, start, trail.end)
    approved = _standing(asked, store, trail.end)
    found = _with_plans((*tickets.found, *approved.tickets), asked)
    recent = store.findings.listed(trail.end - REMEMBERED) if policy.risk else ()
    merges = _naming(merges, {one.ref for one in found}, bool(tickets.unanswered))
    authority = Authority(
        tickets=Tickets(found, (*tickets.unanswered, *approved.unread), merges, silent),
        pipelines=ticketing.pipelines(config),
        directory=asked.people,
        people=policy.people,
        paths={**PATHS, **{str(path): tests for path, tests in policy.paths.items()}},
        policies=tuple(map(_policy, policy.policy)),
        approved_states=frozenset(state.lower() for state in policy.approved_states),
        done_states=frozenset(state.lower() for state in policy.done_states),
        tolerance=_seconds(policy.tolerance),
        approvals=policy.approvals,
        grace=_seconds(policy.grace),
        calendar=freeze.read_calendars(config, lambda: state_session(asked.sessions), start, trail.end),
        permitted=policy.permitted,
        environments=_environments(asked, accounts),
        weights=load_weights([reading(config.path(folder)) for folder in config.rules.dirs]) if policy.risk else None,
        failures=failures(one.finding for one in recent),
        history=history_of(one.finding for one in open_ones.values()),
    )
    return Evidence(authority, approved.problems)


def _standing(asked: Asked, store: Store, now: datetime) -> standing.Standing:
    config = asked.config
    if not config.authority.standing:
        return standing.Standing()
    folder = config.path(config.authority.standing)
    return standing.read(folder, approvals_of(config, asked.people), now, _seen(config, store))


def _seen(config: Config, store: Store) -> Callable[[Path], datetime | None]:
    """Since when a file is known to the store as it is now. What the first scan found may be of any age."""
    begun = store.policy.begun()
    known = {os.path.realpath(config.path(name)): found for name, found in store.policy.seen().items()}

    def since(file: Path) -> datetime | None:
        if begun is None:
            return standing.ALWAYS
        digest, at = known.get(os.path.realpath(file), ("", begun))
        if digest != _sha256(file):
            return None
        return standing.ALWAYS if at == begun else at

    return since


def _sha256(file: Path) -> str | None:
    try:
        with reading(file).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _policy(one: PolicyConfig) -> Policy:
    paths = {str(path): tests for path, tests in one.paths.items()}
    return Policy(one.environments, one.types, tuple(map(str, one.risks)), paths, one.approvals)


def _merges(asked: Asked, changes: Iterable[Change]) -> tuple[tuple[Merge, ...], tuple[str, ...]]:
    """What forges know of the commits that trusted pipelines applied."""
    forges = [system for system in asked.systems.every if isinstance(system, Forge)]
    pipelines = ticketing.pipelines(asked.config)
    runs = [change.actor.run for change in changes if change.actor.run and trusted(change, pipelines)]
    commits = sorted({(run.repository, run.commit) for run in runs if run.commit})
    answers = [forge.merges(commits) for forge in forges] if commits else []
    found = {(one.system, one.repository, one.commit): one for merges, _ in answers for one in merges}
    return tuple(found.values()), tuple(why for _, reasons in answers for why in reasons)


def _naming(merges: tuple[Merge, ...], known: Set[str], silent: bool) -> tuple[Merge, ...]:
    """The merges with the tickets their texts name: what only looks like one is none, once every system answered."""
    if silent:
        return merges
    return tuple(replace(one, references=tuple(ref for ref in one.references if ref in known)) for one in merges)


def _with_plans(tickets: tuple[Ticket, ...], asked: Asked) -> tuple[Ticket, ...]:
    """The tickets with what their approved plans change, where they hold only the fingerprint."""
    folder = asked.config.authority.plans
    named = {one.plan.fingerprint for one in tickets if one.plan is not None and one.plan.changes is None}
    if not named or not folder:
        return tickets
    plans = find_plans(named, asked.config.path(folder), asked.key)
    return tuple(
        replace(one, plan=plans[one.plan.fingerprint]) if one.plan is not None and one.plan.changes is None else one
        for one in tickets
    )


def _environments(asked: Asked, accounts: Iterable[str]) -> Environments:
    config, policy = asked.config, asked.config.authority
    named = {one.id: one.environment for one in config.account if one.id and one.environment}
    only = set(accounts)
    if len(config.account) == 1 and config.account[0].environment:
        named |= dict.fromkeys(only, config.account[0].environment)
    return Environments(
        {stack.name: stack.environment for stack in config.stack if stack.environment},
        named,
        policy.environment_tag,
        tuple(policy.production),
    )


def history_of(findings: Iterable[Finding]) -> dict[str, Outcome]:
    """Id of an event → what the last scan said. Evidence found late stays late: the outcome before it counts."""
    return {
        event: "unauthorised" if item.verdict.late and item.verdict.outcome == "authorised" else item.verdict.outcome
        for finding in findings
        for item in finding.changes
        for event in item.change.event_ids
    }


def _seconds(text: str) -> int:
    return int(duration(text).total_seconds())
