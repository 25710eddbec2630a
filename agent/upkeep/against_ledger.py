"""Evidence held against the ledger, whose chain shows by itself whether it was changed.

Hides which event says what of which row: verdicts, what they rest on, declarations with what was signed, settings,
reports and documents of scans have their digests there; that a case or a finding was opened and closed, and when, has
events of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from agent.store import Event, Store, schema
from agent.store.codec import decode, digest
from agent.store.ledger import PRUNED, RESTORED
from agent.store.pieces import DOCUMENTS, VERDICTS, Joined, named

_PAGE = 5_000
_STATES = {"case.opened": "open", "case.held": "held", "case.closed": "closed"}


@dataclass(slots=True)
class _Life:
    """When something was opened and closed, as the ledger says it."""

    state: str = ""
    at: datetime | None = None
    opened: set[datetime] = field(default_factory=set)
    closed: set[datetime] = field(default_factory=set)


class Evidence:
    """Holds rows against the events that were written with them. For one use."""

    def __init__(self, store: Store) -> None:
        """Reads nothing yet."""
        self._store = store
        self.told: list[str] = []
        """What was pruned and restored, in words."""
        self._pruned: datetime | None = None
        self._begins: datetime | None = None
        self._cases: dict[str, _Life] = defaultdict(_Life)
        self._findings: dict[str, _Life] = defaultdict(_Life)
        self._reports: dict[str, tuple[datetime, str]] = {}
        self._missing: list[tuple[datetime, str]] = []
        self._loose: set[int] = set()
        """Pieces that no verdict names, of those that were there before the verdicts were read."""
        self._wrong: list[str] = []

    def faults(self) -> list[str]:
        """Rows that are not what the ledger says, are missing, or have no event."""
        rows: dict[str, dict[Any, Any]] = {
            "verdict": self._verdicts(),
            "declaration": self._declarations(),
            "setting": self._settings(),
            "document": self._documents(),
        }
        for event in self._events():
            self._begins = self._begins or event.at
            self._held(event, rows)
        self._wrong += [text for at, text in self._missing if self._pruned is None or at >= self._pruned]
        self._without(rows)
        self._lives("case", self._cases, self._case_rows())
        self._lives("finding", self._findings, self._finding_rows())
        self._made()
        self._wrong += self._inputs()
        self._wrong += [f"piece {number} is of no verdict" for number in sorted(self._loose)]
        return self._wrong

    def _held(self, event: Event, rows: dict[str, dict[Any, Any]]) -> None:
        body, at = event.body, event.at
        if event.kind == "verdict.reached":
            name = (body["run"], body["finding"])
            said: Any = (body["body_sha256"], body["inputs_sha256"], body["outcome"], at)
            self._same(event, f"the verdict on {name[1]} of scan {name[0]}", rows["verdict"].pop(name, None), said)
        elif "declaration" in body:
            name = body["declaration"]
            signed = body.get("statement_sha256", "")
            said = (body["body_sha256"], body["person"], body.get("case", ""), signed, at)
            self._same(event, f"declaration {name}", rows["declaration"].pop(name, None), said)
        elif event.kind == "scan.ended":
            said = body["document_sha256"]
            self._same(event, f"the document of scan {body['run']}", rows["document"].pop(body["run"], said), said)
        elif event.kind.startswith("authority."):
            # An event that names no digest speaks for what came into force at its time.
            its_own = next((one for one in rows["setting"] if one[0] == at), (at, ""))
            said = (at, body["sha256"]) if "sha256" in body else its_own
            self._same(event, f"the [authority] of {at:%Y-%m-%d %H:%M} UTC", rows["setting"].pop(said, None), said)
        elif event.kind == "report.made":
            self._reports[body["report"]] = (at, body["sha256"])
        else:
            self._noted(event)

    def _same(self, event: Event, what: str, kept: Any, said: Any) -> None:
        if kept is None:
            self._missing.append((event.at, f"event {event.seq}: {what} is gone"))
        elif kept != said:
            self._wrong.append(f"event {event.seq}: {what} is not what was written down")

    def _noted(self, event: Event) -> None:
        body = event.body
        if event.kind in _STATES:
            life = self._cases[body["case"]]
            life.state, life.at = _STATES[event.kind], event.at
        elif event.kind in ("finding.opened", "finding.closed"):
            life = self._findings[body["finding"]]
            life.state, life.at = event.kind.partition(".")[2], event.at
            (life.opened if life.state == "opened" else life.closed).add(event.at)
        elif event.kind in (PRUNED, RESTORED):
            by = ", ".join(body.get("agreed", ())) or "nobody had to agree"
            self.told.append(self._pruning(event, by) if event.kind == PRUNED else _restoring(event, by))

    def _pruning(self, event: Event, by: str) -> str:
        before = datetime.fromisoformat(event.body["before"]).replace(tzinfo=UTC)
        self._pruned = max(before, self._pruned or before)
        return f"pruned on {event.at:%Y-%m-%d}: evidence before {event.body['before']} ({by})"

    def _without(self, rows: dict[str, dict[Any, Any]]) -> None:
        """Evidence without an event: put in by hand, or its event was pruned with all that is older."""
        since = None if self._pruned is None or self._begins is None else min(self._pruned, self._begins)
        told: dict[str, Callable[[Any], str]] = {
            "verdict": lambda name: f"the verdict on {name[1]} of scan {name[0]}",
            "declaration": lambda name: f"declaration {name}",
            "setting": lambda name: f"an [authority] of {name[0]:%Y-%m-%d %H:%M} UTC",
        }
        for kind, called in told.items():
            for name, kept in rows[kind].items():
                if since is None or _at(kind, kept) >= since:
                    self._wrong.append(f"{called(name)} has no event in the ledger")

    def _lives(self, what: str, lives: dict[str, _Life], rows: dict[str, list[Any]]) -> None:
        """Whether what is open and closed is what was opened and closed last."""
        for name, life in lives.items():
            there = rows.pop(name, [])
            if not there:
                if self._pruned is None or life.state != "closed" or (life.at and life.at >= self._pruned):
                    self._wrong.append(f"{what} {name} is gone")
                continue
            for row in there:
                self._wrong += _differs(what, name, life, row)
            closed = {row.closed_at for row in there if row.closed_at is not None}
            kept = {at for at in life.closed if self._pruned is None or at >= self._pruned}
            if what == "finding" and not kept <= closed:
                self._wrong.append(f"finding {name} was closed, and that is gone")
            if what == "finding" and life.state == "opened" and all(row.closed_at for row in there):
                self._wrong.append(f"finding {name} is closed, and the ledger says it is open")
        self._wrong += [f"{what} {name} has no event in the ledger" for name in rows]

    def _made(self) -> None:
        columns = schema.reports.c
        with self._store.database.read() as connection:
            rows = {row.id: row for row in connection.execute(select(columns.id, columns.sha256, columns.figures))}
        for name, (at, said) in self._reports.items():
            row = rows.pop(name, None)
            if row is None:
                if self._pruned is None or at >= self._pruned:
                    self._wrong.append(f"report {name} is gone")
            elif row.sha256 != said or said != _digest_of_figures(row.figures):
                self._wrong.append(f"report {name} is not what was written down")
        self._wrong += [f"report {name} has no event in the ledger" for name in rows]

    def _events(self) -> Iterator[Event]:
        after = 0
        while page := self._store.ledger.events(after, _PAGE):
            yield from page
            after = page[-1].seq

    def _verdicts(self) -> dict[tuple[str, str], tuple[str, str, str, datetime]]:
        found = {}
        joined = Joined(self._store.database, VERDICTS)
        with self._store.database.read() as connection:
            self._loose = set(connection.execute(select(schema.pieces.c.id)).scalars())
        for row in self._paged(select(schema.verdicts), schema.verdicts.c.id):
            try:
                self._loose.difference_update(named(row.body))
                said = digest(joined.text(row.body))
            except ValueError:
                said = ""  # no digest is: what is written down is another one
            found[row.run_id, row.finding_id] = (said, row.inputs_sha256, row.outcome, row.at)
        return found

    def _inputs(self) -> Iterator[str]:
        """What verdicts rest on is named by its own digest."""
        for row in self._paged(select(schema.inputs), schema.inputs.c.sha256, 200):
            if hashlib.sha256(row.body).hexdigest() != row.sha256:
                yield f"what verdicts rest on ({row.sha256[:12]}) is not what was written down"

    def _declarations(self) -> dict[str, tuple[str, str, str, str, datetime]]:
        with self._store.database.read() as connection:
            rows = connection.execute(select(schema.declarations)).all()
        said = {row.id: _sha256(row.statement) if row.statement else "" for row in rows}
        return {
            row.id: (digest(row.body), row.person, row.case_key, said.get(row.said_in, "gone"), row.received_at)
            for row in rows
        }

    def _settings(self) -> dict[tuple[datetime, str], tuple[datetime, str]]:
        columns = schema.settings.c
        with self._store.database.read() as connection:
            rows = connection.execute(select(columns.at, columns.body).where(columns.name == "authority")).all()
        found = [(row.at, hashlib.sha256(row.body.encode()).hexdigest()) for row in rows]
        return {one: one for one in found}

    def _documents(self) -> dict[str, str]:
        """Of scans that still have theirs: `[retention] scans` takes them away."""
        columns = schema.scans.c
        query = select(columns.run_id, columns.document).where(columns.document.is_not(None))
        found, joined = {}, Joined(self._store.database, DOCUMENTS)
        for row in self._paged(query, columns.run_id, 50):
            try:
                said = hashlib.sha256(joined.data(row.document)).hexdigest()
            except ValueError:
                said = ""
            found[row.run_id] = said
        return found

    def _case_rows(self) -> dict[str, list[Any]]:
        columns = schema.cases.c
        with self._store.database.read() as connection:
            rows = connection.execute(select(columns.key, columns.state, columns.closed_at)).all()
        return {row.key: [row] for row in rows}

    def _finding_rows(self) -> dict[str, list[Any]]:
        columns = schema.findings.c
        found = defaultdict(list)
        query = select(columns.row, columns.id, columns.first_seen, columns.closed_at)
        for row in self._paged(query, columns.row):
            found[row.id].append(row)
        return found

    def _paged(self, query: Any, column: Any, page: int = _PAGE) -> Iterator[Any]:
        """In short transactions: a long one keeps SQLite's writers waiting."""
        after: Any = None
        while True:
            more = query if after is None else query.where(column > after)
            with self._store.database.read() as connection:
                rows = connection.execute(more.order_by(column).limit(page)).all()
            if not rows:
                return
            yield from rows
            after = rows[-1]._mapping[column.name]


def _differs(what: str, name: str, life: _Life, row: Any) -> Iterator[str]:
    if what == "finding":
        if row.first_seen not in life.opened:
            yield f"finding {name} was not first seen {row.first_seen:%Y-%m-%d %H:%M} UTC"
        if row.closed_at is not None and row.closed_at not in life.closed:
            yield f"finding {name} was not closed {row.closed_at:%Y-%m-%d %H:%M} UTC"
        if row.closed_at is None and life.state == "closed":
            yield f"finding {name} is open, and the ledger says it is closed"
    elif row.state != life.state:
        yield f"case {name} is {row.state}, and the ledger says it is {life.state}"
    elif row.closed_at != (life.at if life.state == "closed" else None):
        yield f"case {name} was not closed when the store says it was"


def _restoring(event: Event, by: str) -> str:
    body = event.body
    lost = body["replaced"]["seq"] - body["head"]["seq"] if body["replaced"] else None
    gone = "what it replaced could not be read" if lost is None else f"{max(lost, 0)} events were left behind"
    keys = "".join(f"; by the {side}: {', '.join(who) or 'nobody'}" for side, who in body.get("signed", {}).items())
    return f"restored on {event.at:%Y-%m-%d}: backup {body['backup'][:12]}, {gone} ({by}{keys})"


def _at(kind: str, kept: Any) -> datetime:
    at: datetime = kept[0] if kind == "setting" else kept[-1]
    return at


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _digest_of_figures(figures: bytes) -> str:
    """As `agent.report.weekly` writes it: canonical JSON. Empty where it cannot be read."""
    try:
        plain = decode(dict, figures)
        return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    except (ValueError, TypeError):
        return ""
