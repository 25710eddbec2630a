"""`driftwarden trail`: what CloudTrail told, read once and kept, for whoever asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agent.cli import fail

if TYPE_CHECKING:
    from datetime import timedelta

    from agent.config import Config
    from agent.store import Store

T = TypeVar("T")

_CONFIG = click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
_OUTPUT = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


def _since(default: str) -> Callable[[Any], Any]:
    return click.option("--since", default=default, show_default=True, help="How far back, for example 12h or 30d.")


@click.group("trail", short_help="Ask what CloudTrail told: who touched a resource, and how far it was read.")
def command() -> None:
    """What CloudTrail told, as far as it was read; nobody is asked again but by `import`."""


@command.command("status")
@_CONFIG
@_OUTPUT
def status(config: str, output: str) -> None:
    """How far every source was read, what is kept, and what could not be read.

    Exit codes: 0 all of it was read, 2 misuse, 3 something was not.
    """
    from datetime import UTC, datetime

    from agent import inquiry
    from agent.inquiry import shown

    found = _asked(config, lambda loaded, store: inquiry.status(loaded, store, datetime.now(UTC)))
    click.echo(shown.status_json(found) if output == "json" else shown.status_lines(found))
    raise SystemExit(3 if found.gaps or not found.positions else 0)


@command.command("who")
@click.argument("resource")
@_CONFIG
@_since("90d")
@_OUTPUT
def who(resource: str, config: str, since: str, output: str) -> None:
    """Who touched RESOURCE: a Terraform address (STACK/ADDRESS), an ARN, an id, a URL or a name.

    Exit codes: 0 somebody did, 1 no call on it is known, 2 misuse.
    """
    from datetime import UTC, datetime

    from agent import inquiry
    from agent.inquiry import shown

    back = _length(since)
    found = _asked(config, lambda loaded, store: inquiry.who(loaded, store, resource, back, datetime.now(UTC)))
    click.echo(shown.answer_json(found) if output == "json" else shown.answer_lines(found))
    raise SystemExit(0 if found.calls else 1)


@command.command("explain")
@click.argument("event_id")
@_CONFIG
@_OUTPUT
def explain(event_id: str, config: str, output: str) -> None:
    """What event EVENT_ID was understood as: who, by what client, on which resources, and what came of it."""
    from agent import inquiry
    from agent.inquiry import shown

    found = _asked(config, lambda loaded, store: inquiry.explain(loaded, store, event_id))
    if found is None:
        fail(
            f"event {event_id} is not kept: reads and calls that change nothing are only counted, and what is older "
            "than [trail] keep is gone; `driftwarden trail import` reads log files"
        )
    click.echo(shown.explained_json(found) if output == "json" else shown.explained_lines(found))


@command.command("access")
@_CONFIG
@_since("7d")
@_OUTPUT
def access(config: str, since: str, output: str) -> None:
    """Who entered: sign-ins, role sessions, refused calls and long-lived keys, per person and week."""
    from datetime import UTC, datetime

    from agent import inquiry
    from agent.cli._show import width
    from agent.inquiry import shown

    back = _length(since)
    rows, reach = _asked(config, lambda loaded, store: inquiry.entered(loaded, store, back, datetime.now(UTC)))
    click.echo(shown.access_json(rows, reach) if output == "json" else shown.access_lines(rows, reach, width()))


@command.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@_CONFIG
@_OUTPUT
def import_(path: Path, config: str, output: str) -> None:
    """Read log files at PATH (one, or a folder of them) into the store, in addition to the configured sources.

    Code and states are read first: they say what of a call is secret. Exit codes: 0 all was read, 2 misuse,
    3 something was not.
    """
    from agent.config import ConfigError, load
    from agent.imports import import_files, imported_lines, imported_told
    from agent.store import StoreError

    try:
        found = import_files(load(Path(config)), path)
    except (ConfigError, StoreError) as error:
        fail(str(error))
    click.echo(json.dumps(imported_told(found), indent=2) if output == "json" else imported_lines(found))
    raise SystemExit(3 if found.gaps else 0)


def _asked(config: str, question: Callable[[Config, Store], T]) -> T:
    from agent.config import ConfigError, load
    from agent.store import StoreError, connect

    try:
        loaded = load(Path(config))
        with connect(loaded.store_url()) as store:
            return question(loaded, store)
    except (ConfigError, StoreError) as error:
        fail(str(error))


def _length(text: str) -> timedelta:
    from agent.config import duration

    try:
        return duration(text)
    except ValueError as error:
        fail(f"--since: {error}")
