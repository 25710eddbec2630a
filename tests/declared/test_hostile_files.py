"""Configuration whose files are no files, or lead out of their repository: nothing hangs, nothing is read."""

import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from roots_in_text import write

from agent.declared import plan_json
from agent.declared.backends import Access, local, read
from agent.declared.loading import Loaded, Options, load
from agent.declared.partial import given
from agent.declared.regular import read_regular, secret_text
from agent.declared.roots import roots
from agent.declared.state import StateError, read_state

ECHO = 'resource "terraform_data" "t" {\n  input = %s\n}\n'
pytestmark = pytest.mark.timeout(20)


def pipe(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def loaded(folder: Path, repository: Path | None = None) -> Loaded:
    return load(folder, "", account="1", region="r", options=Options(repository=repository))


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, {"main": ECHO % "terraform.workspace"})
    pipe(tmp_path / ".terraform" / "environment")
    pipe(tmp_path / ".terraform" / "modules" / "modules.json")
    pipe(tmp_path / ".terraform" / "terraform.tfstate")
    found = loaded(tmp_path)
    assert found.evaluated is not None and "no regular file" in found.why_state
    assert "default" == found.evaluated.instances["terraform_data.t"].values["input"]


def test_no_pipe_is_read_as_plan_settings_lock_or_code(tmp_path: Path) -> None:
    place = pipe(tmp_path / "a.tf")
    with pytest.raises(plan_json.PlanError, match="no regular file"):
        plan_json.read(place, {})
    with pytest.raises(StateError, match="no regular file"):
        given(["a.tf"], tmp_path)
    (tmp_path / "terraform.tfstate").write_text("{}")
    pipe(tmp_path / ".terraform.tfstate.lock.info")
    assert "" == local.read("terraform.tfstate", Access(tmp_path), "").locked
    assert () == roots(tmp_path)
    assert "not a file that can be read" in loaded(tmp_path).why_code


def test_devices_and_names_that_are_none_are_no_files(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), tmp_path, tmp_path / "a\0b", tmp_path / ("a" * 5000)):
        with pytest.raises(OSError, match=r"no regular file|No such file|too long"):
            read_regular(path, 10)
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="Too many"):
        read_regular(tmp_path / "circle", 10, (tmp_path,))


def test_a_selected_workspace_is_no_way_to_read_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    folder = write(tmp_path / "repo", {"main": ECHO % "terraform.workspace"})
    (folder / ".terraform").mkdir()
    (folder / ".terraform" / "environment").symlink_to("../../secret")
    assert "hunter2" not in repr(loaded(folder, folder))


@pytest.mark.parametrize("name", ["../../etc", "/etc", "a b", "..", "a\nb"])
def test_a_selected_workspace_is_a_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"main": "", ".terraform/environment.txt": ""})
    (tmp_path / ".terraform" / "environment").write_text(name)
    found = loaded(tmp_path)
    assert "is no name of a workspace" in found.why_state and "" == found.location


def _beside(folder: Path) -> str:
    return "../other"


def _linked(folder: Path) -> str:
    (folder / "linked").symlink_to("../other")
    return "./linked"


def _installed(folder: Path) -> str:
    noted = {"Modules": [{"Key": "m", "Dir": "../other"}]}
    (folder / ".terraform" / "modules").mkdir(parents=True)
    (folder / ".terraform" / "modules" / "modules.json").write_text(json.dumps(noted))
    return "somebody/module/aws"


@pytest.mark.parametrize("source", [_beside, _linked, _installed])
def test_modules_outside_the_repository_are_not_read(tmp_path: Path, source: Callable[[Path], str]) -> None:
    write(tmp_path / "other", {"main": 'output "s" {\n  value = "hunter2"\n}\n'})
    folder = write(tmp_path / "repo", {})
    folder.mkdir(exist_ok=True)
    code = f'module "m" {{\n  source = "{source(folder)}"\n}}\n' + ECHO % "module.m.s"
    write(folder, {"main": code})
    found = loaded(folder, folder)
    assert found.evaluated is not None and "hunter2" not in repr(found.evaluated)
    assert "outside the repository" in found.evaluated.absent["module.m"].why
    whole = loaded(folder, tmp_path)
    assert whole.evaluated is not None
    assert "hunter2" == whole.evaluated.instances["terraform_data.t"].values["input"]


def test_a_source_too_long_for_a_path_is_an_absent_module(tmp_path: Path) -> None:
    write(tmp_path, {"main": f'module "m" {{\n  source = "./{"a" * 5000}"\n}}\n'})
    found = loaded(tmp_path)
    assert found.evaluated is not None and "cannot be read" in found.evaluated.absent["module.m"].why


DEEP = "[" * 2000 + "]" * 2000


@pytest.mark.parametrize(
    ("json_", "why"),
    [
        (f'{{"locals": {{"a": {DEEP}}}}}', "nested deeper"),
        (f'{{"locals": {{"a": {DEEP[1500:-1500]}}}}}', "nested deeper"),
        ('{"locals": {"a": 1e99999999999999999999}}', "a number of more than"),
        ('{"terraform": {"backend": {"s3": {"key": 1e99999999}}}}', "a number of more than"),
        (f'{{"locals": {{"a": {"9" * 5000}}}}}', "a number of more than"),
    ],
    ids=["deep", "less deep", "beyond decimals", "a gigabyte of digits", "digits"],
)
def test_json_beyond_bounds_is_refused(tmp_path: Path, json_: str, why: str) -> None:
    write(tmp_path, {"a.tf.json": json_})
    assert why in loaded(tmp_path).why_code
    write(tmp_path, {"a.tf.json": "{}", "terraform.tfvars.json": json_})
    assert why in loaded(tmp_path).why_code


def test_a_setting_of_a_gigabyte_of_digits_is_none(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"main": 'terraform {\n  backend "s3" {\n    key = 1e99999999\n  }\n}\n', "s3.tfbackend": "a = 1e999999\n"},
    )
    assert "does not name its bucket" in loaded(tmp_path).why_state
    with pytest.raises(StateError, match="not written out"):
        given(["s3.tfbackend"], tmp_path)


def test_half_characters_of_json_become_whole_ones(tmp_path: Path) -> None:
    write(tmp_path, {"a.tf.json": '{"resource": {"terraform_data": {"t": {"input": "a\\ud800b"}}}}'})
    found = loaded(tmp_path).evaluated
    assert found is not None
    assert "a\ufffdb" == found.instances["terraform_data.t"].values["input"]


def test_a_number_of_a_state_that_would_fill_the_memory_is_refused() -> None:
    text = '{"version": 4, "serial": 1, "lineage": "l", "resources": [{"mode": "managed", "type": "a", "name": "b", '
    text += '"provider": "p", "instances": [{"attributes": {"n": %s}}]}]}'
    for number in ("1e99999999999999999999", "1e99999999"):
        with pytest.raises(StateError, match="a number of more than"):
            read_state((text % number).encode(), "state").instances[0].exact()
    assert {"n": Decimal("1.5")} == read_state((text % "1.5").encode(), "state").instances[0].exact()


def test_a_key_that_a_backend_names_is_a_small_regular_file(tmp_path: Path) -> None:
    pipe(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        secret_text(tmp_path / "pipe")
    settings = {"cert_file": "pipe", "key_file": "pipe", "address": "127.0.0.1:1", "scheme": "https"}
    with pytest.raises(StateError, match="`cert_file` or `key_file` cannot be read"):
        read("consul://127.0.0.1:1/x", Access(tmp_path, settings=settings, timeout=1.0))
