"""Configuration that multiplies: it ends soon, with what is wrong, and whoever meant no harm sees no difference."""

import random
import time
from itertools import pairwise
from pathlib import Path

import pytest
from roots_in_text import evaluated, instance, plain, recorded

from agent.declared.addresses import Address, Step, parse_address
from agent.declared.evaluation import Surroundings
from agent.declared.evaluation.refactoring import Move, Moves
from agent.declared.language.error import TooMuch
from agent.declared.language.types import DYNAMIC
from agent.declared.language.values import NULL, Object, Set
from agent.declared.loading import Loaded
from agent.declared.modules import module_folders
from agent.declared.side_by_side import declared
from agent.declared.unapplied import _matched, compared

pytestmark = pytest.mark.timeout(60)
TWICE = 'module "x" {\n  source = "../m"\n}\nmodule "y" {\n  source = "../m"\n}\n'


def test_a_module_that_calls_itself_twice_ends(tmp_path: Path) -> None:
    with pytest.raises(TooMuch, match=r"more than 10,000 calls of modules"):
        evaluated(tmp_path, 'module "a" {\n  source = "./m"\n}\n', m__m=TWICE)
    assert () == module_folders(tmp_path)


EMPTY = 'resource "terraform_data" "t" {\n  count = 5000\n}\n'
ASKED = 'data "aws_region" "t" {\n  count = 5000\n}\noutput "a" {\n  value = length(data.aws_region.t)\n}\n'
NESTED = 'module "a" {\n  count  = 2000\n  source = "./m"\n}\n'
INNER = 'module "b" {\n  count  = 2000\n  source = "../n"\n}\n'


@pytest.mark.parametrize("code", [EMPTY, ASKED, NESTED], ids=["resources", "data", "modules"])
def test_instances_take_steps_though_nothing_in_them_is_evaluated(tmp_path: Path, code: str) -> None:
    with pytest.raises(TooMuch, match=r"multiplies"):
        evaluated(tmp_path, code, around=Surroundings(steps=100_000), m__m=INNER, n__n="locals {\n  a = 1\n}\n")


def address(chance: random.Random, deepest: int) -> Address:
    def key() -> int | str | None:
        return chance.choice([None, None, 0, 1, "x"])

    modules = tuple(Step(chance.choice("ab"), key()) for _ in range(chance.randint(0, deepest)))
    if modules and chance.random() < 0.4:
        return Address(modules)
    return Address(modules, chance.choice("tu"), chance.choice("pq"), key())


def test_moves_are_found_as_if_all_were_tried() -> None:
    chance, hits = random.Random(7), 0
    for _ in range(500):
        pairs = [(address(chance, 2), address(chance, 2)) for _ in range(12)]
        within = [tuple(chance.choice("ab") for _ in range(chance.randint(0, 1))) for _ in pairs]
        same = [
            (*pair, where)
            for pair, where in zip(pairs, within, strict=True)
            if bool(pair[0].type) == bool(pair[1].type)
        ]
        moves = [Move(where, before, after) for before, after, where in same]
        found = Moves(moves)
        for _ in range(10):
            one = address(chance, 3)
            tried = next((to for move in moves if (to := move.applied(one)) is not None), None)
            assert tried == found.following(one)
            hits += tried is not None
    assert hits > 300


def test_thousands_of_moves_are_followed_at_once() -> None:
    names = [parse_address(f"aws_a.r{n}") for n in range(5001)]
    steps = [Move((), before, after) for before, after in pairwise(names) if before and after]
    found, one = Moves(reversed(steps)), names[0]
    for _ in range(5000):
        assert one is not None
        one = found.following(one)
    assert "aws_a.r5000" == str(one)


def test_a_large_set_that_leaves_much_out_is_compared_at_once() -> None:
    want = Set([Object({"a": NULL, "b": f"{n:06d}"}) for n in range(2000)], DYNAMIC)
    have = Set([Object({"a": f"{5000 - n:06d}", "b": f"{n:06d}"}) for n in range(2000)], DYNAMIC)
    before = time.monotonic()
    _matched(want, have)
    assert _matched(have, have)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("call", ["matchkeys(local.l, local.l, local.l)", "distinct(concat(local.l, local.l))"])
def test_functions_over_long_lists_are_not_quadratic(tmp_path: Path, call: str) -> None:
    numbers = "[for n in range(100) : [for m in range(200) : tostring(n * 200 + m)]]"
    code = f'locals {{\n  l = flatten({numbers})\n}}\noutput "a" {{\n  value = length({call})\n}}\n'
    before = time.monotonic()
    assert 20_000 == plain(evaluated(tmp_path, code).outputs["a"])
    assert time.monotonic() - before < 20


def test_a_value_a_thousand_levels_deep_is_neither_compared_nor_shown(tmp_path: Path) -> None:
    steps = "".join(f"  a{n} = [local.a{n - 1}]\n" for n in range(1, 1200))
    code = f'locals {{\n  a0 = 1\n{steps}}}\nresource "terraform_data" "t" {{\n  input = local.a1199\n}}\n'
    state = recorded(instance("terraform_data.t", {"input": None, "id": "x"}))
    found = evaluated(tmp_path, code, state)
    (one,) = found.instances.values()
    assert "levels deep" in compared(one, {"input": None}, None).untold["input"][0]
    loaded = Loaded(None, found, "", state, None, "", "", {})
    assert ("unknown",) == tuple(row.stand for row in next(declared(loaded, {})).rows if row.name == "input")
