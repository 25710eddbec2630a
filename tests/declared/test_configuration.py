"""What the code says by syntax: blocks, overrides, providers, backends, and where modules are."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from agent.declared.configuration import (
    Backend,
    Item,
    Module,
    configured_names,
    ignored_changes,
    read_module,
)
from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.modules import Absent, Modules
from agent.model import Source


def module(directory: Path, **files: str) -> Module:
    for name, text in files.items():
        (directory / f"{name}.tf").write_text(text)
    return read_module(directory, directory, None)


def declaration(directory: Path, body: str) -> Item:
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
    assert names == configured_names(declaration(tmp_path, body))


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
    assert paths == ignored_changes(declaration(tmp_path, f"lifecycle {{\nignore_changes = {value}\n}}"))


def test_overrides(tmp_path: Path) -> None:
    base = 'resource "a" "%s" {\n  x = 1\n  lifecycle { ignore_changes = [x] }\n}\n'
    found = module(
        tmp_path,
        main="\n" + base % "one" + base % "two",
        z_override='resource "a" "one" {\n  y = 2\n  lifecycle { prevent_destroy = true }\n}\n',
        override='resource "a" "two" {\n  z = 3\n  lifecycle { ignore_changes = [z] }\n}\nresource "a" "nobody" {}\n',
    ).resources
    assert {("a", "one"), ("a", "two")} == set(found)
    one, two = found["a", "one"], found["a", "two"]
    assert (Source("main.tf", 2), frozenset({"x", "y"}), ("x",)) == (
        one.source,
        configured_names(one),
        ignored_changes(one),
    )
    assert (Source("main.tf", 6), frozenset({"x", "z"}), ("z",)) == (
        two.source,
        configured_names(two),
        ignored_changes(two),
    )
    places = {each.name: one.at(each) for each in one.block.body.attributes}
    assert {"x": Source("main.tf", 3), "y": Source("z_override.tf", 2)} == places


def test_an_override_replaces_all_blocks_of_a_type(tmp_path: Path) -> None:
    found = module(
        tmp_path,
        main='resource "a" "b" {\n  x { n = 1 }\n  y { n = 1 }\n}\nlocals { l = 1 }\nvariable "v" { default = 1 }\n',
        override=(
            'resource "a" "b" {\n  dynamic "x" {\n    for_each = []\n    content {}\n  }\n}\n'
            'locals { l = 2 }\nvariable "v" { type = string }\n'
        ),
    )
    assert [(each.type, each.labels) for each in found.resources["a", "b"].block.body.blocks] == [
        ("y", ()),
        ("dynamic", ("x",)),
    ]
    assert tree.Number(Decimal(2)) == found.locals["l"].value
    assert {"default", "type"} == {each.name for each in found.variables["v"].block.body.attributes}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('resource "a" "b" {}\nresource "a" "b" {}', "main.tf:2:1: resource `a.b` is declared already at main.tf:1"),
        ('variable "v" {}\nvariable "v" {}', "main.tf:2:1: variable `v` is declared already at main.tf:1"),
        ("locals { a = 1 }\nlocals { a = 2 }", "main.tf:2:1: local value `a` is set already at main.tf:1"),
        ("module {}", "main.tf:1:1: a module block has 1 label"),
    ],
)
def test_what_terraform_refuses(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParseError) as raised:
        module(tmp_path, main=text)
    assert str(raised.value).startswith(message)


def test_files_that_count(tmp_path: Path) -> None:
    (tmp_path / "sub.tf").mkdir()
    for name in (".hidden.tf", "back.tf~", "#auto.tf", "other.txt"):
        (tmp_path / name).write_text("not HCL {")
    (tmp_path / "data.tf.json").write_text('{"resource": {"a": {"json": {}}}}')
    found = module(tmp_path, b='resource "a" "b" {}', a='resource "a" "a" {}')
    assert ({("a", "a"), ("a", "b"), ("a", "json")}, 3) == (set(found.resources), found.files)


def test_providers(tmp_path: Path) -> None:
    found = module(
        tmp_path,
        main="""
terraform {
  required_providers {
    aws   = { source = "hashicorp/aws", version = "~> 5.0" }
    other = { source = "example.com/acme/other" }
    old   = "~> 1.0"
  }
}
provider "aws" {
  region = "eu-west-1"
}
provider "aws" {
  alias  = "other"
  region = var.region
}
""",
    )
    regions = {name: item.text("region") for name, item in found.providers.items()}
    assert {("aws", ""): "eu-west-1", ("aws", "other"): ""} == regions
    assert {
        "aws": "registry.terraform.io/hashicorp/aws",
        "other": "example.com/acme/other",
        "old": "registry.terraform.io/hashicorp/old",
    } == found.requirements


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("", None),
        ("terraform {}", None),
        (
            'terraform {\nbackend "s3" {\nbucket = "b"\nkey = "k"\nassume_role = { role_arn = "r" }\n}\n}',
            Backend("s3", {"bucket": "b", "key": "k", "assume_role": {"role_arn": "r"}}),
        ),
        ('terraform {\nbackend "local" {\npath = "x"\n}\n}', Backend("local", {"path": "x"})),
        ('terraform {\ncloud {\norganization = "o"\n}\n}', Backend("cloud", {"organization": "o"})),
        (
            'terraform {\ncloud {\norganization = var.o\nworkspaces {\nname = "w"\n}\n}\n}',
            Backend("cloud", {"workspaces": {"name": "w"}}),
        ),
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
    found = module(tmp_path, main=text)
    assert list(found.resources) == [("a", "new")]
    assert ["moved", "import", "removed"] == [each.block.type for each in found.refactorings]


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
    modules = Modules(root, None)
    found = {name: modules.child(root, (name,), call) for name, call in root.calls.items()}
    a = found["a"]
    assert isinstance(a, Module)
    found["b"] = modules.child(a, ("a", "b"), a.calls["b"])
    sources = {
        name: each.resources["t", name if name != "b" else "shared"].source
        for name, each in found.items()
        if isinstance(each, Module)
    }
    assert {
        "a": Source("a/main.tf", 2),
        "b": Source("shared/main.tf", 1),
        "got": Source(".terraform/modules/got/sub/main.tf", 1),
    } == sources
    assert {
        "far": Absent("hashicorp/x/aws", "it is not on disk: run `terraform init`"),
        "lost": Absent("../lost", "there is no folder ../lost beside main.tf"),
    } == {name: each for name, each in found.items() if not isinstance(each, Module)}
    assert a is modules.child(root, ("a",), root.calls["a"])


@pytest.mark.parametrize("text", ["", "{", '{"Modules": 1}', '{"Modules": [1]}', '{"Modules": [{"Key": "far"}]}'])
def test_a_module_list_that_is_no_list(tmp_path: Path, text: str) -> None:
    (tmp_path / ".terraform" / "modules").mkdir(parents=True)
    (tmp_path / ".terraform" / "modules" / "modules.json").write_text(text)
    root = module(tmp_path, main='module "far" { source = "x" }')
    assert isinstance(Modules(root, None).child(root, ("far",), root.calls["far"]), Absent)


def test_a_module_that_is_fetched(tmp_path: Path) -> None:
    asked = []

    def resolve(source: str, version: str, directory: Path) -> Path | str:
        asked.append((source, version, directory))
        return tmp_path / "cache"

    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "m.tf").write_text('resource "t" "x" {}')
    root = module(tmp_path, main='module "far" {\n  source = "a/b/c"\n  version = "~> 1.0"\n}')
    found = Modules(root, None, resolve).child(root, ("far",), root.calls["far"])
    assert isinstance(found, Module)
    assert [("a/b/c", "~> 1.0", tmp_path)] == asked


def test_one_bad_file_fails_the_module(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"^bad\.tf:2:5: "):
        module(tmp_path, good='resource "a" "b" {}', bad="\na = }\n")


def test_a_resource_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"^main\.tf:1:1: a resource block has 2 labels"):
        module(tmp_path, main='resource "aws_vpc" {}')


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "main.tf").symlink_to(tmp_path / "nothing")
    with pytest.raises(ParseError, match=r"^main\.tf:1:1: not a file that can be read"):
        read_module(tmp_path, tmp_path, None)


def test_a_link_out_of_the_repository(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text('resource "a" "secret" {}')
    inside = tmp_path / "repository" / "root"
    inside.mkdir(parents=True)
    (inside.parent / "shared.tf").write_text('resource "a" "shared" {}')
    (inside / "a.tf").symlink_to(inside.parent / "shared.tf")
    assert [("a", "shared")] == list(read_module(inside, inside, None, inside.parent).resources)
    (inside / "b.tf").symlink_to(outside)
    with pytest.raises(ParseError, match=r"^b\.tf:1:1: a link that leads out of the repository"):
        read_module(inside, inside, None, inside.parent)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_module(tmp_path / "none", tmp_path, None)
