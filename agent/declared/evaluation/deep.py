"""Runs a function with room for deep recursion: references follow references, expressions nest in expressions.

Hides the stack: Python stops at 1,000 frames by default, and a chain of fifty local values needs more than that. Hides
also that garbage is not looked for meanwhile: nearly everything made stays, and looking takes a fifth of the time.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

FRAMES = 20_000
STACK = 256 * 1024 * 1024
"""Bytes of address space for the thread's stack; pages that are never touched cost nothing."""

_running = threading.Lock()
_depth = [0, 0]
"""How many run now, and the limit before the first of them."""


def deeply(function: Callable[[], T]) -> T:
    """Calls it in a thread of its own and gives what it gives, or raises what it raises."""
    with ThreadPoolExecutor(1, "evaluate") as threads, _room():
        with _running:  # the size holds for every thread started meanwhile
            before = threading.stack_size(STACK)
            try:
                running = threads.submit(function)
            finally:
                threading.stack_size(before)
        return running.result()


@contextmanager
def _room() -> Iterator[None]:
    """More frames for the whole process, as long as somebody needs them."""
    with _running:
        if not _depth[0]:
            _depth[1] = sys.getrecursionlimit()
            sys.setrecursionlimit(max(_depth[1], FRAMES))
            gc.disable()
        _depth[0] += 1
    try:
        yield
    finally:
        with _running:
            _depth[0] -= 1
            if not _depth[0]:
                sys.setrecursionlimit(_depth[1])
                gc.enable()
