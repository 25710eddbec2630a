"""Functions over numbers: rounding, extremes, powers, sums, ranges.

Hides which of them count in Go's 64-bit floating point (`log`, `pow`) and which in Terraform's 512 bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.numbers import ARITHMETIC, Number, number
from agent.declared.language.types import NUMBER, ListOf
from agent.declared.language.values import List, Set, Tuple, Value

RANGE_ITEMS = 1024
"""The most numbers `range` gives; Terraform's own limit."""

_add = ARITHMETIC["+"]
_INT64 = 1 << 63


def whole(value: Number, what: str) -> int:
    """A number as a whole one of 64 bits. Raises `EvaluationError`, which calls it by `what`."""
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return value
    raise EvaluationError(f"{what} must be a whole number of at most 64 bits")


def _abs(value: Number) -> Value:
    return abs(value) if isinstance(value, int) else value.copy_abs()


def _ceil(value: Number) -> Value:
    return _to_whole(value, ROUND_CEILING)


def _floor(value: Number) -> Value:
    return _to_whole(value, ROUND_FLOOR)


def _to_whole(value: Number, rounding: str) -> Value:
    return value if isinstance(value, int) else number(value.to_integral_value(rounding=rounding))


def _max(*values: Number) -> Value:
    return max(_some(values))


def _min(*values: Number) -> Value:
    return min(_some(values))


def _some(values: tuple[Number, ...]) -> tuple[Number, ...]:
    if not values:
        raise EvaluationError("takes at least one number")
    return values


def _signum(value: Number) -> Value:
    sign = whole(value, "the number")
    return (sign > 0) - (sign < 0)


def _sum(values: Value) -> Value:
    if not isinstance(values, List | Set | Tuple):
        raise EvaluationError("takes a list, set or tuple of numbers")
    if not values.items:
        raise EvaluationError("a sum needs at least one number")
    total: Number = 0
    for each in values.items:
        addend = convert(each, NUMBER)
        if not isinstance(addend, int | Decimal):
            raise EvaluationError("one of the numbers is null")
        total = _add(total, addend)
    return total


def _range(*values: Number) -> Value:
    match values:
        case [end]:
            start, step = 0, -1 if end < 0 else 1
        case [start, end]:
            step = -1 if end < start else 1
        case [start, end, step]:
            if start != end and (step == 0 or (step > 0) != (end > start)):
                raise EvaluationError("the step must lead from the start to the end")
        case _:
            raise EvaluationError("takes one, two or three numbers")
    found: list[Value] = []
    at: Number = start
    while at > end if step < 0 else at < end:
        if len(found) == RANGE_ITEMS:
            raise EvaluationError(f"more than {RANGE_ITEMS} numbers")
        found.append(at)
        at = _add(at, step)
    return List(found, NUMBER)


# --- 64-bit floating point -------------------------------------------------------------------------------------


def _log(value: Number, base: Number) -> Value:
    of, to = _natural_logarithm(_float(value)), _natural_logarithm(_float(base))
    if to == 0:
        return _finished(math.nan if of == 0 else math.copysign(math.inf, of) * math.copysign(1, to))
    return _finished(of / to)


_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_ODD = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01)
_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)


def _natural_logarithm(value: float) -> float:
    """By the polynomial that Go uses (fdlibm's, https://www.netlib.org/fdlibm/e_log.c): C's last digit differs, and
    `ceil(log(8, 2))` is a number of subnets."""
    if not 0 < value < math.inf:
        return -math.inf if value == 0 else math.inf if value > 0 else math.nan
    mantissa, exponent = math.frexp(value)
    if mantissa < math.sqrt(0.5):
        mantissa, exponent = mantissa * 2, exponent - 1
    f = mantissa - 1
    s = f / (2 + f)
    square = s * s
    fourth = square * square
    rest = square * _horner(_ODD, fourth) + fourth * _horner(_EVEN, fourth)
    half = 0.5 * f * f
    return exponent * _LN2_HIGH - ((half - (s * (half + rest) + exponent * _LN2_LOW)) - f)


def _horner(coefficients: tuple[float, ...], at: float) -> float:
    result = 0.0
    for each in reversed(coefficients):
        result = each + at * result
    return result


def _pow(value: Number, power: Number) -> Value:
    return _finished(_power(_float(value), _float(power)))


def _power(value: float, power: float) -> float:
    """x^y as Go has it: by squaring, whose last digits are not those of C (`pow(10, 308)`).

    Where the power is no whole number the last digit may still differ: `math.exp` is C's.
    """
    special = _special_power(value, power)
    if special is not None:
        return special
    fraction, times = math.modf(abs(power))
    if fraction and value < 0:
        return math.nan
    if times >= 2.0**63:
        return 0.0 if (abs(value) < 1) == (power > 0) else math.inf
    if fraction > 0.5:
        fraction, times = fraction - 1, times + 1
    result = math.exp(fraction * _natural_logarithm(value)) if fraction else 1.0
    factor, factor_exponent = math.frexp(value)
    exponent, left = 0, int(times)
    while left:
        if abs(factor_exponent) > 1 << 12:  # out of range for good
            exponent += factor_exponent
            break
        if left & 1:
            result, exponent = result * factor, exponent + factor_exponent
        factor, factor_exponent = factor * factor, factor_exponent << 1
        if factor < 0.5:
            factor, factor_exponent = factor + factor, factor_exponent - 1
        left >>= 1
    if power < 0:
        result, exponent = 1 / result, -exponent
    try:
        return math.ldexp(result, exponent)
    except OverflowError:
        return math.copysign(math.inf, result)


def _special_power(value: float, power: float) -> float | None:
    if power == 0 or value == 1:
        return 1.0
    if power == 1:
        return value
    if math.isnan(value) or math.isnan(power):
        return math.nan
    if power == 0.5:
        return math.sqrt(value) if value >= 0 else math.nan
    if power == -0.5 and value > 0:
        return 1 / math.sqrt(value)
    if value in (0, -1) or math.isinf(value) or math.isinf(power):
        try:
            return math.pow(value, power)
        except (ValueError, OverflowError):
            return math.nan if value else math.inf
    return None


def _float(value: Number) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if math.isinf(found) and not (isinstance(value, Decimal) and value.is_infinite()):
        raise EvaluationError("the number is too large")
    return found


def _finished(value: float) -> Value:
    """A whole number keeps all its digits, as Terraform counts with it; writing it, Terraform rounds to 17 digits."""
    if math.isnan(value):
        raise EvaluationError("there is no such number")
    return number(Decimal(value)) if math.isinf(value) or value.is_integer() else number(value)


_NUM = Parameter("num", NUMBER)
_NUMBERS = Parameter("numbers", NUMBER)

FUNCTIONS: Mapping[str, Function] = {
    "abs": Function((_NUM,), _abs, NUMBER),
    "ceil": Function((_NUM,), _ceil, NUMBER),
    "floor": Function((_NUM,), _floor, NUMBER),
    "log": Function((_NUM, Parameter("base", NUMBER)), _log, NUMBER),
    "max": Function((), _max, NUMBER, variadic=_NUMBERS),
    "min": Function((), _min, NUMBER, variadic=_NUMBERS),
    "pow": Function((_NUM, Parameter("power", NUMBER)), _pow, NUMBER),
    "range": Function((), _range, ListOf(NUMBER), variadic=Parameter("params", NUMBER)),
    "signum": Function((_NUM,), _signum, NUMBER),
    "sum": Function((Parameter("list"),), _sum, NUMBER),
}
