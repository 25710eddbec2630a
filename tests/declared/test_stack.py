"""A stack as snapshot: keys, places, parts, limits and gaps, on states written by hand."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent import resources
from agent.declared.stack import Stack, read
from agent.model import GLOBAL, Gap, Key, Limit, Resource, Scope, Secret, Source, Unknown
from agent.resources import Attribute, Call, Spec
from agent.seal import seal

KEY = b"k" * 32
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
AWS = 'provider["registry.terraform.io/hashicorp/aws"]'
WHOLE = Scope(account="111122223333")
SPECS = resources.load()
THING = Spec(
    "thing",
    Call("list"),
    identity=("name",),
    identifiers=("id", "arn"),
    attributes=(Attribute("size", "Size"), Attribute("secret", "Secret", secret=True), Attribute("late", "Late")),
    names={"name": "Name"},
)


def instance(type_: str, name: str, attributes: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    inner = {"attributes": attributes, "sensitive_attributes": changes.pop("sensitive", [])}
    whole = {"mode": "managed", "type": type_, "name": name, "provider": AWS, "instances": [inner]}
    return whole | changes


def written(directory: Path, *recorded: dict[str, Any], code: str = "", name: str = "terraform.tfstate") -> Path:
    (directory / "main.tf").write_text(code)
    state = {"version": 4, "terraform_version": "1.11.4", "serial": 3, "lineage": "l", "resources": recorded}
    (directory / name).write_text(json.dumps(state))
    return directory


def stack(directory: Path, **changes: Any) -> Stack:
    given: dict[str, Any] = {"account": "111122223333", "region": "eu-west-1", "specs": SPECS, "owner": "team-a"}
    return read("prod", directory, key=KEY, taken_at=WHEN, **(given | changes))


def declared(directory: Path, *recorded: dict[str, Any], code: str = "", **changes: Any) -> tuple[Resource, ...]:
    found = stack(written(directory, *recorded, code=code), **changes).snapshot
    assert found.gaps == ()
    return found.resources


def queue(name: str, region: str = "eu-west-1", account: str = "111122223333", **attributes: Any) -> dict[str, Any]:
    recorded = {"arn": f"arn:aws:sqs:{region}:{account}:{name}", "name": name} if region else {"name": name}
    return instance("aws_sqs_queue", name.replace("-", "_"), recorded | attributes)


THINGS = {"aws_thing": THING}


def thing(name: str, provider: str = AWS, **attributes: Any) -> dict[str, Any]:
    return instance(
        "aws_thing", name, {"name": name, "size": 1, "secret": None, "late": 0, **attributes}, provider=provider
    )


def test_one_resource(tmp_path: Path) -> None:
    code = '\nresource "aws_thing" "a" {\n  name = "a"\n  lifecycle {\n    ignore_changes = [size]\n  }\n}\n'
    recorded = thing("a", id="i-1", arn="arn:aws:x:eu-west-1:111122223333:a", other="not named by the spec")
    found = stack(written(tmp_path, recorded, code=code), specs=THINGS)
    assert ((found.snapshot.side, found.snapshot.taken_at), (found.lineage, found.serial)) == (
        ("declared", WHEN),
        ("l", 3),
    )
    assert len(found.digest) == 64
    assert (
        Resource(
            key=Key("111122223333", "eu-west-1", "aws_thing", "a"),
            attributes={
                "name": "a",
                "size": 1,
                "secret": None,
                "late": 0,
                "id": "i-1",
                "arn": "arn:aws:x:eu-west-1:111122223333:a",
            },
            identifiers=("a", "i-1", "arn:aws:x:eu-west-1:111122223333:a"),
            address="aws_thing.a",
            stack="prod",
            source=Source("main.tf", 2),
            owner="team-a",
            configured=frozenset({"name"}),
            ignore_changes=("size",),
        ),
    ) == found.snapshot.resources


def test_no_code_for_an_address(tmp_path: Path) -> None:
    (found,) = declared(tmp_path, queue("q"), code='resource "aws_sqs_queue" "other" {}')
    assert (found.source, found.configured, found.ignore_changes) == (None, None, ())


def test_secrets_of_spec_and_state(tmp_path: Path) -> None:
    mark = [[{"type": "get_attr", "value": "size"}]]
    recorded = thing("a", secret={"x": "canary-1", "y": ""}, size="canary-2", note="canary-3", id="canary-2")
    recorded["instances"][0]["sensitive_attributes"] = mark
    found = stack(written(tmp_path, recorded), specs=THINGS)
    (resource,) = found.snapshot.resources
    assert {"x": seal(KEY, "canary-1"), "y": ""} == resource.attributes["secret"]
    assert seal(KEY, "canary-2") == resource.attributes["size"]
    assert resource.attributes["id"] == "canary-2", "an identifier stays in clear: AWS lists it"
    assert "canary-1" not in repr(found)
    assert "canary-3" not in repr(found)


def test_what_state_does_not_record_is_unknown(tmp_path: Path) -> None:
    recorded = thing("a")
    del recorded["instances"][0]["attributes"]["late"]
    (found,) = declared(tmp_path, recorded, specs=THINGS)
    assert Unknown("the state does not record it: another provider version wrote it") == found.attributes["late"]


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        ({"arn": "arn:aws:x:us-east-2:999900001111:a"}, ("999900001111", "us-east-2")),
        ({"arn": "arn:aws:s3:::a"}, ("111122223333", "eu-west-1")),
        ({"arn": "arn:aws:iam::aws:policy/a"}, ("111122223333", "eu-west-1")),
        ({"arn": "nonsense"}, ("111122223333", "eu-west-1")),
        ({"arn": ["no", "text"]}, ("111122223333", "eu-west-1")),
        ({"region": "us-west-1"}, ("111122223333", "us-west-1")),
        ({}, ("111122223333", "eu-west-1")),
    ],
)
def test_a_resource_tells_its_place(tmp_path: Path, attributes: dict[str, Any], place: tuple[str, str]) -> None:
    (found,) = declared(tmp_path, thing("a", **attributes), specs=THINGS)
    assert place == (found.key.account, found.key.region)


def test_a_provider_tells_the_place(tmp_path: Path) -> None:
    code = """
provider "aws" {
  alias  = "written"
  region = "ap-south-1"
}
provider "aws" {
  alias  = "told"
  region = var.region
}
provider "aws" {
  alias  = "mixed"
  region = var.region
}
"""
    there = "arn:aws:sns:us-west-2:999900001111:t"
    found = declared(
        tmp_path,
        thing("written", f"{AWS}.written"),
        thing("told", f"{AWS}.told"),
        instance("aws_sns_topic_subscription", "s", {"arn": there}, provider=f"{AWS}.told"),
        thing("mixed", f"{AWS}.mixed"),
        thing("one", f"{AWS}.mixed", arn="arn:aws:x:us-west-1:999900001111:one"),
        thing("two", f"{AWS}.mixed", arn="arn:aws:x:us-west-2:999900001111:two"),
        thing("elsewhere", f"module.gone.{AWS}.x"),
        code=code,
        specs=THINGS,
    )
    assert {each.key.id: (each.key.account, each.key.region) for each in found} == {
        "written": ("111122223333", "ap-south-1"),
        "told": ("999900001111", "us-west-2"),
        "mixed": ("999900001111", "eu-west-1"),
        "one": ("999900001111", "us-west-1"),
        "two": ("999900001111", "us-west-2"),
        "elsewhere": ("111122223333", "eu-west-1"),
    }


def test_global_types_have_no_region(tmp_path: Path) -> None:
    (found,) = declared(tmp_path, instance("aws_s3_bucket", "b", {"bucket": "b", "region": "us-east-2"}))
    assert Key("111122223333", GLOBAL, "aws_s3_bucket", "b") == found.key


@pytest.mark.parametrize(
    ("code", "has"),
    [
        ('resource "aws_sqs_queue" "q" {}', False),
        ('resource "aws_sqs_queue" "q" {\n  tags = {}\n}', True),
        ('resource "aws_sqs_queue" "q" {}\nprovider "aws" {\n  default_tags {\n    tags = { a = "b" }\n  }\n}', True),
        (
            'resource "aws_sqs_queue" "q" {}\n'
            'provider "aws" {\n  alias = "x"\n  default_tags {\n    tags = { a = "b" }\n  }\n}',
            False,
        ),
    ],
)
def test_tags_all_is_configured_through_tags(tmp_path: Path, code: str, has: bool) -> None:
    (found,) = declared(tmp_path, queue("q"), code=code)
    assert found.configured is not None
    assert has == ("tags_all" in found.configured)


ROLE = {
    "name": "r",
    "arn": "arn:aws:iam::111122223333:role/r",
    "inline_policy": [{"name": "p", "policy": "{}"}],
    "managed_policy_arns": ["arn:aws:iam::aws:policy/A"],
}
ROLE_KEY = Key("111122223333", GLOBAL, "aws_iam_role", "r")


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ('resource "aws_iam_role" "r" {}', []),
        ('resource "aws_iam_role" "r" {\n  inline_policy {}\n}', ["r|p"]),
        ('resource "aws_iam_role" "r" {\n  dynamic "inline_policy" {}\n}', ["r|p"]),
        ('resource "aws_iam_role" "r" {\n  managed_policy_arns = []\n}', ["r|arn:aws:iam::aws:policy/A"]),
        ("", ["r|p", "r|arn:aws:iam::aws:policy/A"]),
    ],
)
def test_inline_parts_are_what_the_code_writes(tmp_path: Path, code: str, parts: list[str]) -> None:
    role, *found = declared(tmp_path, instance("aws_iam_role", "r", ROLE), code=code)
    assert role.key == ROLE_KEY
    assert parts == [each.key.id for each in found]
    assert {("aws_iam_role.r", ROLE_KEY)} >= {(each.address, each.parent) for each in found}


def test_an_inline_part(tmp_path: Path) -> None:
    code = 'resource "aws_iam_role" "r" {\n  inline_policy {}\n  lifecycle { ignore_changes = [description] }\n}'
    marks = [[{"type": "get_attr", "value": "inline_policy"}]]
    _, part = declared(tmp_path, instance("aws_iam_role", "r", ROLE, sensitive=marks), code=code)
    assert (
        Resource(
            key=Key("111122223333", GLOBAL, "aws_iam_role_policy", "r|p"),
            attributes={"role": "r", "name": "p", "policy": seal(KEY, "{}")},
            identifiers=("r|p",),
            address="aws_iam_role.r",
            stack="prod",
            source=Source("main.tf", 1),
            owner="team-a",
            configured=frozenset({"role", "name", "policy"}),
            ignore_changes=("description",),
            parent=ROLE_KEY,
            attribute="inline_policy",
        )
        == part
    )


def test_one_instance_may_be_several_facts(tmp_path: Path) -> None:
    rule = {"security_group_id": "sg-1", "protocol": "tcp", "from_port": 22, "to_port": 22}
    found = declared(
        tmp_path,
        instance(
            "aws_security_group_rule", "two", {**rule, "type": "ingress", "cidr_blocks": ["10.0.0.0/8", "10.1.0.0/16"]}
        ),
        instance(
            "aws_vpc_security_group_egress_rule",
            "one",
            {"security_group_id": "sg-1", "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"},
        ),
        code='resource "aws_security_group_rule" "two" {\n  description = "x"\n}',
    )
    group = Key("111122223333", "eu-west-1", "aws_security_group", "sg-1")
    assert [
        ("aws_security_group_rule.two", "sg-1|ingress|tcp|22|22|10.0.0.0/8", "ingress", frozenset({"description"})),
        ("aws_security_group_rule.two", "sg-1|ingress|tcp|22|22|10.1.0.0/16", "ingress", frozenset({"description"})),
        ("aws_vpc_security_group_egress_rule.one", "sg-1|egress|-1|0|0|0.0.0.0/0", "egress", None),
    ] == [(each.address, each.key.id, each.attribute, each.configured) for each in found]
    assert {("aws_security_group_rule", group)} == {(each.key.type, each.parent) for each in found}


def test_limits(tmp_path: Path) -> None:
    builtin = 'provider["terraform.io/builtin/terraform"]'
    code = 'module "far" {\n  source = "hashicorp/x/aws"\n}\n'
    known = thing("a", zero=0, off=False, none=None, empty=[], b="x", **{f"n{i}": 1 for i in range(8)})
    deposed = instance("aws_thing", "old", {})
    deposed["instances"][0]["deposed"] = "00"
    directory = written(
        tmp_path,
        known,
        thing("c"),
        deposed,
        instance("aws_other", "a", {}),
        instance("aws_other", "b", {}),
        instance("terraform_data", "t", {}, provider=builtin),
        instance("aws_thing", "f", thing("f")["instances"][0]["attributes"], module='module.far["k"]'),
        code=code,
    )
    found = stack(directory, specs=THINGS).snapshot
    assert found.gaps == (
        Gap(
            Scope("111122223333", "", "module", "module.far"),
            "module.far (hashicorp/x/aws): it is not on disk: run `terraform init`; "
            "it is compared with its state alone, and what of it is not applied is not known",
            1,
        ),
    )
    assert (
        Limit(Scope(type="aws_other"), "no resource specification", 2, uncompared=True),
        Limit(
            Scope(type="terraform_data"), "it stands for nothing in the cloud: there is nothing to compare it with", 1
        ),
        Limit(Scope(type="aws_thing"), "attributes not compared: b, n0, n1, n2, n3, n4, n5, n6 and 3 more", 3),
        Limit(
            Scope(type="aws_thing"),
            "aws_thing is not among the types of registry.terraform.io/hashicorp/aws 5.100.0: "
            "its attributes are compared by name only",
            3,
        ),
        Limit(WHOLE, "aws_thing.old: a deposed object, which the next apply destroys", 1),
    ) == found.limits
    assert {None} == {each.configured for each in found.resources}


def test_a_directory_without_code_is_compared_with_state_alone(tmp_path: Path) -> None:
    written(tmp_path, queue("q"))
    (tmp_path / "main.tf").unlink()
    found = stack(tmp_path).snapshot
    assert [each.address for each in found.resources] == ["aws_sqs_queue.q"]
    assert Limit(WHOLE, f"no .tf file in {tmp_path}: compared with state alone", 1) in found.limits


def gap_of(found: Stack) -> Gap:
    assert found.snapshot.resources == ()
    (gap,) = found.snapshot.gaps
    assert gap.scope == WHOLE
    return gap


def test_a_state_that_does_not_read_is_a_gap_of_the_account(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "terraform.tfstate").write_text('{"version": 4, "resources": [')
    found = stack(tmp_path)
    told = "terraform.tfstate is not whole JSON: it ends at byte 29 in the middle; restore the last good state"
    assert Gap(WHOLE, told) == gap_of(found)
    assert (found.lineage, found.serial, found.digest) == ("", 0, "")


def test_no_state_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("")
    assert gap_of(stack(tmp_path)).why.startswith(f"there is no state file {tmp_path}/terraform.tfstate")


def test_code_that_does_not_parse_is_a_gap_of_the_stack(tmp_path: Path) -> None:
    found = stack(written(tmp_path, queue("a"), queue("b"), code="\n\nresource {"), state="terraform.tfstate")
    assert Gap(WHOLE, "main.tf:3:10: `{` is opened here and never closed: add `}`", 2) == gap_of(found)
    assert (found.lineage, found.serial) == ("l", 3)


def test_a_lost_stack_is_a_gap_of_every_account_it_reaches(tmp_path: Path) -> None:
    other = queue("c", account="999900001111")
    found = stack(written(tmp_path, queue("a"), thing("b"), other, code="{"), state="terraform.tfstate").snapshot
    why = "main.tf:1:1: `{` is opened here and never closed: add `}`"
    assert (Gap(WHOLE, why, 2), Gap(Scope(account="999900001111"), why, 1)) == found.gaps


def test_code_that_does_not_parse_cannot_say_where_state_is(tmp_path: Path) -> None:
    assert gap_of(stack(written(tmp_path, queue("a"), code="resource {"))).resources == 0


def test_a_module_that_does_not_parse_fails_its_root(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x.tf").write_text("a = 1\na = 2\n")
    inside = queue("b") | {"module": "module.m[0]"}
    found = stack(written(tmp_path, queue("a"), inside, code='module "m" {\n  source = "./m"\n}'))
    assert Gap(WHOLE, "m/x.tf:2:1: `a` is set already in line 1: keep one of them", 2) == gap_of(found)


def test_a_module_nobody_calls_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x.tf").write_text("{")
    assert len(declared(tmp_path, queue("a"))) == 1
    found = stack(written(tmp_path, queue("a"), code='module "m" {\n  source = "./m"\n}'))
    assert gap_of(found).why.startswith("m/x.tf:1:1: ")


def test_no_directory_is_a_gap(tmp_path: Path) -> None:
    assert Gap(WHOLE, f"{tmp_path}/none cannot be read: No such file or directory") == gap_of(stack(tmp_path / "none"))


def test_both_unreadable_are_two_gaps(tmp_path: Path) -> None:
    found = stack(written(tmp_path, code="{"), state="none").snapshot
    assert [
        gap.why[: len(w)] for gap, w in zip(found.gaps, ["main.tf:1:1: ", "there is no state file"], strict=True)
    ] == ["main.tf:1:1: ", "there is no state file"]


def _nothing_to_split(_recorded: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield {"name": next(iter(()))}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (THING, "state records no name, apply the stack again"),
        (replace(THING, split=lambda _: []), "state records nothing of it, apply the stack again"),
        (
            replace(THING, split=lambda recorded: [{"name": recorded["gone"]}]),
            "state does not record what the specification of aws_thing needs (KeyError)",
        ),
        (
            replace(THING, split=_nothing_to_split),
            "state does not record what the specification of aws_thing needs (RuntimeError)",
        ),
        (
            replace(THING, split=lambda _: [{"name": ""}], same_as="aws_other"),
            "state records no name, apply the stack again",
        ),
    ],
)
def test_an_instance_that_does_not_read_is_a_gap_of_its_type(tmp_path: Path, spec: Spec, why: str) -> None:
    specs = {"aws_thing": spec, "aws_sqs_queue": SPECS["aws_sqs_queue"]}
    found = stack(written(tmp_path, instance("aws_thing", "a", {"size": 1}), queue("good")), specs=specs).snapshot
    scope = Scope(account="111122223333", type=spec.same_as or "aws_thing")
    assert (Gap(scope, f"aws_thing.a: {why}", 1),) == found.gaps
    assert [each.address for each in found.resources] == ["aws_sqs_queue.good"]


def test_attributes_that_do_not_decode_are_a_gap_of_their_type(tmp_path: Path) -> None:
    written(tmp_path, queue("bad", extra="MARK"), queue("good"))
    path = tmp_path / "terraform.tfstate"
    path.write_bytes(path.read_bytes().replace(b"MARK", b"\xff"))
    found = stack(tmp_path).snapshot
    why = "state of aws_sqs_queue.bad is not a state as Terraform writes it: UnicodeDecodeError"
    assert (Gap(Scope(account="111122223333", type="aws_sqs_queue"), why, 1),) == found.gaps
    assert [each.attributes["name"] for each in found.resources] == ["good"]


@pytest.mark.parametrize("code", ["", 'terraform {\n  backend "local" {\n    path = "sub.tfstate"\n  }\n}\n'])
def test_where_the_code_says_state_is(tmp_path: Path, code: str) -> None:
    written(tmp_path, queue("a"), code=code, name="sub.tfstate" if code else "terraform.tfstate")
    assert len(stack(tmp_path).snapshot.resources) == 1


def test_the_selected_workspace(tmp_path: Path) -> None:
    written(tmp_path, queue("a"))
    (tmp_path / ".terraform").mkdir()
    (tmp_path / ".terraform" / "environment").write_text("blue\n")
    blue = tmp_path / "terraform.tfstate.d" / "blue"
    blue.mkdir(parents=True)
    (tmp_path / "terraform.tfstate").rename(blue / "terraform.tfstate")
    assert len(stack(tmp_path).snapshot.resources) == 1


def test_state_in_s3(tmp_path: Path, aws_env: Mapping[str, str], moto_reset: None) -> None:
    code = 'terraform {\n  backend "s3" {\n    bucket = "states"\n    key    = "prod.tfstate"\n  }\n}\n'
    written(tmp_path, queue("a"), code=code)
    session = boto3.Session()
    session.client("s3").create_bucket(Bucket="states")
    body = (tmp_path / "terraform.tfstate").read_bytes()
    session.client("s3").put_object(Bucket="states", Key="prod.tfstate", Body=body)
    (tmp_path / "terraform.tfstate").unlink()
    assert len(stack(tmp_path, session=session).snapshot.resources) == 1
    assert (
        stack(tmp_path, session=session, state="s3://states/other")
        .snapshot.gaps[0]
        .why.startswith("s3://states/other: ")
    )
    assert gap_of(stack(tmp_path)).why == "s3://states/prod.tfstate cannot be read: there are no AWS credentials for it"


def test_a_parse_cache_changes_nothing(tmp_path: Path) -> None:
    code = 'resource "aws_sqs_queue" "q" {\n  name = "q"\n}\n'
    written(tmp_path, queue("q"), code=code)
    cold = stack(tmp_path, cache=tmp_path / "cache")
    assert stack(tmp_path) == cold == stack(tmp_path, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache" / "hcl").iterdir())) == 1


def test_secret_is_a_secret(tmp_path: Path) -> None:
    (found,) = declared(tmp_path, thing("a", secret="x"), specs=THINGS)
    assert isinstance(found.attributes["secret"], Secret)
