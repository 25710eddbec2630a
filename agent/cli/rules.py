"""`driftwarden rules`: what is looked for."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli import fail
from agent.cli._show import colour, width

if TYPE_CHECKING:
    from agent.judge import Rule

_FOLDERS = click.option(
    "--dir", "-d", "folders", multiple=True, type=click.Path(), help="More rules, besides those shipped."
)
_OUTPUT = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


@click.group("rules", short_help="List the rules, run their own examples, or explain one.", invoke_without_command=True)
@_FOLDERS
@_OUTPUT
@click.pass_context
def command(context: click.Context, folders: tuple[str, ...], output: str) -> None:
    """Lists every rule with its severity, its stage, what it means and the controls it speaks to."""
    if context.invoked_subcommand is None:
        _listed(folders, output)


@command.command("list", short_help="List the rules.")
@_FOLDERS
@_OUTPUT
@click.pass_context
def listed(context: click.Context, folders: tuple[str, ...], output: str) -> None:
    """Lists every rule with its severity, its stage, what it means and the controls it speaks to."""
    _listed(_all(context, folders), _form(context, output))


@command.command("test", short_help="Run the examples inside the rules; exit 1 if one fails.")
@_FOLDERS
@click.pass_context
def test(context: click.Context, folders: tuple[str, ...]) -> None:
    """Runs every example of every rule. Exit codes: 0 all decide as they say, 1 one does not, 2 a file is wrong."""
    from agent.report.text import examples_table
    from agent.rules import check_rules

    results = check_rules(_loaded(_all(context, folders)))
    click.echo(examples_table(results, width()))
    sys.exit(0 if all(result.passed for result in results) else 1)


@command.command("explain", short_help="What one rule asks, why, and what to do when it is broken.")
@click.argument("name")
@_FOLDERS
@_OUTPUT
@click.pass_context
def explain(context: click.Context, name: str, folders: tuple[str, ...], output: str) -> None:
    """Prints one rule as a reviewer reads it: what it asks, why, what to do, its controls and its examples."""
    from agent.report.rule_text import rule_lines
    from agent.rules import load_controls

    folders = _all(context, folders)
    rules = {rule.id: rule for rule in _loaded(folders)}
    if name not in rules:
        fail(f"no rule is called '{name}'; `driftwarden rules` lists them")
    if _form(context, output) == "json":
        click.echo(json.dumps(dataclasses.asdict(rules[name]), indent=2))
        return
    controls = load_controls([Path(folder) for folder in folders])
    click.echo("\n".join(rule_lines(rules[name], controls, width())))


def _all(context: click.Context, folders: tuple[str, ...]) -> tuple[str, ...]:
    """The directories named after the command and before it: `rules --dir x test` must not pass by leaving x out."""
    return (*(context.parent.params["folders"] if context.parent else ()), *folders)


def _form(context: click.Context, output: str) -> str:
    return "json" if context.parent and context.parent.params["output"] == "json" else output


def _listed(folders: tuple[str, ...], output: str) -> None:
    rules = _loaded(folders)
    if output == "json":
        click.echo(json.dumps([dataclasses.asdict(rule) for rule in rules], indent=2))
        return
    from agent.report.text import rules_table

    click.echo(rules_table(rules, width(), colour=colour()))


def _loaded(folders: tuple[str, ...]) -> tuple[Rule, ...]:
    from agent.rules import RuleError, load_rules

    try:
        return load_rules([Path(folder) for folder in folders])
    except RuleError as error:
        fail(str(error))
