"""What the line is given: what was read, with what earlier scans, ticket systems and people know of it.

Hides where each part comes from. What others know is asked for first (`grounds`), which may take long; then the store's
lock `line` is taken and what the store knows is read (`collected`), so that no two scans plan on the same knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent import ticketing
from agent.collect import ticket_patterns
from agent.commits import with_commits
from agent.conduct import breakglass, observed
from agent.config import Config
from agent.evidence import Asked, Evidence, gather_evidence, history_of
from agent.gather import Gathered
from agent.gather.means import Means
from agent.gather.recognised import recognised
from agent.heard import Heard
from agent.model import FindingId, Tolerated, Trail
from agent.people import known
from agent.plan import Known
from agent.scan import Collected, Permissive, Reading
from agent.store import Store
from agent.store.findings import Known as SeenBefore
from agent.tolerated import read_tolerated
from agent.tolerated.digests import digests_of
from agent.tolerated.proposal import critical_of, own_names
from agent.trail.claims import claims_of


@dataclass(frozen=True, slots=True)
class Grounds:
    """What verdicts rest on, asked for before the lock is taken: ticket systems may take minutes to answer."""

    evidence: Evidence
    tolerated: Tolerated


def grounds(config: Config, means: Means, got: Gathered, store: Store) -> Grounds:
    """Asks everybody who knows about the trail's changes. Raises RuleError and StoreError."""
    open_ones = store.findings.open()
    asked = Asked(config, means.systems, means.people, means.sessions, means.key)
    trail = known(_trail(config, got, store, open_ones), means.people)
    evidence = gather_evidence(asked, store, trail, open_ones, got.accounts)
    return Grounds(evidence, read_tolerated(config, means.people, got.began, means.key))


def collected(
    config: Config,
    means: Means,
    got: Gathered,
    store: Store,
    rests: Grounds,
    heard: Heard,
    open_ones: Mapping[FindingId, SeenBefore],
) -> Collected:
    """What was gathered and what is known of it now. `config` has the authority in force. Raises StoreError."""
    may = rests.tolerated
    problems = (*may.problems, *rests.evidence.problems, *heard.refused)
    history = history_of(one.finding for one in open_ones.values())
    found = Collected(
        declared=got.declared,
        live=got.live,
        trail=_trail(config, got, store, open_ones),
        read=got.read,
        accepted={k: Reading(r.attributes, r.accepted_at) for k, r in store.readings.accepted().items()},
        known=_known(store, open_ones),
        authority=replace(rests.evidence.authority, history=history),
        rules=means.rules,
        specs=means.specs,
        complete=config.estate.complete,
        states=store.states.last(),
        earlier=tuple(one.finding for one in open_ones.values() if one.finding.cause),
        breakglass=replace(breakglass(config, store), unheard=heard.unread),
        permissive=Permissive(
            replace(may, problems=problems),
            digests_of(means.key, means.specs, {}),
            critical_of(means.rules, means.specs, own_names(config)),
        ),
        observed=observed(config),
    )
    return recognised(found, means.key)


def _trail(config: Config, got: Gathered, store: Store, open_ones: Mapping[FindingId, SeenBefore]) -> Trail:
    """With what was remembered, and what commits say of the runs that applied them."""
    remembered = _with_remembered(got.trail, open_ones)
    patterns = ticket_patterns(config)
    return with_commits(
        remembered,
        (*store.states.history(remembered.start), *got.declared.states),
        got.declared.resources,
        ticketing.pipelines(config),
        lambda tags: claims_of({"tags": tags}, "", patterns),
    )


def _with_remembered(trail: Trail, open_ones: Mapping[FindingId, SeenBefore]) -> Trail:
    """The trail with the calls behind findings that still differ: drift outlives the window its calls were read in."""
    changes = {change.event_ids: change for change in trail.changes}
    for one in open_ones.values():
        for item in one.finding.changes if one.finding.differences else ():
            if item.change.time < trail.start:
                changes.setdefault(item.change.event_ids, item.change)
    return replace(trail, changes=tuple(sorted(changes.values(), key=lambda one: (one.time, one.event_ids))))


def _known(store: Store, seen: Mapping[FindingId, SeenBefore]) -> Known:
    return Known(
        cases=tuple(record.case for record in store.cases.listed()),
        first_seen={finding: one.first_seen for finding, one in seen.items()},
        keys={finding: one.finding.key for finding, one in seen.items()},
        findings={finding: one.finding for finding, one in seen.items()},
    )
