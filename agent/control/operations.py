"""Which commands may come through the socket, with which options, and what somebody must be for it.

Hides nothing: it is the one table that says so, and whatever stands not in it does not cross. Imports nothing heavy,
since every start of the command line looks into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Need = Literal["viewer", "person", "documenter", "reviewer", "approver", "admin"]
"""`viewer`: anybody who is mapped into the identity map, root, and the daemon's own user. `person`: an employee or
contractor of the identity map. The others are roles of `[authority.roles]`."""

ANY_ROLE: tuple[Need, ...] = ("documenter", "reviewer", "approver", "admin")


@dataclass(frozen=True, slots=True)
class Operation:
    """A command that may come through the socket."""

    name: str
    """Its words, as they are typed after `driftwarden`."""
    needs: tuple[Need, ...]
    """One of them is enough to be let in. Whether a declaration counts is decided after that, as for a signature."""
    options: tuple[str, ...] = ()
    """Parameters that cross. Paths never do."""
    text: str = ""
    """The one among them that is a file: the client reads it, and its text crosses."""
    template: str = ""
    """Operation that gives the text to edit where neither `text` nor any of `filled` is given."""
    filled: tuple[str, ...] = ()
    folder: str = ""
    """Parameter that names a folder to write into: what is written there crosses, and the client writes it."""
    direct: tuple[str, ...] = ()
    """Parameters with which the command does not go through the socket at all."""
    states: str = ""
    """Kind of the statement it makes: it may be signed where the key is."""
    asks: str = ""
    """What the daemon itself is asked for, in place of a command."""
    tells: bool = False
    """Whether the command is given what the daemon knows of itself."""


_REVIEW = ("case", "accepted", "reason", "after_work")
_DOCUMENT = ("why", "incident", "done", "told", "way_back")

OPERATIONS: dict[str, Operation] = {
    one.name: one
    for one in (
        Operation("status", ("viewer",), ("output",), tells=True),
        Operation("scan", ANY_ROLE, ("output", "quiet"), direct=("dry_run", "watch"), asks="scan"),
        Operation("findings list", ("viewer",), ("finding", "run_id", "output")),
        Operation("findings show", ("viewer",), ("finding", "run_id", "output")),
        Operation("why", ("viewer",), ("name", "run_id", "output")),
        Operation("report", ("viewer",), ("run_id",), folder="out"),
        Operation("report weekly", ("viewer",), ("name", "day"), folder="out"),
        Operation("cases list", ("viewer",), ("output", "closed")),
        Operation("cases show", ("viewer",), ("case", "output")),
        Operation("cases review", ("reviewer",), _REVIEW, states="case.review"),
        Operation("cases accept", ("approver", "admin"), ("what", "held", "reason"), states="accept"),
        Operation("cases deliveries", ("viewer",), ("output",)),
        Operation("cases retry", ("admin",), ("ids", "everything")),
        Operation(
            "breakglass open",
            ("documenter",),
            ("incident", "length", "reason", "actors", "roles", "accounts", "environments"),
            direct=("offline",),
            states="breakglass.open",
        ),
        Operation(
            "breakglass document",
            ("person",),  # whoever acted may always document
            ("case", *_DOCUMENT, "outage", "form"),
            text="form",
            template="breakglass template",
            filled=_DOCUMENT,
            direct=("offline",),
            states="breakglass.document",
        ),
        Operation("breakglass review", ("reviewer",), _REVIEW, states="case.review"),
        Operation("breakglass list", ("viewer",), ("output", "closed")),
        Operation("breakglass show", ("viewer",), ("case", "output")),
        Operation("breakglass template", ("viewer",), ("case",)),
        Operation("except list", ("viewer",), ("output",)),
        Operation("baseline list", ("viewer",), ("output",)),
        # What CloudTrail told is what everybody did: it is for those who have something to answer or to judge.
        Operation("trail status", ("viewer",), ("output",)),
        Operation("trail who", ANY_ROLE, ("resource", "since", "output")),
        Operation("trail explain", ANY_ROLE, ("event_id", "output")),
        Operation("trail access", ANY_ROLE, ("since", "output")),
    )
}
"""By name."""
