"""`status`, answered by the daemon itself: a process for it would take a second of processor time to say what is known.

Hides that it is let in and told as a child would do it, and that the identity map is read again only where its file is
another one. Whatever else it takes to answer is left to a child.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from agent.control.frames import Answer, Request, refusal
from agent.control.operations import OPERATIONS

if TYPE_CHECKING:
    from agent.config import Config
    from agent.control.peer import Peer
    from agent.model import Directory
    from agent.store import Store

STATUS = "status"
_OUTPUTS = ("table", "json")

_Stamp = tuple[str, int, int, int]


class Glance:
    """Answers from what the daemon has at hand. For several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._people: tuple[_Stamp, Directory] | None = None

    def answer(self, asked: Request, peer: Peer, config: Config, vitals: Mapping[str, Any]) -> Answer | None:
        """What `driftwarden status` says to whoever may ask it; None: a child is to answer.

        `config`: the one in use, which needs none of its secrets.
        """
        output = asked.parameters.get("output", "table")
        people = config.identities
        if asked.operation != STATUS or asked.draft or asked.signed or output not in _OUTPUTS:
            return None
        if people.identity_center or people.organizations:
            return None  # whoever is not in the file is asked for elsewhere, which may take long
        # Imported here: most of what the daemon does needs none of it.
        from agent.config import ConfigError
        from agent.control.gate import Nobody, admit
        from agent.declare import Refused, in_force
        from agent.status import exit_code, lines, status
        from agent.store import StoreError

        now = datetime.now(UTC)
        try:
            with in_force(config, self._store, now, keep=False) as force:
                named, roles = force.config.daemon.people, force.authority.roles
                who = admit(OPERATIONS[STATUS], peer, named, roles, (lambda: self._directory(config, now),), now)
            told = status(config, self._store, now, vitals)
        except Nobody as error:
            return msgspec.structs.replace(refusal(str(error)), nobody=True)
        except (ConfigError, StoreError, Refused) as error:
            return refusal(str(error))
        text = json.dumps(told, indent=2) if output == "json" else lines(told, asked.columns)
        return Answer(exit_code(told), f"{text}\n", by=who.name)

    def _directory(self, config: Config, now: datetime) -> Directory:
        """The identity map. Raises ConfigError."""
        from agent.directory import read

        with self._lock:
            stamp = _stamp(config)
            if self._people is None or self._people[0] != stamp:
                self._people = stamp, read(config, None, now)
            return self._people[1]


def _stamp(config: Config) -> _Stamp:
    """Changes with the file of the identity map."""
    from agent.config import reading

    name = config.identities.file
    if not name:
        return "", 0, 0, 0
    place = reading(config.path(name))
    try:
        there = place.stat()
    except OSError:
        return str(place), 0, 0, 0
    return str(place), there.st_ino, there.st_size, there.st_mtime_ns
