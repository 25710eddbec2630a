"""A folder of twelve repositories, three of whose states no configuration names and one of which does not parse: from
`init` to the first table, without Terraform on the machine.

No resource of a state that was not read may be called unmanaged or missing; what was read is compared all the same.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from declared.repositories import ACCOUNT, BROKEN, GONE, REGION, SILENT, TEAMS, Twelve, twelve
from small_estate import OURS, Estate

from agent.cli._show import scan_table
from agent.config import load
from agent.demo.recorder import Recorder, iam_user


@pytest.fixture(scope="module")
def told(
    moto_server: str,
    moto_variables: Mapping[str, str],
    reset_moto: Callable[[], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Estate, Twelve, str]]:
    """The estate, its repositories, and what `init` said."""
    reset_moto()
    folder = tmp_path_factory.mktemp("many")
    with Recorder(moto_server, ACCOUNT, lookup_rate=None) as recorder:
        recorder.know(OURS, iam_user("driftwarden", ACCOUNT))
        recorder.allow(OURS)
        made = boto3.Session("testing", "testing", region_name=REGION)
        with recorder.paused():
            repositories = twelve(
                folder / "repositories", lambda name: made.client(name, endpoint_url=recorder.endpoint)
            )
        variables = {**moto_variables, "AWS_ENDPOINT_URL": recorder.endpoint, "AWS_ACCESS_KEY_ID": OURS}
        estate = Estate(folder, recorder, variables)
        began = time.monotonic()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", without_terraform(folder))
            done = estate.driftwarden("init", "--repos", "repositories", "--state-bucket", repositories.bucket)
        assert (done.returncode, done.stderr) == (0, "")
        assert time.monotonic() - began < 60  # a few seconds where nothing else runs
        yield estate, repositories, done.stdout
    reset_moto()


def without_terraform(folder: Path) -> str:
    """A PATH that leads to git and to no terraform."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    git = shutil.which("git")
    assert git is not None
    if not (tools / "git").exists():
        (tools / "git").symlink_to(git)
    assert shutil.which("terraform", path=os.fspath(tools)) is None
    return os.fspath(tools)


def test_init_names_what_a_person_should_look_at(told: tuple[Estate, Twelve, str]) -> None:
    _, repositories, said = told
    assert f"{len(TEAMS)} stacks found. Next: driftwarden check" in said
    assert f"Does not parse (1):\n  repositories/{BROKEN}/infra/prod: main.tf:" in said
    assert "States that match no configuration (3):" in said
    for team in repositories.unlisted:
        place = f"s3://{repositories.bucket}/{repositories.states[team]}"
        line = next(line for line in said.splitlines() if line.startswith(f"  {place}  "))
        assert "serial 4, 4 resources, in 123456789012" in line
    assert "Configurations that match no state (2):" in said
    for team in SILENT:
        assert f"repositories/{team}/infra/prod: its backend block does not name the key" in said


def test_the_configuration_that_init_writes(told: tuple[Estate, Twelve, str]) -> None:
    estate, repositories, _ = told
    config = load(estate.config)
    found = {stack.dir.split("/")[1]: stack for stack in config.stack}
    assert sorted(found) == sorted(TEAMS)
    for team in set(TEAMS) - set(SILENT):
        assert found[team].state == f"s3://{repositories.bucket}/{repositories.states[team]}", team
        assert found[team].account == ACCOUNT
    assert [found[team].state for team in SILENT] == ["", ""]
    assert found["growth"].workspace == "blue"
    known = {f"s3://{repositories.bucket}/{repositories.states[team]}" for team in (*SILENT, GONE)}
    assert set(config.estate.known_states) == known
    assert (config.estate.complete, config.tickets.mode) == (False, "observe")


def test_the_first_table(told: tuple[Estate, Twelve, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan that follows says nothing of what it could not read, and finds what was done to what it could."""
    estate, repositories, _ = told
    (estate.folder / "tickets").mkdir(exist_ok=True)
    sqs = estate.client("dana", "sqs")
    url = sqs.get_queue_url(QueueName="catalog-work")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
    monkeypatch.setenv("PATH", without_terraform(estate.folder))
    code, document, errors = estate.scan_process()
    assert code in (1, 3), errors
    drifts = [(drift["kind"], drift.get("attribute"), about(drift)) for drift in document["drifts"]]
    assert [drift for drift in drifts if drift[0] in ("unmanaged", "missing")] == []
    assert ("changed", "visibility_timeout_seconds") in [drift[:2] for drift in drifts]
    assert [drift for drift in drifts for team in (*repositories.unlisted, BROKEN) if team in drift[2]] == []
    assert document["coverage"]["compared"] >= 4 * (len(TEAMS) - len(SILENT) - 1)
    told_of = json.dumps(document["coverage"]["gaps"])
    assert all(team in told_of for team in (*SILENT, BROKEN))
    table = scan_table(document, 100, ())
    assert "aws_sqs_queue.work: changed by dana" in table


def about(drift: Mapping[str, Any]) -> str:
    return json.dumps(drift.get("subject", drift))
