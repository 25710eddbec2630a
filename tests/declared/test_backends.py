"""State backends: the location a block names, and what lies there, with moto's S3."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.declared.backends import Access, fetch, locate
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
    ],
)
def test_locations(name: str, settings: Mapping[str, str], workspace: str, location: str) -> None:
    assert location == locate(name, settings, workspace)


@pytest.mark.parametrize("missing", ["bucket", "key"])
def test_a_partial_block_names_no_place(missing: str) -> None:
    settings = {"bucket": "b", "key": "k"} | {missing: None}
    with pytest.raises(StateError, match=f"does not name its {missing}: set the stack's `state` to s3://bucket/key"):
        locate("s3", settings, "default")


@pytest.mark.parametrize("name", ["gcs", "cloud", "os", "..", "__init__", ""])
def test_a_backend_without_a_file_is_named(name: str) -> None:
    with pytest.raises(StateError, match=r"are not read, only in local, s3: copy it with `terraform state pull`"):
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
