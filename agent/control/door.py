"""Who is in: how many connections and processes each peer has, and who goes when there is no room.

Hides that a share is a person's, as far as the machine can tell. Users it has no name for share one: by a user
namespace anybody is any of 65,536. Some room is kept for the people of `[daemon] people` and for root.
"""

from __future__ import annotations

import contextlib
import pwd
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from agent.control.peer import NOBODY

STRANGERS = -1
"""The share of those without a name of their own, and of those whose name is not looked up yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What peers may take of the daemon. Times are seconds."""

    connections: int = 64
    of_one_user: int = 16
    kept: int = 8
    """Connections besides these that only people and root may have."""
    children: int = 3
    of_one_users: int = 2
    """Children at work for one user."""
    kept_children: int = 1
    """Of the children's places those that only people and root may have."""
    receive: float = 10.0
    """For the whole of a request."""
    send: float = 30.0
    """For the whole of an answer."""
    turn: float = 20.0
    """To wait for a child."""
    work: int = 120
    """For a child."""
    nobody: float = 5.0
    """How long somebody stays nobody without being looked up again."""


@dataclass(slots=True, eq=False)
class Guest:
    """A connection that is let in."""

    connection: socket.socket
    uid: int
    share: int
    """The user, or `STRANGERS`."""
    waits: bool = True
    """Nothing is done for it yet: its request has not arrived."""
    left: bool = False
    """It was asked to leave, and its thread has not seen it yet."""


@dataclass(slots=True)
class Door:
    """Counts who is in. For several threads."""

    limits: Limits
    lock: threading.Condition = field(default_factory=threading.Condition)
    _guests: list[Guest] = field(default_factory=list)
    """The one that came first is the first."""
    _children: Counter[int] = field(default_factory=Counter)
    _kept: frozenset[int] = frozenset({0})
    _names: frozenset[str] = frozenset()

    def keep_for(self, people: Mapping[str, str], own: int) -> None:
        """From now on room is kept for these users, by name or as `uid:N`, root, and the daemon's `own` user. Their
        names are looked up meanwhile, which may take long where a directory is asked."""
        names, numbers = frozenset(people), {one.removeprefix("uid:") for one in people if one.startswith("uid:")}
        uids = {0, own, *(int(one) for one in numbers if one.isascii() and one.isdecimal())}
        with self.lock:
            self._kept, self._names = frozenset(uids - {NOBODY}), names
        threading.Thread(target=self._learn, args=(names,), name="control people", daemon=True).start()

    def _learn(self, names: frozenset[str]) -> None:
        found = set()
        for name in names:
            with contextlib.suppress(KeyError, ValueError):
                found.add(pwd.getpwnam(name).pw_uid)
        with self.lock:
            if self._names is names:  # else others are meant by now
                self._kept |= found - {NOBODY}

    def come(self, connection: socket.socket, uid: int) -> tuple[Guest | None, Guest | None]:
        """The connection, let in, and who has to leave for it, if anybody. None in the first place: there is no
        room."""
        with self.lock:
            kept = uid in self._kept
            guest = Guest(connection, uid, uid if kept else STRANGERS)
            room = self.limits.connections + (self.limits.kept if kept else 0)
            inside = [one for one in self._guests if not one.left]
            mine = [one for one in inside if one.share == guest.share]
            leaves: Guest | None = None
            if len(mine) >= self.limits.of_one_user:
                # Who has a name of their own knows whose the others are. Of strangers one must not keep out all.
                if kept or (leaves := _oldest_of_most(mine)) is None:
                    return None, None
            elif len(inside) >= room and (leaves := _oldest_of_most(inside)) is None:
                return None, None
            if len(self._guests) >= 2 * room:  # the threads of those who left have still to end
                return None, None
            if leaves is not None:
                leaves.left = True
            self._guests.append(guest)
            return guest, leaves

    def named(self, guest: Guest, name: str) -> bool:
        """Takes a connection to its user's own share, once its name is known (empty: it has none); False: that has as
        many as it may."""
        with self.lock:
            if guest.share == STRANGERS and guest.uid != NOBODY and name:
                mine = sum(one.share == guest.uid and not one.left for one in self._guests)
                if mine >= self.limits.of_one_user:
                    return False
                guest.share = guest.uid
                self._kept |= {guest.uid} if name in self._names else frozenset()
            return True

    def asked(self, guest: Guest) -> bool:
        """Its request has arrived, and it stays until it is answered; False: it has been asked to leave."""
        with self.lock:
            guest.waits = False
            return not guest.left

    def go(self, guest: Guest) -> None:
        """It is gone."""
        with self.lock:
            self._guests.remove(guest)

    @contextlib.contextmanager
    def turn(self, guest: Guest, may: Callable[[], bool]) -> Iterator[bool]:
        """A child's place, for as long as the context; False where none was free in time, or it `may` not begin."""
        share, limits = guest.share, self.limits

        def free() -> bool:
            others = max(limits.children - limits.kept_children, 1)
            places = limits.children if guest.uid in self._kept else min(others, limits.children)
            return self._children.total() < places and self._children[share] < limits.of_one_users

        with self.lock:
            mine = self.lock.wait_for(free, limits.turn) and may()
            if mine:
                self._children[share] += 1
        try:
            yield mine
        finally:
            if mine:
                with self.lock:
                    self._children[share] -= 1
                    self._children += Counter()  # those of nobody are forgotten
                    self.lock.notify_all()


def _oldest_of_most(inside: list[Guest]) -> Guest | None:
    """Of those whose request has not arrived the one that came first, of whoever has most of all."""
    waiting = [one for one in inside if one.waits]
    if not waiting:
        return None
    has = Counter(one.share for one in inside)
    most = max(has[one.share] for one in waiting)
    return next(one for one in waiting if has[one.share] == most)
