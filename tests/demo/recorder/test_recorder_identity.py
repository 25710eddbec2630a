"""Who called: every kind of identity as CloudTrail prints it, learnt from the calls that issue keys."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from recorder_calls import ACCOUNT, ALICE, TRUST, Clients, clients

from agent.demo.recorder import Recorder, iam_user, role_session, root, service

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def role(client: Clients, unique: str) -> str:
    """ARN of a role with a path."""
    iam = client("iam")
    arn: str = iam.create_role(RoleName=unique, Path="/pipelines/", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:role/pipelines/{unique}"
    return arn


def last(recorder: Recorder) -> dict[str, Any]:
    return recorder.records[-1]


def test_told_user(recorder: Recorder, client: Clients) -> None:
    client("ec2").describe_vpcs()
    assert last(recorder)["userIdentity"] == {
        "type": "IAMUser",
        "principalId": "AIDAALICE",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
        "accountId": ACCOUNT,
        "accessKeyId": ALICE,
        "userName": "alice",
    }


def test_user_whose_key_was_created_through_the_recorder(recorder: Recorder, client: Clients, unique: str) -> None:
    iam = client("iam")
    user = iam.create_user(UserName=unique, Path="/staff/")["User"]
    key = iam.create_access_key(UserName=unique)["AccessKey"]["AccessKeyId"]
    client("ec2", key=key).describe_vpcs()
    assert last(recorder)["userIdentity"] == {
        "type": "IAMUser",
        "principalId": user["UserId"],
        "arn": f"arn:aws:iam::{ACCOUNT}:user/staff/{unique}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "userName": unique,
    }


def test_user_whose_key_only_moto_knows(recorder: Recorder, client: Clients, unique: str) -> None:
    iam = clients(recorder.upstream)("iam")
    iam.create_user(UserName=unique)
    key = iam.create_access_key(UserName=unique)["AccessKey"]["AccessKeyId"]
    client("ec2", key=key).describe_vpcs()
    assert (unique, "IAMUser") == (last(recorder)["userIdentity"]["userName"], last(recorder)["userIdentity"]["type"])


def test_unknown_key_is_a_stranger(recorder: Recorder, client: Clients) -> None:
    client("ec2", key="AKIANOBODY0000000000").describe_vpcs()
    assert last(recorder)["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": "AKIANOBODY0000000000",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIANOBODY0000000000",
    }


def test_root(recorder: Recorder, client: Clients) -> None:
    recorder.know("AKIAROOT", root(ACCOUNT))
    client("ec2", key="AKIAROOT").describe_vpcs()
    assert last(recorder)["userIdentity"] == {
        "type": "Root",
        "principalId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:root",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAROOT",
    }


def test_console_session_of_a_user_has_a_session_context(recorder: Recorder, client: Clients) -> None:
    recorder.know("ASIABOB", iam_user("bob", ACCOUNT, created=WHEN, mfa=True))
    client("ec2", key="ASIABOB").describe_vpcs()
    assert last(recorder)["userIdentity"]["sessionContext"] == {
        "attributes": {"creationDate": "2026-03-04T05:06:07Z", "mfaAuthenticated": "true"}
    }


def test_service_calls_under_its_own_name(recorder: Recorder, client: Clients) -> None:
    recorder.know("ASIASCALING", service("autoscaling.amazonaws.com", ACCOUNT))
    client("ec2", key="ASIASCALING").describe_vpcs()
    record = last(recorder)
    assert record["userIdentity"] == {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    assert record["sourceIPAddress"] == record["userAgent"] == "autoscaling.amazonaws.com"
    assert "tlsDetails" not in record


def test_service_calls_on_behalf_of_a_user(recorder: Recorder, client: Clients) -> None:
    who = replace(iam_user("carol", ACCOUNT), invoked_by="cloudformation.amazonaws.com")
    recorder.know("ASIAFORWARDED", who)
    client("ec2", key="ASIAFORWARDED").describe_vpcs()
    identity = last(recorder)["userIdentity"]
    assert (identity["userName"], identity["invokedBy"]) == ("carol", "cloudformation.amazonaws.com")
    assert identity["accessKeyId"] == "ASIAFORWARDED"


def test_service_linked_role_shows_no_key(recorder: Recorder, client: Clients) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
    recorder.know("ASIARDS", role_session(arn, "db", WHEN, invoked_by="rds.amazonaws.com"))
    client("ec2", key="ASIARDS").describe_vpcs()
    identity = last(recorder)["userIdentity"]
    assert (identity["sessionContext"]["sessionIssuer"]["arn"], identity["invokedBy"]) == (arn, "rds.amazonaws.com")
    assert "accessKeyId" not in identity


def test_assumed_role(recorder: Recorder, client: Clients, role: str, unique: str) -> None:
    answer = client("sts").assume_role(RoleArn=role, RoleSessionName="CHG0012345")
    key = answer["Credentials"]["AccessKeyId"]
    client("ec2", key=key).describe_vpcs()
    assumed, used = recorder.records[-2:]
    role_id = answer["AssumedRoleUser"]["AssumedRoleId"].partition(":")[0]
    assert used["userIdentity"] == {
        "type": "AssumedRole",
        "principalId": f"{role_id}:CHG0012345",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{unique}/CHG0012345",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": role,
                "accountId": ACCOUNT,
                "userName": unique,
            },
            "attributes": {"creationDate": assumed["eventTime"], "mfaAuthenticated": "false"},
        },
    }
    assert assumed["responseElements"]["credentials"]["accessKeyId"] == key
    assert "secretAccessKey" not in assumed["responseElements"]["credentials"]


def test_role_of_another_account_keeps_its_account(recorder: Recorder, client: Clients) -> None:
    other = "arn:aws:iam::210987654321:role/Audit"
    key = client("sts").assume_role(RoleArn=other, RoleSessionName="audit")["Credentials"]["AccessKeyId"]
    client("ec2", key=key).describe_vpcs()
    assumed, used = recorder.records[-2:]
    assert (assumed["recipientAccountId"], used["recipientAccountId"]) == (ACCOUNT, "210987654321")


def test_source_identity_and_transitive_tags_follow_role_chaining(
    recorder: Recorder, client: Clients, role: str
) -> None:
    first = client("sts").assume_role(
        RoleArn=role,
        RoleSessionName="one",
        SourceIdentity="alice@example.com",
        Tags=[{"Key": "ticket", "Value": "CHG-1"}, {"Key": "team", "Value": "x"}],
        TransitiveTagKeys=["ticket"],
    )["Credentials"]["AccessKeyId"]
    second = client("sts", key=first).assume_role(RoleArn=role, RoleSessionName="two")["Credentials"]["AccessKeyId"]
    client("ec2", key=second).describe_vpcs()
    one, two, used = recorder.records[-3:]
    assert one["requestParameters"]["sourceIdentity"] == "alice@example.com"
    assert one["requestParameters"]["tags"] == [
        {"key": "ticket", "value": "CHG-1"},
        {"key": "team", "value": "x"},
    ]
    assert one["requestParameters"]["transitiveTagKeys"] == ["ticket"]
    assert two["requestParameters"]["incomingTransitiveTags"] == {"ticket": "CHG-1"}
    assert two["userIdentity"]["sessionContext"]["sourceIdentity"] == "alice@example.com"
    assert used["userIdentity"]["sessionContext"]["sourceIdentity"] == "alice@example.com"


def test_identity_center_session_is_named_after_the_person(recorder: Recorder, client: Clients) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"
    recorder.know("ASIASSO", role_session(arn, "dana@example.com", WHEN))
    client("ec2", key="ASIASSO").describe_vpcs()
    identity = last(recorder)["userIdentity"]
    assert identity["arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/dana@example.com"
    )
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == arn


def unsigned(recorder: Recorder) -> Any:
    config = Config(signature_version=UNSIGNED)
    return boto3.client("sts", endpoint_url=recorder.endpoint, region_name="us-east-1", config=config)


def token(claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"])


def test_web_identity(recorder: Recorder, client: Clients, role: str) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    subject = "repo:acme/network:ref:refs/heads/main"
    claims = {
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "sts.amazonaws.com",
        "sub": subject,
        "https://aws.amazon.com/tags": {"principal_tags": {"run": ["77"]}, "transitive_tag_keys": []},
        "https://aws.amazon.com/source_identity": "octocat",
    }
    key = unsigned(recorder).assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="GitHubActions", WebIdentityToken=token(claims)
    )["Credentials"]["AccessKeyId"]
    client("ec2", key=key).describe_vpcs()
    assumed, used = recorder.records[-2:]
    assert assumed["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:{subject}",
        "userName": subject,
        "identityProvider": provider,
    }
    assert assumed["requestParameters"] == {
        "roleArn": role,
        "roleSessionName": "GitHubActions",
        "principalTags": {"run": "77"},
    }
    session = used["userIdentity"]["sessionContext"]
    assert session["webIdFederationData"] == {"federatedProvider": provider, "attributes": {}}
    assert session["sourceIdentity"] == "octocat"
    role_id = clients(recorder.upstream)("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]["RoleId"]
    assert session["sessionIssuer"]["principalId"] == role_id


def test_saml(recorder: Recorder, client: Clients, role: str) -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:saml-provider/Okta"
    attribute = '<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/{}"><saml:AttributeValue>{}'
    close = "</saml:AttributeValue></saml:Attribute>"
    assertion = (
        '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><saml:Assertion'
        ' xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:Issuer>https://example.com/saml</saml:Issuer>'
        "<saml:Subject><saml:NameID>erin@example.com</saml:NameID></saml:Subject><saml:AttributeStatement>"
        + attribute.format("RoleSessionName", "erin@example.com")
        + close
        + attribute.format("Role", f"{role},{provider}")
        + close
        + "</saml:AttributeStatement></saml:Assertion></samlp:Response>"
    )
    answer = unsigned(recorder).assume_role_with_saml(
        RoleArn=role, PrincipalArn=provider, SAMLAssertion=base64.b64encode(assertion.encode()).decode()
    )
    client("ec2", key=answer["Credentials"]["AccessKeyId"]).describe_vpcs()
    assumed, used = recorder.records[-2:]
    # printf https://example.com/saml123456789012/Okta | openssl sha1 -binary | base64
    assert assumed["userIdentity"] == {
        "type": "SAMLUser",
        "principalId": "SSz5H3MAkbMwdPZBmhaC6RA9Gfo=:erin@example.com",
        "userName": "erin@example.com",
        "identityProvider": "SSz5H3MAkbMwdPZBmhaC6RA9Gfo=",
    }
    assert assumed["requestParameters"] == {"roleArn": role, "principalArn": provider}
    assert used["userIdentity"]["arn"].endswith("/erin@example.com")


def test_session_token_of_a_user(recorder: Recorder, client: Clients) -> None:
    key = client("sts").get_session_token()["Credentials"]["AccessKeyId"]
    client("ec2", key=key).describe_vpcs()
    issued, used = recorder.records[-2:]
    assert issued["readOnly"] is False
    assert used["userIdentity"]["userName"] == "alice"
    assert used["userIdentity"]["sessionContext"]["attributes"]["creationDate"] == issued["eventTime"]


def test_federated_user(recorder: Recorder, client: Clients) -> None:
    key = client("sts").get_federation_token(Name="visitor")["Credentials"]["AccessKeyId"]
    client("ec2", key=key).describe_vpcs()
    identity = last(recorder)["userIdentity"]
    assert (identity["type"], identity["arn"]) == (
        "FederatedUser",
        f"arn:aws:sts::{ACCOUNT}:federated-user/visitor",
    )
    assert identity["sessionContext"]["sessionIssuer"]["userName"] == "alice"


def test_sessions_issued_while_paused_are_learnt(recorder: Recorder, client: Clients, role: str) -> None:
    before = len(recorder.records)
    with recorder.paused():
        key = client("sts").assume_role(RoleArn=role, RoleSessionName="quiet")["Credentials"]["AccessKeyId"]
        client("ec2").describe_vpcs()
    client("ec2", key=key).describe_vpcs()
    assert [record["userIdentity"]["type"] for record in recorder.records[before:]] == ["AssumedRole"]


@pytest.mark.parametrize("arn", ["deploy", "arn:aws:iam::1:user/x", "arn:aws:iam:role/x"])
def test_session_of_what_is_no_role(arn: str) -> None:
    with pytest.raises(ValueError, match="a role's ARN is"):
        role_session(arn, "x", WHEN)


@pytest.mark.parametrize("bad", ["none", "a..b", "a.!!.c", f"a.{base64.urlsafe_b64encode(b'[]').decode()}.c"])
def test_web_identity_with_a_token_that_is_none(recorder: Recorder, role: str, bad: str) -> None:
    unsigned(recorder).assume_role_with_web_identity(RoleArn=role, RoleSessionName="nobody", WebIdentityToken=bad)
    assert last(recorder)["userIdentity"]["userName"] == ""
