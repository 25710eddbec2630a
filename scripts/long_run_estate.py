"""The estate of the long run: queues, log groups, roles and security groups, declared, recorded in state, and there.

Hides how code, state and cloud are made to agree without Terraform, and how a pipeline's apply moves all three. What
somebody changes by hand is the stories' business.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from long_run_text import CODE, CONFIG

from agent.config import aws_environment
from agent.control import client
from agent.control.frames import Request
from agent.demo.recorder import Recorder
from agent.upkeep.keys import install_key

ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "long-run-trail"
EVENTS = "long-run-events"
PEOPLE = ("dana", "marco", "priya", "lena", "sam", "kim")
ENGINEERS = PEOPLE[:3]
PROVIDER = 'provider["registry.terraform.io/hashicorp/aws"]'
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"
RESCUE = f"arn:aws:iam::{ACCOUNT}:role/break-glass"
EXEMPT = "exempt-"
"""How the queues begin that an exception covers."""


@dataclass
class Sizes:
    """How many of each kind there are."""

    queues: int
    logs: int
    roles: int
    groups: int
    exempt: int = 4


@dataclass
class Estate:
    """A folder with configuration, code, state and tickets, over a cloud behind a recorder."""

    folder: Path
    recorder: Recorder
    queues: dict[str, int] = field(default_factory=dict)
    """Name → seconds of visibility timeout, as declared."""
    logs: dict[str, int] = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """Name → VPC."""
    ids: dict[str, str] = field(default_factory=dict)
    """Name of a security group → its id."""
    session: boto3.Session = field(default_factory=lambda: boto3.Session(region_name=REGION))
    serial: int = 0
    queue: str = ""
    """URL of the queue that EventBridge sends to."""

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "driftwarden.toml"

    @property
    def store(self) -> str:
        """URL of its store."""
        return f"sqlite:///{self.folder}/driftwarden.db"

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that send driftwarden's clients to the cloud, past the recorder."""
        return {
            "AWS_ENDPOINT_URL": self.recorder.upstream,
            "AWS_ACCESS_KEY_ID": "AKIADRIFTWARDENXXXXX",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, key: str = "testing", *, recorded: bool = True) -> Any:
        """A boto3 client with somebody's key."""
        endpoint = self.recorder.endpoint if recorded else self.recorder.upstream
        token = "token" if key.startswith("ASIA") else None
        # One session for all: each would read the service's model anew.
        make: Any = self.session.client  # the stubs know each service's name
        return make(
            service,
            endpoint_url=endpoint,
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            aws_session_token=token,
        )

    def url(self, name: str) -> str:
        """A queue's URL."""
        return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"

    def applied(self) -> None:
        """Code and state say what the estate's values say, as after a merge and the pipeline's apply.

        Each file is there at once and whole: a scan that reads meanwhile finds the one or the other.
        """
        self.serial += 1
        values = {"queues": self.queues, "logs": self.logs, "roles": self.roles, "groups": self.groups}
        _put(self.folder / "shop" / "terraform.tfvars.json", json.dumps(values))
        _put(self.folder / "shop" / "terraform.tfstate", json.dumps(self._state()))

    def ticket(self, ref: str, text: str) -> None:
        """A change ticket, in a file of its own."""
        _put(self.folder / "tickets" / f"{ref.lower()}.yaml", text)

    def driftwarden(self, *arguments: str) -> str:
        """What the command line answers; through the daemon's socket where one runs. Raises RuntimeError."""
        with aws_environment(self.variables):
            command = [str(Path(sys.executable).with_name("driftwarden")), *arguments]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            raise RuntimeError(f"driftwarden {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def scan(self) -> None:
        """Asks the daemon for a scan of everything, through its socket. Raises RuntimeError where it says no."""
        said = client.ask(self.folder / "driftwarden.sock", Request("scan", estate="long-run"))
        if said.exit not in (0, 3):  # 3: it does not wait for what it asked for
            raise RuntimeError(f"no scan: {said.stderr}")

    def _state(self) -> dict[str, Any]:
        url, sqs = self.url(EVENTS), f"arn:aws:sqs:{REGION}:{ACCOUNT}"
        own = {"arn": f"{sqs}:{EVENTS}", "id": url, "url": url, "name": EVENTS}
        bucket = {"arn": f"arn:aws:s3:::{BUCKET}", "id": BUCKET, "bucket": BUCKET}
        queues = {
            name: {
                **{"arn": f"{sqs}:{name}", "id": self.url(name), "url": self.url(name), "name": name},
                **{"visibility_timeout_seconds": seconds, "tags": {"Team": "shop"}, "tags_all": {"Team": "shop"}},
            }
            for name, seconds in self.queues.items()
        }
        return {
            "version": 4,
            "terraform_version": "1.11.0",
            "serial": self.serial,
            "lineage": "5c2e8f9a-0000-4000-8000-000000000001",
            "outputs": {},
            "resources": [
                _resource("aws_sqs_queue", "q", queues),
                _resource(
                    "aws_cloudwatch_log_group", "l", {name: _log(name, days) for name, days in self.logs.items()}
                ),
                _resource("aws_iam_role", "r", {name: _role(name, length) for name, length in self.roles.items()}),
                _resource("aws_security_group", "g", {name: self._group(name) for name in self.groups}),
                _resource("aws_sqs_queue", "events", {"": own}),
                _resource("aws_s3_bucket", "trail", {"": bucket}),
            ],
        }

    def _group(self, name: str) -> dict[str, Any]:
        its = self.ids[name]
        return {
            **{"id": its, "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{its}", "name": name},
            **{"description": "web", "vpc_id": self.groups[name], "tags": {}, "tags_all": {}},
            "ingress": [_rule("tcp", 443, "10.0.0.0/8")],
            "egress": [_rule("-1", 0, "0.0.0.0/0")],
        }


def make(folder: Path, recorder: Recorder, sizes: Sizes) -> Estate:
    """The estate, in an empty cloud; everything agrees. What makes it is not recorded."""
    estate = Estate(folder, recorder)
    for name in ("shop", "tickets", "exceptions", "keys", "backups"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    estate.queues = {f"q-{n:04}": 30 for n in range(sizes.queues)}
    estate.queues |= {f"{EXEMPT}{n:02}": 30 for n in range(sizes.exempt)}
    estate.logs = {f"/shop/l-{n:04}": 30 for n in range(sizes.logs)}
    estate.roles = {f"r-{n:04}": 3600 for n in range(sizes.roles)}
    sqs, logs, iam, ec2 = (estate.client(name, recorded=False) for name in ("sqs", "logs", "iam", "ec2"))
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    estate.groups = {f"g-{n:04}": vpc for n in range(sizes.groups)}
    estate.client("s3", recorded=False).create_bucket(Bucket=BUCKET)
    estate.queue = sqs.create_queue(QueueName=EVENTS)["QueueUrl"]

    def group(name: str) -> None:
        its = ec2.create_security_group(GroupName=name, Description="web", VpcId=vpc)["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        ec2.authorize_security_group_ingress(GroupId=its, IpPermissions=[rule])
        estate.ids[name] = its

    def queue(name: str) -> None:
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30"}, tags={"Team": "shop"})

    def log(name: str) -> None:
        logs.create_log_group(logGroupName=name)
        logs.put_retention_policy(logGroupName=name, retentionInDays=30)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(queue, estate.queues))
        list(threads.map(log, estate.logs))
        list(threads.map(group, estate.groups))
        list(threads.map(lambda name: iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST), estate.roles))
    (folder / "shop" / "main.tf").write_text(CODE)
    estate.applied()
    return estate


def configure(estate: Estate, schedule: str, lookback: str, port: int) -> None:
    """Configuration, people with their keys, and an exception that one of them approved."""
    text = CONFIG.format(queue=estate.queue, lookback=lookback, port=port, schedule=schedule, uid=os.getuid())
    estate.config.write_text(text)
    signers, people = [], []
    for who in PEOPLE:
        key = estate.folder / "keys" / who
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(key)], check=True)
        signers.append(f"{who} {key.with_suffix('.pub').read_text()}")
        people.append(f'  - {{id: {who}, principals: ["{who}@acme.example"], users: [{who}]}}\n')
    install_key(estate.folder / "driftwarden.key")  # as the first `driftwarden scan` leaves it
    (estate.folder / "allowed_signers").write_text("".join(signers))
    (estate.folder / "identities.yaml").write_text("people:\n" + "".join(people))
    covered = ("--address", f'shop/aws_sqs_queue.q["{EXEMPT}*"]', "--attribute", "visibility_timeout_seconds")
    owned = ("--reason", "a load test", "--owner", "lena", "--approver", "sam", "--until", "30d")
    said = estate.driftwarden("except", "add", *covered, *owned)
    name = next(word for word in said.replace(":", " ").split() if word.startswith("EX-"))
    estate.driftwarden("except", "approve", name, "--key", str(estate.folder / "keys" / "sam"))


def approved(ref: str, address: str, who: str, at: datetime, note: str = "") -> str:
    """A ticket that was agreed to at that moment, by enough people for any risk."""

    def told(**before: float) -> str:
        return f"{at - timedelta(**before):%Y-%m-%dT%H:%M:%SZ}"

    return (
        f"ref: {ref}\ntitle: A change of the long run{note}\nrequester: lena\nimplementer: {who}\n"
        f"scope:\n  addresses: ['{address}']\nhistory:\n"
        f"  - {{at: {told(hours=2)}, state: draft}}\n"
        f"  - {{at: {told(seconds=2)}, approved_by: sam}}\n"
        f"  - {{at: {told(seconds=1)}, approved_by: kim, group: security}}\n"
        f"  - {{at: {told()}, state: approved}}\n"
    )


def free(estate: Estate, name: str) -> str:
    """The address of a resource by its name, as tickets name it: a wildcard stands for each bracket."""
    kinds: tuple[tuple[str, Iterable[str]], ...] = (
        ("aws_sqs_queue.q", estate.queues),
        ("aws_cloudwatch_log_group.l", estate.logs),
    )
    kind = next(kind for kind, names in kinds if name in names)
    return f'{kind}?"{name}"?'


@contextlib.contextmanager
def recorded(upstream: str, seed: int) -> Iterator[Recorder]:
    """A recorder in front of moto."""
    with Recorder(upstream, ACCOUNT, lookup_rate=None, seed=seed) as recorder:
        yield recorder


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def _resource(type_: str, name: str, instances: dict[str, dict[str, Any]]) -> dict[str, Any]:
    made = [
        {"schema_version": 0, "attributes": attributes, **({"index_key": key} if key else {})}
        for key, attributes in instances.items()
    ]
    return {"mode": "managed", "type": type_, "name": name, "provider": PROVIDER, "instances": made}


def _log(name: str, days: int) -> dict[str, Any]:
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
    return {"arn": arn, "id": name, "name": name, "retention_in_days": days, "tags": {}, "tags_all": {}}


def _role(name: str, length: int) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    known = {"arn": arn, "id": name, "name": name, "assume_role_policy": TRUST, "max_session_duration": length}
    return {**known, "tags": {}, "tags_all": {}, "path": "/"}


def _rule(protocol: str, port: int, cidr: str) -> dict[str, Any]:
    empty = {"ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": False, "description": ""}
    return {"protocol": protocol, "from_port": port, "to_port": port, "cidr_blocks": [cidr], **empty}


def _put(path: Path, text: str) -> None:
    """The file as a whole, at once."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
