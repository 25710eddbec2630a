"""The change classes that must come out right: CloudTrail records in, verdicts and cases out, one row a class."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from line import DEPLOY, GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, SUBJECT, group, passes, queue, rule, state, ticket
from trail_records import ACCOUNT, END, QUEUE, REGION, TERRAFORM, assume, in_role, record, user

from agent.attribute import finding_id
from agent.model import (
    Authority,
    Case,
    CaseKey,
    Directory,
    EmergencyRole,
    Gap,
    Key,
    Open,
    Person,
    Pipeline,
    Resource,
    Scope,
    Source,
    TicketEvent,
    TicketScope,
    Unapplied,
    Update,
)
from agent.plan import Known
from agent.scan import BreakGlass, Scan

CONSOLE = "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"
SSO = "/aws-reserved/sso.amazonaws.com/"
SSO_DANA = in_role("AWSReservedSSO_Engineer_0123456789abcdef", "dana@acme.example", "ASIADANA", path=SSO)
LAST = state(read_at=NOON - timedelta(hours=1))
"""The state as the scan before read it, at eleven."""
REWRITTEN = {**LAST.addresses, "aws_sqs_queue.orders": "q1.c2"}
GITHUB = {
    "type": "WebIdentityUser",
    "principalId": "token.actions.githubusercontent.com:sts.amazonaws.com:" + SUBJECT,
    "userName": SUBJECT,
    "identityProvider": "token.actions.githubusercontent.com",
}


def deployed(session: str = "CHG-7", **fields: object) -> list[dict]:
    """The pipeline signs in and sets the queue's time-out to 60."""
    return [
        assume(GITHUB, "deploy", session, "ASIADEPLOY", call="AssumeRoleWithWebIdentity"),
        record(userIdentity=in_role("deploy", session, "ASIADEPLOY"), userAgent=TERRAFORM, **fields),
    ]


def drifted(**fields: object) -> Scan:
    """Somebody set the declared queue's time-out to 60, as `fields` of the record say."""
    extra = {name: fields.pop(name) for name in ("tickets",) if name in fields}
    return passes(
        declared=[queue()],
        seen=[queue(visibility_timeout_seconds=60)],
        accepted=[queue()],
        records=[record(**fields)],
        **extra,
    )


def the(found: Scan) -> tuple[str, tuple[str, ...]]:
    """Outcome and failed tests of the only finding."""
    (finding,) = found.findings
    return finding.verdict.outcome, finding.verdict.failed


def class_1() -> None:
    found = drifted(userIdentity=SSO_DANA, userAgent=CONSOLE, sessionCredentialFromConsole="true")
    change = found.findings[0].candidates[0].change
    assert the(found) == ("unauthorised", ("ticket",))
    assert (change.actor.name, change.channel, change.source_ip) == ("dana@acme.example", "console", "198.51.100.7")
    assert change.time == NOON
    assert [type(action) for action in found.actions] == [Open]


def class_2() -> None:
    found = drifted(userIdentity=SSO_DANA, userAgent="aws-cli/2.31.0 md/command#sqs.set-queue-attributes")
    assert the(found) == ("unauthorised", ("ticket",))
    assert found.findings[0].candidates[0].change.channel == "cli"


def class_3() -> None:
    applied = queue(visibility_timeout_seconds=60)
    found = passes(declared=[applied], seen=[applied], records=[record(userIdentity=SSO_DANA, userAgent=TERRAFORM)])
    assert found.drifts == ()
    assert the(found) == ("unauthorised", ("ticket",))

    found = passes(
        declared=[applied],
        seen=[applied],
        records=[record(userIdentity=SSO_DANA, userAgent=TERRAFORM)],
        before=[LAST],
        states=[state(5, addresses=REWRITTEN, commit="4f1c2a9", commit_author="lena")],
    )
    assert the(found) == ("unauthorised", ("ticket",))
    assert found.findings[0].notes == (
        "the state of stack shop went from serial 4 to 5 without a run of a trusted pipeline, commit 4f1c2a9 by lena",
    )


def class_4() -> None:
    applied = queue(visibility_timeout_seconds=60)
    found = passes(
        declared=[applied],
        seen=[applied],
        records=deployed("run-1"),
        before=[LAST],
        states=[state(5, addresses=REWRITTEN)],
    )
    assert the(found) == ("unauthorised", ("ticket",))
    assert found.findings[0].notes == ("the state of stack shop went from serial 4 to 5 in a run of deploy",)
    assert [test.result for test in found.findings[0].verdict.tests if test.name == "pipeline"] == ["pass"]
    assert [one.rule for one in found.violations] == ["pipeline-without-ticket"]


def class_5() -> None:
    closed = TicketEvent(NOON - timedelta(hours=1), state="closed")
    mine = (
        TicketEvent(NOON - timedelta(days=1), approved_by="dana"),
        TicketEvent(NOON - timedelta(days=1), state="approved"),
    )
    variants = {
        ("state",): ticket(history=(*ticket().history, closed)),
        ("scope",): ticket(scope=TicketScope(addresses=("aws_sqs_queue.other",))),
        ("window",): ticket(end=NOON - timedelta(hours=1)),
        ("implementer",): ticket(implementer="marco"),
        ("separation",): ticket(history=mine),
    }
    for failed, one in variants.items():
        found = drifted(userAgent="aws-cli/2.31.0 app/CHG-7", tickets=[one])
        assert the(found) == ("unauthorised", failed)


def class_6() -> None:
    key = replace(QUEUE_KEY, id=QUEUE_ARN.replace("orders", "mine"))
    url = QUEUE.replace("orders", "mine")
    mine = Resource(key, {"arn": key.id, "visibility_timeout_seconds": 30}, (url,))
    created = record(
        "CreateQueue",
        requestParameters={"queueName": "mine"},
        responseElements={"queueUrl": url},
        userIdentity=SSO_DANA,
        userAgent=CONSOLE,
    )
    found = passes(declared=[queue()], seen=[queue(), mine], records=[created])
    assert [(drift.kind, drift.key) for drift in found.drifts] == [("unmanaged", key)]
    assert the(found) == ("unauthorised", ("ticket",))
    assert found.findings[0].candidates[0].change.actor.name == "dana@acme.example"
    assert "unmanaged-resource" in {one.rule for one in found.violations}


def class_7() -> None:
    back = {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "30"}}
    found = passes(
        declared=[queue()], seen=[queue()], records=[record(), record(at="12:05:00", requestParameters=back)]
    )
    assert found.drifts == ()
    assert the(found) == ("unauthorised", ("ticket",))
    assert len(found.findings[0].changes) == 2

    # Put back by another hand: what is as declared again is nobody's drift, and both answer.
    back_again = record(at="12:05:00", requestParameters=back, userIdentity=SSO_DANA, userAgent=CONSOLE)
    found = passes(declared=[queue()], seen=[queue()], records=[record(), back_again])
    assert [item.change.actor.name for item in found.findings[0].changes] == ["dana", "dana@acme.example"]
    assert {item.verdict.outcome for item in found.findings[0].changes} == {"unauthorised"}


def class_8() -> None:
    service = {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    found = drifted(
        userIdentity=service, userAgent="autoscaling.amazonaws.com", sourceIPAddress="autoscaling.amazonaws.com"
    )
    assert the(found) == ("service-made", ())
    assert (found.violations, found.actions) == ((), ())
    assert found.findings[0].candidates[0].change.actor.kind == "service"

    # A person did the same to the same queue before, and was undone: it is what they did that breaks rules.
    by_service = record(at="12:10:00", userIdentity=service, userAgent="autoscaling.amazonaws.com")
    other = {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "90"}}
    by_hand = record(userIdentity=SSO_DANA, userAgent=CONSOLE, requestParameters=other)
    found = passes(declared=[queue()], seen=[queue(visibility_timeout_seconds=60)], records=[by_hand, by_service])
    assert found.findings[0].candidates[0].change.actor.kind == "service"
    assert the(found) == ("unauthorised", ("ticket",))


def class_9() -> None:
    edited = replace(queue(), unapplied={"visibility_timeout_seconds": 90})
    found = passes(declared=[edited], seen=[queue()], accepted=[queue()])
    assert [(one.kind, one.attribute, one.declared, one.live) for one in found.drifts] == [
        ("unapplied", "visibility_timeout_seconds", 90, 30)
    ]
    assert the(found) == ("unapplied", ())
    assert (found.violations, found.actions, found.status) == ((), (), "clean")
    # What was merged does not keep the reading from being accepted.
    assert [one.key for one in found.accept] == [QUEUE_KEY]

    # Changed by hand besides: both, kept apart, and only the hand change breaks rules.
    both = passes(
        declared=[edited],
        seen=[queue(visibility_timeout_seconds=60)],
        accepted=[queue()],
        records=[record(userIdentity=SSO_DANA, userAgent=CONSOLE)],
    )
    assert [(one.kind, one.declared, one.live) for one in both.drifts] == [("changed", 30, 60), ("unapplied", 90, 30)]
    assert the(both) == ("unauthorised", ("ticket",))
    assert {one.rule for one in both.violations} == {"unticketed-change"}
    assert both.accept == ()

    # A resource that is merged as a whole is listed, and no finding.
    waiting = Unapplied("shop", "aws_sqs_queue.new", "create", Source("main.tf", 30))
    whole = passes(declared=[queue()], seen=[queue()], pending=[waiting])
    assert (whole.pending, whole.findings, whole.status) == ((waiting,), (), "clean")


def class_10() -> None:
    ssh = rule(22)
    items = [{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]
    opened = record(
        "AuthorizeSecurityGroupIngress",
        "ec2",
        requestParameters={"groupId": GROUP_KEY.id, "ipPermissions": {"items": items}},
        responseElements={"_return": True},
    )
    inline = replace(rule(443), address=group().address, stack="shop", source=group().source)
    found = passes(declared=[group(), inline], seen=[group(), rule(443), ssh], records=[opened])
    assert [(drift.kind, drift.address, drift.attribute, drift.part) for drift in found.drifts] == [
        ("changed", "aws_security_group.web", "ingress", ssh.key)
    ]
    assert found.drifts[0].live["from_port"] == 22
    assert the(found) == ("unauthorised", ("ticket",))
    assert found.findings[0].candidates[0].score > 0.9
    assert "public-exposure-by-hand" in {one.rule for one in found.violations}


def class_11() -> None:
    denied = record(errorCode="AccessDenied", errorMessage="no")
    found = passes(declared=[queue()], seen=[queue()], records=[denied])
    assert (found.changes, found.findings, found.status) == ((), (), "clean")

    tried = [
        record(at=f"12:00:{n:02}", errorCode="AccessDenied", userIdentity=user("mal", "AKIAMAL")) for n in range(30)
    ]
    found = passes(declared=[queue()], seen=[queue()], records=tried)
    (burst,) = found.findings
    assert (found.changes, found.drifts, found.gaps) == ((), (), ())
    assert (burst.verdict.outcome, burst.key.id) == ("indeterminate", f"arn:aws:iam::{ACCOUNT}:user/mal")
    assert [(one.rule, one.severity) for one in found.violations] == [("denied-burst", "medium")]
    assert [type(action) for action in found.actions] == [Open]
    again = passes(declared=[queue()], seen=[queue()], records=[*tried[::-1], *tried])
    assert [one.id for one in again.findings] == [burst.id]

    # Refused calls explain no drift: it stays without a name.
    changed = queue(visibility_timeout_seconds=60)
    found = passes(declared=[queue()], seen=[changed], accepted=[queue()], records=[denied])
    assert [one.unexplained != "" for one in found.findings] == [True]
    assert found.findings[0].candidates == ()


def class_12() -> None:
    def control(name: str, **asked: object) -> dict:
        return record(name, "cloudtrail", requestParameters={"name": "main", **asked})

    narrow = [{"readWriteType": "ReadOnly", "includeManagementEvents": True}]
    for call, broken, severity in (
        (control("StopLogging"), "trail-stopped", "critical"),
        (control("DeleteTrail"), "trail-stopped", "critical"),
        (control("PutEventSelectors", eventSelectors=narrow), "trail-narrowed", "high"),
        (control("UpdateTrail", isMultiRegionTrail=False), "trail-narrowed", "high"),
        (control("UpdateTrail", enableLogFileValidation=False), "trail-narrowed", "high"),
    ):
        found = passes(declared=[queue()], seen=[queue()], records=[call])
        (gap,) = found.gaps
        (finding,) = [one for one in found.findings if one.trail]
        rules = [(one.rule, one.severity) for one in found.violations if one.finding == finding.id]
        assert (rules, finding.trail, found.status) == ([(broken, severity)], gap.cause, "violations")
        assert any(isinstance(action, Open) and finding.id in action.case.findings for action in found.actions)

    # Nothing in the gap is clean: drift there has no name, and why is said.
    changed = queue(visibility_timeout_seconds=60)
    known = Known(first_seen={finding_id(QUEUE_KEY): NOON})
    stop = control("StopLogging")
    found = passes(declared=[queue()], seen=[changed], accepted=[queue()], records=[stop], known=known)
    (story,) = [one for one in found.findings if one.drifts]
    assert (story.verdict.outcome, story.candidates) == ("indeterminate", ())
    assert "logging stopped by dana" in story.unexplained


def class_13() -> None:
    known = [
        assume(user("marco", "AKIAMARCO"), "shared", "session", "ASIASHARED"),
        record(userIdentity=in_role("shared", "session", "ASIASHARED")),
    ]
    stranger = [record(userIdentity=in_role("shared", "session", "ASIANOBODY"))]
    by_hand = [
        assume(user("marco", "AKIAMARCO"), "deploy", "run-9", "ASIAHAND"),
        record(userIdentity=in_role("deploy", "run-9", "ASIAHAND"), userAgent=TERRAFORM),
    ]
    seen = [queue(visibility_timeout_seconds=60)]
    found = passes(declared=[queue()], seen=seen, records=known)
    assert found.findings[0].candidates[0].change.actor.name == "marco"
    assert the(found) == ("unauthorised", ("ticket",))
    # Nobody is known behind the session, and no ticket was asked for: it cannot have had authority.
    assert [test.result for test in passes(declared=[queue()], seen=seen, records=stranger).findings[0].verdict.tests][
        :1
    ] == ["unknown"]
    (finding,) = passes(declared=[queue()], seen=seen, records=by_hand).findings
    assert finding.candidates[0].change.actor.name == "marco"
    assert "pipeline-without-ticket" not in finding.verdict.failed

    # The same with the identity map: marco is found behind all of them, and nobody behind the stranger's name.
    marco = Person("marco", principals=(user("marco")["arn"], "session"), groups=("ops",), team="ops")
    for records, person in ((known, "marco"), (by_hand, "marco"), (stranger, "")):
        found = passes(declared=[queue()], seen=seen, records=records, authority=mapped(marco))
        actor = found.findings[0].candidates[0].change.actor
        assert (actor.person, actor.team) == (person, "ops" if person else "")
        assert the(found)[0] == "unauthorised"
    # His access ended the day before: a ticket that covers the change does not help.
    left = replace(marco, valid_until=NOON - timedelta(days=1))
    ticketed = [ticket(implementer="marco")]
    for one, outcome in ((marco, "authorised"), (left, "unauthorised")):
        found = passes(declared=[queue()], seen=seen, records=known, tickets=ticketed, authority=mapped(one))
        assert the(found) == (outcome, () if outcome == "authorised" else ("actor",))


BREAK_GLASS = BreakGlass(roles=(EmergencyRole("break-glass", f"arn:aws:iam::{ACCOUNT}:role/break-glass"),))


def emergency_calls(count: int = 20) -> list[dict]:
    """Dana signs in to the emergency role at nine and calls `count` times, ten minutes apart."""
    session = in_role("break-glass", "dana@acme.example", "ASIAEMERGENCY")
    first = NOON.replace(hour=9)
    return [
        assume(user(), "break-glass", "dana@acme.example", "ASIAEMERGENCY", at="08:59:00"),
        *(
            record(
                at=f"{first + timedelta(minutes=10 * number):%H:%M:%S}",
                userIdentity=session,
                userAgent=CONSOLE,
                requestParameters={"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": str(60 + number)}},
            )
            for number in range(count)
        ),
    ]


def class_14() -> None:
    calls = emergency_calls()
    last = NOON.replace(hour=12, minute=10)
    now_is = queue(visibility_timeout_seconds=79)
    sides = {"declared": [queue()], "seen": [now_is], "accepted": [queue()], "records": calls}
    found = passes(**sides, breakglass=BREAK_GLASS)
    assert the(found) == ("pending-documentation", ())
    (emergency,) = found.emergencies
    assert (len(found.findings[0].changes), emergency.person) == (20, "dana")
    (opened,) = found.actions
    assert isinstance(opened, Open)
    case = opened.case
    assert (case.key, case.grant, case.stage) == (emergency.case, emergency.id, "awaiting-document")
    assert case.deadline == emergency.deadline == last + timedelta(hours=24)
    assert case.body.count("sqs:SetQueueAttributes") >= 20
    assert "driftwarden document" in case.body
    # It is answered for like a violation, and is none.
    assert [one.rule for one in found.violations if not one.observed] == []

    # The same session again, and nothing new: nobody is told twice.
    again = passes(**sides, breakglass=BREAK_GLASS, known=Known((case,)))
    assert again.actions == ()
    # Nobody documents: after the deadline it is a violation.
    late = passes(**sides, breakglass=BREAK_GLASS, known=Known((case,)), now=last + timedelta(hours=25))
    assert the(late) == ("unauthorised", ("breakglass",))
    (told,) = late.actions
    assert isinstance(told, Update)
    assert told.case.stage == "overdue"

    # The role is nobody's excuse: whoever cannot be told is not in an emergency.
    root = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}
    by_root = passes(**{**sides, "records": [record(userIdentity=root)]}, breakglass=BREAK_GLASS)
    assert the(by_root)[0] == "unauthorised"


def class_15() -> None:
    late = (*ticket().history[:1], TicketEvent(NOON + timedelta(hours=2), approved_by="sam"))
    late = (*late, TicketEvent(NOON + timedelta(hours=2), state="approved"))
    found = drifted(userAgent="aws-cli/2.31.0 app/CHG-7", tickets=[ticket(history=late)])
    assert the(found)[0] == "regularised"
    assert found.findings[0].verdict.late

    # Approved before, and found two hours later: authorised, and marked so for as long as the change is looked at.
    unticketed = drifted()
    assert the(unticketed) == ("unauthorised", ("ticket",))
    history = {event: "unauthorised" for item in unticketed.changes for event in item.change.event_ids}
    lately = passes(
        declared=[queue()],
        seen=[queue()],
        accepted=[queue()],
        records=[record()],
        tickets=[ticket()],
        authority=Authority(history=history),
    )
    (finding,) = lately.findings
    assert (finding.verdict.outcome, finding.verdict.late, finding.verdict.ticket) == ("authorised", True, "CHG-7")


def class_16() -> None:
    found = passes(declared=[queue()], seen=[queue(visibility_timeout_seconds=60)])
    (finding,) = found.findings
    assert finding.verdict.outcome == "indeterminate"
    assert finding.unexplained.startswith("actor unknown: before the trail's window")
    assert found.status == "violations"

    # Clean in the morning: the call may be on its way, and then it is not.
    sides = {"declared": [queue()], "seen": [queue(visibility_timeout_seconds=60)], "accepted": [queue()]}
    fresh = passes(**sides)
    assert (the(fresh)[0], fresh.status) == ("pending", "incomplete")
    assert fresh.findings[0].unexplained.startswith("actor not known yet: the trail's newest event")
    known = Known((), {finding_id(QUEUE_KEY): END - timedelta(minutes=15)})
    late = passes(**sides, known=known)
    assert the(late)[0] == "indeterminate"
    assert late.findings[0].unexplained.startswith("actor unknown: nothing newer than 2026-03-02 08:00 UTC has come")


def class_17() -> None:
    one = (
        '{"Version":"2012-10-17","Statement":'
        '[{"Effect":"Allow","Action":["sqs:B","sqs:A"],"Principal":"*","Resource":"x"}]}'
    )
    two = {
        "Statement": {"Resource": ["x"], "Principal": {"AWS": "*"}, "Action": ["SQS:a", "sqs:B"], "Effect": "Allow"},
        "Version": "2012-10-17",
    }
    declared = queue(policy=one, tags_all={}, delay_seconds=0, kms_master_key_id="")
    seen = queue(policy=two, tags_all=None, delay_seconds=None, kms_master_key_id=None, visibility_timeout_seconds="30")
    moved = replace(declared, address='module.shop.aws_sqs_queue.orders["eu"]')
    for side in (declared, moved):
        found = passes(declared=[side], seen=[seen], records=[])
        assert (found.drifts, found.findings, found.status) == ((), (), "clean")

    # `import`, `moved` and `removed` blocks that the pipeline applied: the state moved, the cloud did not.
    moved = state(
        5,
        addresses={
            'module.shop.aws_sqs_queue.orders["eu"]': "q1.c1",  # moved
            "aws_security_group.web": "g1.c1",
            "aws_sqs_queue.imported": "q2.c1",
        },
    )
    before = replace(LAST, addresses={**LAST.addresses, "aws_sqs_queue.removed": "q3.c1"})
    imported = replace(queue(), key=replace(QUEUE_KEY, id="imported"), address="aws_sqs_queue.imported", identifiers=())
    run = [assume(GITHUB, "deploy", "CHG-7", "ASIADEPLOY", call="AssumeRoleWithWebIdentity")]
    found = passes(declared=[queue(), imported], seen=[queue(), imported], records=run, before=[before], states=[moved])
    assert (found.drifts, found.findings, found.status) == ((), (), "clean")
    assert [one.serial for one in found.keep] == [5]


def class_18() -> None:
    applied = queue(visibility_timeout_seconds=60)
    found = passes(declared=[applied], seen=[applied], records=deployed(), tickets=[ticket()])
    (change,) = found.changes
    assert (change.verdict.outcome, change.verdict.path, change.verdict.ticket) == ("authorised", "pipeline", "CHG-7")
    assert (found.findings, found.violations, found.actions, found.status) == ((), (), (), "clean")


EDITS = {
    "terraform import": {**LAST.addresses, "aws_sqs_queue.mine": "q2.c1"},
    "terraform state rm": {"aws_sqs_queue.orders": "q1.c1"},
    "terraform state mv": {"aws_sqs_queue.renamed": "q1.c1", "aws_security_group.web": "g1.c1"},
    "terraform state push": REWRITTEN,
}


def class_19() -> None:
    sides = {"declared": [queue(), group()], "seen": [queue(), group()], "before": [LAST]}
    for addresses in EDITS.values():
        found = passes(**sides, states=[state(5, addresses=addresses, modified=NOON)])
        (finding,) = found.findings
        assert (finding.cause, finding.key.type, finding.key.id) == ("state-edited", "terraform_state", LAST.location)
        assert the(found) == ("unauthorised", ("pipeline", "ticket"))
        assert [one.rule for one in found.violations] == ["state-edited"]
        assert finding.unexplained.startswith("actor unknown")
        # Somebody must answer, however often the state is read again.
        (opened,) = [one for one in found.actions if isinstance(one, Open)]
        assert opened.case.events

    # S3's data events name who wrote the state.
    written = record(
        "PutObject",
        "s3",
        at="12:40:00",
        userIdentity=SSO_DANA,
        userAgent=TERRAFORM,
        requestParameters={"bucketName": "acme-state", "key": "shop.tfstate"},
        managementEvent=False,
        eventCategory="Data",
    )
    edited = state(5, addresses=EDITS["terraform state rm"])
    found = passes(**sides, states=[edited], records=[written])
    assert the(found) == ("unauthorised", ("pipeline", "ticket"))
    (item,) = found.findings[0].changes
    assert (item.change.actor.name, item.change.time) == ("dana@acme.example", NOON + timedelta(minutes=40))
    # Her ticket for the state of the stack covers it.
    mine = ticket(scope=TicketScope(addresses=("shop/state",)), implementer="dana@acme.example")
    found = passes(**sides, states=[edited], records=[written], tickets=[mine])
    assert (found.findings, found.status) == ((), "clean")
    assert [one.verdict.outcome for one in found.changes] == ["authorised"]

    # Written a minute ago: the trail may still bring the pipeline's run, and the question stays for the next scan.
    fresh = passes(
        **sides, states=[state(5, addresses=EDITS["terraform state rm"], modified=END - timedelta(minutes=1))]
    )
    assert (the(fresh)[0], fresh.status, fresh.keep) == ("pending", "incomplete", ())

    # What the state says by itself: another one stands there, an older one was put back, one of another account.
    for other, cause in (
        (state(5, lineage="9a9a", modified=NOON), "state-lineage-changed"),
        (state(3, modified=NOON), "state-serial-backwards"),
        (state(5, accounts=("444455556666",), modified=NOON), "state-other-account"),
    ):
        found = passes(**sides, states=[other], records=deployed())
        assert cause in {one.rule for one in found.violations}

    # One resource in two states.
    again = replace(queue(), stack="billing", address="aws_sqs_queue.theirs")
    found = passes(declared=[queue(), again], seen=[queue()])
    assert [one.rule for one in found.violations] == ["declared-twice"]


def class_20() -> None:
    by_hand = queue(visibility_timeout_seconds=60)
    codified = replace(queue(), unapplied={"visibility_timeout_seconds": 60})
    case = Case(CaseKey("c1"), "by hand", (finding_id(QUEUE_KEY),), "medium", events=(record()["eventID"],))
    known = Known((case,), {}, {finding_id(QUEUE_KEY): QUEUE_KEY})
    # Merged, and applied a while later: either way nothing differs, and nobody is released from answering.
    for declared in (codified, by_hand):
        found = passes(declared=[declared], seen=[by_hand], accepted=[queue()], records=[record()], known=known)
        assert found.drifts == ()
        assert the(found) == ("unauthorised", ("ticket",))
        assert found.actions == ()


def class_21() -> None:
    ignoring = replace(queue(), ignore_changes=("visibility_timeout_seconds",))
    found = passes(declared=[ignoring], seen=[queue(visibility_timeout_seconds=60)], records=[record()])
    assert found.drifts == ()
    assert the(found) == ("unauthorised", ("ticket",))


def class_22() -> None:
    new = replace(
        queue(), key=replace(QUEUE_KEY, id=QUEUE_ARN + "-2"), identifiers=(QUEUE + "-2",), address="", stack=""
    )
    writing = state(in_motion="serial 4, then 5: it was written while the scan looked", read_at=END)
    half = passes(declared=[queue()], seen=[new], records=[], before=[LAST], states=[writing])
    assert [(one.kind, one.key) for one in half.drifts] == [("missing", QUEUE_KEY), ("unmanaged", new.key)]
    assert {one.verdict.outcome for one in half.findings} == {"pending"}
    assert (half.violations, half.actions, half.status) == ((), (), "incomplete")
    assert "stack shop: serial 4, then 5" in half.gaps[0].why
    assert (half.keep, half.accept) == ((), ())

    replaced = replace(new, address="aws_sqs_queue.orders", stack="shop")
    after = state(6, addresses={**LAST.addresses, "aws_sqs_queue.orders": "q2.c1"})
    found = passes(declared=[replaced], seen=[replaced], records=deployed()[:1], before=[LAST], states=[after])
    assert (found.findings, found.status) == ((), "clean")


def class_23() -> None:
    queues = [
        replace(queue(), key=replace(QUEUE_KEY, id=f"q{n}"), address=f"aws_sqs_queue.all[{n}]", identifiers=(f"q{n}",))
        for n in range(40)
    ]
    reread = [replace(one, attributes={**one.attributes, "visibility_timeout_seconds": 31}) for one in queues]
    upgraded = state(5, provider_versions={"hashicorp/aws": "6.2.0"})
    run = deployed()[:1]
    sides = {"declared": reread, "seen": queues, "accepted": queues, "records": run}
    found = passes(**sides, before=[LAST], states=[upgraded])
    assert (found.drifts, found.findings, found.violations, found.status) == ((), (), (), "clean")
    said = [one.why for one in found.limits if "provider" in one.why]
    assert said == [
        "stack shop: provider hashicorp/aws 5.100.0 → 6.2.0 changed how 40 resources read; live is as accepted"
    ]
    assert len(found.accept) == 40
    # The next scan knows the same differences again; a hand change of one of them is drift.
    (kept,) = found.keep
    again = passes(**sides, before=[kept], states=[upgraded])
    assert (again.drifts, again.status) == ((), "clean")
    by_hand = [replace(queues[0], attributes={**queues[0].attributes, "visibility_timeout_seconds": 5}), *queues[1:]]
    touched = passes(**(sides | {"seen": by_hand}), before=[kept], states=[upgraded])
    assert [one.key for one in touched.drifts] == [queues[0].key]
    # Without another version of the provider nothing is excused.
    assert len(passes(**sides, before=[LAST], states=[state(5)]).drifts) == 40


def class_24() -> None:
    other = Key(ACCOUNT, REGION, "aws_vpc", "vpc-1")
    vpc = Resource(
        other, {"id": "vpc-1", "tags_all": {"Team": "shop"}}, ("vpc-1",), address="aws_vpc.main", stack="shop"
    )
    tagged = record(
        "CreateTags",
        "ec2",
        requestParameters={
            "resourcesSet": {"items": [{"resourceId": "vpc-1"}, {"resourceId": GROUP_KEY.id}]},
            "tagSet": {"items": [{"key": "x", "value": "y"}]},
        },
        userAgent="aws-cli/2.31.0 app/CHG-7",
    )
    found = passes(
        declared=[vpc, group()],
        seen=[vpc, group()],
        records=[tagged],
        tickets=[ticket(scope=TicketScope(addresses=("aws_vpc.main",)))],
    )
    assert the(found) == ("unauthorised", ("scope",))
    assert found.findings[0].address == "aws_security_group.web"


def class_25() -> None:
    done = TicketEvent(NOON + timedelta(hours=1), state="closed")
    found = passes(
        declared=[queue()], seen=[queue()], accepted=[queue()], tickets=[ticket(history=(*ticket().history, done))]
    )
    (side_by_side,) = found.performed
    assert (side_by_side.ref, side_by_side.nothing) == ("CHG-7", True)
    assert [(row.name, row.status) for row in side_by_side.rows] == [("aws_sqs_queue.orders", "not performed")]
    # Performed after all: the same ticket, and the call it asked for.
    made = passes(
        declared=[queue(visibility_timeout_seconds=60)],
        seen=[queue(visibility_timeout_seconds=60)],
        records=[record(userAgent="aws-cli/2.31.0 app/CHG-7")],
        tickets=[ticket(history=(*ticket().history, done))],
    )
    assert [(row.name, row.status) for row in made.performed[0].rows] == [("aws_sqs_queue.orders", "approved")]


def class_26() -> None:
    root = {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}
    found = drifted(userIdentity=root, userAgent="aws-cli/2.31.0 app/CHG-7", tickets=[ticket()])
    assert the(found)[0] == "unauthorised"
    assert "actor" in the(found)[1]

    # A credential that the identity map calls shared: whoever used it, nobody is accountable.
    ops = Person("ops", kind="shared", principals=(user("ops")["arn"],), users=("dana",), source="identities.yaml:7")
    for caller in (user("ops", "AKIAOPS"), in_role("shared", "dana", "ASIASHARED")):
        found = passes(
            declared=[queue()],
            seen=[queue(visibility_timeout_seconds=60)],
            records=[
                assume(user("ops", "AKIAOPS"), "shared", "dana", "ASIASHARED"),
                record(userIdentity=caller, userAgent="aws-cli/2.31.0 app/CHG-7"),
            ],
            tickets=[ticket(implementer="ops")],
            authority=mapped(ops),
        )
        assert the(found) == ("unauthorised", ("actor",))
        (judged,) = found.findings[0].changes
        assert judged.change.actor.kind == "shared"
        assert "shared credential, identities.yaml:7" in judged.verdict.tests[0].evidence


def class_27() -> None:
    through = {**SSO_DANA, "invokedBy": "cloudformation.amazonaws.com"}
    found = drifted(
        userIdentity=through, userAgent="cloudformation.amazonaws.com", sourceIPAddress="cloudformation.amazonaws.com"
    )
    assert the(found) == ("unauthorised", ("ticket",))
    assert found.findings[0].candidates[0].change.actor.name == "dana@acme.example"


CODEDEPLOY = Pipeline("codedeploy", DEPLOY, service="codedeploy.amazonaws.com")
FLUX_SUBJECT = "system:serviceaccount:flux-system:tf-controller"
FLUX = Pipeline("flux", DEPLOY, subject=FLUX_SUBJECT)
PODS = [
    {"key": "kubernetes-namespace", "value": "flux-system"},
    {"key": "kubernetes-service-account", "value": "tf-controller"},
]
EKS = {"type": "WebIdentityUser", "userName": FLUX_SUBJECT, "identityProvider": "oidc.eks.eu-west-1.amazonaws.com/id/1"}
DEPLOYERS = {
    "CodeDeploy": (CODEDEPLOY, {"type": "AWSService", "invokedBy": "codedeploy.amazonaws.com"}, "AssumeRole", {}),
    "CodePipeline": (
        replace(CODEDEPLOY, service="codepipeline.amazonaws.com"),
        {"type": "AWSService", "invokedBy": "codepipeline.amazonaws.com"},
        "AssumeRole",
        {},
    ),
    "ECS": (
        replace(CODEDEPLOY, service="ecs.amazonaws.com"),
        {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"},
        "AssumeRole",
        {},
    ),
    "GitOps controller, IRSA": (FLUX, EKS, "AssumeRoleWithWebIdentity", {}),
    "GitOps controller, Pod Identity": (
        FLUX,
        {"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"},
        "AssumeRole",
        {"tags": PODS},
    ),
}


def class_28() -> None:
    applied = queue(visibility_timeout_seconds=60)
    sides = {"declared": [applied], "seen": [applied]}
    made = record(userIdentity=in_role("deploy", "CHG-7", "ASIADEPLOY"), userAgent="aws-sdk-java/2.29")
    for pipeline, caller, call, asked in DEPLOYERS.values():
        run = [assume(caller, "deploy", "CHG-7", "ASIADEPLOY", call=call, **asked), made]
        trust = Authority(pipelines=(pipeline,))
        found = passes(**sides, records=run, tickets=[ticket()], authority=trust)
        (change,) = found.changes
        assert (change.verdict.outcome, change.verdict.path) == ("authorised", "pipeline")
        assert (found.findings, found.status) == ((), "clean")

        # Without a ticket it is a pipeline without one, as any other.
        bare = passes(**sides, records=run, authority=trust)
        assert [one.rule for one in bare.violations] == ["pipeline-without-ticket"]

        # Nobody said that this is a deployer of ours.
        (change,) = passes(**sides, records=run, tickets=[ticket()], authority=Authority()).changes
        assert change.verdict.outcome != "authorised"
        assert [test.result for test in change.verdict.tests if test.name == "pipeline"] in ([], ["fail"])

        # A person assumes the same role by hand, with the deployer's session name; or its AssumeRole was never seen.
        hand = [run[0], assume(user("marco", "AKIAMARCO"), "deploy", "CHG-7", "ASIAHAND", tags=PODS)]
        for key in ("ASIAHAND", "ASIANOBODY"):
            forged = record(userIdentity=in_role("deploy", "CHG-7", key), userAgent="aws-sdk-java/2.29")
            (change,) = passes(**sides, records=[*hand, forged], tickets=[ticket()], authority=trust).changes
            assert change.verdict.outcome in ("unauthorised", "indeterminate")
            assert change.change.actor.service == ""


def mapped(*people: Person) -> Authority:
    """The deploy pipeline is trusted, and these are the people of the identity map."""
    return Authority(pipelines=(Pipeline("deploy", DEPLOY, subject=SUBJECT),), directory=Directory(people))


def class_29() -> None:
    # An attribute the code leaves alone: state follows the hand, the accepted reading does not.
    by_hand = queue(delay_seconds=15)
    found = passes(declared=[by_hand], seen=[by_hand], accepted=[queue(delay_seconds=0)], records=[delayed()])
    assert [(one.kind, one.basis, one.note) for one in found.drifts] == [("changed", "unset", "absorbed")]
    assert the(found) == ("unauthorised", ("ticket",))

    # An attribute it sets, refreshed into state: that is no edit waiting to be applied.
    changed = queue(visibility_timeout_seconds=60)
    refreshed = replace(changed, unapplied={"visibility_timeout_seconds": 30})
    found = passes(declared=[refreshed], seen=[changed], accepted=[queue()], records=[record()])
    assert [(one.kind, one.declared, one.live, one.note) for one in found.drifts] == [("changed", 30, 60, "absorbed")]
    assert the(found) == ("unauthorised", ("ticket",))

    # A rule of a group whose rules are resources of their own: a refresh finds it in the group.
    ssh = rule(22)
    separate = replace(group(), configured=frozenset({"name"}), recorded_parts=(ssh.key,))
    found = passes(declared=[separate], seen=[group(), ssh], accepted=[group()])
    assert [(one.attribute, one.part, one.note) for one in found.drifts] == [("ingress", ssh.key, "absorbed")]

    # A policy attached by hand, to a role whose attachments are resources of their own.
    role_key = Key(ACCOUNT, "global", "aws_iam_role", "worker")
    policy = "arn:aws:iam::aws:policy/AdministratorAccess"
    attached = Resource(
        replace(role_key, type="aws_iam_role_policy_attachment", id=f"worker|{policy}"),
        {"role": "worker", "policy_arn": policy},
        parent=role_key,
        attribute="managed_policy_arns",
    )
    role = Resource(
        role_key, {"name": "worker"}, ("worker",), "aws_iam_role.worker", "shop", configured=frozenset({"name"})
    )
    absorbed = replace(role, recorded_parts=(attached.key,))
    found = passes(declared=[absorbed], seen=[role, attached], accepted=[role])
    assert [(one.key, one.part, one.note) for one in found.drifts] == [(role_key, attached.key, "absorbed")]
    assert [one.address for one in found.findings] == ["aws_iam_role.worker"]


def delayed() -> dict:
    """Somebody sets the queue's delay to fifteen seconds."""
    return record(requestParameters={"queueUrl": QUEUE, "attributes": {"DelaySeconds": "15"}})


CLASSES: dict[int, Callable[[], None]] = {
    1: class_1,
    2: class_2,
    3: class_3,
    4: class_4,
    5: class_5,
    6: class_6,
    7: class_7,
    8: class_8,
    9: class_9,
    10: class_10,
    11: class_11,
    12: class_12,
    13: class_13,
    14: class_14,
    15: class_15,
    16: class_16,
    17: class_17,
    18: class_18,
    19: class_19,
    20: class_20,
    21: class_21,
    22: class_22,
    23: class_23,
    24: class_24,
    25: class_25,
    26: class_26,
    27: class_27,
    28: class_28,
    29: class_29,
}


@pytest.mark.parametrize("number", CLASSES)
def test_change_class(number: int) -> None:
    CLASSES[number]()


def test_every_class_has_its_row() -> None:
    assert list(CLASSES) == list(range(1, 30))


def test_what_was_not_read_is_neither_missing_nor_clean() -> None:
    denied = Gap(Scope(ACCOUNT, REGION, "aws_sqs_queue"), "AccessDenied")
    found = passes(declared=[queue()], gaps=[denied])
    assert (found.drifts, found.status, found.compared) == ((), "incomplete", 0)


def test_the_role_of_a_pipeline_is_no_proof() -> None:
    hand = [record(userIdentity=in_role("deploy", "CHG-7", "ASIAUNKNOWN"), userAgent=TERRAFORM)]
    (finding,) = passes(
        declared=[queue()], seen=[queue(visibility_timeout_seconds=60)], records=hand, tickets=[ticket()]
    ).findings
    assert finding.candidates[0].change.actor.role == DEPLOY
    assert finding.verdict.outcome != "authorised"
