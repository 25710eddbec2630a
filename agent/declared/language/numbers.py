"""Numbers as Terraform has them: binary floating point with 512 bits.

Hides that ours are `int` or `Decimal`. A `Decimal` is the shortest one that stands for its binary number, which is also
how Terraform writes it: equal numbers are equal decimals. Whole numbers below 10^100 are `int`, and exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import lru_cache

from agent.declared.language.error import EvaluationError

Number = int | Decimal

_PRECISION = 512
_CERTAIN = 153
"""Decimals of so many digits survive the way to binary and back: floor(511 * log10(2))."""
_LARGEST = 10**100
"""Whole numbers from here on are kept as `Decimal`: `1e1000000` must not become a million digits."""
_WHOLE_DIGITS = 100
MAX_DIGITS = 20_000
"""Digits before or behind the point of the largest and smallest number; Terraform has no such limit."""

_TEXT = re.compile(r"(?P<sign>[+-]?)(?P<digits>\d+\.?\d*|\.\d+)(?:(?P<base>[eEpP])(?P<exponent>[+-]?\d+))?", re.ASCII)
_WIDE = Context(prec=_CERTAIN + 10)
_INFINITE = re.compile(r"[+-]?[iI]nf")


def number(value: int | float | Decimal) -> Number:
    """A number in the form values have."""
    if isinstance(value, int):
        return value if -_LARGEST < value < _LARGEST else Decimal(value)
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    whole = exact.is_finite() and exact.adjusted() < _WHOLE_DIGITS and exact == exact.to_integral_value()
    return int(exact) if whole else exact


def parsed(text: str) -> Number | None:
    """The number a string converts to, None where it is none. Raises `EvaluationError` where it is beyond bounds."""
    if text.isascii() and text.isdigit() and len(text) <= _WHOLE_DIGITS:
        return int(text)
    if _INFINITE.fullmatch(text):
        return Decimal(text)
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    digits, exponent = Decimal(found["sign"] + found["digits"]), found["exponent"] or "0"
    if len(text) > MAX_DIGITS or len(exponent) > 9:
        raise _beyond()
    if (found["base"] or "e") in "eE":
        return nearest(Decimal(f"{digits}E{exponent}") if "E" not in str(digits) else _scaled(digits, int(exponent)))
    if abs(int(exponent)) > MAX_DIGITS:
        raise _beyond()
    top, bottom = digits.as_integer_ratio()
    power = int(exponent)
    return _rounded(top << power, bottom) if power >= 0 else _rounded(top, bottom << -power)


def _scaled(value: Decimal, exponent: int) -> Decimal:
    sign, digits, own = value.as_tuple()
    return Decimal((sign, digits, int(own) + exponent))


@lru_cache(maxsize=4096)
def nearest(value: Decimal) -> Number:
    """A decimal of any length as the binary number nearest to it."""
    if not value.is_finite():
        return value
    if value and abs(value.adjusted()) > MAX_DIGITS:
        raise _beyond()
    if len(value.as_tuple().digits) <= _CERTAIN:
        return number(value)
    return _rounded(*value.as_integer_ratio())


def text(value: Number) -> str:
    """A number as `tostring` and templates spell it: never with an exponent."""
    if isinstance(value, int):
        return str(value)
    if value.is_infinite():
        return "-Inf" if value < 0 else "+Inf"
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def general(value: Number) -> str:
    """A number with ten significant digits, in C's `%.10g`."""
    return f"{float(value):.10g}"


def negative(value: Number) -> Number:
    """`-value`."""
    return -value if isinstance(value, int) else value.copy_negate()


def _add(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return number(left + right)
    if _infinite(left, right):
        return _infinity("+", left, right)
    (a, b), (c, d) = left.as_integer_ratio(), right.as_integer_ratio()
    (a, b), (c, d) = _binary(a, b), _binary(c, d)
    return _rounded(a * d + c * b, b * d)


def _subtract(left: Number, right: Number) -> Number:
    return _add(left, negative(right))


def _multiply(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        product = left * right
        return product if -_LARGEST < product < _LARGEST else _rounded(product, 1)
    if _infinite(left, right):
        return _infinity("*", left, right)
    (a, b), (c, d) = _binary(*left.as_integer_ratio()), _binary(*right.as_integer_ratio())
    return _rounded(a * c, b * d)


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and right and not left % right:
        return left // right
    if not right or _infinite(left, right):
        return _infinity("/", left, right)
    (a, b), (c, d) = _binary(*left.as_integer_ratio()), _binary(*right.as_integer_ratio())
    return _rounded(a * d, b * c) if c > 0 else _rounded(-a * d, -b * c)


def _modulo(left: Number, right: Number) -> Number:
    if not right:
        return left
    if _infinite(left, right):
        raise EvaluationError("the remainder of infinity cannot be told")
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return _subtract(left, _multiply(number(int(_divide(left, right))), right))


ARITHMETIC: Mapping[str, Callable[[Number, Number], Number]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
}
"""The operators. Division by zero gives infinity, and its remainder is what was divided, as in Terraform."""


def _infinite(*values: Number) -> bool:
    return any(isinstance(each, Decimal) and not each.is_finite() for each in values)


def _infinity(operator: str, left: Number, right: Number) -> Number:
    a, b = Decimal(left), Decimal(right)
    if operator == "+" and not (a.is_infinite() and b.is_infinite() and a != b):
        return a if a.is_infinite() else b
    if operator == "*" and a and b:
        return Decimal("Infinity").copy_sign(Decimal(1 if (a < 0) == (b < 0) else -1))
    if operator == "/" and not b.is_infinite() and a:
        return Decimal("Infinity").copy_sign(a if not b.is_signed() else a.copy_negate())
    if operator == "/" and b.is_infinite() and not a.is_infinite():
        return 0
    raise EvaluationError(f"`{operator}` of zeros or infinities has no result")


def _beyond() -> EvaluationError:
    return EvaluationError(f"a number of more than {MAX_DIGITS:,} digits")


def _binary(top: int, bottom: int) -> tuple[int, int]:
    """The fraction nearest to a fraction that 512 bits can hold."""
    if not top or (bottom & (bottom - 1) == 0 and abs(top).bit_length() <= _PRECISION):
        return top, bottom
    mantissa, power = _mantissa(abs(top), bottom)
    mantissa = -mantissa if top < 0 else mantissa
    return (mantissa << power, 1) if power >= 0 else (mantissa, 1 << -power)


def _mantissa(top: int, bottom: int) -> tuple[int, int]:
    """`m, e` with m · 2^e nearest to the positive fraction, m of 512 bits; halves go to the even one."""
    power = top.bit_length() - bottom.bit_length() - _PRECISION
    if (top >> power if power >= 0 else top << -power) // bottom >= 1 << _PRECISION:
        power += 1
    elif (top >> power if power >= 0 else top << -power) // bottom < 1 << (_PRECISION - 1):
        power -= 1
    top, bottom = (top, bottom << power) if power >= 0 else (top << -power, bottom)
    mantissa, rest = divmod(top, bottom)
    if 2 * rest > bottom or (2 * rest == bottom and mantissa & 1):
        mantissa += 1
    return mantissa, power


def _rounded(top: int, bottom: int) -> Number:
    """A fraction as the number nearest to it."""
    if not top:
        return 0
    size = abs(top).bit_length() - bottom.bit_length()
    if abs(size) > MAX_DIGITS * 3.33:
        raise _beyond()
    mantissa, power = _mantissa(abs(top), bottom)
    found = _shortest(mantissa, power)
    return number(found.copy_negate() if top < 0 else found)


def _shortest(mantissa: int, power: int) -> Decimal:
    """The decimal of fewest digits that is nearer to m · 2^e than to any other such number."""
    # In quarters of the last bit: the number, and how far its neighbours' halves reach.
    value, power = mantissa << 2, power - 2
    below = 1 if mantissa & (mantissa - 1) == 0 else 2
    low, high, even = value - below, value + 2, not mantissa & 1
    scale, unit = (1 << power, 1) if power >= 0 else (1, 1 << -power)
    low, value, high = low * scale, value * scale, high * scale
    exponent = int((value.bit_length() - unit.bit_length()) * 0.30103)  # of ten, within one
    least, most = 0, _CERTAIN + 5
    found = Decimal(0)
    while least < most:
        digits = (least + most) // 2
        candidate = _of_digits(low, value, high, unit, exponent - digits, even)
        if candidate is None:
            least = digits + 1
        else:
            most, found = digits, candidate
    return found


def _of_digits(low: int, value: int, high: int, unit: int, exponent: int, even: bool) -> Decimal | None:
    """The multiple of 10^exponent nearest to value/unit, if one lies within."""
    times = 10 ** abs(exponent)
    if exponent >= 0:
        unit *= times
    else:
        low, value, high = low * times, value * times, high * times
    down = value // unit
    near = down if 2 * (value - down * unit) <= unit else down + 1
    for each in (near, down, down + 1):
        at = each * unit
        if low < at < high or (even and at in (low, high)):
            return Decimal(f"{each}E{exponent}").normalize(_WIDE)
    return None
