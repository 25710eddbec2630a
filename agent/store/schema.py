"""The tables, and whether a database holds them in a version this program knows.

Hides the differences of the two engines: strict tables, triggers that keep a table append-only, and SQLite's file
header.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
    text,
)

from agent.store.columns import Packed, Row, Time, Words

VERSION = 4
"""Of the schema. An older store is brought up to it when it is opened; a newer one is refused."""
APPLICATION_ID = 0x44726674
"""`Drft`: marks a SQLite file as ours (https://sqlite.org/pragma.html#pragma_application_id)."""

_STRICT = sqlite3.sqlite_version_info >= (3, 37)  # RHEL 9 has 3.34

METADATA = MetaData()

marker = Table("driftwarden", METADATA, Column("version", Integer, primary_key=True), sqlite_strict=_STRICT)

scans = Table(
    "scans",
    METADATA,
    Column("run_id", Words, primary_key=True),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time),
    Column("status", Words),
    Column("config_sha256", Words, nullable=False),
    Column("ruleset_sha256", Words, nullable=False),
    Column("document", Packed),
    Index("scans_finished", "finished_at"),
    sqlite_strict=_STRICT,
)

units = Table(
    "units",
    METADATA,
    Column("id", Row, primary_key=True),
    Column("run_id", ForeignKey(scans.c.run_id), nullable=False),
    Column("kind", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("args", Text, nullable=False),
    Column("state", Words, nullable=False),
    Column("owner", Words, nullable=False),
    Column("lease_until", Time),
    Column("fence", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Words, nullable=False),
    Column("result", Packed),
    UniqueConstraint("run_id", "kind", "name"),
    Index("units_of_run", "run_id", "state"),
    sqlite_strict=_STRICT,
)

readings = Table(
    "readings",
    METADATA,
    # A digest, because a key may be longer than an index entry of PostgreSQL (2,704 bytes).
    Column("key_sha256", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("attributes_sha256", Text, nullable=False),
    Column("since", Time, nullable=False),
    Column("accepted_at", Time, nullable=False),
    Column("why", Words, nullable=False),
    sqlite_strict=_STRICT,
)

findings = Table(
    "findings",
    METADATA,
    Column("row", Row, primary_key=True),
    Column("id", Words, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("closed_at", Time),
    Column("judgement_sha256", Text, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_strict=_STRICT,
)
# One open story per finding; a closed one stays, and the next begins a row of its own.
Index(
    "findings_open",
    findings.c.id,
    unique=True,
    sqlite_where=findings.c.closed_at.is_(None),
    postgresql_where=findings.c.closed_at.is_(None),
)

inputs = Table(
    "inputs",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("body", Packed, nullable=False),
    sqlite_strict=_STRICT,
)

verdicts = Table(
    "verdicts",
    METADATA,
    Column("id", Row, primary_key=True),
    Column("finding_id", Words, nullable=False),
    Column("run_id", ForeignKey(scans.c.run_id), nullable=False),
    Column("at", Time, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("body", Text, nullable=False),
    Column("inputs_sha256", ForeignKey(inputs.c.sha256), nullable=False),
    Index("verdicts_of_finding", "finding_id"),
    sqlite_strict=_STRICT,
)

states = Table(
    "states",
    METADATA,
    Column("id", Row, primary_key=True),
    Column("run_id", ForeignKey(scans.c.run_id), nullable=False),
    Column("stack", Words, nullable=False),
    Column("current", Integer, nullable=False),
    Column("first_read", Time, nullable=False),
    Column("last_read", Time, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("body", Packed, nullable=False),
    Index("states_of_stack", "stack", "current"),
    Index("states_read", "last_read"),
    sqlite_strict=_STRICT,
)

cases = Table(
    "cases",
    METADATA,
    Column("key", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("ticket", Words, nullable=False),
    Column("opened_at", Time, nullable=False),
    Column("closed_at", Time),
    Column("reason", Words, nullable=False),
    Column("body", Text, nullable=False),
    Index("cases_state", "state"),
    sqlite_strict=_STRICT,
)

outbox = Table(
    "outbox",
    METADATA,
    Column("id", Row, primary_key=True),
    Column("dedup_key", Words, nullable=False, unique=True),
    Column("case_key", ForeignKey(cases.c.key)),
    Column("action", Words, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Words, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("next_at", Time, nullable=False),
    Column("owner", Words, nullable=False),
    Column("lease_until", Time),
    Column("fence", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("remote_ref", Words, nullable=False),
    Column("error", Words, nullable=False),
    Index("outbox_of_case", "case_key", "state"),
    Index("outbox_due", "state", "next_at"),
    sqlite_strict=_STRICT,
)

events = Table(
    "events",
    METADATA,
    Column("seq", Row, primary_key=True, autoincrement=False),
    Column("at", Time, nullable=False),
    Column("kind", Words, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("events_kind", "kind"),
    sqlite_strict=_STRICT,
)

trail_entries = Table(
    "trail_entries",
    METADATA,
    # An event's id, or a digest of it where it is longer than an index entry may be.
    Column("event", Words, primary_key=True),
    Column("sort", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("time", Time, nullable=False),
    Column("size", Integer, nullable=False),
    Column("digest", Words, nullable=False),
    Column("reader", Words, nullable=False),
    Column("body", Packed, nullable=False),
    Index("trail_entries_time", "time"),
    Index("trail_entries_action", "action"),
    sqlite_strict=_STRICT,
)

trail_names = Table(
    "trail_names",
    METADATA,
    # A digest of the name a call used for what it acted on: eight bytes, so that a match is looked at again.
    Column("name", Row, primary_key=True, autoincrement=False),
    Column("event", Words, primary_key=True),
    sqlite_strict=_STRICT,
)

trail_hours = Table(
    "trail_hours",
    METADATA,
    Column("account", Words, primary_key=True),
    Column("region", Words, primary_key=True),
    Column("hour", Time, primary_key=True),
    Column("events", Integer, nullable=False),
    Column("newest", Time, nullable=False),
    sqlite_strict=_STRICT,
)

trail_keys = Table(
    "trail_keys",
    METADATA,
    Column("key", Words, primary_key=True),
    Column("day", Time, primary_key=True),
    Column("arn", Words, nullable=False),
    Column("account", Words, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("source_ip", Words, nullable=False),
    sqlite_strict=_STRICT,
)

trail_gaps = Table(
    "trail_gaps",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("feed", Words, nullable=False),
    Column("found_at", Time, nullable=False),
    Column("body", Text, nullable=False),
    Index("trail_gaps_found", "found_at"),
    sqlite_strict=_STRICT,
)

trail_checkpoints = Table(
    "trail_checkpoints",
    METADATA,
    Column("feed", Words, primary_key=True),
    Column("shard", Words, primary_key=True),
    Column("kept_at", Time, nullable=False),
    Column("reader", Words, nullable=False),
    Column("body", Packed, nullable=False),
    sqlite_strict=_STRICT,
)

declarations = Table(
    "declarations",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("received_at", Time, nullable=False),
    Column("kind", Words, nullable=False),
    Column("case_key", Words, nullable=False),
    Column("person", Words, nullable=False),
    Column("body", Text, nullable=False),
    # One statement may declare thousands of things: it stands in the row of the first, which the others name.
    Column("statement", Words, nullable=False),
    Column("said_in", Words, nullable=False),
    Index("declarations_received", "received_at"),
    Index("declarations_case", "case_key"),
    sqlite_strict=_STRICT,
)

settings = Table(
    "settings",
    METADATA,
    Column("seq", Row, primary_key=True),
    Column("name", Words, nullable=False),
    Column("at", Time, nullable=False),
    Column("body", Text, nullable=False),
    Index("settings_name", "name", "seq"),
    sqlite_strict=_STRICT,
)

tolerated_hits = Table(
    "tolerated_hits",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("first_seen", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("count", Integer, nullable=False),
    sqlite_strict=_STRICT,
)

policy_files = Table(
    "policy_files",
    METADATA,
    Column("id", Row, primary_key=True),
    Column("path", Words, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("commit_id", Words, nullable=False),
    Column("author", Words, nullable=False),
    Column("seen_at", Time, nullable=False),
    Index("policy_files_path", "path", "id"),
    sqlite_strict=_STRICT,
)

SINCE: dict[int, tuple[Table, ...]] = {
    2: (states,),
    3: (trail_entries, trail_names, trail_hours, trail_keys, trail_gaps, trail_checkpoints),
    4: (declarations, settings, tolerated_hits, policy_files),
}
"""Version of the schema → the tables it brought."""

APPEND_ONLY = (events, verdicts, inputs, declarations, settings, policy_files)

_GUARD = """
CREATE FUNCTION driftwarden_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def found(connection: Connection) -> int | None:
    """Version of the schema the database holds; None where it is empty. Raises LookupError for a foreign database."""
    names = set(inspect(connection).get_table_names())
    if marker.name in names:
        version: int | None = connection.scalar(select(marker.c.version))
        if version is None:
            raise LookupError("its table driftwarden, which names the schema's version, is empty")
        return version
    if names & set(METADATA.tables) or (names and connection.dialect.name == "sqlite"):
        raise LookupError(f"it holds tables of another program ({', '.join(sorted(names)[:3])})")
    return None


def create(connection: Connection) -> None:
    """All tables, triggers and the version mark, in the caller's transaction."""
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(marker.insert(), {"version": VERSION})
    if connection.dialect.name == "postgresql":
        connection.execute(text(_GUARD))
    else:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
    _guard(connection, APPEND_ONLY)


def upgrade(connection: Connection, version: int) -> None:
    """From an older version to this one, in the caller's transaction: what it has not yet is added, nothing is lost."""
    missing = [table for number in range(version + 1, VERSION + 1) for table in SINCE[number]]
    METADATA.create_all(connection, tables=missing, checkfirst=False)
    connection.execute(marker.update().values(version=VERSION))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
    _guard(connection, [table for table in missing if table in APPEND_ONLY])


def _guard(connection: Connection, tables: Iterable[Table]) -> None:
    """Keeps tables append-only; on PostgreSQL by the function that came with the schema's first version."""
    guard = _guard_postgresql if connection.dialect.name == "postgresql" else _guard_sqlite
    for table in tables:
        guard(connection, table)


def _guard_postgresql(connection: Connection, table: Table) -> None:
    call = "EXECUTE FUNCTION driftwarden_append_only()"
    rows = f"BEFORE UPDATE OR DELETE ON {table.name} FOR EACH ROW"
    connection.execute(text(f"CREATE TRIGGER {table.name}_rows {rows} {call}"))
    connection.execute(
        text(f"CREATE TRIGGER {table.name}_whole BEFORE TRUNCATE ON {table.name} FOR EACH STATEMENT {call}")
    )


def _guard_sqlite(connection: Connection, table: Table) -> None:
    (key,) = table.primary_key.columns
    stop = f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
    for act in ("UPDATE", "DELETE"):
        connection.exec_driver_sql(f"CREATE TRIGGER {table.name}_{act.lower()} BEFORE {act} ON {table.name} {stop}")
    # INSERT OR REPLACE deletes without firing delete triggers (https://sqlite.org/lang_conflict.html).
    taken = f"EXISTS (SELECT 1 FROM {table.name} WHERE {key.name} = NEW.{key.name})"  # noqa: S608 - our own names
    connection.exec_driver_sql(f"CREATE TRIGGER {table.name}_replace BEFORE INSERT ON {table.name} WHEN {taken} {stop}")
