"""`driftwarden findings`: what the last scan found."""

from __future__ import annotations

import json
from pathlib import Path

import click

from agent.cli import fail
from agent.cli._show import colour, ended, report_of, width


@click.command("findings", short_help="List what the last scan found, or one finding in full.")
@click.argument("finding", required=False)
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--run", "run_id", help="Which scan; default: the last one.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(finding: str | None, config: str, run_id: str | None, output: str) -> None:
    """Lists the findings of a scan; with an id (or an address), that finding with every difference, change and test."""
    from agent.config import ConfigError, load
    from agent.report.content import ReportError
    from agent.report.files import stored
    from agent.report.text import finding_detail, findings_table
    from agent.rules import RuleError
    from agent.store import StoreError

    try:
        loaded = load(Path(config))
        document = stored(loaded, run_id)
        report = report_of(document, tuple(loaded.path(name) for name in loaded.rules.dirs))
    except (ConfigError, StoreError, ReportError, RuleError) as error:
        fail(str(error))
    found = [one for one in document["findings"] if finding in (None, one["id"], one["address"])]
    if finding is not None and not found:
        fail(f"scan {document['run']['id']} has no finding '{finding}'; `driftwarden findings` lists them")
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    elif finding is None:
        click.echo(f"{findings_table(report, width(), colour=colour())}\n\n{ended(document)}")
    else:
        click.echo("\n\n".join(finding_detail(report, one["id"], width()) or "" for one in found))
