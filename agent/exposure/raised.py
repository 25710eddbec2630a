"""Whether somebody may do more than was declared.

Hides the ways IAM grants: policy documents, attachments, memberships, boundaries, new principals.
"""

from __future__ import annotations

from agent.exposure import grants
from agent.exposure.turns import Signal, Turn, listed, word
from agent.model import Unknown

_LISTS = ("managed_policy_arns", "groups", "roles", "users")
"""Attributes of IAM types that list what is granted, or to whom."""


def may_raise(attribute: str) -> bool:
    """Whether the value of this attribute, if it is no policy, may grant something."""
    return attribute == "permissions_boundary" or attribute in _LISTS


def raised(turn: Turn) -> Signal | None:
    """`raised` where the turn grants more, `Unknown` where it may; None where it does not."""
    identity = turn.type.startswith("aws_iam_")
    if turn.act != "update" and identity:
        came = turn.act == "create" and turn.attribute == ""
        return Signal(("raised",), f"new {turn.type}") if came else None
    if turn.kind == "policy":
        return _policy(turn)
    if turn.attribute == "permissions_boundary":
        return _boundary(turn)
    return _listed(turn) if identity and turn.attribute in _LISTS else None


def _policy(turn: Turn) -> Signal | None:
    added, lifted = grants.added(turn.before, turn.after), grants.lifted(turn.before, turn.after)
    if isinstance(added, Unknown):
        return Signal(added)
    if added:
        return Signal(("raised",), f"{turn.attribute} allows more than before")
    return Signal(("raised",), f"{turn.attribute} denies less than before") if lifted else None


def _boundary(turn: Turn) -> Signal | None:
    """A boundary only ever limits: none is the most, and two are compared by nobody."""
    was, now = turn.before, turn.after
    if word(now) == "":
        return Signal(("raised",), "the permissions boundary was removed")
    if word(was) == "":
        return None
    return Signal(Unknown("the permissions boundary is another policy, and the two were not compared"))


def _listed(turn: Turn) -> Signal | None:
    for side in (turn.before, turn.after):
        if isinstance(side, Unknown):
            return Signal(side)
    had = {word(item) for item in listed(turn.before)}
    new = sorted(word(item) for item in listed(turn.after) if word(item) not in had)
    return Signal(("raised",), f"{turn.attribute} gained {', '.join(new)}") if new else None
