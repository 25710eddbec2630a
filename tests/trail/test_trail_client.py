"""By what kind of credential and by what client: the rules one by one, with the traps of substring tests."""

import re
import time
from dataclasses import replace
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trail_records import BOTO, TERRAFORM, in_role, record, user

from agent.model import Channel, Identity, IdentityClass
from agent.trail import client, identity
from agent.trail.decode import Record

ACCOUNT = "111122223333"
ELSEWHERE = "999988887777"


def of(name: str = "SetQueueAttributes", service: str = "sqs", **fields: object) -> Record:
    return msgspec.json.decode(msgspec.json.encode(record(name, service, **fields)), type=Record)


def told(**fields: object) -> client.Client:
    found = of(**fields)
    return client.client(found, identity.of(found))


ASIA = user(key="ASIADANA")
ON_BEHALF = user() | {"invokedBy": "AWS Internal"}
SIGNED_IN = user() | {"invokedBy": "signin.amazonaws.com"}
ON_INSTANCE = in_role("App", "i-1", "ASIA1", ec2RoleDelivery="2.0")
LINKED = in_role("AWSServiceRoleForECS", "ecs", path="/aws-service-role/ecs.amazonaws.com/")


@pytest.mark.parametrize(
    ("channel", "fields"),
    [
        (
            "service",
            {"eventType": "AwsServiceEvent", "userIdentity": {"accountId": "1", "invokedBy": "ec2.amazonaws.com"}},
        ),
        ("service", {"userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}, "userAgent": TERRAFORM}),
        ("service", {"userIdentity": LINKED, "userAgent": BOTO}),
        ("service", {"userIdentity": ON_BEHALF, "userAgent": "AWS Internal", "sessionCredentialFromConsole": "true"}),
        ("service", {"userIdentity": user() | {"invokedBy": "rds.amazonaws.com"}, "userAgent": TERRAFORM}),
        ("iac", {"userIdentity": user() | {"invokedBy": "cloudformation.amazonaws.com"}}),
        ("sdk", {"userIdentity": in_role("AWSServiceRoleForECS", "ecs"), "userAgent": BOTO}),
        (
            "service",
            {"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSServiceRoleForX/s"}},
        ),
        ("iac", {"userAgent": TERRAFORM}),
        ("iac", {"userAgent": f"[{TERRAFORM}]"}),
        (
            "iac",
            {"userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.1.2 terraform-provider-aws/dev"},
        ),
        ("iac", {"userAgent": "aws-sdk-go/1.44.1 (go1.19; linux; amd64) APN/1.0 HashiCorp/1.0 Terraform/1.3.0"}),
        ("iac", {"userAgent": "APN/1.0 OpenTofu/1.0 OpenTofu/1.8.0"}),
        ("iac", {"userAgent": "Pulumi/3.0 (https://www.pulumi.com; v3.100.0) aws-sdk-go-v2/1.30.3"}),
        ("iac", {"userAgent": TERRAFORM, "sessionCredentialFromConsole": "true"}),
        (
            "cloudshell",
            {
                "userAgent": "aws-cli/2.13.5 Python/3.11.4 Linux/4.14 exec-env/CloudShell exe/x86_64.amzn.2",
                "sessionCredentialFromConsole": "true",
            },
        ),
        ("console", {"sessionCredentialFromConsole": "true"}),
        ("console", {"sessionCredentialFromConsole": True, "userAgent": None}),
        ("sdk", {"sessionCredentialFromConsole": "false"}),
        ("console", {"userAgent": "console.amazonaws.com"}),
        ("console", {"userAgent": "console.ec2.amazonaws.com"}),
        ("console", {"userAgent": "signin.amazonaws.com"}),
        ("console", {"userAgent": "AWS Internal"}),
        ("console", {"userAgent": "AWS Internal/3"}),
        ("console", {"userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"}),
        ("console", {"userAgent": "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10]"}),
        ("console", {"userAgent": "EC2ConsoleFrontend, aws-internal/3 aws-sdk-java/1.12"}),
        ("console", {"userAgent": "RDS Console, aws-internal/3 aws-sdk-java/1.11.975"}),
        ("console", {"userAgent": "AWS CloudWatch Console, aws-internal/3"}),
        ("console", {"userAgent": "AWSCloudTrail, aws-internal/3 aws-sdk-java/1.12"}),
        ("console", {"userAgent": "Coral/Netty4"}),
        ("console", {"userAgent": "aws-internal/3 aws-sdk-java/1.11.1030", "userIdentity": ASIA}),
        ("sdk", {"userAgent": "aws-internal/3 aws-sdk-java/1.11.1030"}),
        ("console", {"userAgent": "aws-internal/3 aws-sdk-java/1.11", "userIdentity": in_role("Admin", "x", "ASIA1")}),
        ("sdk", {"userAgent": "aws-internal/3 aws-sdk-java/1.11", "userIdentity": ON_INSTANCE}),
        (
            "sdk",
            {
                "userAgent": "aws-internal/3 aws-sdk-java/1.11",
                "userIdentity": in_role("App", "x", "ASIA1") | {"inScopeOf": {"sourceArn": "arn:aws:lambda:x"}},
            },
        ),
        ("cli", {"userAgent": "aws-cli/2.15.0 md/command#ec2.enable-serial-console-access"}),
        ("cli", {"userAgent": "[aws-cli/1.11.76 Python/2.7.10 Darwin/17.7.0 botocore/1.5.39]"}),
        ("sdk", {"userAgent": BOTO}),
        ("sdk", {"userAgent": "[Boto3/1.26.165 Python/3.10.6 Linux/5.19 Botocore/1.29.165]"}),
        ("sdk", {"userAgent": "aws-sdk-go-v2/1.32.3 os/linux lang/go#1.23.1"}),
        ("sdk", {"userAgent": "awslambda-worker/1.0 rusoto/0.47.0 rust/1.55.0 linux"}),
        ("sdk", {"userAgent": "backup-job/7 (nightly) aws-sdk-go-v2/1.32.3 os/linux"}),
        ("console", {"userAgent": "Mozilla"}),
        ("console", {"userAgent": "signin.amazonaws.com", "userIdentity": SIGNED_IN}),
        ("console", {"userAgent": None, "userIdentity": SIGNED_IN}),
        ("service", {"userAgent": "x", "userIdentity": SIGNED_IN, "sourceIPAddress": "sqs.amazonaws.com"}),
        ("service", {"userAgent": "sqs.amazonaws.com"}),
        ("service", {"userAgent": BOTO, "sourceIPAddress": "autoscaling.cn-north-1.amazonaws.com.cn"}),
        ("iac", {"userAgent": None, "sourceIPAddress": "cloudformation.amazonaws.com"}),
        ("service", {"userIdentity": ON_BEHALF, "sourceIPAddress": "cloudformation.amazonaws.com"}),
        ("console", {"eventType": "AwsConsoleSignIn", "userAgent": "stratus-red-team_1"}),
        ("console", {"eventType": "AwsConsoleAction", "userAgent": BOTO}),
        ("console", {"name": "UserAuthentication", "service": "signin", "eventType": "AwsServiceEvent"}),
        ("service", {"name": "UserAuthentication", "service": "elsewhere", "eventType": "AwsServiceEvent"}),
        ("service", {"eventType": "AWSServiceEvent", "userIdentity": None}),
        ("other", {"userAgent": "python-requests/2.28.0 console.amazonaws.com"}),
        ("other", {"userAgent": "sqs.amazonaws.com.example.org"}),
        ("other", {"userAgent": None}),
        ("other", {"userAgent": "stratus-red-team_1"}),
        ("other", {"userAgent": "MyConsoleTool-1 (not AWS)"}),
    ],
)
def test_by_what_client(channel: str, fields: dict) -> None:
    assert told(**fields).channel == channel


@pytest.mark.parametrize(
    "word", ["Console", "HashiCorp/", "aws-sdk-", "Terraform/", "a.", "aws-internal/", " @aws-cdk"]
)
def test_no_user_agent_stalls(word: str) -> None:
    """Each is a new one, so that none is remembered: what a hostile caller would send."""
    found = [of(userAgent=f"{number}{word * 300_000}-", sourceIPAddress=word * 300_000) for number in range(3)]
    began = time.process_time()
    for each in found:
        client.client(each, identity.of(each))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        (True, {"userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}}),
        (True, {"userIdentity": LINKED}),
        (True, {"eventType": "AwsServiceEvent", "userIdentity": {"invokedBy": "ec2.amazonaws.com"}}),
        (True, {"eventType": "AwsServiceEvent", "userIdentity": None}),
        (False, {"eventType": "AwsServiceEvent", "userIdentity": user()}),
        (False, {"userIdentity": ON_BEHALF}),
        (False, {"userIdentity": {"invokedBy": "ec2.amazonaws.com"}}),
        (False, {"userIdentity": in_role("AWSServiceRoleForECS", "ecs")}),
        (False, {"userIdentity": in_role("Admin", "aws-service-role")}),
        (False, {"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSServiceRoleForX/s"}}),
    ],
)
def test_only_what_aws_alone_can_write_makes_a_change_service_made(made: bool, fields: dict) -> None:
    found = of(**fields)
    assert client.made_by_service(found, identity.of(found)) is made


# --- tools ---------------------------------------------------------------------------------------------------

CDK = "aws-sdk-js/3.723.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#20.11.0 api/cloudformation#3.723.0 aws-cdk/2.178.1"
BY_STACK = {"invokedBy": "cloudformation.amazonaws.com"}
CFN_EXEC = "cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"


@pytest.mark.parametrize(
    ("tool", "fields"),
    [
        ("terraform", {"userAgent": TERRAFORM}),
        ("terraform", {"userAgent": f"[{TERRAFORM}]"}),
        ("terraform", {"userAgent": "aws-sdk-go/1.44.1 (go1.19; linux) APN/1.0 HashiCorp/1.0 Terraform/1.3.0"}),
        ("terraform", {"userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.9 terraform-provider-awscc/1.0"}),
        ("opentofu", {"userAgent": "APN/1.0 OpenTofu/1.0 OpenTofu/1.8.0"}),
        ("pulumi", {"userAgent": "APN/1.0 Pulumi/3.0 PulumiAwsNative/0.0.2 aws-sdk-go-v2/1.30.3"}),
        ("pulumi", {"userAgent": "Pulumi/3.1 terraform-provider-aws/5.0 aws-sdk-go-v2/1.30.3"}),
        ("cdk", {"userAgent": CDK}),
        ("cdk", {"userAgent": "aws-cdk/2.99.0 aws-sdk-nodejs/2.1 linux/v18"}),
        ("cloudformation", {"userAgent": "Boto3/1.34 md/Botocore#1.34 aws-sam-cli/1.100.0/0f-1"}),
        ("cloudformation", {"userIdentity": user() | BY_STACK, "userAgent": "cloudformation.amazonaws.com"}),
        ("cloudformation", {"userIdentity": user() | BY_STACK, "userAgent": TERRAFORM}),
        ("cloudformation", {"userIdentity": in_role("Deploy", "AWSCloudFormation") | BY_STACK}),
        ("cloudformation", {"userIdentity": user() | {"invokedBy": "stacksets.cloudformation.amazonaws.com"}}),
        ("cdk", {"userIdentity": in_role(CFN_EXEC, "AWSCloudFormation") | BY_STACK}),
        ("", {"userIdentity": in_role(CFN_EXEC, "dana"), "userAgent": "aws-cli/2.15.0"}),
        ("", {"userAgent": "aws-cli/2.15.0 md/command#s3.mb"}),
        ("", {"userIdentity": ON_BEHALF, "userAgent": TERRAFORM}),
        ("", {"userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}, "userAgent": TERRAFORM}),
        ("", {"userAgent": "notaws-cdk/1"}),
        ("", {"userAgent": "x" * 1024 + TERRAFORM}),
    ],
)
def test_which_tool_of_infrastructure_as_code(tool: str, fields: dict) -> None:
    found = told(**fields)
    assert found.tool == tool
    assert (found.channel == "iac") == (tool != "")


def test_tools_are_a_setting() -> None:
    found = of(userAgent="acme-deployer/7 aws-sdk-go-v2/1.30.3")
    acme = client.Tools((("pulumi", re.compile("acme-deployer/")), *client.PATTERNS))
    assert client.client(found, identity.of(found)) == client.Client("iam-user", "sdk")
    assert client.client(found, identity.of(found), acme) == client.Client("iam-user", "iac", "pulumi")


def test_a_user_agent_that_was_cut_is_still_known_by_its_head() -> None:
    assert told(userAgent=f"{TERRAFORM} {'run/' + '7' * 2000}"[:1024]) == client.Client("iam-user", "iac", "terraform")


# --- credentials ---------------------------------------------------------------------------------------------

SSO = "/aws-reserved/sso.amazonaws.com/eu-west-1/"
SSO_ROLE = "AWSReservedSSO_Admin_0123456789abcdef"
FEDERATED = {
    "type": "FederatedUser",
    "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/dana",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIAFED",
    "sessionContext": {"sessionIssuer": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/broker"}},
}
GITHUB = {
    "type": "WebIdentityUser",
    "principalId": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:repo:o/r:ref:x",
    "userName": "repo:o/r:ref:refs/heads/main",
    "identityProvider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
}
POD = GITHUB | {
    "userName": "system:serviceaccount:apps:web",
    "identityProvider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/AB",
}
SOCIAL = GITHUB | {"userName": "12345", "identityProvider": "accounts.google.com"}
SAML = {"type": "SAMLUser", "principalId": "q:dana", "userName": "dana", "identityProvider": "q"}
AT_PORTAL = {"type": "Unknown", "principalId": ACCOUNT, "accountId": ACCOUNT, "userName": "dana"}
STORE = {"userId": "f12bb510-a011", "identityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-9a670c546e"}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("root", {"userIdentity": {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}}),
        ("iam-user", {"userIdentity": user()}),
        ("iam-user", {"userIdentity": ASIA}),
        ("iam-user", {"userIdentity": user() | BY_STACK}),
        ("assumed-role", {"userIdentity": in_role("Deploy", "dana")}),
        ("assumed-role", {"userIdentity": in_role(SSO_ROLE, "dana")}),
        ("assumed-role", {"userIdentity": in_role("Admin", "dana", path="/x/aws-reserved/sso.amazonaws.com/")}),
        ("assumed-role", {"userIdentity": in_role("AWSServiceRoleForECS", "ecs")}),
        (
            "assumed-role",
            {"userIdentity": {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{SSO_ROLE}/dana"}},
        ),
        ("sso-user", {"userIdentity": in_role(SSO_ROLE, "dana", path=SSO)}),
        ("sso-user", {"userIdentity": in_role("PermissionSet", "dana", path=SSO)}),
        ("sso-user", {"userIdentity": {"type": "IdentityCenterUser", "onBehalfOf": STORE, "accountId": ACCOUNT}}),
        ("sso-user", {"userIdentity": {"type": "Unknown", "onBehalfOf": STORE}}),
        ("sso-user", {"userIdentity": AT_PORTAL, "name": "UserAuthentication", "service": "signin"}),
        ("unknown", {"userIdentity": AT_PORTAL}),
        ("federated", {"userIdentity": FEDERATED}),
        ("federated", {"userIdentity": SAML, "name": "AssumeRoleWithSAML", "service": "sts"}),
        ("oidc-pipeline", {"userIdentity": GITHUB, "name": "AssumeRoleWithWebIdentity", "service": "sts"}),
        ("federated", {"userIdentity": POD, "name": "AssumeRoleWithWebIdentity", "service": "sts"}),
        ("federated", {"userIdentity": SOCIAL, "name": "AssumeRoleWithWebIdentity", "service": "sts"}),
        ("aws-service", {"userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}}),
        ("aws-service", {"eventType": "AwsServiceEvent", "userIdentity": {"invokedBy": "ec2.amazonaws.com"}}),
        ("aws-service", {"eventType": "AWSServiceEvent", "userIdentity": None}),
        ("service-linked-role", {"userIdentity": LINKED}),
        ("service-linked-role", {"userIdentity": LINKED | {"invokedBy": "ecs.amazonaws.com"}}),
        ("cross-account", {"userIdentity": {"type": "AWSAccount", "accountId": ELSEWHERE, "principalId": "AIDAX"}}),
        ("cross-account", {"userIdentity": in_role("Deploy", "dana", account=ELSEWHERE)}),
        ("cross-account", {"userIdentity": in_role(SSO_ROLE, "dana", path=SSO, account=ELSEWHERE)}),
        ("assumed-role", {"userIdentity": in_role("Deploy", "dana", account=ELSEWHERE), "recipientAccountId": None}),
        ("unknown", {"userIdentity": {"type": "Directory"}}),
        ("unknown", {"userIdentity": {}}),
        ("unknown", {"userIdentity": "dana"}),
        ("unknown", {"userIdentity": None}),
    ],
)
def test_by_what_kind_of_credential(kind: str, fields: dict) -> None:
    assert told(**fields).identity == kind


@pytest.mark.parametrize(
    ("lifted", "found", "first"),
    [
        ("oidc-pipeline", "assumed-role", GITHUB),
        ("federated", "assumed-role", POD),
        ("federated", "assumed-role", SAML),
        ("federated", "assumed-role", FEDERATED),
        ("assumed-role", "assumed-role", user()),
        ("assumed-role", "assumed-role", {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}),
        ("sso-user", "sso-user", SAML),
        ("cross-account", "cross-account", GITHUB),
        ("service-linked-role", "service-linked-role", GITHUB),
    ],
)
def test_what_began_a_role_session_may_say_more_than_the_role(lifted: str, found: str, first: dict) -> None:
    assert client.lifted(found, identity.of(of(userIdentity=first))) == lifted


# --- userIdentity --------------------------------------------------------------------------------------------


def test_a_user_name_that_aws_hides_is_no_name() -> None:
    hidden = {"type": "IAMUser", "accountId": ACCOUNT, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    assert identity.of(of(userIdentity=hidden)) == Identity(kind="IAMUser", account=ACCOUNT)


def test_the_user_of_identity_center_behind_a_session_is_named_by_id() -> None:
    session = in_role("Analytics", "x", "ASIA1")
    plain = identity.of(of(userIdentity=session))
    behalf = identity.of(of(userIdentity=session | {"onBehalfOf": STORE}))
    assert behalf == replace(plain, user_id="f12bb510-a011")
    assert identity.of(of(userIdentity=session | {"onBehalfOf": "f12bb510-a011"})) == plain


FIELDS = ("type", "arn", "principalId", "accountId", "accessKeyId", "userName", "invokedBy", "identityProvider")
TEXTS = (
    st.none()
    | st.text(max_size=30)
    | st.sampled_from([*FIELDS, "AssumedRole", "ASIA1", "arn:aws:sts::1:assumed-role/"])
)
PARTS = TEXTS | st.lists(st.integers(), max_size=2) | st.dictionaries(st.sampled_from(FIELDS), TEXTS)
NESTED = st.dictionaries(st.sampled_from(["sessionIssuer", "webIdFederationData", "ec2RoleDelivery"]), PARTS)


@given(
    PARTS | st.dictionaries(st.sampled_from([*FIELDS, "sessionContext", "inScopeOf", "onBehalfOf"]), PARTS | NESTED),
    TEXTS,
    TEXTS,
    TEXTS | st.booleans(),
)
def test_whatever_names_the_caller_has_a_place_on_both_axes(
    who: object, agent: str | None, source: str | None, flag: object
) -> None:
    found = told(userIdentity=who, userAgent=agent, sourceIPAddress=source, sessionCredentialFromConsole=flag)
    assert found.identity in get_args(IdentityClass)
    assert found.channel in get_args(Channel)
