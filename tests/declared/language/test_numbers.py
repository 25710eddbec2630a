"""Numbers are Terraform's: 512 bits, written without exponents. The texts were printed by Terraform 1.11.4."""

from decimal import Decimal

import pytest
from evaluated_text import value
from hypothesis import given
from hypothesis import strategies as st

from agent.declared.language.error import EvaluationError
from agent.declared.language.numbers import ARITHMETIC, general, nearest, negative, number, parsed, text

LONG = 123456789012345678901234567890123456789012345678901234567890
TEXTS = {
    "1/3": "0." + "3" * 154 + "5",
    "2/3": "0." + "6" * 153 + "7",
    "10/3": "3." + "3" * 153 + "2",
    "1/3*3": "1",
    "0.1+0.2": "0.3",
    "0.1+0.7": "0.8",
    "1.1*3": "3.3" + "0" * 152 + "2",
    "1-0.9": "0.1" + "0" * 153 + "3",
    "4.35*100": "435",
    "100*1.1": "110",
    "2.5%0.7": "0.4" + "0" * 152 + "12",
    "-7.5%2": "-1.5",
    "7%0": "7",
    "-7%3": "-1",
    "7%-3": "1",
    "1/0": "+Inf",
    "-1/0": "-Inf",
    "5/(1/0)": "0",
    "1e-7": "0.0000001",
    "1e21": "1" + "0" * 21,
    "1e50+1": "1" + "0" * 49 + "1",
    "1.50": "1.5",
    "100000000000000000000000000000000.5": "100000000000000000000000000000000.5",
    f"{LONG}*{LONG}": str(LONG * LONG),
    f"{LONG}*{LONG}*{LONG}": (
        "188167637235365777254671604059528675537453820316704957432946836793008819388772676549574485220002174088902190346"
        "6201663671034892853580904432100633207693797700000000000000000000000"
    ),
}


@pytest.mark.parametrize("written", TEXTS)
def test_arithmetic_prints_what_terraform_prints(written: str) -> None:
    assert value(f'"${{{written}}}x"') == TEXTS[written] + "x"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("007", "7"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1E3", "1000"),
        ("1p3", "8"),
        ("1p-1", "0.5"),
    ],
)
def test_strings_that_are_numbers(written: str, found: str) -> None:
    read = parsed(written)
    assert read is not None
    assert text(read) == found


@pytest.mark.parametrize("written", ["", " 1", "1 ", "0x10", "1_000", "1e", "e5", "1..2", "nan", "infinity", "٣"])
def test_strings_that_are_none(written: str) -> None:
    assert parsed(written) is None


@pytest.mark.parametrize("written", ["0/0", "1/0-1/0", "0*(1/0)", "5%(1/0)", "(1/0)/(1/0)"])
def test_what_has_no_result(written: str) -> None:
    with pytest.raises(EvaluationError):
        value(written)


@pytest.mark.parametrize(
    ("each", "spelled"),
    [(1, "1"), (10**9, "1000000000"), (10**10, "1e+10"), (Decimal("0.1"), "0.1"), (123456789012, "1.23456789e+11")],
)
def test_ten_digits(each: int | Decimal, spelled: str) -> None:
    assert general(each) == spelled


DECIMALS = st.decimals(-(10**20), 10**20, allow_nan=False, places=8)


@given(DECIMALS)
def test_a_number_survives_its_text(each: Decimal) -> None:
    before = number(each)
    assert parsed(text(before)) == before
    assert nearest(each) == before
    assert negative(negative(before)) == before


@given(st.integers(-(10**40), 10**40), st.integers(-(10**40), 10**40))
def test_whole_numbers_are_exact(left: int, right: int) -> None:
    assert ARITHMETIC["+"](left, right) == left + right
    assert ARITHMETIC["*"](left, right) == left * right
    assert ARITHMETIC["-"](left, right) == left - right
    if right:
        assert ARITHMETIC["/"](left * right, right) == left


@given(DECIMALS, DECIMALS)
def test_arithmetic_commutes_and_its_results_are_canonical(left: Decimal, right: Decimal) -> None:
    a, b = number(left), number(right)
    for sign in "+*":
        found = ARITHMETIC[sign](a, b)
        assert found == ARITHMETIC[sign](b, a)
        assert parsed(text(found)) == found


def test_whole_numbers_are_int_up_to_a_size() -> None:
    assert type(number(Decimal("1e3"))) is int
    assert type(number(Decimal("1e100"))) is Decimal
    assert type(number(10**100)) is Decimal
    assert number(0.1) == Decimal("0.1")
