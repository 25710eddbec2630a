"""`driftwarden breakglass`: emergencies declared, documented and reviewed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from agent.cli import fail
from agent.cli._declare import (
    CONFIG,
    KEY,
    OFFLINE,
    OUTPUT,
    case_table,
    declare,
    estate_of,
    judgement,
    review_case,
    shown,
    store_of,
    write_offline,
)

if TYPE_CHECKING:
    from agent.declare import Documented, Ground, Matter, Opened
    from agent.forms import Form

_COLUMNS = (
    ("emergency", "Emergency"),
    ("stage", "Stage"),
    ("deadline", "Document by"),
    ("who", "Who"),
    ("case", "Case"),
    ("ticket", "Ticket"),
    ("title", "What"),
)
_HINT = "\nWithout the store, `--offline FOLDER` signs it into a file, to be picked up later."
_FIELDS = {"why": "--why", "incident": "--incident", "done": "--done", "told": "--told", "way_back": "--way-back"}


@click.group("breakglass", short_help="Open, document and review emergencies.")
def command() -> None:
    """The emergency path. Who you are comes from your SSH signature, or at the daemon's socket
    from your user; never from an option.

    CASE is a case's key, DW-…, BG-… or the reference of its ticket. Exit codes: 0 done, 2 misuse, or what was said
    does not count; the message says why.
    """


@command.command("open", short_help="Declare a window from now on.")
@click.option("--incident", required=True, help="Reference of the incident.")
@click.option("--for", "length", default="2h", show_default=True, help="How long, for example 90m or 2h.")
@click.option("--reason", default="", help="What is going on.")
@click.option("--actor", "actors", multiple=True, help="Person whose changes it covers; default: you. May repeat.")
@click.option("--role", "roles", multiple=True, help="Wildcard over the role's ARN; default: any. May repeat.")
@click.option("--account", "accounts", multiple=True, help="AWS account; default: any. May repeat.")
@click.option("--environment", "environments", multiple=True, help="Environment; default: any. May repeat.")
@KEY
@OFFLINE
@CONFIG
def open_(incident: str, length: str, key: Path | None, offline: Path | None, config: str, **more: Any) -> None:
    """Declare a break-glass window from now on. Nobody has to approve; you document it afterwards."""
    from agent.cli._announce import announce
    from agent.config import duration
    from agent.declare import SUFFIX, Opened, grant_of, nonce
    from agent.model import Opening

    try:
        lasts = duration(length)
    except ValueError as error:
        fail(f"--for: {error}")

    def make(estate: str, now: datetime) -> Opened:
        return Opened(at=now, estate=estate, nonce=nonce(), incident=incident, until=now + lasts, **more)

    if offline is not None:
        now = datetime.now(UTC)
        file = write_offline(offline, make(estate_of(config), now), key)
        until, its_id, who = now + lasts, file.name.removesuffix(SUFFIX), f"in {file}; it counts once a scan finds it"
    else:
        (made,) = declare(config, key, lambda ground, now: make(ground.estate, now), _HINT)
        until, its_id, who = datetime.now(UTC) + lasts, made.id, f"by {made.by.person}"
    click.echo(f"{grant_of(its_id)} is open until {until:%Y-%m-%d %H:%M} UTC, declared {who}.")
    click.echo(f"Document it afterwards: driftwarden breakglass document {grant_of(its_id)}")
    if offline is not None:
        click.echo("The approvers are told once a scan finds it.")
    elif isinstance(made, Opening):
        click.echo(announce(config, made))


@command.command("document", short_help="Document an emergency.")
@click.argument("case")
@click.option("--why", help="Why the emergency path was needed.")
@click.option("--incident", help="Reference of the incident.")
@click.option("--done", help="What was done, and what came of it.")
@click.option("--told", help="Who was told, and when.")
@click.option("--way-back", type=click.Choice(["revert", "codify"]), help="How it comes back under control.")
@click.option("--outage", default="", help="What kept you from documenting in time.")
@click.option("--file", "form", type=click.File(encoding="utf-8"), help="A filled-in form; `-` reads stdin.")
@KEY
@OFFLINE
@CONFIG
def document(
    case: str, form: Any, outage: str, key: Path | None, offline: Path | None, config: str, **given: str | None
) -> None:
    """Document the emergency CASE, in $EDITOR unless options or --file say it all."""
    from agent.declare import Documented, case_key, find, nonce
    from agent.forms import template as form_of
    from agent.model import Case, CaseKey

    def make(estate: str, key_of_case: str, template: Callable[[], str]) -> Documented:
        filled = _filled(given, outage, form.read() if form else None, template)
        if not key_of_case.startswith(filled.case):
            fail(f"the form is for case {filled.case}, not for {case}")
        return Documented(
            at=datetime.now(UTC),
            estate=estate,
            nonce=nonce(),
            case=case,
            why=filled.why,
            incident=filled.incident,
            done=filled.done,
            told=filled.told,
            way_back=filled.way_back,
            outage=filled.outage,
        )

    if offline is not None:
        unknown = Case(case_key(case) if case.startswith("BG-") else CaseKey(case), f"break-glass {case}", (), "high")
        file = write_offline(offline, make(estate_of(config), unknown.key, lambda: form_of(unknown, None)), key)
        click.echo(f"Signed into {file}; it counts from now once a scan finds it in time.")
        return

    seen: list[bool] = []

    def about(ground: Ground, _: datetime) -> Documented:
        matter = find(ground.store, case)
        seen.append(matter.seen)
        return make(ground.estate, matter.key, lambda: _form(matter))

    (made,) = declare(config, key, about, _HINT)
    click.echo(f"{case}: documented by {made.by.person}.")
    when = "" if all(seen) else ", once a scan has seen its calls"
    click.echo(f"Somebody else reviews it{when}: driftwarden breakglass review {case}")


@command.command("review", short_help="Accept or reject somebody else's document.")
@judgement("Why; to reject needs one.")
def review(case: str, accepted: bool | None, reason: str, after_work: bool, key: Path | None, config: str) -> None:
    """Review the document of CASE: somebody other than whoever acted or wrote it."""
    if accepted is None:
        fail("say --accept or --reject; `driftwarden breakglass show` shows what is judged")
    click.echo(review_case(config, case, accepted, reason, after_work, key))


@command.command("list", short_help="List emergencies and windows.")
@CONFIG
@OUTPUT
@click.option("--all", "closed", is_flag=True, help="Closed ones too.")
def list_(config: str, output: str, closed: bool) -> None:
    """List emergencies and declared windows: where each stands, until when it must be documented, and who acted."""
    from agent.declare import emergencies
    from agent.declare.shown import rows

    with store_of(config) as store:
        found = rows(emergencies(store), datetime.now(UTC), closed=closed)
    click.echo(
        json.dumps(found, indent=2) if output == "json" else case_table(found, _COLUMNS, "No emergency is open.")
    )


@command.command("show", short_help="Show one in full.")
@click.argument("case")
@CONFIG
@OUTPUT
def show(case: str, config: str, output: str) -> None:
    """Show CASE in full: its calls, its window, its document and its review."""
    from agent.declare import find

    with store_of(config) as store:
        click.echo(shown(find(store, case), output))


@command.command("template", short_help="Print the form of a document.")
@click.argument("case")
@CONFIG
def template(case: str, config: str) -> None:
    """Print the form of CASE, to be filled in and given to `document --file`, or sent as a reply in its ticket."""
    from agent.declare import find

    with store_of(config) as store:
        click.echo(_form(find(store, case)), nl=False)


def at_terminal() -> bool:
    """Whether somebody is there to edit."""
    return sys.stdin.isatty()


def _form(matter: Matter) -> str:
    """The form of a case, with what is known of it."""
    from agent.declare.shown import standing_in
    from agent.forms import template as form_of

    known = matter.case.emergencies if matter.case else ()
    return form_of(standing_in(matter), known[0] if known else None)


def _filled(given: dict[str, str | None], outage: str, text: str | None, template: Callable[[], str]) -> Form:
    """A document's fields: from options, a file, or the editor."""
    from agent.forms import Form

    said = {name: answer for name in _FIELDS if (answer := given[name]) is not None}
    if text is not None:
        return _parsed(text)
    if not said:
        return _parsed(edited(template()))
    missing = [option for name, option in _FIELDS.items() if name not in said]
    if missing:
        fail(f"{', '.join(missing)} must be given too; without any the form opens in $EDITOR")
    way_back: Literal["revert", "codify"] = "revert" if said["way_back"] == "revert" else "codify"
    return Form(said["why"], said["incident"], said["done"], said["told"], way_back, outage)


def _parsed(text: str) -> Form:
    """The form in a file."""
    from agent.forms import Form, parse_document

    found = parse_document(text)
    if found is None:
        fail("no form is in it; `driftwarden breakglass template` prints one")
    if not isinstance(found, Form):
        fail(f"the form does not count yet:\n{found}")
    return found


def edited(text: str) -> str:
    """A form as it is filled in, edited again until it is whole; what was written is never lost."""
    from agent.forms import Form, parse_document

    if not at_terminal():
        fail(f"there is no terminal to edit the form in: give {', '.join(_FIELDS.values())}, or --file")
    while True:
        text = click.edit(text, extension=".txt", require_save=False) or text
        found = parse_document(text)
        if isinstance(found, Form):
            return text
        click.echo(str(found) if found else "the line `driftwarden document` is gone", err=True)
        if not click.confirm("Edit again?", default=True, err=True):
            kept = Path("driftwarden-document.txt")
            kept.write_text(text, encoding="utf-8")
            fail(f"not documented; what you wrote is in {kept}: finish it, and give it with --file")
