"""What the code says by syntax: blocks, overrides, providers, backends, and where modules are."""

import json
from pathlib import Path

import pytest

from agent.declared.configuration import (
    Absent,
    Backend,
    Declaration,
    Module,
    Provider,
    find_modules,
    read_module,
)
from agent.declared.hcl.error import ParseError
from agent.model import Source


def module(directory: Path, **files: str) -> Module:
    for name, text in files.items():
        (directory / f"{name}.tf").write_text(text)
    return read_module(directory, directory, None)


def declaration(directory: Path, body: str) -> Declaration:
    found = module(directory, main=f'resource "aws_sqs_queue" "q" {{\n{body}\n}}\n')
    return found.resources["aws_sqs_queue", "q"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("", set()),
        ("name = var.name\ndelay_seconds = 0", {"name", "delay_seconds"}),
        ("name = null", set()),
        ("name = var.x ? null : 1", {"name"}),
        ("count = 2\nprovider = aws.west\ndepends_on = []\nlifecycle {}\nname = 1", {"name"}),
        ('for_each = {}\nprovisioner "local-exec" {}\nconnection {}', set()),
        ("ingress {\n}\ningress {\n}", {"ingress"}),
        ('dynamic "ingress" {\nfor_each = []\ncontent {\nfrom_port = 1\n}\n}', {"ingress"}),
        ("timeouts {\ncreate = 1\n}", {"timeouts"}),
    ],
)
def test_what_a_block_sets(tmp_path: Path, body: str, names: set[str]) -> None:
    assert names == declaration(tmp_path, body).configured


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ("[]", ()),
        ("all", ("all",)),
        ('["*"]', ("all",)),
        ("[policy]", ("policy",)),
        ('["policy"]', ("policy",)),
        ("[tags]", ("tags", "tags_all")),
        ('[tags["a.b"]]', ('tags["a.b"]', 'tags_all["a.b"]')),
        ("[tags.Name, policy]", ("tags.Name", "policy", "tags_all.Name")),
        ("[tags, tags_all]", ("tags", "tags_all")),
        ("[root[0].size, root[*].x]", ("root[0].size",)),
        ("[tagset]", ("tagset",)),
    ],
)
def test_what_a_block_ignores(tmp_path: Path, value: str, paths: tuple[str, ...]) -> None:
    assert paths == declaration(tmp_path, f"lifecycle {{\nignore_changes = {value}\n}}").ignore_changes


def test_overrides(tmp_path: Path) -> None:
    base = 'resource "a" "%s" {\n  x = 1\n  lifecycle { ignore_changes = [x] }\n}\n'
    found = module(
        tmp_path,
        main="\n" + base % "one" + base % "two",
        z_override='resource "a" "one" {\n  y = 2\n  lifecycle { prevent_destroy = true }\n}\n',
        override='resource "a" "two" {\n  z = 3\n  lifecycle { ignore_changes = [z] }\n}\nresource "a" "nobody" {}\n',
    )
    assert {
        ("a", "one"): Declaration(Source("main.tf", 2), frozenset({"x", "y"}), ("x",)),
        ("a", "two"): Declaration(Source("main.tf", 6), frozenset({"x", "z"}), ("z",)),
    } == found.resources


def test_files_that_count(tmp_path: Path) -> None:
    (tmp_path / "sub.tf").mkdir()
    for name in (".hidden.tf", "back.tf~", "#auto.tf", "other.txt", "data.tf.json"):
        (tmp_path / name).write_text("not HCL {")
    found = module(tmp_path, b='resource "a" "b" {}', a='resource "a" "a" {}')
    assert ({("a", "a"), ("a", "b")}, 2, ("data.tf.json",)) == (set(found.resources), found.files, found.unread)


def test_providers(tmp_path: Path) -> None:
    found = module(
        tmp_path,
        main="""
provider "aws" {
  region = "eu-west-1"
  default_tags {
    tags = {}
  }
}
provider "aws" {
  alias  = "other"
  region = var.region
  dynamic "default_tags" {
    for_each = []
    content {}
  }
}
provider "aws" {
  alias  = "plain"
  region = "eu-${1}"
}
""",
    )
    assert {
        ("aws", ""): Provider("eu-west-1", True),
        ("aws", "other"): Provider("", True),
        ("aws", "plain"): Provider("", False),
    } == found.providers


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("", None),
        ("terraform {}", None),
        (
            'terraform {\nbackend "s3" {\nbucket = "b"\nkey = "k"\nassume_role = { role_arn = "r" }\n}\n}',
            Backend("s3", {"bucket": "b", "key": "k"}),
        ),
        ('terraform {\nbackend "local" {\npath = "x"\n}\n}', Backend("local", {"path": "x"})),
        ('terraform {\ncloud {\norganization = "o"\n}\n}', Backend("cloud", {"organization": "o"})),
    ],
)
def test_backends(tmp_path: Path, text: str, backend: Backend | None) -> None:
    assert backend == module(tmp_path, main=text).backend


def test_an_override_moves_the_backend(tmp_path: Path) -> None:
    block = 'terraform {\n  backend "local" {\n    path = "%s"\n  }\n}\n'
    found = module(tmp_path, backend_override=block % "second", main=block % "first")
    assert Backend("local", {"path": "second"}) == found.backend


def test_other_blocks_do_not_matter(tmp_path: Path) -> None:
    text = """
moved {
  from = a.old
  to   = a.new
}
import {
  to = a.new
  id = "x"
}
removed {
  from = a.gone
  lifecycle {
    destroy = false
  }
}
check "c" {
  assert {
    condition     = true
    error_message = "e"
  }
}
ephemeral "random_password" "p" {}
resource "a" "new" {}
"""
    assert list(module(tmp_path, main=text).resources) == [("a", "new")]


MODULES = {
    "main": """
module "a" { source = "./a" }
module "far" { source = "hashicorp/x/aws" }
module "got" { source = "git::x" }
module "lost" { source = "../lost" }
""",
    "a/main": 'module "b" { source = "../shared" }\nresource "t" "a" {}\n',
    "shared/main": 'resource "t" "shared" {}\n',
    ".terraform/modules/got/sub/main": 'resource "t" "got" {}\n',
}


def test_modules(tmp_path: Path) -> None:
    for name, text in MODULES.items():
        path = tmp_path / f"{name}.tf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    listing = {
        "Modules": [{"Key": "", "Dir": "."}, {"Key": "got", "Source": "git::x", "Dir": ".terraform/modules/got/sub"}]
    }
    (tmp_path / ".terraform" / "modules" / "modules.json").write_text(json.dumps(listing))
    root = read_module(tmp_path, tmp_path, None)
    found = find_modules(root, [("a", "b"), ("far", "deep"), ("got",), ("gone", "x"), ("lost",)], None)
    sources = {
        path: each.resources["t", path[-1] if path != ("a", "b") else "shared"].source
        for path, each in found.items()
        if isinstance(each, Module) and path
    }
    assert {
        ("a",): Source("a/main.tf", 2),
        ("a", "b"): Source("shared/main.tf", 1),
        ("got",): Source(".terraform/modules/got/sub/main.tf", 1),
    } == sources
    assert {
        ("far",): Absent("hashicorp/x/aws"),
        ("far", "deep"): Absent("hashicorp/x/aws"),
        ("gone",): None,
        ("gone", "x"): None,
        ("lost",): Absent("../lost"),
    } == {path: each for path, each in found.items() if not isinstance(each, Module)}


@pytest.mark.parametrize("text", ["", "{", '{"Modules": 1}', '{"Modules": [1]}', '{"Modules": [{"Key": "far"}]}'])
def test_a_module_list_that_is_no_list(tmp_path: Path, text: str) -> None:
    (tmp_path / ".terraform" / "modules").mkdir(parents=True)
    (tmp_path / ".terraform" / "modules" / "modules.json").write_text(text)
    root = module(tmp_path, main='module "far" { source = "x" }')
    assert Absent("x") == find_modules(root, [("far",)], None)[("far",)]


def test_one_bad_file_fails_the_module(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"^bad\.tf:2:5: "):
        module(tmp_path, good='resource "a" "b" {}', bad="\na = }\n")


def test_a_resource_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"^main\.tf:1:1: a resource block has two labels"):
        module(tmp_path, main='resource "aws_vpc" {}')


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "main.tf").symlink_to(tmp_path / "nothing")
    with pytest.raises(ParseError, match=r"^main\.tf:1:1: not a file that can be read"):
        read_module(tmp_path, tmp_path, None)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_module(tmp_path / "none", tmp_path, None)
