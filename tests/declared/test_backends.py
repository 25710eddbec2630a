"""State backends: the location a block names, and what lies there, with moto's S3.

What all backends have in common is tested in `backends/`.
"""

import hashlib
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.declared.backends import Access, fetch, history, holder, locate, read
from agent.declared.state import StateError


@pytest.mark.parametrize(
    ("name", "settings", "workspace", "location"),
    [
        ("local", {}, "default", "terraform.tfstate"),
        ("local", {"path": "state/x.tfstate"}, "default", "state/x.tfstate"),
        ("local", {"path": "state/x.tfstate"}, "blue", "terraform.tfstate.d/blue/terraform.tfstate"),
        ("local", {"workspace_dir": "w"}, "blue", "w/blue/terraform.tfstate"),
        ("s3", {"bucket": "b", "key": "a/k.tfstate"}, "default", "s3://b/a/k.tfstate"),
        ("s3", {"bucket": "b", "key": "k"}, "blue", "s3://b/env:/blue/k"),
        ("s3", {"bucket": "b", "key": "k", "workspace_key_prefix": "ws"}, "blue", "s3://b/ws/blue/k"),
        ("http", {"address": "https://u:p@Host.example:8443/a/b?t=s#f"}, "default", "https://host.example:8443/a/b"),
        ("http", {"address": "http://u@[::1]:80/a"}, "default", "http://[::1]:80/a"),
        ("gcs", {"bucket": "b"}, "default", "gcs://b/default.tfstate"),
        ("gcs", {"bucket": "b", "prefix": "/p/q/"}, "blue", "gcs://b/p/q/blue.tfstate"),
        (
            "azurerm",
            {"storage_account_name": "a", "container_name": "c", "key": "p/k"},
            "default",
            "azurerm://a/c/p/k",
        ),
        (
            "azurerm",
            {"storage_account_name": "a", "container_name": "c", "key": "p/k"},
            "blue",
            "azurerm://a/c/p/kenv:blue",
        ),
        ("consul", {"path": "p/q"}, "default", "consul://127.0.0.1:8500/p/q"),
        ("consul", {"path": "p", "address": "https://u:p@c.example/"}, "blue", "consul://c.example/p-env:blue"),
        (
            "pg",
            {"conn_str": "postgres://u:p@db.example/terraform?sslmode=require"},
            "default",
            "pg://db.example:5432/terraform/terraform_remote_state/default",
        ),
        (
            "pg",
            {"conn_str": "host=/run/pg dbname=tf password='p p' port=6543", "schema_name": "s"},
            "a/b",
            "pg://%2Frun%2Fpg:6543/tf/s/a%2Fb",
        ),
        ("pg", {"host": "h", "user": "u", "password": "p"}, "w", "pg://h:5432/u/terraform_remote_state/w"),
        (
            "remote",
            {"organization": "o", "workspaces": [{"name": "w"}], "token": "p"},
            "default",
            "remote://app.terraform.io/o/w",
        ),
        (
            "remote",
            {"organization": "o", "hostname": "TFE.example", "workspaces": {"prefix": "w-"}},
            "blue",
            "remote://tfe.example/o/w-blue",
        ),
        ("cloud", {"organization": "o", "workspaces": {"name": "w"}}, "default", "remote://app.terraform.io/o/w"),
        ("cloud", {"organization": "o", "workspaces": {"tags": ["t"]}}, "w-1", "remote://app.terraform.io/o/w-1"),
    ],
)
def test_locations(name: str, settings: Mapping[str, str], workspace: str, location: str) -> None:
    assert location == locate(name, settings, workspace)


@pytest.mark.parametrize("missing", ["bucket", "key"])
def test_a_partial_block_names_no_place(missing: str) -> None:
    settings = {"bucket": "b", "key": "k"} | {missing: None}
    with pytest.raises(StateError, match=f"does not name its {missing}: set the stack's `state` to s3://bucket/key"):
        locate("s3", settings, "default")


@pytest.mark.parametrize(
    ("name", "settings", "workspace", "told"),
    [
        ("http", {}, "default", r"does not name its address: set it in `backend_config`"),
        ("http", {"address": "ftp://secret@x"}, "default", r"is not an http:// or https:// address$"),
        ("http", {"address": "http://secret@x:y"}, "default", r"is not an http:// or https:// address$"),
        ("http", {"address": "http://x/y"}, "blue", r"has no workspaces"),
        ("gcs", {}, "default", r"does not name its bucket"),
        ("azurerm", {"storage_account_name": "a"}, "default", r"does not name its container_name"),
        ("consul", {}, "default", r"does not name its path"),
        ("consul", {"path": "p", "address": "unix:///secret"}, "default", r"is read over http and https only$"),
        ("pg", {}, "default", r"does not name its database"),
        ("pg", {"conn_str": "postgres://h:secret/x"}, "default", r"`conn_str` is not an address"),
        ("pg", {"conn_str": "secret"}, "default", r"`conn_str` is not one"),
        ("remote", {"organization": "o"}, "default", r"has neither `name` nor `prefix`"),
        ("remote", {"organization": "o", "workspaces": {"prefix": "p"}}, "default", r"is selected: run `terraform wor"),
        ("remote", {"workspaces": {"name": "p"}}, "default", r"does not name its organization"),
        ("cloud", {"organization": "o", "workspaces": {"tags": ["t"]}}, "default", r"and none is selected"),
    ],
)
def test_a_block_that_names_no_place(name: str, settings: Mapping[str, Any], workspace: str, told: str) -> None:
    with pytest.raises(StateError, match=told) as error:
        locate(name, settings, workspace)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "location",
    [
        *("gcs://", "gcs://bucket", "azurerm://a/c", "azurerm://a.evil/c/b", "consul://host", "pg://h:1/d/s"),
        *("remote://h/o", "cloud://h/o/w/x", "pg:////", "http://secret@h/x", "https://h/x?secret", "http:///x"),
    ],
)
def test_a_location_that_names_nothing(location: str, tmp_path: Path) -> None:
    settings = {"access_token": "t", "access_key": "aa==", "token": "t", "conn_str": "postgres://h/d"}
    with pytest.raises(StateError, match=r"names no|has no user and no query|is not an http") as error:
        read(location, Access(tmp_path, settings=settings))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("name", ["oss", "cos", "kubernetes", "inmem", "os", "..", "__init__", ""])
def test_a_backend_without_a_file_is_named(name: str) -> None:
    with pytest.raises(StateError, match=r"are not read, only in azurerm, cloud, .*, s3: copy it with `terraform"):
        locate(name, {}, "default")
    with pytest.raises(StateError, match=r"are not read"):
        fetch(f"{name}://x/y", Access(Path()))


def test_local(tmp_path: Path) -> None:
    (tmp_path / "a.tfstate").write_bytes(b"content")
    assert fetch("a.tfstate", Access(tmp_path)) == b"content"
    assert fetch(str(tmp_path / "a.tfstate"), Access(Path("/"))) == b"content"
    with pytest.raises(StateError, match=r"there is no state file .*none\.tfstate: apply the stack"):
        fetch("none.tfstate", Access(tmp_path))
    with pytest.raises(StateError, match=r"there is no state file"):
        fetch(".", Access(tmp_path))
    with pytest.raises(StateError, match=r"a\.tfstate has 7 bytes, at most 6 are read"):
        fetch("a.tfstate", Access(tmp_path, limit=6))


def test_s3(aws_env: Mapping[str, str], moto_reset: None) -> None:
    session = boto3.Session()
    client = session.client("s3")
    client.create_bucket(Bucket="states")
    client.put_object(Bucket="states", Key="prod/a b#?.tfstate", Body=b"content")
    access = Access(Path(), session)
    assert fetch("s3://states/prod/a b#?.tfstate", access) == b"content"
    with pytest.raises(StateError, match=r"^s3://states/none: there is no such object: apply the stack, or correct"):
        fetch("s3://states/none", access)
    with pytest.raises(StateError, match=r"^s3://nobody/none: there is no such bucket: correct the location$"):
        fetch("s3://nobody/none", access)
    with pytest.raises(StateError, match=r"has 7 bytes, at most 3 are read"):
        fetch("s3://states/prod/a b#?.tfstate", Access(Path(), session, limit=3))


class _Forbidden(BaseHTTPRequestHandler):
    """An S3 that lets nobody in; moto lets everybody."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.end_headers()
        self.wfile.write(b"<Error><Code>AccessDenied</Code><Message>not authorized</Message></Error>")

    def log_request(self, *args: Any) -> None:
        """Says nothing."""


def test_s3_that_denies(aws_env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), _Forbidden) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(StateError, match=r"^s3://states/a: access denied: allow s3:GetObject on it, and kms:"):
                fetch("s3://states/a", Access(Path(), boto3.Session()))
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("location", ["s3://", "s3://bucket", "s3:///key"])
def test_s3_needs_bucket_and_key(location: str) -> None:
    with pytest.raises(StateError, match=r"names no object: write s3://bucket/key"):
        fetch(location, Access(Path(), boto3.Session()))


def test_s3_without_credentials(monkeypatch: pytest.MonkeyPatch, aws_env: Mapping[str, str]) -> None:
    with pytest.raises(StateError, match=r"there are no AWS credentials for it"):
        fetch("s3://states/a", Access(Path()))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StateError, match=r"^s3://states/a: Unable to locate credentials$"):
        fetch("s3://states/a", Access(Path(), boto3.Session()))


def test_s3_that_does_not_answer(aws_env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StateError, match=r"^s3://states/a: Could not connect to the endpoint URL"):
        fetch("s3://states/a", Access(Path(), boto3.Session()))


@pytest.mark.parametrize(
    ("info", "told"),
    [
        (b'{"Who": "a@b", "Operation": "OperationTypePlan", "Created": "now"}', "a@b (OperationTypePlan since now)"),
        (b"{}", "somebody (unknown operation)"),
        (b"", "somebody"),
        (b"\xff", "somebody"),
        (b'{"Who": 1}', "somebody"),
        (b"[" * 100_000, "somebody"),
        (b'{"Who": "a\\u202eb\\u001b[2J"}', "a⟨U+202E⟩b⟨U+001B⟩[2J (unknown operation)"),
    ],
)
def test_who_holds_a_lock(info: bytes, told: str) -> None:
    assert holder(info) == told


# --- S3 ------------------------------------------------------------------------------------------------------


def bucket(**settings: Any) -> tuple[Access, Any]:
    session = boto3.Session()
    client = session.client("s3")
    client.create_bucket(Bucket="states")
    client.put_object(Bucket="states", Key="a", Body=b"content")
    return Access(Path(), session, settings=settings), client


def test_s3_reads_where_the_block_says(
    aws_env: Mapping[str, str], moto_reset: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket()
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    endpoint = aws_env["AWS_ENDPOINT_URL"]
    for settings in (
        {"endpoints": [{"s3": endpoint}], "region": "eu-west-1", "use_path_style": "true"},
        {"endpoint": endpoint, "force_path_style": True},
    ):
        assert fetch("s3://states/a", Access(Path(), boto3.Session(), settings=settings)) == b"content"
    away = {"endpoints": {"s3": "http://127.0.0.1:9"}, "use_path_style": True}
    with pytest.raises(StateError, match="Could not connect"):
        fetch("s3://states/a", Access(Path(), boto3.Session(), settings=away))


def test_s3_keys_and_role_of_the_block(aws_env: Mapping[str, str], moto_reset: None) -> None:
    """The keys that a role gives are its own: the bucket's owner sees whose they are."""
    access, _ = bucket(assume_role=[{"role_arn": "arn:aws:iam::123456789012:role/reader", "external_id": "xx"}])
    assert fetch("s3://states/a", access) == b"content"
    from agent.declared.backends.s3 import _Clients

    assumed = _Clients("s3://states/a", access).session.get_credentials()
    assert assumed is not None
    assert assumed.access_key.startswith("ASIA")
    keys = {"access_key": "mine", "secret_key": "canary", "profile": "of-somebody-else"}
    given = _Clients("s3://states/a", Access(Path(), settings=keys)).session.get_credentials()
    assert given is not None
    assert given.access_key == "mine"
    assert fetch("s3://states/a", Access(Path(), access.session, settings={"profile": "nobody"})) == b"content"


def test_s3_key_of_the_customer(aws_env: Mapping[str, str]) -> None:
    access = Access(Path(), boto3.Session(), settings={"sse_customer_key": "canary!"})
    with pytest.raises(StateError, match=r"`sse_customer_key` is not base64: correct it$"):
        fetch("s3://states/a", access)


def test_s3_digest_of_the_lock_table(aws_env: Mapping[str, str], moto_reset: None) -> None:
    access, client = bucket(dynamodb_table="locks")
    table = boto3.client("dynamodb")
    assert read("s3://states/a", access).unseen == (
        "its lock in the table locks cannot be read (ResourceNotFoundException): allow dynamodb:GetItem"
    )
    table.create_table(
        TableName="locks",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"LockID": {"S": "states/a-md5"}, "Digest": {"S": hashlib.md5(b"content").hexdigest()}}
    table.put_item(TableName="locks", Item=item)
    assert read("s3://states/a", access).data == b"content"
    client.put_object(Bucket="states", Key="a", Body=b"by hand")
    with pytest.raises(StateError, match=r"its MD5 is not the one Terraform left in locks: it was written without"):
        fetch("s3://states/a", access)
    table.put_item(TableName="locks", Item={"LockID": {"S": "states/a"}, "Info": {"S": '{"Who": "ann"}'}})
    assert read("s3://states/a", access).locked == "ann (unknown operation)"


def test_s3_without_a_bucket_has_no_history(aws_env: Mapping[str, str], moto_reset: None) -> None:
    with pytest.raises(StateError, match=r"^s3://states/a: there is no such bucket"):
        list(history("s3://states/a", Access(Path(), boto3.Session())))
