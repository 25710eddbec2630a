"""The daemon as a process: signals in the main thread, everything else in others.

Hides that a signal is answered at once, whatever the loop waits for, and that the process ends even if nothing else of
it does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from agent.config import ConfigError, environment
from agent.daemon import log as logs
from agent.daemon.given import Keeper, RefusedError
from agent.daemon.limits import Limits
from agent.daemon.log import log
from agent.daemon.loop import Loop
from agent.daemon.notify import Notify
from agent.store import connect

_USUAL = Limits()
_PATIENCE = 10.0
"""Seconds after the last child was killed until the process ends, whatever it waits for."""


def serve(path: Path, limits: Limits = _USUAL) -> int:
    """Runs the daemon of a configuration until it is told to stop → exit code: 0 told to stop, 1 another leads now.

    Raises ConfigError for what is wrong in configuration, rules or what belongs to them, and StoreError.
    """
    given_to_us = environment()
    notify = Notify(given_to_us)
    logs.configure("info", given_to_us)
    notify.status("looks at the configuration")
    keeper = Keeper(path, limits.adopt)
    with ExitStack() as undone:
        undone.callback(keeper.forget)
        try:
            given = keeper.adopt()
        except RefusedError as error:
            raise ConfigError(str(error)) from None
        keeper.take(given)
        logs.configure(given.config.daemon.log, given_to_us)
        store = connect(given.config.store_url())
        loop = Loop(keeper, given, store, f"{socket.gethostname()}/{os.getpid()}", limits, notify)
        undone.pop_all()
    _obey(loop, limits)
    log.info("started", config=str(path), estate=given.config.estate.name)
    loop.start()
    while loop.code is None and loop.alive:
        loop.join(1.0)
    if loop.code is None:  # whatever ended it, whoever started us begins anew
        keeper.forget()
        return 1
    return loop.code


def _obey(loop: Loop, limits: Limits) -> None:
    """SIGTERM and SIGINT end it in order, a second one at once; SIGHUP has the configuration looked at."""
    told: list[int] = []

    def end(number: int, _frame: object) -> None:
        told.append(number)
        if len(told) == 1:
            timer = threading.Timer(loop.grace + 2 * limits.ending + _PATIENCE, _give_up)
            timer.daemon = True
            timer.start()
            loop.stop()
        else:
            loop.kill()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, lambda _number, _frame: loop.reload())


def _give_up() -> None:
    log.critical("did not end in time")
    sys.stderr.flush()
    os._exit(1)
