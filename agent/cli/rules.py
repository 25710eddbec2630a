"""`driftwarden rules`: what is looked for."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click

from agent.cli import fail
from agent.cli._show import colour, width


@click.command("rules", short_help="List the rules, or run their own examples.")
@click.option("--dir", "-d", "folders", multiple=True, type=click.Path(), help="More rules, besides those shipped.")
@click.option("--test", is_flag=True, help="Run the examples inside the rules; exit 1 if one fails.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(folders: tuple[str, ...], test: bool, output: str) -> None:
    """Lists every rule with its severity, what it means and the controls it speaks to."""
    from agent.rules import RuleError, check_rules, load_rules

    try:
        rules = load_rules([Path(folder) for folder in folders])
    except RuleError as error:
        fail(str(error))
    if test:
        from agent.report.text import examples_table

        results = check_rules(rules)
        click.echo(examples_table(results, width()))
        sys.exit(0 if all(result.passed for result in results) else 1)
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(rule) for rule in rules], indent=2))
        return
    from agent.report.text import rules_table

    click.echo(rules_table(rules, width(), colour=colour()))
