"""Exceptions: the files that say what may differ, why, whose that is, who approved it and until when.

Hides which entries count: what lacks a reason, an owner, another person's approval or an end is refused, with the line
it stands on; what nobody has signed yet waits.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from agent.clean import clean
from agent.model import PolicyException
from agent.tickets.document import DocumentError, Reader, Value
from agent.tolerated.scope import scope
from agent.tolerated.terms import (
    TERMS,
    Approvals,
    approved,
    content,
    entries,
    identifier,
    read_terms,
    statement,
    twice,
)

SCOPE = ("addresses", "keys", "types", "accounts", "attributes")
FIELDS = ("id", *SCOPE, "reason", "ticket", *TERMS)
KIND = "exception"
"""What its signed statement is called."""

State = Literal["in force", "expiring", "waiting", "not begun", "expired"]
_THREADS = 8  # each signature is two runs of ssh-keygen
SOON = timedelta(days=14)
"""From so long before its end an exception is called expiring."""


@dataclass(frozen=True, slots=True)
class Exceptions:
    """The exceptions of a folder."""

    found: tuple[PolicyException, ...] = ()
    """Those that nothing is wrong with, whether or not they are in force."""
    problems: tuple[str, ...] = ()
    """What is wrong with the others and with their approvals: `file:line: what, and what would be right`."""


def read(directory: Path, longest: timedelta, approvals: Approvals, now: datetime) -> Exceptions:
    """The exceptions of `directory/*.yaml`, those not in force as well; none where there is no such folder."""
    listed = entries(directory)
    good: list[PolicyException] = []
    problems = list(listed.unread)
    places: list[tuple[str, str]] = []

    def one(entry: tuple[Path, Value]) -> tuple[Reader, PolicyException | None]:
        reader = Reader(entry[0])
        return reader, _exception(entry[1], reader, longest, approvals, now)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="approval") as pool:
        read_ones = list(pool.map(one, listed.found))
    for reader, exception in read_ones:
        problems += [str(problem) for problem in sorted(reader.problems, key=lambda one: one.line)]
        if exception is not None:
            good.append(exception)
            places.append((exception.id, exception.source))
    doubled = dict(twice(places))
    return Exceptions(
        tuple(one for one in good if one.id not in doubled), tuple(map(str, (*problems, *doubled.values())))
    )


def state(exception: PolicyException, now: datetime) -> State:
    """What an exception is now."""
    if exception.until <= now:
        return "expired"
    if not exception.approved:
        return "waiting"
    if exception.since is not None and exception.since > now:
        return "not begun"
    return "expiring" if exception.until - now <= SOON else "in force"


def entry(value: Value, file: Path, longest: timedelta, approvals: Approvals, now: datetime) -> PolicyException:
    """One entry of a file. Raises `DocumentError` for the first thing that is wrong with it or with its approval."""
    reader = Reader(file)
    found = _exception(value, reader, longest, approvals, now)
    if reader.problems or found is None:
        raise min(reader.problems, key=lambda one: one.line, default=DocumentError(file, value.line, "is no exception"))
    return found


def _exception(
    value: Value, reader: Reader, longest: timedelta, approvals: Approvals, now: datetime
) -> PolicyException | None:
    fields = reader.fields(value, "an exception", FIELDS)
    id_ = identifier(fields, value, reader, "EX-1")
    name = f"exception {id_}" if id_ else "an exception"
    reason = clean(reader.text(fields.get("reason"), "reason").strip())
    if not reason:
        reader.wrong(fields.get("reason", value), f"{name} needs a reason: why it may differ")
    patterns = scope(fields, value, reader, SCOPE, SCOPE[:4])
    terms = read_terms(fields, value, reader, longest, approvals, name)
    ticket = clean(reader.text(fields.get("ticket"), "ticket"), 200)
    if terms is None or reader.problems:
        return None
    signed = approved(fields, terms, statement(KIND, content(fields), approvals.estate), reader, approvals, now)
    return PolicyException(
        id=id_,
        reason=reason,
        owner=terms.owner,
        approver=terms.approver,
        until=terms.until,
        **patterns,
        ticket=ticket,
        approved=signed[0] if signed else "",
        source=f"{reader.file}:{value.line}",
        since=terms.since,
    )
