"""`driftwarden plan`: what a Terraform plan changes, and the fingerprint that stands for it in a ticket."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli import fail

if TYPE_CHECKING:
    from agent.model import ApprovedPlan, PlannedChange

_SIGNS = {"create": "+", "update": "~", "delete": "-"}


@click.command("plan", short_help="Show what a Terraform plan changes, and its fingerprint for the ticket.")
@click.argument("file")
@click.option("--output", type=click.Choice(["table", "json", "fingerprint"]), default="table", show_default=True)
def command(file: str, output: str) -> None:
    """Reads FILE, or standard input where it is `-`: what `terraform show -json PLAN` writes. Attach that file to the
    ticket, or write the fingerprint into it: the approval is then given for this plan, and what is done later is held
    against it. Two plans that change the same have the same fingerprint, whenever they were made.

    Values that Terraform marks as sensitive are not shown.

    Exit codes: 0 shown, 2 misuse, also for what is no plan.
    """
    from secrets import token_bytes

    from agent.declared.approved_plan import MAX_BYTES, read_plan
    from agent.declared.plan_json import PlanError
    from agent.declared.regular import read_regular

    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if file == "-" else read_regular(Path(file), MAX_BYTES + 1)
        # Nothing is kept: the key that seals what is sensitive is forgotten at once.
        plan = read_plan(data, token_bytes(32))
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except PlanError as error:
        fail(f"{file}: {error}")
    if output == "fingerprint":
        click.echo(plan.fingerprint)
    elif output == "json":
        told = [_told(one) for one in plan.changes or ()]
        click.echo(json.dumps({"fingerprint": plan.fingerprint, "changes": told}, indent=2))
    else:
        click.echo("\n".join([plan.fingerprint, *_lines(plan)]))


def _told(one: PlannedChange) -> dict[str, Any]:
    act = "replace" if one.replaces else one.act
    return {"address": one.address, "act": act, "attributes": {name: _plain(one.sets[name]) for name in one.changed}}


def _plain(value: Any) -> Any:
    """A value as JSON; `{"$sensitive": true}` and `{"$unknown": true}` stand for what is not shown."""
    from agent.model import Secret, Unknown

    match value:
        case Secret():
            return {"$sensitive": True}
        case Unknown():
            return {"$unknown": True}
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _lines(plan: ApprovedPlan) -> list[str]:
    from agent.clean import clean
    from agent.hcl_text import literal
    from agent.model import Secret, Unknown

    lines = [] if plan.changes else ["it changes nothing in the cloud"]
    for one in plan.changes or ():
        lines += ["", f"{'-/+' if one.replaces else _SIGNS[one.act]} {clean(one.address)}"]
        later = [name for name in one.changed if isinstance(one.sets[name], Unknown)]
        for name in one.changed:
            value = one.sets[name]
            if isinstance(value, Secret):
                lines.append(f"    {clean(name)} = (sensitive)")
            elif name not in later and value not in (None, "", [], {}):
                text = literal(value)
                shown = (
                    "(holds what is sensitive or not known yet)"
                    if text is None
                    else " ".join(line.strip() for line in text.split("\n"))
                )
                lines.append(f"    {clean(name)} = {clean(shown, 300)}")
        if later:
            lines.append(f"    known after the apply: {clean(', '.join(later))}")
    return lines
