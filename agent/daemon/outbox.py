"""Whether something waits to be filed: one cheap question, so that the process that files is started only for that."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select

from agent.store import Store, schema

_outbox = schema.outbox


def is_due(store: Store, now: datetime) -> bool:
    """Whether an entry waits and its time has come, or its sender died. Raises StoreError."""
    waits = and_(_outbox.c.state == "waiting", _outbox.c.next_at <= now)
    left = and_(_outbox.c.state == "sending", _outbox.c.lease_until <= now)
    with store.database.read() as connection:
        return connection.scalar(select(_outbox.c.id).where(or_(waits, left)).limit(1)) is not None
