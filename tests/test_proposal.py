"""The configuration proposed for a directory: which root modules it finds, and that the proposal loads as it is."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from declared.repositories import git, repository
from small_estate import instance, state

from agent.cli import main
from agent.config import Config, load
from agent.declared import bucket as listing
from agent.declared.bucket import Known, Listing
from agent.declared.roots import read_root
from agent.proposal import Proposal, find, proposal, propose, roots

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
    assert [(stack.name, stack.region) for stack in config.stack] == [("broken", "eu-west-1")]
    assert config.account[0].regions == ("eu-west-1",)
    text = (tmp_path / "driftwarden.toml").read_text()
    assert (
        "# Does not parse: until it does, nothing of its account is called unmanaged or missing.\n# main.tf:4:" in text
    )


def test_a_region_that_is_an_expression_is_left_out(tmp_path: Path) -> None:
    module(tmp_path / "shop", 'provider "aws" {\n  region = var.region\n}\nprovider "aws" {\n  alias = "x"\n}\n')
    assert proposed(tmp_path).account[0].regions == ("us-east-1",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.tf", 'terraform {\n  cloud {\n    organization = "acme"\n  }\n}\n'),
        ("main.tf.json", '{"terraform": {"backend": {"s3": {"bucket": "b", "key": "k"}}}}'),
        ("main.tf.json", '{"provider": {"aws": {"region": "eu-west-1"}}}'),
    ],
)
def test_roots_in_other_words(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / name).write_text(text)
    assert roots(tmp_path) == (tmp_path / "root",)


def test_a_repository_may_be_read_from_its_server(tmp_path: Path) -> None:
    repository(tmp_path / "shop", {"infra/main.tf": PROVIDER.format(region="eu-west-1")})
    git(tmp_path / "shop", "remote", "add", "origin", "https://dana:s3cr3t@git.example/acme/shop.git")
    text = proposal(tmp_path)
    assert '# dir = "git::https://git.example/acme/shop.git//infra" # instead: as it is on the server' in text
    assert "s3cr3t" not in text
    git(tmp_path / "shop", "remote", "set-url", "origin", "git@git.example:acme/shop.git")
    assert '# dir = "git::ssh://git@git.example/acme/shop.git//infra"' in proposal(tmp_path)


def test_terragrunt_is_named_and_left_to_its_author(tmp_path: Path) -> None:
    (tmp_path / "live" / "prod").mkdir(parents=True)
    (tmp_path / "live" / "prod" / "terragrunt.hcl").write_text("")
    text = proposal(tmp_path)
    assert '# dir = "live/prod"' in text
    assert "# hcl = false" in text
    assert proposed(tmp_path).stack == ()


# --- backends ------------------------------------------------------------------------------------------------


def backend(text: str) -> str:
    return f'terraform {{\n  backend "s3" {{\n{text}  }}\n}}\n'


def test_the_backend_of_a_root_that_does_not_parse(tmp_path: Path) -> None:
    text = backend('    bucket = "b"\n    key    = "k"\n') + 'resource "x" {\n'
    found = read_root(module(tmp_path / "a", text))
    assert found.backend is not None
    assert (found.backend.type, found.backend.settings) == ("s3", {"bucket": "b", "key": "k"})
    assert found.broken
    later = module(tmp_path / "b", text)
    (later / "z_override.tf").write_text(backend('    bucket = "c"\n    key = "l"\n'))
    assert (read_root(later).backend or found.backend).settings == {"bucket": "c", "key": "l"}


def told(
    folder: Path, states: Mapping[str, Known | None], why: str = "", others: tuple[str, ...] = ()
) -> tuple[Config, Proposal]:
    """What is proposed for a folder, where the bucket `b` holds these states."""
    known = [one or Known(f"s3://b/{key}", "l", 3, 2, ("123456789012",)) for key, one in states.items()]
    made = propose(find(folder), Listing(tuple(known), others, why), "b")
    (folder / "driftwarden.toml").write_text(made.text)
    return load(folder / "driftwarden.toml"), made


def test_a_root_and_its_states(tmp_path: Path) -> None:
    module(tmp_path / "full", backend('    bucket = "b"\n    key    = "full"\n'))
    module(tmp_path / "half", backend('    key = "half"\n'))
    spaces = '    bucket = "b"\n    key    = "x/s"\n    workspace_key_prefix = "ws"\n'
    module(tmp_path / "spaces", backend(spaces))
    config, made = told(tmp_path, dict.fromkeys(("full", "half", "ws/a/x/s", "ws/b/x/s", "env:/c/x/s", "alone")))
    assert [(stack.name, stack.state, stack.workspace) for stack in config.stack] == [
        ("full", "s3://b/full", ""),
        ("half", "s3://b/half", ""),
        ("spaces-a", "s3://b/ws/a/x/s", "a"),
        ("spaces-b", "s3://b/ws/b/x/s", "b"),
    ]
    assert {stack.account for stack in config.stack} == {"123456789012"}
    assert config.estate.known_states == ("s3://b/env:/c/x/s", "s3://b/alone")
    assert made.unlisted[0] == "s3://b/env:/c/x/s  lineage l, serial 3, 2 resources, in 123456789012"
    assert made.stateless == ()


def test_files_of_settings_each_name_a_state(tmp_path: Path) -> None:
    root = module(tmp_path / "shop", backend(""))
    (root / "config").mkdir()
    for name in ("dev", "prod", "other"):
        (root / "config" / f"{name}.tfbackend").write_text(f'bucket = "b"\nkey = "shop/{name}"\n')
    (root / "config" / "broken.tfbackend").write_text("bucket = {{{\n")
    config, _ = told(tmp_path, dict.fromkeys(("shop/dev", "shop/prod")))
    assert [stack.state for stack in config.stack] == ["s3://b/shop/dev", "s3://b/shop/prod"]


def test_why_a_root_has_no_state(tmp_path: Path) -> None:
    module(tmp_path / "a", backend(""))
    module(tmp_path / "b", backend('    bucket = "b"\n    key = "gone"\n'))
    module(tmp_path / "c", backend('    bucket = "other"\n    key = "k"\n'))
    module(tmp_path / "d", PROVIDER.format(region="eu-west-1"))
    module(tmp_path / "e", 'terraform {\n  backend "remote" {\n  }\n}\n')
    module(tmp_path / "f", PROVIDER.format(region="eu-west-1"), state=True)
    config, made = told(tmp_path, {})
    assert len(config.stack) == 6
    assert made.stateless == (
        "a: its backend block does not name the key, and no file beside it does (terraform init -backend-config)",
        "b: there is no state s3://b/gone: it was never applied, or it was moved",
        "c: its state is s3://other/k, which is in another bucket",
        "d: no backend block was found, and the state of a root without one is a local file",
        "e: its state is in the backend remote, not in s3://b",
    )


def test_a_state_that_looks_like_the_codes(tmp_path: Path) -> None:
    code = 'resource "aws_sqs_queue" "a" {\n}\nresource "aws_sqs_queue" "b" {\n}\n'
    module(tmp_path / "shop", backend("") + code)
    pairs = frozenset({("aws_sqs_queue", "a"), ("aws_sqs_queue", "b")})
    like = Known("s3://b/x", "l", 1, 2, (), pairs)
    unlike = Known("s3://b/y", "l", 1, 1, (), frozenset({("aws_sqs_queue", "a")}))
    config, made = told(tmp_path, {"x": like, "y": unlike})
    assert '# state = "s3://b/x" # it records what this code declares: is it this one\'s?' in made.text
    assert config.stack[0].state == ""
    assert config.estate.known_states == ("s3://b/x", "s3://b/y")
    assert "y" in str(told(tmp_path, {"y": unlike})[1].unlisted)
    twice = {"x": like, "z": Known("s3://b/z", "l", 1, 2, (), pairs)}
    assert "is it this one's?" not in told(tmp_path, twice)[1].text


def test_states_that_hold_nothing_or_cannot_be_read(tmp_path: Path) -> None:
    states = {"empty": Known("s3://b/empty", "l", 1, 0), "denied": Known("s3://b/denied", unread="AccessDenied: no")}
    config, made = told(tmp_path, states, why="more than we looked at", others=("notes.tfstate",))
    assert config.estate.known_states == ("s3://b/denied",)
    assert "# s3://b/empty matches no configuration and holds no resources" in made.text
    assert "# Not all states are known: more than we looked at" in made.text
    assert "# s3://b/notes.tfstate ends as a state does and is none" in made.text
    assert made.unlisted == ("s3://b/denied  not read: AccessDenied: no",)


@pytest.mark.parametrize("key", ['a"\n[[stack]]\nname = "x', "a\x1b[2J", "a\u202e", "a #", "\x7f", "日本"])
def test_keys_that_toml_or_a_terminal_would_misread(key: str, tmp_path: Path) -> None:
    hostile = Known(f"s3://b/{key}", 'l"\nx = 1', 1, 1, unread="")
    config, made = told(tmp_path, {"x": hostile}, why="x\ny = 1", others=(key,))
    assert config.estate.known_states == (f"s3://b/{key}",)
    assert config.stack == ()
    assert all(line.isprintable() for line in made.unlisted)


def test_a_key_with_the_look_of_a_reference_is_never_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t")
    module(tmp_path / "shop", backend('    bucket = "b"\n    key    = "$${env:SECRET}"\n'))
    config, made = told(tmp_path, dict.fromkeys(("${env:SECRET}", "x${env:SECRET}")))
    assert "s3cr3t" not in repr(config)
    assert config.estate.known_states == ()
    assert "its name cannot stand here" in made.text


# --- buckets -------------------------------------------------------------------------------------------------

QUEUE = {"arn": "arn:aws:sqs:eu-west-1:123456789012:q", "name": "q"}
SOME = json.dumps(state(instance("aws_sqs_queue", "q", QUEUE), instance("aws_iam_role", "r", {"name": "r"}))).encode()


@pytest.fixture
def s3(aws_env: Mapping[str, str], moto_reset: None) -> Any:
    client = boto3.client("s3")
    client.create_bucket(Bucket="acme")
    return client


def put(client: Any, **objects: bytes) -> None:
    for key, data in objects.items():
        client.put_object(Bucket="acme", Key=key.replace("__", "/").replace("_dot_", "."), Body=data)


def test_states_are_told_from_what_else_lies_there(s3: Any) -> None:
    put(s3, a__terraform_dot_tfstate=SOME, by_content=SOME, text=b"x" * 100, lock_dot_tflock=SOME, old_dot_backup=SOME)
    put(s3, no_dot_tfstate=b"<html>", gone_dot_tfstate=b"", sealed_dot_tfstate=b'{"encrypted_data": "x", "v": 1}')
    put(s3, old_dot_tfstate=b'{"version": 3, "serial": 1}', cut_dot_tfstate=SOME[:200])
    put(s3, wanted_dot_txt=SOME)
    found = listing.states("acme", "", boto3.Session(), ["wanted.txt"])
    read = {each.location: each for each in found.states if not each.unread}
    assert set(read) == {"s3://acme/a/terraform.tfstate", "s3://acme/by_content", "s3://acme/wanted.txt"}
    one = read["s3://acme/by_content"]
    assert (one.serial, one.resources, one.accounts) == (1, 2, ("123456789012",))
    assert one.declared == {("aws_sqs_queue", "q"), ("aws_iam_role", "r")}
    unread = {each.location: each.unread for each in found.states if each.unread}
    assert set(unread) == {"s3://acme/sealed.tfstate", "s3://acme/old.tfstate", "s3://acme/cut.tfstate"}
    assert "encrypted by OpenTofu" in unread["s3://acme/sealed.tfstate"]
    assert "version 3" in unread["s3://acme/old.tfstate"]
    assert (set(found.others), found.why) == ({"no.tfstate", "gone.tfstate"}, "")


def test_a_prefix_and_pages(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    for n in range(5):
        s3.put_object(Bucket="acme", Key=f"team/{n}.log", Body=b"")
    put(s3, team__z_dot_tfstate=SOME, other_dot_tfstate=SOME)
    found = listing.states("acme", "team/", boto3.Session())
    assert [each.location for each in found.states] == ["s3://acme/team/z.tfstate"]


def test_bounds(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, a_dot_tfstate=SOME, b=SOME, c=SOME)
    monkeypatch.setattr(listing, "MAX_HEADS", 1)
    found = listing.states("acme", "", boto3.Session())
    assert len(found.states) == 2
    assert found.why == "1 objects without .tfstate in their name were not looked at: give a prefix"
    monkeypatch.setattr(listing, "MAX_BYTES", 100)
    assert "bytes" in listing.states("acme", "a", boto3.Session()).states[0].unread
    monkeypatch.setattr(listing, "MAX_KEYS", 2)
    assert "holds more than 2 objects" in listing.states("acme", "", boto3.Session()).why


def test_a_bucket_that_cannot_be_listed(s3: Any, tmp_path: Path) -> None:
    module(tmp_path / "shop", PROVIDER.format(region="eu-west-1"))
    done = CliRunner().invoke(main, ["init", "-d", str(tmp_path), "--state-bucket", "none"])
    assert done.exit_code == 3
    assert "s3://none/ cannot be listed: NoSuchBucket" in done.stderr
    assert [stack.name for stack in load(tmp_path / "driftwarden.toml").stack] == ["shop"]


def test_init_with_a_folder_of_repositories_and_a_bucket(s3: Any, tmp_path: Path) -> None:
    put(s3, team__shop_dot_tfstate=SOME, team__other_dot_tfstate=SOME, else_dot_tfstate=SOME)
    (tmp_path / "here").mkdir()
    code = backend('    bucket = "acme"\n    key    = "team/shop.tfstate"\n')
    repository(tmp_path / "code" / "shop", {"infra/main.tf": code})
    arguments = [
        "init",
        "-d",
        str(tmp_path / "here"),
        "--repos",
        str(tmp_path / "code"),
        "--state-bucket",
        "s3://acme/team/",
    ]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "1 stack found" in done.stdout
    assert "States that match no configuration (1):\n  s3://acme/team/other.tfstate" in done.stdout
    config = load(tmp_path / "here" / "driftwarden.toml")
    assert [(stack.name, stack.dir, stack.state) for stack in config.stack] == [
        ("code-shop-infra", "../code/shop/infra", "s3://acme/team/shop.tfstate")
    ]
    assert config.path(config.stack[0].dir).resolve() == tmp_path / "code" / "shop" / "infra"
