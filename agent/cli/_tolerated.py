"""What the commands about exceptions and the baseline share: the configuration, its people, and how an end is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from agent.cli import fail

if TYPE_CHECKING:
    from agent.config import Config
    from agent.store.tolerated import Use
    from agent.tolerated.shown import Row
    from agent.tolerated.terms import Approvals


@dataclass(frozen=True, slots=True)
class Office:
    """Where permissions stand, and who may approve them."""

    config: Config
    approvals: Approvals
    now: datetime
    exceptions: Path
    longest: timedelta
    """Of an exception."""


def office(config: str) -> Office:
    """The office of a configuration. Raises ConfigError."""
    from agent.collect import Sessions, read_people
    from agent.config import duration, load
    from agent.tolerated import approvals_of

    now = datetime.now(UTC).replace(microsecond=0)
    loaded = load(Path(config))
    people = read_people(loaded, Sessions(loaded), now)
    for why in people.unread:
        click.echo(f"driftwarden: the identity map is not whole: {why}", err=True)
    longest = duration(loaded.exceptions.longest)
    return Office(loaded, approvals_of(loaded, people), now, loaded.path(loaded.exceptions.dir), longest)


def uses_of(config: Config) -> Mapping[str, Use] | None:
    """How often entries were needed; None where no scan has kept anything yet. Raises StoreError."""
    from agent.store import connect
    from agent.store.tolerated import Uses

    scheme, _, path = config.store_url().partition(":///")
    if scheme == "sqlite" and not Path(path).exists():
        return None
    with connect(config.store_url()) as store:
        return Uses(store.database).counts()


def tell(rows: Sequence[Row], problems: Sequence[str], output: str, none: str) -> NoReturn:
    """Prints permissions, or `none`, and what of their files is not in force; ends with 3 where anything is not."""
    from agent.cli._show import width
    from agent.report.text import table
    from agent.tolerated.shown import HEADS, cells

    if output == "json":
        click.echo(json.dumps([row.told() for row in rows], indent=2))
    else:
        click.echo(table(HEADS, cells(rows), width()) if rows else none)
    for problem in problems:
        click.echo(f"driftwarden: not in force: {problem}", err=True)
    sys.exit(3 if problems else 0)


def ends(until: str, now: datetime) -> str:
    """The end as it is written: a day, or the day that a length such as `30d` ends on."""
    from agent.config import duration

    try:
        return f"{now + duration(until):%Y-%m-%d}"
    except ValueError:
        return until


@contextmanager
def said() -> Iterator[None]:
    """What is wrong inside ends the command."""
    from agent.config import ConfigError
    from agent.rules import RuleError
    from agent.signing import SigningError
    from agent.store import StoreError
    from agent.tickets.document import DocumentError

    try:
        yield
    except (ConfigError, DocumentError, RuleError, SigningError, StoreError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
