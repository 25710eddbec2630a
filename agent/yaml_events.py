"""YAML taken apart by libyaml, into the events that begin or end a value.

Hides the parser, and refuses what no file of ours needs: aliases, tags and second documents. Ten times as fast as a
parser in Python, and events come one by one: who reads them can stop at a nesting that is too deep, before the parser's
time grows with its square.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

Event = ScalarEvent | SequenceStartEvent | MappingStartEvent | CollectionEndEvent

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a build without libyaml is slow, not wrong


class YamlError(Exception):
    """What is wrong, and where: `line` counts from 1, 0 is the file as a whole."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def events(content: str) -> Iterator[Event]:
    """The events of the one document in `content`, none of an empty one. Raises `YamlError` when it comes to it."""
    documents = 0
    try:
        for event in yaml.parse(content, Loader=_Loader):
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise YamlError(line_of(event), "a second document starts here; keep one to a file")
            elif isinstance(event, AliasEvent):
                raise YamlError(line_of(event), f"alias '*{event.anchor}' is not taken; write the value out")
            elif isinstance(event, Event):
                if not isinstance(event, CollectionEndEvent) and event.tag:
                    raise YamlError(line_of(event), f"tag '{event.tag}' is not taken; write the plain value")
                yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        last = len(content.splitlines())  # what is missing at the end, libyaml misses on the line after it
        raise YamlError(min(mark.line + 1, last) if mark else 0, f"is not YAML: {said}") from error
    except yaml.YAMLError as error:
        raise YamlError(0, f"is not YAML: {str(error).splitlines()[0]}") from error


def line_of(event: Event | DocumentStartEvent | AliasEvent) -> int:
    """Where it starts, from 1."""
    mark = event.start_mark
    return mark.line + 1 if mark is not None else 0


def is_plain(event: ScalarEvent) -> bool:
    """Whether a scalar stands without quotes, so that its text may mean a number, a truth or nothing."""
    return bool(event.implicit[0])
