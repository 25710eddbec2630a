"""A window that was just declared is told to the approvers at once: its case, and the case's ticket.

Hides that a ticket system may be silent: the case waits in the outbox then, and the next scan files it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.config import Config
    from agent.model import Case, CaseKey, Opening
    from agent.store import Store
    from agent.ticketing import Systems

_MOST = 100
"""Entries of the outbox that are carried out: somebody waits, and has an emergency."""


def announce(config: str, opening: Opening) -> str:
    """Opens the case of a window and files it; what became of it, in one line. Nothing of it undoes the window."""
    from agent import ticketing
    from agent.clean import clean
    from agent.cli._declare import fence
    from agent.config import ConfigError, load
    from agent.store import StoreError, connect

    try:
        loaded = load(Path(config))
        with connect(loaded.store_url(), fence=fence()) as store:
            case = _case(loaded, store, opening)
            if case is None:
                return "No case is opened, since nothing is filed here ([tickets] mode): tell the approvers yourself."
            return _filed(store, case, ticketing.open_systems(loaded))
    except (ConfigError, StoreError) as error:
        return f"The approvers are not told yet, the next scan does it: {clean(error)}"


def _case(config: Config, store: Store, opening: Opening) -> Case | None:
    """The case of the window, opened now unless there is one; None where nothing is filed."""
    from agent.conduct import files_cases
    from agent.declare import in_force
    from agent.plan import window_case

    if not files_cases(config):
        return None
    now = datetime.now(UTC)
    with in_force(config, store, now, keep=False) as force:
        case = window_case(opening, now, force.authority.roles.get("approver", ()))
    store.cases.begin(case, f"opening {opening.id}", now)
    return case


def _filed(store: Store, case: Case, systems: Systems) -> str:
    """Carries out the outbox; whether the case has its ticket."""
    from agent.clean import clean
    from agent.filing import drain, owner

    assert systems.target is not None  # who files names the system: `config.load` sees to it
    done = drain(store.outbox, systems.target, owner(), lambda: datetime.now(UTC), _MOST)
    ticket = _ticket(store, case.key)
    if ticket:
        return f"The approvers are told in {clean(ticket)}."
    why = clean(done.errors[-1]) if done.errors else "others are filed before it"
    return f"Case {case.key} is open and not filed yet; the next scan tries again: {why}"


def _ticket(store: Store, key: CaseKey) -> str:
    return next((one.ticket for one in store.cases.open() if one.key == key), "")
