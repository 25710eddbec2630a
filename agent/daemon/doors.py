"""How others reach the daemon: the control socket for people, `/healthz`, `/readyz` and `/metrics` for monitors.

Hides that an address may be taken for a while, by a leader that was stopped and still holds it, and what follows a new
configuration.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.config import Config, ConfigError
from agent.control import Control, ControlError
from agent.daemon.health import Health
from agent.daemon.log import log
from agent.store import Store
from agent.vitals import Vitals

_AGAIN = 5.0
"""Seconds between two tries."""

Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class Doors:
    """The doors of one daemon. For one thread."""

    def __init__(self, path: Path, config: Config, store: Store, vitals: Callable[[], Vitals], ask: Ask) -> None:
        """Opens the door of monitors; that of people opens with `lead`. Raises ConfigError."""
        self._path, self._config, self._store, self._vitals, self._ask = path, config, store, vitals, ask
        self._health = Health(config, store, vitals)
        self._health.start()
        self._control: Control | None = None
        self._fenced: Store | None = None
        self._tried = 0.0
        self._said = self._shut = ""

    @property
    def error(self) -> str:
        """Why people or monitors do not reach it; empty: they do, or are not meant to. It is tried again and again."""
        return "; ".join(filter(None, (self._shut, self._health.error)))

    def lead(self, fenced: Store) -> None:
        """We lead: people may come, and what is counted is written down under our fence."""
        self._fenced = fenced
        self._health.lead(fenced)
        self._tried = 0.0
        self.step()

    def step(self) -> None:
        """Tries again what could not be opened."""
        if self._fenced is not None and self._control is None and time.monotonic() - self._tried >= _AGAIN:
            self._tried = time.monotonic()
            control = Control(self._config, self._fenced, self._ask, path=self._path)
            try:
                control.start()
            except ControlError as error:
                self._shut = str(error)
            else:
                self._control, self._shut = control, ""
        said = self.error
        if said != self._said:
            self._said = said
            log.error("not reached", said=said) if said else log.info("reached again")

    def use(self, config: Config) -> None:
        """A new configuration is in force."""
        before, self._config = self._config.daemon, config
        if config.daemon.listen != before.listen:
            self._health.stop()
            try:
                self._health = Health(config, self._store, self._vitals)
            except ConfigError as error:  # it was looked at before
                log.error("not reached", said=str(error))
            if self._fenced is not None:
                self._health.lead(self._fenced)
            self._health.start()
        else:
            self._health.use(config)
        if self._control is not None and config.daemon.socket != before.socket:
            self._control.stop()
            self._control, self._tried = None, 0.0
            self.step()
        elif self._control is not None:
            self._control.renew(config, self._path)

    def close(self) -> None:
        """Nobody reaches it any more."""
        if self._control is not None:
            self._control.stop()
            self._control = None
        self._health.stop()
