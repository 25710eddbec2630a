"""Who makes the calls: fourteen kinds of credential, each with a key, and what the trail must say of its holder.

Hides how each comes by its key. Sessions are really asked for through the recorder where moto has the call. What it has
not is told to the recorder: IAM Identity Center, AWS's own services, CloudFormation acting for somebody, root. Two
things the recorder does not write are added to its records as AWS writes them: `ec2RoleDelivery` of a session from an
instance's metadata, and the AssumeRole record of a service that takes a role for a function.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from agent.demo.cloud import web_identity_token
from agent.demo.recorder import Identity, Recorder, iam_user, role_session, root, service

ACCOUNT, REGION = "123456789012", "us-east-1"
CLI = "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.1.0 lang/python#3.13.7"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0"
LAMBDA = "Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux lang/python#3.13 exec-env/AWS_Lambda_python3.13"
SCALING = "autoscaling.amazonaws.com"
_SSO = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Engineer_0a1b2c3d4e5f6a7b"
_SUBJECT = "repo:acme/shop:ref:refs/heads/main"


@dataclass(frozen=True)
class Member:
    """One credential and the actor that must be named for its calls. `name` empty: nobody may be named."""

    key: str
    name: str
    kind: str
    secret_token: str = ""
    shown: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """The recorder's userIdentity → AWS's, where they differ."""
    clients: dict[str, Any] = field(default_factory=dict, compare=False)
    session: Any = field(default=None, compare=False)
    endpoint: str = ""

    def __getattr__(self, service_name: str) -> Any:
        """A boto3 client of this member's, whose calls the recorder sees."""
        if service_name.startswith("_"):
            raise AttributeError(service_name)
        if service_name not in self.clients:
            self.clients[service_name] = self.session.client(
                {"lambda_": "lambda"}.get(service_name, service_name),
                endpoint_url=self.endpoint,
                aws_access_key_id=self.key,
                aws_secret_access_key="secret",
                aws_session_token=self.secret_token or None,
                config=Config(retries={"max_attempts": 0}, parameter_validation=False),
            )
        return self.clients[service_name]


def cast(recorder: Recorder, session: boto3.Session, at: datetime) -> list[Member]:
    """Everybody, signed in at `at` (what the recorder's clock says)."""
    account = f"arn:aws:iam::{ACCOUNT}"

    def known(key: str, name: str, kind: str, who: Identity, agent: str = CLI, **shown: Any) -> Member:
        recorder.know(key, who)
        console = agent == BROWSER
        recorder.pretend(key, source_ip="198.51.100.7", user_agent=agent, from_console=console)
        token = "token" if key.startswith("ASIA") else ""
        return Member(key, name, kind, token, session=session, endpoint=recorder.endpoint, **shown)

    def issued(by: Member, name: str, kind: str, role: str, said: str, agent: str = CLI, **asked: Any) -> Member:
        answer = by.sts.assume_role(RoleArn=f"{account}:role/{role}", RoleSessionName=said, **asked)
        return given(answer, name, kind, agent)

    def given(answer: Mapping[str, Any], name: str, kind: str, agent: str) -> Member:
        key = answer["Credentials"]["AccessKeyId"]
        recorder.pretend(key, source_ip="198.51.100.9", user_agent=agent)
        token = answer["Credentials"]["SessionToken"]
        return Member(key, name, kind, token, session=session, endpoint=recorder.endpoint)

    dana = known("AKIADANA000000000001", "dana", "person", iam_user("dana", ACCOUNT))
    otto = known("AKIAOTTO000000000001", "otto", "person", iam_user("otto", ACCOUNT), TERRAFORM)
    broker = known("AKIABROKER0000000001", "broker", "person", iam_user("broker", ACCOUNT))
    mira = known("AKIAMIRA000000000001", "mira", "person", iam_user("mira", ACCOUNT))
    hop = issued(mira, "mira", "person", "Jump", "session")
    anonymous = session.client("sts", endpoint_url=recorder.endpoint, config=Config(signature_version=UNSIGNED))
    web = anonymous.assume_role_with_web_identity(
        RoleArn=f"{account}:role/deploy", RoleSessionName="gha-4711", WebIdentityToken=web_identity_token(_SUBJECT)
    )
    federated = dana.sts.get_federation_token(Name="visitor")
    worker = role_session(f"{account}:role/worker", "orders-fn", at)
    _taken_by_lambda(recorder, "ASIAWORKER0000000001", "worker", "orders-fn")
    lena = role_session(_SSO, "lena@acme.example", at)
    nora = replace(role_session(_SSO, "nora@acme.example", at), invoked_by="cloudformation.amazonaws.com")
    machine = role_session(f"{account}:role/app", "i-0123456789abcdef0", at)
    ghost = role_session(f"{account}:role/Ops", "dana", at)
    return [
        dana,
        otto,
        known("ASIALENA000000000001", "lena@acme.example", "person", lena, BROWSER),
        issued(broker, "erik", "person", "Shared", "break-glass", SourceIdentity="erik"),
        issued(hop, "mira", "person", "Prod", "session"),
        given(web, "acme/shop", "pipeline", TERRAFORM),
        known("ASIAROOT000000000001", f"root of {ACCOUNT}", "root", root(ACCOUNT, created=at), BROWSER),
        known("ASIASCALING000000001", SCALING, "service", service(SCALING, ACCOUNT)),
        known("ASIANORA000000000001", "nora@acme.example", "person", nora),
        known("ASIAWORKER0000000001", "orders-fn", "workload", worker, LAMBDA),
        known("ASIAMACHINE000000001", "i-0123456789abcdef0", "workload", machine, shown=_on_an_instance),
        given(federated, "dana", "person", CLI),
        # Sessions nobody saw begin, of names that others bear: a role's caller chooses its session's name.
        known("ASIAGHOST00000000001", "", "unknown", ghost),
        known("AKIASTRANGER00000001", "", "unknown", iam_user("stranger", ACCOUNT), shown=_of_another_account),
    ]  # fmt: skip


def as_aws_writes(record: dict[str, Any], members: Mapping[str, Member]) -> dict[str, Any]:
    """The recorder's record, with its caller as AWS shows them; `members` by access key."""
    by = members.get(record["userIdentity"].get("accessKeyId", ""))
    return record if by is None or by.shown is None else {**record, "userIdentity": by.shown(record["userIdentity"])}


def _on_an_instance(who: dict[str, Any]) -> dict[str, Any]:
    return {**who, "sessionContext": {**who["sessionContext"], "ec2RoleDelivery": "2.0"}}


def _of_another_account(_who: dict[str, Any]) -> dict[str, Any]:
    return {"type": "AWSAccount", "principalId": "AIDASTRANGER", "accountId": "999988887777"}


def _taken_by_lambda(recorder: Recorder, key: str, role: str, name: str) -> None:
    recorder.inject(
        {
            "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRole",
            "eventType": "AwsApiCall",
            "readOnly": True,
            "userIdentity": {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"},
            "requestParameters": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "roleSessionName": name},
            "responseElements": {
                "credentials": {"accessKeyId": key, "expiration": "Mar 2, 2026, 9:30:00 PM"},
                "assumedRoleUser": {
                    "assumedRoleId": f"AROAWORKER:{name}",
                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}",
                },
            },
        }
    )
