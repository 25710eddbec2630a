"""`driftwarden report`: a scan as pages a reviewer reads, and the week as one a manager does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource

from agent.cli import fail

CONFIG = click.option("--config", "-c", default="driftwarden.toml", show_default=True, help="Configuration file.")
OUT = click.option(
    "--out", type=click.Path(file_okay=False), help="Folder; default: [report] dir of the configuration."
)


@click.group("report", invoke_without_command=True, short_help="Write the report of a scan, or of a week.")
@CONFIG
@click.option("--run", "run_id", help="Which scan; default: the last one.")
@OUT
@click.pass_context
def command(ctx: click.Context, config: str, run_id: str | None, out: str | None) -> None:
    """Writes `<run>.html` and `<run>.md`, and the same as `latest`; `weekly` writes the report of a week."""
    from agent.config import ConfigError, load
    from agent.report.content import ReportError
    from agent.report.files import write
    from agent.rules import RuleError
    from agent.store import StoreError

    if ctx.invoked_subcommand is not None:
        if any(ctx.get_parameter_source(name) is not ParameterSource.DEFAULT for name in ctx.params):
            fail(f"give the options after the word: driftwarden report {ctx.invoked_subcommand} --config …")
        return
    try:
        loaded = load(Path(config))
        for path in write(loaded, Path(out) if out else loaded.path(loaded.report.dir), run_id):
            click.echo(path)
    except (ConfigError, RuleError, StoreError, ReportError) as error:
        fail(str(error))


@command.command("weekly", short_help="Write the report of a week, and send it.")
@click.option("--week", "name", help="Which week, by ISO 8601: 2026-W47. Default: the last that is over.")
@click.option("--ending", "day", help="Instead: the last week that is over when this day is, 2026-11-22.")
@click.option("--send", is_flag=True, help="E-mail it to [report] to, whether or not it was sent before.")
@CONFIG
@OUT
def weekly(name: str | None, day: str | None, send: bool, config: str, out: str | None) -> None:
    """Writes the report of a week as HTML, Markdown and JSON, and keeps its figures in the store."""
    from agent.clean import clean
    from agent.cli._declare import fence
    from agent.config import ConfigError, load
    from agent.mail import MailError
    from agent.report.content import ReportError
    from agent.report.weekly import WeekError, ending, keep, make, named, post, write
    from agent.rules import RuleError
    from agent.store import StoreError, connect

    if name and day:
        fail("--week and --ending both say which week: give one of the two")
    try:
        loaded = load(Path(config))
        zone = loaded.schedule.timezone
        which = named(name, zone) if name else ending(day, zone) if day else None
        now = datetime.now(UTC)
        with connect(loaded.store_url(), fence=fence()) as store:
            made = make(loaded, store, now, which)
            keep(store, made)
            for path in write(made, Path(out) if out else loaded.path(loaded.report.dir)):
                click.echo(path)
            refused = post(loaded, store, made, now) if send else {}
    except (ConfigError, RuleError, StoreError, ReportError, WeekError, MailError) as error:
        fail(str(error))
    for one, why in sorted(refused.items()):
        click.echo(f"driftwarden: not delivered to {clean(one)}: {clean(why)}", err=True)
