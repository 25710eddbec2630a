"""Each spec reads what Terraform recorded: real Terraform applies an estate to moto, then both sides are compared.

One apply per root and session; a root is a folder `tests/estates/specs_*`. To have a new spec proved, declare a
resource of its type in one of them.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.equal import canonical
from agent.live.aws import read
from agent.model import Gap, Resource
from agent.resources import Attribute, Attributes, Spec, identity, load
from agent.seal import seal

pytestmark = [pytest.mark.terraform, pytest.mark.slow]

ACCOUNT, REGION = "123456789012", "us-east-1"
KEY = b"install key"
SPECS = load()
ROOTS = sorted((Path(__file__).parents[1] / "estates").glob("specs_*"))
BLOCK = re.compile(r'^resource "(\w+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fact:
    """What one recorded instance declares, in the names of the type its key carries."""

    address: str
    type: str
    natural: str
    attributes: Attributes
    whole: bool
    """Whether it is the instance as recorded, not a part or a piece of it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Both sides, right after the apply: what each root recorded, and what is live of all of them."""

    facts: Mapping[Path, tuple[Fact, ...]]
    live: Mapping[tuple[str, str], Resource]
    gaps: tuple[Gap, ...]


def declared_types(root: Path) -> set[str]:
    return {name for file in root.glob("*.tf") for name in BLOCK.findall(file.read_text()) if name in SPECS}


@pytest.fixture(scope="session")
def applied(
    terraform: Callable[..., Path],
    reset_moto: Callable[[], None],
    on_moto: Callable[[], AbstractContextManager[None]],
) -> Applied:
    reset_moto()
    # At once, on one moto: most of an apply is the provider waiting for AWS to settle.
    with ThreadPoolExecutor(len(ROOTS)) as pool:
        states = [json.loads((copy / "terraform.tfstate").read_text()) for copy in pool.map(terraform, ROOTS)]
    with on_moto():
        session = boto3.Session(region_name=REGION)
        snapshots = [
            read(session, ACCOUNT, REGION, service, specs=SPECS, key=KEY, taken_at=datetime.now(UTC))
            for service in sorted({spec.service for spec in SPECS.values()})
        ]
    reset_moto()
    return Applied(
        facts={root: tuple(facts(state)) for root, state in zip(ROOTS, states, strict=True)},
        live={(one.key.type, one.key.id): one for snapshot in snapshots for one in snapshot.resources},
        gaps=tuple(gap for snapshot in snapshots for gap in snapshot.gaps),
    )


def facts(state: Mapping[str, Any]) -> Iterator[Fact]:
    for resource in state["resources"]:
        spec = SPECS.get(resource["type"])
        if resource["mode"] != "managed" or spec is None:
            continue
        for instance in resource["instances"]:
            address = f"{resource['type']}.{resource['name']}"
            yield from of_instance(address, resource["type"], spec, instance["attributes"])


def of_instance(address: str, name: str, spec: Spec, recorded: Attributes) -> Iterator[Fact]:
    whole = not spec.split and not spec.same_as
    for attributes in spec.split(recorded) if spec.split else [recorded]:
        yield Fact(address, spec.same_as or name, identity(spec.identity, attributes), attributes, whole)
    for inline in spec.inline:
        part = SPECS[inline.type]
        for attributes in inline.parts(recorded):
            yield Fact(address, inline.type, identity(part.identity, attributes), attributes, False)


def same_form(attribute: Attribute, value: Any) -> Any:
    found = canonical(value, attribute.kind)
    return canonical(attribute.default, attribute.kind) if found is None else found


CASES = [pytest.param(root, name, id=f"{root.name}-{name}") for root in ROOTS for name in sorted(declared_types(root))]


@pytest.mark.parametrize(("root", "name"), CASES)
def test_what_is_live_is_what_terraform_recorded(applied: Applied, root: Path, name: str) -> None:
    recorded: dict[str, Any] = {}
    live: dict[str, Any] = {}
    for fact in of_type(applied, root, name):
        label = f"{fact.address} → {fact.type} {fact.natural}"
        found = applied.live.get((fact.type, fact.natural))
        attributes = [one for one in SPECS[fact.type].attributes if fact.whole or one.name in fact.attributes]
        recorded[label] = {one.name: same_form(one, sealed(one, fact.attributes[one.name])) for one in attributes}
        live[label] = found and {one.name: same_form(one, found.attributes[one.name]) for one in attributes}
    assert recorded == live
    assert recorded, f"no {name} in the state of {root.name}"


@pytest.mark.parametrize(("root", "name"), CASES)
def test_identifiers_are_the_ones_terraform_recorded(applied: Applied, root: Path, name: str) -> None:
    for fact in of_type(applied, root, name):
        if fact.whole:
            live = applied.live[fact.type, fact.natural]
            recorded = {fact.attributes.get(one) for one in SPECS[name].identifiers} - {None, ""}
            assert recorded | {fact.natural} == set(live.identifiers)


def test_fresh_estates_are_read_whole_and_hold_nothing_undeclared(applied: Applied) -> None:
    assert applied.gaps == ()
    declared = {(fact.type, fact.natural) for found in applied.facts.values() for fact in found}
    undeclared = [
        one.key
        for place, one in applied.live.items()
        # moto shows the key behind alias/aws/dynamodb, which the provider asks for, as the customer's.
        if place not in declared and not one.note and one.attributes.get("description") != "Default key"
    ]
    assert undeclared == []


def test_parts_name_their_live_parent(applied: Applied) -> None:
    parts = [(one, one.parent) for one in applied.live.values() if one.parent]
    assert [one.key for one, parent in parts if (parent.type, parent.id) not in applied.live] == []
    assert [one.key for one, _ in parts if not one.attribute] == []


def test_every_spec_is_proved_by_an_estate() -> None:
    assert set().union(*(declared_types(root) for root in ROOTS)) == set(SPECS)


def of_type(applied: Applied, root: Path, name: str) -> list[Fact]:
    return [fact for fact in applied.facts[root] if fact.address.startswith(f"{name}.")]


def sealed(attribute: Attribute, value: Any) -> Any:
    return seal(KEY, value) if attribute.secret else value
