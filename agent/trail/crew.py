"""Work on blobs, spread over processes: results in order, and a blob that ends its process costs itself alone.

Hides the pool, how far it reads ahead, and finding out which blob it was when a process dies.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_AHEAD = 3  # blobs waiting for each process
_MOST_DEATHS = 20  # each costs some seconds: what follows so many is not tried


@dataclass(frozen=True, slots=True)
class Died:
    """The process that worked on the blob ended: killed, out of memory."""


def _started() -> bool:
    return True


class Crew(Generic[T]):
    """Processes that each prepare once and then work on one blob at a time. A context manager: leaving ends them."""

    def __init__(self, work: Callable[[object], T], prepare: Callable[[], None], processes: int) -> None:
        """`work` and `prepare` are functions of modules: each process imports them for itself."""
        self._work = work
        self._prepare = prepare
        self._processes = processes
        self._pool = self._made(processes)
        self._deaths = 0

    def __enter__(self) -> Crew[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def ready(self) -> bool:
        """Whether processes can be started and prepared here at all."""
        try:
            return self._pool.submit(_started).result()
        except (BrokenProcessPool, OSError):
            return False

    def each(self, blobs: Iterable[object]) -> Iterator[T | Died]:
        """What the work made of each, in order. Raises what the work raises."""
        waiting: deque[tuple[object, Future[T]]] = deque()
        for blob in blobs:
            waiting.append((blob, self._submitted(blob)))
            if len(waiting) > _AHEAD * self._processes:
                yield self._result(waiting)
        while waiting:
            yield self._result(waiting)

    def _result(self, waiting: deque[tuple[object, Future[T]]]) -> T | Died:
        blob, future = waiting.popleft()
        try:
            return future.result()
        except BrokenProcessPool:
            # Any of those in work may have ended it: each is tried alone before the others go on.
            found = self._alone(blob)
            self._deaths += isinstance(found, Died)
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = self._made(self._processes)
            rest = [other for other, _ in waiting]
            waiting.clear()
            waiting.extend((other, self._submitted(other)) for other in rest)
            return found

    def _submitted(self, blob: object) -> Future[T]:
        try:
            return self._pool.submit(self._work, blob)
        except BrokenProcessPool as error:
            failed: Future[T] = Future()
            failed.set_exception(error)
            return failed

    def _alone(self, blob: object) -> T | Died:
        if self._deaths >= _MOST_DEATHS:
            return Died()
        with self._made(1) as pool:
            try:
                return pool.submit(self._work, blob).result()
            except BrokenProcessPool:
                return Died()

    def _made(self, processes: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), self._prepare)
