"""Tickets that the title and the text of a request name; pure.

Hides what a reference looks like there: as Jira and ServiceNow write them, and as forges do across projects.
"""

import re

LONGEST = 70_000
"""Characters looked at: GitHub takes 65,536 for a text."""
MOST = 50
"""References taken of one text."""

# Every part is bounded: a text of nothing but word characters must not take the square of its length.
_REFERENCE = re.compile(
    r"(?<![\w./#!-])(?:[A-Z][A-Z0-9]{1,9}-\d{1,9}|CHG\d{5,10}|[\w.-]{1,100}(?:/[\w.-]{1,100}){1,5}[#!]\d{1,9})(?![\w-])",
    re.ASCII,
)


def references(text: str) -> tuple[str, ...]:
    """Each reference once, in the text's order; at most `MOST`."""
    found: dict[str, None] = {}
    for match in _REFERENCE.finditer(text[:LONGEST]):
        if len(found) == MOST:
            break
        found[match[0]] = None
    return tuple(found)
