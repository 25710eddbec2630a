"""What needs a decision: each with who must act, by when, and the command or the ticket it is done with.

Hides the order: what is overdue first, then what waits and has no date, then what is due soonest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from agent.clean import plural
from agent.config import Config
from agent.document.times import stamp
from agent.model import SEVERITIES
from agent.report.weekly.matters import Matter, news
from agent.report.weekly.records import Records

OLD = timedelta(days=14)
"""A case that is open for longer needs somebody to say what is to become of it."""
_MOST = 100
_FLOOD = 3
"""So many held cases are named one by one."""


def decisions(
    config: Config,
    records: Records,
    every: Sequence[Matter],
    emergencies: Iterable[Mapping[str, Any]],
    tolerated: Mapping[str, Any],
    until: datetime,
) -> dict[str, Any]:
    """Section 2, as things stood at `until`."""
    found = [
        *(one for item in emergencies if (one := _emergency(config, item))),
        *_held(config, every, until),
        *_waiting(config, tolerated),
        *_tolerated(config, tolerated),
        *_undelivered(records, every, until),
        *_old(every, until),
    ]
    now = stamp(until)
    ranks = [str(one) for one in SEVERITIES]

    def urgency(one: Mapping[str, Any]) -> tuple[bool, bool, str, int, str]:
        worst = -ranks.index(one["severity"]) if one["severity"] in ranks else 1
        return not one["overdue"], bool(one["by"]), one["by"], worst, one["id"]

    rows = sorted(({**one, "overdue": bool(one["by"]) and one["by"] < now} for one in found), key=urgency)
    return {"count": len(rows), "overdue": sum(one["overdue"] for one in rows), "listed": rows[:_MOST]}


def _decision(what: str, id_: str, title: str, **fields: Any) -> dict[str, Any]:
    known = {"who": "", "by": "", "command": "", "ticket": "", "severity": "", "first": "", "since": []}
    return {"what": what, "id": id_, "title": title, **known, **fields}


def _named(config: Config, role: str, otherwise: str) -> str:
    """Whom a role is given to."""
    people = next((names for name, names in config.authority.roles.items() if name == role), ())
    return ", ".join(one.removeprefix("group:") for one in people) or otherwise


def _emergency(config: Config, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What somebody must do about a break-glass session; None: nothing."""
    person = row["person"] or "whoever acted"
    reviewers = _named(config, "reviewer", "") or _named(config, "approver", "a reviewer")
    involved = filter(None, (person, *row["others"], row["documented_by"]))
    other = f"{reviewers}, not {', '.join(dict.fromkeys(involved))}"
    incident = f", incident {row['incident']}" if row["incident"] else ""
    title = f"{person}, {plural(row['calls'], 'call')}{incident}"
    accepts = f"driftwarden breakglass review {row['id']} --accept"
    known = {"ticket": row["ticket"], "severity": row["severity"], "since": row["since"]}
    match row["state"]:
        case "overdue" | "awaiting-document":
            what = "Document is overdue" if row["state"] == "overdue" else "To be documented"
            command = f"driftwarden breakglass document {row['id']}"
            return _decision(what, row["id"], title, who=person, by=row["deadline"], command=command, **known)
        case "rejected":
            command = f"driftwarden breakglass document {row['id']}"
            by = row["deadline"]
            return _decision("Document was rejected", row["id"], title, who=person, by=by, command=command, **known)
        case "awaiting-review":
            command = f"{accepts} (or --reject --reason …)"
            return _decision("Document to be reviewed", row["id"], title, who=other, command=command, **known)
        case "review-again":
            command = f"{accepts} --reason … (or --reject)"
            what = "Accepted, and its case holds calls that no review is of"
            return _decision(what, row["id"], title, who=other, command=command, **known)
        case "post-implementation":
            command = f"{accepts} --post-implementation --reason … (or --reject)"
            what = "Under control again, to be reviewed after the work"
            return _decision(what, row["id"], title, who=other, command=command, **known)
        case "way-back":
            how = {"revert": "revert it", "codify": "bring it into the code"}.get(row["way_back"], "bring it back")
            command = f"driftwarden breakglass show {row['id']}"
            return _decision(f"Accepted, still to do: {how}", row["id"], title, who=person, command=command, **known)
    return None


def _held(config: Config, every: Iterable[Matter], until: datetime) -> Iterable[dict[str, Any]]:
    """Held cases: two people let them be filed. A flood is one decision, and one line."""
    who = f"two of {_named(config, 'approver', 'the approvers')}"
    held = [one for one in every if one.at(until) == "held"]
    what = "Held: too much changed at once"
    if len(held) > _FLOOD:
        worst = max((one.case.severity for one in held), key=SEVERITIES.index)
        gone = sum(bool(one.since(until)) for one in held)
        since = [{"told": f"{gone:,} of them opened or closed", "at": ""}] if gone else []
        title = f"{len(held):,} cases, the first of them: {held[0].case.title}"
        first, command = stamp(held[0].began), "driftwarden cases accept --held"
        yield _decision(what, "", title, who=who, command=command, severity=worst, first=first, since=since)
        return
    for one in held:
        case = one.case
        command = f"driftwarden cases accept {case.key}"
        known = {"who": who, "command": command, "severity": case.severity, "since": news(one, until)}
        yield _decision(what, case.key, case.title, **known)


def _waiting(config: Config, tolerated: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """What would loosen the policy; the line itself names the command."""
    for line in tolerated["waiting"]:
        yield _decision("Looser policy waits", "", line, who=f"two of {_named(config, 'admin', 'the admins')}")


def _tolerated(config: Config, tolerated: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Exceptions and files of the baseline that end soon, or have ended."""
    approver = _named(config, "approver", "an approver")
    for one in tolerated["entries"]:
        if one["soon"] or one["over"]:
            yield _ending(one, "has ended" if one["over"] else "ends soon", approver)
    for one in tolerated["ended"]:
        yield _ending(one, "has ended" if one["over"] else "was taken away", approver)


def _ending(one: Mapping[str, Any], how: str, approver: str) -> dict[str, Any]:
    is_exception = one["kind"] == "exception"
    name = "Exception" if is_exception else "Baseline"
    command = f"driftwarden {'except' if is_exception else 'baseline'} list"
    who = f"{one['owner']}; a new end needs {one['approver'] or approver}"
    by = one["until"] if how != "was taken away" else ""
    title = f"{one['reason']} ({one['source']})" if one["reason"] else one["source"]
    return _decision(f"{name} {how}", one["id"], title, who=who, by=by, command=command)


def _undelivered(records: Records, every: Sequence[Matter], until: datetime) -> Iterable[dict[str, Any]]:
    """What could not be filed and will not be tried again by itself."""
    cases = {str(one.case.key): one.case for one in every}
    dead: dict[str, tuple[datetime, str]] = {}
    since: dict[str, list[dict[str, str]]] = {}
    for told in records.told(("case.not-filed", "case.filed")):
        name = told.body["outbox"]
        if told.kind == "case.filed":
            if told.at < until:
                dead.pop(name, None)
            elif name in dead:
                since[name] = [{"told": "filed", "at": stamp(told.at)}]
        elif told.at < until:
            dead[name] = (told.at, told.body["error"])
    for name, (at, error) in sorted(dead.items(), key=lambda item: (item[1][0], item[0])):
        case = cases.get(name.rpartition("/")[2])
        yield _decision(
            "Could not be filed",
            case.key if case else name,
            f"{case.title if case else name}: {error}",
            who="whoever runs driftwarden",
            by=stamp(at),
            command="driftwarden cases deliveries",
            severity=case.severity if case else "",
            since=since.get(name, []),
        )


def _old(every: Iterable[Matter], until: datetime) -> Iterable[dict[str, Any]]:
    """Cases that are open for long, other than break-glass, whose paperwork says what it waits for."""
    for one in every:
        age = until - one.began
        if one.at(until) == "opened" and age > OLD and not one.case.grant:
            case = one.case
            yield _decision(
                f"Open for {plural(age.days, 'day')}",
                case.key,
                case.title,
                who=", ".join(case.actors) or "nobody known",
                command=f"driftwarden cases show {case.key}",
                ticket=case.ticket,
                severity=case.severity,
                since=news(one, until),
            )
