"""`driftwarden baseline`: what differed when an estate was adopted, proposed, approved and listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli._declare import CONFIG, KEY, OUTPUT, key_file
from agent.cli._tolerated import ends, office, said, tell, uses_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.model import Finding

_SHOWN = 20  # lines of each list on the terminal


@click.group("baseline", short_help="The baseline of an adopted estate: propose, approve and list it.")
def command() -> None:
    """What differed when an estate was adopted: recorded by the hash of its value, owned, and tolerated until it ends.
    Another value is new drift."""


@command.command("propose")
@click.option("--stack", help="Only this stack; default: all, a file each.")
@click.option("--owner", required=True, help="Who answers for it: an id of the identity map.")
@click.option("--approver", required=True, help="Who is to approve it: somebody else, with the role approver.")
@click.option("--until", required=True, help="Its end: 2027-05-31, or a length such as 180d.")
@click.option("--reason", default="", help="Why it is tolerated for now.")
@CONFIG
def propose(stack: str | None, owner: str, approver: str, until: str, reason: str, config: str) -> None:
    """Write what differs now, by the last scans, to files that wait for their approval. What is critical (public
    exposure, identity, the trail, keys, the agent's own) is left out: it must be answered for."""
    from agent.resources import load as load_specs
    from agent.rules import load_rules
    from agent.seal import ring
    from agent.store import connect
    from agent.tolerated.digests import digest_of, install_mark
    from agent.tolerated.editing import create
    from agent.tolerated.proposal import critical_of, own_names
    from agent.tolerated.proposal import propose as proposed
    from agent.upkeep.keys import belongs, key_of

    with said():
        at = office(config)
        loaded, specs = at.config, load_specs()
        rules = load_rules([loaded.path(folder) for folder in loaded.rules.dirs])
        key = key_of(loaded)
        with connect(loaded.store_url()) as store:
            belongs(store, ring(key), loaded.path(loaded.store.key))
            findings = [one.finding for one in store.findings.open().values()]
        head = {"install": install_mark(key), "owner": owner, "approver": approver, "until": ends(until, at.now)}
        head |= {"reason": reason} if reason else {}
        critical = critical_of(rules, specs, own_names(loaded))
        found = proposed(findings, stack, head, at.now, digest_of(key, specs), critical)
        folder = loaded.path(loaded.baseline.dir)
        for file in found.files:
            written = create(folder, file.name, file.text)
            click.echo(f"{written}: {file.entries} differences wait for {approver}'s approval:")
            click.echo(f"  driftwarden baseline approve {written}")
    if not found.files:
        click.echo("Nothing to adopt: no difference that nobody had authority for, and that may be baselined.")
    _left("Critical, and to be answered for", found.critical)
    _left("Not to be written into a file, by their names", found.unwritable)


@command.command("approve")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@KEY
@CONFIG
def approve(file: Path, key: Path | None, config: str) -> None:
    """Approve FILE as it stands now with your SSH signature. Commit it afterwards: any change ends the approval."""
    from agent.config import duration
    from agent.tolerated.approving import approve_baseline
    from agent.tolerated.digests import install_marks
    from agent.upkeep.keys import key_of

    with said():
        at = office(config)
        marks = install_marks(key_of(at.config))
        longest = duration(at.config.baseline.longest)
        found = approve_baseline(file, longest, at.approvals, marks, key_file(key), at.now)
    click.echo(f"{file}: {len(found.entries)} differences are approved until {found.until:%Y-%m-%d}")


@command.command("list")
@CONFIG
@OUTPUT
def list_(config: str, output: str) -> None:
    """List the files of the baseline: how each stands, whose it is, and how many of its differences are still there.

    Exit codes: 0, 2 misuse, 3 something is wrong with a file.
    """
    from agent.config import duration
    from agent.tolerated.baseline import read
    from agent.tolerated.digests import install_marks
    from agent.tolerated.shown import baseline_rows
    from agent.upkeep.keys import key_of

    with said():
        at = office(config)
        folder, longest = at.config.path(at.config.baseline.dir), duration(at.config.baseline.longest)
        marks = install_marks(key_of(at.config))
        found = read(folder, longest, at.approvals, at.now, marks)
        rows = baseline_rows(found.files, uses_of(at.config), at.now)
    tell(rows, found.problems, output, f"No baseline in {folder}.")


def _left(title: str, findings: Sequence[Finding]) -> None:
    from agent.clean import clean

    if not findings:
        return
    click.echo(f"{title} ({len(findings)}):")
    for one in findings[:_SHOWN]:
        click.echo(f"  {one.id}  {clean(one.address or one.key)}")
    if len(findings) > _SHOWN:
        click.echo(f"  … and {len(findings) - _SHOWN} more")
