"""What the event path says of itself: a line of JSON for each batch that it worked off."""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.daemon.log import log


@dataclass(frozen=True, slots=True)
class Said:
    """What one line says that somebody acts upon."""

    error: str = ""
    """Why it failed; empty: it did not."""
    job: str = ""
    """What was asked for and is done; empty: it was a batch of messages."""
    seconds: float = 0.0
    """That it took."""


@dataclass(slots=True)
class Traffic:
    """What was worked off since the daemon started."""

    messages: int = 0
    lag: float | None = None
    """Seconds from the newest message's event to its case; None: none came yet, or the last batch failed."""

    def take(self, line: bytes) -> Said:
        """Counts a line, and gives what it says. One that is no such line is only logged."""
        try:
            said = json.loads(line)
            error, job = str(said.get("error") or ""), str(said.get("job") or "")
            if job:
                return Said(error, job, float(said.get("seconds") or 0))
            self.messages += int(said.get("messages") or 0)
            self.lag = float(said["lag"]) if isinstance(said.get("lag"), int | float) else self.lag
        except (ValueError, TypeError, AttributeError):
            log.warning("not understood", job="events", said=line[:200].decode("utf-8", "replace"))
            return Said()
        told = {key: one for key, one in said.items() if isinstance(one, str | int | float)}
        if error:
            self.lag = None  # that of an earlier batch says nothing of how late the event path is now
            log.error("events", **told)
        else:
            log.info("events", **told)
        return Said(error)
