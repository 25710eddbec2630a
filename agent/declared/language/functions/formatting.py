"""`format`, `formatlist` and `parseint`.

Hides the verbs (https://developer.hashicorp.com/terraform/language/functions/format) and how Go spells a number: as its
512 bits have it, since that decides how `%.1f` rounds 0.15.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from agent.declared.language.conversion import convert, text
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.json_text import encoded, quoted
from agent.declared.language.functions.text import bounded, graphemes, nfc, whole
from agent.declared.language.numbers import number
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, ListOf
from agent.declared.language.values import UNKNOWN, List, Null, Set, Tuple, Unknown, Value, flags, whys

PRECISION = 512
"""Bits of a number of Terraform's."""

LARGEST_EXPONENT = 10_000
"""Powers of ten beyond which no number is spelled in full."""

_VERB = re.compile(
    r"%(?:(?P<percent>%)|(?P<flags>[-+ #0]*)(?P<width>[1-9][0-9]*)?(?P<point>\.(?P<digits>[0-9]*))?"
    r"(?:\[(?P<argument>[1-9][0-9]*)\])?(?P<mode>[vtbdoxXeEfgGsq]))",
    re.ASCII,
)

_BASES = {"b": ("b", "0b"), "d": ("d", ""), "o": ("o", "0"), "x": ("x", "0x"), "X": ("X", "0X")}


@dataclass(frozen=True, slots=True)
class _Verb:
    flags: str
    width: int
    point: bool
    digits: int | None
    mode: str

    @property
    def precision(self) -> int | None:
        """Of numbers: a point without digits is a precision of 0."""
        return 0 if self.point and self.digits is None else self.digits


def formatted(template: str, arguments: Sequence[Value]) -> str:
    """The template with each verb replaced; arguments are known. Raises `EvaluationError`."""
    parts, position, following, used, size = [], 0, 0, 0, 0
    while (start := template.find("%", position)) >= 0:
        found = _VERB.match(template, start)
        if found is None:
            raise EvaluationError(f"what follows the `%` at character {start + 1} of `format` is no verb; `%%` is a %")
        parts.append(template[position:start])
        position = found.end()
        if found["percent"]:
            parts.append("%")
            continue
        following = int(found["argument"][:10]) if found["argument"] else following + 1
        used = max(used, following)
        if following > len(arguments):
            raise EvaluationError(f"the verb at character {start + 1} of `format` has no argument {following}")
        parts.append(_one(_verb(found), arguments[following - 1], f"argument {following} for the verb at {start + 1}"))
        size += len(parts[-1])
        bounded(size)
    if used < len(arguments):
        raise EvaluationError(f"`format` uses {used} of {len(arguments)} arguments")
    return nfc("".join([*parts, template[position:]]))


def _verb(found: re.Match[str]) -> _Verb:
    width, digits = (
        int(each) if each and len(each) < 10 else 10**9 if each else None for each in found.group("width", "digits")
    )
    bounded(max(width or 0, digits or 0))
    return _Verb(found["flags"], width or 0, found["point"] is not None, digits, found["mode"])


def _one(verb: _Verb, value: Value, what: str) -> str:
    if verb.mode == "v":
        return _padded(verb, _default(verb, value))
    if isinstance(value, Null):
        raise EvaluationError(f"{what} is null")
    wanted = STRING if verb.mode in "sq" else BOOL if verb.mode == "t" else NUMBER
    try:
        converted = convert(value, wanted)
    except EvaluationError as error:
        raise EvaluationError(f"{what}: {error}") from None
    if isinstance(converted, bool):
        return text(converted)
    if isinstance(converted, str):
        return _padded(verb, _text(verb, converted))
    if not isinstance(converted, int | Decimal):
        raise EvaluationError(f"{what} is to be a {wanted.name}")
    return _integer(verb, converted, what) if verb.mode in _BASES else _float(verb, converted)


def _default(verb: _Verb, value: Value) -> str:
    if "#" not in verb.flags:
        if isinstance(value, str):
            return value
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return _general(exact, None) if (exact := Decimal(value)).is_finite() else text(value)
    return encoded(value)


def _text(verb: _Verb, value: str) -> str:
    if verb.digits:  # a precision of 0 is none: so Terraform has it
        value = "".join(graphemes(value)[: verb.digits])
    return quoted(value) if verb.mode == "q" else value


def _padded(verb: _Verb, value: str) -> str:
    """Zeros pad on the right, too, where `-` asks for it: so Terraform has it."""
    missing = (verb.width - len(graphemes(value))) if verb.width else 0
    padding = ("0" if "0" in verb.flags else " ") * max(missing, 0)
    return value + padding if "-" in verb.flags else padding + value


def _sign(verb: _Verb, negative: bool) -> str:
    return "-" if negative else "+" if "+" in verb.flags else " " if " " in verb.flags else ""


def _integer(verb: _Verb, value: int | Decimal, what: str) -> str:
    if isinstance(value, Decimal) and (
        not value.is_finite() or value.adjusted() > LARGEST_EXPONENT or value != value.to_integral_value()
    ):
        raise EvaluationError(f"{what} is to be a whole number")
    whole_number = int(value)
    spelling, prefix = _BASES[verb.mode]
    digits = _digits(abs(whole_number), spelling)
    if verb.precision == 0 and whole_number == 0:
        return ""
    digits = digits.rjust(verb.precision or 0, "0")
    before = _sign(verb, whole_number < 0) + (prefix if "#" in verb.flags else "")
    if "-" not in verb.flags and "0" in verb.flags and verb.precision is None:
        return before + digits.rjust(verb.width - len(before), "0")
    return f"{before}{digits}".ljust(verb.width) if "-" in verb.flags else f"{before}{digits}".rjust(verb.width)


def _digits(value: int, spelling: str) -> str:
    return f"{Decimal(value):f}" if spelling == "d" else format(value, spelling)


def _float(verb: _Verb, value: int | Decimal) -> str:
    exact = Decimal(value)
    if exact.is_infinite():
        sign = "-" if exact < 0 else " " if " " in verb.flags else "+"
        return f"{sign}Inf".ljust(verb.width) if "-" in verb.flags else f"{sign}Inf".rjust(verb.width)
    if exact and abs(exact.adjusted()) > LARGEST_EXPONENT:
        raise EvaluationError("a number is too large or too small to be spelled")
    mode = verb.mode.lower()
    if mode == "g":
        spelled = _general(abs(exact) if verb.precision is None else _binary(exact), verb.precision)
    else:
        precision = 6 if verb.precision is None else verb.precision
        spelled = _exponential(_binary(exact), precision) if mode == "e" else f"{_binary(exact):.{precision}f}"
    spelled = spelled.upper() if verb.mode.isupper() else spelled
    sign = _sign(verb, exact < 0)
    if "0" in verb.flags:
        return sign + spelled.rjust(verb.width - len(sign), "0")
    return (sign + spelled).ljust(verb.width) if "-" in verb.flags else (sign + spelled).rjust(verb.width)


def _binary(value: Decimal) -> Decimal:
    """The magnitude of the number of 512 bits that is nearest, in full."""
    magnitude = Fraction(abs(value))
    if not magnitude:
        return Decimal(0)
    shift = magnitude.numerator.bit_length() - magnitude.denominator.bit_length() - PRECISION
    shift += (magnitude / Fraction(2) ** shift) >= 2**PRECISION
    mantissa = round(magnitude / Fraction(2) ** shift)
    if shift >= 0:
        return Decimal(mantissa * 2**shift)
    return Decimal(mantissa * 5**-shift).scaleb(shift, Context(prec=10**7, Emin=-(10**7), Emax=10**7))


def _exponential(magnitude: Decimal, precision: int) -> str:
    if not magnitude:
        return f"{magnitude:.{precision}f}e+00"
    mantissa, exponent = f"{magnitude:.{precision}e}".split("e")
    return f"{mantissa}e{int(exponent):+03d}"


def _general(value: Decimal, precision: int | None) -> str:
    """`%g`: with an exponent below 10^-4 and from 10^precision on; without a precision, as few digits as will do."""
    sign = "-" if value < 0 else ""
    if not value:
        return "0"
    rounded = abs(value)
    if precision is not None:
        rounded = Context(max(precision, 1), ROUND_HALF_EVEN, -(10**7), 10**7).plus(rounded)
    mantissa = "".join(map(str, rounded.as_tuple().digits)).rstrip("0")
    exponent = rounded.adjusted()
    limit = 6 if precision is None else max(precision, 1)
    if precision is not None and limit > len(mantissa) >= exponent + 1:
        limit = len(mantissa)
    if exponent < -4 or exponent >= limit:
        return f"{sign}{mantissa[0]}{'.' if mantissa[1:] else ''}{mantissa[1:]}e{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{mantissa}"
    before, after = mantissa[: exponent + 1].ljust(exponent + 1, "0"), mantissa[exponent + 1 :]
    return f"{sign}{before}{'.' if after else ''}{after}"


def _format(template: str, *arguments: Value) -> Value:
    """A null without any type is, to Terraform, something that it does not know yet."""
    if any(isinstance(each, Null) and each.type == DYNAMIC for each in arguments):
        return Unknown("format() of a null that has no type", STRING)
    return formatted(template, arguments)


def _formatlist(template: Value, *arguments: Value) -> Value:
    whole_type = ListOf(STRING)
    if not isinstance(template, str) or any(isinstance(each, Unknown) for each in arguments):
        return Unknown((why for each in (template, *arguments) for why in whys(each)), whole_type)
    if any(isinstance(each, Null) and each.type == DYNAMIC for each in arguments):
        return Unknown("formatlist() of a null that has no type", whole_type)
    lists = {index: each.items for index, each in enumerate(arguments) if isinstance(each, List | Set | Tuple)}
    lengths = {len(items) for items in lists.values()}
    if len(lengths) > 1:
        raise EvaluationError(f"the lists differ in length: {', '.join(map(str, sorted(lengths)))}")
    made: list[Value] = []
    size = 0
    for at in range(min(lengths, default=1)):
        given = [lists[index][at] if index in lists else each for index, each in enumerate(arguments)]
        if any(flags(each) & UNKNOWN for each in given):
            made.append(Unknown((why for each in given for why in whys(each)), STRING))
            continue
        made.append(one := formatted(template, given))
        size += len(one)
        bounded(size)
    return List(made, STRING)


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

MOST_DIGITS = 4_000
"""Digits of a number that `parseint` reads."""


def _parseint(spelled: Value, base: Value) -> Value:
    if not isinstance(spelled, str):
        raise EvaluationError("`number` is to be a text")
    radix = whole(base, "base")
    if not 2 <= radix <= len(_DIGITS):
        raise EvaluationError(f"`base` is to be 2 to {len(_DIGITS)}")
    digits = spelled[1:] if spelled[:1] in ("+", "-") else spelled
    known = _DIGITS[:radix]
    digits = digits.lower() if radix <= 36 and digits.isascii() else digits
    if not digits or not set(digits) <= set(known):
        raise EvaluationError(f"`number` is no whole number of base {radix}")
    if len(digits) > MOST_DIGITS:
        raise EvaluationError(f"`number` has {len(digits):,} digits, at most {MOST_DIGITS:,} are read")
    value = 0
    for each in digits:
        value = value * radix + known.index(each)
    return number(-value if spelled[0] == "-" else value)


_FORMAT = (Parameter("format", STRING),)

FUNCTIONS: Mapping[str, Function] = {
    "format": Function(_FORMAT, _format, STRING, variadic=Parameter("args", null=True)),
    "formatlist": Function(_FORMAT, _formatlist, ListOf(STRING), variadic=Parameter("args", null=True), partial=True),
    "parseint": Function((Parameter("number"), Parameter("base", NUMBER)), _parseint, NUMBER),
}
