"""What is secret stays so on its way through code and state: marks of the code, errors, and what is kept on disk."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from roots_in_text import evaluated, instance, plain, write

from agent.declared import partial
from agent.declared.evaluation import Surroundings
from agent.declared.hcl.error import ParseError
from agent.declared.language.values import Sensitive
from agent.declared.loading import Options, load
from agent.declared.side_by_side import HIDDEN, declared
from agent.declared.stack import Stack, read
from agent.declared.state import StateError
from agent.declared.variables import Given
from agent.model import Secret
from agent.resources import load as load_specs

SPECS = load_specs()
SECRET = "hunter2"
ARN = "arn:aws:sns:eu-west-1:111122223333:t"
CODE = f"""
variable "p" {{
  default   = "{SECRET}"
  sensitive = true
}}
provider "aws" {{
  region = "eu-west-1"
  default_tags {{
    tags = {{ from_default = var.p, team = "a" }}
  }}
}}
resource "aws_sns_topic" "t" {{
  name         = "t"
  display_name = var.p
  tags         = {{ own = var.p, Name = "shown" }}
}}
"""
TAGS = {"own": SECRET, "Name": "shown"}
TOPIC = {"arn": ARN, "id": ARN, "name": "t", "display_name": SECRET, "tags": TAGS}


def stack(folder: Path, *recorded: dict[str, Any], code: str = CODE) -> Stack:
    write(folder, {"main": code, "terraform.tfstate": _state(*recorded)})
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return read("s", folder, account="111122223333", region="eu-west-1", key=b"k" * 32, taken_at=at, specs=SPECS)


def _state(*recorded: dict[str, Any]) -> str:
    return json.dumps(
        {"version": 4, "serial": 1, "lineage": "l", "terraform_version": "1.11.4", "resources": list(recorded)}
    )


def test_what_the_code_calls_sensitive_is_sealed_though_the_state_does_not_say_so(tmp_path: Path) -> None:
    tags = {**TAGS, "from_default": SECRET, "team": "a"}
    found = stack(tmp_path, instance("aws_sns_topic.t", {**TOPIC, "tags_all": tags})).snapshot
    (topic,) = found.resources
    assert SECRET not in repr(found)
    assert isinstance(topic.attributes["display_name"], Secret)
    assert {"Name": "shown", "team": "a"} == {
        k: v for k, v in topic.attributes["tags_all"].items() if isinstance(v, str)
    }
    assert {} == topic.unapplied


def test_a_sensitive_default_tag_that_is_not_applied_is_sealed(tmp_path: Path) -> None:
    found = stack(tmp_path, instance("aws_sns_topic.t", {**TOPIC, "tags_all": {**TAGS, "team": "a"}})).snapshot
    assert SECRET not in repr(found)
    assert isinstance(found.resources[0].unapplied["tags_all"]["from_default"], Secret)


def shown(folder: Path, code: str, *recorded: dict[str, Any]) -> dict[str, Any]:
    write(folder, {"main": code, "terraform.tfstate": _state(*recorded)})
    loaded = load(folder, "", account="111122223333", region="eu-west-1")
    return {row.name: (row.configured, row.recorded) for one in declared(loaded, SPECS) for row in one.rows}


def test_rows_hide_the_copies_of_what_the_code_calls_sensitive(tmp_path: Path) -> None:
    rows = shown(tmp_path, CODE, instance("aws_sns_topic.t", {**TOPIC, "tags_all": TAGS}))
    assert SECRET not in repr(rows)
    assert {"own": HIDDEN, "Name": "shown"} == rows["tags_all"][1]


def test_rows_hide_what_a_specification_calls_secret_before_it_is_applied(tmp_path: Path) -> None:
    code = f"""
    resource "aws_lambda_function" "f" {{
      function_name = "f"
      environment {{
        variables = {{ PASSWORD = "{SECRET}" }}
      }}
    }}
    """
    assert (HIDDEN, None) == shown(tmp_path, code)["environment"]


@pytest.mark.parametrize(
    "written", ["sensitive = true", 'sensitive = "true"', "sensitive = !false", "ephemeral = true"]
)
def test_every_spelling_of_sensitive_hides(tmp_path: Path, written: str) -> None:
    code = f'variable "p" {{\n default = "{SECRET}"\n {written}\n}}\noutput "p" {{\n value = var.p\n}}\n'
    assert isinstance(evaluated(tmp_path, code).outputs["p"], Sensitive)


@pytest.mark.parametrize("written", ["sensitive = false", 'sensitive = "false"', "ephemeral = false", ""])
def test_what_is_not_sensitive_is_shown(tmp_path: Path, written: str) -> None:
    code = f'variable "p" {{\n default = "x"\n {written}\n}}\noutput "p" {{\n value = var.p\n}}\n'
    assert "x" == plain(evaluated(tmp_path, code).outputs["p"])


@pytest.mark.parametrize("reference", ["module.m", "terraform_data.u"])
def test_an_index_that_is_secret_is_not_in_the_error(tmp_path: Path, reference: str) -> None:
    code = f"""
    variable "p" {{
      default   = "{SECRET}"
      sensitive = true
    }}
    module "m" {{
      source = "./m"
    }}
    resource "terraform_data" "u" {{}}
    locals {{
      x = {reference}[var.p]
    }}
    resource "terraform_data" "t" {{
      input = local.x
    }}
    """
    found = evaluated(tmp_path, code, m__empty="")
    assert "with this key" in found.problems[0].why
    assert SECRET not in repr(found)


BROKEN = [
    f"p = {SECRET}",
    f'p = "a" {SECRET}',
    f"p = [{SECRET}]",
    f"p = {SECRET}()",
    f"p = [1 {SECRET}]",
    f"p {SECRET}",
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_definition_without_quotes_is_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ParseError, match=r"terraform\.tfvars:[12]") as error:
        evaluated(write(tmp_path, {"terraform.tfvars": f"{text}\n"}), 'variable "p" {}\n')
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("text", [f"[{SECRET}]", f"[1 {SECRET}]", f"{SECRET}()"])
def test_a_variable_of_the_environment_is_not_repeated(tmp_path: Path, text: str) -> None:
    given = Given(environment={"TF_VAR_p": text})
    with pytest.raises(ParseError, match="TF_VAR_p") as error:
        evaluated(tmp_path, 'variable "p" {\n type = list(string)\n}\n', around=Surroundings(given=given))
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("text", [f"password = {SECRET}", f'password = "a" {SECRET}', f"password {SECRET}"])
def test_settings_of_a_backend_are_not_repeated(tmp_path: Path, text: str) -> None:
    (tmp_path / "pg.tfbackend").write_text(text + "\n")
    with pytest.raises(StateError) as error:
        partial.given(["pg.tfbackend"], tmp_path)
    assert SECRET not in str(error.value)


def test_definitions_of_variables_are_not_kept_in_the_cache(tmp_path: Path) -> None:
    folder, cache = tmp_path / "root", tmp_path / "cache"
    write(folder, {"main": 'variable "p" {}\n', "terraform.tfvars": f'p = "{SECRET}"\n'})
    load(folder, "", account="1", region="r", cache=cache)
    kept = [path.read_bytes() for path in cache.rglob("*") if path.is_file()]
    assert kept and not any(SECRET.encode() in each for each in kept)


def test_what_a_stack_is_given_is_not_in_its_repr() -> None:
    given = Given(values={"p": SECRET}, environment={"TF_VAR_p": SECRET})
    options = replace(Options(), given=given, backend_config=(f"password={SECRET}",), environment={"X": SECRET})
    assert SECRET not in repr((options, Surroundings(given=given)))
