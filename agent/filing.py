"""Carries out what the outbox holds: opens, updates and closes tickets; one failure never stops the rest.

Hides what an attempt that may have got through means (look before making), how long to wait after a failure, and when
a system is left in peace.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.clean import clean, plural
from agent.model import SEVERITIES, Case, CaseKey, Close, Held, Open, Update
from agent.store.outbox import Entry, Outbox
from agent.tickets import TicketError, TicketSystem

LEASE = timedelta(minutes=10)
"""Longer than the slowest filing: a system that answers each of a hundred requests after seconds."""
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
FAILURES = 3
"""After so many in a row the system is down: what is left waits for the next drain, and nobody hammers it."""
_AT_ONCE = 64
_QUICK = 1.0  # seconds
_LATE = LEASE / 4
"""Nothing that was claimed is begun later: the slowest filing must end within the lease too."""


@dataclass(frozen=True, slots=True)
class Filed:
    """What a drain did."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    """Entries that stay until somebody puts right what stopped them."""
    errors: tuple[str, ...] = ()
    """Why, one for each entry retried or dead."""


def drain(outbox: Outbox, system: TicketSystem, owner: str, now: Callable[[], datetime], limit: int = 1000) -> Filed:
    """Carry out at most `limit` due entries, oldest first; `owner` names this sender.

    A failure that may pass is retried from 30 s to an hour later, twice as long each time; a permanent one is dead.
    """
    done = _Drain(outbox, system, now)
    while done.tried < limit and done.in_a_row < FAILURES:
        entries = outbox.claim_some(owner, now(), LEASE, min(done.at_once, limit - done.tried))
        if not entries:
            break
        done.carry_out(entries)
    return Filed(done.sent, done.retried, done.dead, tuple(done.errors))


@dataclass(slots=True)
class _Drain:
    """One drain, as far as it is."""

    outbox: Outbox
    system: TicketSystem
    now: Callable[[], datetime]
    sent: int = 0
    retried: int = 0
    dead: int = 0
    tried: int = 0
    in_a_row: int = 0
    at_once: int = 1
    """Entries that are claimed and marked as sent together: to be on disk takes longer than to file one in a folder."""
    errors: list[str] = field(default_factory=list)

    def carry_out(self, entries: Sequence[Entry]) -> None:
        """Some that were claimed together."""
        spent, failed, slow = _Watch(self.now), False, False
        arrived: list[tuple[Entry, str]] = []
        left = list(entries)
        while left and self.in_a_row < FAILURES and not slow:
            one, entry = _Watch(self.now), left.pop(0)
            self.tried += 1
            try:
                arrived.append((entry, _carry_out(entry, self.system)))
                self.in_a_row = 0
            except TicketError as error:
                failed = True
                self._failed(entry, error)
            # What follows would outlast the lease, and another sender would file it once more.
            slow = one.seconds() >= _QUICK or spent.seconds() >= _LATE.total_seconds()
        if arrived:
            self.sent += self.outbox.sent_all(arrived, self.now())
        if left:
            self.outbox.give_back(left)
        # Slow ones would lose more if this process died.
        quick = not failed and not slow and spent.seconds() < _QUICK
        self.at_once = min(2 * self.at_once, _AT_ONCE) if quick else 1

    def _failed(self, entry: Entry, error: TicketError) -> None:
        self.errors.append(f"{entry.dedup_key}: {error}")
        if error.permanent:
            self.outbox.dead(entry, str(error), self.now())
            self.dead += 1
        else:
            self.outbox.retry(entry, str(error), self.now() + wait(entry.id, entry.attempts))
            self.retried += 1
        self.in_a_row += 1


class _Watch:
    """Time since it was made: by the clock that leases go by, and by one that nobody sets; whichever shows more."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._began, self._since = time.monotonic(), now()

    def seconds(self) -> float:
        return max(time.monotonic() - self._began, (self._now() - self._since).total_seconds())


def deliveries(outbox: Outbox) -> list[dict[str, Any]]:
    """What is not in the ticket system yet, as JSON values, what nobody tries again first. Raises StoreError."""
    ordered = sorted(outbox.unsent(), key=lambda one: (one.state != "dead", one.id))
    return [_told(one) for one in ordered]


def _told(entry: Entry) -> dict[str, Any]:
    case = None if isinstance(entry.action, Held) else entry.action.case
    return {
        "id": entry.id,
        "state": entry.state,
        "case": case.key if case else "",
        "ticket": case.ticket if case else "",
        "action": type(entry.action).__name__.lower(),
        "attempts": entry.attempts,
        "since": entry.created_at.isoformat(timespec="seconds"),
        "next_at": entry.next_at.isoformat(timespec="seconds") if entry.state == "waiting" else None,
        "error": clean(entry.error, 300),
    }


def owner() -> str:
    """This thread's name, for leases: `forsaken` knows by it whether its process still lives."""
    return f"{os.uname().nodename}/{os.getpid()}/{threading.get_ident()}"


def forsaken(outbox: Outbox, now: datetime) -> None:
    """Takes over what a process of this machine had claimed and did not live to file: else it waits for its lease.

    To be asked where the store is a file, and so nobody else's. Raises StoreError.
    """
    node = os.uname().nodename
    gone = [one for one in outbox.owners() if (pid := _pid(one, node)) and not _lives(int(pid))]
    if gone:
        outbox.abandoned(gone, now)


def _pid(owner: str, node: str) -> str:
    """Of `node/pid/thread`; empty for any other owner."""
    name, pid, *_ = (*owner.rsplit("/", 2), "", "")
    return pid if name == node and pid.isdecimal() else ""


def _lives(pid: int) -> bool:
    """Not asked of /proc, which may hide what belongs to others."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another's; or no number of a process of this machine's
        return True
    return True


def wait(entry: int, attempts: int) -> timedelta:
    """How long after its `attempts`-th failure an entry is tried again.

    Up to a fifth more or less, by the entry's number, so that what failed together does not come back together.
    """
    doubled = min(FIRST_WAIT * (1 << min(attempts - 1, 20)), LONGEST_WAIT)
    spread = hashlib.blake2b(f"{entry}/{attempts}".encode(), digest_size=2).digest()
    return doubled * (0.8 + 0.4 * int.from_bytes(spread) / 0xFFFF)


def _carry_out(entry: Entry, system: TicketSystem) -> str:
    """The reference of the ticket; empty where there was none to close. Raises `TicketError`."""
    match entry.action:
        case Open(case):
            return _ticket(case, system)
        case Held():
            return _ticket(_alarm(entry.action), system)
        case Update(case, note):
            ref = _ticket(case, system)  # not `case.ticket`: nobody reads news in a ticket that somebody has closed
            system.update(ref, note)
            return ref
        case Close(case, reason):
            ref = case.ticket or system.find(case) or ""
            if ref:
                system.close(ref, reason)
            return ref


def _ticket(case: Case, system: TicketSystem) -> str:
    """The case's ticket, made only where none is found: an earlier attempt or an earlier database may have made it."""
    return system.find(case) or system.open(case)


def _alarm(held: Held) -> Case:
    """One ticket for everything held back."""
    keys = sorted(case.key for case in held.cases)
    digest = hashlib.blake2b(" ".join(keys).encode(), digest_size=8).hexdigest()
    listed = "\n".join(f"{case.key}  {case.severity:<8}  {case.title}" for case in held.cases)
    return Case(
        CaseKey(digest),
        f"{plural(len(held.cases), 'case is', 'cases are')} held back: too much changed at once",
        findings=(),
        severity=max((case.severity for case in held.cases), key=SEVERITIES.index, default="high"),
        body=f"{held.why}.\n\nThese cases wait until two people accept them:\n\n{listed}",
    )
