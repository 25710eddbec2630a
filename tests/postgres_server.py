"""A PostgreSQL server from the machine's own binaries, on a socket of its own.

Hides how it is started without root, and that it leaves nothing behind.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def running() -> Iterator[str]:
    """Folder of the socket of a server, whose superuser is `driftwarden`; skips where PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: no pg_ctl on PATH or in /usr/lib/postgresql/*/bin")
    # Not pytest's own folder: a socket's path may have 107 characters, and another user must reach it.
    home = Path(tempfile.mkdtemp(prefix="dwpg"))
    as_user = _unprivileged(home)
    data, options = home / "data", f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off"
    try:
        _run([*as_user, f"{binaries}/initdb", "-D", f"{data}", "-U", "driftwarden", "-A", "trust", "-E", "UTF8", "-N"])
        _run([*as_user, f"{binaries}/pg_ctl", "-D", f"{data}", "-l", f"{home}/log", "-o", options, "-w", "start"])
        try:
            yield str(home)
        finally:
            _run([*as_user, f"{binaries}/pg_ctl", "-D", f"{data}", "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(home)


def _binaries() -> str | None:
    on_path = shutil.which("pg_ctl")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    for candidate in [Path(on_path).resolve(), *debian] if on_path else debian:
        if (candidate.parent / "initdb").exists():
            return str(candidate.parent)
    return None


def _unprivileged(home: Path) -> list[str]:
    """Command prefix: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    names = {user.pw_name: user for user in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(home, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _run(command: Sequence[str]) -> None:
    # Not to pipes: the server would inherit them, and the call would wait for its end.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, stdout=said, stderr=said, cwd="/", timeout=60, check=False)
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{command}: {said.read()}")
