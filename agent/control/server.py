"""The daemon's end of the socket: listens, says who is there, and has each command carried out in a child process.

Hides threads, and every limit on what a peer may take of time. Nobody waits for a slow one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from agent.clean import clean
from agent.control.door import STRANGERS, Door, Guest, Limits
from agent.control.errand import Errand, begin, carried_out, kill
from agent.control.frames import (
    MOST_ANSWERED,
    MOST_ASKED,
    Answer,
    FrameError,
    Request,
    encoded,
    receive,
    refusal,
    request,
    send,
)
from agent.control.glance import Glance
from agent.control.listening import listen
from agent.control.operations import OPERATIONS, Operation
from agent.control.peer import Peer, name_of, peer_of, uid_of

if TYPE_CHECKING:
    from agent.config import Config
    from agent.store import Store

_log = structlog.get_logger("control")

__all__ = ["Control", "Limits"]

Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
_USUAL = Limits()
_FULL = "the daemon has too many connections; try again"


@dataclass(slots=True)
class _Now:
    """What is so at the moment."""

    lock: threading.Condition = field(default_factory=threading.Condition)
    nobody: dict[int, tuple[float, Answer]] = field(default_factory=dict)
    """Users who are nobody, until when, and what they were told."""
    at_work: set[subprocess.Popen[bytes]] = field(default_factory=set)


class Control:
    """The socket of `[daemon] socket`, served from `start` to `stop`. Threads of its own; nobody waits for a peer."""

    def __init__(
        self, config: Config, store: Store, ask: Ask, *, path: Path | None = None, limits: Limits = _USUAL
    ) -> None:
        """`ask`: see the package. `path`: file the children read in place of the configuration's own."""
        self._path = config.path(config.daemon.socket) if config.daemon.socket else None
        self._config, self._estate = config, config.estate.name
        self._child_reads = path or config.path(config.origin)
        self._store = store
        self._ask = ask
        self._glance = Glance(store)
        self._limits = limits
        self._now = _Now()
        self._door = Door(limits)
        self._listener: socket.socket | None = None
        self._file: tuple[int, int] | None = None

    def start(self) -> None:
        """Listens, unless `[daemon] socket` is empty. Raises ControlError."""
        if self._path is not None:
            self._door.keep_for(self._config.daemon.people, os.geteuid())
            self._listener, self._file = listen(self._path)
            threading.Thread(target=self._accept, args=(self._listener,), name="control", daemon=True).start()

    def renew(self, config: Config, path: Path | None = None) -> None:
        """From now on children read this configuration. The socket stays where it is until `stop` and `start`."""
        self._config = config
        self._child_reads, self._estate = path or config.path(config.origin), config.estate.name
        self._door.keep_for(config.daemon.people, os.geteuid())
        with self._now.lock:
            self._now.nobody.clear()

    def stop(self, seconds: float = 5.0) -> None:
        """Takes no more, gives what is at work so many seconds, and kills the rest."""
        listener, self._listener = self._listener, None
        if listener is None or self._path is None:
            return
        with contextlib.suppress(OSError):
            found = self._path.lstat()
            if (found.st_dev, found.st_ino) == self._file:  # another daemon may have put its own there
                self._path.unlink()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        listener.close()
        with self._now.lock:
            self._now.lock.wait_for(lambda: not self._now.at_work, seconds)
            for child in self._now.at_work:
                kill(child)

    # --- one connection after another ------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                connection, _ = listener.accept()
            except OSError:
                if self._listener is listener:  # no file descriptor is left, for example
                    time.sleep(0.1)
                continue
            try:
                uid = uid_of(connection)
            except OSError:
                connection.close()
                continue
            guest, leaves = self._door.come(connection, uid)
            if leaves is not None:
                _answer(leaves.connection, refusal(_FULL, busy=True), 0.1)
                with contextlib.suppress(OSError):  # its thread closes it
                    leaves.connection.shutdown(socket.SHUT_RDWR)
            if guest is None:
                _answer(connection, refusal(_FULL, busy=True), 0.1)
                connection.close()
                continue
            try:
                threading.Thread(target=self._serve, args=(guest,), name="control peer", daemon=True).start()
            except RuntimeError:  # no thread is left
                self._door.go(guest)
                connection.close()

    def _serve(self, guest: Guest) -> None:
        try:
            with guest.connection as connection:
                if not self._door.named(guest, name_of(guest.uid)):
                    _answer(connection, refusal(_FULL, busy=True), self._limits.send)
                    return
                try:
                    asked = request(receive(connection, MOST_ASKED, self._limits.receive))
                except FrameError as error:
                    _answer(connection, refusal(f"not understood: {error}"), self._limits.send)
                    return
                if not self._door.asked(guest):
                    return
                began = time.monotonic()
                peer = peer_of(connection, datetime.now(UTC))
                given = self._answered(asked, peer, guest)
                _log.info(
                    "control.asked",
                    operation=clean(asked.operation, 60),
                    user=clean(peer.called, 80),
                    by=clean(given.by, 60),
                    exit=given.exit,
                    seconds=round(time.monotonic() - began, 3),
                )
                _answer(connection, msgspec.structs.replace(given, by="", ask="", nobody=False), self._limits.send)
        finally:
            self._door.go(guest)

    # --- one command -----------------------------------------------------------------------------------------

    def _answered(self, asked: Request, peer: Peer, guest: Guest) -> Answer:
        operation = OPERATIONS.get(asked.operation)
        if operation is None:
            return refusal(f"'{clean(asked.operation, 60)}' does not go through the daemon's socket")
        extra = asked.parameters.keys() - set(operation.options)
        if extra:
            named = ", ".join(clean(one, 40) for one in sorted(extra)[:5])
            return refusal(f"{operation.name} takes no {named} through the daemon's socket")
        if asked.estate and asked.estate != self._estate:
            ours, theirs = clean(self._estate, 60), clean(asked.estate, 60)
            return refusal(f"the configuration is of the estate '{theirs}', and this daemon looks after '{ours}'")
        if guest.share == STRANGERS:
            return self._stranger(peer)
        with self._now.lock:
            until, before = self._now.nobody.get(peer.uid, (0.0, Answer()))
            if time.monotonic() < until:
                return before
        with self._door.turn(guest, lambda: self._listener is not None) as mine:
            if not mine:
                return refusal("the daemon is busy with what others asked; try again", busy=True)
            given = self._carried_out(asked, peer, operation)
        if given.nobody:
            now = time.monotonic()
            with self._now.lock:
                left = {uid: one for uid, one in self._now.nobody.items() if one[0] > now}
                self._now.nobody = {**left, peer.uid: (now + self._limits.nobody, given)}
        if given.ask:
            return self._asked(given)
        return given

    def _asked(self, given: Answer) -> Answer:
        """What the daemon itself says, where it is what somebody may ask."""
        said = clean(self._ask(given.ask, {"by": given.by}).get("said", ""))
        # It is no scan that was clean: the exit code is that of one that is not whole.
        wait = "Nothing is said of the estate until it has ended: `driftwarden status`, `driftwarden findings`."
        return msgspec.structs.replace(given, exit=3, stdout=f"{said}\n{wait}\n")

    def _stranger(self, peer: Peer) -> Answer:
        """What a user without a name is told, for whom no process begins: nobody can be meant by it."""
        from agent.declare import Refused
        from agent.declare import peer as somebody
        from agent.model import Directory

        try:
            somebody(peer.user, peer.uid, {}, Directory(), datetime.now(UTC), peer.evidence)
        except Refused as error:
            return refusal(str(error))
        raise AssertionError("nobody is named")

    def _carried_out(self, asked: Request, peer: Peer, operation: Operation) -> Answer:
        vitals = dict(self._ask("status", {})) if operation.tells else None
        if vitals is not None and (known := self._glance.answer(asked, peer, self._config, vitals)) is not None:
            return known
        config, fence = str(self._child_reads), self._store.database.fence
        try:
            child = begin(asked)
        except OSError as error:
            return refusal(f"the daemon cannot begin a process: {error.strerror}", busy=True)
        with self._now.lock:
            self._now.at_work.add(child)
        try:
            return carried_out(child, Errand(config, fence, peer, asked, vitals, self._limits.work))
        finally:
            with self._now.lock:
                self._now.at_work.discard(child)
                self._now.lock.notify_all()


def _answer(connection: socket.socket, given: Answer, seconds: float) -> None:
    data = encoded(given)
    if len(data) > MOST_ANSWERED:
        data = encoded(refusal(f"the answer is larger than {MOST_ANSWERED:,} bytes; ask for less"))
    with contextlib.suppress(FrameError):  # whoever asked is gone
        send(connection, data, seconds)
