"""`driftwarden check`: does the configuration work?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from agent.cli import fail


@click.command("check", short_help="Prove configuration, credentials and permissions; name what is missing.")
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(config: str, output: str) -> None:
    """Tries everything a scan needs and keeps nothing: rules and their examples, the store, ticket systems, the
    credentials of each account, every AWS call of every resource type, states and code of every stack, the trail.

    Exit codes: 0 all of it works, 2 the configuration cannot be used, 3 something is missing or failed.
    """
    from agent.clean import clean
    from agent.config import ConfigError, load
    from agent.proof import prove

    try:
        loaded = load(Path(config))
    except ConfigError as error:
        fail(str(error))
    done = []
    for check in prove(loaded):
        done.append(check)
        if output == "table":
            click.echo(f"{check.result:<8} {clean(check.name)}: {clean(check.said)}")
    if output == "json":
        click.echo(json.dumps([{"name": c.name, "result": c.result, "said": c.said} for c in done], indent=2))
    sys.exit(0 if all(check.result == "ok" for check in done) else 3)
