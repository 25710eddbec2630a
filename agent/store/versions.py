"""Which version of the schema a database holds; making one, and bringing an older one up.

Hides the differences of the two engines: triggers that keep a table append-only, and SQLite's file header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Index, Table, inspect, select, text
from sqlalchemy.schema import CreateColumn, CreateIndex

from agent.store import schema
from agent.store.schema import APPEND_ONLY, APPLICATION_ID, METADATA, VERSION, marker

SINCE: Mapping[int, tuple[Table, ...]] = {
    2: (schema.states,),
    3: (
        schema.trail_entries,
        schema.trail_names,
        schema.trail_hours,
        schema.trail_keys,
        schema.trail_gaps,
        schema.trail_checkpoints,
    ),
    4: (schema.declarations, schema.settings, schema.tolerated_hits, schema.policy_files),
    5: (schema.leadership, schema.jobs, schema.looks, schema.reports, schema.pieces, schema.document_pieces),
}
"""Version of the schema → the tables it brought."""

_COLUMNS: Mapping[int, tuple[Column[Any], ...]] = {
    5: (schema.scans.c.kind, schema.scans.c.read_at, schema.trail_hours.c.again, schema.trail_keys.c.again),
}
_INDEXES: Mapping[int, tuple[str, ...]] = {
    5: ("scans_of_kind", "scans_begun", "scans_begun_of_kind", "verdicts_of_run", "verdicts_from", "states_of_run"),
}

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
    steps = range(version + 1, VERSION + 1)
    missing = [table for number in steps for table in SINCE.get(number, ())]
    METADATA.create_all(connection, tables=missing, checkfirst=False)
    for one in (one for number in steps for one in added(number)):
        if one.table not in missing:
            _add(connection, one)
    connection.execute(marker.update().values(version=VERSION))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
    _guard(connection, [table for table in missing if table in APPEND_ONLY])


def added(version: int) -> tuple[Column[Any] | Index, ...]:
    """What that version of the schema added to tables that were there; a column has a default."""
    indexes = {str(index.name): index for table in METADATA.tables.values() for index in table.indexes}
    return (*_COLUMNS.get(version, ()), *(indexes[name] for name in _INDEXES.get(version, ())))


def _add(connection: Connection, one: Column[Any] | Index) -> None:
    if isinstance(one, Index):
        connection.execute(CreateIndex(one))
        return
    described = CreateColumn(one).compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE {one.table.name} ADD COLUMN {described}"))


@contextmanager
def unguarded(connection: Connection) -> Iterator[None]:
    """Lets rows be taken out of append-only tables, in the caller's transaction: for evidence that two people prune.

    Nobody else sees the tables without their triggers: SQLite's writer is alone, PostgreSQL holds the tables.
    """
    for table in APPEND_ONLY:
        for name in guards(table, connection.dialect.name):
            where = f" ON {table.name}" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {name}{where}"))
    yield
    _guard(connection, APPEND_ONLY)


def guards(table: Table, dialect: str) -> tuple[str, ...]:
    """Names of the triggers that keep a table append-only on an engine (`sqlite`, `postgresql`)."""
    acts = ("rows", "whole") if dialect == "postgresql" else ("update", "delete", "replace")
    return tuple(f"{table.name}_{act}" for act in acts)


def unguarded_tables(connection: Connection) -> tuple[str, ...]:
    """Append-only tables that lack one of their triggers; somebody took it away."""
    dialect = connection.dialect.name
    postgresql = "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE tgenabled <> 'D' AND"
    query = (
        f"{postgresql} relnamespace = current_schema()::regnamespace"
        if dialect == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    there = {row[0] for row in connection.execute(text(query))}
    return tuple(table.name for table in APPEND_ONLY if not there.issuperset(guards(table, dialect)))


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
