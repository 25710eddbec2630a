"""Questions put to the journal: who touched a resource, what an event was, who entered, how far the trail was read."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from line import QUEUE_ARN, QUEUE_KEY, state
from trail_records import ACCOUNT, END, QUEUE, REGION, START, TERRAFORM, assume, in_role, packed, record, user

from agent import inquiry
from agent.cli import main
from agent.config import Config, load
from agent.ingest import ingest, leading_to
from agent.inquiry import shown
from agent.model import Gap, Key, Scope
from agent.resources import load as load_specs
from agent.store import Kept, ScanCommit, Store, connect, states
from agent.trail.entries import Reader
from agent.trail.source import Blob, Delivery, Feed

DAY = timedelta(days=1)
CREATED = record(
    "CreateQueue", at="09:00:00", requestParameters={"queueName": "orders"}, responseElements={"queueUrl": QUEUE}
)
BY_ROLE = record(at="10:00:00", userIdentity=in_role("Deploy", "x", "ASIADEPLOY"), userAgent=TERRAFORM)
ELSEWHERE = record(at="11:00:00", requestParameters={"queueUrl": f"{QUEUE}-2", "attributes": {"DelaySeconds": "1"}})
ATTACHED = record(
    "AttachRolePolicy",
    "iam",
    at="11:30:00",
    awsRegion="us-east-1",
    requestParameters={"roleName": "worker", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
)
SIGNED_IN = record(
    "ConsoleLogin",
    "signin",
    at="08:30:00",
    eventType="AwsConsoleSignIn",
    requestParameters=None,
    responseElements={"ConsoleLogin": "Success"},
    additionalEventData={"MFAUsed": "No"},
)
STORY = [
    CREATED,
    assume(user(), "Deploy", "x", "ASIADEPLOY", at="08:00:00"),
    BY_ROLE,
    ELSEWHERE,
    ATTACHED,
    SIGNED_IN,
    record("DeleteQueue", at="12:00:00", errorCode="AccessDenied"),
]
ROLE_KEY = Key(ACCOUNT, "global", "aws_iam_role", "worker")
GAP = Gap(Scope(type="cloudtrail"), "s3://b/\x1b[2Jfile: not JSON", cause="unreadable")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "driftwarden.toml"
    path.write_text('[[stack]]\nname = "shop"\ndir = "."\n[trail]\nsource = "."\nkeep = "3650d"\n')
    return load(path)


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    """A store that has read the story and one state, which holds the queue and a role."""
    with connect(config.store_url()) as opened:

        def deliveries(_window: object) -> Iterator[Delivery]:
            yield Delivery((Blob("file", packed(*STORY)),), "a", {"next": 1}, lasting=(GAP,))

        reader = Reader(load_specs())
        ingest(opened.journal, [Feed("logs", deliveries)], reader, START, END, seal=lambda one: one, now=lambda: END)
        read = replace(
            state(),
            keys={"aws_sqs_queue.orders[0]": (QUEUE_KEY,), "module.a.aws_iam_role.worker": (ROLE_KEY,)},
            names={
                "aws_sqs_queue.orders[0]": (QUEUE, QUEUE_ARN, "orders"),
                "module.a.aws_iam_role.worker": ("worker", f"arn:aws:iam::{ACCOUNT}:role/worker"),
            },
        )
        opened.scans.begin("r1", START, "c", "r")
        with opened.database.write() as connection:
            states.keep(connection, "r1", END, [read])
        yield opened


@pytest.mark.parametrize(
    "asked", ["aws_sqs_queue.orders[0]", "aws_sqs_queue.orders", "shop/aws_sqs_queue.orders", QUEUE, "orders"]
)
def test_who_touched_a_resource(config: Config, store: Store, asked: str) -> None:
    found = inquiry.who(config, store, asked, DAY, END)
    assert [(one.change.action, one.change.actor.name) for one in found.calls] == [
        ("sqs:CreateQueue", "dana"),
        ("sqs:SetQueueAttributes", "dana"),
    ]
    assert found.calls[1].change.actor.how == "IAM user; AssumeRole chain: dana → Deploy"
    assert [touch.act for one in found.calls for touch in one.touches] == ["create", "update"]
    assert found.known is ("aws_sqs" in asked)
    assert found.reach.gaps == (GAP,)
    assert shown.answer_lines(found).splitlines()[3:6] == [
        "2026-03-02 10:00:00 UTC  sqs:SetQueueAttributes by dana, Terraform from 198.51.100.7: not judged by the last "
        "scan",
        "    update aws_sqs_queue: visibility_timeout_seconds = 60",
        f"    known from IAM user; AssumeRole chain: dana → Deploy (70% sure); event {BY_ROLE['eventID']}",
    ]
    assert json.loads(shown.answer_json(found))["calls"][1]["tool"] == "terraform"


def test_parts_of_a_resource_are_its_own(config: Config, store: Store) -> None:
    found = inquiry.who(config, store, "module.a.aws_iam_role.worker", DAY, END)
    assert [one.change.action for one in found.calls] == ["iam:AttachRolePolicy"]
    assert found.names == ("worker", f"arn:aws:iam::{ACCOUNT}:role/worker")


def test_a_name_of_another_type_is_another_resource(config: Config, store: Store) -> None:
    found = inquiry.who(config, store, "worker", DAY, END)
    assert [touch.type for one in found.calls for touch in one.touches] == ["aws_iam_role_policy_attachment"]


def test_nobody_touched_it_as_far_as_is_known(config: Config, store: Store) -> None:
    found = inquiry.who(config, store, "aws_sqs_queue.none", DAY, END)
    assert (found.calls, found.known, found.names) == ((), False, ("aws_sqs_queue.none",))
    said = shown.answer_lines(found)
    assert said.startswith("no call on aws_sqs_queue.none is known\n(no state that was read has this address")
    assert "the oldest record kept is of 2026-03-02T08:00:00Z: nothing is known before it" in said
    assert "\x1b" not in said


def test_an_event_in_full(config: Config, store: Store) -> None:
    found = inquiry.explain(config, store, BY_ROLE["eventID"].upper())
    assert found is not None
    assert found.change is not None
    assert (found.entry.channel, found.entry.tool, found.entry.identity) == ("iac", "terraform", "assumed-role")
    said = shown.explained_lines(found)
    assert "dana: IAM user; AssumeRole chain: dana → Deploy (70% sure)" in said
    assert "aws_sqs_queue" in said
    assert "visibility_timeout_seconds = 60" in said
    assert json.loads(shown.explained_json(found))["call"]["actor"]["name"] == "dana"


def test_refusals_and_sign_ins_are_explained_too(config: Config, store: Store) -> None:
    denied = inquiry.explain(config, store, STORY[-1]["eventID"])
    assert denied is not None
    assert "sqs:DeleteQueue: AccessDenied" in shown.explained_lines(denied)
    signed = inquiry.explain(config, store, SIGNED_IN["eventID"])
    assert signed is not None
    assert signed.change is not None
    assert inquiry.explain(config, store, "none") is None


def test_who_entered(config: Config, store: Store) -> None:
    (row,), reach = inquiry.entered(config, store, DAY, END)
    assert (row.name, row.sign_ins, row.without_mfa, row.sessions, row.changes, row.refused) == ("dana", 1, 1, 1, 4, 1)
    said = shown.access_lines((row,), reach, 200)
    assert "1, 1 without MFA" in said
    assert json.loads(shown.access_json((row,), reach))["access"][0]["name"] == "dana"


def test_how_the_trail_stands(config: Config, store: Store) -> None:
    found = inquiry.status(config, store, END)
    said = shown.status_lines(found)
    assert "logs a: read until 2026-03-02T20:00:00Z" in said
    assert "4 changes" in said
    assert f"{ACCOUNT} {REGION}:" in said
    assert "\x1b" not in said
    assert json.loads(shown.status_json(found))["gaps"][0]["cause"] == "unreadable"


def test_a_store_that_has_read_nothing_says_so(tmp_path: Path, config: Config) -> None:
    with connect(f"sqlite:///{tmp_path}/empty.db") as empty:
        assert "nothing was read yet" in shown.status_lines(inquiry.status(config, empty, END))
        said = shown.answer_lines(inquiry.who(config, empty, "x", DAY, END))
        assert "nothing of the trail is kept" in said
        rows, reach = inquiry.entered(config, empty, DAY, END)
        assert shown.access_lines(rows, reach, 80).startswith("nobody entered, as far as the trail was read")


def test_what_the_last_scan_could_not_read_is_told_with_every_answer(config: Config, store: Store) -> None:
    denied = Gap(Scope(ACCOUNT, "eu-west-1", "cloudtrail"), "s3://b/k: s3:GetObject is missing")
    missed = [{"scope": str(one.scope), "why": one.why, "resources": 0} for one in (denied, GAP)]
    run = {"id": "r1", "started_at": END.isoformat()}
    document = json.dumps({"run": run, "coverage": {"trail": {"gaps": missed}}}).encode()
    assert store.scans.commit(ScanCommit("r1", finished_at=END, status="incomplete", document=document))
    assert inquiry.status(config, store, END).gaps == (GAP, denied)
    assert inquiry.who(config, store, "nothing", DAY, END).reach.gaps == (GAP, denied)
    assert inquiry.entered(config, store, DAY, END)[1].gaps == (GAP, denied)


def test_a_trail_that_nobody_reads_any_more_is_a_gap(config: Config, store: Store) -> None:
    assert inquiry.status(config, store, END + timedelta(hours=25)).gaps == (GAP,)
    (gap,) = inquiry.status(config, store, END + timedelta(days=20)).gaps
    assert gap.why == f"nothing was read since {END:%FT%TZ}: no scan was, or none got that far"


def test_until_when_digests_prove_a_place_is_shown(config: Config, store: Store) -> None:
    proven = {"version": 1, "account": ACCOUNT, "region": REGION, "home": "h", "trail": "t", "refused": []}
    for shard, end in (("a", START), ("b", END)):
        last = {**proven, "last": ["key", "sha", "signature", end.isoformat()]}
        store.journal.keep("digests s3://b/AWSLogs/", Kept(shard=shard, checkpoint=last), END)
    found = inquiry.status(config, store, END)
    assert {one.region: one.verified_until for one in found.coverage}[REGION] == END
    assert f"proven complete until {END:%F}" in shown.status_lines(found)


def test_of_many_sessions_only_those_behind_a_call_are_looked_at(config: Config, store: Store) -> None:
    chained = [
        assume(user("marco"), "First", "a", "ASIAONE", at="07:00:10"),
        assume(in_role("First", "a", "ASIAONE"), "Second", "b", "ASIATWO", at="07:00:10"),
        record(at="07:30:00", userIdentity=in_role("Second", "b", "ASIATWO"), requestParameters={"queueUrl": "q"}),
        *(assume(user(), "Deploy", f"s{n}", f"ASIA{n}", at="07:10:00") for n in range(20)),
    ]
    feed = Feed("more", lambda _: iter([Delivery((Blob("file", packed(*chained)),))]))
    ingest(store.journal, [feed], Reader(load_specs()), START, END, seal=lambda one: one, now=lambda: END)
    call = store.journal.entry(chained[2]["eventID"])
    assert call is not None
    assert len(list(leading_to([call], store.journal, call.time))) == 2
    explained = inquiry.explain(config, store, call.event)
    assert explained is not None
    assert explained.change is not None
    assert explained.change.actor.name == "marco"


# --- the command line ----------------------------------------------------------------------------------------


def asked(config: Config, *arguments: str) -> tuple[int, str]:
    given = [*arguments, "--config", f"{config.base}/driftwarden.toml"]
    result = CliRunner().invoke(main, ["trail", *given])
    return result.exit_code, result.output


@pytest.mark.usefixtures("store")
def test_commands(config: Config) -> None:
    assert asked(config, "who", "aws_sqs_queue.orders", "--since", "3650d")[0] == 0
    code, said = asked(config, "who", "nothing", "--since", "3650d")
    assert (code, "no call on nothing is known" in said) == (1, True)
    code, said = asked(config, "who", "x", "--since", "soon")
    assert (code, "'soon' is no duration" in said) == (2, True)
    assert asked(config, "explain", CREATED["eventID"])[0] == 0
    code, said = asked(config, "explain", "none")
    assert (code, "event none is not kept" in said) == (2, True)
    assert asked(config, "access", "--since", "3650d", "--output", "json")[0] == 0
    assert asked(config, "status")[0] in (0, 3)


def test_importing_files(config: Config, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "a.json.gz").write_bytes(packed(*STORY))
    code, said = asked(config, "import", str(folder))
    assert (code, said.splitlines()[0]) == (0, f"{folder}: 7 records read, 7 kept that were not before")
    assert "0 kept that were not before" in asked(config, "import", str(folder))[1]
    (folder / "b.json").write_bytes(b"no json")
    code, said = asked(config, "import", str(folder))
    assert (code, "b.json: not JSON" in said) == (3, True)
    assert asked(config, "who", "orders", "--since", "3650d")[0] == 0
