"""How a case reads in a ticket: its short name, its first message, and text that cannot do more than be read."""

import re

from agent.clean import clean
from agent.model import Case, CaseKey

MAX_TEXT = 60_000
"""Characters of a body or a note. A longer one is cut and says so; the report holds the whole."""
TAB = 4


def lines(text: str, most: int = MAX_TEXT) -> str:
    """The text with each line made safe (`agent.clean`), cut to `most` characters; no blank lines around it."""
    split = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text)
    kept: list[str] = []
    room = most
    for number, line in enumerate(split):
        shown = clean(line.expandtabs(TAB).rstrip())
        room -= len(shown) + 1
        if room < 0:
            kept.append(f"({len(split) - number} more lines: see the report)")
            break
        kept.append(shown)
    return "\n".join(kept).strip("\n")


def marker(key: CaseKey) -> str:
    """The short name people read and type, `DW-` and the start of the key; two keys may share one."""
    return f"DW-{re.sub(r'[^0-9A-Za-z]', '', key)[:12] or 'case'}"


def body(case: Case, most: int = MAX_TEXT) -> str:
    """The first message of the case's ticket, plain text; `most` characters of it are the case's own body."""
    facts = (
        ("Case", case.key),
        ("Severity", case.severity),
        ("Rules", ", ".join(case.rules)),
        ("Controls", ", ".join(case.controls)),
        ("Findings", ", ".join(case.findings)),
    )
    head = "\n".join(f"{name + ':':<10}{clean(value)}" for name, value in facts if value)
    return f"{clean(case.title)}\n\n{head}\n\n{lines(case.body, most)}".rstrip()
