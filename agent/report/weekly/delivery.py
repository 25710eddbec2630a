"""A weekly report on its way to people: made, kept, written, e-mailed once.

Hides that a job may be begun again after a crash: what was sent is known by the store, and a letter that was sent
without anybody learning of it comes again under the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agent import mail
from agent.clean import clean
from agent.config import Config
from agent.report.weekly.making import KIND, Weekly, keep, make, write
from agent.report.weekly.page import html, markdown, subject
from agent.report.weekly.week import last
from agent.store import Store


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a report."""

    id: str
    sha256: str
    paths: tuple[Path, ...] = ()
    sent: bool = False
    """Whether it was sent now."""
    sent_before: datetime | None = None
    """When the report of this week was sent already: it is not sent again by itself."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Recipients that the server refused, and what it said."""


def weekly_job(config: Config, store: Store, now: datetime) -> Delivered:
    """The report of the last week that is over: made, kept, written, and sent where `[report] to` names anybody.

    Begun again, it sends nothing twice. Raises MailError, ReportError, RuleError, StoreError; with MailError all but
    the sending is done, and doing it again sends it.
    """
    week = last(now, config.schedule.timezone)
    name = f"{KIND}-{week.id}"
    before = next((one for one in store.reports.last(KIND, 10) if one.id == name), None)
    if before is not None and before.sent_at is not None:
        return Delivered(before.id, before.sha256, sent_before=before.sent_at)
    made = make(config, store, now, week)
    keep(store, made)
    paths = write(made, config.path(config.report.dir))
    if not config.report.to:
        return Delivered(made.id, made.sha256, paths)
    refused = post(config, store, made, now)
    return Delivered(made.id, made.sha256, paths, sent=True, refused=refused)


def post(config: Config, store: Store, made: Weekly, now: datetime) -> Mapping[str, str]:
    """Sends a report to `[report] to`, whether or not one of its week was sent before, and keeps that it was.

    Gives the recipients that the server refused, and what it said. Raises MailError, StoreError.
    """
    refused = mail.send(config.smtp, mail.message(config.smtp, letter(config, made)))
    keep(store, made, sent_at=now)
    told = {"report": made.id, "sha256": made.sha256, "to": list(config.report.to), "refused": sorted(refused)}
    store.ledger.append("report.sent", told, now)
    return refused


def letter(config: Config, made: Weekly) -> mail.Letter:
    """The report as a letter. One that follows a letter of the same week that was sent is another letter."""
    follows = made.replaces is not None and made.replaces.sent_at is not None
    name = f"{clean(config.estate.name)}/{made.id}" + (f"/{made.sha256}" if follows else "")
    given = (made.figures, made.id, made.sha256, made.made_at, made.news)
    return mail.Letter(config.report.to, subject(made.figures), markdown(*given), html(*given), name, made.made_at)
