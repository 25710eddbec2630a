"""States that were written while a scan read them, and what that leaves undecided.

Hides how far half an apply reaches: every difference of its stack, and what is new where the stack works.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from agent.model import Finding, FindingId, Gap, Key, Scope, StateRead

TYPE = "terraform_state"
"""Type of a key that names a state."""


def finding_id(key: Key, cause: str) -> FindingId:
    """Of a finding about a state: the same for the same cause at every scan."""
    text = f"{key}|{cause}".encode("utf-8", "surrogatepass")
    return FindingId("F-" + hashlib.blake2b(text, digest_size=6).hexdigest())


def in_motion(states: Iterable[StateRead]) -> tuple[Gap, ...]:
    """The states that were being written, as gaps of their own: they hide no resource, and the run is not complete."""
    return tuple(
        Gap(
            Scope(type=TYPE, id=read.location),
            f"stack {read.stack}: {read.in_motion}; its differences are pending until the next scan",
            len(read.addresses),
        )
        for read in states
        if read.in_motion
    )


def moving(findings: Iterable[Finding], states: Iterable[StateRead]) -> Mapping[FindingId, str]:
    """Findings whose difference may be half an apply, and why: of a stack in motion, or new in an account of it."""
    by_stack = {read.stack: f"the state of stack {read.stack}: {read.in_motion}" for read in states if read.in_motion}
    by_account = {account: by_stack[read.stack] for read in states if read.in_motion for account in read.accounts}
    found = {}
    for finding in findings:
        undeclared = any(drift.kind == "unmanaged" for drift in finding.drifts)
        why = by_stack.get(finding.stack) or (by_account.get(finding.key.account) if undeclared else None)
        if why:
            found[finding.id] = why
    return found
