"""Fixtures of the ticket tests: a Roundup that lives as long as the session, and each system with its people."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redmine_server
from github_fake import GitHubPeople
from gitlab_fake import GitLabPeople
from jira_fake import JiraDataCenterPeople, JiraPeople
from people import People, RegisterPeople, RoundupPeople
from redmine_fake import RedminePeople
from roundup_server import BOT, BOT_PASSWORD, TOOLS, Tracker, served
from servicenow_fake import ServiceNowPeople

from agent.model import Case, CaseKey, FindingId
from agent.tickets.register import Register
from agent.tickets.roundup import Roundup


@pytest.fixture(scope="session")
def tracker() -> Iterator[Tracker]:
    """A running tracker."""
    if not (TOOLS / "roundup-server").exists():
        pytest.skip("roundup is not installed (it is in the dependency group dev)")
    with served() as tracker:
        yield tracker


FAKES = {
    "redmine": RedminePeople,
    "jira": JiraPeople,
    "jira-datacenter": JiraDataCenterPeople,
    "servicenow": ServiceNowPeople,
    "github": GitHubPeople,
    "gitlab": GitLabPeople,
}


@pytest.fixture(params=["register", "roundup", *FAKES, pytest.param("redmine-server", marks=pytest.mark.sweep)])
def people(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[People]:
    """The people of each system: register and Roundup are real, the others are fakes that keep what they are told."""
    if request.param == "register":
        yield RegisterPeople(tmp_path, Register(tmp_path, lambda: datetime.now(UTC)))
    elif request.param == "roundup":
        tracker: Tracker = request.getfixturevalue("tracker")
        yield RoundupPeople(tracker, Roundup(tracker.url, BOT, BOT_PASSWORD))
    elif request.param == "redmine-server":
        if redmine_server.MISSING:
            pytest.skip(redmine_server.MISSING)
        yield redmine_server.people()
    else:
        with FAKES[request.param].make(tmp_path) as people:
            yield people


@pytest.fixture
def case() -> Case:
    """A case nobody has filed."""
    return Case(
        CaseKey(uuid.uuid4().hex[:16]),
        "aws_sqs_queue.orders: changed by dana (console) without authority",
        findings=(FindingId(f"F-{uuid.uuid4().hex[:12]}"), FindingId(f"F-{uuid.uuid4().hex[:12]}")),
        severity="high",
        rules=("unticketed-change",),
        controls=("SOX-CC-05", "PCI DSS 6.5.1"),
        body="aws_sqs_queue.orders\n  visibility_timeout_seconds: declared 30, live 900",
    )
