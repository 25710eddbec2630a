"""What an approval is given for, and the block in which people write it where a system has no fields for it; pure.

Hides the block's grammar: a fence named `driftwarden` in the text of a ticket, `name: value` on each line, lists
separated by commas. What cannot be understood is a problem of these terms, never guessed and never passed over.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from agent.clean import clean
from agent.model import ApprovedPlan, TicketScope

Kind = Literal["normal", "standard", "emergency"]
KINDS: Mapping[str, Kind] = {"normal": "normal", "standard": "standard", "emergency": "emergency"}
LISTS = ("addresses", "resources", "types", "accounts", "environments", "tags", "names", "attributes", "actions")
"""Fields of `TicketScope`."""
MAX_TEXT = 200_000
"""Characters of a text that are looked through; Jira takes 32,767, GitHub 65,536."""
MAX_ITEMS = 500
"""Wildcards of one block: each is tried against every change."""
MAX_ITEM = 2000
"""Characters of one wildcard, as an ARN with a long path has."""
NO_PLAN = "the ticket holds only the plan's fingerprint"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a ticket asks approval for. An edit of any of it ends the approvals that were given before."""

    kind: Kind | None = None
    """None: not said; taken for a normal change, which asks for most."""
    implementer: str = ""
    scope: TicketScope = field(default_factory=TicketScope)
    start: datetime | None = None
    end: datetime | None = None
    plan: ApprovedPlan | None = None
    groups: tuple[str, ...] = ()
    problem: str = ""
    """Why these terms cannot be relied on: not understood, or not kept by the system. Becomes `Ticket.incomplete`."""


def together(fields: Terms, written: Terms) -> Terms:
    """The terms of a ticket that has fields of its system and a block: a field that is filled in wins."""
    return Terms(
        fields.kind or written.kind,
        fields.implementer or written.implementer,
        TicketScope(**{name: getattr(fields.scope, name) or getattr(written.scope, name) for name in LISTS}),
        fields.start or written.start,
        fields.end or written.end,
        fields.plan or written.plan,
        fields.groups or written.groups,
        "; ".join(filter(None, (fields.problem, written.problem))),
    )


NAME = "driftwarden"
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})\s*(\S*)(?:\s[^`]*)?")
_MACRO = re.compile(r"\{(code|noformat)(?::([^}\n]{0,200}))?\}")
"""Jira's own markup: https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=advanced"""
_BREAK = re.compile(r"\r\n|[\n\r]")


def block(text: str) -> tuple[str, str]:
    """The lines inside a text's `driftwarden` block, and what is wrong with it; both empty where there is no block.

    The block is a fence or a code macro named `driftwarden`, or one without a name whose first line is this word.
    Lines keep no blanks around them, and empty ones go: two texts whose blocks say the same give the same.
    """
    if len(text) > MAX_TEXT:
        return "", f"the text is longer than {MAX_TEXT:,} characters"
    found: list[list[str]] = []
    inside: list[str] | None = None
    closing, hidden = "", False
    for line in _BREAK.split(_MACRO.sub(r"\n\g<0>\n", text)):
        shown = line.strip()
        if inside is None:
            hidden = _hidden(line, hidden)
            if opened := _opens(line):
                closing, inside = opened
        elif _closes(shown, closing):
            if inside and inside[0].lower() == NAME:
                found.append(inside[1:])
                if hidden:
                    return "", f"the {NAME} block stands in an HTML comment, where nobody sees what they approve"
            inside = None
        elif shown:
            inside.append(shown)
    if len(found) > 1:
        return "", f"{len(found)} {NAME} blocks; keep one"
    if inside and any(NAME in line.lower() for line in inside):
        return "", f"the {NAME} block, or one that was opened before it, is not closed by {closing}"
    return "\n".join(found[0]) if found else "", ""


def _opens(line: str) -> tuple[str, list[str]] | None:
    """What closes the block that a line opens, and its name in a list, empty for none."""
    if fence := _FENCE.fullmatch(line):
        return fence[1], [fence[2].lower()] if fence[2] else []
    if macro := _MACRO.fullmatch(line.strip()):
        named = NAME in re.split(r"[|=]", (macro[2] or "").lower())
        return "{" + macro[1] + "}", [NAME] if named else []
    return None


def _closes(shown: str, closing: str) -> bool:
    return shown == closing if closing[0] == "{" else len(shown) >= len(closing) and not shown.strip(closing[0])


def _hidden(line: str, hidden: bool) -> bool:
    """Whether an HTML comment is open after the line."""
    opened, closed = line.rfind("<!--"), line.rfind("-->")
    return opened > closed if opened >= 0 or closed >= 0 else hidden


def terms_of(text: str) -> Terms:
    """The terms that the `driftwarden` block of a text states; `Terms()` where there is none. Never raises.

    ```driftwarden
    addresses: aws_sqs_queue.orders, module.x.*
    implementer: dana
    start: 2026-03-01T10:00Z
    plan: sha256:…
    ```

    A list may be continued on another line of the same name; anything else stands once. Of a block with mistakes the
    good lines count, and `problem` says the first of the bad ones.
    """
    lines, problem = block(text)
    return terms_in(lines) if not problem else Terms(problem=problem)


def terms_in(lines: str) -> Terms:
    """The terms in the lines of a block; see `terms_of`."""
    said = Terms()
    seen: set[str] = set()
    problems: list[str] = []
    for number, line in enumerate(filter(None, map(str.strip, lines.splitlines())), 1):
        name, colon, value = (part.strip() for part in line.partition(":"))
        try:
            if not colon or name not in _READERS:
                known = ", ".join(_READERS)
                raise ValueError(f"'{clean(name, 40)}' is none of {known}")
            if name in seen and name not in (*LISTS, "groups"):
                raise ValueError(f"'{name}' stands twice")
            if clean(value, MAX_TEXT) != value:
                raise ValueError(f"'{name}' holds characters that cannot be seen: {clean(value, 80)}")
            seen.add(name)
            said = _READERS[name](said, name, value)
        except ValueError as error:
            problems.append(f"{NAME} block, line {number}: {error}")
    if said.start and said.end and said.end <= said.start:
        problems.append(f"{NAME} block: 'end' is not after 'start'")
    return replace(said, problem=problems[0]) if problems else said


def _kind(said: Terms, _: str, value: str) -> Terms:
    if value not in KINDS:
        raise ValueError(f"'kind' is one of {', '.join(KINDS)}, not '{clean(value, 40)}'")
    return replace(said, kind=KINDS[value])


def _implementer(said: Terms, _: str, value: str) -> Terms:
    return replace(said, implementer=value.removeprefix("@"))


def _listed(said: Terms, name: str, value: str) -> Terms:
    items = tuple(filter(None, (item.strip().strip("`") for item in value.split(","))))
    if any(len(item) > MAX_ITEM for item in items):
        raise ValueError(f"an item of '{name}' is longer than {MAX_ITEM:,} characters")
    if sum(len(getattr(said.scope, one)) for one in LISTS) + len(items) > MAX_ITEMS:
        raise ValueError(f"more than {MAX_ITEMS} items")
    if name == "groups":
        return replace(said, groups=(*said.groups, *items)[:MAX_ITEMS])
    if name == "tags" and any("=" not in item for item in items):
        raise ValueError("an item of 'tags' is Name=value")
    return replace(said, scope=replace(said.scope, **{name: (*getattr(said.scope, name), *items)}))


def _start(said: Terms, name: str, value: str) -> Terms:
    return replace(said, start=_time(name, value))


def _end(said: Terms, name: str, value: str) -> Terms:
    return replace(said, end=_time(name, value))


def _time(name: str, value: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{name}' is a time such as 2026-03-01T10:00Z, not '{clean(value, 40)}'") from None
    if at.tzinfo is None:
        raise ValueError(f"'{name}' has no time zone; write Z for UTC, or its offset")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"'{name}' is out of reach: '{clean(value, 40)}'") from None


def _plan(said: Terms, _: str, value: str) -> Terms:
    return replace(said, plan=fingerprint(value))


def fingerprint(value: str) -> ApprovedPlan:
    """The approved plan that a fingerprint names. Raises ValueError for text that is none."""
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise ValueError(f"'plan' is a fingerprint such as sha256:9f2c… with 64 digits, not '{clean(value, 80)}'")
    return ApprovedPlan(value, why=NO_PLAN)


_READERS: Mapping[str, Callable[[Terms, str, str], Terms]] = {
    **dict.fromkeys(LISTS, _listed),
    "kind": _kind,
    "implementer": _implementer,
    "start": _start,
    "end": _end,
    "plan": _plan,
    "groups": _listed,
}
