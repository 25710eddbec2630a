"""A small estate without Terraform: a queue, a role and a bucket made with boto3, and a state written by hand.

Hides moto, the recorder before it, and how a scan is run: in this process, which is faster, or as one of its own.
"""

import contextlib
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent import child, cli
from agent.config import aws_environment, load
from agent.demo.recorder import Recorder, iam_user
from agent.run import Done, _main, run

ACCOUNT = "123456789012"
REGION = "us-east-1"
OURS = "AKIADRIFTWARDENXXXXX"
"""Access key that driftwarden reads with."""
PROVIDER = 'provider["registry.terraform.io/hashicorp/aws"]'
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"

CODE = """\
resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 30
}

resource "aws_iam_role" "worker" {
  name               = "worker"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_s3_bucket" "raw" {
  bucket = "small-estate-raw"
}
"""

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})

CONFIG = """\
[[stack]]
name = "shop"
dir = "shop"

[[account]]
id = "123456789012"

[estate]
complete = true

[trail]
source = "trail"
lookback = "1d"

[tickets]
mode = "file"

[tickets.register]
path = "tickets"
"""


def instance(type_: str, name: str, attributes: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A managed resource of a state file."""
    one = {"schema_version": 0, "attributes": attributes, **fields}
    return {"mode": "managed", "type": type_, "name": name, "provider": PROVIDER, "instances": [one]}


def state(*resources: Mapping[str, Any]) -> dict[str, Any]:
    """A state file, version 4."""
    return {
        "version": 4,
        "terraform_version": "1.11.0",
        "serial": 1,
        "lineage": "5c2e8f9a-0000-4000-8000-000000000001",
        "outputs": {},
        "resources": list(resources),
    }


def queue(**attributes: Any) -> dict[str, Any]:
    """The queue as its state records it."""
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders"
    known = {"arn": QUEUE_ARN, "id": url, "url": url, "name": "orders", "visibility_timeout_seconds": 30}
    return instance("aws_sqs_queue", "orders", known | attributes)


def role() -> dict[str, Any]:
    """The role as its state records it."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
    return instance(
        "aws_iam_role", "worker", {"arn": arn, "id": "worker", "name": "worker", "assume_role_policy": TRUST}
    )


def bucket() -> dict[str, Any]:
    """The bucket as its state records it."""
    known = {"arn": "arn:aws:s3:::small-estate-raw", "id": "small-estate-raw", "bucket": "small-estate-raw"}
    return instance("aws_s3_bucket", "raw", known)


@dataclass
class Estate:
    """A folder with a configuration, a stack, tickets and a trail, and the cloud it looks after."""

    folder: Path
    recorder: Recorder
    variables: dict[str, str]
    told: int = field(default=0)
    """Records that were written to the folder's trail already."""

    @property
    def config(self) -> Path:
        return self.folder / "driftwarden.toml"

    @property
    def store(self) -> Path:
        return self.folder / "driftwarden.db"

    def configure(self, text: str) -> None:
        self.config.write_text(text)

    def client(self, who: str, service: str, region: str = REGION) -> Any:
        """A boto3 client of the IAM user `who`; its calls are recorded."""
        key = f"AKIA{who.upper():X<16}"
        self.recorder.know(key, iam_user(who, ACCOUNT))
        return boto3.Session(key, "secret", region_name=region).client(service, endpoint_url=self.recorder.endpoint)

    def set_timeout(self, seconds: int, who: str = "dana") -> None:
        """Somebody changes the queue by hand, and the trail tells of it."""
        sqs = self.client(who, "sqs")
        sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes={"VisibilityTimeout": str(seconds)})
        self.write_trail()

    @property
    def queue_url(self) -> str:
        return f"{self.recorder.upstream}/{ACCOUNT}/orders"

    @property
    def tickets(self) -> list[Path]:
        """The cases that were filed."""
        return sorted((self.folder / "tickets").glob("cases/*.yaml"))

    def write_trail(self) -> None:
        """What was recorded since the last time becomes a log file of the folder's trail."""
        records = self.recorder.records[self.told :]
        self.told += len(records)
        body = json.dumps({"Records": records}).encode()
        (self.folder / "trail" / f"log-{self.told}.json.gz").write_bytes(gzip.compress(body))

    def scan(self) -> Done:
        """One scan in this process."""
        with aws_environment(self.variables):
            return run(load(self.config))

    def driftwarden(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command line in the folder, in this process: to start one takes longer than most commands."""
        out, err, switching = io.StringIO(), io.StringIO(), sys.getswitchinterval()
        with (
            aws_environment(self.variables | variables),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(child, "scan_in_child", _scan_here)
            code = _exit_code(lambda: cli.main(arguments, "driftwarden"))
        sys.setswitchinterval(switching)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command line as a process in the folder, which starts another one for a scan."""
        command = [sys.executable, "-c", "from agent.cli import main; main()", *arguments]
        with aws_environment(self.variables | variables):
            return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120)

    def scan_process(self, *arguments: str, **variables: str) -> tuple[int, dict[str, Any], str]:
        """`driftwarden scan --output json` → exit code, document, stderr."""
        done = self.driftwarden("scan", "--output", "json", *arguments, **variables)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout), done.stderr


def _scan_here(config: Path, **options: Any) -> tuple[int, dict[str, Any] | None]:
    """What `child.scan_in_child` does, without the process."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = _exit_code(lambda: sys.exit(_main(child.command(config, **options)[4:])))
    return code, json.loads(said.getvalue()) if said.getvalue() else None


def _exit_code(call: Callable[[], object]) -> int:
    try:
        call()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    return 0


@contextmanager
def cloud(moto_server: str, variables: Mapping[str, str]) -> Iterator[tuple[Recorder, dict[str, str]]]:
    """The estate's resources in an empty moto behind a recorder, and the variables that lead there."""
    with Recorder(moto_server, ACCOUNT, lookup_rate=None) as recorder:
        recorder.know(OURS, iam_user("driftwarden", ACCOUNT))
        led = {**variables, "AWS_ENDPOINT_URL": recorder.endpoint, "AWS_ACCESS_KEY_ID": OURS}
        made = boto3.Session("testing", "testing", region_name=REGION)
        with recorder.paused():
            sqs, iam, s3 = (made.client(name, endpoint_url=recorder.endpoint) for name in ("sqs", "iam", "s3"))
            sqs.create_queue(QueueName="orders")
            iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
            s3.create_bucket(Bucket="small-estate-raw")
        yield recorder, led


def estate(folder: Path, recorder: Recorder, variables: Mapping[str, str]) -> Estate:
    """A fresh folder over the cloud, with a trail of what is recorded from now on."""
    for name in ("shop", "tickets", "trail"):
        (folder / name).mkdir()
    (folder / "shop" / "main.tf").write_text(CODE)
    (folder / "shop" / "terraform.tfstate").write_text(json.dumps(state(queue(), role(), bucket())))
    made = Estate(folder, recorder, dict(variables), told=len(recorder.records))
    made.configure(CONFIG)
    recorder.allow(OURS)
    with recorder.paused():
        attributes = {"VisibilityTimeout": "30"}
        made.client("ops", "sqs").set_queue_attributes(QueueUrl=made.queue_url, Attributes=attributes)
    made.client("ops", "sts").get_caller_identity()  # a trail in which nothing at all happens is one that is not read
    made.write_trail()
    return made
