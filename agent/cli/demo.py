"""`driftwarden demo`: the main job on an embedded cloud."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from agent.cli import fail
from agent.cli._show import scan_table, width


@click.command("demo", short_help="Run the main job on an embedded cloud; needs no AWS account.")
@click.option("--out", default="driftwarden-demo", show_default=True, help="Folder for what the demo leaves behind.")
def command(out: str) -> None:
    """Starts an embedded AWS on loopback, plays a real `terraform apply` into it, lets three people and a pipeline
    change things, and scans. Then checks that the scan says exactly what happened.

    Needs the extra: pip install 'driftwarden[demo]'. Exit codes: 0 the scan told the story, 1 it did not, 2 misuse.
    """
    from agent.config import load
    from agent.demo.cloud import CloudError
    from agent.demo.play import DemoError, play
    from agent.report.files import write

    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:5.1f} s  {line}", err=True)

    try:
        found, wrong = play(Path(out), say)
    except (DemoError, CloudError) as error:
        fail(str(error))
    click.echo(scan_table(found, max(width(), 100)))
    folder = Path(out) / "reports"
    write(load(Path(out) / "driftwarden.toml"), folder)
    click.echo(f"\nThe report: {folder / 'latest.html'}\nThe cases:  {Path(out) / 'tickets'}")
    for line in wrong:
        click.echo(f"not as it happened: {line}", err=True)
    if wrong:
        sys.exit(1)
    say("the scan says what happened, and nothing else")
