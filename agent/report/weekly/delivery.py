"""A weekly report on its way to people: made, kept, written, e-mailed once.

Hides that a job may be begun again after a crash: what was sent is known by the store, and a letter that was sent
without anybody learning of it comes again under the same id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agent import mail
from agent.clean import clean
from agent.config import Config
from agent.report.weekly.making import KIND, Weekly, keep, make, write
from agent.report.weekly.page import html, markdown, subject
from agent.report.weekly.records import Records
from agent.report.weekly.week import last
from agent.store import Made, Store


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

    Begun again, it sends nothing twice; those whom the server refused for now get it then, and they alone. Raises
    MailError, also where somebody was refused for now, ReportError, RuleError, StoreError; with MailError all but the
    sending is done, and doing it again sends it.
    """
    week = last(now, config.schedule.timezone)
    name = f"{KIND}-{week.id}"
    before = next((one for one in store.reports.last(KIND, 10) if one.id == name), None)
    if before is not None and before.sent_at is not None:
        told = _told(store, before)
        again = [one for one in told.get("again", ()) if one in config.report.to]
        refused = _again(config, store, before, told, again, now) if again else {}
        _all_taken(refused)
        return Delivered(before.id, before.sha256, sent=bool(again), sent_before=before.sent_at, refused=refused)
    made = make(config, store, now, week)
    keep(store, made)
    paths = write(made, config.path(config.report.dir))
    if not config.report.to:
        return Delivered(made.id, made.sha256, paths)
    refused = post(config, store, made, now)
    _all_taken(refused)
    return Delivered(made.id, made.sha256, paths, sent=True, refused=refused)


def post(config: Config, store: Store, made: Weekly, now: datetime) -> Mapping[str, str]:
    """Sends a report to `[report] to`, whether or not one of its week was sent before, and keeps that it was.

    Gives the recipients that the server refused, and what it said. Raises MailError, StoreError.
    """
    one = letter(config, made)
    refused = mail.send(config.smtp, mail.message(config.smtp, one))
    keep(store, made, sent_at=now)
    _tell(store, (made.id, made.sha256), one, config.report.to, refused, now, made.news)
    return refused


def letter(config: Config, made: Weekly) -> mail.Letter:
    """The report as a letter. One that follows a letter of the same week that was sent is another letter."""
    follows = made.replaces is not None and made.replaces.sent_at is not None
    name = f"{clean(config.estate.name)}/{made.id}" + (f"/{made.sha256}" if follows else "")
    return _letter(config, made, name, made.news)


def _letter(config: Config, made: Weekly | Made, name: str, news: str) -> mail.Letter:
    given = (made.figures, made.id, made.sha256, made.made_at, news)
    return mail.Letter(config.report.to, subject(made.figures), markdown(*given), html(*given), name, made.made_at)


def _again(
    config: Config, store: Store, made: Made, told: Mapping[str, Any], to: Sequence[str], now: datetime
) -> Mapping[str, str]:
    """Sends the letter once more to those alone whom the server refused for now. Raises MailError, StoreError."""
    one = _letter(config, made, told["letter"], told["news"])
    refused = mail.send(config.smtp, mail.message(config.smtp, one), to)
    _tell(store, (made.id, made.sha256), one, to, refused, now, told["news"])
    return refused


def _tell(
    store: Store,
    which: tuple[str, str],
    one: mail.Letter,
    to: Sequence[str],
    refused: Mapping[str, str],
    now: datetime,
    news: str,
) -> None:
    """Tells the ledger who got it, and who is to get it later."""
    said = {"report": which[0], "sha256": which[1], "to": list(to), "refused": sorted(refused)}
    if again := mail.for_now(refused):
        said |= {"again": list(again), "letter": one.name, "news": news}
    store.ledger.append("report.sent", said, now)


def _told(store: Store, made: Made) -> Mapping[str, Any]:
    """What the ledger was told when it was sent last."""
    sent = (one.body for one in Records(store).told(("report.sent",), made.begins))
    return next((one for one in reversed([*sent]) if one["report"] == made.id), {})


def _all_taken(refused: Mapping[str, str]) -> None:
    """Raises MailError where somebody was refused for now: the job is done once nobody waits any more."""
    if names := mail.for_now(refused):
        raise mail.MailError(f"not yet taken for {'; '.join(f'{one}: {refused[one]}' for one in names)}")
