"""A case in Markdown that can only be read: no mention, reference, HTML, nor command to a bot comes of its text.

Hides that everything stands in a code block, which GitHub and GitLab leave alone, that bots read the raw text line by
line, and the hidden line a case is found again by.
"""

import re
from urllib.parse import quote, unquote

from agent.clean import clean
from agent.model import Case
from agent.tickets.text import body, marker

MAX_BLOCK = 63_000
"""Characters of a block: GitHub takes 65,536 for a body, https://github.com/orgs/community/discussions/41331"""
MAX_KEYS = 100
"""Findings named in the hidden line, about 1,600 characters; the case's key always is."""

_HIDDEN = re.compile(r"<!-- driftwarden case ([^\s<>]+(?: [^\s<>]+)*) -->")


def title(case: Case) -> str:
    """The case's title and short name, under the 255 characters that GitLab takes."""
    return f"{clean(case.title, 150)[:200]} ({marker(case.key)})"


def description(case: Case) -> str:
    """The body of the case's issue: the hidden line, and what the case says in a code block."""
    words = " ".join(quote(word, safe="") for word in (case.key, *case.findings[:MAX_KEYS]))
    return f"<!-- driftwarden case {words} -->\n{block(body(case))}"


def farewell(reason: str) -> str:
    """The comment that closes a case: it differs from a note in the same words, which may come right before it."""
    return f"<!-- driftwarden close -->\n{block(reason)}"


def keys(text: str) -> frozenset[str]:
    """The keys in the hidden line of a `description`; empty for other texts, and for that line anywhere but first."""
    found = _HIDDEN.fullmatch(text[:20_000].split("\n", 1)[0].rstrip("\r"))
    return frozenset(map(unquote, found[1].split(" "))) if found else frozenset()


def block(text: str) -> str:
    """The text as a code block; a line that begins with a slash, where bots look for commands, begins with a backslash.

    A code block hides such a line from GitLab's own quick actions, but not from every bot that reads comments.
    """
    shown = re.sub(r"(?m)^(\s*)/", r"\1\\/", text)
    if len(shown) > MAX_BLOCK:
        shown = shown[:MAX_BLOCK].rsplit("\n", 1)[0] + "\n(more: see the report)"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", shown)), default=0))
    return f"{fence}text\n{shown}\n{fence}"
