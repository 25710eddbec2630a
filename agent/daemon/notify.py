"""Tells systemd how the daemon is: READY, STATUS, RELOADING, STOPPING, WATCHDOG.

Hides the datagram socket (https://www.freedesktop.org/software/systemd/man/sd_notify.html) and that there may be none.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from agent.clean import clean


class Notify:
    """The service manager that started us, by the process's variables; without one nothing is told."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        address = variables.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the kernel's own namespace, where it begins with a zero byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = _watchdog(variables)
        """Seconds within which it must be fed, or systemd kills us; 0: nobody watches."""

    def ready(self, status: str) -> None:
        """The daemon works, or again after a reload."""
        self._tell("READY=1", _status(status))

    def status(self, status: str) -> None:
        """One line for people."""
        self._tell(_status(status))

    def reloading(self) -> None:
        """Until `ready` a configuration is looked at."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str, seconds: float) -> None:
        """The daemon ends, and may take so long."""
        self._tell("STOPPING=1", _status(status), f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def feed(self) -> None:
        """The loop came round and the store took a write."""
        if self.watchdog:
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.settimeout(1)
                sender.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                pass  # whoever listened is gone or busy; what comes next tells again


def status_line(role: str, waits_for: str, running: str, *wrong: str, refused: str) -> str:
    """What people read in `systemctl status`: what the daemon is at, and what is wrong."""
    at = {"leader": running, "standby": f"standby: {waits_for} leads"}.get(role, role)
    refused = f"the newest configuration is not in use: {refused}" if refused else ""
    return "; ".join(filter(None, (at, *wrong, refused)))


def _status(text: str) -> str:
    return f"STATUS={clean(text, 300)}"


def _watchdog(variables: Mapping[str, str]) -> float:
    if variables.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    given = variables.get("WATCHDOG_USEC", "")
    return int(given) / 1_000_000 if given.isascii() and given.isdigit() else 0.0
