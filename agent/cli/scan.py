"""`driftwarden scan`: one pass over the estate."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from agent.cli import fail
from agent.cli._show import scan_table, width


@click.command("scan", short_help="Compare declared, live and trail; judge; file what must be answered.")
@click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--dry-run", is_flag=True, help="Print what would be done; keep and file nothing.")
@click.option("--watch", metavar="EVERY", help="Scan again every 15m, 6h, … and when a stack's files change.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
def command(config: str, output: str, dry_run: bool, watch: str | None, quiet: bool) -> None:
    """Reads what Terraform declares, what AWS is and what CloudTrail saw, judges the differences and the changes, and
    files what a person must answer. The scan runs in a process of its own.

    Exit codes: 0 clean, 1 violations, 2 misuse, 3 incomplete, 4 held.
    """
    quiet = quiet or not sys.stderr.isatty()

    def once() -> int:
        from agent.child import scan_in_child

        code, document = scan_in_child(Path(config), dry_run=dry_run, quiet=quiet)
        if document is None:
            return code
        if output == "json":
            click.echo(json.dumps(document, indent=2))
        else:
            from agent.config import load

            loaded = load(Path(config))
            folders = tuple(loaded.path(name) for name in loaded.rules.dirs)
            click.echo(scan_table(document, width(), folders))
        return code

    if watch is None:
        sys.exit(once())
    from agent.config import ConfigError
    from agent.watch import keep_scanning

    try:
        keep_scanning(Path(config), watch, once)
    except (ConfigError, ValueError) as error:
        fail(str(error))
