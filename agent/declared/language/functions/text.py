"""Functions over text that need no pattern.

Hides what Terraform means by a character (a grapheme cluster where it counts, a code point where it searches), Go's
idea of case, and that every text is NFC: two texts joined may have to be composed anew.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from decimal import Decimal

import regex

from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.types import BOOL, NUMBER, STRING, ListOf
from agent.declared.language.values import UNKNOWN, List, Null, Unknown, Value, flags, whys

LARGEST_RESULT = 16 * 2**20
"""Characters a function may give back; far more than any attribute of any cloud can hold."""

_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""Go's `unicode.IsSpace`; Python's own idea of space has four control characters more."""

_TAIL, _EMOJI = r"[\p{GCB=Extend}\u200d\p{GCB=SpacingMark}]*", r"\p{Extended_Pictographic}"
_CLUSTER = regex.compile(
    r"\r\n|[\p{GCB=Control}\r\n]|\p{GCB=Prepend}*(?:(?:"
    r"\p{GCB=L}*(?:\p{GCB=V}+|\p{GCB=LV}\p{GCB=V}*|\p{GCB=LVT})\p{GCB=T}*|\p{GCB=L}+|\p{GCB=T}+|\p{RI}{1,2}"
    rf"|{_EMOJI})(?:{_TAIL}\u200d{_EMOJI})*|[^\p{{GCB=Control}}\r\n]){_TAIL}",
    regex.DOTALL,
)
"""Clusters as Unicode 15.0 had them (https://www.unicode.org/reports/tr29/tr29-41.html), as Terraform 1.11 does; the
package's own `\\X` is newer and keeps together what Indic scripts join."""


def nfc(text: str) -> str:
    """The text as Terraform keeps it: composed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def graphemes(text: str) -> list[str]:
    """The grapheme clusters of a text: what `length`, `substr`, `strrev` and widths count."""
    if text.isascii() and "\r" not in text:
        return list(text)
    return _CLUSTER.findall(text)


def whole(value: Value, name: str) -> int:
    """A number that must be whole and fit in 64 bits. Raises `EvaluationError` that calls it `name`."""
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    raise EvaluationError(f"`{name}` is to be a whole number" + ("" if isinstance(value, Decimal) else " of 64 bits"))


def bounded(size: int) -> None:
    """Raises `EvaluationError` where a result of so many characters is more than is ever needed."""
    if size > LARGEST_RESULT:
        raise EvaluationError(f"the result would have {size:,} characters, at most {LARGEST_RESULT:,} are made")


def upper(text: str) -> str:
    """Go's `strings.ToUpper`: character by character, so that `ß` stays."""
    return text.upper() if text.isascii() else nfc("".join(map(_upper, text)))


def _upper(character: str) -> str:
    for found in (character.upper(), character.title()):
        if len(found) == 1:
            return found
    return character


def lower(text: str) -> str:
    """Go's `strings.ToLower`: character by character; the one that Python makes two of is `İ`."""
    return text.lower() if text.isascii() else nfc("".join(each.lower()[0] for each in text))


def title(text: str) -> str:
    """Go's `strings.Title`: letters after what is no letter, digit or `_` in title case, all others as they are."""
    made, before = [], " "
    for each in text:
        made.append(_title(each) if _separates(before) else each)
        before = each
    return nfc("".join(made))


def _title(character: str) -> str:
    found = character.title()
    return found if len(found) == 1 else character


def _separates(character: str) -> bool:
    if character < "\x80":
        return not (character.isalnum() or character == "_")
    category = unicodedata.category(character)
    return category[0] != "L" and category != "Nd" and character in _SPACE


def _indent(spaces: Value, text: str) -> str:
    count = whole(spaces, "spaces")
    if count < 0:
        raise EvaluationError("`spaces` is to be 0 or more")
    bounded(len(text) + count * text.count("\n"))
    return nfc(text.replace("\n", "\n" + " " * count))


def _join(separator: Value, *lists: Value) -> Value:
    if not lists:
        raise EvaluationError("takes at least one list")
    if any(flags(each) & UNKNOWN for each in (separator, *lists)):
        return Unknown((why for each in (separator, *lists) for why in whys(each)), STRING)
    items = [each for one in lists if isinstance(one, List) for each in one.items]
    if any(isinstance(each, Null) for each in items):
        raise EvaluationError("an element of the lists is null")
    parts = [each for each in items if isinstance(each, str)]
    between = separator if isinstance(separator, str) else ""
    bounded(sum(map(len, parts)) + len(between) * len(parts))
    return nfc(between.join(parts))


def _replace(text: str, old: str, new: str) -> str:
    bounded(len(text) + text.count(old) * len(new))
    return nfc(text.replace(old, new))


def _split(separator: str, text: str) -> Value:
    parts = text.split(separator) if separator else list(text)
    return List(map(nfc, parts), STRING)


def _substr(text: str, offset: Value, length: Value) -> str:
    start, count = whole(offset, "offset"), whole(length, "length")
    if start >= 0 and count == 0:
        return ""
    clusters = graphemes(text)
    start = max(start + len(clusters), 0) if start < 0 else start
    # From the end, a length of 0 means all the rest, as a negative one does: so Terraform has it.
    return nfc("".join(clusters[start : start + count] if count > 0 else clusters[start:]))


def _text(name: str = "str") -> Parameter:
    return Parameter(name, STRING)


FUNCTIONS: Mapping[str, Function] = {
    "chomp": Function((_text(),), lambda text: text.rstrip("\r\n"), STRING),
    "endswith": Function((_text(), _text("suffix")), str.endswith, BOOL),
    "indent": Function((Parameter("spaces", NUMBER), _text()), _indent, STRING),
    "join": Function((_text("separator"),), _join, STRING, variadic=Parameter("lists", ListOf(STRING)), partial=True),
    "lower": Function((_text(),), lower, STRING),
    "split": Function((_text("separator"), _text()), _split, ListOf(STRING)),
    "startswith": Function((_text(), _text("prefix")), str.startswith, BOOL),
    "strcontains": Function((_text(), _text("substr")), str.__contains__, BOOL),
    "strrev": Function((_text(),), lambda text: nfc("".join(reversed(graphemes(text)))), STRING),
    "substr": Function((_text(), Parameter("offset", NUMBER), Parameter("length", NUMBER)), _substr, STRING),
    "title": Function((_text(),), title, STRING),
    "trim": Function((_text(), _text("cutset")), lambda text, cutset: nfc(text.strip(cutset)), STRING),
    "trimprefix": Function((_text(), _text("prefix")), lambda text, prefix: nfc(text.removeprefix(prefix)), STRING),
    "trimspace": Function((_text(),), lambda text: nfc(text.strip(_SPACE)), STRING),
    "trimsuffix": Function((_text(), _text("suffix")), lambda text, suffix: nfc(text.removesuffix(suffix)), STRING),
    "upper": Function((_text(),), upper, STRING),
}
