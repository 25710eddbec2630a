"""`regex`, `regexall` and `replace`: RE2, which no pattern can make run away.

Hides where Go's regular expressions differ from the RE2 library: which empty matches count, how a replacement names
groups (https://pkg.go.dev/regexp).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import re2

from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.text import bounded, nfc
from agent.declared.language.types import DYNAMIC, STRING, ListOf, ObjectOf, TupleOf, Type
from agent.declared.language.values import List, Null, Object, Tuple, Value

LONGEST_PATTERN = 10_000
"""Characters."""

MEMORY = 4 * 2**20
"""Bytes RE2 may use for one pattern; one that needs more is refused."""

MOST_WORK = 5 * 10**8
"""Characters that all searches for one function may look at, at the very most: some two seconds."""

_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
"""How a replacement names a group; what is like it and is not, is left as it stands."""


def _compiled(pattern: str) -> Any:
    if len(pattern) > LONGEST_PATTERN:
        raise EvaluationError(f"the pattern has {len(pattern):,} characters, at most {LONGEST_PATTERN:,} are read")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        raise EvaluationError(
            "the pattern is no regular expression as RE2 has it (https://github.com/google/re2/wiki/Syntax)"
        ) from None
    if r"\C" in pattern and re.search(r"(?<!\\)(?:\\\\)*\\C", pattern):
        raise EvaluationError(r"the pattern holds `\C`, which Terraform's regular expressions lack")
    return compiled


def _matches(compiled: Any, text: str) -> Iterator[Any]:
    """All matches as Go finds them: an empty one right behind another does not count."""
    end, work = -1, 0
    for match in compiled.finditer(text):
        work += len(text) - match.start()
        if work > MOST_WORK:
            raise EvaluationError("the pattern has too many matches in so long a text")
        if match.start() == match.end() == end:
            continue
        end = match.end()
        yield match


def _captured(compiled: Any, match: Any) -> Value:
    groups = [Null(STRING) if each is None else nfc(each) for each in match.groups()]
    if compiled.groupindex:
        return Object({name: groups[index - 1] for name, index in compiled.groupindex.items()})
    return Tuple(groups) if groups else nfc(match.group())


def _shape(pattern: str) -> tuple[Any, Type]:
    """The compiled pattern and the type of one match."""
    compiled = _compiled(pattern)
    if not compiled.groups:
        return compiled, STRING
    if not compiled.groupindex:
        return compiled, TupleOf((STRING,) * compiled.groups)
    if len(compiled.groupindex) < compiled.groups:
        raise EvaluationError("the pattern has groups with and without names, or two of one name: name all or none")
    if not all(map(str.isascii, compiled.groupindex)):
        raise EvaluationError("the pattern has a group whose name holds other than ASCII letters, digits and `_`")
    return compiled, ObjectOf.of(dict.fromkeys(compiled.groupindex, STRING))


def _regex(pattern: str, text: str) -> Value:
    compiled, _ = _shape(pattern)
    match = compiled.search(text)
    if match is None:
        raise EvaluationError("the pattern matches no part of the text: `try` or `regexall` allow for that")
    return _captured(compiled, match)


def _regexall(pattern: str, text: str) -> Value:
    compiled, element = _shape(pattern)
    return List((_captured(compiled, match) for match in _matches(compiled, text)), element)


def _type_of_match(arguments: Sequence[Value]) -> Type:
    return _shape(arguments[0])[1] if isinstance(arguments[0], str) else DYNAMIC


def _replace(text: str, old: str, new: str) -> str:
    if len(old) > 1 and old[0] == old[-1] == "/":
        return _replaced(text, _compiled(old[1:-1]), new)
    bounded(len(text) + text.count(old) * len(new))
    return nfc(text.replace(old, new))


def _replaced(text: str, compiled: Any, new: str) -> str:
    parts, end, size = [], 0, len(text)
    for match in _matches(compiled, text):
        inserted = _expanded(new, compiled, match)
        size += len(inserted)
        bounded(size)
        parts += [text[end : match.start()], inserted]
        end = match.end()
    return nfc("".join([*parts, text[end:]]))


def _expanded(template: str, compiled: Any, match: Any) -> str:
    def group(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        number = int(name) if name.isdigit() and len(name) < 4 else compiled.groupindex.get(name)
        return (match.group(number) or "") if number is not None and number <= compiled.groups else ""

    return _REFERENCE.sub(group, template)


_PATTERN, _STRING = Parameter("pattern", STRING), Parameter("string", STRING)

FUNCTIONS: Mapping[str, Function] = {
    "regex": Function((_PATTERN, _STRING), _regex, _type_of_match),
    "regexall": Function((_PATTERN, _STRING), _regexall, lambda given: ListOf(_type_of_match(given))),
    "replace": Function(
        (Parameter("str", STRING), Parameter("substr", STRING), Parameter("replace", STRING)), _replace, STRING
    ),
}
