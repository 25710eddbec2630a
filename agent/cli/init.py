"""`driftwarden init`: a configuration from what is here."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli import fail


@click.command("init", short_help="Write a commented driftwarden.toml from what is in this directory.")
@click.option("--dir", "-d", "directory", default=".", type=click.Path(exists=True, file_okay=False), show_default=True)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(directory: str, force: bool) -> None:
    """Finds Terraform root modules, their states and regions, and proposes a configuration in observe mode: what is
    found is reported, and nothing is filed until you say so.
    """
    from agent.proposal import proposal, roots

    target = Path(directory) / "driftwarden.toml"
    text = proposal(Path(directory))
    try:
        with target.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail(f"{target} exists; --force overwrites it")
    except OSError as error:
        fail(f"{target}: {error.strerror}")
    count = len(roots(Path(directory)))
    click.echo(f"{target}: {count} {'stack' if count == 1 else 'stacks'} found. Next: driftwarden check")
