"""Sources of the trail that fell silent: read without a fault, and bringing nothing while others bring changes.

Hides by which names the store knows a source. A queue whose rule was switched off is as empty as one of an estate in
which nobody does anything: a source is called silent only where another one shows that something was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from agent.clean import clean
from agent.config import Config
from agent.store import Brought, together


def is_of(feed: str, source: str, config: Config) -> bool:
    """Whether a feed, as the store names it, is of a source, as the configuration does."""
    kind, _, rest = source.partition(":")
    if source == "lookup":
        return feed == "lookup" or feed.startswith("lookup://")
    if kind in ("s3-notifications", "eventbridge"):
        return feed == rest
    if kind == "s3":
        bucket = rest.removeprefix("//").partition("/")[0]
        return feed == f"s3://{bucket}" or feed.startswith(f"s3://{bucket}/")
    return feed == str(config.path(source))


def by_source(config: Config, brought: Iterable[Brought]) -> tuple[Brought, ...]:
    """What each configured source brought, under its name there."""
    known = tuple(brought)
    return tuple(
        together(source, (one for one in known if is_of(one.feed, source, config))) for source in config.trail.sources
    )


def why(source: Brought) -> str:
    """What is wrong with a source that is silent."""
    name, missed = clean(source.feed), _minute(source.missed)
    if source.newest is None:
        return (
            f"source {name} never brought an event, and another brought changes since {missed}: "
            "is anything delivered to it?"
        )
    return (
        f"source {name} brought nothing since {_minute(source.newest)}, and another brought changes of the same "
        f"accounts and regions since {missed}: is it still delivered to?"
    )


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
