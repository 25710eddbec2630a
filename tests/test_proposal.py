"""The configuration proposed for a directory: which root modules it finds, and that the proposal loads as it is."""

import os
from pathlib import Path

import pytest

from agent.config import Config, load
from agent.proposal import proposal, roots

PROVIDER = 'provider "aws" {{\n  region = "{region}"\n}}\n'


def module(folder: Path, text: str, *, state: bool = False) -> Path:
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(text)
    if state:
        (folder / "terraform.tfstate").write_text("{}")
    return folder


def proposed(folder: Path) -> Config:
    (folder / "driftwarden.toml").write_text(proposal(folder))
    return load(folder / "driftwarden.toml")


def test_roots_have_a_backend_a_provider_or_a_state(tmp_path: Path) -> None:
    backend = module(tmp_path / "a", 'terraform {\n  backend "s3" {}\n}\n')
    provider = module(tmp_path / "b" / "c", PROVIDER.format(region="eu-west-1"))
    applied = module(tmp_path / "d", 'resource "aws_sqs_queue" "q" {}\n', state=True)
    module(tmp_path / "modules" / "queue", 'resource "aws_sqs_queue" "q" {}\n')
    module(tmp_path / "a" / ".terraform" / "modules" / "x", PROVIDER.format(region="eu-west-1"))
    module(tmp_path / "1" / "2" / "3" / "4" / "5" / "6" / "7", PROVIDER.format(region="eu-west-1"))
    (tmp_path / "a" / "gone.tf").symlink_to("nowhere")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "terraform.tfstate").write_text("{}")
    assert roots(tmp_path) == (backend, provider, applied)


def test_a_stack_for_each_root_and_every_region(tmp_path: Path) -> None:
    module(tmp_path / "infra" / "shop", PROVIDER.format(region="eu-west-1"), state=True)
    module(tmp_path / "infra" / "bank", PROVIDER.format(region="us-west-2"))
    config = proposed(tmp_path)
    assert [(stack.name, stack.dir, stack.state) for stack in config.stack] == [
        ("infra-bank", "infra/bank", ""),
        ("infra-shop", "infra/shop", "terraform.tfstate"),
    ]
    assert config.account[0].regions == ("eu-west-1", "us-west-2")
    assert config.tickets.mode == "observe"


def test_a_directory_without_terraform(tmp_path: Path) -> None:
    text = proposal(tmp_path)
    assert "# No Terraform root module was found here." in text
    config = proposed(tmp_path)
    assert (config.stack, config.account[0].regions) == ((), ("us-east-1",))


def test_the_directory_itself_may_be_a_root(tmp_path: Path) -> None:
    root = module(tmp_path / "shop", PROVIDER.format(region="eu-west-1"))
    config = proposed(root)
    assert [(stack.name, stack.dir) for stack in config.stack] == [("shop", ".")]
    assert config.estate.name == "shop"


@pytest.mark.parametrize(
    "name", ['quo"te', "del\x7f", "new\nline", "ünïcode", "tab\there", "back\\slash", "}{", "日本"]
)
def test_names_that_toml_would_misread(name: str, tmp_path: Path) -> None:
    root = module(tmp_path / name / "stack", PROVIDER.format(region="eu-west-1"))
    config = proposed(tmp_path)
    (stack,) = config.stack
    assert config.path(stack.dir) == root


def test_names_that_a_configuration_cannot_hold_are_left_out(tmp_path: Path) -> None:
    for name in ("${env:HOME}", os.fsdecode(b"caf\xe9")):
        module(tmp_path / name, PROVIDER.format(region="eu-west-1"))
    assert proposed(tmp_path).stack == ()


def test_names_that_become_alike_stay_apart(tmp_path: Path) -> None:
    for name in ("a b", "a-b", "a.b"):
        module(tmp_path / name, PROVIDER.format(region="eu-west-1"))
    names = [stack.name for stack in proposed(tmp_path).stack]
    assert len(names) == len(set(names)) == 3


def test_code_that_does_not_parse_still_makes_a_stack(tmp_path: Path) -> None:
    module(tmp_path / "broken", PROVIDER.format(region="eu-west-1") + "resource {{{\n")
    config = proposed(tmp_path)
    assert [stack.name for stack in config.stack] == ["broken"]
    assert config.account[0].regions == ("us-east-1",)


def test_a_region_that_is_an_expression_is_left_out(tmp_path: Path) -> None:
    module(tmp_path / "shop", 'provider "aws" {\n  region = var.region\n}\nprovider "aws" {\n  alias = "x"\n}\n')
    assert proposed(tmp_path).account[0].regions == ("us-east-1",)
