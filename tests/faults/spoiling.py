"""Ways of spoiling a good installation, and what the checker must say of each.

Hides how it is done past everything that forbids it.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import select, update

from agent.store import connect, versions
from agent.store.journal import Kept
from agent.store.pieces import VERDICTS
from agent.store.schema import verdicts

Spoil = Callable[[Path], None]


def sql(*statements: str) -> Spoil:
    """By hand, past everything that forbids it."""

    def spoil(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "driftwarden.db")) as raw, raw:
            guards = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            undone = [f"DROP TRIGGER {name}" for name, _ in guards]
            for statement in (*undone, *statements, *(text for _, text in guards)):
                raw.execute(statement)

    return spoil


def ticket(folder: Path) -> Path:
    return min((folder / "tickets" / "cases").glob("*.yaml"))


def copied_ticket(folder: Path) -> None:
    ticket(folder).with_stem("DW-99").write_text(ticket(folder).read_text())


def strange_ticket(folder: Path) -> None:
    text = ticket(folder).read_text().splitlines(keepends=True)
    changed = ["case: nobody's\n" if line.startswith("case:") else line for line in text]
    ticket(folder).with_stem("DW-99").write_text("".join(changed))


def closed_ticket(folder: Path) -> None:
    ticket(folder).write_text(ticket(folder).read_text().replace("state: open", "state: closed", 1))


def told_twice(folder: Path) -> None:
    note = "\n- {at: 2026-01-01T00:00:00Z, note: twice}"
    text = ticket(folder).read_text().rstrip()
    ticket(folder).write_text(text + (note * 2).replace("\n-", f"\n{_indent(text)}-") + "\n")


def _indent(text: str) -> str:
    last = next(line for line in reversed(text.splitlines()) if line.lstrip().startswith("-"))
    return " " * (len(last) - len(last.lstrip()))


def marked(folder: Path) -> None:
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        body = {"events": ["e-1"], "since": ""}
        store.journal.keep("unjudged", Kept(checkpoint=body), store.scans.last()[0].started_at)


def cut(folder: Path) -> None:
    """Its verdicts are kept in pieces, as those with many calls are. Nothing is wrong with that."""
    with (
        connect(f"sqlite:///{folder}/driftwarden.db") as store,
        store.database.write() as connection,
        versions.unguarded(connection),
    ):
        rows = connection.execute(select(verdicts.c.id, verdicts.c.body)).all()
        kept = VERDICTS.put(connection, [row.body for row in rows], few=0)
        for row, body in zip(rows, kept, strict=True):
            connection.execute(update(verdicts).where(verdicts.c.id == row.id).values(body=body))


def cut_and(*statements: str) -> Spoil:
    """A spoilt piece."""

    def spoil(folder: Path) -> None:
        cut(folder)
        sql(*statements)(folder)

    return spoil


def damaged(folder: Path) -> None:
    file = folder / "driftwarden.db"
    content = bytearray(file.read_bytes())
    content[8192:] = bytes(len(content) - 8192)
    file.write_bytes(content)


def half_key(folder: Path) -> None:
    (folder / "driftwarden.key").write_bytes(b"k" * 17)


def half_backup(folder: Path) -> None:
    (folder / "backups").mkdir()
    (folder / "backups" / "driftwarden-x-20260101T000000Z.tar").write_bytes(b"\0" * 700)


SPOILT: dict[str, tuple[Spoil, str]] = {
    "a finding is lost": (
        sql("DELETE FROM findings WHERE id = (SELECT finding_id FROM verdicts LIMIT 1)"),
        "was opened and is gone",
    ),
    "all findings are lost": (sql("DELETE FROM findings"), "has no finding"),
    "a finding is doubled": (
        sql(
            "INSERT INTO findings (id, outcome, first_seen, last_seen, closed_at, judgement_sha256, body) "
            "SELECT id, outcome, first_seen, last_seen, last_seen, judgement_sha256, body FROM findings LIMIT 1"
        ),
        "findings: .* stands there 2 times",
    ),
    "a ticket is lost": (lambda folder: ticket(folder).unlink(), "has 0 tickets"),
    "a ticket is doubled": (copied_ticket, "has 2 tickets"),
    "a ticket of nothing": (strange_ticket, "DW-99 are of no case"),
    "a ticket is closed": (closed_ticket, "is open, and its ticket .* is closed"),
    "a ticket tells twice": (told_twice, "says something twice"),
    "a case is closed": (
        sql("UPDATE cases SET state = 'closed', closed_at = opened_at"),
        "its case is closed, and should be open",
    ),
    "a case is lost": (
        sql("DELETE FROM outbox WHERE id = 1", "DELETE FROM cases WHERE key NOT IN (SELECT case_key FROM outbox)"),
        "has 0 cases",
    ),
    "an entry is on its way": (sql("UPDATE outbox SET state = 'sending' WHERE id = 1"), "is sending"),
    "an entry went nowhere": (sql("UPDATE outbox SET remote_ref = '' WHERE id = 1"), "is sent to nowhere"),
    "a case is opened twice": (
        sql(
            "INSERT INTO outbox SELECT id + 100, dedup_key || '/2', case_key, action, payload, state, created_at, "
            "next_at, owner, lease_until, fence, attempts, remote_ref, error FROM outbox WHERE action = 'open' LIMIT 1"
        ),
        "is opened 2 times",
    ),
    "a call is lost": (
        sql("DELETE FROM trail_entries WHERE event IN (SELECT event FROM trail_entries WHERE action LIKE '%Queue%')"),
        "not in the journal",
    ),
    "a call waits": (marked, "entries wait for a scan"),
    "a scan is half": (
        sql("UPDATE scans SET finished_at = NULL WHERE run_id IN (SELECT run_id FROM verdicts)"),
        "is not over and",
    ),
    "a scan has no document": (sql("UPDATE scans SET document = NULL"), "or no document"),
    "an event is changed": (sql("""UPDATE events SET body = '{"run":"other"}' WHERE seq = 2"""), "event 2"),
    "an event is cut out": (sql("DELETE FROM events WHERE seq = 3"), "event"),
    "a verdict is lost": (sql("DELETE FROM verdicts"), "is gone"),
    "a piece is lost": (cut_and("DELETE FROM pieces WHERE id = 2"), "the verdict on .* is not what was written down"),
    "a piece is another": (
        cut_and("UPDATE pieces SET body = (SELECT body FROM pieces WHERE id = 2) WHERE id = 3"),
        "the verdict on .* is not what was written down",
    ),
    "a piece stands elsewhere": (
        cut_and(
            "UPDATE pieces SET id = 0 WHERE id = 2",
            "UPDATE pieces SET id = 2 WHERE id = 3",
            "UPDATE pieces SET id = 3 WHERE id = 0",
        ),
        "the verdict on .* is not what was written down",
    ),
    "a piece is of nothing": (
        sql("INSERT INTO pieces (sha256, body) SELECT run_id, document FROM scans WHERE document IS NOT NULL LIMIT 1"),
        "piece 1 is of no verdict",
    ),
    "a piece is kept twice": (
        cut_and("INSERT INTO pieces (sha256, body) SELECT sha256, body FROM pieces"),
        "pieces: .* stands there 2 times",
    ),
    "the file is damaged": (damaged, "malformed|integrity_check|integrity"),
    "half a key": (half_key, "driftwarden.key"),
    "half a backup": (half_backup, "driftwarden-x"),
}
