"""Whether a state that moved is explained: by a pipeline's run, by the calls in the trail, or by nobody."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from line import NOON, QUEUE_ARN, QUEUE_KEY, group, passes, queue, state, ticket
from test_change_classes import GITHUB, LAST, REWRITTEN, SSO_DANA
from trail_records import ACCOUNT, END, QUEUE, TERRAFORM, assume, record

from agent.model import Gap, Resource, Scope, TicketScope
from agent.scan import Scan

RUN = [assume(GITHUB, "deploy", "run-1", "ASIADEPLOY", call="AssumeRoleWithWebIdentity")]
MINE = ticket(scope=TicketScope(addresses=("shop/*",)), implementer="dana@acme.example")
NEW = replace(
    queue(), key=replace(QUEUE_KEY, id=QUEUE_ARN + "-new"), address="aws_sqs_queue.new", identifiers=(QUEUE + "-new",)
)
OLD = replace(queue(), key=replace(QUEUE_KEY, id=QUEUE_ARN + "-old"), address="", identifiers=(QUEUE + "-old",))
WITH_NEW = {**LAST.addresses, "aws_sqs_queue.new": "q9.c1"}
WITH_OLD = replace(
    LAST,
    addresses={**LAST.addresses, "aws_sqs_queue.old": "q8.c1"},
    keys={"aws_sqs_queue.old": (OLD.key,)},
    names={"aws_sqs_queue.old": (OLD.key.id, *OLD.identifiers)},
)


def moved(*records: dict, resources: tuple[Resource, ...] = (), **given: Any) -> Scan:
    """One scan of a stack whose state went from serial 4 to 5 at noon, with these records in the trail."""
    fields = given.pop("fields", {})
    sides = [queue(), group(), *resources]
    now = state(5, **({"modified": NOON, "addresses": REWRITTEN} | fields))
    return passes(**({"declared": sides, "seen": sides, "before": [LAST], "states": [now], "records": records} | given))


def causes(found: Scan) -> list[str]:
    return [finding.cause for finding in found.findings if finding.cause]


def call(name: str, url: str, agent: str = TERRAFORM, **fields: Any) -> dict:
    """A call on one queue by dana, with Terraform."""
    given = {"requestParameters": {"queueUrl": url, "queueName": "new"}, "responseElements": {"queueUrl": url}}
    return record(name, userIdentity=SSO_DANA, userAgent=agent, **(given | fields))


def written(at: str = "12:10:00", who: dict = SSO_DANA, **fields: Any) -> dict:
    """S3's data event of somebody writing the stack's state."""
    given = {
        "requestParameters": {"bucketName": "acme-state", "key": "shop.tfstate"},
        "managementEvent": False,
        "eventCategory": "Data",
    }
    return record("PutObject", "s3", at=at, userIdentity=who, userAgent=TERRAFORM, **(given | fields))


# --- explained -----------------------------------------------------------------------------------------------


def test_a_state_that_did_not_move_says_nothing() -> None:
    found = moved(states=[state(4)])
    assert (found.findings, found.status, [one.serial for one in found.keep]) == ((), "clean", [4])


def test_the_first_reading_and_another_location_are_where_we_begin() -> None:
    for before in ((), [replace(LAST, location="old.tfstate")]):
        found = moved(before=before)
        assert (causes(found), [one.serial for one in found.keep]) == ([], [5])


def test_a_run_of_the_pipeline_explains_whatever_the_state_says() -> None:
    for addresses in ({}, WITH_NEW, {"aws_sqs_queue.renamed": "q1.c1"}):
        assert causes(moved(*RUN, fields={"addresses": addresses})) == []


def test_a_run_long_before_explains_nothing() -> None:
    early = assume(GITHUB, "deploy", "run-1", "ASIADEPLOY", call="AssumeRoleWithWebIdentity", at="09:00:00")
    assert causes(moved(early)) == ["state-edited"]


def test_where_the_trail_has_data_events_they_decide() -> None:
    in_run = {**RUN[0]["userIdentity"]}
    pipeline = written(who={**_deployed(), "accessKeyId": "ASIADEPLOY"})
    assert in_run["type"] == "WebIdentityUser"
    assert causes(moved(*RUN, pipeline)) == []
    found = moved(*RUN, pipeline, written("12:20:00"), written("12:15:00", errorCode="AccessDenied"))
    assert causes(found) == ["state-edited"]
    assert [item.change.actor.name for item in found.findings[0].changes] == ["dana@acme.example"]
    elsewhere = written("12:20:00", requestParameters={"bucketName": "acme-state", "key": "billing.tfstate"})
    assert causes(moved(*RUN, elsewhere)) == []


def _deployed() -> dict:
    from trail_records import in_role

    return in_role("deploy", "run-1", "ASIADEPLOY")


def test_an_apply_from_a_laptop_is_told_by_its_calls() -> None:
    """Each resource that entered or left the state has its call; what else was refreshed goes with it."""
    for records, resources, before, addresses in (
        ([call("CreateQueue", QUEUE + "-new")], (NEW,), LAST, {**WITH_NEW, "aws_security_group.web": "g1.c2"}),
        ([call("DeleteQueue", QUEUE + "-old")], (), WITH_OLD, LAST.addresses),
        ([call("DeleteQueue", QUEUE + "-old", "aws-cli/2.31.0")], (), WITH_OLD, LAST.addresses),
        ([call("SetQueueAttributes", QUEUE)], (), LAST, {**LAST.addresses, "random_id.suffix": "r1.c1"}),
        ([call("SetQueueAttributes", QUEUE)], (), LAST, LAST.addresses),
        ([call("SetQueueAttributes", QUEUE, "aws-cli/2.31.0")], (), LAST, REWRITTEN),
    ):
        found = moved(*records, resources=resources, before=[before], fields={"addresses": addresses})
        assert causes(found) == [], addresses
        assert found.findings[0].verdict.failed == ("ticket",)


def test_the_writer_of_a_laptops_apply_is_told_with_it() -> None:
    found = moved(call("SetQueueAttributes", QUEUE), written(), fields={"commit": "4f1c", "reviewers": ("sam",)})
    assert found.findings[0].notes == (
        "the state of stack shop went from serial 4 to 5 without a run of a trusted pipeline, "
        "written by dana@acme.example, commit 4f1c, reviewed by sam",
    )


# --- not explained -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "resources", "before", "addresses"),
    [
        # made in the console, then imported on a laptop
        ([call("CreateQueue", QUEUE + "-new", "Mozilla/5.0")], (NEW,), LAST, WITH_NEW),
        # forgotten, while the resource stays
        ([call("SetQueueAttributes", QUEUE + "-old")], (OLD,), WITH_OLD, LAST.addresses),
        # of a type we do not know, and nothing was applied
        ([], (), LAST, {**LAST.addresses, "random_id.suffix": "r1.c1"}),
        # rewritten, and somebody touched another resource
        (
            [call("SetQueueAttributes", QUEUE, "aws-cli/2.31.0")],
            (),
            LAST,
            {**REWRITTEN, "aws_security_group.web": "g1.c2"},
        ),
        # renamed: no call of AWS ever is
        (
            [call("SetQueueAttributes", QUEUE)],
            (),
            LAST,
            {"aws_sqs_queue.b": "q1.c1", "aws_security_group.web": "g1.c1"},
        ),
        # nothing of it differs but its serial
        ([], (), LAST, LAST.addresses),
    ],
)
def test_what_no_call_explains_is_an_edit(
    records: list[dict], resources: tuple[Resource, ...], before: Any, addresses: dict[str, str]
) -> None:
    found = moved(*records, resources=resources, before=[before], fields={"addresses": addresses})
    assert causes(found) == ["state-edited"]


def test_the_line_about_an_edit_names_what_became_of_the_addresses() -> None:
    addresses = {"aws_sqs_queue.b": "q1.c1", **{f"aws_sqs_queue.n[{n}]": f"n{n}.c" for n in range(7)}}
    (finding,) = moved(fields={"addresses": addresses}).findings
    assert finding.notes == (
        "the state of stack shop went from serial 4 to 5, and no call explains it: entered aws_sqs_queue.n[0], "
        "aws_sqs_queue.n[1], aws_sqs_queue.n[2], aws_sqs_queue.n[3], aws_sqs_queue.n[4] and 2 more; "
        "left aws_security_group.web; renamed aws_sqs_queue.orders to aws_sqs_queue.b",
    )
    (bare,) = moved(fields={"addresses": LAST.addresses}).findings
    assert bare.notes[0].endswith("no call explains it: no resource differs")


def test_a_trail_that_was_not_read_leaves_the_question_open() -> None:
    stopped = record("StopLogging", "cloudtrail", requestParameters={"name": "main"})
    finding = next(one for one in moved(stopped).findings if one.cause)
    assert finding.verdict.outcome == "indeterminate"
    assert [test.result for test in finding.verdict.tests if test.name == "pipeline"] == ["unknown"]


def test_a_ticket_without_a_name_does_not_authorise() -> None:
    """S3's data events are off: the ticket covers the state, and nobody knows who wrote it."""
    found = moved(tickets=[MINE])
    (finding,) = found.findings
    assert (finding.verdict.outcome, finding.verdict.ticket) == ("indeterminate", "CHG-7")
    assert "implementer" not in {test.name for test in finding.verdict.tests}
    assert [one.rule for one in found.violations] == ["state-edited"]


def test_a_state_on_a_disk_has_no_data_events() -> None:
    there = replace(LAST, location="/srv/shop/terraform.tfstate")
    found = moved(written(), before=[there], fields={"location": there.location})
    assert causes(found) == ["state-edited"]
    assert found.findings[0].unexplained.startswith("actor unknown")


# --- over time -----------------------------------------------------------------------------------------------


def test_an_edit_stays_a_finding_while_its_time_is_looked_at_and_is_judged_anew() -> None:
    (edit,) = moved(written()).findings
    later = {"states": [state(5)], "before": [state(5, read_at=NOON + timedelta(hours=2))], "earlier": [edit]}
    again = moved(written(), **later)
    assert [(one.id, one.verdict.failed) for one in again.findings] == [(edit.id, ("pipeline", "ticket"))]
    # Its approval turns up: authorised, and no finding any more.
    assert moved(written(), tickets=[MINE], **later).findings == ()
    # The pipeline's run turns up.
    (unsigned,) = moved().findings
    assert moved(*RUN, **(later | {"earlier": [unsigned]})).findings == ()
    # Out of the window: the case stays, the finding does not.
    (item,) = edit.changes
    old = replace(edit, changes=(replace(item, change=replace(item.change, time=NOON - timedelta(days=9))),))
    assert moved(written(), **(later | {"earlier": [old]})).findings == ()


def test_the_same_edit_is_told_once() -> None:
    (edit,) = moved().findings
    assert [one.id for one in moved(earlier=[edit]).findings] == [edit.id]
    other = replace(edit, cause="declared-twice")
    assert [one.id for one in moved(earlier=[other]).findings] == [edit.id]


def test_another_lineage_is_no_apply_of_anybody() -> None:
    found = moved(*RUN, fields={"lineage": "9a9a"})
    (finding,) = found.findings
    assert finding.verdict.failed == ("pipeline", "ticket")
    kept = moved(*RUN, states=[state(5, lineage="9a9a")], before=[state(5, lineage="9a9a")], earlier=[finding])
    assert causes(kept) == ["state-lineage-changed"]


def test_without_a_time_of_writing_the_grace_begins_when_it_is_first_seen() -> None:
    fresh = moved(fields={"modified": None})
    (finding,) = fresh.findings
    assert (finding.verdict.outcome, fresh.keep) == ("pending", ())
    from agent.plan import Known

    known = Known((), {finding.id: END - timedelta(minutes=20)}, {finding.id: finding.key})
    later = moved(fields={"modified": None}, known=known)
    assert [one.verdict.outcome for one in later.findings] == ["unauthorised"]


def test_declared_in_two_stacks_is_one_finding_for_each_pair() -> None:
    theirs = [replace(one, stack="billing") for one in (queue(), group())]
    third = replace(queue(), stack="audit")
    states = [state(), state(stack="billing")]
    found = passes(declared=[queue(), group(), *theirs, third], seen=[queue(), group()], states=states)
    assert sorted(one.key.id for one in found.findings) == ["audit and billing", "audit and shop", "billing and shop"]
    both = next(one for one in found.findings if one.key.id == "billing and shop")
    assert both.notes == (
        "1 resource is declared in both stacks (both read the same state): "
        "billing/aws_security_group.web = shop/aws_security_group.web",
    )


def test_gaps_of_states_hide_no_resource() -> None:
    writing = state(in_motion="its state is locked (dana)")
    found = passes(declared=[queue()], seen=[queue()], states=[writing])
    assert found.gaps == (
        Gap(
            Scope(type="terraform_state", id=writing.location),
            "stack shop: its state is locked (dana); its differences are pending until the next scan",
            2,
        ),
    )
    assert (found.status, queue().key in found.unread()) == ("incomplete", False)


def test_what_is_new_in_another_account_does_not_wait_for_a_state_in_motion() -> None:
    other = Resource(replace(QUEUE_KEY, account="444455556666", id="q"), {"arn": "q"})
    writing = state(in_motion="its state is locked (dana)", accounts=(ACCOUNT,))
    found = passes(declared=[queue()], seen=[queue(), other], states=[writing])
    assert [(one.key.account, one.verdict.outcome) for one in found.findings] == [("444455556666", "indeterminate")]
