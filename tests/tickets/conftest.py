"""Fixtures of the ticket tests: a Roundup that lives as long as the session, and each system with its people."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from people import People, RegisterPeople, RoundupPeople
from roundup_server import BOT, BOT_PASSWORD, TOOLS, Tracker, served

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


@pytest.fixture(params=["register", "roundup"])
def people(request: pytest.FixtureRequest, tmp_path: Path) -> People:
    if request.param == "register":
        return RegisterPeople(tmp_path, Register(tmp_path, lambda: datetime.now(UTC)))
    tracker: Tracker = request.getfixturevalue("tracker")
    return RoundupPeople(tracker, Roundup(tracker.url, BOT, BOT_PASSWORD))


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
