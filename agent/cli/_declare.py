"""What the commands that declare something share: whose key, which store, and how a refusal is said."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli import fail
from agent.cli._through import Drafted, voice

if TYPE_CHECKING:
    from agent.declare import Ground, Matter, Statement
    from agent.model import Declaration
    from agent.store import Store

CONFIG = click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
OUTPUT = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
KEY = click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="SSH key that says who you are; a .pub file asks the agent. Default: the first of the usual files in ~/.ssh, "
    "and none where a daemon runs, which knows your user.",
)
CASE = click.argument("case")
ACCEPTED = click.option(
    "--accept/--reject", "accepted", default=None, help="The judgement; one of the two must be given."
)
AFTER_WORK = click.option("--post-implementation", "after_work", is_flag=True, help="The review after the work.")
OFFLINE = click.option(
    "--offline",
    type=click.Path(file_okay=False, path_type=Path),
    help="Sign into a file in this folder, without store or network; the next scan takes what lies in `offline/`.",
)


def judgement(reason: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The arguments of a command that reviews a case; `reason` is the help of `--reason`."""

    def taking(function: Callable[..., None]) -> Callable[..., None]:
        # The last is the innermost, as of decorators that stand below each other.
        for option in (CONFIG, KEY, AFTER_WORK, click.option("--reason", default="", help=reason), ACCEPTED, CASE):
            function = option(function)
        return function

    return taking


@contextmanager
def store_of(config: str) -> Iterator[Store]:
    """The store of a configuration; what cannot be opened ends the command."""
    from agent.config import ConfigError, load
    from agent.declare import Refused
    from agent.store import StoreError, connect

    try:
        with connect(load(Path(config)).store_url(), fence=fence()) as store:
            yield store
    except (ConfigError, StoreError, Refused) as error:
        fail(str(error))


@contextmanager
def ground_of(config: str, now: datetime, hint: str = "") -> Iterator[Ground]:
    """What declarations are judged by; what cannot be opened, and what is refused, ends the command.

    `hint`: what else can be done where something cannot be opened.
    """
    from agent.config import ConfigError, load
    from agent.declare import Refused, ground, in_force
    from agent.store import StoreError, connect

    try:
        loaded = load(Path(config))
        asked = voice()
        people = asked.people if asked is not None else None
        if people is None:
            from agent.collect import Sessions, read_people

            people = read_people(loaded, Sessions(loaded), now)
        for why in people.unread:
            click.echo(f"driftwarden: the identity map is not whole: {why}", err=True)
        # What a looser file says comes into force in a scan, which tells of it; never by a command.
        with connect(loaded.store_url(), fence=fence()) as store, in_force(loaded, store, now, keep=False) as force:
            yield ground(loaded, store, people, force)
    except (ConfigError, StoreError) as error:
        fail(f"{error}{hint}")
    except Refused as error:
        fail(str(error))


def declare(
    config: str, key: Path | None, make: Callable[[Ground, datetime], Statement], hint: str = ""
) -> tuple[Declaration, ...]:
    """Signs and takes the statement that `make` gives; `hint` as in `ground_of`.

    Of whoever asked at the daemon's socket it is taken without a key, or as they signed it where their key is.
    """
    from agent.declare import Refused, say, spoken, take

    asked = voice()
    now = datetime.now(UTC)
    with ground_of(config, now, hint) as judged_by:
        if asked is not None and asked.signed is not None:
            return take(judged_by, asked.signed, asked.signature, datetime.now(UTC))
        # An editor may have been open for long: it is said when it is signed.
        statement = make(judged_by, now)
        if asked is not None and asked.draft:
            raise Drafted(statement)
        if asked is not None:
            if asked.speaker is None:
                raise Refused("nobody is accountable for what root or the daemon says; [daemon] people names people")
            return spoken(judged_by, asked.speaker, statement, datetime.now(UTC))
        return say(judged_by, statement, key_file(key), datetime.now(UTC))
    raise AssertionError  # fail() has ended the command


def fence() -> int | None:
    """The number under which the daemon writes, where it carries the command out; None where nobody leads for us."""
    asked = voice()
    return asked.fence if asked is not None else None


def key_file(key: Path | None) -> Path:
    """The key to sign with."""
    from agent.signing import SigningError, usual_key

    try:
        return key.expanduser() if key is not None else usual_key(Path.home() / ".ssh")
    except (SigningError, RuntimeError) as error:
        fail(str(error))


def estate_of(config: str) -> str:
    """The estate's name, and nothing else of the configuration: its secrets are not on every machine."""
    try:
        with Path(config).open("rb") as file:
            found = tomllib.load(file).get("estate", {})
    except OSError as error:
        fail(f"{config}: {error.strerror}; a statement is for one estate: copy driftwarden.toml here")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fail(f"{config}: {error}")
    return str(found.get("name", "estate"))


def write_offline(folder: Path, statement: Statement, key: Path | None) -> Path:
    """Signs a statement into a file."""
    from agent.declare import Refused, write

    try:
        return write(folder, statement, key_file(key))
    except Refused as error:
        fail(str(error))


def case_table(rows: list[dict[str, Any]], columns: tuple[tuple[str, str], ...], empty: str) -> str:
    """Rows of `declare.shown` under their heads."""
    from agent.cli._show import width
    from agent.report.text import table

    if not rows:
        return empty
    cells = [[_cell(one[name]) for name, _ in columns] for one in rows]
    return table([head for _, head in columns], cells, width())


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


def shown(matter: Matter, output: str) -> str:
    """A case in full."""
    import json

    from agent.declare.shown import lines, told

    now = datetime.now(UTC)
    return json.dumps(told(matter, now), indent=2) if output == "json" else "\n".join(lines(matter, now))


def review_case(config: str, case: str, accepted: bool, reason: str, after_work: bool, key: Path | None) -> str:
    """Reviews a case; what is said of it."""
    from agent.declare import Reviewed, nonce

    def make(ground: Ground, now: datetime) -> Reviewed:
        return Reviewed(
            at=now,
            estate=ground.estate,
            nonce=nonce(),
            case=case,
            accepted=accepted,
            reason=reason,
            post_implementation=after_work,
        )

    (made,) = declare(config, key, make)
    return f"{case}: {'accepted' if accepted else 'rejected'} by {made.by.person}; the next scan tells the ticket."
