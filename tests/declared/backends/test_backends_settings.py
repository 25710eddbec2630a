"""Settings of a backend from its block, `-backend-config`, `terraform init`'s memory and the environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.declared import partial
from agent.declared.backends import settle
from agent.declared.hcl.parse import parse
from agent.declared.state import StateError

CANARY = "canary-77"


def initialised(directory: Path, type_: str, data: str = ".terraform", **config: Any) -> None:
    (directory / data).mkdir(exist_ok=True)
    memory = {"version": 3, "backend": {"type": type_, "config": config, "hash": 1}}
    (directory / data / "terraform.tfstate").write_text(json.dumps(memory))


def test_given_as_backend_config_takes_it(tmp_path: Path) -> None:
    (tmp_path / "prod.tfbackend").write_text(
        'bucket = "b" # note\nuse_lockfile = true\nmax_retries = 5\nratio = 0.5\nassume_role = {\n  role_arn = "r"\n}\n'
        'allowed_account_ids = ["1", "2"]\nworkspaces {\n  prefix = "p"\n}\n'
    )
    (tmp_path / "more.json").write_text('{"bucket": "c", "key": "k"}')
    found = partial.given(
        [
            "prod.tfbackend",
            "key=x=y",
            "more.json",
            'endpoints={ s3 = "e" }',
            "path = odd",
            "x={ not",
            "dynamodb_table=",
        ],
        tmp_path,
    )
    assert found == {
        "bucket": "c",
        "use_lockfile": True,
        "max_retries": 5,
        "ratio": 0.5,
        "assume_role": {"role_arn": "r"},
        "allowed_account_ids": ["1", "2"],
        "workspaces": [{"prefix": "p"}],
        "key": "k",
        "endpoints": {"s3": "e"},
        "path": " odd",
        "x": "{ not",
        "dynamodb_table": "",
    }


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.hcl", f'a = "{CANARY}"\nb = var.x\n', r"a\.hcl:2: `b` is not written out: give its value$"),
        ("a.hcl", f'a = "{CANARY}\n', r"backend settings .*a\.hcl"),
        ("a.json", f'{{"a": "{CANARY}", ', r"a\.json: not an object in JSON$"),
        ("a.json", f'["{CANARY}"]', r"a\.json: not an object in JSON$"),
        ("a.hcl", " " * (partial.MAX_BYTES + 1), r"at most 1,048,576 bytes are read$"),
        ("other", "", r"a\.hcl: No such file"),
    ],
)
def test_files_of_settings_that_cannot_be_read(tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(StateError, match=told) as error:
        partial.given([name if name.startswith("a") else "a.hcl"], tmp_path)
    assert CANARY not in str(error.value)


def test_who_outranks_whom(tmp_path: Path) -> None:
    initialised(tmp_path, "consul", path="memory", access_token=CANARY, gzip=None, scheme="https")
    environment = {"CONSUL_HTTP_ADDR": "env:1", "CONSUL_HTTP_TOKEN": "env", "CONSUL_HTTP_AUTH": ""}
    found = settle(
        "consul",
        {"path": "memory", "datacenter": None},
        directory=tmp_path,
        given={"scheme": "http"},
        environment=environment,
    )
    assert found == {"path": "memory", "access_token": CANARY, "scheme": "http", "address": "env:1"}


def test_block_and_memory_that_name_two_states(tmp_path: Path) -> None:
    initialised(tmp_path, "s3", bucket="b", key=CANARY, use_lockfile=True)
    written = {"bucket": "b", "key": "other", "use_lockfile": True}
    with pytest.raises(
        StateError, match=r'^the `backend "s3"` block and what .*/\.terraform differ in key: run'
    ) as error:
        settle("s3", written, directory=tmp_path)
    assert CANARY not in str(error.value)
    assert settle("s3", written, directory=tmp_path, given={"key": "k"})["key"] == "k"
    with pytest.raises(StateError, match=r"differ in region"):
        settle("s3", {"region": "x"}, directory=tmp_path)


@pytest.mark.parametrize(("name", "setting"), [("gcs", "storage_custom_endpoint"), ("azurerm", "blob_endpoint")])
def test_code_does_not_say_which_server_gets_our_token(tmp_path: Path, name: str, setting: str) -> None:
    away = {setting: "https://elsewhere.example"}
    with pytest.raises(StateError, match=f"set `{setting}` in the stack's `backend_config`"):
        settle(name, away, directory=tmp_path)
    assert settle(name, away, directory=tmp_path, given={setting: "https://ours"})[setting] == "https://ours"
    assert settle("gcs", {}, directory=tmp_path, environment={"GOOGLE_STORAGE_CUSTOM_ENDPOINT": "https://ours"})
    initialised(tmp_path, name, **away)
    with pytest.raises(StateError, match="where our credentials go"):
        settle(name, {}, directory=tmp_path)


def test_memory_of_another_backend_is_none(tmp_path: Path) -> None:
    initialised(tmp_path, "s3", bucket="b")
    assert settle("gcs", {}, directory=tmp_path) == {}


def test_memory_in_another_folder(tmp_path: Path) -> None:
    initialised(tmp_path, "gcs", "elsewhere", bucket="b")
    assert settle("gcs", {}, directory=tmp_path, environment={"TF_DATA_DIR": "elsewhere"}) == {"bucket": "b"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"backend": []}', '{"backend": {"config": [1]}}', "[" * 99_999])
def test_memory_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "terraform.tfstate").write_text(content)
    with pytest.raises(StateError, match=r"is not what `terraform init` writes: remove it$"):
        partial.remembered(tmp_path)


@pytest.mark.parametrize("content", ['{"version": 3}', '{"version": 3, "backend": null}'])
def test_no_memory(tmp_path: Path, content: str) -> None:
    assert partial.remembered(tmp_path) == ("", {})
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "terraform.tfstate").write_text(content)
    assert partial.remembered(tmp_path) == ("", {})
    assert partial.remembered(tmp_path / ".terraform" / "terraform.tfstate") == ("", {})


@pytest.mark.parametrize(
    ("written", "memory", "same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("true", True, True),
        (False, True, False),
        (5, "5", True),
        (None, "a", True),
        ({"a": 1}, [{"a": 1}], True),
        ("a", None, False),
        ([], None, True),
    ],
)
def test_what_may_be_the_same(written: Any, memory: Any, same: bool) -> None:
    assert partial.same(written, memory) is same


def test_a_block_as_settings() -> None:
    body = parse(b'organization = "o"\nworkspaces {\n  name = "w"\n}\ntext = <<E\nline\nE\n', "main.tf")
    found = partial.body(body, "main.tf")
    assert found == {"organization": "o", "workspaces": [{"name": "w"}], "text": "line\n"}
    assert partial.block(found, "workspaces") == {"name": "w"}
    assert partial.block(found, "organization") == partial.block(found, "none") == {}
