"""`driftwarden declared`: what the code of the stacks declares, and what state records of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from agent.cli import fail


@click.command("declared", short_help="Show what the code declares, evaluated, beside what state records.")
@click.argument("address", required=False)
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--stack", "-s", "wanted", help="One stack; default: all of them.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(address: str | None, config: str, wanted: str | None, output: str) -> None:
    """Evaluates the code of each stack as Terraform would and shows it beside what its state records: without an
    address a line for each resource, with one every attribute, where it comes from, and why a value is unknown. An
    address may name an instance, a resource, or a module with everything in it. Nothing is compared with AWS.

    Exit codes: 0 shown, 2 misuse, 3 a stack or part of one could not be read.
    """
    from agent.config import ConfigError, load
    from agent.survey import shown, survey, told

    try:
        loaded = load(Path(config))
    except ConfigError as error:
        fail(str(error))
    if wanted is not None and wanted not in {stack.name for stack in loaded.stack}:
        known = ", ".join(stack.name for stack in loaded.stack) or "none"
        fail(f"there is no stack '{wanted}'; configured are: {known}")
    found = list(survey(loaded, wanted, address))
    if address is not None and not any(one.declared for one in found) and not any(one.whys for one in found):
        fail(f"no stack declares '{address}'; `driftwarden declared` lists what they declare")
    if output == "json":
        click.echo(json.dumps([told(one) for one in found], indent=2, default=str))
    else:
        click.echo("\n\n".join(shown(one, in_full=address is not None) for one in found) or "no stack is configured")
    sys.exit(3 if any(one.whys for one in found) else 0)
