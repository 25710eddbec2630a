"""Git repositories for tests, made with the real git, each commit with an author and a time of its own; and a folder of
twelve, with their states in a bucket and their resources in the cloud.

Hides git's own configuration: nothing of the machine's reaches a test's repository.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import small_estate

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ALLOW_PROTOCOL": "file",
    "LC_ALL": "C",
}


def git(folder: Path, *arguments: str, who: str = "Dana", at: int = 1_700_000_000) -> str:
    """What git answers in a folder; `who` wrote and committed `at`, in Unix time."""
    person = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", who), ("EMAIL", f"{who.lower()}@example.com"), ("DATE", f"{at} +0000"))
    }
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env={**ENV, **person},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Files by path, below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commit(
    folder: Path, files: Mapping[str, str], message: str = "Change", *, who: str = "Dana", at: int = 1_700_000_000
) -> str:
    """Writes files and commits them → the commit's digest."""
    write(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message, who=who, at=at)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path, files: Mapping[str, str], message: str = "Begin") -> str:
    """A new repository with one commit on `main` → the commit's digest."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    return commit(folder, files, message)


# --- twelve repositories, their states in a bucket, and what they made --------------------------------------

ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "acme-terraform-state"
TEAMS = ("billing", "catalog", "delivery", "edge", "fraud", "growth", "hosting", "identity", "jobs", "kiosk", "ledger")
"""A repository each; the twelfth holds modules and no root."""
BROKEN = "edge"
"""Its code does not parse."""
SILENT = ("jobs", "kiosk")
"""Their backend blocks are empty, and no file says what `terraform init` is told."""
GONE = "museum"
"""A state whose code is nowhere."""

_CODE = """\
resource "aws_sqs_queue" "work" {{
  name                       = "{team}-work"
  visibility_timeout_seconds = 30
}}

resource "aws_s3_bucket" "data" {{
  bucket = "acme-{team}-data"
}}

resource "aws_iam_role" "worker" {{
  name               = "{team}-worker"
  assume_role_policy = "{{\\"Version\\": \\"2012-10-17\\", \\"Statement\\": []}}"
}}

resource "aws_security_group" "worker" {{
  name        = "{team}-worker"
  description = "workers of {team}"
  vpc_id      = "{vpc}"
}}
"""
_PROVIDER = 'provider "aws" {\n  region = "us-east-1"\n}\n'
_TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@dataclass(frozen=True)
class Twelve:
    """The folder of repositories, and what was put where."""

    folder: Path
    bucket: str
    states: Mapping[str, str]
    """Team → key of its state."""
    unlisted: tuple[str, ...]
    """Teams whose states no configuration names."""


def twelve(folder: Path, client: Callable[[str], Any]) -> Twelve:
    """Makes the repositories below `folder`, uploads their states and creates their resources.

    `client` gives a boto3 client by the name of its service.
    """
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    vpc = client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    keys = {team: _key(team) for team in (*TEAMS, GONE)}
    for team in (*TEAMS, GONE):
        made = _created(team, vpc, client)
        s3.put_object(Bucket=BUCKET, Key=keys[team], Body=json.dumps(made).encode())
    s3.put_object(Bucket=BUCKET, Key="notes/readme.txt", Body=b"states of acme")
    s3.put_object(Bucket=BUCKET, Key="empty.tfstate", Body=json.dumps(small_estate.state()).encode())
    for team in TEAMS:
        repository(folder / team, _files(team, vpc, keys[team]))
    repository(folder / "modules", {"queue/main.tf": 'resource "aws_sqs_queue" "q" {}\n'})
    return Twelve(folder, BUCKET, keys, (*SILENT, GONE))


def _key(team: str) -> str:
    """In the ways that people name states: some without the usual ending, one of a workspace."""
    return {"fraud": "states/fraud", "growth": "env:/blue/growth.tfstate"}.get(team, f"{team}/terraform.tfstate")


def _files(team: str, vpc: str, key: str) -> Mapping[str, str]:
    """A root module in a folder of its own, and a file beside it."""
    place = "" if team == "billing" else "infra/prod/"
    full = f'  backend "s3" {{\n    bucket = "{BUCKET}"\n    key    = "{key.removeprefix("env:/blue/")}"\n  }}\n'
    empty = '  backend "s3" {}\n'
    backend = empty if team in (*SILENT, "delivery") else full
    files = {
        "README.md": f"# {team}\n",
        f"{place}backend.tf": f"terraform {{\n{backend}}}\n",
        f"{place}provider.tf": _PROVIDER,
        f"{place}main.tf": _CODE.format(team=team, vpc=vpc) + ("resource {{\n" if team == BROKEN else ""),
    }
    if team == "delivery":
        files[f"{place}prod.tfbackend"] = f'bucket = "{BUCKET}"\nkey    = "{key}"\n'
    if team == "hosting":  # backend and provider written as JSON
        del files[f"{place}backend.tf"]
        told = {"terraform": {"backend": {"s3": {"bucket": BUCKET, "key": key}}}}
        files[f"{place}backend.tf.json"] = json.dumps(told)
    return files


def _created(team: str, vpc: str, client: Callable[[str], Any]) -> dict[str, Any]:
    """Makes a team's resources → their state, as Terraform would record it."""
    url = client("sqs").create_queue(QueueName=f"{team}-work", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    client("s3").create_bucket(Bucket=f"acme-{team}-data")
    client("iam").create_role(RoleName=f"{team}-worker", AssumeRolePolicyDocument=_TRUST)
    words = f"workers of {team}"
    group = client("ec2").create_security_group(GroupName=f"{team}-worker", Description=words, VpcId=vpc)["GroupId"]
    client("ec2").revoke_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )  # Terraform does so, as the code names no rule
    arn = f"arn:aws:iam::{ACCOUNT}:role/{team}-worker"
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{team}-work"
    bucket, name = f"acme-{team}-data", f"{team}-worker"
    at = f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{group}"
    recorded: dict[tuple[str, str], dict[str, Any]] = {
        ("aws_sqs_queue", "work"): {
            **{"arn": queue, "id": url, "url": url, "name": f"{team}-work", "visibility_timeout_seconds": 30},
        },
        ("aws_s3_bucket", "data"): {"arn": f"arn:aws:s3:::{bucket}", "id": bucket, "bucket": bucket},
        ("aws_iam_role", "worker"): {"arn": arn, "id": name, "name": name, "assume_role_policy": _TRUST},
        ("aws_security_group", "worker"): {
            **{"arn": at, "id": group, "name": name, "description": words, "vpc_id": vpc},
            **{"ingress": [], "egress": [], "owner_id": ACCOUNT},
        },
    }
    each = [small_estate.instance(type_, label, values) for (type_, label), values in recorded.items()]
    return {**small_estate.state(*each), "lineage": f"5c2e8f9a-0000-4000-8000-{abs(hash_of(team)):012d}", "serial": 4}


def hash_of(team: str) -> int:
    """A number of its own for each team."""
    return sum(ord(letter) * 31**n for n, letter in enumerate(team)) % 10**12
