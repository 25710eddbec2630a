"""Runs a function with room for deep recursion: references follow references, expressions nest in expressions.

Hides the stack: Python stops at 1,000 frames by default, and a chain of fifty local values needs more than that.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

FRAMES = 20_000
STACK = 256 * 1024 * 1024
"""Bytes of address space for the thread's stack; pages that are never touched cost nothing."""

_starting = threading.Lock()


def deeply(function: Callable[[], T]) -> T:
    """Calls it in a thread of its own and gives what it gives, or raises what it raises."""
    with ThreadPoolExecutor(1, "evaluate") as threads:
        with _starting:  # the size holds for every thread started meanwhile
            sys.setrecursionlimit(max(sys.getrecursionlimit(), FRAMES))
            before = threading.stack_size(STACK)
            try:
                running = threads.submit(function)
            finally:
                threading.stack_size(before)
        return running.result()
