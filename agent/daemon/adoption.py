"""Which configuration is in force, and what becomes of a newer one.

Hides that a child process looks at it while the loop goes on, that a look follows another where something changed
meanwhile, and that what was refused is looked at again: somebody mends it, or the reason passes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from agent.daemon.files import Files
from agent.daemon.given import Given, Keeper, RefusedError
from agent.daemon.limits import Limits
from agent.daemon.log import log
from agent.daemon.notify import Notify

Post = Callable[[Callable[[], None]], None]
"""Has something done in the loop's thread."""


class Adoption:
    """The configuration in force. For the loop's thread, but for `given` and `error`."""

    def __init__(
        self,
        keeper: Keeper,
        given: Given,
        limits: Limits,
        notify: Notify,
        post: Post,
        told: Callable[[Given | None, bool], None],
    ) -> None:
        """`given` is in force. `told` hears how each look ended: what is in force now and whether it is different from
        what was before, or None where it stays.
        """
        self.given = given
        self.error = ""
        """Why the newest is not in use; empty: it is."""
        self.files = Files(limits)
        self._keeper, self._limits, self._notify, self._post, self._told = keeper, limits, notify, post, told
        self._store = given.config.store_url()
        self._looking = self._asked_meanwhile = False
        self._ended_at = 0.0

    def start(self) -> None:
        """Watches its files from now on."""
        self.files.watch(self.given)

    def look(self) -> None:
        """Has what there is now looked at, in a thread."""
        if self._looking:
            self._asked_meanwhile = True
            return
        self._notify.reloading()
        self._look()

    def step(self) -> None:
        """Looks again at what was refused a while ago. To be called every second or so."""
        if self.error and not self._looking and time.monotonic() - self._ended_at >= self._limits.refused:
            self._look(said=self.error)

    def _look(self, said: str = "") -> None:
        self._looking = True
        self.files.note()

        def look() -> None:
            try:
                given = self._keeper.adopt()
            except RefusedError as error:
                why, policy = str(error), error.policy
                self._post(lambda: self._refused(why, policy, said))
            else:
                self._post(lambda: self._adopted(given, said))

        threading.Thread(target=look, name="adopt", daemon=True).start()

    def _adopted(self, given: Given, said: str) -> None:
        if given.config.store_url() != self._store:
            # Whatever is a copy of this store holds the same filings, and both would send them.
            self._keeper.drop(given)
            self._refused("[store] url is another one: restart the daemon to use it", given.policy, said)
            return
        self._keeper.take(given)
        self.given, self.error = given, ""
        changed = self.files.watch(given)
        log.info("reloaded", config=given.config.sha256[:12], changed=changed)
        self._end(given, changed)

    def _refused(self, why: str, policy: tuple[Path, ...], said: str) -> None:
        self.error = why
        self.files.watch_refused(policy)
        if why != said:
            log.error("not reloaded", said=why)
        self._end(None, False)

    def _end(self, given: Given | None, changed: bool) -> None:
        self._looking, self._ended_at = False, time.monotonic()
        self._told(given, changed)
        if self._asked_meanwhile:
            self._asked_meanwhile = False
            self.look()
