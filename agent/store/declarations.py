"""What people declared, and under which settings: both only ever added to, each with its event in the ledger.

Hides that a declaration that comes twice (a file picked up again, a reply read again) is one, and that a statement is
kept as it was signed, so that its signature can be checked again years later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select

from agent.model import Acceptance, Declaration, Document, Opening, Review
from agent.store import schema
from agent.store.codec import decode, digest, encode
from agent.store.database import Database, fetch_in
from agent.store.ledger import Body, append, lock

_declarations = schema.declarations
_settings = schema.settings
_KINDS: dict[type[Declaration], str] = {
    Opening: "opening",
    Document: "document",
    Review: "review",
    Acceptance: "acceptance",
}


@dataclass(frozen=True, slots=True)
class Declarations:
    """The declarations of one store."""

    database: Database

    def add(self, declared: Iterable[tuple[str, Declaration]], statement: str = "", note: str = "") -> frozenset[str]:
        """Keeps declarations, each with the kind of its event in the ledger, all of them or none.

        `statement`: what they were declared in, as it was signed or written. `note`: what else the ledger is to say.
        Gives the ids of those that were not there yet. Raises StoreError.
        """
        by_id = {one.id: (kind, one) for kind, one in declared}
        with self.database.write() as connection:
            lock(connection)
            there = fetch_in(connection, select(_declarations.c.id), _declarations.c.id, by_id)
            new = by_id.keys() - {row.id for row in there}
            rows = [_row(one) for its_id, (_, one) in by_id.items() if its_id in new]
            for number, row in enumerate(rows):
                row |= {"statement": "" if number else statement, "said_in": rows[0]["id"]}
            signed = hashlib.sha256(statement.encode("utf-8", "surrogatepass")).hexdigest() if statement else ""
            if rows:
                connection.execute(_declarations.insert(), rows)
            for at, together in groupby(rows, key=itemgetter("received_at")):
                events = [(by_id[row["id"]][0], _event(row, signed, note)) for row in together]
                append(connection, events, at)
        return frozenset(new)

    def listed(self, since: datetime | None = None, case: str = "") -> tuple[Declaration, ...]:
        """What was received at `since` or later (None: ever), oldest first; with `case`, only what is about it."""
        query = select(_declarations)
        if since is not None:
            query = query.where(_declarations.c.received_at >= since)
        if case:
            query = query.where(_declarations.c.case_key == case)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        # Files that are picked up together arrive at one moment, and were not said at one.
        found = map(_restored, (row.body for row in rows))
        return tuple(sorted(found, key=lambda one: (one.by.received_at, one.by.said_at, one.id)))

    def get(self, declaration: str) -> Declaration | None:
        """By its id; None where it is not there."""
        with self.database.read() as connection:
            body = connection.scalar(select(_declarations.c.body).where(_declarations.c.id == declaration))
        return None if body is None else _restored(body)

    def statement(self, declaration: str) -> str:
        """What it was declared in, word for word; empty where nothing is kept by that id."""
        its_own = select(_declarations.c.said_in).where(_declarations.c.id == declaration).scalar_subquery()
        query = select(_declarations.c.statement).where(_declarations.c.id == its_own)
        with self.database.read() as connection:
            found: str | None = connection.scalar(query)
        return found or ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A text that came into force."""

    at: datetime
    body: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings as they were when they came into force, by name."""

    database: Database

    def last(self, name: str) -> Setting | None:
        """What is in force; None before the first."""
        with self.database.read() as connection:
            return _in_force(connection, name)

    def replace(
        self, name: str, last: Setting | None, body: str, at: datetime, events: Sequence[tuple[str, Body]]
    ) -> bool:
        """As `keep`, if `last` is still what is in force; whether it was. Raises StoreError."""
        with self.database.write() as connection:
            lock(connection)  # whoever keeps a setting takes it too
            if _in_force(connection, name) != last:
                return False
            append(connection, events, at)
            connection.execute(_settings.insert(), {"name": name, "at": at, "body": body})
        return True

    def keep(self, name: str, body: str, at: datetime, events: Sequence[tuple[str, Body]]) -> None:
        """Puts a text (ASCII) into force, in one transaction with the ledger's events of it. Raises StoreError."""
        with self.database.write() as connection:
            append(connection, events, at)
            connection.execute(_settings.insert(), {"name": name, "at": at, "body": body})


def _in_force(connection: Connection, name: str) -> Setting | None:
    query = select(_settings).where(_settings.c.name == name).order_by(_settings.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Setting(row.at, row.body)


def _row(declaration: Declaration) -> dict[str, Any]:
    return {
        "id": declaration.id,
        "received_at": declaration.by.received_at,
        "kind": _KINDS[type(declaration)],
        "case_key": declaration.case if isinstance(declaration, Document | Review) else "",
        "person": declaration.by.person,
        "body": encode(declaration),
    }


def _event(row: dict[str, Any], signed: str, note: str) -> Body:
    said = {"declaration": row["id"], "person": row["person"], "body_sha256": digest(row["body"])}
    more = {"case": row["case_key"], "statement_sha256": signed, "note": note}
    return said | {name: text for name, text in more.items() if text}


def _restored(body: str) -> Declaration:
    found = decode(object, body)
    if not isinstance(found, Opening | Document | Review | Acceptance):
        raise ValueError(f"stored value is a {type(found).__name__}, expected a declaration")
    return found
