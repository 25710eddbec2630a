"""`driftwarden why`: why a verdict is what it is."""

from __future__ import annotations

import json
from pathlib import Path

import click

from agent.cli import fail
from agent.cli._show import width


@click.command("why", short_help="Why a verdict is what it is, test by test.")
@click.argument("name")
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--run", "run_id", help="Which scan; default: all that is known now.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(name: str, config: str, run_id: str | None, output: str) -> None:
    """Print the verdict as a reviewer reads it: what changed, who, each test with its evidence, and what it rests on.

    NAME is a finding (F-…), an address, a case (its key or DW-…), a ticket, an emergency (BG-…) or a CloudTrail event
    id. Exit codes: 0 told, 2 nothing goes by that name, or misuse.
    """
    from agent.config import ConfigError, load
    from agent.report.content import ReportError
    from agent.report.files import known, stored
    from agent.report.why import as_json, why
    from agent.report.why_text import why_lines
    from agent.rules import RuleError, load_rules
    from agent.store import StoreError, connect

    try:
        loaded = load(Path(config))
        rules = load_rules(tuple(loaded.path(folder) for folder in loaded.rules.dirs))
        document = stored(loaded, run_id) if run_id else known(loaded).document
        with connect(loaded.store_url()) as store:
            answers = why(document, store, name)
    except (ConfigError, StoreError, ReportError, RuleError) as error:
        fail(str(error))
    click.echo(
        json.dumps(as_json(answers), indent=2) if output == "json" else "\n".join(why_lines(answers, rules, width()))
    )
