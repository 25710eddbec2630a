"""What one IAM policy document allows that another does not.

Hides wildcards and spelling. Errs towards "more": two statements that only together cover a third do not count as
covering it, and what is not plainly covered is taken for an addition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from agent.equal import canonical
from agent.model import Unknown

Statement = Mapping[str, Any]

_NARROWING = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "aws:vpcsourceip",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
"""Condition keys that leave a statement for everybody not public, given fixed values.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html, "The meaning of public"
"""
_OPERATORS = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"})
"""Those that fail for a value not named and for a missing one: no `Not`, no `IfExists`, no `ForAllValues`."""
_OPEN_VALUES = ("*", "0.0.0.0/0", "::/0")


def added(before: Any, after: Any) -> tuple[Statement, ...] | Unknown:
    """The Allow statements of `after` that `before` does not cover; documents as JSON text or values."""
    return _beyond(before, after, "Allow")


def lifted(before: Any, after: Any) -> tuple[Statement, ...] | Unknown:
    """The Deny statements of `before` that `after` no longer covers."""
    return _beyond(after, before, "Deny")


def is_public(statement: Statement) -> bool:
    """Whether an Allow statement speaks to everybody, and no condition narrows it to somebody."""
    principal = statement.get("Principal")
    members = [m for kind in principal.values() for m in kind] if isinstance(principal, Mapping) else []
    return ("*" in members or "NotPrincipal" in statement) and not _narrowed(statement.get("Condition"))


def _narrowed(condition: Any) -> bool:
    return any(
        key in _NARROWING and not any(value in _OPEN_VALUES for value in values)
        for operator, tests in (condition or {}).items()
        if operator.lower().removeprefix("foranyvalue:") in _OPERATORS
        for key, values in tests.items()
    )


def _beyond(covering: Any, asked: Any, effect: str) -> tuple[Statement, ...] | Unknown:
    have, want = _statements(covering, effect), _statements(asked, effect)
    if isinstance(have, Unknown):
        return have
    if isinstance(want, Unknown):
        return want
    return tuple(statement for statement in want if not _covered(statement, have))


def _statements(document: Any, effect: str) -> list[Statement] | Unknown:
    if isinstance(document, Unknown):
        return document
    form = canonical(document, "policy")
    if form is None:
        return []
    statements = form.get("statements") if isinstance(form, Mapping) else None
    if statements is None or not all(map(_well_formed, statements)):
        return Unknown("the policy document could not be read")
    return [statement for statement in statements if statement.get("Effect") == effect]


def _well_formed(statement: Any) -> bool:
    if not isinstance(statement, Mapping):
        return False
    principal, condition = statement.get("Principal", {}), statement.get("Condition", {})
    return (
        isinstance(principal, Mapping)
        and isinstance(condition, Mapping)
        and all(isinstance(tests, Mapping) for tests in condition.values())
    )


def _covered(statement: Statement, by: Iterable[Statement]) -> bool:
    """Whether each action is covered, as a whole, by one of the statements."""
    actions = statement.get("Action") or [""]
    return all(any(_admits(other, statement, action) for other in by) for action in actions)


def _admits(other: Statement, statement: Statement, action: str) -> bool:
    if any(other.get(name) != statement.get(name) for name in ("NotAction", "NotResource", "NotPrincipal")):
        return False
    if "Condition" in other and other["Condition"] != statement.get("Condition"):
        return False
    if action and not _any_matches(action, other.get("Action", ())):
        return False
    if not all(_any_matches(name, other.get("Resource", ())) for name in statement.get("Resource", ())):
        return False
    members, others = statement.get("Principal", {}), other.get("Principal", {})
    return all(
        "*" in others.get(kind, ()) or set(names).issubset(others.get(kind, ())) for kind, names in members.items()
    )


def _any_matches(name: str, patterns: Iterable[str]) -> bool:
    return any(name == pattern or _matches(name, pattern) for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    """IAM's `*` and `?`; a name that is itself a pattern is covered only where that is plain."""
    if "?" in pattern and "*" in name:
        return False
    # Brackets are ordinary characters to IAM, and a character class to fnmatch.
    return fnmatchcase(name, pattern.replace("[", "[[]"))
