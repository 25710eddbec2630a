"""`driftwarden replay`: what would other rules have said?"""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from agent.cli import fail
from agent.cli._show import width


@click.command("replay", short_help="What other rules would have said of the last weeks' findings.")
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--rules", "folders", multiple=True, required=True, type=click.Path(), help="Directory of the new rules.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How far to look back.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(config: str, folders: tuple[str, ...], days: int, output: str) -> None:
    """Judges every verdict of the last days anew, with the rules in force and with those of another directory instead
    of the configured ones, and lists each violation that would appear, disappear or differ. Nothing is written.

    Exit codes: 0 nothing would change, 1 something would, 2 the configuration or a rule cannot be used.
    """
    from agent.config import ConfigError, load
    from agent.inquiry.replayed import replayed
    from agent.report.text import table
    from agent.rules import RuleError
    from agent.store import StoreError

    try:
        loaded = load(Path(config))
        since = datetime.now(UTC) - timedelta(days=days)
        count, found = replayed(loaded, [Path(folder) for folder in folders], since)
    except (ConfigError, RuleError, StoreError) as error:
        fail(str(error))
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(one) for one in found], indent=2, default=str))
    elif found:
        rows = [(one.what, one.rule, one.name, one.before or "–", one.after or "–", one.why) for one in found]
        click.echo(table(("", "Rule", "Resource", "Now", "Then", "Because"), rows, width()))
    if output != "json":
        violations = "1 violation" if len(found) == 1 else f"{len(found):,} violations"
        verdicts = "1 verdict" if count == 1 else f"{count:,} verdicts"
        click.echo(f"{violations} would change, of {verdicts} since {since:%Y-%m-%d}")
    sys.exit(1 if found else 0)
