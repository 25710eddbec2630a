"""Which ticket systems and trusted deployers the configuration names.

Hides how each system is opened, and that several answer as one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from agent.config import Config, ConfigError
from agent.model import Pipeline, Tickets
from agent.tickets import TicketError, TicketSystem


@dataclass(frozen=True, slots=True)
class Systems:
    """The configured ticket systems, and the one that gets our cases."""

    every: tuple[TicketSystem, ...]
    target: TicketSystem | None


def open_systems(config: Config) -> Systems:
    """The ticket systems of a configuration. Raises `ConfigError` for an address that is none."""
    made: dict[str, TicketSystem] = {}
    for name, settings in config.tickets.systems.items():
        try:
            made[name] = import_module(f"agent.tickets.{name}").open_system(settings, Path(config.base))
        except TicketError as error:
            raise ConfigError(f"[tickets.{name}]: {error}") from None
    name = config.tickets.file_to or "".join(made if len(made) == 1 else ())
    return Systems(tuple(made.values()), made.get(name))


def references(name: str, settings: Any) -> tuple[str, ...]:
    """Regular expressions of how a system's tickets are named in tags, session names and commits, besides the usual
    forms. A system's file may say so with a function `references_of(settings)`."""
    said = getattr(import_module(f"agent.tickets.{name}"), "references_of", None)
    return said(settings) if said is not None else ()


def pipelines(config: Config) -> tuple[Pipeline, ...]:
    """The trusted deployers of a configuration."""
    return tuple(
        Pipeline(one.name, one.role, one.subject, one.source_identity, one.source_ips, one.service)
        for one in config.authority.pipeline
    )


def look_up(systems: Systems, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
    """What all systems know of these references and of the interval: each is asked once. Never raises."""
    answers = [system.lookup(refs, start, end) for system in systems.every]
    return Tickets(
        tuple(ticket for answer in answers for ticket in answer.found),
        tuple(reason for answer in answers for reason in answer.unanswered),
    )
