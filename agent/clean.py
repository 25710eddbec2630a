"""Text that others wrote, made safe to show on one line: what a terminal or a reader would obey becomes visible.

Names, tags, user agents and state are attacker-controlled. Control characters can rewrite a terminal, bidirectional
overrides can make `deny` read as `allow` (https://trojansource.codes). HTML, Markdown and tickets escape further; this
comes first everywhere.
"""

import unicodedata
from collections.abc import Sequence

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that draw nothing or steer what is drawn: control, format (bidi, zero width, tags), surrogate,
private use, unassigned, line and paragraph separators. https://www.unicode.org/reports/tr44/#General_Category_Values"""

LONGEST = 2000
"""Characters shown of one value; a policy document fits, a padded log line does not."""


def clean(text: object, longest: int = LONGEST) -> str:
    """The text on one line, hidden characters as `⟨U+202E⟩`, cut at `longest` characters with the rest counted."""
    raw = str(text)
    kept = raw[:longest]
    shown = kept if kept.isascii() and kept.isprintable() else "".join(map(_shown, kept))
    return shown if len(raw) <= longest else f"{shown}… ({len(raw) - longest} more characters)"


def _shown(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if unicodedata.category(character) in _HIDDEN:
        return f"⟨U+{ord(character):04X}⟩"
    # Spaces that are not the space: they draw like one, and make two names look alike.
    return f"⟨U+{ord(character):04X}⟩" if character.isspace() and character != " " else character


def several(names: Sequence[str], most: int = 5) -> str:
    """The first few names of a list, cleaned, and how many more there are."""
    more = len(names) - most
    return ", ".join(clean(name) for name in names[:most]) + (f" and {more:,} more" if more > 0 else "")


def plural(count: int, one: str, many: str = "") -> str:
    """`1 finding`, `2 findings`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> int:
    """Rounded down: 99.9 is not 100. Of nothing, 0."""
    return 100 * part // whole if whole else 0
