"""`driftwarden daemon`: scans by schedule, by event and when files change, for years."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from agent.cli import fail


@click.command("daemon", short_help="Run for years: scan by schedule, by event and when files change.")
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
def command(config: str) -> None:
    """Does by itself what `[schedule]` says: scans the estate, follows the trail, files, reminds, reports and backs up.
    Events of `[trail] source` queues are worked off within seconds. A changed configuration, rule or exception is used
    once it was found right; until then the old ones are. SIGHUP has them looked at now, SIGTERM ends it in order.

    One daemon works on a store; a second one waits, and takes over when the first is gone. The log is JSON on stderr.

    Exit codes: 0 told to stop, 1 the store cannot be used or another daemon took over, 2 the configuration is wrong.
    """
    from agent.config import ConfigError
    from agent.daemon.serve import serve
    from agent.store import StoreError

    try:
        sys.exit(serve(Path(config)))
    except ConfigError as error:
        fail(str(error))
    except StoreError as error:
        click.echo(f"driftwarden: {error}", err=True)
        sys.exit(1)
