"""The tables of the store, and which version of the schema brought what of them.

Hides that SQLite can be told to be strict about types.
"""

from __future__ import annotations

import sqlite3

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
    event,
    text,
)

from agent.store.columns import Packed, Row, Time, Words

VERSION = 5
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
    Column("kind", Words, nullable=False, server_default="whole"),
    Column("read_at", Time),
    Index("scans_finished", "finished_at"),
    Index("scans_of_kind", "kind", "finished_at"),
    Index("scans_begun", "started_at"),
    Index("scans_begun_of_kind", "kind", "started_at"),
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


@event.listens_for(findings, "after_create")
def _one_open_story(_table: Table, connection: Connection, **_more: object) -> None:
    """Of each finding; a closed one stays, and the next begins a row of its own."""
    # No Index: to say its condition to PostgreSQL would load that dialect, 2 MB, into every process there is.
    connection.execute(text("CREATE UNIQUE INDEX findings_open ON findings (id) WHERE closed_at IS NULL"))


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
    Index("verdicts_of_run", "run_id"),
    Index("verdicts_from", "inputs_sha256"),
    sqlite_strict=_STRICT,
)


def _pieces(name: str) -> Table:
    """Of texts: see `agent.store.pieces`."""
    its = (
        Column("id", Row, primary_key=True),
        Column("sha256", Text, nullable=False),
        Column("body", Packed, nullable=False),
    )
    return Table(name, METADATA, *its, Index(f"{name}_sha256", "sha256"), sqlite_strict=_STRICT)


pieces = _pieces("pieces")
# Documents are not kept for ever: not append-only, as those of verdicts are.
document_pieces = _pieces("document_pieces")

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
    Index("states_of_run", "run_id"),
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
    # Once for all: of sources that do not have them any longer, and all that version 4 counted.
    Column("events", Integer, nullable=False),
    Column("newest", Time, nullable=False),
    # Of sources that still have them. Many events are in both: the larger number is how many there were.
    Column("again", Integer, nullable=False, server_default="0"),
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
    Column("again", Integer, nullable=False, server_default="0"),
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

leadership = Table(
    "leadership",
    METADATA,
    # The key, so that on PostgreSQL a beat does not wait for those who write under the fence, and a new fence does.
    Column("fence", Integer, primary_key=True, autoincrement=False),
    Column("owner", Words, nullable=False),
    Column("since", Time, nullable=False),
    Column("beat", Row, nullable=False),
    sqlite_strict=_STRICT,
)

jobs = Table(
    "jobs",
    METADATA,
    Column("name", Words, primary_key=True),
    Column("due_at", Time),
    Column("began_at", Time),
    Column("ended_at", Time),
    Column("succeeded_at", Time),
    Column("status", Words, nullable=False),
    Column("error", Words, nullable=False),
    Column("runs", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    sqlite_strict=_STRICT,
)

looks = Table(
    "looks",
    METADATA,
    Column("key_sha256", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("read_at", Time, nullable=False),
    Index("looks_read", "read_at"),
    sqlite_strict=_STRICT,
)

reports = Table(
    "reports",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("begins", Time, nullable=False),
    Column("ends", Time, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("figures", Packed, nullable=False),
    Column("sent_at", Time),
    Index("reports_kind", "kind", "ends"),
    sqlite_strict=_STRICT,
)

APPEND_ONLY = (events, verdicts, pieces, inputs, declarations, settings, policy_files)
