"""Input that is wrong, broken, denied or missing: what is said, how the scan ends, and that the rest of it survives."""

import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.config import Config as ClientConfig
from small_estate import ACCOUNT, CODE, CONFIG, OURS, PROVIDER, REGION, Estate, bucket, queue, role, state

from agent.declared.backends import Access, fetch
from agent.declared.state import MAX_BYTES, StateError
from agent.demo.recorder.proxy import Proxy
from agent.demo.recorder.wire import Request, Response, Upstream, answer
from agent.live import requests
from agent.model import Gap, Scope
from agent.run import Done
from agent.store import StoreError


def gaps(done: Done) -> dict[str, str]:
    """Why something was not read, by the type (or account) it hides; told without the estate's folder."""
    return {gap.scope.type if gap.scope.type != "*" else gap.scope.account: gap.why for gap in done.scan.gaps}


# --- what the user wrote: exit 2 -----------------------------------------------------------------------------


def test_a_configuration_that_is_no_toml(estate: Estate) -> None:
    estate.configure(CONFIG.replace('name = "shop"', "name = shop"))
    for command in (("scan",), ("check",), ("findings",), ("report",)):
        done = estate.driftwarden(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "driftwarden: driftwarden.toml:2: not TOML: Invalid value: name = shop\n"
    assert not estate.store.exists()


def test_a_rule_file_that_is_none(estate: Estate) -> None:
    (estate.folder / "ours").mkdir()
    (estate.folder / "ours" / "night-shift.yaml").write_text("id: night-shift\ntitle: x\nseverity: hihg\n")
    estate.configure(CONFIG + '[rules]\ndirs = ["ours"]\n')
    done = estate.process("scan")  # what the scan's own process says comes through
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"driftwarden: {estate.folder}/ours/night-shift.yaml:1: a rule has no 'stage'\n"
    checked = estate.driftwarden("check")
    assert checked.returncode == 3
    assert "failed   rules: " in checked.stdout
    assert "night-shift.yaml:1: a rule has no 'stage'" in checked.stdout


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[store]\nurl = 'mysql://x'\n", "store: mysql:// is not supported"),
        ("[store]\nurl = 'sqlite:///shop/main.tf'\n", "file is not a database"),
        ("[store]\nurl = 'postgresql://nobody@127.0.0.1:1/x'\n", "store postgresql://nobody@127.0.0.1:1/x: "),
    ],
)
def test_a_store_that_is_none(estate: Estate, table: str, said: str) -> None:
    estate.configure(CONFIG + table)
    with pytest.raises(StoreError) as error:
        estate.scan()
    assert said in str(error.value)


# --- code and state: a gap, and the other stacks are read ----------------------------------------------------


def with_stacks(estate: Estate, *names: str) -> None:
    """One more stack for each name, in a folder of that name."""
    tables = "".join(f'[[stack]]\nname = "{name}"\ndir = "{name}"\n\n' for name in names)
    estate.configure(CONFIG.replace("[[account]]", f"{tables}[[account]]"))
    for name in names:
        (estate.folder / name).mkdir()
        (estate.folder / name / "main.tf").write_text('resource "aws_sns_topic" "t" {\n  name = "t"\n}\n')
        (estate.folder / name / "terraform.tfstate").write_text(json.dumps(state()))


def test_code_that_does_not_parse(estate: Estate) -> None:
    with_stacks(estate, "broken")
    (estate.folder / "broken" / "main.tf").write_text('resource "aws_sns_topic" "t" {\n  name = "t"\n  policy = \n}\n')
    estate.set_timeout(5)
    code, found, said = estate.scan_process()
    (gap,) = found["coverage"]["gaps"]
    assert gap["why"].startswith("stack broken: main.tf:3")
    # The other stack is compared, and what differs there is told: found violations come before what is incomplete.
    assert (code, found["status"], said) == (1, "violations", "")
    assert found["coverage"]["compared"] == 3
    assert [drift["address"] for drift in found["drifts"]] == ["aws_sqs_queue.orders"]


STATES: dict[str, tuple[bytes, str]] = {
    "old": (b'{"version": 3}', "has format version 3, read is version 4: run `terraform apply -refresh-only`"),
    "new": (b'{"version": 5}', "has format version 5, read is version 4: update driftwarden"),
    "cut": (json.dumps(state(queue(), role())).encode()[:400], "is not whole JSON: it ends at byte 400 in the middle"),
    "empty": (b"", "is empty: Terraform writes at least a version, restore the last good state"),
    "binary": (b"\x00\x01\x02", "is not whole JSON"),
    "other": (b'{"Records": []}', "is not a Terraform state: it has no `version`"),
    "odd": (b'{"version": 4, "lineage": 7, "serial": 1}', "is not a state as Terraform writes it: Expected `str`"),
    "sealed": (b'{"encrypted_data": "x", "version": 4}', "is encrypted by OpenTofu"),
    "twice": (json.dumps(state(queue(), queue())).encode(), "records aws_sqs_queue.orders twice"),
    "deep": (b'{"version": 4, "lineage": "x", "serial": 1, "x": ' + b"[" * 99_999, "is not"),
}


def test_states_that_cannot_be_read(estate: Estate) -> None:
    with_stacks(estate, *STATES, "huge", "gone")
    for name, (content, _) in STATES.items():
        (estate.folder / name / "terraform.tfstate").write_bytes(content)
    with (estate.folder / "huge" / "terraform.tfstate").open("wb") as sparse:
        sparse.truncate(MAX_BYTES + 1)
    (estate.folder / "gone" / "terraform.tfstate").unlink()
    done = estate.scan()
    said = {gap.why.partition(": ")[0].removeprefix("stack "): gap.why.partition(": ")[2] for gap in done.scan.gaps}
    expected = {name: f"terraform.tfstate {why}" for name, (_, why) in STATES.items()}
    expected["huge"] = f"{estate.folder}/huge/terraform.tfstate has 524,288,001 bytes, at most 524,288,000 are read"
    expected["gone"] = f"there is no state file {estate.folder}/gone/terraform.tfstate: apply the stack"
    assert {name: why[: len(expected[name])] for name, why in said.items()} == expected
    assert (done.scan.status, done.scan.compared, done.scan.drifts) == ("incomplete", 3, ())
    assert {gap.scope for gap in done.scan.gaps} == {Scope(account=ACCOUNT)}


def test_a_state_of_500_mb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "terraform.tfstate").open("wb") as sparse:
        sparse.truncate(MAX_BYTES + 1)
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(StateError, match="at most 524,288,000 are read"):
            fetch("terraform.tfstate", Access(tmp_path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (peak < 1 << 20, time.process_time() - began < 1) == (True, True)


def test_a_state_that_lies_where_nobody_may_read(estate: Estate) -> None:
    with_stacks(estate, "remote", "elsewhere")
    tables = CONFIG.replace(
        'dir = "shop"', 'dir = "shop"\n\n[[stack]]\nname = "s3"\ndir = "remote"\nstate = "s3://no/x"'
    )
    estate.configure(tables + '[[stack]]\nname = "elsewhere"\ndir = "elsewhere"\n')
    (estate.folder / "elsewhere" / "backend.tf").write_text('terraform {\n  backend "oss" {}\n}\n')
    done = estate.scan()
    assert sorted(gap.why.partition(": copy it")[0] for gap in done.scan.gaps) == [
        "stack elsewhere: states in `oss` are not read, "
        "only in azurerm, cloud, consul, gcs, http, local, pg, remote, s3",
        "stack s3: s3://no/x: there is no such bucket: correct the location",
    ]
    assert done.scan.compared == 3


def test_one_resource_of_a_state_that_makes_no_sense(estate: Estate) -> None:
    odd = queue()
    odd["name"] = "odd"
    odd["instances"][0]["attributes"] = ["not", "an", "object"]
    (estate.folder / "shop" / "terraform.tfstate").write_text(json.dumps(state(queue(), odd, bucket())))
    done = estate.scan()
    (gap,) = done.scan.gaps
    assert (gap.scope, "aws_sqs_queue.odd" in gap.why) == (Scope(account=ACCOUNT, type="aws_sqs_queue"), True)
    assert done.scan.compared >= 1


def test_resources_of_other_providers_and_of_no_known_type_are_limits(estate: Estate) -> None:
    other = {**queue(), "type": "google_pubsub_topic", "provider": PROVIDER.replace("aws", "google")}
    unknown = {**queue(), "type": "aws_quicksight_thing"}
    (estate.folder / "shop" / "terraform.tfstate").write_text(json.dumps(state(other, unknown, role(), bucket())))
    done = estate.scan()
    limits = {limit.scope.type: limit.why for limit in done.scan.limits}
    assert limits["aws_quicksight_thing"] == "no resource specification"
    assert limits["google_pubsub_topic"].endswith("are not read")
    assert done.scan.gaps == ()


# --- the trail: a gap, and the other files are read ----------------------------------------------------------


def test_trail_files_that_cannot_be_read(estate: Estate) -> None:
    estate.set_timeout(5)
    trail = estate.folder / "trail"
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(300)) + squeeze.flush()
    (trail / "a-text.json.gz").write_bytes(b"this is no gzip")
    (trail / "b-cut.json.gz").write_bytes(gzip.compress(b'{"Records": []}')[:-9])
    (trail / "c-bad.json").write_text('{"Records": [{"eventName": ')
    (trail / "d-bomb.json.gz").write_bytes(bomb)
    (trail / "e-other.json").write_text('{"Records": [{"eventName": 7}]}')
    with (trail / "f-huge.json").open("wb") as sparse:
        sparse.truncate(600 << 20)
    done = estate.scan()
    names = sorted(path.name for path in trail.iterdir() if not path.name.startswith("log-"))
    whys = {name: [gap.why for gap in done.scan.gaps if f"/{name}: " in gap.why] for name in names}
    assert {name: len(found) for name, found in whys.items()} == dict.fromkeys(names, 1)
    assert len(done.scan.gaps) == len(names)
    assert {gap.scope for gap in done.scan.gaps} == {Scope(type="cloudtrail")}
    assert "600 MB, more than the 256 MB" in whys["f-huge.json"][0]
    # The others are read: the change has its author.
    (finding,) = [one for one in done.scan.findings if one.drifts]
    assert [item.change.actor.name for item in finding.changes] == ["dana"]
    assert {violation.rule for violation in done.scan.violations} >= {"trail-gap", "unticketed-change"}


def test_a_trail_that_is_not_there(estate: Estate) -> None:
    estate.configure(CONFIG.replace('source = "trail"', 'source = "no-such-folder"'))
    done = estate.scan()
    assert [gap.why for gap in done.scan.gaps] == [f"{estate.folder}/no-such-folder: No such file or directory"]
    assert {violation.rule for violation in done.scan.violations} == {"trail-gap"}
    assert done.scan.compared == 3


def test_lookup_events_denied(estate: Estate) -> None:
    estate.configure(CONFIG.replace('source = "trail"', 'source = "lookup"'))
    estate.recorder.deny(OURS, "cloudtrail:LookupEvents")
    done = estate.scan()
    whys = [gap.why for gap in done.scan.gaps]
    assert all("LookupEvents" in why and "AccessDenied" in why for why in whys)
    assert whys
    assert {violation.rule for violation in done.scan.violations} == {"trail-gap"}
    assert done.scan.compared == 3


# --- AWS: a gap for what was denied, and the rest is read ----------------------------------------------------


def test_no_credentials(estate: Estate) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del estate.variables[name]
    code, found, said = estate.scan_process()
    assert (code, found["status"], said) == (3, "incomplete", "")
    assert [(gap["scope"], gap["why"]) for gap in found["coverage"]["gaps"]] == [
        (f"{ACCOUNT}/*/*/*", "no credentials for this account: Unable to locate credentials")
    ]
    assert found["coverage"]["trail"]["events"] > 0
    assert (found["drifts"], found["coverage"]["compared"], found["coverage"]["declared"]) == ([], 0, 3)
    checked = estate.driftwarden("check")
    assert checked.returncode == 3
    assert f"failed   credentials: account {ACCOUNT}: no credentials for this account: Unable to" in checked.stdout


def test_no_credentials_to_read_the_trail_with(estate: Estate) -> None:
    estate.variables["AWS_ACCESS_KEY_ID"] = ""
    estate.configure(CONFIG.replace('source = "trail"', 'source = "lookup"').replace('id = "123456789012"', ""))
    done = estate.scan()
    assert Gap(Scope(type="cloudtrail"), "no credentials to read CloudTrail with") in done.scan.gaps
    assert done.scan.status == "incomplete"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('profile = "audit"', "no credentials for this account: The config profile (audit) could not be found"),
        (f'role_arn = "arn:aws:iam::{ACCOUNT}:role/audit"', "is not authorized to perform: sts:AssumeRole"),
    ],
)
def test_credentials_that_cannot_be_had(estate: Estate, table: str, said: str) -> None:
    estate.recorder.deny(OURS, "sts:AssumeRole")
    estate.configure(CONFIG.replace('id = "123456789012"', f'id = "123456789012"\n{table}'))
    done = estate.scan()
    (gap,) = done.scan.gaps
    assert (gap.scope, said in gap.why) == (Scope(account=ACCOUNT), True), gap.why
    assert (done.scan.status, done.scan.declared, done.scan.compared) == ("incomplete", 3, 0)


def test_credentials_of_another_account(estate: Estate) -> None:
    estate.configure(CONFIG.replace("123456789012", "210987654321"))
    done = estate.scan()
    assert gaps(done)["210987654321"] == f"the credentials belong to account {ACCOUNT}, not to 210987654321"
    assert (done.scan.status, done.scan.drifts) == ("incomplete", ())


def test_one_account_without_credentials_does_not_stop_the_other(estate: Estate) -> None:
    estate.configure(CONFIG + '\n[[account]]\nid = "210987654321"\nprofile = "audit"\n')
    done = estate.scan()
    assert list(gaps(done)) == ["210987654321"]
    assert (done.scan.compared, done.scan.status) == (3, "incomplete")


def test_denied_calls(estate: Estate) -> None:
    for action in ("sqs:*", "s3:GetBucketTagging", "kms:ListKeys"):
        estate.recorder.deny(OURS, action)
    done = estate.scan()
    found = gaps(done)
    assert sorted(found) == ["aws_kms_key", "aws_s3_bucket", "aws_sqs_queue"]
    assert found["aws_sqs_queue"].startswith("sqs:ListQueues: AccessDenied")
    assert {gap.scope.id for gap in done.scan.gaps if gap.scope.type == "aws_s3_bucket"} == {"small-estate-raw"}
    # Of the three declared only the role could be read; nothing is missing for that.
    assert (done.scan.compared, done.scan.drifts, done.scan.status) == (1, (), "incomplete")


def throttling(action: str, times: int) -> tuple[Callable[[Request, str, Upstream], Response], list[int]]:
    """A server that answers the first calls of an action with throttling, and passes everything else on."""
    refused: list[int] = []

    def serve(request: Request, _client: str, upstream: Upstream) -> Response:
        if not request.headers.get("x-amz-target", "").endswith(action) or len(refused) >= times:
            return upstream.send(request)
        refused.append(1)
        body = {"__type": "com.amazonaws.sqs#ThrottlingException", "message": "Rate exceeded"}
        return answer(400, json.dumps(body).encode(), {"Content-Type": "application/x-amz-json-1.0"})

    return serve, refused


def test_a_burst_of_throttling_is_ridden_out(estate: Estate) -> None:
    serve, refused = throttling("ListQueues", 2)
    with Proxy(estate.recorder.endpoint, serve) as proxy:
        estate.variables["AWS_ENDPOINT_URL"] = proxy.endpoint
        done = estate.scan()
    assert (len(refused), done.scan.status, done.scan.compared) == (2, "clean", 3)


def test_throttling_without_end_is_a_gap(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = requests.DEFAULTS.merge(ClientConfig(retries={"mode": "standard", "total_max_attempts": 2}))
    monkeypatch.setattr(requests, "DEFAULTS", impatient)
    serve, refused = throttling("ListQueues", 99)
    with Proxy(estate.recorder.endpoint, serve) as proxy:
        estate.variables["AWS_ENDPOINT_URL"] = proxy.endpoint
        done = estate.scan()
    assert gaps(done) == {"aws_sqs_queue": "sqs:ListQueues: ThrottlingException: Rate exceeded"}
    assert (len(refused), done.scan.status, done.scan.compared, done.scan.drifts) == (2, "incomplete", 2, ())


def test_a_cloud_that_does_not_answer(estate: Estate) -> None:
    estate.variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    done = estate.scan()
    assert "Could not connect to the endpoint URL" in gaps(done)[ACCOUNT]
    assert (done.scan.status, done.scan.drifts) == ("incomplete", ())


def test_resources_in_a_region_nobody_was_told_to_read(estate: Estate) -> None:
    estate.configure(CONFIG.replace('id = "123456789012"', 'id = "123456789012"\nregions = ["eu-west-1"]'))
    done = estate.scan()
    assert done.scan.gaps == (Gap(Scope(ACCOUNT, REGION), "declared there, but not configured to be read", 1),)
    assert (done.scan.status, done.scan.compared, done.scan.drifts) == ("incomplete", 2, ())


def test_a_region_that_is_none(estate: Estate) -> None:
    regions = 'regions = ["us-east-1", "us east 1"]'
    estate.configure(CONFIG.replace('id = "123456789012"', f'id = "123456789012"\n{regions}'))
    done = estate.scan()
    assert {gap.scope.region for gap in done.scan.gaps} == {"us east 1"}
    assert (done.scan.status, done.scan.compared, done.scan.drifts) == ("incomplete", 3, ())


# --- tickets: an open question, and the other tickets are read -----------------------------------------------

TICKET = """\
ref: CHG-1
implementer: {who}
scope:
  addresses: [aws_sqs_queue.orders]
window:
  start: 2020-01-01T00:00:00Z
  end: 2099-01-01T00:00:00Z
history:
  - at: 2020-01-01T00:00:00Z
    state: approved
    approved_by: sam
"""


def test_a_ticket_file_with_unknown_fields(estate: Estate) -> None:
    tickets = estate.folder / "tickets"
    (tickets / "bad.yaml").write_text("ref: CHG-9\nimplementor: dana\n")
    estate.set_timeout(5)
    done = estate.scan()
    (finding,) = done.scan.findings
    assert finding.verdict.outcome == "pending"
    (test,) = [one for one in finding.changes[0].verdict.tests if one.name == "ticket"]
    assert test.result == "unknown"
    assert f"{tickets}/bad.yaml:2: " in test.evidence
    assert "implementor" in test.evidence
    assert (done.scan.status, done.scan.compared) == ("incomplete", 3)
    checked = estate.driftwarden("check")
    assert f"failed   tickets: register: {tickets}/bad.yaml:2: " in checked.stdout

    # A ticket in another file still gives authority.
    (tickets / "good.yaml").write_text(TICKET.format(who="dana"))
    (finding,) = estate.scan().scan.findings
    assert (finding.verdict.outcome, finding.verdict.ticket) == ("authorised", "CHG-1")


def test_tickets_that_are_not_there(estate: Estate) -> None:
    (estate.folder / "tickets").rmdir()
    estate.set_timeout(5)
    done = estate.scan()
    (finding,) = done.scan.findings
    (test,) = [one for one in finding.changes[0].verdict.tests if one.name == "ticket"]
    assert (test.result, "tickets: no such directory" in test.evidence) == ("unknown", True)


def test_the_code_of_the_estate_is_whole() -> None:
    """The rows above break one thing each: what they start from is in order."""
    assert CODE.count("resource ") == len(state(queue(), role(), bucket())["resources"])
