"""What of a request is kept: nothing secret, never more than 4 KB."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trail.excerpt import MASKED, MAX_BYTES, excerpt


@pytest.mark.parametrize(
    "name",
    [
        "masterUserPassword",
        "password",
        "secretString",
        "authToken",
        "x-amz-security-token",
        "clientSecret",
        "privateKey",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "apiKey",
        "passphrase",
        "oAuthToken",
        "databaseConnectionString",
        "preSharedKey",
        "authKey",
        "accessKey",
        "accessString",
        "headerValue",
        "searchString",
        "extraConnectionAttributes",
        "parameterValue",
    ],
)
def test_what_is_named_like_a_secret_is_masked(name: str) -> None:
    assert excerpt("rds", {name: "hunter2", "deep": [{name: {"a": "hunter2"}}]}) == {
        name: MASKED,
        "deep": [{name: MASKED}],
    }


@pytest.mark.parametrize(
    "name",
    ["secretId", "secretArn", "dBInstanceIdentifier", "tokenType", "httpTokens", "kmsKeyId", "policyDocument", "name"],
)
def test_what_only_names_a_secret_is_kept(name: str) -> None:
    assert excerpt("secretsmanager", {name: "optional"}) == {name: "optional"}


def test_environments_user_data_and_code_are_dropped_whole() -> None:
    request = {
        "environment": {"variables": {"DB": "postgres://u:p@h"}},
        "userData": "IyEvYmlu",
        "code": {"zipFile": "UEsD", "s3Bucket": "b"},
        "containerDefinitions": [{"name": "web", "environment": [{"name": "A", "value": "s3cret"}]}],
    }
    assert excerpt("lambda", request) == {
        "environment": "(dropped)",
        "userData": "(dropped)",
        "code": {"zipFile": "(dropped)", "s3Bucket": "b"},
        "containerDefinitions": [{"name": "web", "environment": "(dropped)"}],
    }


@pytest.mark.parametrize(
    "name",
    ["runtimeEnvironmentVariables", "environmentProperties", "optionSettings", "patchOperations", "command", "args"],
)
def test_settings_of_programs_are_dropped_whole(name: str) -> None:
    assert excerpt("apigateway", {"a": {name: [{"name": "PASSWORD", "value": "hunter2"}]}}) == {
        "a": {name: "(dropped)"}
    }


def test_a_password_in_an_address_is_masked() -> None:
    request = {"endpoint": "https://dana:hunter2@example.com/x", "also": "see amqp://u:hunter2@h and mail a@b.example"}
    assert excerpt("sns", request) == {
        "endpoint": f"https://{MASKED}@example.com/x",
        "also": f"see amqp://{MASKED}@h and mail a@b.example",
    }


def test_a_services_own_secrets_and_a_private_key_anywhere() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMII"
    assert excerpt("ssm", {"name": "/a", "value": "x", "type": "String"}) == {
        "name": "/a",
        "value": MASKED,
        "type": "String",
    }
    assert excerpt("ec2", {"value": "x", "body": key}) == {"value": "x", "body": MASKED}


def test_flags_and_numbers_stay() -> None:
    request = {"manageMasterUserPassword": True, "minimumPasswordLength": 14, "requireSymbols": None}
    assert excerpt("iam", request) == request


@pytest.mark.parametrize("found", [None, "null", [], 7, {}])
def test_no_object_no_excerpt(found: object) -> None:
    assert excerpt("sqs", found) == {}


def test_the_longest_entries_go_first() -> None:
    policy = [{"Sid": "x" * 400} for _ in range(20)]
    assert excerpt("s3", {"bucketName": "b", "policy": policy}) == {"bucketName": "b", "policy": "(8232 bytes, cut)"}
    deep: dict = {}
    for _ in range(40):
        deep = {"a": deep}
    assert len(json.dumps(excerpt("s3", deep))) < 200


TEXT = st.text(max_size=700)
VALUES = st.recursive(TEXT | st.integers() | st.none(), lambda v: st.lists(v) | st.dictionaries(TEXT, v), max_leaves=20)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=12))
def test_never_more_than_the_bound(request_: dict) -> None:
    assert len(json.dumps(excerpt("s3", request_), ensure_ascii=False, separators=(",", ":")).encode()) <= MAX_BYTES


def test_never_more_than_the_bound_however_many_keys() -> None:
    request = {f"{number}-{'k' * 300}": "v" * 500 for number in range(500)}
    assert 0 < len(json.dumps(excerpt("s3", request)).encode()) <= MAX_BYTES
