"""Upgrades over an estate that nobody touched: of driftwarden and its store, of the rules, of the AWS provider.

The store was written by driftwarden of schema version 4 over the demo's estate after its story: ten findings, four
cases, thirty-six accepted readings, sealed values among them. The estate is there again, the same to the identifier.
"""

import gzip
import json
import re
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from agent.config import aws_environment, load
from agent.demo import story
from agent.demo.cloud import ACCOUNT, REGION, cloud, replay, session, variables, web_identity_token
from agent.demo.recorder import Recorder, iam_user
from agent.model import Finding, Open
from agent.rules import load_rules
from agent.run import Done, run
from agent.store import version_of
from agent.store.codec import decode, digest, encode
from agent.store.findings import _judgement

WRITTEN = Path(__file__).parent / "estates" / "upgraded" / "version_4.tar.gz"
BEGAN = datetime(2026, 11, 27, 8, tzinfo=UTC)
"""The hour in which it was written."""
TIME = re.compile(r"(20\d\d-\d\d-\d\d)([T ])(\d\d:\d\d)")
BLOB = re.compile("X'([0-9A-F]+)'")

CONFIG = f"""\
[estate]
name = "payments"
complete = true

[[stack]]
name = "payments"
dir = "estate"
state = "terraform.tfstate"
owner = "team-payments"

[[account]]
id = "{ACCOUNT}"
regions = ["us-east-1"]

[trail]
source = "trail"
lookback = "1d"

[[authority.pipeline]]
name = "deploy"
role = "arn:aws:iam::{ACCOUNT}:role/payments-deploy"
subject = "{story.PIPELINE_SUBJECT}"

[authority.people]
"dana@acme.example" = "dana"
"priya@acme.example" = "priya"

[tickets]
mode = "file"

[tickets.register]
path = "tickets"
"""


def moved(text: str, by: timedelta) -> str:
    """Every time in a text, later."""

    def later(found: re.Match[str]) -> str:
        at = datetime.strptime(f"{found[1]} {found[3]}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC) + by
        return at.strftime(f"%Y-%m-%d{found[2]}%H:%M")

    return TIME.sub(later, text)


def _moved_blob(packed: str, by: timedelta) -> str:
    body = moved(zlib.decompress(bytes.fromhex(packed)).decode(), by)
    return f"X'{zlib.compress(body.encode()).hex()}'"


def _judged(store: sqlite3.Connection) -> Mapping[str, str]:
    """Finding → the digest by which a scan sees whether there is something new to say."""
    found = store.execute("SELECT id, body FROM findings")
    return {name: digest(encode(_judgement(decode(Finding, body)))) for name, body in found}


def written(folder: Path) -> None:
    """The folder as the older driftwarden left it within the last hour."""
    hours = (datetime.now(UTC) - BEGAN) // timedelta(hours=1) - 1
    by = timedelta(hours=hours)
    with tarfile.open(WRITTEN) as packed:
        packed.extractall(folder, filter="data")
    for file in (*folder.glob("tickets/**/*.yaml"), *folder.glob("trail/*.json")):
        file.write_text(moved(file.read_text(), by))
    dumped = (folder / "store.sql").read_text().replace("./trail", str(folder / "trail"))
    with closing(sqlite3.connect(folder / "driftwarden.db")) as made:
        made.executescript(BLOB.sub(lambda found: _moved_blob(found[1], by), moved(dumped, by)))
        made.execute("UPDATE trail_entries SET digest = ''")  # so that what is read again replaces it
        for name, said in _judged(made).items():
            made.execute("UPDATE findings SET judgement_sha256 = ? WHERE id = ?", (said, name))
        made.commit()
    with closing(sqlite3.connect(":memory:")) as as_it_was:
        as_it_was.executescript(dumped)
        # What was said of a finding has the digest that the older driftwarden gave it: it is not said again.
        assert _judged(as_it_was) == dict(as_it_was.execute("SELECT id, judgement_sha256 FROM findings"))
    (folder / "driftwarden.toml").write_text(CONFIG)


@dataclass
class Estate:
    """The folder, and the cloud it looks after."""

    folder: Path
    recorder: Recorder
    told: int = field(default=0)

    @property
    def state(self) -> Path:
        return self.folder / "estate" / "terraform.tfstate"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/driftwarden.db"

    def scan(self, *, dry_run: bool = False) -> Done:
        """What was recorded since is delivered; then one scan."""
        ops = session(self.recorder, "AKIAOPSPAYMENTS00001", iam_user("ops", ACCOUNT))
        sts = ops.client("sts", endpoint_url=self.recorder.endpoint)
        sts.get_caller_identity()  # a trail in which nothing at all happens is one that is not read
        records = self.recorder.records[self.told :]
        self.told += len(records)
        body = json.dumps({"Records": records}).encode()
        (self.folder / "trail" / f"later-{self.told}.json.gz").write_bytes(gzip.compress(body))
        with aws_environment(variables(self.recorder)):
            return run(load(self.folder / "driftwarden.toml"), dry_run=dry_run)

    def deploy(self, name: str) -> None:
        """A run of the pipeline begins: it signs in."""
        unsigned = Config(signature_version=UNSIGNED)
        sts = boto3.client("sts", endpoint_url=self.recorder.endpoint, region_name=REGION, config=unsigned)
        sts.assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/payments-deploy",
            RoleSessionName=name,
            WebIdentityToken=web_identity_token(story.PIPELINE_SUBJECT),
        )

    def known(self) -> Mapping[str, Any]:
        """What an upgrade must leave as it is."""
        with closing(sqlite3.connect(f"file:{self.folder}/driftwarden.db?mode=ro", uri=True)) as store:
            return {
                "cases": store.execute("SELECT key, state, reason, body FROM cases ORDER BY key").fetchall(),
                "findings": store.execute("SELECT id, closed_at FROM findings ORDER BY id").fetchall(),
                "verdicts": store.execute("SELECT finding_id, outcome, body FROM verdicts ORDER BY id").fetchall(),
                "outbox": store.execute("SELECT count(*) FROM outbox").fetchone(),
            }

    def readers(self) -> Mapping[str, int]:
        """Who read how many entries of the trail."""
        with closing(sqlite3.connect(f"file:{self.folder}/driftwarden.db?mode=ro", uri=True)) as store:
            return dict(store.execute("SELECT reader, count(*) FROM trail_entries GROUP BY reader").fetchall())


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Over a cloud of its own: a stray call of another test would change the identifiers that it gives from a seed."""
    folder = tmp_path_factory.mktemp("upgraded")
    written(folder)
    shipped = resources.files("agent.demo") / "estate"
    (folder / "estate").mkdir()
    for file in shipped.iterdir():
        (folder / "estate" / file.name).write_bytes(file.read_bytes())
    with cloud(tmp_path_factory.mktemp("cloud")) as recorder:
        replay(recorder, shipped)
        story.happen(recorder, folder / "estate")
        yield Estate(folder, recorder, told=len(recorder.records))


IDENTITY: Mapping[str, tuple[str, ...]] = {
    "aws_iam_policy": ("arn",),
    "aws_iam_role": ("name",),
    "aws_iam_role_policy": ("role", "name"),
    "aws_iam_role_policy_attachment": ("role", "policy_arn"),
    "aws_lambda_function": ("function_name",),
    "aws_s3_bucket": ("bucket",),
    "aws_s3_bucket_policy": ("bucket",),
    "aws_s3_bucket_versioning": ("bucket",),
    "aws_sns_topic": ("arn",),
    "aws_sqs_queue": ("url",),
    "aws_ssm_parameter": ("name",),
    "aws_cloudwatch_log_group": ("name",),
    "aws_dynamodb_table": ("name",),
}
"""What an instance's `identity` holds besides account and region; of the others their `id`."""
VERSIONS = {"aws_instance": 2}
"""Schema versions that went up."""
GONE: Mapping[str, tuple[str, ...]] = {"aws_instance": ("cpu_core_count", "cpu_threads_per_core")}
"""Attributes that are no more."""
ADDED: Mapping[str, Mapping[str, Any]] = {
    "aws_instance": {"force_destroy": False, "placement_group_id": "", "user_data": None},
    "aws_s3_bucket": {"bucket_region": REGION, "bucket_namespace": None},
    "aws_dynamodb_table": {"global_table_witness": [], "warm_throughput": []},
    "aws_lambda_function": {"capacity_provider_config": [], "durable_config": [], "source_kms_key_arn": ""},
    "aws_cloudwatch_log_group": {"deletion_protection_enabled": False},
    "aws_vpc": {"ipv6_netmask_length": 0},
}
"""Attributes that came with some version 6, as nobody set them."""


def in_shape_6(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state as the first apply with provider 6 and Terraform 1.12 writes it: nothing in the cloud is another.

    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/guides/version-6-upgrade
    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/guides/enhanced-region-support
    """
    after = json.loads(json.dumps(state))
    after["terraform_version"] = "1.12.2"
    for resource in after["resources"]:
        type_ = resource["type"]
        for instance in resource["instances"]:
            attributes = instance["attributes"]
            place = {"account_id": ACCOUNT}
            if not type_.startswith("aws_iam_"):
                place["region"] = attributes["region"] = REGION
            attributes.update(ADDED.get(type_, {}))
            for name in GONE.get(type_, ()):
                attributes.pop(name, None)
            names = IDENTITY.get(type_, ("id",))
            only_arn = names == ("arn",)
            instance["identity"] = {name: attributes[name] for name in names} | ({} if only_arn else place)
            instance["identity_schema_version"] = 0
            instance["schema_version"] = VERSIONS.get(type_, instance["schema_version"])
    return after


NEW_RULE = """\
id: everything-counts
title: Anything at all
severity: critical
stage: observe
when: {kind: [changed, missing, unmanaged, none]}
why: To see what a new rule makes of old findings.
fix: Nothing.
controls: []
false_positives: [All of it.]
examples:
  - {name: a queue, facts: {}, violates: true}
  - {name: a gap, facts: {kind: gap}, violates: false}
"""


def lock(estate: Estate, version: str) -> None:
    path = estate.state.with_name(".terraform.lock.hcl")
    path.write_text(f'provider "registry.terraform.io/hashicorp/aws" {{\n  version = "{version}"\n}}\n')


def write_state(estate: Estate, content: Mapping[str, Any]) -> None:
    """The pipeline's run writes it."""
    estate.deploy("upgrade")
    serial = json.loads(estate.state.read_text())["serial"] + 1
    estate.state.write_text(json.dumps({**content, "serial": serial}, indent=2))


@dataclass
class Upgrades:
    """What was known before, and that it is still all that is known."""

    estate: Estate
    known: Mapping[str, Any] = field(init=False)
    ids: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.known = self.estate.known()
        self.ids = [one for one, _ in self.known["findings"]]

    def nothing_new(self) -> Done:
        done = self.estate.scan()
        assert (done.scan.actions, done.scan.gaps, done.scan.pending) == ((), (), ())
        assert sorted(one.id for one in done.scan.findings) == self.ids
        assert self.estate.known() == self.known
        return done


@pytest.mark.slow
def test_nothing_is_opened_by_an_upgrade(estate: Estate) -> None:
    upgrades = Upgrades(estate)
    assert (len(upgrades.known["cases"]), len(upgrades.ids)) == (4, 10)
    of_the_store_and_the_release(upgrades)
    of_the_rules(upgrades)
    of_the_provider_there_and_back(upgrades)


def test_a_release_enforces_no_rule_that_the_one_before_did_not() -> None:
    """A rule comes observed; to enforce it on old findings is the user's to say. See docs/upgrading.md."""
    before = WRITTEN.with_name("enforced.txt").read_text().split()
    assert {rule.id for rule in load_rules([]) if rule.stage == "enforce"} <= set(before)


def of_the_store_and_the_release(upgrades: Upgrades) -> None:
    """The trail is read again by the new reader, and says the same."""
    estate = upgrades.estate
    read_by = estate.readers()
    assert version_of(estate.url) == 4
    upgrades.nothing_new()
    assert version_of(estate.url) != 4
    assert estate.readers().keys().isdisjoint(read_by)
    assert sum(estate.readers().values()) >= sum(read_by.values())


def of_the_rules(upgrades: Upgrades) -> None:
    """A rule that is new, and one whose severity fell; then somebody enforces the new one, and asks first."""
    estate = upgrades.estate
    config, ours = estate.folder / "driftwarden.toml", estate.folder / "ours"
    ours.mkdir()
    (ours / "everything-counts.yaml").write_text(NEW_RULE)
    shipped = (Path(__file__).parents[1] / "rules" / "unticketed-change.yaml").read_text()
    (ours / "unticketed-change.yaml").write_text(shipped.replace("severity: medium", "severity: low"))
    config.write_text(CONFIG + '[rules]\ndirs = ["ours"]\n')
    done = upgrades.nothing_new()
    assert {one.finding for one in done.scan.violations if one.rule == "everything-counts"} == set(upgrades.ids)

    config.write_text(CONFIG + '[rules]\ndirs = ["ours"]\nenforce = ["everything-counts"]\n')
    asked = estate.scan(dry_run=True).scan.actions
    known = {key for key, *_ in upgrades.known["cases"]}
    # What is in no case becomes one; what has a case stays there, and is told to be worse.
    assert [len(one.case.findings) for one in asked if isinstance(one, Open)] == [1]
    assert {one.case.key for one in asked if not isinstance(one, Open)} < known
    assert estate.known() == upgrades.known
    config.write_text(CONFIG)


def of_the_provider_there_and_back(upgrades: Upgrades) -> None:
    """An apply with provider 6, with a region written into the code; then one with the provider before."""
    estate = upgrades.estate
    before = json.loads(estate.state.read_text())
    code = estate.state.with_name("application.tf")
    plain, head = code.read_text(), 'resource "aws_sqs_queue" "settlement" {\n'
    assert head in plain
    code.write_text(plain.replace(head, head + f'  region = "{REGION}"\n'))
    write_state(estate, in_shape_6(before))
    lock(estate, "6.2.0")
    done = upgrades.nothing_new()
    assert [one.why for one in done.scan.limits if "6.2.0" in one.why] == [
        "state has aws_instance in schema version 2, registry.terraform.io/hashicorp/aws 5.100.0 in 1 "
        "(locked is 6.2.0): its attributes are compared by name only"
    ]

    code.write_text(plain)
    write_state(estate, before)
    lock(estate, "5.100.0")
    upgrades.nothing_new()
