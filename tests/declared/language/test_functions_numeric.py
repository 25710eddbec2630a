"""Numbers that state cannot hold, and the digits of 64-bit floating point."""

from decimal import Decimal

import pytest
from text_function_calls import called, plain, refused

INFINITE = Decimal("Infinity")


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("log", [0, 10], -INFINITE),
        ("log", [10, 1], INFINITE),
        ("log", [0, 1], -INFINITE),
        ("log", [10, 0], 0),
        ("pow", [0, -1], INFINITE),
        ("pow", [10, 309], INFINITE),
        ("pow", [-10, 309], -INFINITE),
        ("pow", [2, 10**15], INFINITE),
        ("pow", [2, 10**20], INFINITE),
        ("pow", [0.5, 10**20], 0),
        ("pow", [2, -(10**15)], 0),
        ("ceil", [INFINITE], INFINITE),
        ("floor", [-INFINITE], -INFINITE),
        ("max", [1, INFINITE], INFINITE),
        ("abs", [-INFINITE], INFINITE),
    ],
)
def test_infinity_is_a_number(name: str, arguments: list[object], expected: Decimal) -> None:
    assert called(name, *arguments) == expected


def test_whole_powers_keep_their_digits() -> None:
    assert plain("pow", 2, 64) == 2**64
    assert plain("pow", 10, 22) == 10**22
    # Go's own last digits, which are not those of C.
    assert plain("pow", 10, 308) == int(float("1.0000000000000006e308"))
    assert plain("pow", 10, -5) == Decimal("0.00001")


def test_logarithms_have_the_last_digits_that_terraform_has() -> None:
    rounded = {exponent: plain("ceil", called("log", 2**exponent, 2)) for exponent in range(1, 60)}
    too_many = {29, 31, 39, 47, 51, 55, 58, 59}  # asked of Terraform 1.11
    assert rounded == {exponent: exponent + (exponent in too_many) for exponent in range(1, 60)}
    assert plain("log", 1000, 10) == Decimal("2.9999999999999996")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("log", [-1, 10]),
        ("log", [1, 1]),
        ("log", [10, -1]),
        ("pow", [-1, 0.5]),
        ("pow", [-8, Decimal("0.3")]),
        ("pow", [10**400, 1]),
        ("log", [10**400, 10]),
        ("max", []),
        ("min", []),
        ("signum", [0.5]),
        ("signum", [10**30]),
        ("sum", [[]]),
        ("range", [1, 5, 0]),
        ("range", [5, 1, 1]),
        ("range", []),
        ("range", [1, 2, 3, 4]),
    ],
)
def test_what_has_no_result_is_refused(name: str, arguments: list[object]) -> None:
    assert refused(name, *arguments).startswith(name)
