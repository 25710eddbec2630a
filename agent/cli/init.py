"""`driftwarden init`: a configuration from what is here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from agent.cli import fail

_FOLDER = click.Path(exists=True, file_okay=False)
_SHOWN = 20  # lines of each list on the terminal; the file has them all


@click.command("init", short_help="Write a commented driftwarden.toml from what is in this directory.")
@click.option("--dir", "-d", "directory", default=".", type=_FOLDER, show_default=True, help="Where it is written.")
@click.option("--repos", type=_FOLDER, metavar="DIR", help="Folder of repositories to search, in place of --dir.")
@click.option("--state-bucket", metavar="BUCKET[/PREFIX]", help="S3 bucket whose states are matched with the code.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(directory: str, repos: str | None, state_bucket: str | None, force: bool) -> None:
    """Finds Terraform root modules, their states and regions, and proposes a configuration in observe mode: what is
    found is reported, and nothing is filed until you say so.

    With --state-bucket it lists the states there, and names those that match no configuration and the configurations
    that match no state. Exit codes: 0, 2 misuse, 3 the bucket could not be listed in full.
    """
    from agent.proposal import find, propose

    target = Path(directory) / "driftwarden.toml"
    if not force and target.exists():
        fail(f"{target} exists; --force overwrites it")
    found = find(Path(directory), Path(repos) if repos else None)
    bucket, _, prefix = (state_bucket or "").removeprefix("s3://").partition("/")
    listing = None
    if state_bucket:
        from agent.aws_session import opened
        from agent.declared.bucket import states

        listing = states(bucket, prefix, opened(), found.keys(bucket))
    proposed = propose(found, listing, bucket)
    try:
        with target.open("w" if force else "x", encoding="utf-8") as file:
            file.write(proposed.text)
    except FileExistsError:
        fail(f"{target} exists; --force overwrites it")
    except OSError as error:
        fail(f"{target}: {error.strerror}")
    click.echo(
        f"{target}: {proposed.stacks} {'stack' if proposed.stacks == 1 else 'stacks'} found. Next: driftwarden check"
    )
    _list("Does not parse", proposed.broken)
    _list("States that match no configuration", proposed.unlisted)
    _list("Configurations that match no state", proposed.stateless)
    if listing and listing.why:
        from agent.clean import clean

        click.echo(f"driftwarden: {clean(listing.why, 300)}", err=True)
        sys.exit(3)


def _list(title: str, lines: Iterable[str]) -> None:
    every = list(lines)
    if not every:
        return
    click.echo(f"{title} ({len(every)}):")
    for line in every[:_SHOWN]:
        click.echo(f"  {line}")
    if len(every) > _SHOWN:
        click.echo(f"  … and {len(every) - _SHOWN} more, in the file")
