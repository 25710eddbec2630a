"""`driftwarden cases`: what people must answer, and their answers."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli import fail
from agent.cli._declare import CONFIG, KEY, OUTPUT, case_table, declare, judgement, review_case, shown, store_of
from agent.cli._through import voice

if TYPE_CHECKING:
    from agent.declare import Accepted, Ground

_COLUMNS = (
    ("severity", "Severity"),
    ("case", "Case"),
    ("stage", "Stage"),
    ("ticket", "Ticket"),
    ("who", "Who"),
    ("title", "What"),
)


_DELIVERIES = (
    ("id", "ID"),
    ("state", "State"),
    ("case", "Case"),
    ("action", "Action"),
    ("attempts", "Attempts"),
    ("since", "Since"),
    ("error", "Why not"),
)


@click.group("cases", short_help="List the cases, review one, accept what was held.")
def command() -> None:
    """The cases people must answer. Who you are comes from your SSH signature, or at the daemon's socket from your
    user; never from an option.

    Exit codes: 0 done, 2 misuse, or what was said does not count; the message says why.
    """


@command.command("list", short_help="List the cases that are not closed.")
@CONFIG
@OUTPUT
@click.option("--all", "closed", is_flag=True, help="Closed ones too.")
def list_(config: str, output: str, closed: bool) -> None:
    """List the cases that are not closed, the gravest first and of those the oldest: where each stands, its ticket,
    and whose changes it is about.
    """
    from agent.declare.shown import case_rows

    with store_of(config) as store:
        rows = case_rows(store, datetime.now(UTC), closed=closed)
    click.echo(json.dumps(rows, indent=2) if output == "json" else case_table(rows, _COLUMNS, "No case is open."))


@command.command("show", short_help="Show one in full.")
@click.argument("case")
@CONFIG
@OUTPUT
def show(case: str, config: str, output: str) -> None:
    """Show CASE in full: what was done, who documented and reviewed it. CASE: a key, DW-…, BG-… or a ticket."""
    from agent.declare import find

    with store_of(config) as store:
        click.echo(shown(find(store, case), output))


@command.command("review", short_help="Accept or reject, as somebody who did not act in it.")
@judgement("Why. Only a break-glass document is accepted without one.")
def review(case: str, accepted: bool | None, reason: str, after_work: bool, key: Path | None, config: str) -> None:
    """Review CASE: somebody other than whoever acted, or wrote its document, accepts or rejects it."""
    if accepted is None:
        fail("say --accept or --reject")
    click.echo(review_case(config, case, accepted, reason, after_work, key))


@command.command("accept", short_help="Accept what takes two people: held cases, looser rules.")
@click.argument("what", nargs=-1)
@click.option("--held", is_flag=True, help="Every case that is held.")
@click.option("--reason", default="", help="Why.")
@KEY
@CONFIG
def accept(what: tuple[str, ...], held: bool, reason: str, key: Path | None, config: str) -> None:
    """Accept what one person must not let happen alone: held cases, or 'authority SHA256'. It takes two people.

    WHAT is a held case, or one of the words that messages of driftwarden tell you to accept, in quotes.
    """
    from agent.declare import PEOPLE_NEEDED, Accepted, acceptances, find, nonce
    from agent.declare.statements import MOST_ACCEPTED
    from agent.model import Acceptance

    def make(ground: Ground, now: datetime) -> Accepted:
        names = list(what)
        if held:
            names += [one.key for one in ground.store.cases.open() if one.state == "held"]
        if len(names) > MOST_ACCEPTED:
            fail(f"{len(names):,} at once; one statement accepts at most {MOST_ACCEPTED:,}: name them in parts")
        if not names:
            fail("no case is held" if held else "name a held case, or say --held")
        keys = {one.key for one in ground.store.cases.open()}
        full = (one if " " in one else f"hold {one if one in keys else find(ground.store, one).key}" for one in names)
        given = tuple(full)
        return Accepted(at=now, estate=ground.estate, nonce=nonce(), what=given, reason=reason)

    made = declare(config, key, make)
    with store_of(config) as store:
        every = acceptances(store)
        for named in (one.what for one in made if isinstance(one, Acceptance)):
            said = every.get(named, ())
            enough = len(said) >= PEOPLE_NEEDED
            kind = named.partition(" ")[0]
            then = (
                f"`driftwarden db {kind}` does it" if kind in ("restore", "prune") else "the next scan goes on with it"
            )
            more = f"enough: {then}" if enough else f"it takes {PEOPLE_NEEDED} people"
            click.echo(f"{named}: accepted by {', '.join(each.by.person for each in said)} ({more})")


@command.command("deliveries", short_help="List what is not in the ticket system yet.")
@CONFIG
@OUTPUT
def deliveries_(config: str, output: str) -> None:
    """List what is not in the ticket system yet: what is `dead` was refused for good, and is tried again by `cases
    retry`; what is `waiting` goes out by itself.
    """
    from agent.filing import deliveries

    with store_of(config) as store:
        rows = deliveries(store.outbox)
    filed = "Everything is filed."
    click.echo(json.dumps(rows, indent=2) if output == "json" else case_table(rows, _DELIVERIES, filed))


@command.command("retry", short_help="Try again what the ticket system refused.")
@click.argument("ids", nargs=-1, type=click.IntRange(min=1), metavar="ID…")
@click.option("--all", "everything", is_flag=True, help="All that was refused for good.")
@CONFIG
def retry(ids: tuple[int, ...], everything: bool, config: str) -> None:
    """Try again what the ticket system refused for good, once it is put right why. ID: of `cases deliveries`.

    It takes an admin. What belongs to the same case follows by itself, in order; nothing is filed twice.
    """
    if bool(ids) == everything:
        fail("name the deliveries, as `driftwarden cases deliveries` has them, or say --all")
    with store_of(config) as store:
        dead = {one.id for one in store.outbox.unsent() if one.state == "dead"}
        if other := sorted(set(ids) - dead):
            listed = ", ".join(map(str, other[:10]))
            fail(f"no such delivery is dead: {listed}; `driftwarden cases deliveries` lists those that are")
        asked = voice()
        spoken = asked.speaker if asked is not None else None
        by = spoken.person if spoken is not None else f"uid {os.geteuid()}, at the store"
        number = store.outbox.revive(datetime.now(UTC), None if everything else ids, by)
    many = "1 delivery is" if number == 1 else f"{number:,} deliveries are"
    then = "tried again: by the daemon within seconds, else by the next scan."
    click.echo(f"{many} {then}" if number else "Nothing was refused for good.")
