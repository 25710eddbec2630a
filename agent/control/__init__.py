"""The control socket: people reach the daemon's store through it, without a key, the store's file or cloud credentials.

Hides how a command crosses: who is at the other end (by the kernel, SO_PEERCRED), which commands may come and from
whom, that each runs in a child process of the daemon's, and what keeps a slow or hostile peer from doing harm.

The daemon gives `Control` an `ask(what, arguments)`, which answers with plain JSON values and does not wait:

- `ask("status", {})`: what the daemon knows of itself; commands find it in `agent.cli._through.vitals()`;
- `ask("scan", {"by": "dana"})`: a scan of the whole estate begins soon. `said` of the answer is shown.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.control.listening import ControlError
    from agent.control.server import Control

__all__ = ["Control", "ControlError"]

_WHERE = {"Control": "server", "ControlError": "listening"}


def __getattr__(name: str) -> Any:
    # Every start of the command line looks into the table of operations, and none needs the server.
    if name not in _WHERE:
        raise AttributeError(f"module {__name__} has no {name}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
