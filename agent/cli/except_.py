"""`driftwarden except`: governed permissions to differ, asked for, approved, listed and ended."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from agent.cli._declare import CONFIG, KEY, OUTPUT, key_file
from agent.cli._tolerated import Office, ends, office, said, tell, uses_of


@click.group("except", short_help="Exceptions: list, ask for, approve and end permissions to differ.")
def command() -> None:
    """Permissions to differ: files under version control, each with a scope, a reason, an owner, somebody else's
    approval and an end."""


@command.command("list")
@CONFIG
@OUTPUT
def list_(config: str, output: str) -> None:
    """List the exceptions: in force, waiting for approval, ending within 14 days, ended, never needed.

    Exit codes: 0, 2 misuse, 3 something is wrong with a file or an entry.
    """
    from agent.tolerated.exceptions import read
    from agent.tolerated.shown import exception_rows

    with said():
        at = office(config)
        found = read(at.exceptions, at.longest, at.approvals, at.now)
        rows = exception_rows(found.found, uses_of(at.config), at.now)
    tell(rows, found.problems, output, f"No exceptions in {at.exceptions}.")


@command.command("add")
@click.option("--address", "addresses", multiple=True, help="Terraform address, or stack/address; wildcards.")
@click.option("--resource", "keys", multiple=True, help="account/region/type/id, or an id; wildcards.")
@click.option("--type", "types", multiple=True, help="Resource type; narrows what the others name.")
@click.option("--account", "accounts", multiple=True, help="AWS account; narrows what the others name.")
@click.option("--attribute", "attributes", multiple=True, help="Attribute; default: whatever differs.")
@click.option("--reason", required=True, help="Why it may differ.")
@click.option("--owner", required=True, help="Who answers for it: an id of the identity map.")
@click.option("--approver", required=True, help="Who is to approve it: somebody else, with the role approver.")
@click.option("--until", required=True, help="Its end: 2026-12-31, or a length such as 30d.")
@click.option("--ticket", default="", help="Reference of the ticket it goes back to.")
@click.option("--id", "id_", help="Its id; default: one made from the day and what it covers.")
@click.option("--file", type=click.Path(path_type=Path), help="File to add it to; default: one of its own.")
@CONFIG
def add(config: str, id_: str | None, until: str, file: Path | None, ticket: str, **given: Any) -> None:
    """Ask for an exception: writes it, to wait for its approval. A scope needs an address, a resource, a type or an
    account."""
    from agent.tolerated.approving import add as write
    from agent.tolerated.approving import new_id

    with said():
        at = office(config)
        fields = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value}
        entry = {"id": id_ or new_id("EX", fields, at.now), **fields, "since": f"{at.now:%Y-%m-%dT%H:%M:%SZ}"}
        entry |= {"until": ends(until, at.now), **({"ticket": ticket} if ticket else {})}
        written = write(at.config, entry, file, at.approvals, at.now)
    click.echo(f"{written}: {entry['id']} waits for {entry['approver']}'s approval, under version control:")
    click.echo(f"  driftwarden except approve {entry['id']}")


@command.command("approve")
@click.argument("id_", metavar="ID")
@KEY
@CONFIG
def approve(id_: str, key: Path | None, config: str) -> None:
    """Approve the exception or the standing change ID, as it stands now, with your SSH signature. Commit the file
    afterwards: any change to the entry ends the approval."""
    from agent import standing
    from agent.tolerated import exceptions
    from agent.tolerated.approving import approve as sign
    from agent.tolerated.approving import checks, find

    with said():
        at = office(config)
        kind, file = find(_folders(at), id_)
        check = checks(at.config, at.approvals, at.now)
        if kind == standing.KIND:
            sign(
                file,
                id_,
                kind,
                lambda value, where: standing.entry(value, where, at.approvals, at.now),
                key_file(key),
                at.now,
                at.approvals.estate,
            )
        else:
            sign(file, id_, exceptions.KIND, check, key_file(key), at.now, at.approvals.estate)
    click.echo(f"{file}: {id_} is approved; it counts from the next scan that reads this file")


@command.command("expire")
@click.argument("id_", metavar="ID")
@CONFIG
def expire(id_: str, config: str) -> None:
    """End the exception or the standing change ID now. Nobody has to approve that."""
    from agent.tolerated.approving import end, find

    with said():
        at = office(config)
        _, file = find(_folders(at), id_)
        end(file, id_, datetime.now(UTC))
    click.echo(f"{file}: {id_} is ended")


def _folders(at: Office) -> dict[str, Path]:
    from agent import standing
    from agent.tolerated import exceptions

    folders = {exceptions.KIND: at.exceptions}
    if at.config.authority.standing:
        folders[standing.KIND] = at.config.path(at.config.authority.standing)
    return folders
