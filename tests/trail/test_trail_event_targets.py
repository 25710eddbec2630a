"""Types without a spec: each row of their table against botocore's models, Terraform's schemas, and a record of it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelled_records import operations, record_of, spots
from trail_records import ACCOUNT, REGION, record

from agent import named
from agent.declared.schemas import AWS, provider
from agent.model import GLOBAL, Actor, Change, Key, Resource, Touch
from agent.named import Call, Named
from agent.naming import Names
from agent.resources import GLOBAL_TYPES, load
from agent.trail import arns
from agent.trail.targets import Targets

SPECS = load()
TYPES = named.load()
ROWS = [(type_, call) for type_, each in sorted(TYPES.items()) for call in each.calls]
TARGETS = Targets(SPECS, b"")

NOT_IN_BOTOCORE = {
    ("organizations", "CreateAccountResult"): "a service event: the account is there",
    ("s3", "DeleteAccountPublicAccessBlock"): "S3's events have names of their own",
    ("s3", "PutAccountPublicAccessBlock"): "S3's events have names of their own",
    ("s3", "PutAccelerateConfiguration"): "S3's events have names of their own",
    ("s3", "PutBucketObjectLockConfiguration"): "S3's events have names of their own",
    ("secretsmanager", "EndSecretVersionDelete"): "a service event: the waiting time is over",
    ("secretsmanager", "StartSecretVersionDelete"): "a service event: the waiting time is over",
}
NOT_IN_THE_MODEL = {
    r"apigateway request\.create\w+Input\.\w+": "API Gateway prints the body of a creation as a member of its own",
    r"secretsmanager response\.arn": "CreateSecret, PutSecretValue and UpdateSecret print `arn`, other calls `aRN`",
}
NOT_IN_THE_SCHEMA = {
    ("aws_batch_compute_environment", "name"): "since provider 6",
    ("aws_db_security_group", ""): "gone since provider 5",
    ("aws_ecs_service", "arn"): "since provider 6",
}


def paths(call: Call) -> Iterator[str]:
    """Every path of a place."""
    for part in re.split(r" [|+] ", call.place):
        yield from part.partition("=")[0].split("/")


def told(type_: str, call: Call) -> str:
    return f"{type_} {TYPES[type_].source}:{call.name} {call.place}"


# --- the table itself ----------------------------------------------------------------------------------------


def test_a_type_has_a_spec_or_a_row_and_never_both() -> None:
    assert set(TYPES) & set(SPECS) == set()
    assert len({type_ for type_, _ in ROWS}) > 400


def test_other_types_that_are_named_are_there() -> None:
    for type_, each in TYPES.items():
        assert each.same_as == "" or (
            each.same_as in SPECS or (each.same_as in TYPES and not TYPES[each.same_as].same_as)
        )
        assert bool(each.same_as) != bool(each.calls), type_
        assert each.parent == "" or each.parent in SPECS or each.parent in TYPES, type_
        assert each.names, type_


def test_a_row_stands_once() -> None:
    assert [row for row, times in Counter((type_, call.name) for type_, call in ROWS).items() if times > 1] == []


def test_the_global_types_are_those_of_specs_and_table() -> None:
    assert {name for name, spec in SPECS.items() if spec.is_global} == GLOBAL_TYPES & set(SPECS)
    assert set(TYPES) | set(SPECS) >= GLOBAL_TYPES


def test_an_identity_of_a_child_begins_with_its_parents() -> None:
    for type_, each in TYPES.items():
        if each.parent in TYPES:
            whole = TYPES[each.parent].names[0].count("+")
            assert each.names[0].count("+") >= whole, type_


@pytest.mark.parametrize(
    "text",
    ["aws_a of x\naws_a of x", "aws_a", "aws_a is x", "aws_a of x\n  update: request.id", "aws_a of x\n  upset Do: y"],
)
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"aws_a|table"):
        named.table(text)


def test_a_table_is_read_as_it_says() -> None:
    text = """
# a remark
aws_a of x
  names b+c
    id
  arns a/ b/
  prefix a-
  parent aws_b
  create MakeA, update SetA
    SetB: request.id
aws_c = aws_a
"""
    calls = (Call("MakeA", "create", "request.id"), *(Call(f"Set{n}", "update", "request.id") for n in "AB"))
    assert named.table(text) == {
        "aws_a": Named("x", calls, ("b+c", "id"), ("a/", "b/"), "a-", "aws_b"),
        "aws_c": Named("", names=(), same_as="aws_a"),
    }


# --- against the models and the schemas ----------------------------------------------------------------------


def test_every_call_is_an_operation_of_its_service() -> None:
    unknown = {
        (TYPES[type_].source, call.name) for type_, call in ROWS if not operations(TYPES[type_].source, call.name)
    }
    assert unknown == set(NOT_IN_BOTOCORE)


def test_every_path_leads_to_a_text_or_a_number_of_the_operation() -> None:
    excused = [re.compile(pattern) for pattern in NOT_IN_THE_MODEL]
    wrong, used = [], set()
    for type_, call in ROWS:
        source = TYPES[type_].source
        if (source, call.name) in NOT_IN_BOTOCORE:
            continue
        for path in set(paths(call)) - {"account"}:
            excuse = next((each.pattern for each in excused if each.fullmatch(f"{source} {path}")), "")
            if any(spots(each, path) for each in operations(source, call.name)):
                continue
            used.add(excuse)
            wrong += [] if excuse else [f"{told(type_, call)}: no {path}"]
    assert wrong == []
    assert used == set(NOT_IN_THE_MODEL)


def test_every_type_and_every_name_is_in_terraforms_schemas() -> None:
    known = provider(AWS)
    assert known is not None
    missing, sensitive = set(), []
    for type_, each in TYPES.items():
        schema = known.resource(type_)
        if schema is None:
            missing.add((type_, ""))
            continue
        block = schema.block
        for attribute in {part for name in each.names for part in name.split("+")} - {"@account"}:
            outer, _, inner = attribute.partition(".")
            if inner:
                assert inner in block.blocks[outer].block.attributes, (type_, attribute)
            elif outer not in block.attributes:
                missing.add((type_, attribute))
            else:
                sensitive += [(type_, attribute)] if block.attributes[outer].sensitive else []
    assert missing == set(NOT_IN_THE_SCHEMA)
    assert sensitive == []


# --- a record for every row ----------------------------------------------------------------------------------

Case = tuple[str, Call, dict[str, Any], tuple[str, ...]]


@cache
def cases() -> tuple[Case, ...]:
    """For each alternative place of each row a record that names one resource there, and the parts of that name."""
    numbers = count(1001)
    return tuple(
        (type_, call, made, parts)
        for type_, call in ROWS
        for alternative in call.place.split(" | ")
        for made, parts in [_made(TYPES[type_].source, call.name, alternative, numbers)]
        if parts
    )


def _made(source: str, name: str, alternative: str, numbers: Iterator[int]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record, and the parts; none where no operation has all the paths."""
    if alternative == "account":
        return record(name, source, requestParameters=None), (ACCOUNT,)
    for operation in operations(source, name):
        values: dict[tuple[str, tuple[str, ...]], Any] = {}
        parts = []
        for part in alternative.split(" + "):
            found = [(path, spot) for path in part.partition("=")[0].split("/") for spot in spots(operation, path)[:1]]
            if found:
                path, spot = found[0]
                root = path.partition(".")[0]
                value = _value(operation, root, spot, next(numbers))
                values[root, spot] = value
                parts.append(str(value).lower() if isinstance(value, bool) else str(value))
        if len(parts) == alternative.count(" + ") + 1:
            return record_of(operation, source, values), tuple(parts)
    return {}, ()


def _value(operation: Any, root: str, spot: tuple[str, ...], number: int) -> Any:
    shape = operation.input_shape if root == "request" else operation.output_shape
    for name in spot:
        shape = shape.member if shape.type_name == "list" else shape
        shape = shape.members[name]
    kind = shape.member.type_name if shape.type_name == "list" else shape.type_name
    return True if kind == "boolean" else number if kind in ("integer", "long") else f"x-{number}"


def touched(made: Mapping[str, Any]) -> tuple[Touch, ...]:
    return TARGETS.of(made["eventSource"], made["eventName"], made)


def test_a_call_that_a_spec_knows_stands_in_no_row() -> None:
    by_spec = {
        (event.source or spec.event_source or f"{spec.service}.amazonaws.com", event.name)
        for spec in SPECS.values()
        for event in spec.events
    }
    rows = {(f"{TYPES[type_].source}.amazonaws.com", call.name) for type_, call in ROWS}
    # Their own touches come from specs, what they name besides by ARN or id.
    assert {call for call in by_spec & rows if call[1] not in arns.TAGGING} == set()


MASKED = {"CreateUserPoolClient", "UpdateUserPoolClient", "DeleteUserPoolClient"}
"""botocore's model calls a client's id sensitive, and what is sensitive is printed masked."""


def test_a_record_of_every_row_touches_that_type_and_that_resource() -> None:
    made_of: dict[tuple[str, str], int] = defaultdict(int)
    for type_, call, made, parts in cases():
        made_of[type_, call.name] += 1
        found = [(touch.type, touch.ids[0], touch.act, touch.sets) for touch in touched(made)]
        if call.name not in MASKED:
            assert found == [(type_, "|".join(parts), call.act, {})], told(type_, call)
    unmade = {(TYPES[type_].source, call.name) for type_, call in ROWS if not made_of[type_, call.name]}
    assert unmade == set(NOT_IN_BOTOCORE) - {
        ("s3", n) for n in ("DeleteAccountPublicAccessBlock", "PutAccountPublicAccessBlock")
    }


def sibling(type_: str, names: tuple[str, ...], region: str) -> Resource:
    return Resource(Key(ACCOUNT, region, type_, names[0]), {}, names, address=f"{type_}.it")


def test_among_namesakes_of_other_types_and_neighbours_of_its_own_every_row_means_one() -> None:
    """The worst habit of naming: everything is called the same. 32 other types have a resource of that very name."""
    others = sorted({*TYPES, *SPECS})
    false, asked = 0, 0
    for number, (type_, call, made, parts) in enumerate(cases()):
        if call.name in MASKED:
            continue
        asked += 1
        region = GLOBAL if type_ in GLOBAL_TYPES else REGION
        whole = "|".join(parts)
        namesakes = [other for other in (others[(number + n) % len(others)] for n in range(33)) if other != type_][:32]
        there = [sibling(type_, (whole,), region)]
        there += [sibling(other, (whole, *parts), GLOBAL if other in GLOBAL_TYPES else REGION) for other in namesakes]
        if len(parts) > 1:
            there += [sibling(type_, ("|".join((*parts[:-1], "other")),), region)]
            there += [sibling(type_, ("|".join(("other", *parts[1:])),), region)]
        change = Change(("e",), WHEN, "x", Actor("a", "person", "", "", 1.0), "console", ACCOUNT, REGION, touched(made))
        targets = Names(there, SPECS).targets(change)
        assert there[0].key in targets, told(type_, call)
        false += len(targets) - 1
    assert asked > 1500
    assert false == 0


WHEN = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_an_arn_and_an_id_are_of_one_type() -> None:
    starts = Counter((each.source, start) for each in TYPES.values() for start in each.arns)
    prefixes = Counter(each.prefix for each in TYPES.values() if each.prefix)
    assert [one for one, times in (starts + prefixes).items() if times > 1] == []
    for type_, each in TYPES.items():
        for start in each.arns:
            service = {"monitoring": "cloudwatch", "amazonmq": "mq"}.get(each.source, each.source)
            arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{start.rstrip('=')}x-1"
            assert arns.type_of(arn) == type_
        if each.prefix:
            assert arns.type_of_id(f"{each.prefix}0a1b2c3d4e5f67890") == type_


@pytest.mark.parametrize(
    ("arn", "type_"),
    [
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:orders", "aws_sns_topic"),
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:orders:0a1b-2c3d", ""),
        ("arn:aws:s3:::bucket", "aws_s3_bucket"),
        ("arn:aws:s3:::bucket/key", ""),
        (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t", "aws_dynamodb_table"),
        (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t/index/i", ""),
        (f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/n/1", "aws_lb"),
        (f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/old", "aws_elb"),
        (f"arn:aws:apigateway:{REGION}::/restapis/r1", "aws_api_gateway_rest_api"),
        (f"arn:aws:apigateway:{REGION}::/restapis/r1/stages/prod", ""),
        (f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:alias/a", "aws_kms_alias"),
        (f"arn:aws:iam::{ACCOUNT}:user/ops/bob", "aws_iam_user"),
        (f"arn:aws:unheard:{REGION}:{ACCOUNT}:thing/1", ""),
        (f"arn:aws:sqs:{REGION}:{ACCOUNT}:", ""),
        *((text, "") for text in ("", "arn", "arn:aws:sqs", "a:b:c:d:e:f", "igw-1")),
    ],
)
def test_the_type_of_an_arn(arn: str, type_: str) -> None:
    assert arns.type_of(arn) == type_


# --- whatever a record holds ---------------------------------------------------------------------------------

WORDS = sorted({step for _, call in ROWS for path in paths(call) for step in path.split(".")[1:]})
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["arn:aws:ec2:::vpc/v", "i-1", "***"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WORDS, "items", "item", "content", "tag", "XRequest"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=st.sampled_from(ROWS), request=VALUES, response=VALUES, resources=VALUES)
def test_no_record_raises_and_what_it_touches_has_a_name(
    row: tuple[str, Call], request: Any, response: Any, resources: Any
) -> None:
    type_, call = row
    made = {
        "requestParameters": request,
        "responseElements": response,
        "resources": resources,
        "recipientAccountId": "1",
    }
    for touch in TARGETS.of(f"{TYPES[type_].source}.amazonaws.com", call.name, made | {"eventName": call.name}):
        assert touch.type in TYPES or touch.type in SPECS
        assert touch.ids
        assert all(isinstance(name, str) and name and not name.startswith("***") for name in touch.ids)
