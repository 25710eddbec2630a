"""`driftwarden report`: a scan as pages a reviewer reads."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli import fail


@click.command("report", short_help="Write the HTML and Markdown report of a scan.")
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--run", "run_id", help="Which scan; default: the last one.")
@click.option("--out", type=click.Path(file_okay=False), help="Folder; default: [report] dir of the configuration.")
def command(config: str, run_id: str | None, out: str | None) -> None:
    """Writes `<run>.html` and `<run>.md`, and the same as `latest.html` and `latest.md`."""
    from agent.config import ConfigError, load
    from agent.report.content import ReportError
    from agent.report.files import write
    from agent.rules import RuleError
    from agent.store import StoreError

    try:
        loaded = load(Path(config))
        for path in write(loaded, Path(out) if out else loaded.path(loaded.report.dir), run_id):
            click.echo(path)
    except (ConfigError, RuleError, StoreError, ReportError) as error:
        fail(str(error))
