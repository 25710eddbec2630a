"""One interval's trail: what is in it, and that late, doubled and reordered delivery changes nothing."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trail_records import (
    ACCOUNT,
    BOTO,
    END,
    QUEUE,
    REGION,
    SPECS,
    START,
    assume,
    change_of,
    in_role,
    packed,
    record,
    source,
    trail_of,
    user,
)

from agent.model import Actor, Change, Gap, Scope, Touch
from agent.trail.read import read
from agent.trail.source import Blob


def test_a_change_in_full() -> None:
    made = record()
    assert change_of(made) == Change(
        event_ids=(made["eventID"],),
        time=datetime(2026, 3, 2, 12, tzinfo=UTC),
        action="sqs:SetQueueAttributes",
        actor=Actor("dana", "person", f"arn:aws:iam::{ACCOUNT}:user/dana", "IAM user", 0.7),
        channel="sdk",
        account=ACCOUNT,
        region=REGION,
        touches=(Touch("aws_sqs_queue", (QUEUE, "orders"), "update", {"visibility_timeout_seconds": "60"}),),
        session="AKIADANA",
        source_ip="198.51.100.7",
        user_agent=BOTO,
        request=made["requestParameters"],
        identity="iam-user",
    )


def test_the_counts_of_an_interval() -> None:
    trail = trail_of(
        record(),
        record(),
        record(at="13:00:00", readOnly=True, eventName="GetQueueAttributes"),
        record(at="14:00:00", errorCode="AccessDenied", requestParameters=None),
        record(at="14:00:00", errorCode="AccessDenied", requestParameters=None),
        record("PutInventory", "ssm", at="15:00:00"),
        record(at="07:59:59"),
        record(at="20:00:01"),
        record("PutObject", "s3", at="16:00:00", eventCategory="Data", managementEvent=False),
    )
    assert (trail.events, trail.denied, len(trail.changes)) == (5, 1, 1)  # 07:59 and 20:00 are hours of their own
    assert trail.newest_event == datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert (trail.start, trail.end, trail.gaps) == (START, END, ())


def test_changes_stand_in_order_of_time_and_id() -> None:
    trail = trail_of(
        *(record(at=at, sourceIPAddress=ip) for at, ip in (("13:00:00", "1"), ("09:00:00", "1"), ("13:00:00", "2")))
    )
    order = [(change.time, change.event_ids) for change in trail.changes]
    assert order == sorted(order)
    assert [time.hour for time, _ in order] == [9, 13, 13]


@pytest.mark.parametrize("at", ["08:00:00", "20:00:00"])
def test_both_ends_belong_to_the_interval(at: str) -> None:
    assert len(trail_of(record(at=at)).changes) == 1


def test_events_are_counted_by_id_where_it_is_one() -> None:
    uuid = "5b6c7d8e-0000-4000-8000-00000000000a"
    assert trail_of(record(eventID=uuid), record(at="12:01:00", eventID=uuid.upper())).events == 1
    assert trail_of(record(eventID="1"), record(at="12:01:00", eventID="1"), record(eventID="1")).events == 2
    assert trail_of(record(eventID=None), record(at="12:01:00", eventID=None)).events == 2


def test_a_write_without_a_time_is_told_of() -> None:
    lost = record(eventTime="... redacted")
    trail = trail_of(lost, record())
    assert len(trail.changes) == 1
    expected = f"event {lost['eventID']} has no usable eventTime: not placed"
    assert [gap.why for gap in trail.gaps] == [expected]


def test_files_without_an_event_of_the_interval_are_a_delivery_gap() -> None:
    (gap,) = trail_of(record(at="01:00:00")).gaps
    assert gap == Gap(
        Scope(type="cloudtrail"),
        "no event of the whole interval in what was delivered",
        cause="undelivered",
    )


def test_a_source_that_answers_may_answer_nothing() -> None:
    def answering(_start: datetime, _end: datetime):
        yield Blob("LookupEvents page 1", packed(record(at="01:00:00")), answers=True)

    assert read([answering], START, END, specs=SPECS).gaps == ()
    assert read([source()], START, END, specs=SPECS).gaps == ()


def test_a_sources_gap_and_a_bad_file_are_passed_on_and_the_rest_is_read() -> None:
    denied = Gap(Scope(account=ACCOUNT, type="cloudtrail"), "s3://b: AccessDenied")
    trail = read([source(denied, b"no json", packed(record()))], START, END, specs=SPECS)
    assert len(trail.changes) == 1
    whys = [gap.why for gap in trail.gaps]
    assert len(whys) == 2
    assert any(why.startswith("file-1.json.gz: not JSON") for why in whys)
    assert denied in trail.gaps


# --- one event, several copies -------------------------------------------------------------------------------


def test_two_sources_of_one_event_are_one_change() -> None:
    made = record()
    spaced = json.dumps({"Records": [made]}, indent=1).encode()
    trail = read([source(packed(made)), source(spaced)], START, END, specs=SPECS)
    assert [change.event_ids for change in trail.changes] == [(made["eventID"],)]


def test_of_differing_copies_the_fuller_counts() -> None:
    made = record()
    cut = made | {"requestParameters": None}
    for order in ((made, cut), (cut, made)):
        assert change_of(*order).touches[0].ids == (QUEUE, "orders")


@pytest.mark.parametrize("ids", [(1, 2), (2, 1)])
def test_two_accounts_copies_are_one_change_the_owners(ids: tuple[int, int]) -> None:
    shared = {"sharedEventID": "5b6c7d8e-0000-4000-8000-000000000001"}
    first, second = (f"5b6c7d8e-0000-4000-8000-10000000000{number}" for number in ids)
    stranger = {"type": "AWSAccount", "accountId": ACCOUNT, "principalId": "AIDADANA"}
    owner = record(**shared, recipientAccountId="999988887777", userIdentity=stranger, eventID=first)
    caller = record(**shared, eventID=second)
    for order in ((owner, caller), (caller, owner)):
        change = change_of(*order)
        assert (change.account, change.actor.name) == ("999988887777", "dana")
        assert change.event_ids == tuple(sorted((owner["eventID"], caller["eventID"])))


def test_a_shared_id_of_another_call_joins_nothing() -> None:
    shared = {"sharedEventID": "5b6c7d8e-0000-4000-8000-000000000001"}
    assert len(trail_of(record(**shared), record("DeleteQueue", **shared)).changes) == 2


def test_a_correction_replaces_what_it_corrects() -> None:
    first = record()
    second = record(at="12:00:00", requestParameters={"queueUrl": f"{QUEUE}-2"}) | {
        "addendum": {
            "reason": "UPDATED_DATA",
            "updatedFields": "requestParameters",
            "originalEventID": first["eventID"],
        }
    }
    late = record(at="13:00:00") | {"addendum": {"reason": "DELIVERY_DELAY"}}
    for order in ((first, second, late), (late, second, first)):
        changes = trail_of(*order).changes
        assert [change.event_ids for change in changes] == [
            tuple(sorted((first["eventID"], second["eventID"]))),
            (late["eventID"],),
        ]
        assert changes[0].touches[0].ids == (f"{QUEUE}-2", "orders-2")


STORY = [
    assume(user(), "Hub", "d", "ASIAHUB", at="03:00:00", tags=[{"key": "ticket", "value": "OPS-1"}]),
    assume(in_role("Hub", "d", "ASIAHUB"), "Deploy", "x", "ASIADEPLOY", at="09:00:00"),
    assume({"type": "AWSAccount", "accountId": "4"}, "Deploy", "x", "ASIADEPLOY", at="09:00:00", sharedEventID="s"),
    record(at="09:30:00", userIdentity=in_role("Deploy", "x", "ASIADEPLOY")),
    record(at="09:30:00", userIdentity=in_role("Deploy", "y", "ASIAOTHER")),
    record("DeleteQueue", at="10:00:00", requestParameters={"queueUrl": QUEUE}),
    record(at="10:00:00") | {"requestParameters": None},
    record("StopLogging", "cloudtrail", at="11:00:00", requestParameters={"name": "t"}),
    record("StartLogging", "cloudtrail", at="11:00:00", requestParameters={"name": "t"}),
    record(at="12:00:00", errorCode="AccessDenied"),
    record(at="12:30:00", eventTime=None, eventID="1"),
    record(at="12:45:00", eventID="1"),
    record(at="12:45:00", eventID="1", sourceIPAddress="203.0.113.1"),
    record(at="13:00:00", sharedEventID="two-accounts"),
    record(at="13:00:00", sharedEventID="two-accounts", recipientAccountId="999988887777"),
    record(at="14:00:00", readOnly=True, eventName="ListQueues"),
    record("PutInventory", "ssm", at="15:00:00"),
    record(at="15:00:00") | {"eventID": "5b6c7d8e-0000-4000-8000-00000000000a"},
    record(at="15:00:00", sourceIPAddress="203.0.113.9") | {"eventID": "5b6c7d8e-0000-4000-8000-00000000000A"},
]
DELIVERED = trail_of(*STORY)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_delivery_changes_nothing(data: st.DataObject) -> None:
    """Any order, any number of repeats, any cut into files, any spread over sources: the same trail."""
    doubled = STORY + data.draw(st.lists(st.sampled_from(STORY), max_size=15))
    order = data.draw(st.permutations(doubled))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    files = [packed(*order[start:end]) for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    half = data.draw(st.integers(0, len(files)))
    assert read([source(*files[:half]), source(*files[half:])], START, END, specs=SPECS) == DELIVERED


def test_the_story_holds_what_the_property_is_about() -> None:
    named = {(change.actor.name, change.actor.kind) for change in DELIVERED.changes}
    assert named == {("dana", "person"), ("y", "unknown")}
    assert (DELIVERED.events, DELIVERED.denied, len(DELIVERED.changes), len(DELIVERED.gaps)) == (16, 1, 10, 2)


# --- who signed in, and who wrote a state --------------------------------------------------------------------

SUBJECT = "repo:acme/shop:ref:refs/heads/main"
WEB = {
    "type": "WebIdentityUser",
    "principalId": f"token.actions.githubusercontent.com:sts.amazonaws.com:{SUBJECT}",
    "userName": SUBJECT,
    "identityProvider": "token.actions.githubusercontent.com",
}


def object_written(key: str = "shop.tfstate", name: str = "PutObject", **fields: object) -> dict:
    given = {
        "requestParameters": {"bucketName": "acme-state", "key": key},
        "managementEvent": False,
        "eventCategory": "Data",
    }
    return record(name, "s3", **(given | fields))


def test_who_signed_in_is_told_though_nothing_was_changed() -> None:
    path = f"arn:aws:iam::{ACCOUNT}:role/ci/deploy"
    by_web = assume(WEB, "deploy", "run-7", "ASIARUN", call="AssumeRoleWithWebIdentity", roleArn=path)
    by_hand = assume(user(), "shared", "x", "ASIAX", at="12:30:00", sourceIdentity="dana@acme.example")
    service = assume({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "worker", "i-1", "ASIAW")
    early = assume(user(), "shared", "y", "ASIAY", at="07:00:00")
    found = trail_of(by_web, by_web, by_hand, service, early)
    assert [(one.action, one.actor.name, one.actor.role, one.session) for one in found.sessions] == [
        ("sts:AssumeRoleWithWebIdentity", "acme/shop", path, "ASIARUN"),
        ("sts:AssumeRole", "dana@acme.example", f"arn:aws:iam::{ACCOUNT}:role/shared", "ASIAX"),
    ]
    assert [one.actor.subject for one in found.sessions] == [SUBJECT, ""]
    assert found.sessions[1].actor.source_identity == "dana@acme.example"
    assert found.changes == ()


def test_writes_of_states_are_kept_apart_from_changes() -> None:
    found = trail_of(
        object_written(),
        object_written("live/terraform", name="DeleteObject", at="12:05:00"),
        object_written("logs/today.gz"),
        object_written("shop.tfstate.tflock"),
        object_written("shop.tfstate", name="GetObject"),
        object_written("shop.tfstate", errorCode="AccessDenied"),
        object_written("shop.tfstate", at="07:00:00"),
        object_written("x.tfstate", requestParameters={"key": "x.tfstate"}),
        states=["acme-state/live/terraform"],
    )
    assert [(one.action, one.actor.name, one.request["key"]) for one in found.state_writes] == [
        ("s3:PutObject", "dana", "shop.tfstate"),
        ("s3:DeleteObject", "dana", "live/terraform"),
    ]
    assert found.changes == ()
