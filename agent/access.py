"""Who entered production: sign-ins, role sessions, refused calls and use of long-lived keys, per person and week.

Hides how these different records become one line a reviewer reads. Nothing here says that anything was wrong: it is
what the weekly review of privileged access looks at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.model import Actor, Attempt, Change, KeyUse

_NAMED = 20  # roles, keys and addresses named of one person


@dataclass(frozen=True, slots=True)
class Row:
    """One person, pipeline or workload in one week."""

    week: datetime
    """Its Monday, UTC."""
    name: str
    kind: str
    person: str = ""
    """Id in the identity map; empty: not in it."""
    team: str = ""
    sign_ins: int = 0
    """To the console, successful."""
    without_mfa: int = 0
    """Of them, those whose record says that no MFA was used. Behind an identity provider the record cannot tell."""
    failed_sign_ins: int = 0
    sessions: int = 0
    """Role sessions begun."""
    roles: tuple[str, ...] = ()
    """ARNs of the roles, those into production first."""
    into_production: int = 0
    """Of the sessions, those of a role in a production account."""
    changes: int = 0
    refused: int = 0
    key_calls: int = 0
    """Calls with long-lived access keys, reads included."""
    keys: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    source_ips: tuple[str, ...] = ()


@dataclass(slots=True)
class _Week:
    actor: Actor
    counts: dict[str, int] = field(default_factory=dict)
    roles: dict[str, bool] = field(default_factory=dict)
    keys: dict[str, None] = field(default_factory=dict)
    accounts: dict[str, None] = field(default_factory=dict)
    source_ips: dict[str, None] = field(default_factory=dict)

    def add(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def place(self, accounts: Iterable[str], source_ips: Iterable[str]) -> None:
        self.accounts |= dict.fromkeys(filter(None, accounts))
        self.source_ips |= dict.fromkeys(filter(None, source_ips))


@dataclass(frozen=True, slots=True)
class Seen:
    """What the trail told of one interval, as far as access is concerned."""

    changes: Sequence[Change] = ()
    sessions: Sequence[Change] = ()
    sign_ins: Sequence[Change] = ()
    attempts: Sequence[Attempt] = ()
    key_use: Sequence[KeyUse] = ()


def access(seen: Seen, production: Collection[str] = ()) -> tuple[Row, ...]:
    """One row per actor and week, by week, then the most refused, then by name.

    `production`: ids of the accounts that are; empty: all. Services of AWS are left out: nobody entered.
    """
    weeks: dict[tuple[datetime, str, str], _Week] = {}

    def week(actor: Actor, at: datetime) -> _Week:
        name = actor.person or actor.name
        return weeks.setdefault((monday(at), name, actor.kind), _Week(actor))

    for change in _people(seen.changes):
        found = week(change.actor, change.time)
        found.add("changes")
        found.place((change.account,), (change.source_ip,))
    for change in _people(seen.sign_ins):
        found = week(change.actor, change.time)
        succeeded = change.request.get("result") == "success"
        found.add("sign_ins" if succeeded else "failed_sign_ins")
        if succeeded and change.request.get("mfa") == "No":
            found.add("without_mfa")
        found.place((change.account,), (change.source_ip,))
    for change in _people(seen.sessions):
        found = week(change.actor, change.time)
        account = _account(change.actor.role) or change.account
        inside = not production or account in production
        found.add("sessions")
        found.add("into_production", int(inside))
        found.roles[change.actor.role] = found.roles.get(change.actor.role, False) or inside
        found.place((account,), (change.source_ip,))
    for attempt in seen.attempts:
        if attempt.actor.kind != "service":
            found = week(attempt.actor, attempt.last)
            found.add("refused", attempt.count)
            found.place((attempt.account,), attempt.source_ips)
    owners = _owners(seen)
    for use in seen.key_use:
        actor = owners.get(use.key) or Actor(_last(use.arn) or use.key, "person", use.arn)
        found = week(actor, use.day)
        found.add("key_calls", use.calls)
        found.keys[use.key] = None
        found.place((use.account,), (use.source_ip,))
    rows = [_row(monday_, found) for (monday_, _, _), found in weeks.items()]
    return tuple(sorted(rows, key=lambda row: (row.week, -row.refused, row.name, row.kind)))


def monday(at: datetime) -> datetime:
    """The beginning of the week of a moment, UTC."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def _people(changes: Iterable[Change]) -> Iterable[Change]:
    return (change for change in changes if change.actor.kind != "service")


def _owners(seen: Seen) -> Mapping[str, Actor]:
    """Long-lived key → whoever a call made with it was attributed to."""
    return {change.session: change.actor for change in seen.changes if change.session.startswith("AKIA")}


def _row(week: datetime, found: _Week) -> Row:
    roles = sorted(found.roles, key=lambda role: (not found.roles[role], role))
    return Row(
        week=week,
        name=found.actor.name,
        kind=found.actor.kind,
        person=found.actor.person,
        team=found.actor.team,
        roles=tuple(roles[:_NAMED]),
        keys=tuple(sorted(found.keys)[:_NAMED]),
        accounts=tuple(sorted(found.accounts)[:_NAMED]),
        source_ips=tuple(sorted(found.source_ips)[:_NAMED]),
        **found.counts,
    )


def _account(role: str) -> str:
    parts = role.split(":")
    return parts[4] if len(parts) > 5 else ""


def _last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
