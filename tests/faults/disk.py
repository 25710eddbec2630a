"""A disk that fails at one chosen write: this process is killed there, or from there on every write is refused.

Hides where writes pass. SQLite's go through its VFS, whose functions for opening, writing, truncating, syncing and
deleting are wrapped in this process; Python's own (drafts, links, renames) announce themselves to an audit hook. What
is counted is the process's, whatever thread it is that writes. https://sqlite.org/vfs.html
"""

import ctypes
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FULL = 13
"""SQLITE_FULL, as after ENOSPC."""
NOT_SYNCED = 10 | 4 << 8
"""SQLITE_IOERR_FSYNC, as after EIO."""

_POINTER = ctypes.c_void_p
_AUDITED = ("open", "os.link", "os.rename", "os.remove", "os.mkdir")
_GROW = ("open", "os.link", "os.mkdir")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("data", _POINTER),
        ("open", _POINTER),
        ("delete", _POINTER),
    ]


class _Methods(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_int),
        ("close", _POINTER),
        ("read", _POINTER),
        ("write", _POINTER),
        ("truncate", _POINTER),
        ("sync", _POINTER),
        ("rest", _POINTER * 13),
    ]


class _File(ctypes.Structure):
    _fields_ = [("methods", ctypes.POINTER(_Methods))]


_OPEN = ctypes.CFUNCTYPE(
    ctypes.c_int, _POINTER, _POINTER, ctypes.POINTER(_File), ctypes.c_int, ctypes.POINTER(ctypes.c_int)
)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int64)
_SIZE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.POINTER(ctypes.c_int64))
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to which write."""

    how: str
    """`kill`: killed before it. `torn`: killed with half of it written. `full`, `unsynced`: it and all later ones are
    refused, as by a full disk or one that does not sync."""
    at: int
    """The first is 1."""


class Disk:
    """The writes of this process, from `install` on. Not to be taken back: for a process of its own."""

    def __init__(self, fault: Fault | None, folder: str) -> None:
        """`folder`: what Python writes is counted below it."""
        self.writes = 0
        self._fault = fault
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: list[Any] = []
        self._tables: dict[int, _Methods] = {}

    def install(self) -> None:
        """Every connection that is opened from now on writes through here."""
        library = ctypes.CDLL("libsqlite3.so.0")
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        vfs = library.sqlite3_vfs_find(None).contents
        opens, deletes = _OPEN(vfs.open), _DELETE(vfs.delete)

        def opened(own: Any, name: Any, file: Any, flags: int, out: Any) -> int:
            code = int(opens(own, name, file, flags, out))
            if code == 0:
                file.contents.methods = ctypes.pointer(self._wrapped(file.contents.methods))
            return code

        def deleted(own: Any, name: bytes, sync: int) -> int:
            return self._refused(0) or int(deletes(own, name, sync))

        for field, made in (("open", _OPEN(opened)), ("delete", _DELETE(deleted))):
            self._kept.append(made)
            setattr(vfs, field, ctypes.cast(made, _POINTER))
        sys.addaudithook(self._audited)

    def _wrapped(self, methods: Any) -> _Methods:
        address = ctypes.addressof(methods.contents)
        if address not in self._tables:
            table = _Methods.from_buffer_copy(methods.contents)
            writes, truncates, syncs = _WRITE(table.write), _TRUNCATE(table.truncate), _SYNC(table.sync)
            sizes = _SIZE(table.rest[0])

            def write(file: int, content: int, size: int, at: int) -> int:
                torn = self._fault is not None and self._fault.how == "torn"

                def half() -> object:
                    return writes(file, content, size // 2, at) if torn and size > 1 else None

                there = ctypes.c_int64()
                sizes(file, ctypes.byref(there))
                grows = at + size > there.value  # what is there already has its place on a full disk
                return self._refused(FULL if grows else 0, half) or int(writes(file, content, size, at))

            def truncate(file: int, size: int) -> int:
                return self._refused(0) or int(truncates(file, size))

            def sync(file: int, flags: int) -> int:
                return self._refused(NOT_SYNCED) or int(syncs(file, flags))

            made = {"write": _WRITE(write), "truncate": _TRUNCATE(truncate), "sync": _SYNC(sync)}
            self._kept += [table, *made.values()]
            for name, function in made.items():
                setattr(table, name, ctypes.cast(function, _POINTER))
            self._tables[address] = table
        return self._tables[address]

    def _refused(self, code: int, before: Callable[[], object] = lambda: None) -> int:
        """0, or the code that this write is refused with; does not come back where the process is killed.

        `code`: what a failing disk says to it; 0: nothing, it takes no room.
        """
        with self._lock:
            self.writes += 1
            fault = self._fault
            if fault is None or self.writes < fault.at:
                return 0
            if fault.how in ("kill", "torn"):
                before()
                os.kill(os.getpid(), signal.SIGKILL)
            return code if (fault.how == "unsynced") == (code == NOT_SYNCED) else 0

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _AUDITED or (event == "open" and not int(arguments[2] or 0) & _WRITES):
            return
        path = arguments[0]
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(self._folder):
            return
        # Beside the store lie locks, which take no room.
        if not os.fspath(path).endswith((".lock", ".line", ".unjudged")) and self._refused(
            FULL if event in _GROW else 0
        ):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
