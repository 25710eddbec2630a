"""The demo: an embedded cloud, a real estate, a story, and the main job run on it, checked against the story's truth.

Hides the preparation of the folder it leaves behind: configuration, tickets, state, store and reports to look at.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from agent.child import scan_in_child
from agent.config import aws_environment
from agent.demo import cloud, story
from agent.demo.cloud import ACCOUNT, TRAIL_BUCKET

_MARK = ".driftwarden-demo"
"""In a folder we may empty."""

_CONFIG = f"""\
# The demo's configuration: a real one, as `driftwarden init` would begin it.

[estate]
name = "payments"
complete = true # the stacks below are all there are: what none of them declares is unmanaged

[[stack]]
name = "payments"
dir = "estate"
state = "terraform.tfstate"
owner = "team-payments"

[[account]]
id = "{ACCOUNT}"
regions = ["us-east-1"]

[trail]
source = "s3://{TRAIL_BUCKET}"
lookback = "1d"

[[authority.pipeline]]
name = "deploy"
role = "arn:aws:iam::{ACCOUNT}:role/payments-deploy"
subject = "{story.PIPELINE_SUBJECT}"

[authority.people]
"dana@acme.example" = "dana"
"priya@acme.example" = "priya"

[tickets]
mode = "file"

[tickets.register]
path = "tickets"
"""


class DemoError(Exception):
    """The demo cannot be played."""


def play(out: Path, say: Callable[[str], None]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Plays the whole demo in the folder `out` → the scan document, and where it differs from the story's truth.

    Raises DemoError and `cloud.CloudError`.
    """
    estate = resources.files("agent.demo") / "estate"
    config = _prepare(out, estate)
    with cloud.cloud(out) as recorder:
        say("an embedded AWS is up; Terraform's recorded apply is played back into it")
        calls = cloud.replay(recorder, estate)
        cloud.deliver(recorder)
        with aws_environment(cloud.variables(recorder)):
            say(f"{calls} calls made the payments estate; first scan")
            code, first = scan_in_child(config)
            if first is None or code != 0:
                raise DemoError(f"the freshly applied estate should be clean, and the first scan ended with {code}")
            say("clean. Now three people and a pipeline go to work")
            story.happen(recorder, out / "estate")
            cloud.deliver(recorder)
            say("second scan")
            code, found = scan_in_child(config)
            if found is None:
                raise DemoError(f"the second scan ended with {code}")
    return found, tuple(_differences(found, code))


def _prepare(out: Path, estate: Traversable) -> Path:
    if out.exists() and any(out.iterdir()):
        if not (out / _MARK).exists():
            raise DemoError(f"{out} is not empty and not an earlier demo; name another folder with --out")
        shutil.rmtree(out)
    (out / "estate").mkdir(parents=True)
    (out / "tickets").mkdir()
    (out / _MARK).touch()
    for file in estate.iterdir():
        if not file.name.startswith("recording"):
            (out / "estate" / file.name).write_bytes(file.read_bytes())
    (out / "tickets" / "changes.yaml").write_text(story.tickets(datetime.now(UTC)), encoding="utf-8")
    config = out / "driftwarden.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    return config


def _differences(found: Mapping[str, Any], code: int) -> Iterator[str]:
    """Every way in which the scan does not say what happened."""
    if code != 1:
        yield f"exit code {code} instead of 1, violations"
    expected = {truth.name: truth for truth in story.TRUTH}
    named = [(item["address"] or f"{item['type']} {item['id_live']}", item) for item in found["findings"]]
    findings = dict(named)
    yield from (f"missed: {name}" for name in sorted(expected.keys() - findings.keys()))
    yield from (f"not in the story: {name}" for name in sorted(findings.keys() - expected.keys()))
    for name in sorted(expected.keys() & findings.keys()):
        yield from _compared(expected[name], findings[name])
    counts = Counter(name for name, _ in named)
    yield from (f"reported twice: {name}" for name, count in counts.items() if count > 1)
    action, actor, ticket = story.AUTHORISED
    if not any(
        change["action"] == action
        and change["actor"]["name"] == actor
        and (change["verdict"]["outcome"], change["verdict"]["ticket"]) == ("authorised", ticket)
        for change in found["changes"]
    ):
        yield f"{action} by {actor} under {ticket} is not authorised"
    if found["coverage"]["trail"]["denied"] != story.DENIED:
        yield f"{found['coverage']['trail']['denied']} denied calls instead of {story.DENIED}"
    cases = {finding: case for case in found["cases"] for finding in case["findings"]}
    for item in findings.values():
        if item["rules"] and item["id"] not in cases:
            yield f"{item['address']}: breaks rules and is in no case"


def _compared(truth: story.Truth, finding: Mapping[str, Any]) -> Iterator[str]:
    verdict = finding["verdict"]
    told = [change for change in finding["changes"] if change["verdict"] == verdict]
    said: Mapping[str, object] = {
        "kinds of drift": tuple(sorted(drift["kind"] for drift in finding["drifts"])),
        "actor": told[-1]["actor"]["name"] if told else "",
        "outcome": verdict["outcome"],
        "failed tests": tuple(test["name"] for test in verdict["tests"] if test["result"] == "fail"),
        "ticket": verdict["ticket"] or "",
    }
    meant = dict(zip(said, (truth.kinds, truth.actor, truth.outcome, truth.failed, truth.ticket), strict=True))
    yield from (
        f"{truth.name}: {what} is {said[what]}, not {meant[what]}" for what in said if said[what] != meant[what]
    )
