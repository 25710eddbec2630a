"""`driftwarden findings`: what is known of the estate now, or what a scan found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli import fail
from agent.cli._show import colour, ended, looked, report_of, width

if TYPE_CHECKING:
    from agent.report.content import Report
    from agent.report.current import Current

_CONFIG = click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
_RUN = click.option("--run", "run_id", help="Which scan; default: all that is known now.")
_OUTPUT = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


class _Findings(click.Group):
    """`list` where no command is named: `driftwarden findings` and `driftwarden findings ID` stay as they were."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["list", *args])


@click.group("findings", cls=_Findings, short_help="List what was found, or one finding in full.")
def command() -> None:
    """What is open now, by the last scan and what was looked at since; with --run, what a scan found.

    Without a command: `list`, or with an id `show`.
    """


@command.command("list", short_help="List what needs a decision.")
@click.argument("finding", required=False)
@_CONFIG
@_RUN
@_OUTPUT
def list_(finding: str | None, config: str, run_id: str | None, output: str) -> None:
    """List the findings; with an id (or an address), that finding in full."""
    if finding is not None:
        _show(finding, config, run_id, output)
        return
    from agent.report.text import findings_table

    found, report = _read(config, run_id)
    if output == "json":
        click.echo(json.dumps(found.document["findings"], indent=2))
    else:
        said = (findings_table(report, width(), colour=colour()), "", ended(found.document), *looked(found))
        click.echo("\n".join(said))


@command.command("show", short_help="Show one in full.")
@click.argument("finding")
@_CONFIG
@_RUN
@_OUTPUT
def show(finding: str, config: str, run_id: str | None, output: str) -> None:
    """Show FINDING, an id or an address, with every difference, change, test and the way back.

    Exit codes: 0 shown, 2 the scan has none by that name, or misuse.
    """
    _show(finding, config, run_id, output)


def _show(finding: str, config: str, run_id: str | None, output: str) -> None:
    from agent.report.text import finding_detail

    known, report = _read(config, run_id)
    found = [one for one in known.document["findings"] if finding in (one["id"], one["address"])]
    if not found:
        fail(f"scan {known.document['run']['id']} has no finding '{finding}'; `driftwarden findings` lists them")
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo("\n\n".join(finding_detail(report, one["id"], width()) or "" for one in found))


def _read(config: str, run_id: str | None) -> tuple[Current, Report]:
    """What is known now or of a scan, and its report; what cannot be read ends the command."""
    from agent.config import ConfigError, load
    from agent.report.content import ReportError
    from agent.report.current import Current
    from agent.report.files import known, stored
    from agent.rules import RuleError
    from agent.store import StoreError

    try:
        loaded = load(Path(config))
        found = Current(stored(loaded, run_id)) if run_id else known(loaded)
        return found, report_of(found.document, tuple(loaded.path(name) for name in loaded.rules.dirs))
    except (ConfigError, StoreError, ReportError, RuleError) as error:
        fail(str(error))
