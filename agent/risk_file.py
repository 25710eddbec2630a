"""`risk.yaml` → the weights that risk is scored by.

Hides YAML and what a scheme must keep to: points are never negative and levels never ask for less as the score rises,
so that touching more never needs fewer approvals. A mistake is an error with file and line.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import get_args

from agent.model import Act, Weights
from agent.resources import Topic
from agent.rules import LARGEST, RISK_FILE, RuleError
from agent.shipped import shipped
from agent.tickets.document import DocumentError, Reader, Value, parse

LEVELS = ("low", "medium", "high")
MOST = 1000
"""Points, resources or approvals a scheme may name."""

_KEYS = ("environments", "topics", "acts", "sizes", "failures", "levels")


def load_weights(directories: Sequence[Path] = ()) -> Weights:
    """The scheme of the last of the user's directories of rules that has a `risk.yaml`, else the one that ships.

    Raises `RuleError`: `file:line: what is wrong; what would be right`.
    """
    for directory in reversed(directories):
        file = directory / RISK_FILE
        if file.exists():
            return _read(str(file), file)
    return _shipped()


@functools.cache
def _shipped() -> Weights:
    return _read(f"rules/{RISK_FILE}", shipped("rules") / RISK_FILE)


def _read(label: str, file: Traversable) -> Weights:
    try:
        raw = file.read_bytes() if file.is_file() else None
    except OSError as error:
        raise RuleError(f"{label}: cannot be read: {error.strerror}") from error
    if raw is None:
        raise RuleError(f"{label}: is not a regular file")
    if len(raw) > LARGEST:
        raise RuleError(f"{label}: {len(raw)} bytes; a scheme has at most {LARGEST}")
    reader = Reader(Path(label))
    try:
        weights = _weights(reader, parse(raw.decode("utf-8-sig"), reader.file))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise RuleError(f"{label}:{line}: not UTF-8") from error
    except DocumentError as error:
        raise RuleError(str(error)) from error
    if reader.problems:
        raise RuleError("\n".join(map(str, sorted(reader.problems, key=lambda one: one.line))))
    return weights


def _weights(reader: Reader, root: Value) -> Weights:
    fields = reader.fields(root, "a risk scheme", _KEYS)
    if "levels" not in fields and isinstance(root.data, dict):
        reader.wrong(root, "a risk scheme has no 'levels'; without them no score asks for any approval")
    return Weights(
        environments=_points(reader, fields.get("environments"), "environments", None),
        topics=_points(reader, fields.get("topics"), "topics", get_args(Topic)),
        acts=_points(reader, fields.get("acts"), "acts", get_args(Act)),
        sizes=_sizes(reader, fields.get("sizes")),
        failures=_number(reader, fields.get("failures"), "failures"),
        levels=_levels(reader, fields["levels"]) if "levels" in fields else (),
    )


def _points(reader: Reader, value: Value | None, name: str, known: Collection[str] | None) -> Mapping[str, int]:
    """Word → points; `known` None: any word."""
    if value is None:
        return {}
    words = known if known is not None or not isinstance(value.data, dict) else tuple(value.data)
    fields = reader.fields(value, f"'{name}'", words or ("NAME",))
    return {word: _number(reader, points, word) for word, points in fields.items()}


def _number(reader: Reader, value: Value | None, name: str) -> int:
    """A whole number from 0 to `MOST`; 0 where there is none."""
    written = reader.text(value, name)
    if value is None or not written:
        return 0
    number = int(written) if written.isascii() and written.isdigit() and len(written) < len(str(MOST)) + 1 else MOST + 1
    if number > MOST:
        reader.wrong(value, f"'{name}' must be a whole number from 0 to {MOST}, not {value.shape}")
    return number


def _sizes(reader: Reader, value: Value | None) -> tuple[tuple[int, int], ...]:
    """(resources at least, points), largest first."""
    found: dict[int, int] = {}
    for item in reader.items(value, "sizes"):
        least, points = _numbers(reader, item, "a size", ("resources", "points"))
        if least in found:
            reader.wrong(item, f"{least} resources stand here twice")
        found[least] = points
    rising = sorted(found.items())
    for (_, less), (least, more) in itertools.pairwise(rising):
        if more < less and value is not None:
            reader.wrong(value, f"{least} resources weigh {more}, fewer weigh {less}: more must not weigh less")
    return tuple(reversed(rising))


def _numbers(reader: Reader, item: Value, name: str, required: Sequence[str], also: Sequence[str] = ()) -> list[int]:
    """The required fields of a map, as numbers; `also` names fields that are not."""
    fields = reader.fields(item, name, (*also, *required))
    for field in required:
        if isinstance(item.data, dict) and field not in fields:
            reader.wrong(item, f"{name} has no '{field}'")
    return [_number(reader, fields.get(field), field) for field in required]


def _levels(reader: Reader, value: Value) -> tuple[tuple[str, int, int, str], ...]:
    """(level, from score, approvals, group), highest first."""
    found: list[tuple[str, int, int, str]] = []
    for item in reader.items(value, "levels"):
        least, approvals = _numbers(reader, item, "a level", ("from", "approvals"), ("level", "group"))
        fields = item.data if isinstance(item.data, dict) else {}
        name, group = (reader.text(fields.get(field), field).strip() for field in ("level", "group"))
        if group and not approvals:
            reader.wrong(item, f"level '{name}' wants somebody of '{group}' and no approval; write 1 or more")
        found.append((name, least, approvals, group))
    if [name for name, *_ in found] != list(LEVELS):
        reader.wrong(value, f"levels must be {', '.join(LEVELS)}, in this order")
        return ()
    if found[0][1] != 0:
        reader.wrong(value, "level 'low' must be from 0: every score has a level")
    for (lower, start, fewer, of), (higher, later, approvals, group) in itertools.pairwise(found):
        if later <= start:
            reader.wrong(value, f"level '{higher}' is from {later}, '{lower}' from {start}: it must be from more")
        if approvals < fewer:
            reader.wrong(
                value, f"level '{higher}' needs {approvals} approvals, '{lower}' {fewer}: it must not be fewer"
            )
        if of and not group:
            reader.wrong(value, f"level '{lower}' wants somebody of '{of}', '{higher}' nobody in particular")
    return tuple(reversed(found))
