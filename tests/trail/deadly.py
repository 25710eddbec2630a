"""Work that ends its process, for `Crew`; a module of its own because every process imports it anew."""

import os


def dies_of(blob: object) -> str:
    """Says what it read; `deadly` it does not survive."""
    if blob == "deadly":
        os._exit(9)
    return f"read {blob}"


def nothing() -> None:
    """Prepares nothing."""


def unprepared() -> None:
    """Ends the process before it did anything."""
    os._exit(9)
