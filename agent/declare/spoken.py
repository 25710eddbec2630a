"""A statement judged by its kind, and one that somebody makes whom we know without a signature: at the socket.

Hides that both ways end in the same rules: only how the speaker is known differs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from agent.declare import rules
from agent.declare.rules import Ground, Source
from agent.declare.speakers import Speaker
from agent.declare.statements import Accepted, Documented, Opened, Reviewed, Statement, read, written
from agent.model import Declaration


def heard(ground: Ground, speaker: Speaker, statement: Statement, source: Source) -> tuple[Declaration, ...]:
    """Judges what a speaker states and keeps what it declares.

    Raises Refused, Unheard for a case nobody knows yet, StoreError.
    """
    match statement:
        case Opened():
            return (rules.open_window(ground, speaker, statement, source),)
        case Documented():
            return (rules.document(ground, speaker, statement, source),)
        case Reviewed():
            return (rules.review(ground, speaker, statement, source),)
        case Accepted():
            return rules.accept(ground, speaker, statement, source)


def spoken(ground: Ground, speaker: Speaker, statement: Statement, now: datetime) -> tuple[Declaration, ...]:
    """What somebody says at the socket, now. Raises as `heard` does."""
    # Bounded as what a stranger signs is: the words are a stranger's here too.
    checked, bare = read(_plain(statement))
    return heard(ground, replace(speaker, said_at=now, received_at=now), checked, Source(bare, note="at the socket"))


def _plain(statement: Statement) -> dict[str, object]:
    fields: dict[str, object] = json.loads(written(statement))
    return fields
