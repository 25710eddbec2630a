"""`yamldecode`.

Hides which YAML Terraform reads, found by trying: the syntax of YAML 1.1 with scalars of its own making, where `yes` is
true, `010` is ten and a date is a text (https://developer.hashicorp.com/terraform/language/functions/yamldecode).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.scanner import Scanner, ScannerError

from agent.declared.language.conversion import convert, text
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.dates import moment, rfc3339
from agent.declared.language.functions.encoding import BASE64
from agent.declared.language.functions.json_text import DEEPEST
from agent.declared.language.functions.text import nfc
from agent.declared.language.numbers import parsed
from agent.declared.language.types import DYNAMIC, STRING
from agent.declared.language.values import NULL, Map, Null, Object, Tuple, Value

LONGEST = 2**20
"""Characters of a document."""

MOST_NODES = 200_000
"""Values of a document, aliases counted as often as they are used."""

_WORDS: Mapping[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), NULL),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
    **dict.fromkeys((sign + word for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), Decimal("Infinity")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), Decimal("-Infinity")),
}
_NOT_A_NUMBER = (".nan", ".NaN", ".NAN")

_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_OF_BASE = re.compile(r"0(?:x[0-9a-fA-F]+|o[0-7]+)", re.ASCII)
_TAGGED_OF_BASE = re.compile(r"[-+]?0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", re.ASCII)
"""With `!!int` or `!!float` before it; then a number may also have underscores anywhere."""
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:(?P<T>[Tt ])(\d\d?):(\d\d?):(\d\d?)(?P<fraction>\.\d+)?(?P<zone>Z|[-+]\d\d:\d\d)?)?",
    re.ASCII,
)

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = ("str", "binary", "int", "float", "bool", "null", "timestamp")


_ANCHOR = re.compile(r"[A-Za-z0-9_-]+")
_OTHER_DIRECTIVE = re.compile(r"\A(?:(?:#.*|%(?:YAML|TAG)[ \t].*|[ \t]*)\n)*%(?!(?:YAML|TAG)[ \t])")
_OTHER_BREAK = re.compile("[\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPES = {letter: meant for letter, meant in Scanner.ESCAPE_REPLACEMENTS.items() if letter != "/"} | {"'": "'"}


class _Scanner(Scanner):
    """The package's scanner with what it and Terraform's see differently: tabs between tokens, two escapes."""

    ESCAPE_REPLACEMENTS = _ESCAPES

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while self.reader.peek() == "\t" and not self.allow_simple_key:
            self.reader.forward()
            super().scan_to_next_token()

    def scan_block_scalar_indentation(self) -> Any:
        """What stands before the first line of a block; a tab may not."""
        found = super().scan_block_scalar_indentation()
        if self.reader.peek() == "\t":
            raise ScannerError(None, None, "a tab indents a line", self.reader.get_mark())
        return found

    def scan_plain_spaces(self, indent: int, start_mark: Any) -> list[str] | None:
        """What stands between two words of a plain scalar, folded; None before a document's end."""
        blanks = self._blanks()
        if self.reader.peek() not in "\r\n":
            return [blanks] if blanks else []
        first = self.scan_line_break()
        self.allow_simple_key = True
        more = []
        while True:
            if self.reader.prefix(3) in ("---", "...") and self.reader.peek(3) in "\0 \t\r\n":
                return None
            self._blanks(indent, start_mark)
            if self.reader.peek() not in "\r\n":
                break
            more.append(self.scan_line_break())
        return [*([first] if first != "\n" else [] if more else [" "]), *more]

    def _blanks(self, indent: int = 0, start_mark: Any = None) -> str:
        found = []
        while (blank := self.reader.peek()) in " \t":
            if blank == "\t" and self.reader.column < indent:
                raise ScannerError(None, start_mark, "a tab indents a line", self.reader.get_mark())
            found.append(blank)
            self.reader.forward()
        return "".join(found)


@dataclass(slots=True)
class _Reading:
    """A document that is being read."""

    events: Iterator[Event]
    anchors: dict[str, tuple[Value, int]] = field(default_factory=dict)
    nodes: int = 0


def _wrong(what: str, event: Any) -> EvaluationError:
    return EvaluationError(f"line {event.start_mark.line + 1} of the YAML: {what}")


def decoded(source: str) -> Value:
    """One YAML document → value: sequences are tuples, mappings are objects. Raises `EvaluationError`."""
    if len(source) > LONGEST:
        raise EvaluationError(f"the YAML has {len(source):,} characters, at most {LONGEST:,} are read")
    if _OTHER_BREAK.search(source):
        raise EvaluationError("the YAML has line separators other than line feeds")
    if _OTHER_DIRECTIVE.match(source):
        raise EvaluationError("the YAML has a directive (%) other than %YAML and %TAG")
    parser = YAML(typ="safe", pure=True)
    parser.Scanner = _Scanner
    try:
        return _document(_Reading(parser.parse(source)))
    except YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f"line {line + 1} of "
        raise EvaluationError(
            f"{where}the text is no YAML: {getattr(error, 'problem', None) or 'unreadable'}"
        ) from None
    except (ValueError, LookupError, AttributeError, AssertionError, TypeError, ArithmeticError, NotImplementedError):
        raise EvaluationError("the text is no YAML that can be read") from None


def _document(reading: _Reading) -> Value:
    start = next(each for each in reading.events if not isinstance(each, StreamStartEvent))
    if not isinstance(start, DocumentStartEvent):
        raise EvaluationError("the text has no YAML document")
    if start.version not in (None, (1, 1)):
        raise EvaluationError("the YAML says that it is of a version that is not 1.1")
    value = _node(reading, next(reading.events), 0)
    next(reading.events)
    if not isinstance(extra := next(reading.events), StreamEndEvent):
        raise _wrong("a second document begins; only one is read", extra)
    return value


def _node(reading: _Reading, event: Event, depth: int) -> Value:
    if depth > DEEPEST:
        raise _wrong(f"nested deeper than {DEEPEST} levels", event)
    before = reading.nodes
    reading.nodes += 1
    value = _alias(reading, event) if isinstance(event, AliasEvent) else _content(reading, event, depth)
    if reading.nodes > MOST_NODES:
        raise _wrong(f"more than {MOST_NODES:,} values", event)
    if isinstance(event, NodeEvent) and event.anchor and not isinstance(event, AliasEvent):
        if not _ANCHOR.fullmatch(event.anchor):
            raise _wrong("an anchor (&) of other characters than letters, digits, `_` and `-`", event)
        reading.anchors[event.anchor] = (value, reading.nodes - before)
    return value


def _alias(reading: _Reading, event: AliasEvent) -> Value:
    found = reading.anchors.get(event.anchor)
    if found is None:
        raise _wrong("an alias (*) has no anchor (&) before it", event)
    value, nodes = found
    reading.nodes += nodes
    return value


def _content(reading: _Reading, event: Event, depth: int) -> Value:
    tag = _tag(event)
    if isinstance(event, ScalarEvent):
        return _scalar(event, tag)
    if isinstance(event, SequenceStartEvent) and tag in ("", "seq"):
        items = []
        while not isinstance(following := next(reading.events), SequenceEndEvent):
            items.append(_node(reading, following, depth + 1))
        return Tuple(items)
    if isinstance(event, MappingStartEvent) and tag in ("", "map"):
        return _mapping(reading, depth)
    raise _wrong("a tag (!) that is not supported", event)


def _tag(event: Any) -> str:
    """The name of a tag of YAML's own; empty without a tag. Others are refused."""
    if event.tag is None:
        return ""
    spelled = str(event.tag)
    name = spelled.removeprefix(_TAG)
    if name == spelled or name not in (*_SCALAR_TAGS, "seq", "map"):
        raise _wrong("a tag (!) that is not supported", event)
    return name


def _mapping(reading: _Reading, depth: int) -> Value:
    """Keys in order, the last one of a name wins, merged ones (`<<`) included: so Terraform has it."""
    items: dict[str, Value] = {}
    while not isinstance(event := next(reading.events), MappingEndEvent):
        merges = isinstance(event, ScalarEvent) and event.value == "<<" and not _tag(event)
        key = "" if merges else _key(reading, event, depth)
        value = _node(reading, following := next(reading.events), depth + 1)
        if not merges:
            items[key] = value
        elif isinstance(value, Map | Object):
            items.update(value.items)
        else:
            raise _wrong("what is merged (<<) is no mapping", following)
    return Object(items)


def _key(reading: _Reading, event: Event, depth: int) -> str:
    if isinstance(event, AliasEvent):
        raise _wrong("a key that is an alias (*)", event)
    key = _node(reading, event, depth + 1)
    if isinstance(key, bool | int | Decimal | str):
        return text(key)
    raise _wrong("a key that is null" if isinstance(key, Null) else "a key that is no text", event)


def _scalar(event: ScalarEvent, tag: str) -> Value:
    if _SURROGATE.search(event.value):
        raise _wrong("an escape that is no character", event)
    spelled = nfc(event.value)
    if tag not in ("", *_SCALAR_TAGS):
        raise _wrong("a tag (!) that is not supported", event)
    if tag == "binary":
        return _binary(spelled, event)
    if tag == "str" or event.style in ("'", '"'):
        return spelled
    value = _plain(spelled, tag, event)
    if tag and tag != "timestamp" and isinstance(value, str):
        if tag == "null":
            return NULL
        raise _wrong(f"what is tagged !!{tag} is none", event)
    # Terraform reads a block of lines as if it stood in one line, and then makes a text of what it found.
    return convert(value, STRING) if event.style and not tag else value


def _binary(spelled: str, event: ScalarEvent) -> Value:
    if not BASE64.fullmatch(spelled.replace("\n", "")):
        raise _wrong("what is tagged !!binary is no base64", event)
    return spelled


def _plain(spelled: str, tag: str, event: ScalarEvent) -> Value:
    if spelled in _WORDS:
        return _WORDS[spelled]
    if spelled in _NOT_A_NUMBER and tag != "null":
        raise _wrong("a number that is none (.nan)", event)
    tagged = tag in ("int", "float")
    digits = spelled.replace("_", "") if tagged else spelled
    if _DECIMAL.fullmatch(digits):
        value = parsed(digits)
        return spelled if value is None else value
    if (_TAGGED_OF_BASE if tagged else _OF_BASE).fullmatch(digits):
        if abs(value := int(digits, 0)) >= 2**64:
            raise _wrong("a number of more than 64 bits", event)
        return value
    stamp = _timestamp(spelled) if tag in ("", "timestamp") else None
    if tag == "timestamp" and stamp is None:
        raise _wrong("what is tagged !!timestamp is none", event)
    return stamp or spelled


def _timestamp(spelled: str) -> str | None:
    """YAML's timestamps in RFC 3339. Those with a `T` name their zone, those with a space are UTC's."""
    found = _TIMESTAMP.fullmatch(spelled)
    if found is None or (found["T"] and (found["T"] == " ") == bool(found["zone"])):
        return None
    year, month, day, _, hour, minute, second, fraction, zone = found.groups()
    date = f"{year}-{int(month):02d}-{int(day):02d}"
    clock = f"{int(hour or 0):02d}:{int(minute or 0):02d}:{int(second or 0):02d}"
    try:
        return rfc3339(moment(f"{date}T{clock}{fraction or ''}{zone or 'Z'}", "time"))
    except EvaluationError:
        return None


FUNCTIONS: Mapping[str, Function] = {"yamldecode": Function((Parameter("src", STRING),), decoded, DYNAMIC)}
