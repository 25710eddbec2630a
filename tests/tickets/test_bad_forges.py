"""Bad input from forges: whatever they answer about a commit, a pipeline's change is undecided, and judged again."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from line import DEPLOY, NOON, QUEUE_KEY, SUBJECT, queue, ticket
from misbehaving import Answer, misbehaving
from trail_records import ACCOUNT, REGION

from agent.authorise import Estate, verdict
from agent.config import ticket_systems
from agent.model import Actor, Authority, Change, Claim, Pipeline, Run, Tickets, Verdict
from agent.tickets import Forge

COMMIT = "4f1c2a9d0b5e6f708192a3b4c5d6e7f8091a2b3c"
CI = Actor(
    *("acme/shop", "pipeline"),
    how="OIDC",
    confidence=0.95,
    role=DEPLOY,
    subject=SUBJECT,
    run=Run("github", "acme/shop", "17", commit=COMMIT),
)
FORGES: dict[str, dict[str, Any]] = {
    "github": {"repository": "acme/shop", "repositories": ("acme/shop",)},
    "gitlab": {"project": "acme/shop", "projects": ("acme/shop",)},
}
ANSWERS = {
    "wrong key": Answer(401),
    "forbidden": Answer(403),
    "throttled": Answer(429, {"Retry-After": "7"}),
    "broken": Answer(500),
    "a login page": Answer(body=b"<html>log in</html>"),
    "half an answer": Answer(body=b'{"data": {"repository"'),
    "another answer": Answer(body=b"7"),
    "nothing at all": Answer(body=b""),
    "hung up": Answer(hang_up=True),
}


def forge(name: str, url: str, base: Path) -> Forge:
    kind = ticket_systems()[name]
    needed = {one.name: "secret-word" for one in msgspec.structs.fields(kind) if one.required}
    settings = msgspec.convert(needed | {"url": url} | FORGES[name], kind)
    found = import_module(f"agent.tickets.{name}").open_system(settings, base)
    assert isinstance(found, Forge)
    return found


def judged(claims: tuple[Claim, ...], unread: tuple[str, ...], **fields: Any) -> Verdict:
    """The verdict on what the pipeline did to the queue; its ticket permits it."""
    change = Change(
        ("e1",), NOON, "sqs:SetQueueAttributes", CI, "iac", ACCOUNT, REGION, targets=(QUEUE_KEY,), claims=claims
    )
    known = ticket() if claims else ticket(start=None)
    trust = Authority(Tickets((known,), merges_unread=unread), (Pipeline("deploy", DEPLOY, SUBJECT),), **fields)
    return verdict(change, change.targets, trust, Estate([queue()]), NOON + timedelta(days=1))


@pytest.mark.parametrize("name", FORGES)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_no_bad_answer_of_a_forge_decides_anything(name: str, answer: Answer, tmp_path: Path) -> None:
    with misbehaving(answer) as server:
        merges, unread = forge(name, server.url, tmp_path).merges([("acme/shop", COMMIT)])
    assert merges == ()
    (said,) = unread
    assert name in said
    assert "secret-word" not in said
    named, nameless = judged((Claim("CHG-7", "session tag"),), unread), judged((), unread)
    for found in (named, nameless):
        assert (found.outcome, found.path, found.failed) == ("indeterminate", "pipeline", ())
        assert all(said in test.evidence for test in found.tests if test.result == "unknown")
    # Without its text nobody knows whether the merge request names a ticket.
    assert [test.name for test in named.tests if test.result == "unknown"] == ["review", "checks"]
    assert [test.name for test in nameless.tests if test.result == "unknown"] == ["ticket", "review", "checks"]


def test_it_is_judged_again_when_the_forge_answers() -> None:
    again = judged((Claim("CHG-7", "session tag"),), (), history={"e1": "indeterminate"})
    assert (again.outcome, again.path, again.late) == ("authorised", "pipeline", True)
