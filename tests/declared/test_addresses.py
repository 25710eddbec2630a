"""Addresses: parsed, spelled, and moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.declared.addresses import Address, Step, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("aws_vpc.v", Address((), "aws_vpc", "v")),
        ("aws_vpc.v[3]", Address((), "aws_vpc", "v", 3)),
        ('aws_vpc.v["a.b[0]"]', Address((), "aws_vpc", "v", "a.b[0]")),
        ("data.aws_ami.a", Address((), "aws_ami", "a", None, "data")),
        ("module.m", Address((Step("m"),))),
        ('module.m["x"].module.n[0].aws_vpc.v', Address((Step("m", "x"), Step("n", 0)), "aws_vpc", "v")),
        ("module.m.data.aws_ami.a[1]", Address((Step("m"),), "aws_ami", "a", 1, "data")),
        ('aws_vpc.v["q\\"\\\\ $${x} \\n"]', Address((), "aws_vpc", "v", 'q"\\ ${x} \n')),
    ],
)
def test_parsing(text: str, address: Address) -> None:
    assert (address, text) == (parse_address(text), str(address))


@pytest.mark.parametrize(
    "text", ["", "aws_vpc", "a.b.c", "module", "module.m.aws_vpc", "[0]", "a.b[", "a[0].b", "a b.c"]
)
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


@given(st.text(), st.lists(st.tuples(st.from_regex(r"[a-z]\w{0,5}", fullmatch=True), st.none() | st.text())))
def test_any_key_survives(key: str, modules: list[tuple[str, str | None]]) -> None:
    address = Address(tuple(Step(name, each) for name, each in modules), "aws_vpc", "v", key)
    assert address == parse_address(str(address))


@pytest.mark.parametrize(
    ("address", "before", "after", "moved"),
    [
        ("a.b", "a.b", "a.c", "a.c"),
        ("a.b[0]", "a.b", "a.c", "a.c[0]"),
        ("a.b", "a.b", 'a.b["k"]', 'a.b["k"]'),
        ("a.b[0]", "a.b", 'a.b["k"]', None),
        ("a.b[0]", "a.b[0]", "a.b[1]", "a.b[1]"),
        ("a.b[2]", "a.b[0]", "a.b[1]", None),
        ("a.b", "a.b", "module.m.a.b", "module.m.a.b"),
        ("module.m.a.b", "module.m", "module.n", "module.n.a.b"),
        ("module.m[1].a.b[2]", "module.m", "module.n", "module.n[1].a.b[2]"),
        ("module.m.a.b", "module.m", 'module.n["k"]', 'module.n["k"].a.b'),
        ('module.m["x"].a.b', "module.m", 'module.n["k"]', None),
        ('module.m["x"].a.b', 'module.m["x"]', "module.n", "module.n.a.b"),
        ("module.m.module.o.a.b", "module.m.module.o", "module.o", "module.o.a.b"),
        ("a.b", "module.m", "module.n", None),
        ("module.o.a.b", "module.m", "module.n", None),
        ("module.m.a.b", "a.b", "a.c", None),
        ("module.m.a.b", "module.m", "a.b", None),
    ],
)
def test_moving(address: str, before: str, after: str, moved: str | None) -> None:
    here, one, other = (parse_address(each) for each in (address, before, after))
    assert here is not None
    assert one is not None
    assert other is not None
    found = here.renamed(one, other)
    assert moved == (None if found is None else str(found))
