"""Is the statement that the daemon wants signed the one that somebody typed?

Hides nothing of it from them: a key signs what its owner said, and not what a daemon puts before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.clean import clean
from agent.config import duration
from agent.control.frames import Parameter
from agent.declare import Accepted, Documented, Opened, Refused, Reviewed, Statement
from agent.declare.signed import SKEW
from agent.declare.statements import read, written
from agent.forms import Form, parse_document


def checked(
    fields: Mapping[str, Any], states: str, typed: Mapping[str, Parameter], estate: str, now: datetime
) -> bytes:
    """The bytes to sign. `states`: the kind of statement; `typed`: the parameters of the command; `estate`: as the
    configuration calls it, if there is one. Raises Refused where the statement says anything else.
    """
    statement, _ = read(fields)
    other = [] if fields["driftwarden"] == states else [f"it is '{clean(fields['driftwarden'], 60)}'"]
    if abs(statement.at - now) > SKEW:
        other.append(f"it is dated {statement.at:%Y-%m-%d %H:%M} UTC; are the clocks right?")
    if estate and statement.estate != estate:
        other.append(f"it is for the estate '{clean(statement.estate, 60)}'")
    wrong = sorted(name for name, said, meant in _pairs(statement, typed) if said != meant)
    if wrong:
        other.append(f"it says something else of {', '.join(wrong)}")
    if other:
        raise Refused(
            f"the daemon gave a statement that is not what you typed, and it is not signed: {'; '.join(other)}"
        )
    return written(statement)


def _pairs(statement: Statement, typed: Mapping[str, Parameter]) -> list[tuple[str, Any, Any]]:
    """Name, what the statement says of it, and what was typed."""
    match statement:
        case Opened():
            names = ("actors", "roles", "accounts", "environments")
            lasts = statement.until - statement.at
            return [
                ("incident", statement.incident, typed.get("incident")),
                ("reason", statement.reason, typed.get("reason", "")),
                ("the end", lasts, duration(str(typed.get("length")))),
                *((name, list(getattr(statement, name)), typed.get(name, [])) for name in names),
            ]
        case Documented():
            meant = _form(typed)
            fields = ("why", "incident", "done", "told", "way_back", "outage")
            pairs = [(name, getattr(statement, name), getattr(meant, name, None)) for name in fields]
            return [("case", statement.case, typed.get("case")), *pairs]
        case Reviewed():
            return [
                ("case", statement.case, typed.get("case")),
                ("the judgement", statement.accepted, typed.get("accepted")),
                ("reason", statement.reason, typed.get("reason", "")),
                ("the review after the work", statement.post_implementation, typed.get("after_work", False)),
            ]
        case Accepted():
            return [("reason", statement.reason, typed.get("reason", "")), ("what", *_accepted(statement, typed))]


def _accepted(statement: Accepted, typed: Mapping[str, Parameter]) -> tuple[Any, Any]:
    """What is accepted: the words that were typed, and holds of cases that were. Which case a ticket names only the
    store knows, so that it is shown before it is signed."""
    given = typed.get("what", [])
    names = given if isinstance(given, list) else []
    exact = [one for one in names if " " in one]
    said = [one for one in statement.what if one not in exact]
    holds = all(one.startswith("hold ") for one in said)
    enough = bool(typed.get("held")) or len(said) <= len(names) - len(exact)
    return ([], holds, enough), ([one for one in exact if one not in statement.what], True, True)


def _form(typed: Mapping[str, Parameter]) -> Form | None:
    text = typed.get("form")
    if isinstance(text, str):
        found = parse_document(text)
        return found if isinstance(found, Form) else None
    said = {name: str(typed.get(name, "")) for name in ("why", "incident", "done", "told", "outage")}
    return Form(
        said["why"],
        said["incident"],
        said["done"],
        said["told"],
        "revert" if typed.get("way_back") == "revert" else "codify",
        said["outage"],
    )
