"""Ticket references from commits: on the calls of the run that applied them, and on no others."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from line import DEPLOY, NOON, SPECS, SUBJECT, passes, queue, state, ticket
from test_change_classes import deployed
from trail_records import END, QUEUE, START, in_role, record, trail_of

from agent.commits import with_commits
from agent.model import Claim, Pipeline, StateRead, Trail

PIPELINES = [Pipeline("deploy", DEPLOY, subject=SUBJECT)]
CLAIM = Claim("CHG-7", "commit trailer")
BY_HAND = record(at="12:30:00", requestParameters={"queueUrl": QUEUE, "attributes": {}})


def read(at: datetime, *claims: Claim, **fields: Any) -> StateRead:
    return state(read_at=at, claims=claims, **fields)


def claimed(*reads: StateRead, pipelines: list[Pipeline] | None = None) -> list[tuple[str, ...]]:
    """The references of the pipeline's call at noon and of the hand's at half past."""
    trail = trail_of(*deployed("run-1"), BY_HAND, specs=SPECS)
    found = with_commits(trail, reads, [queue()], PIPELINES if pipelines is None else pipelines)
    return [tuple(claim.text for claim in change.claims) for change in found.changes]


def test_the_commit_that_was_applied_speaks_for_the_pipelines_calls() -> None:
    assert claimed(read(NOON - timedelta(hours=1)), read(END, CLAIM)) == [("CHG-7",), ()]


def test_a_commit_applied_earlier_or_later_does_not() -> None:
    assert claimed(read(NOON - timedelta(hours=1), CLAIM), read(END)) == [(), ()]
    assert claimed(read(NOON + timedelta(hours=1)), read(END, CLAIM)) == [(), ()]
    assert claimed(read(NOON - timedelta(hours=1), CLAIM)) == [(), ()]


def test_a_state_not_written_since_the_call_is_not_what_it_left() -> None:
    early = read(NOON + timedelta(minutes=5), modified=NOON - timedelta(minutes=1))
    assert claimed(early, read(END, CLAIM, modified=NOON + timedelta(minutes=9))) == [("CHG-7",), ()]


def test_another_stacks_commit_and_another_role_do_not_count() -> None:
    assert claimed(replace(read(END, CLAIM), stack="billing")) == [(), ()]
    assert claimed(read(END, CLAIM), pipelines=[]) == [(), ()]
    assert claimed(replace(read(END, CLAIM), read_at=None)) == [(), ()]


def test_a_trail_without_claims_stays_as_it_is() -> None:
    empty = Trail(START, END)
    assert with_commits(empty, [read(END)], [queue()], PIPELINES) is empty


def test_a_change_with_its_ticket_in_the_commit_is_authorised() -> None:
    applied = queue(visibility_timeout_seconds=60)
    trail = trail_of(*deployed("run-1"), specs=SPECS)
    (change,) = with_commits(trail, [read(END, CLAIM)], [applied], PIPELINES).changes
    assert change.claims == (CLAIM,)
    found = passes(declared=[applied], seen=[applied], records=deployed("CHG-7"), tickets=[ticket()])
    assert [one.verdict.outcome for one in found.changes] == ["authorised"]


def tagged(tags: Mapping[str, Any]) -> list[Claim]:
    return [Claim(value, "resource tag") for name, value in tags.items() if name == "ChangeTicket"]


def references(*records: dict[str, Any], **attributes: Any) -> list[list[tuple[str, str]]]:
    """References and where they stand, of each call; the queue has these declared attributes."""
    trail = trail_of(*records, specs=SPECS)
    found = with_commits(trail, [read(END)], [queue(**attributes)], PIPELINES, tagged)
    return [[(claim.text, claim.where) for claim in change.claims] for change in found.changes]


def test_tags_that_a_run_set_speak_for_its_other_calls() -> None:
    tagging = record(
        "TagQueue",
        at="12:00:05",
        userIdentity=in_role("deploy", "run-1", "ASIADEPLOY"),
        requestParameters={"queueUrl": QUEUE, "tags": {"ChangeTicket": "CHG-7"}},
    )
    assert references(*deployed("run-1"), tagging, BY_HAND) == [
        [("CHG-7", "resource tag set in the same run")],
        [("CHG-7", "resource tag")],
        [],
    ]
    # In another session it says nothing.
    other = {**tagging, "userIdentity": in_role("deploy", "run-2", "ASIAOTHER")}
    assert references(*deployed("run-1"), other)[0] == []


def test_default_tags_speak_and_a_resources_own_tags_do_not() -> None:
    both = {"tags": {"Team": "shop"}, "tags_all": {"Team": "shop", "ChangeTicket": "CHG-7"}}
    assert references(*deployed("run-1"), BY_HAND, **both) == [[("CHG-7", "default_tags of the resource")], []]
    own = {"tags": {"ChangeTicket": "CHG-1"}, "tags_all": {"ChangeTicket": "CHG-1"}}
    assert references(*deployed("run-1"), **own) == [[]]
    assert references(*deployed("run-1"), tags_all={"ChangeTicket": "CHG-7"}) == [[]]
    # A reference of the call itself is the call's.
    assert references(*deployed("CHG-9"), **both) == [[("CHG-9", "session name")]]
