"""Whether somebody at the socket is let in for what they ask: the person behind a Unix user, and their roles.

Hides that most questions are answered by the identity map's file alone, so that Identity Center is not asked for each.
What a declaration counts for is not decided here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from agent.control.operations import Operation
from agent.control.peer import Peer
from agent.declare import Refused, Speaker, is_known, may, peer, stranger
from agent.model import Directory
from agent.tables import RoleName


class Nobody(Refused):
    """The user is no person here, whatever they ask for."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who is let in."""

    speaker: Speaker | None
    """None: root or the daemon's own user, who may look and is no person."""
    directory: Directory | None
    """The whole identity map, as far as it was needed."""

    @property
    def name(self) -> str:
        """For the log."""
        return self.speaker.person if self.speaker else ""


def admit(
    operation: Operation,
    at_door: Peer,
    people: Mapping[str, str],
    roles: Mapping[RoleName, tuple[str, ...]],
    maps: tuple[Callable[[], Directory], ...],
    now: datetime,
) -> Admitted:
    """Lets somebody in. `people`, `roles`: as they are in force. `maps`: give the identity map, the cheap part of it
    first, the whole of it last.

    Raises Refused with what would be right; Nobody for who is nobody whatever they ask.
    """
    # Neither of them is a person.
    keeper = at_door.uid in _keepers() and ("viewer" in operation.needs or bool(operation.asks))
    said: Refused | None = None
    for number, read in enumerate(maps):
        if keeper and number == 0:
            return Admitted(_as_person(at_door, people, read(), now), None)
        directory = read()
        last = number == len(maps) - 1
        try:
            speaker = peer(at_door.user, at_door.uid, people, directory, now, at_door.evidence)
        except Refused as error:
            said = Nobody(str(error))
            continue
        said = _kept_out(operation, speaker, directory, roles, now)
        if said is None and (last or operation.needs == ("viewer",)):
            return Admitted(speaker, directory if last else None)
    assert said is not None  # there is a map
    # Who may look is not nobody whatever they ask.
    raise Refused(str(said)) if at_door.uid in _keepers() else said


def _keepers() -> tuple[int, int]:
    """Who has the daemon's user has the store, and who is root has everything: to look is no gift."""
    return 0, os.geteuid()


def _as_person(at_door: Peer, people: Mapping[str, str], directory: Directory, now: datetime) -> Speaker | None:
    """Who a keeper is besides, if anybody."""
    try:
        return peer(at_door.user, at_door.uid, people, directory, now, at_door.evidence)
    except Refused:
        return None


def _kept_out(
    operation: Operation,
    speaker: Speaker,
    directory: Directory,
    roles: Mapping[RoleName, tuple[str, ...]],
    now: datetime,
) -> Refused | None:
    """Why a speaker is not let in; None where they are."""
    if not is_known(speaker.person, directory, now):
        return Nobody(stranger(speaker.person, directory, now))
    if "viewer" in operation.needs:
        return None
    if (why := stranger(speaker.person, directory, now)) is not None:
        return Refused(why)
    if "person" in operation.needs:
        return None
    wanted: list[RoleName] = [role for role in get_args(RoleName) if role in operation.needs]
    whys = [may(speaker, role, directory, roles) for role in wanted]
    return None if None in whys else Refused("; ".join(filter(None, whys)))
