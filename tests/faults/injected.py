"""Faults that begin and end while a daemon runs: its system calls fail, its room runs out, the cloud does not answer.

Hides how one gets at running processes: strace attaches to a daemon and to what it started, and follows what it starts.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEBIBYTE = 1 << 20
REASON = "strace is not installed"


def family(pid: int) -> list[int]:
    """A process and all that it started and that lives."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


@contextmanager
def failing(pid: int, calls: str, error: str) -> Iterator[None]:
    """These system calls of a process, and of what it starts, fail so until the block ends."""
    if shutil.which("strace") is None:
        pytest.skip(REASON)
    for _ in range(20):
        pids = [word for one in family(pid) for word in ("-p", str(one))]
        rule = f"inject={calls}:error={error}"
        command = ["strace", "-f", "-o", os.devnull, "-e", f"trace={calls}", "-e", rule, *pids]
        tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr
        said = tracer.stderr.readline()
        if "attached" in said:
            break
        tracer.kill()
        tracer.communicate()
        if "Operation not permitted" in said:
            pytest.skip(f"strace may not trace here: {said.strip()}")
        # A process ended between the two looks.
    assert tracer.stderr
    threading.Thread(target=tracer.stderr.read, daemon=True).start()
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # it lets them go
        tracer.wait(30)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], Path]]:
    """The empty folder is a file system of so many bytes; the function fills it with a file, and gives that."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "faults", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        pytest.skip(f"a tmpfs may not be mounted here: {done.stderr.strip()}")

    def fill() -> Path:
        file = folder / "ballast"
        with file.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(4096))
        return file

    try:
        yield fill
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


class Door:
    """A TCP port before another one, that can be shut: what comes then is cut off, as by a server that went away."""

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.removeprefix("http://").partition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open = threading.Event()
        self._open.set()
        self._pairs: set[socket.socket] = set()
        self.passed = 0
        """Connections that were let through."""
        self.refused = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """What clients use."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def shut(self) -> None:
        """From now on nothing passes, and what is under way is cut off."""
        self._open.clear()
        for one in list(self._pairs):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def shut_after(self, passed: int) -> None:
        """As soon as so many connections went through."""
        while self.passed < passed:
            time.sleep(0.005)
        self.shut()

    def reopen(self) -> None:
        self._open.set()

    def close(self) -> None:
        self.shut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._open.is_set():
                self.refused += 1
                client.close()
                continue
            self.passed += 1
            try:
                server = socket.create_connection(self._upstream)
            except OSError:
                client.close()
                continue
            for one, other in ((client, server), (server, client)):
                self._pairs.add(one)
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := one.recv(65536):
                other.sendall(content)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._pairs.discard(one)
        one.close()


def asked(port: int, path: str) -> tuple[int, str]:
    """What the daemon answers monitors."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
