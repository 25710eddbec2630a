"""`driftwarden status`: how it stands, at a glance."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from agent.cli import fail


@click.command("status", short_help="How it stands: scans, gaps, trail, cases, outbox, schedule, the daemon.")
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(config: str, output: str) -> None:
    """What was checked and what was not, how far the trail was read, what waits to be filed, which cases are open, what
    is due when, and how the daemon is. Without a daemon it says what the store knows.

    Exit codes: 0 all is well, 1 cases are open, 2 misuse, 3 something is not checked or does not work, 4 cases are
    held.
    """
    from datetime import UTC, datetime

    from agent.cli._show import width
    from agent.cli._through import vitals
    from agent.config import ConfigError, load
    from agent.status import exit_code, lines, status
    from agent.store import StoreError, connect

    try:
        loaded = load(Path(config))
        with connect(loaded.store_url()) as store:
            told = status(loaded, store, datetime.now(UTC), vitals())
    except (ConfigError, StoreError) as error:
        fail(str(error))
    click.echo(json.dumps(told, indent=2) if output == "json" else lines(told, width()))
    sys.exit(exit_code(told))
