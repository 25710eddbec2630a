"""The command line: one small file per command, found by folder; nothing that decides lives here.

Heavy imports stand inside the commands, so that `driftwarden --help` reads little and answers at once.
"""

from __future__ import annotations

import importlib
import keyword
import pkgutil
import sys
from typing import NoReturn

import click

from agent import __version__
from agent.cli._through import through


class _Commands(click.Group):
    """Commands by folder: a new file in it is a new command."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        # `except_.py` is the command `except`: a module cannot be called like a keyword.
        names = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
        return sorted(name.removesuffix("_") for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"{__name__}.{module}").command
        return through(command, cmd_name)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--socket",
    metavar="PATH",
    help="Control socket of the daemon that is asked; `none`: none. Default: [daemon] socket.",
)
@click.version_option(__version__, prog_name="driftwarden")
def main(socket: str | None) -> None:
    """Compares what Terraform declares with what AWS is and what CloudTrail saw, and says which changes had authority.

    Exit codes: 0 clean, 1 violations found, 2 misuse, 3 incomplete (something could not be read), 4 held (too much
    changed at once to be believed).
    """


def fail(message: str) -> NoReturn:
    """Says what is wrong on stderr and ends with exit code 2, misuse."""
    click.echo(f"driftwarden: {message}", err=True)
    sys.exit(2)
