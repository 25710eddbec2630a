"""Sealed values: equal or not stays visible, the value does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Secret, Unknown
from agent.seal import seal

KEY, OTHER = b"k" * 32, b"o" * 32
CANARY = "canary-5b1f"


@pytest.mark.parametrize("value", [None, "", [], {}, Secret("a"), Unknown("why")])
def test_nothing_to_seal(value: Any) -> None:
    assert seal(KEY, value) == value


def test_maps_are_sealed_leaf_by_leaf_also_inside_blocks() -> None:
    sealed = seal(KEY, [{"variables": {"A": CANARY, "B": ""}}])
    assert sealed == [{"variables": {"A": seal(KEY, CANARY), "B": ""}}]
    assert CANARY not in repr(sealed)


def test_a_list_of_scalars_is_one_value() -> None:
    assert isinstance(seal(KEY, [CANARY, 1]), Secret)
    assert seal(KEY, [1, 2]) != seal(KEY, [2, 1])


def test_the_hash_is_keyed_and_text_equals_what_it_spells() -> None:
    assert seal(KEY, CANARY) == seal(KEY, CANARY)
    assert seal(KEY, CANARY) != seal(OTHER, CANARY)
    assert seal(KEY, 7) == seal(KEY, "7")
    assert str(seal(KEY, CANARY)).startswith("(sensitive, ")


@given(st.text(min_size=1), st.text(min_size=1))
def test_equal_exactly_when_equal(one: str, other: str) -> None:
    assert (seal(KEY, one) == seal(KEY, other)) == (one == other)
