"""Which ticket systems the configuration names, and what they and the configuration say about authority.

Hides how each system is opened, and that several answer as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from agent.authorise import PATHS
from agent.config import Config, ConfigError, duration
from agent.model import Authority, Pipeline, Tickets, Trail
from agent.tickets import TicketError, TicketSystem
from agent.tickets.register import Register


@dataclass(frozen=True, slots=True)
class Systems:
    """The configured ticket systems, and the one that gets our cases."""

    every: tuple[TicketSystem, ...]
    target: TicketSystem | None


def open_systems(config: Config) -> Systems:
    """The ticket systems of a configuration. Raises `ConfigError` for an address that is none."""
    made: dict[str, TicketSystem] = {}
    if config.tickets.register is not None:
        path = config.path(config.tickets.register.path)
        made["register"] = Register(path, now=lambda: datetime.now(UTC))
    if config.tickets.roundup is not None:
        from agent.tickets.roundup import Roundup  # its HTTP client is slow to import, and most have no tracker

        tracker = config.tickets.roundup
        try:
            made["roundup"] = Roundup(tracker.url, tracker.user, tracker.password)
        except TicketError as error:
            raise ConfigError(f"[tickets.roundup]: {error}") from None
    name = config.tickets.file_to or "".join(made if len(made) == 1 else ())
    return Systems(tuple(made.values()), made.get(name))


def pipelines(config: Config) -> tuple[Pipeline, ...]:
    """The trusted deployers of a configuration."""
    return tuple(
        Pipeline(one.name, one.role, one.subject, one.source_identity, one.source_ips, one.service)
        for one in config.authority.pipeline
    )


def authority(config: Config, systems: Systems, trail: Trail) -> Authority:
    """Everything the verdicts on a trail's changes rest on. Asks the ticket systems; never raises for their silence."""
    asked = config.authority
    refs = {claim.text for change in trail.changes for claim in change.claims}
    start = min([trail.start, *(change.time for change in trail.changes)])
    answers = [system.lookup(refs, start, trail.end) for system in systems.every]
    return Authority(
        tickets=Tickets(
            tuple(ticket for answer in answers for ticket in answer.found),
            tuple(reason for answer in answers for reason in answer.unanswered),
        ),
        pipelines=pipelines(config),
        people=asked.people,
        paths={**PATHS, **{str(path): tests for path, tests in asked.paths.items()}},
        approved_states=frozenset(state.lower() for state in asked.approved_states),
        tolerance=int(duration(asked.tolerance).total_seconds()),
        approvals=asked.approvals,
        grace=int(duration(asked.grace).total_seconds()),
    )
