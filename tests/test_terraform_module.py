"""`terraform/`: applied by the real terraform to moto, and its role is enough for a scan of everything and for no more.

One apply serves all: the example on EC2 with the modules in it, a member account's role, and the stack that drifts. Two
things moto does not have are left out of it, see `LEFT_OUT`; the machine is planned by nobody, its count is 0.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from iam_evaluation import FREE, Asked, allows, asked_of, key_of
from ruamel.yaml import YAML

from agent import config
from agent.config import aws_environment
from agent.demo.recorder import Recorder, iam_user
from agent.demo.recorder.proxy import Proxy
from agent.demo.recorder.wire import Request, Response, Upstream

ROOT = Path(__file__).parent.parent
TERRAFORM = ROOT / "terraform"
ACCOUNT, REGION = "123456789012", "us-east-1"
OURS = "AKIAHOSTXXXXXXXXXXXX"
PACKAGE = f"driftwarden[fast] @ https://packages.example/driftwarden-0.1.0-py3-none-any.whl#sha256={'0' * 64}"
CALENDAR = f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/freeze"

CLIENT: Any = boto3.client
"""By whatever service; its own type knows them one by one."""

pytestmark = pytest.mark.terraform

PROVIDER = """
provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
}
"""
LEFT_OUT = {
    ".": "",
    # moto forgets the attribute, and the provider waits for it.
    "modules/events": 'resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" { count = 0 }',
}
"""Folder → what of it moto cannot do."""
BESIDE = f"""
module "member" {{
  source          = "./modules/member"
  name            = "driftwarden-member"
  agent_role_arns = [aws_iam_role.host.arn]
  external_id     = "acme-driftwarden-payments"
  identity_center = true
  organizations   = true
}}

module "drifting" {{
  source = "./drifting"
  region = "{REGION}"
}}

# What the example does not ask for, and the module can.
module "all" {{
  source                = "./modules/permissions"
  states                = [{{ bucket = "acme-states", key = "live/*" }}]
  state_lock_table_arns = ["arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/locks"]
  trail_buckets         = [{{ bucket = "driftwarden-trail-{ACCOUNT}-{REGION}", prefix = "" }}]
  queue_arns = [
    "arn:aws:sqs:{REGION}:{ACCOUNT}:driftwarden-events",
    "arn:aws:sqs:{REGION}:{ACCOUNT}:notifications",
  ]
  dead_letter_queue_arns = ["arn:aws:sqs:{REGION}:{ACCOUNT}:driftwarden-events-dead-letters"]
  kms_key_arns           = ["arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
  identity_center        = true
  organizations          = true
  calendar_arns          = ["{CALENDAR}"]
  assumable_role_arns    = ["arn:aws:iam::{ACCOUNT}:role/driftwarden-member"]
  evidence_bucket_arns   = ["arn:aws:s3:::driftwarden-evidence-{ACCOUNT}-{REGION}"]
}}

module "china" {{
  source       = "./modules/permissions"
  partition    = "aws-cn"
  kms_key_arns = ["arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
}}

output "china" {{
  value = module.china.json
}}

output "everything" {{
  value = module.all.json
}}

output "reading" {{
  value = module.driftwarden.policy
}}

output "member" {{
  value = {{ policy = module.member.policy, configuration = module.member.configuration }}
}}

output "sources" {{
  value = module.driftwarden.trail_sources
}}
"""


def root(folder: Path) -> Path:
    """The example as a root module that carries all it needs, towards moto."""
    shutil.copytree(TERRAFORM / "examples" / "ec2", folder)
    shutil.copytree(TERRAFORM / "modules", folder / "modules")
    shutil.copytree(TERRAFORM / "examples" / "drifting", folder / "drifting")
    shutil.copytree(ROOT / "systemd", folder / "systemd")
    main = folder / "main.tf"
    moved = main.read_text().replace('"../../modules/', '"./modules/').replace("/../../../systemd", "/systemd")
    main.write_text(moved)
    drifting = folder / "drifting" / "main.tf"
    drifting.write_text(re.sub(r"^provider .*?^}\n", "", drifting.read_text(), flags=re.DOTALL | re.MULTILINE))
    for name, text in LEFT_OUT.items():
        (folder / name / "moto_override.tf").write_text(text + (PROVIDER if name == "." else ""))
    (folder / "beside.tf").write_text(BESIDE)
    return folder


@dataclass(frozen=True)
class Applied:
    """What terraform made."""

    folder: Path
    outputs: Mapping[str, Any]
    bucket_policies: Mapping[str, Mapping[str, Any]]
    """By bucket."""

    def policy(self, name: str) -> Mapping[str, Any]:
        policy: Mapping[str, Any] = json.loads(self.outputs[name])
        return policy


@pytest.fixture(scope="module")
def applied(
    terraform: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    reset_moto: Callable[[], None],
    on_moto: Callable[[], AbstractContextManager[None]],
) -> Iterator[Applied]:
    reset_moto()
    with on_moto():
        subnet = boto3.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    given = {
        "region": REGION,
        "subnet_id": subnet,
        "image_id": "ami-12c6146b",
        "instances": "0",
        "package": PACKAGE,
        "configuration": '[tickets]\nmode = "observe"\n',
        "states": '[{ bucket = "acme-states", key = "live/*" }]',
    }
    variables = [word for name, value in given.items() for word in ("-var", f"{name}={value}")]
    folder = terraform(root(tmp_path_factory.mktemp("terraform") / "installation"), *variables)
    state = json.loads((folder / "terraform.tfstate").read_text())
    policies: dict[str, Mapping[str, Any]] = {}
    with on_moto():
        s3 = boto3.client("s3")
        for bucket in (f"driftwarden-{kind}-{ACCOUNT}-{REGION}" for kind in ("trail", "evidence")):
            policies[bucket] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
            # moto heeds a bucket's policy and not its conditions: nobody could put anything there.
            s3.delete_bucket_policy(Bucket=bucket)
    yield Applied(folder, {name: output["value"] for name, output in state["outputs"].items()}, policies)
    reset_moto()


@pytest.fixture
def aws(on_moto: Callable[[], AbstractContextManager[None]]) -> Iterator[Callable[[str], Any]]:
    with on_moto():
        yield CLIENT


# --- what is written -----------------------------------------------------------------------------------------


def test_it_is_formatted() -> None:
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("the terraform binary is not on PATH")
    environment = {"PATH": str(Path(binary).parent), "CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        [binary, "fmt", "-check", "-recursive", TERRAFORM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def readme_rows(module: str, heading: str) -> set[str]:
    """Names in the first column of the table below a heading."""
    text = (TERRAFORM / "modules" / module / "README.md").read_text()
    return set(re.findall(r"^\| `(\w+)` \|", text.partition(f"## {heading}\n")[2].partition("\n## ")[0], re.MULTILINE))


@pytest.mark.parametrize("module", ["driftwarden", "events", "member", "permissions"])
def test_a_module_s_page_has_its_variables_and_outputs(module: str) -> None:
    text = "\n".join(file.read_text() for file in sorted((TERRAFORM / "modules" / module).glob("*.tf")))
    assert readme_rows(module, "Inputs") == set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert readme_rows(module, "Outputs") == set(re.findall(r'^output "(\w+)"', text, re.MULTILINE))


def test_the_permissions_are_those_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, content in module.DATA.items():
        assert content() == (ROOT / name).read_text(), "run `make docs`"


# --- what terraform made -------------------------------------------------------------------------------------


def test_the_role_s_policy_is_the_generated_one(applied: Applied, aws: Callable[[str], Any]) -> None:
    iam = aws("iam")
    (attached,) = iam.list_attached_role_policies(RoleName="driftwarden")["AttachedPolicies"]
    version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]
    assert document == applied.policy("reading")
    assert iam.list_role_policies(RoleName="driftwarden")["PolicyNames"] == []


def test_who_may_assume_which_role(applied: Applied, aws: Callable[[str], Any]) -> None:
    trust = aws("iam").get_role(RoleName="driftwarden")["Role"]["AssumeRolePolicyDocument"]
    (one,) = trust["Statement"]
    assert one["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"} or one["Principal"] == {
        "AWS": [f"arn:aws:iam::{ACCOUNT}:root"]
    }
    assert one["Condition"] == {"ArnEquals": {"aws:PrincipalArn": [applied.outputs["host_role_arn"]]}}
    trust = aws("iam").get_role(RoleName="driftwarden-member")["Role"]["AssumeRolePolicyDocument"]
    (one,) = trust["Statement"]
    assert one["Condition"]["StringEquals"] == {"sts:ExternalId": "acme-driftwarden-payments"}
    assert one["Condition"]["ArnEquals"] == {"aws:PrincipalArn": [applied.outputs["host_role_arn"]]}


def test_the_trail_proves_itself_and_its_bucket_is_closed(applied: Applied, aws: Callable[[str], Any]) -> None:
    (trail,) = aws("cloudtrail").describe_trails()["trailList"]
    assert trail["IsMultiRegionTrail"]
    assert trail["LogFileValidationEnabled"]
    assert trail["IncludeGlobalServiceEvents"]
    assert trail["S3BucketName"] in applied.bucket_policies
    for bucket, policy in applied.bucket_policies.items():
        assert all(aws("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        assert aws("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert "OnlyByTls" in {statement["Sid"] for statement in policy["Statement"]}
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow":
                assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
                assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == trail["TrailARN"]


def test_evidence_is_locked_and_the_agent_only_adds(applied: Applied, aws: Callable[[str], Any]) -> None:
    bucket = applied.outputs["evidence_bucket"]
    lock = aws("s3").get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert {"Mode": "GOVERNANCE", "Days": 2557}.items() <= lock["Rule"]["DefaultRetention"].items()
    put = aws("s3").put_object(Bucket=bucket, Key="week-48/pack.zip", Body=b"evidence")
    with pytest.raises(aws("s3").exceptions.ClientError, match="AccessDenied"):
        aws("s3").delete_object(Bucket=bucket, Key="week-48/pack.zip", VersionId=put["VersionId"])
    (only_adds, _) = applied.bucket_policies[bucket]["Statement"]
    assert (only_adds["Effect"], only_adds["Condition"]) == (
        "Deny",
        {"ArnEquals": {"aws:PrincipalArn": applied.outputs["role_arn"]}},
    )
    assert {"s3:Delete*", "s3:BypassGovernanceRetention", "s3:PutObjectRetention"} <= set(only_adds["Action"])
    reading = [applied.policy("reading")]
    there = f"arn:aws:s3:::{bucket}/week-48/pack.zip"
    assert allows(reading, Asked("s3:PutObject", there))
    others = ("GetObject", "DeleteObject", "DeleteObjectVersion", "BypassGovernanceRetention", "PutObjectRetention")
    assert [name for name in others if allows(reading, Asked(f"s3:{name}", there))] == []


def test_only_the_rules_may_send_to_the_queue(applied: Applied, aws: Callable[[str], Any]) -> None:
    rules = {rule["Arn"]: json.loads(rule["EventPattern"]) for rule in aws("events").list_rules()["Rules"]}
    assert {kind for pattern in rules.values() for kind in pattern["detail-type"]} == {
        "AWS API Call via CloudTrail",
        "AWS Console Sign In via CloudTrail",
        "AWS Service Event via CloudTrail",
    }
    (changes,) = [one for one in rules.values() if one["detail-type"] == ["AWS API Call via CloudTrail"]]
    assert changes["detail"] == {"readOnly": [False]}
    (source, _) = applied.outputs["sources"]
    attributes = aws("sqs").get_queue_attributes(QueueUrl=source.partition(":")[2], AttributeNames=["All"])[
        "Attributes"
    ]
    allowed, *denied = json.loads(attributes["Policy"])["Statement"]
    assert set(allowed["Condition"]["ArnEquals"]["aws:SourceArn"]) == set(rules)
    assert {(one["Effect"], one["Sid"]) for one in denied} == {("Deny", "NobodyElse"), ("Deny", "OnlyByTls")}
    assert attributes["SqsManagedSseEnabled"] == "true"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":driftwarden-events-dead-letters")
    for rule in rules:
        (target,) = aws("events").list_targets_by_rule(Rule=rule.rpartition("/")[2])["Targets"]
        assert target["Arn"].endswith(":driftwarden-events")


def test_the_configuration_it_gives_is_one(applied: Applied, tmp_path: Path) -> None:
    file = tmp_path / "driftwarden.toml"
    file.write_text(applied.outputs["configuration"] + applied.outputs["member"]["configuration"])
    loaded = config.load(file)
    here, member = loaded.account
    assert (here.id, here.regions, here.role_arn) == (ACCOUNT, (REGION,), applied.outputs["role_arn"])
    assert (member.role_arn.rpartition("/")[2], member.external_id) == (
        "driftwarden-member",
        "acme-driftwarden-payments",
    )
    assert loaded.trail.sources == tuple(applied.outputs["sources"])
    assert [one.partition(":")[0] for one in loaded.trail.sources] == ["eventbridge", "s3"]
    assert loaded.trail.validate


def test_the_machine_installs_the_unit_that_ships(applied: Applied, tmp_path: Path) -> None:
    said = applied.outputs["user_data"]
    assert said.startswith("#cloud-config\n")
    told = YAML(typ="safe").load(said)
    files = {one["path"]: one["content"] for one in told["write_files"]}
    assert files["/etc/systemd/system/driftwarden.service"] == (ROOT / "systemd" / "driftwarden.service").read_text()
    assert files["/etc/driftwarden/driftwarden.toml"] == applied.outputs["configuration"]
    assert told["runcmd"] == [["/usr/local/sbin/install-driftwarden", PACKAGE]]
    script = tmp_path / "install"
    script.write_text(files["/usr/local/sbin/install-driftwarden"])
    assert subprocess.run(["/bin/sh", "-n", script], check=False).returncode == 0


# --- what the policies allow ---------------------------------------------------------------------------------

WRITES = {
    "s3:PutObject": "evidence",
    "sqs:ChangeMessageVisibility": "its own queue",
    "sqs:DeleteMessage": "its own queue",
    "sqs:ReceiveMessage": "its own queue",
    "sts:AssumeRole": "roles that are named",
    "kms:Decrypt": "keys that are named, through S3, SQS and DynamoDB",
}
"""The only actions that do more than describe, each bound to resources."""
CONTENTS = (
    Asked("s3:GetObject", "arn:aws:s3:::payroll/2026.csv"),
    Asked("s3:GetObject", "arn:aws:s3:::acme-states/other/app.tfstate"),
    Asked("s3:GetObjectVersion", "arn:aws:s3:::payroll/2026.csv"),
    Asked("s3:GetObject", f"arn:aws:s3:::driftwarden-trail-{ACCOUNT}-{REGION}/elsewhere"),
    Asked("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/customers"),
    Asked("dynamodb:Scan", "*"),
    Asked("secretsmanager:GetSecretValue", "*"),
    Asked("ssm:GetParameter", "*"),
    Asked("ssm:GetParametersByPath", "*"),
    Asked("ssm:GetDocument", f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/other"),
    Asked("lambda:GetFunction", "*"),
    Asked("lambda:GetLayerVersion", "*"),
    Asked("lambda:InvokeFunction", "*"),
    Asked("logs:GetLogEvents", "*"),
    Asked("logs:FilterLogEvents", "*"),
    Asked("ec2:GetPasswordData", "*"),
    Asked("ec2:GetConsoleOutput", "*"),
    Asked("ec2:DescribeInstanceAttribute", "*"),
    Asked("rds:DownloadDBLogFilePortion", "*"),
    Asked("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/other"),
    Asked("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"),
    Asked("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:driftwarden-events"),
    Asked("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
    Asked("s3:PutObject", "arn:aws:s3:::payroll/2026.csv"),
)
"""What no policy of ours may allow: contents, secrets, and what is not ours."""


def actions(policy: Mapping[str, Any]) -> set[str]:
    return {action for one in policy["Statement"] if one["Effect"] == "Allow" for action in one["Action"]}


def test_a_policy_describes_and_no_more(applied: Applied) -> None:
    policies = {"reading": applied.policy("reading"), "everything": applied.policy("everything")}
    policies["member"] = json.loads(applied.outputs["member"]["policy"])
    for name, policy in policies.items():
        assert [one for one in CONTENTS if allows([policy], one)] == [], name
        describing = re.compile(r"[a-z0-9-]+:(Get|List|Describe|Lookup)\w+")
        assert {one for one in actions(policy) if not describing.fullmatch(one)} <= set(WRITES), name
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow" and set(statement["Action"]) & set(WRITES):
                assert all(re.fullmatch(r"arn:aws:[^*]+(/\*)?", arn) for arn in statement["Resource"]), statement
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, without white space
        assert len(json.dumps(policy, separators=(",", ":"))) <= 6144, name
    assert not set(WRITES) & actions(policies["member"])


def test_a_key_decrypts_only_through_where_states_and_trail_lie(applied: Applied) -> None:
    asked = Asked("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    policies = [applied.policy("everything")]
    via = {name: {"kms:ViaService": f"{name}.{REGION}.amazonaws.com"} for name in ("s3", "sqs", "ssm", "lambda")}
    assert {name for name, context in via.items() if allows(policies, asked, context)} == {"s3", "sqs"}
    assert not allows(policies, asked)
    key = "arn:aws-cn:kms:cn-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    asked, anything = (
        Asked("kms:Decrypt", key),
        {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]},
    )
    via = {name: {"kms:ViaService": f"{name}.cn-north-1.amazonaws.com.cn"} for name in ("s3", "sqs", "ssm", "lambda")}
    policies = [applied.policy("china")]
    assert {name for name, context in via.items() if allows(policies, asked, context)} == {"s3", "sqs"}
    # Whatever else the role is given.
    assert not allows([*policies, anything], asked, via["ssm"])


def test_the_machine_s_role_reaches_session_manager_and_the_agent_s_role_alone(
    applied: Applied, aws: Callable[[str], Any]
) -> None:
    iam, name = aws("iam"), applied.outputs["host_role_arn"].rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    documents = [
        iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"]
        for one in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    done = {one for document in documents for one in actions(document)}
    assert {"ssm:UpdateInstanceInformation", "ssmmessages:OpenDataChannel", "sts:AssumeRole"} <= done
    assert {one for one in done if re.search(r":(Get|List|Describe)|\*", one)} == {
        "ec2messages:GetEndpoint",
        "ec2messages:GetMessages",
    }
    assert [one for one in CONTENTS if allows(documents, one)] == []


# --- what a scan calls ---------------------------------------------------------------------------------------

STACKS = """
[[stack]]
name = "installation"
dir = "installation"
state = "s3://acme-states/live/installation.tfstate"

[[stack]]
name = "locked"
dir = "locked"

[authority]
calendars = ["ssm:freeze"]

[identities]
identity_center = "auto"
organizations = true
"""
LOCKED = """
terraform {
  backend "s3" {
    bucket         = "acme-states"
    key            = "live/locked.tfstate"
    region         = "us-east-1"
    dynamodb_table = "locks"
    use_lockfile   = true
  }
}
"""
UNHEARD = {
    "cloudtrail:ListPublicKeys": "takes digests, which moto does not write",
    "kms:Decrypt": "is asked by S3 and SQS in our name",
    "s3:ListBucketVersions": "a state's history, which nobody asked for here",
    "s3:GetObjectVersion": "the same",
    "s3:PutObject": "no evidence is put there yet",
    "sqs:ChangeMessageVisibility": "takes a batch that is worked on for five minutes",
}
"""Allowed, and not called by the scan: why. That the code may call them, the next test but one says."""


@dataclass
class Overheard:
    """Every request that passed on its way to the recorder, by access key."""

    requests: list[Request] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def serve(self, request: Request, _client: str, upstream: Upstream) -> Response:
        with self.lock:
            self.requests.append(request)
        return upstream.send(request)

    def asked(self) -> list[tuple[str, Asked]]:
        """Key and what was asked, of the calls that need a permission."""
        found = [(key_of(request), asked_of(request, ACCOUNT, REGION)) for request in self.requests]
        return [each for each in found if each[1].action not in FREE]


def furnished(make: Callable[[str], Any], state: str) -> str:
    """What is read besides the estate is put there; the URL of the queue of notifications."""
    s3, sqs = make("s3"), make("sqs")
    s3.create_bucket(Bucket="acme-states")
    s3.put_bucket_versioning(Bucket="acme-states", VersioningConfiguration={"Status": "Enabled"})
    empty = json.dumps({**json.loads(state), "resources": [], "outputs": {}})
    for name, text in (("installation.tfstate", state), ("locked.tfstate", empty), ("locked.tfstate.tflock", "{}")):
        s3.put_object(Bucket="acme-states", Key=f"live/{name}", Body=text.encode())
    key = {"AttributeName": "LockID"}
    make("dynamodb").create_table(
        TableName="locks",
        KeySchema=[{**key, "KeyType": "HASH"}],
        AttributeDefinitions=[{**key, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    # The calendar is not there: moto takes no document of that kind, and is asked for it all the same.
    make("organizations").create_organization(FeatureSet="ALL")
    store = make("sso-admin").list_instances()["Instances"][0]["IdentityStoreId"]
    make("identitystore").create_group(IdentityStoreId=store, DisplayName="admins")
    return str(sqs.create_queue(QueueName="notifications")["QueueUrl"])


def configured(folder: Path, applied: Applied, notifications: str) -> Path:
    """A configuration that reads everything there is to read, with the role that was made."""
    shutil.copytree(applied.folder, folder / "installation", ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    (folder / "locked").mkdir()
    (folder / "locked" / "main.tf").write_text(LOCKED)
    sources = ["lookup", *applied.outputs["sources"], f"s3-notifications:{notifications}"]
    text = re.sub(
        r"^source = .*$", f"source = {json.dumps(sources)}", applied.outputs["configuration"], flags=re.MULTILINE
    )
    file = folder / "driftwarden.toml"
    file.write_text(STACKS + text)
    return file


@pytest.fixture(scope="module")
def scanned(
    applied: Applied,
    tmp_path_factory: pytest.TempPathFactory,
    moto_server: str,
    moto_variables: Mapping[str, str],
    on_moto: Callable[[], AbstractContextManager[None]],
) -> Iterator[tuple[Overheard, Mapping[str, Any], Callable[[str], Any]]]:
    """What one scan asked AWS for, and its document; the last gives clients of the agent's own role."""
    with Recorder(moto_server, ACCOUNT, lookup_rate=None) as recorder:
        overheard = Overheard()
        with Proxy(recorder.endpoint, overheard.serve) as proxy, on_moto():
            recorder.know(OURS, iam_user("host", ACCOUNT))
            notifications = furnished(CLIENT, (applied.folder / "terraform.tfstate").read_text())
            bucket = applied.outputs["sources"][1].removeprefix("s3://")
            made = boto3.client("iam", endpoint_url=recorder.endpoint)
            made.tag_role(RoleName="driftwarden-member", Tags=[{"Key": "team", "Value": "x"}])
            (log,) = recorder.deliver(bucket)
            told = {"s3": {"bucket": {"name": bucket}, "object": {"key": log}}, "eventSource": "aws:s3"}
            boto3.client("sqs").send_message(QueueUrl=notifications, MessageBody=json.dumps({"Records": [told]}))
            events = applied.outputs["sources"][0].partition(":")[2]
            boto3.client("sqs").send_message(QueueUrl=events, MessageBody=event(recorder))
            file = configured(tmp_path_factory.mktemp("scan"), applied, notifications)
            led = {**moto_variables, "AWS_ENDPOINT_URL": proxy.endpoint, "AWS_ACCESS_KEY_ID": OURS}
            command = [sys.executable, "-c", "from agent.cli import main; main()", "scan", "--output", "json"]
            with aws_environment(led):
                done = subprocess.run(
                    command, cwd=file.parent, capture_output=True, text=True, check=False, timeout=240
                )
            assert done.stdout, done.stderr[-3000:]

            def client(service: str) -> Any:
                return CLIENT(service, endpoint_url=proxy.endpoint)

            yield overheard, json.loads(done.stdout), client


def event(recorder: Recorder) -> str:
    """The last record, as EventBridge puts it into a message."""
    record = recorder.records[-1]
    return json.dumps(
        {
            "version": "0",
            "id": record["eventID"],
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.iam",
            "account": ACCOUNT,
            "time": record["eventTime"],
            "region": REGION,
            "resources": [],
            "detail": record,
        }
    )


def refused(asked: list[tuple[str, Asked]], applied: Applied) -> set[tuple[str, Asked]]:
    """Calls that the policies of who made them would refuse."""
    host = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": applied.outputs["role_arn"]}]}
    policies = {OURS: [host]}
    return {(key, one) for key, one in asked if not allows(policies.get(key, [applied.policy("everything")]), one)}


def test_a_scan_of_everything_makes_no_call_that_its_policy_refuses(
    applied: Applied, scanned: tuple[Overheard, Mapping[str, Any], Callable[[str], Any]]
) -> None:
    overheard, document, _ = scanned
    asked = overheard.asked()
    assert refused(asked, applied) == set()
    heard = {one.action for _, one in asked}
    elsewhere = {name: named for name, named in permissions().items() if name != "estate"}
    assert {action for named in elsewhere.values() for action in named} - heard == set(UNHEARD)
    assert len(heard & set(permissions()["estate"])) > 15
    # It was a scan of what stands there, and not one that failed early.
    stacks = {stack["name"]: stack for stack in document["stacks"]} if "stacks" in document else {}
    assert not stacks or set(stacks) == {"installation", "locked"}


def test_a_call_that_nobody_allowed_is_noticed(
    applied: Applied, scanned: tuple[Overheard, Mapping[str, Any], Callable[[str], Any]]
) -> None:
    overheard, _, client = scanned
    before = len(overheard.requests)
    client("sqs").send_message(QueueUrl=applied.outputs["sources"][0].partition(":")[2], MessageBody="{}")
    client("s3").get_object(Bucket="acme-states", Key="live/installation.tfstate")
    client("s3").list_objects_v2(Bucket=applied.outputs["evidence_bucket"])
    client("iam").list_users()
    asked = [(key_of(request), asked_of(request, ACCOUNT, REGION)) for request in overheard.requests[before:]]
    del overheard.requests[before:]
    assert {one.action for _, one in refused(asked, applied)} == {"sqs:SendMessage", "s3:ListBucket", "iam:ListUsers"}


def permissions() -> Mapping[str, list[str]]:
    found: Mapping[str, list[str]] = json.loads(
        (TERRAFORM / "modules" / "permissions" / "permissions.json").read_text()
    )
    return found


S3_ACTIONS = {
    "GetObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "ListObjectsV2": ("s3:ListBucket",),
    "ListObjectVersions": ("s3:ListBucketVersions",),
}
"""Operations of S3 that the code names → their actions."""
PREFIXES = {"sso-admin": "sso"}


@cache
def operations() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Method of a boto3 client → (service, operation), of the services that the code makes clients of."""
    session = botocore.session.get_session()
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for service in ("cloudtrail", "dynamodb", "identitystore", "organizations", "s3", "sqs", "ssm", "sso-admin", "sts"):
        for operation in session.get_service_model(service).operation_names:
            found[xform_name(operation)] = (*found.get(xform_name(operation), ()), (service, operation))
    return found


def code() -> list[str]:
    """The modules besides the demo's, and the resource specs with what makes actions of them."""
    apart = {ROOT / "agent" / name for name in ("demo", "resources", "live/policy.py")}
    files = [file for file in sorted((ROOT / "agent").rglob("*.py")) if not apart & {file, *file.parents}]
    return [file.read_text(encoding="utf-8") for file in files]


def named(text: str) -> set[str]:
    """What a module that deals with AWS calls, and the texts in it: `client.get_object(`, `paginator("list_users")`."""
    words = re.findall(r"\.([a-z0-9_]+)\(|\"([a-z0-9_]+)\"", text) if "boto" in text else []
    # `query` and `scan` are everybody's words.
    return {word for pair in words for word in pair if "_" in word}


def test_every_call_that_the_code_names_is_allowed() -> None:
    allowed = {action for actions in permissions().values() for action in actions}
    services = {service for pairs in operations().values() for service, _ in pairs}
    made = {name for text in code() for name in re.findall(r"\bclient\(\s*\"([\w-]+)\"", text)}
    assert made
    assert made <= services, "add the service to `operations`"
    needed: set[str] = set()
    for name in {name for text in code() for name in named(text)} & set(operations()):
        for service, operation in operations()[name]:
            action = f"{PREFIXES.get(service, service)}:{operation.removesuffix('Batch')}"
            needed |= {*S3_ACTIONS.get(operation, (action,))} if service == "s3" else {action}
    assert needed - set(FREE) - allowed == set()
    elsewhere = {action for name, actions in permissions().items() if name != "estate" for action in actions}
    # And nothing is allowed that no code names.
    assert elsewhere - needed == {"kms:Decrypt", "s3:PutObject"}


# --- what it refuses -----------------------------------------------------------------------------------------

WRONG = """
module "wrong" {
  source                  = "./modules/driftwarden"
  name                    = "Drift Warden"
  trusted_role_arns       = ["arn:aws:iam::123456789012:role/*"]
  assumable_role_arns     = ["*"]
  trail_kms_key_arn       = "alias/trail"
  trail_retention_days    = 7
  organization_id         = "acme"
  evidence_mode           = "NONE"
  evidence_retention_days = 0
}

module "wrong_member" {
  source          = "./modules/member"
  agent_role_arns = []
  external_id     = "short"
}

module "wrong_permissions" {
  source       = "./modules/permissions"
  states       = [{ bucket = "*", key = "*" }]
  kms_key_arns = ["*"]
}

module "wrong_events" {
  source = "./modules/events"
  name   = "-"
}
"""
SAID = (
    "A name has 2 to 21",
    "arn:aws:iam::111122223333:role/runner",
    "arn:aws:iam::111122223333:role/driftwarden.",
    "Name the key by its ARN",
    "Keep log files for 90 days",
    "looks like o-a1b2c3d4e5",
    "GOVERNANCE or COMPLIANCE",
    "Lock evidence for whole days",
    "Name at least one role",
    "An external id has 16",
    "A state has a bucket",
    "a wildcard would decrypt everything",
    "A name has 2 to 31",
)


def test_wrong_values_are_refused_with_what_would_be_right(applied: Applied, moto_variables: Mapping[str, str]) -> None:
    folder = applied.folder.parent / "wrong"
    shutil.copytree(applied.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("*.tfstate*"))
    (folder / "wrong.tf").write_text(WRONG)
    binary = shutil.which("terraform")
    assert binary
    environment = {"PATH": str(Path(binary).parent), "CHECKPOINT_DISABLE": "1", "HOME": str(folder), **moto_variables}
    for arguments in (("get",), ("validate", "-no-color")):
        done = subprocess.run(
            [binary, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
    assert done.returncode == 1
    told = re.sub(r"[\s│╷╵]+", " ", done.stderr)
    assert [one for one in SAID if one not in told] == []
