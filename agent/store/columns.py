"""Column types that mean the same on SQLite and PostgreSQL.

Hides that SQLite has no time type, that PostgreSQL refuses a NUL in text, and that neither takes half a surrogate pair:
names come from attackers, and a name that cannot be stored would be a way to stop a scan.
"""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

Row = BigInteger().with_variant(Integer, "sqlite")
"""A row number; on SQLite the rowid, which must be called INTEGER."""

_UNSTORABLE = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


class Time(TypeDecorator[datetime]):
    """A moment, always UTC: `timestamptz`, or text of fixed width that sorts by time."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """See `TypeDecorator`."""
        kind: TypeEngine[Any] = DateTime(timezone=True) if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """See `TypeDecorator`. Raises ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        """See `TypeDecorator`."""
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


class Words(TypeDecorator[str]):
    r"""Text of any origin: NUL, lone surrogates and the backslash itself are written as `\u0000`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """See `TypeDecorator`."""
        return None if value is None else _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> str | None:
        """See `TypeDecorator`."""
        if value is None or "\\" not in value:
            return value if value is None else str(value)
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


class Packed(TypeDecorator[bytes]):
    """Bytes that may be large, compressed with zlib."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, _dialect: Dialect) -> bytes | None:
        """See `TypeDecorator`."""
        return None if value is None else zlib.compress(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> bytes | None:
        """See `TypeDecorator`."""
        return None if value is None else zlib.decompress(value)
