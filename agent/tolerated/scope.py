"""What a permission is for: the patterns of its scope, and which of them would be everything.

Hides how a pattern is found to say nothing: wildcards, and what every name of its kind begins with, do not count.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from agent.clean import several
from agent.tickets.document import Reader, Value
from agent.tolerated.terms import Fields

_LEAST = 3
"""Characters that a pattern must have besides wildcards and what every such name begins with."""
_EMPTY_WORDS = re.compile(r"^(arn:aws[a-z-]*:|arn:|aws_|module\.|data\.)+|\b(aws_|module\b|arn\b|aws\b)")
_ACCOUNT = re.compile(r"[0-9]{12}")


def scope(
    fields: Fields, place: Value, reader: Reader, known: Collection[str], naming: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Patterns by field of `known`. At least one field of `naming` must be given; what would be everything is noted."""
    found = {name: reader.texts(fields.get(name), name) for name in known}
    for name in known:
        wide = [pattern for pattern in found[name] if name in naming and is_wide(name, pattern)]
        if wide:
            said = several(wide, 3)
            reader.wrong(fields[name], f"'{name}': {said} would be everything; write more of the name")
    if not any(found[name] for name in naming):
        reader.wrong(place, f"a scope needs one of {', '.join(naming)}; without, it would be everything")
    return found


def is_wide(name: str, pattern: str) -> bool:
    """Whether a pattern of this field says next to nothing."""
    if name == "accounts":
        return not _ACCOUNT.fullmatch(pattern)
    left = re.sub(r"[^A-Za-z0-9]", "", _EMPTY_WORDS.sub("", pattern))
    # An exact name may be short; a pattern may not.
    return len(left) < (_LEAST if re.search(r"[*?]", pattern) or pattern.endswith((":", "/", "|")) else 1)
