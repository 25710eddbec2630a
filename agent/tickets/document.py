"""Reads YAML into plain values that know their line; hides the parser and its dangers.

Scalars stay text: `012345678901` is an account id and `no` a title, whatever YAML would make of them. Aliases, tags,
second documents, repeated fields, deep nesting and large files are refused before anything is built from them.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from yaml.events import CollectionEndEvent, ScalarEvent, SequenceStartEvent

from agent.clean import clean
from agent.config import reading
from agent.yaml_events import Event, YamlError, events, is_plain, line_of

MAX_BYTES = 1_000_000
"""About 3,500 tickets, and 5 s of parsing."""
MAX_DEPTH = 10
"""A ticket needs six levels, one whose history tells of edited terms nine."""


class DocumentError(Exception):
    """What is wrong with a file, and where; `line` counts from 1, 0 is the file as a whole."""

    def __init__(self, file: Path, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: {clean(what)}" if line else f"{file}: {clean(what)}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Value:
    """A YAML value and the line it starts on."""

    line: int
    data: "str | list[Value] | dict[str, Value] | None"

    @property
    def shape(self) -> str:
        """What a person would call it."""
        match self.data:
            case None:
                return "nothing"
            case str():
                return f"'{self.data}'" if len(self.data) < 40 else "text"
            case list():
                return "a list"
            case dict():
                return "a mapping"


def text(file: Path) -> str:
    """The file's content: UTF-8, at most `MAX_BYTES`. Raises `DocumentError`."""
    place = reading(file)
    try:
        if not place.is_file():
            raise DocumentError(file, 0, "is not a regular file")
        with place.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(file, 0, f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise DocumentError(file, 0, f"is larger than {MAX_BYTES:,} bytes; split it")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(file, raw.count(b"\n", 0, error.start) + 1, "is not UTF-8") from error


def parse(content: str, file: Path) -> Value:
    """The one document in `content` (None inside for an empty one); `file` is what errors name.

    Raises `DocumentError`.
    """
    found = events(content)
    try:
        first = next(found, None)
        value = Value(1, None) if first is None else _build(first, found, 1)
        next(found, None)  # meets a second document, if there is one
    except YamlError as error:
        raise DocumentError(file, error.line, str(error)) from error
    return value


def round_trip(content: str, file: Path) -> Any:
    """A tree that keeps what people wrote into the file, comments too. Raises `DocumentError`."""
    try:
        return _yaml().load(content)
    except (YAMLError, ValueError) as error:
        # Values that have the look of a date and are none: ruamel.yaml builds them, our own reader does not.
        raise DocumentError(file, 0, f"cannot be kept as it is: {error}") from error


def dump(tree: Any) -> str:
    """The text of a tree that `round_trip` gave, or of plain values."""
    stream = StringIO()
    _yaml().dump(tree, stream)
    return stream.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 4096  # long lines stay whole
    return yaml


def _build(event: Event, found: Iterator[Event], depth: int) -> Value:
    line = line_of(event)
    if depth > MAX_DEPTH:
        raise YamlError(line, f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(event, ScalarEvent):
        unset = is_plain(event) and event.value in ("", "~", "null")
        return Value(line, None if unset else event.value)
    if isinstance(event, SequenceStartEvent):
        items = []
        while not isinstance(item := next(found), CollectionEndEvent):
            items.append(_build(item, found, depth + 1))
        return Value(line, items)
    fields: dict[str, Value] = {}
    while not isinstance(name := next(found), CollectionEndEvent):
        if not isinstance(name, ScalarEvent):
            raise YamlError(line_of(name), "a field name must be text")
        if name.value in fields:
            raise YamlError(line_of(name), f"field '{name.value}' stands here and on line {fields[name.value].line}")
        value = _build(next(found), found, depth + 1)
        # A block under a field starts on the next line; what people look for is the field.
        fields[name.value] = Value(line_of(name), value.data)
    return Value(line, fields)


class Reader:
    """Takes values apart and notes each problem, so that a person sees them all at once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[DocumentError] = []

    def wrong(self, value: Value, what: str) -> None:
        """Note a problem at this value."""
        self.problems.append(DocumentError(self.file, value.line, what))

    def fields(self, value: Value, name: str, known: Collection[str]) -> dict[str, Value]:
        """The fields of a mapping that are known and set; the others are problems."""
        if not isinstance(value.data, dict):
            self.wrong(value, f"{name} must be a mapping with fields {', '.join(known)}, not {value.shape}")
            return {}
        for field, inner in value.data.items():
            if field not in known:
                near = get_close_matches(field, known, 1, cutoff=0.7)
                right = f"did you mean '{near[0]}'?" if near else f"{name} has {', '.join(known)}"
                self.wrong(inner, f"unknown field '{field}'; {right}")
        return {field: inner for field, inner in value.data.items() if field in known and inner.data is not None}

    def items(self, value: Value | None, name: str) -> list[Value]:
        """The items of a list; empty where there is none."""
        if value is None:
            return []
        if isinstance(value.data, list):
            return value.data
        self.wrong(value, f"'{name}' must be a list, not {value.shape}")
        return []

    def text(self, value: Value | None, name: str) -> str:
        """The text of a scalar; empty where there is none."""
        return self._text(value, f"'{name}'")

    def texts(self, value: Value | None, name: str) -> tuple[str, ...]:
        """The texts of a list, without empty ones."""
        return tuple(filter(None, (self._text(item, f"an item of '{name}'") for item in self.items(value, name))))

    def _text(self, value: Value | None, what: str) -> str:
        if value is None or value.data is None:
            return ""
        if isinstance(value.data, str):
            return value.data
        self.wrong(value, f"{what} must be text, not {value.shape}")
        return ""

    def time(self, value: Value | None, name: str) -> datetime | None:
        """An ISO 8601 time with its zone, in UTC; None where there is none or it is wrong."""
        written = self.text(value, name)
        if value is None or not written:
            return None
        try:
            at = datetime.fromisoformat(written)
        except ValueError:
            self.wrong(value, f"'{name}' must be a time such as 2026-11-22T10:00:00Z, not {value.shape}")
            return None
        if at.tzinfo is None:
            self.wrong(value, f"'{name}' has no time zone; write {at.isoformat()}Z for UTC, or its offset")
            return None
        return at.astimezone(UTC)
