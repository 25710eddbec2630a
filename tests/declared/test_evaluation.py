"""Root modules evaluated: repetition, modules, providers, references, state, and what cannot be told."""

from pathlib import Path

import pytest
from roots_in_text import evaluated, instance, plain, recorded

from agent.declared.evaluation import Surroundings
from agent.declared.hcl.error import ParseError
from agent.declared.language.evaluate import TooMuch
from agent.declared.language.values import Null, Sensitive, Unknown
from agent.declared.modules import Absent
from agent.declared.variables import Given
from agent.model import Source

QUEUE = 'resource "aws_sqs_queue" "q" {\n  %s\n}\n'


def test_an_instance_says_where_it_stands_and_what_it_sets(tmp_path: Path) -> None:
    found = evaluated(tmp_path, QUEUE % 'name = "a${1 + 1}"\n  delay_seconds = "5"\n  fifo_queue = null')
    one = found.instances["aws_sqs_queue.q"]
    assert (Source("main.tf", 1), "", "aws_sqs_queue", "q") == (one.source, one.module, one.type, one.name)
    assert {"name": "a2", "delay_seconds": 5, "fifo_queue": None} == {n: plain(v) for n, v in one.values.items()}
    assert {"name": 2, "delay_seconds": 3, "fifo_queue": 4} == {name: each.line for name, each in one.lines.items()}
    assert ("", (), frozenset()) == (one.recorded_at, found.problems, found.imports)


@pytest.mark.parametrize(
    ("repeat", "addresses"),
    [
        ("count = 2", ["[0]", "[1]"]),
        ("count = 0", []),
        ('count = "1"', ["[0]"]),
        ('for_each = toset(["b", "a"])', ['["a"]', '["b"]']),
        ("for_each = { x = 1, y = 2 }", ['["x"]', '["y"]']),
        ("for_each = tomap({})", []),
    ],
)
def test_repetition(tmp_path: Path, repeat: str, addresses: list[str]) -> None:
    found = evaluated(tmp_path, QUEUE % repeat)
    assert [f"aws_sqs_queue.q{each}" for each in addresses] == list(found.instances)
    assert () == found.problems


@pytest.mark.parametrize(
    ("repeat", "why"),
    [
        ("count = -1", "count must be a whole number"),
        ("count = 1.5", "count must be a whole number"),
        ("count = null", "count is null"),
        ("count = 1000000", "count is above 20,000"),
        ("for_each = [1]", "for_each must be a map"),
        ("for_each = toset([1])", "for_each over a set needs a set of strings"),
        ('for_each = sensitive(toset(["a"]))', "for_each is sensitive"),
        ("count = nothing.here", "there is no resource `nothing.here`"),
    ],
)
def test_repetition_that_terraform_refuses(tmp_path: Path, repeat: str, why: str) -> None:
    found = evaluated(tmp_path, QUEUE % repeat)
    (problem,) = found.problems
    assert (True, Source("main.tf", 1)) == (problem.why.startswith(why), problem.source), problem
    assert {} == found.instances
    assert ["aws_sqs_queue.q"] == list(found.unexpanded)


def test_repetition_nobody_can_tell(tmp_path: Path) -> None:
    main = (
        'resource "aws_vpc" "v" {}\nresource "aws_sqs_queue" "q" {\n  count = length(aws_vpc.v.id)\n}\n'
        'module "m" {\n  source = "./m"\n  for_each = toset([aws_vpc.v.arn])\n}\noutput "o" { value = module.m }\n'
    )
    found = evaluated(tmp_path, main, m__main='resource "aws_vpc" "x" {}')
    assert ["aws_vpc.v"] == list(found.instances)
    assert {"aws_sqs_queue.q", "module.m"} == set(found.unexpanded)
    assert ("aws_vpc.v.id is not in state",) == found.unexpanded["aws_sqs_queue.q"]
    assert () == found.problems
    assert isinstance(found.outputs["o"], Unknown)


MODULES = """
module "a" {
  source   = "./a"
  for_each = { x = 1, y = 2 }
  size     = each.value
  label    = upper(each.key)
}
output "names" { value = { for key, each in module.a : key => each.name } }
output "splat" { value = values(module.a)[*].deep }
output "one" { value = module.a["y"].name }
"""


def test_modules_within_modules(tmp_path: Path) -> None:
    a = (
        'variable "size" { type = number }\nvariable "label" {}\nvariable "more" {\n  type = list(string)\n'
        '  default = ["d"]\n}\nmodule "b" {\n  source = "../b"\n  count = var.size\n'
        '  name = "${var.label}${count.index}"\n}\noutput "deep" { value = module.b[*].got }\n'
        'output "name" { value = "${var.label}-${var.size}-${path.module}" }\n'
    )
    b = (
        'variable "name" {}\nresource "aws_sqs_queue" "q" { name = var.name }\n'
        'output "got" { value = aws_sqs_queue.q.name }\n'
    )
    found = evaluated(tmp_path, MODULES, a__main=a, b__main=b)
    assert {
        'module.a["x"].module.b[0].aws_sqs_queue.q': "X0",
        'module.a["y"].module.b[0].aws_sqs_queue.q': "Y0",
        'module.a["y"].module.b[1].aws_sqs_queue.q': "Y1",
    } == {address: each.values["name"] for address, each in found.instances.items()}
    assert {"x": "X-1-a", "y": "Y-2-a"} == plain(found.outputs["names"])
    assert [["X0"], ["Y0", "Y1"]] == plain(found.outputs["splat"])
    assert "Y-2-a" == plain(found.outputs["one"])
    assert () == found.problems


def test_a_cycle_is_named(tmp_path: Path) -> None:
    found = evaluated(
        tmp_path, "locals {\n  a = local.b\n  b = [local.c]\n  c = local.a\n}\n" + QUEUE % "name = local.a"
    )
    (problem,) = found.problems
    assert "it depends on itself: local.a → local.b → local.c → local.a" == problem.why
    assert isinstance(found.instances["aws_sqs_queue.q"].values["name"], Unknown)


def test_modules_that_use_each_other_are_no_cycle(tmp_path: Path) -> None:
    main = (
        'module "a" {\n  source = "./m"\n  in = module.b.plain\n}\nmodule "b" {\n  source = "./m"\n  in = "x"\n'
        '  other = module.a.plain\n}\noutput "o" { value = [module.a.in, module.b.other] }\n'
    )
    m = (
        'variable "in" {}\nvariable "other" { default = "" }\noutput "plain" { value = "p" }\n'
        'output "in" { value = var.in }\noutput "other" { value = var.other }\n'
    )
    found = evaluated(tmp_path, main, m__main=m)
    assert (["p", "p"], ()) == (plain(found.outputs["o"]), found.problems)


def test_a_long_chain_of_references(tmp_path: Path) -> None:
    links = "".join(f"  l{n} = [for x in [local.l{n + 1}] : x][0]\n" for n in range(400))
    found = evaluated(tmp_path, f"locals {{\n{links}  l400 = 7\n}}\n" + QUEUE % "delay_seconds = local.l0")
    assert 7 == found.instances["aws_sqs_queue.q"].values["delay_seconds"]


def test_what_is_wrong_is_a_problem_of_its_own_and_the_rest_is_known(tmp_path: Path) -> None:
    found = evaluated(tmp_path, QUEUE % "name = upper()\n  delay_seconds = 3\n  fifo_queue = local.none")
    values = found.instances["aws_sqs_queue.q"].values
    assert (3, Unknown, Unknown) == (values["delay_seconds"], type(values["name"]), type(values["fifo_queue"]))
    assert {"main.tf:2: aws_sqs_queue.q.name", "main.tf:4: aws_sqs_queue.q.fifo_queue"} == {
        f"{each.source}: {each.where}" for each in found.problems
    }


# --- variables --------------------------------------------------------------------------------------------------


def test_variables_by_precedence(tmp_path: Path) -> None:
    names = ("default", "environment", "tfvars", "tfvars_json", "auto", "auto_json", "file", "value")
    blocks = "".join(f'variable "v{n}" {{ default = "default" }}\n' for n in range(len(names)))
    outputs = "".join(f'output "v{n}" {{ value = var.v{n} }}\n' for n in range(len(names)))

    def defined(name: str) -> str:
        return "".join(f'v{n} = "{name}"\n' for n in range(names.index(name), len(names)))

    def defined_json(name: str) -> str:
        return "{" + ", ".join(f'"v{n}": "{name}"' for n in range(names.index(name), len(names))) + "}"

    (tmp_path / "given.hcl").write_text(defined("file"))
    for file, text in {
        "terraform.tfvars": defined("tfvars"),
        "terraform.tfvars.json": defined_json("tfvars_json"),
        "a.auto.tfvars": defined("auto"),
        "b.auto.tfvars.json": defined_json("auto_json"),
    }.items():
        (tmp_path / file).write_text(text)
    given = Given(
        files=(tmp_path / "given.hcl",),
        values={"v7": "value", "nobody": 1},
        environment={f"TF_VAR_v{n}": "environment" for n in range(1, len(names))} | {"TF_VAR_nobody": "x"},
    )
    found = evaluated(tmp_path, blocks + outputs, around=Surroundings(given=given))
    assert list(names) == [plain(each) for each in found.outputs.values()]


@pytest.mark.parametrize(
    ("block", "given", "value"),
    [
        ("type = number", "5", 5),
        ("type = list(string)", '["a", 1]', ["a", "1"]),
        ("type = object({ a = optional(number, 3), b = optional(string) })", "{}", {"a": 3, "b": None}),
        ("", "[1]", "[1]"),
        ('type = string\n  nullable = false\n  default = "d"', "x", "x"),
        ("type = map(object({ n = optional(list(number), [1]) }))", "{ k = {} }", {"k": {"n": [1]}}),
    ],
)
def test_values_as_text(tmp_path: Path, block: str, given: str, value: object) -> None:
    main = f'variable "v" {{\n  {block}\n}}\noutput "o" {{ value = var.v }}\n'
    for around in (Given(values={"v": given}), Given(environment={"TF_VAR_v": given})):
        found = evaluated(tmp_path, main, around=Surroundings(given=around))
        assert (value, ()) == (plain(found.outputs["o"]), found.problems)


def test_a_variable_that_is_given_nothing_is_unknown(tmp_path: Path) -> None:
    found = evaluated(tmp_path, 'variable "v" { type = string }\n' + QUEUE % 'name = "x-${var.v}"')
    value = found.instances["aws_sqs_queue.q"].values["name"]
    assert isinstance(value, Unknown)
    assert (("var.v is given no value",), ()) == (value.why, found.problems)


def test_variables_that_do_not_fit(tmp_path: Path) -> None:
    main = (
        'variable "n" {\n  type = number\n  default = "x"\n}\nvariable "c" {\n  default = 3\n  validation {\n'
        '    condition     = var.c > 5\n    error_message = "no"\n  }\n}\noutput "o" { value = var.n }\n'
        'variable "u" {\n  type = string\n  validation {\n    condition = length(var.u) > 1\n'
        '    error_message = "u"\n  }\n}\n'
    )
    found = evaluated(tmp_path, main)
    whys = {each.where: each.why for each in found.problems}
    assert {"var.n", "var.c"} == set(whys)
    assert "does not meet its validation condition" in whys["var.c"]


def test_a_null_where_null_is_not_taken(tmp_path: Path) -> None:
    m = (
        'variable "v" {\n  default  = "d"\n  nullable = false\n}\nvariable "w" { default = "d" }\n'
        'output "o" { value = [var.v, var.w] }'
    )
    found = evaluated(
        tmp_path,
        'module "m" {\n  source = "./m"\n  v = null\n  w = null\n}\noutput "o" { value = module.m.o }\n',
        m__main=m,
    )
    assert ["d", None] == plain(found.outputs["o"])


def test_sensitive_marks_travel(tmp_path: Path) -> None:
    main = (
        'variable "p" {\n  sensitive = true\n  default = "secret"\n}\nlocals { text = "a-${var.p}" }\n'
        + QUEUE % "name = local.text\n  delay_seconds = nonsensitive(length(var.p))"
        + 'resource "aws_ssm_parameter" "s" {\n  name = "n"\n  type = "String"\n  value = "plain"\n}\n'
        'output "s" { value = aws_ssm_parameter.s.value }\noutput "o" {\n  value = "x"\n  sensitive = true\n}\n'
    )
    found = evaluated(tmp_path, main)
    assert isinstance(found.instances["aws_sqs_queue.q"].values["name"], Sensitive)
    assert 6 == found.instances["aws_sqs_queue.q"].values["delay_seconds"]
    assert [Sensitive("plain"), Sensitive("x")] == list(found.outputs.values())
    assert "secret" not in repr(found)


def test_definitions_that_do_not_parse(tmp_path: Path) -> None:
    for name, text in (("a.auto.tfvars", "v = {"), ("terraform.tfvars.json", "[1]"), ("b.auto.tfvars", "v = var.x")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ParseError, match=f"^{name}:1:"):
            evaluated(tmp_path, 'variable "v" {}\n')
        (tmp_path / name).unlink()


# --- state -----------------------------------------------------------------------------------------------------


def test_references_are_configured_where_known_and_recorded_otherwise(tmp_path: Path) -> None:
    main = (
        'resource "aws_cloudwatch_log_group" "g" {\n  name = "g"\n  retention_in_days = 60\n}\n'
        'resource "aws_cloudwatch_log_group" "i" {\n  name = "i"\n  retention_in_days = 60\n'
        "  lifecycle { ignore_changes = [retention_in_days] }\n}\n"
        + QUEUE % 'name = "r-${aws_cloudwatch_log_group.g.retention_in_days}-${aws_cloudwatch_log_group.g.arn}"'
        + 'output "i" { value = aws_cloudwatch_log_group.i.retention_in_days }\n'
    )
    state = recorded(
        instance("aws_cloudwatch_log_group.g", {"name": "g", "retention_in_days": 30, "arn": "arn:g"}),
        instance("aws_cloudwatch_log_group.i", {"name": "i", "retention_in_days": 30, "arn": "arn:i"}),
    )
    found = evaluated(tmp_path, main, state)
    assert "r-60-arn:g" == found.instances["aws_sqs_queue.q"].values["name"]
    assert 30 == plain(found.outputs["i"])
    assert "aws_cloudwatch_log_group.g" == found.instances["aws_cloudwatch_log_group.g"].recorded_at


def test_what_is_not_in_state_is_configured_or_unknown(tmp_path: Path) -> None:
    main = QUEUE % 'name = "n"' + (
        'output "name" { value = aws_sqs_queue.q.name }\noutput "arn" { value = aws_sqs_queue.q.arn }\n'
        'output "policy" { value = aws_sqs_queue.q.content_based_deduplication }\n'
        'output "none" { value = try(aws_sqs_queue.q.nothing, "caught") }\n'
    )
    found = evaluated(tmp_path, main)
    assert "n" == found.outputs["name"]
    arn = found.outputs["arn"]
    assert isinstance(arn, Unknown)
    assert ("aws_sqs_queue.q.arn is not in state",) == arn.why
    assert isinstance(found.outputs["policy"], Null)


MOVED = """
moved {
  from = aws_sqs_queue.old
  to   = aws_sqs_queue.middle
}
moved {
  from = aws_sqs_queue.middle
  to   = aws_sqs_queue.q["k"]
}
resource "aws_sqs_queue" "q" {
  for_each = { k = 1 }
  name     = "n"
}
moved {
  from = module.before
  to   = module.after["x"]
}
module "after" {
  source   = "./m"
  for_each = { x = 1 }
}
resource "aws_vpc" "counted" { count = 1 }
resource "aws_vpc" "plain" {}
output "ids" { value = [aws_sqs_queue.q["k"].id, module.after["x"].id, aws_vpc.counted[0].id, aws_vpc.plain.id] }
"""


def test_moved_blocks_and_the_moves_terraform_makes_by_itself(tmp_path: Path) -> None:
    m = (
        'moved {\n  from = aws_vpc.inner\n  to = aws_vpc.renamed\n}\nresource "aws_vpc" "renamed" {}\n'
        'output "id" { value = aws_vpc.renamed.id }\n'
    )
    state = recorded(
        instance("aws_sqs_queue.old", {"id": "1"}),
        instance("module.before.aws_vpc.inner", {"id": "2"}),
        instance("aws_vpc.counted", {"id": "3"}),
        instance("aws_vpc.plain", {"id": "4"}, index_key=0),
    )
    found = evaluated(tmp_path, MOVED, state, m__main=m)
    assert (["1", "2", "3", "4"], ()) == (plain(found.outputs["ids"]), found.problems)
    assert {
        "aws_sqs_queue.old": 'aws_sqs_queue.q["k"]',
        "module.before.aws_vpc.inner": 'module.after["x"].aws_vpc.renamed',
        "aws_vpc.counted": "aws_vpc.counted[0]",
        "aws_vpc.plain[0]": "aws_vpc.plain",
    } == dict(found.moved)
    assert {"aws_sqs_queue.old", "module.before.aws_vpc.inner", "aws_vpc.counted", "aws_vpc.plain[0]"} == {
        each.recorded_at for each in found.instances.values()
    }


def test_imports(tmp_path: Path) -> None:
    main = (
        'import {\n  to = aws_vpc.a\n  id = "vpc-1"\n}\n'
        'import {\n  for_each = toset(["x"])\n  to = aws_vpc.b[each.key]\n  id = each.key\n}\n'
        'resource "aws_vpc" "a" {}\nresource "aws_vpc" "b" { for_each = toset(["x"]) }\n'
    )
    assert frozenset({"aws_vpc.a", "aws_vpc.b"}) == evaluated(tmp_path, main).imports


DATA = """
data "aws_region" "here" {}
data "aws_caller_identity" "me" {}
data "aws_ami" "a" {
  owners      = ["self"]
  most_recent = %s
}
data "aws_ami" "none" { owners = ["self"] }
output "region" { value = data.aws_region.here.name }
output "account" { value = data.aws_caller_identity.me.account_id }
output "ami" { value = data.aws_ami.a.id }
output "none" { value = data.aws_ami.none.id }
"""


def test_what_a_data_source_cannot_tell_by_itself_state_may_know(tmp_path: Path) -> None:
    main = (
        'provider "aws" {\n  default_tags { tags = { Team = "shop" } }\n}\ndata "aws_default_tags" "all" {}\n'
        'data "aws_caller_identity" "me" {}\noutput "arn" { value = data.aws_caller_identity.me.arn }\n'
        'output "tags" { value = data.aws_default_tags.all.tags }\n'
    )
    state = recorded(instance("data.aws_caller_identity.me", {"arn": "arn:aws:iam::1:user/ci", "account_id": "1"}))
    found = evaluated(tmp_path, main, state).outputs
    assert ("arn:aws:iam::1:user/ci", {"Team": "shop"}) == (found["arn"], plain(found["tags"]))
    assert isinstance(evaluated(tmp_path, main).outputs["arn"], Unknown)


def test_data_sources(tmp_path: Path) -> None:
    state = recorded(instance("data.aws_ami.a", {"owners": ["self"], "most_recent": True, "id": "ami-1"}))
    around = Surroundings(account="111122223333", region="eu-west-1")
    found = evaluated(tmp_path, DATA % "true", state, around).outputs
    assert ("eu-west-1", "111122223333", "ami-1") == (found["region"], found["account"], found["ami"])
    none = found["none"]
    assert isinstance(none, Unknown)
    assert "only Terraform reads this data source" in none.why[0]
    other = evaluated(tmp_path, DATA % "false", state, around).outputs["ami"]
    assert isinstance(other, Unknown)
    assert "state has the answer for another `most_recent`" in other.why[0]


# --- providers ---------------------------------------------------------------------------------------------------

PROVIDERS = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region = "eu-west-1"
  default_tags {
    tags = { Team = local.team }
  }
  ignore_tags {
    keys         = ["Seen"]
    key_prefixes = ["kubernetes.io/"]
  }
}
provider "aws" {
  alias  = "west"
  region = "us-west-2"
  assume_role {
    role_arn = "arn:aws:iam::444455556666:role/deploy"
  }
}
locals { team = "shop" }
resource "aws_vpc" "own" {}
resource "aws_vpc" "west" { provider = aws.west }
module "inherits" { source = "./m" }
module "passed" {
  source    = "./m"
  providers = { aws = aws.west }
}
module "aliased" {
  source    = "./n"
  providers = { aws.there = aws.west, aws = aws }
}
"""


def test_provider_configurations(tmp_path: Path) -> None:
    n = (
        'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n'
        "      configuration_aliases = [aws.there]\n    }\n  }\n}\n"
        'resource "aws_vpc" "v" { provider = aws.there }\nresource "aws_vpc" "w" {}\n'
    )
    found = evaluated(tmp_path, PROVIDERS, m__main='resource "aws_vpc" "v" {}', n__main=n)
    assert () == found.problems
    used = {address: each.provider for address, each in found.instances.items()}
    assert {
        "aws_vpc.own": ("eu-west-1", ""),
        "aws_vpc.west": ("us-west-2", "444455556666"),
        "module.inherits.aws_vpc.v": ("eu-west-1", ""),
        "module.passed.aws_vpc.v": ("us-west-2", "444455556666"),
        "module.aliased.aws_vpc.v": ("us-west-2", "444455556666"),
        "module.aliased.aws_vpc.w": ("eu-west-1", ""),
    } == {address: (each.region, each.account) for address, each in used.items()}
    own = used["aws_vpc.own"]
    assert ({"Team": "shop"}, (frozenset({"Seen"}), ("kubernetes.io/",))) == (plain(own.default_tags), own.ignore_tags)
    assert isinstance(used["aws_vpc.west"].default_tags, Null)
    name = 'provider["registry.terraform.io/hashicorp/aws"]'
    assert {name, f"{name}.west"} == set(found.providers)


# --- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    ['file("/etc/passwd")', 'file("../outside.txt")', 'file("link.txt")', 'templatefile("link.txt", {})'],
)
def test_no_file_outside_the_repository_is_read(tmp_path: Path, expression: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.txt").write_text("outside")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    found = evaluated(root, QUEUE % f"name = {expression}")
    assert isinstance(found.instances["aws_sqs_queue.q"].values["name"], Unknown)
    assert 1 == len(found.problems)
    inside = evaluated(root, QUEUE % 'name = file("../outside.txt")', around=Surroundings(repository=tmp_path))
    assert "outside" == inside.instances["aws_sqs_queue.q"].values["name"]


def test_a_module_that_calls_itself(tmp_path: Path) -> None:
    found = evaluated(tmp_path, 'module "m" { source = "./m" }', m__main='module "m" { source = "../m" }')
    (problem,) = found.problems
    assert "modules are nested more than 32 deep" == problem.why


def test_an_expression_that_explodes(tmp_path: Path) -> None:
    doubled = "".join(f"  l{n} = [local.l{n + 1}, local.l{n + 1}]\n" for n in range(40))
    main = f'locals {{\n{doubled}  l40 = "x"\n}}\n' + QUEUE % "name = jsonencode(local.l0)"
    assert "local.l0" in [each.where for each in evaluated(tmp_path, main).problems]
    loops = "[for x in range(1000) : [for y in range(1000) : x * y]]"
    with pytest.raises(TooMuch, match="too many steps"):
        evaluated(tmp_path, QUEUE % f"name = length({loops})", around=Surroundings(steps=100_000))


def test_modules_that_are_not_to_be_had(tmp_path: Path) -> None:
    main = 'module "far" {\n  source = "a/b/c"\n  x = 1\n}\n' + QUEUE % "name = module.far.name"
    found = evaluated(tmp_path, main)
    assert {"module.far": Absent("a/b/c", "it is not on disk: run `terraform init`")} == dict(found.absent)
    assert isinstance(found.instances["aws_sqs_queue.q"].values["name"], Unknown)


def test_a_module_that_does_not_parse_fails_the_root(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"^m/main\.tf:1:"):
        evaluated(tmp_path, 'module "m" { source = "./m" }', m__main="{")


def test_what_state_wraps_with_its_type_and_what_no_state_has(tmp_path: Path) -> None:
    main = (
        'data "terraform_remote_state" "net" {\n  backend = "s3"\n  config = {}\n}\n'
        'output "vpc" { value = data.terraform_remote_state.net.outputs.vpc_id }\n'
        'output "key" { value = ephemeral.random_password.p.result }\n'
    )
    outputs = {"value": {"vpc_id": "vpc-1"}, "type": ["object", {"vpc_id": "string"}]}
    state = recorded(instance("data.terraform_remote_state.net", {"backend": "s3", "outputs": outputs}))
    found = evaluated(tmp_path, main, state)
    assert "vpc-1" == plain(found.outputs["vpc"])
    key = found.outputs["key"]
    assert isinstance(key, Unknown)
    assert "only a run of Terraform has it" in key.why[0]
    assert () == found.problems
