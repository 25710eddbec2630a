"""A finding as a report tells it: what differs, who did what, which rules it breaks, and the way back.

Hides that a document written by an earlier version tells neither observed rules nor a way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.judge import Rule
from agent.model import SEVERITIES
from agent.report.listed import Merged
from agent.report.values import Shown, detail, difference, moment
from agent.report.verdicts import AUTHORISED, Judged, judged


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
class Watched:
    """A broken rule that is only observed."""

    id: str
    title: str
    """Its id where the ruleset at hand no longer has it."""
    severity: str
    why: str
    known: bool
    """Whether the ruleset at hand has it."""


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
    """The worst of the enforced rules it breaks; empty where it breaks none."""
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
    observed: tuple[Watched, ...] = ()
    """Rules it breaks that are only observed: no case, no exit code."""
    way_back: tuple[str, ...] = ()
    """Lines: the code that would declare what is live, and the plan that would revert it."""

    @property
    def grants(self) -> frozenset[str]:
        """Ids of the emergencies that cover it, or a change of it."""
        verdicts = (self.verdict, *(call.verdict for call in self.calls))
        return frozenset(verdict.grant for verdict in verdicts if verdict.grant)

    @property
    def actors(self) -> tuple[str, ...]:
        """Whoever made the changes that somebody must answer for, each once; without any, whoever made the others."""
        settled = (*AUTHORISED, "service-made")
        open_ones = [call for call in self.calls if call.verdict.outcome not in settled]
        return tuple(dict.fromkeys(call.actor for call in open_ones or self.calls))


def rank(severity: str) -> int:
    """The worse the higher; -1 where there is none."""
    return [str(one) for one in SEVERITIES].index(severity) if severity else -1


def story_of(item: Mapping[str, Any], rules: Mapping[str, Rule], waiting: Iterable[Merged]) -> Story:
    """Of a finding in the document, with what of it is merged and not applied among `waiting`."""
    why = {tuple(candidate["event_ids"]): candidate["why"] for candidate in item["candidates"]}
    because = {one["rule"]: one["why"] + " (undecided)" * one["indeterminate"] for one in item["violations"]}
    watched = {one["rule"]: one["severity"] for one in item["violations"] if one.get("observed")}
    enforced = [one["severity"] for one in item["violations"] if not one.get("observed")]
    # No rule of an old document was only observed, and one of its time may count observed ones into the severity.
    severity = max(enforced, key=rank, default="") if watched else item["severity"] or ""
    broken = [name for name in item["rules"] if name not in watched]
    return Story(
        item["id"],
        item["address"] or f"{item['type']} {item['id_live']}",
        item["type"],
        item["id_live"],
        item["account"],
        item["region"],
        item["stack"],
        item["case"] or "",
        severity,
        tuple(_difference(drift) for drift in item["drifts"] if drift["kind"] != "unapplied"),
        tuple(one for one in waiting if one.finding == item["id"]),
        tuple(call_of(call, why.get(tuple(call["event_ids"]), "")) for call in item["changes"]),
        item["unexplained"] or "",
        tuple(item.get("notes", ())),
        judged(item["verdict"]),
        tuple(rules[name] for name in broken if name in rules),
        tuple(name for name in broken if name not in rules),
        because,
        tuple(item["controls"]),
        tuple(_watched(name, level, because[name], rules.get(name)) for name, level in watched.items()),
        tuple(item.get("way_back", ())),
    )


def _watched(name: str, severity: str, why: str, rule: Rule | None) -> Watched:
    return Watched(name, rule.title if rule else name, severity, why, rule is not None)


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


def call_of(item: Mapping[str, Any], why: str = "") -> Call:
    """Of a change in the document, and why it explains a difference."""
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
        judged(item["verdict"]),
    )
