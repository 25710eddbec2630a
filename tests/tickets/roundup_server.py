"""A Roundup tracker set up and served as `docs/tickets.md` says, and people's way into it.

Hides that Roundup refuses to run as root; the commands and files of the page are the ones executed.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

PAGE = Path(__file__).parents[2] / "docs" / "tickets.md"
TOOLS = Path(sys.executable).parent
NOBODY = 65534
BOT, BOT_PASSWORD = "driftwarden", "bot-9f2c"
ADMIN_PASSWORD = "admin-71"
PEOPLE = {"dana": "User", "lee": "User", "sam": "User,Approver", "kim": "User,Approver"}
"""Users of the tracker and their roles; each one's password is their name."""


@dataclass(frozen=True)
class Tracker:
    """A running tracker."""

    url: str
    home: Path

    def client(self, user: str, password: str = "") -> httpx2.Client:
        """A person's REST client."""
        origin = self.url.removesuffix("/tk/")
        headers = {"X-Requested-With": "rest", "Origin": origin, "Referer": self.url}
        return httpx2.Client(base_url=self.url, auth=(user, password or user), headers=headers, timeout=30)

    def create(self, user: str, klass: str, **fields: object) -> str:
        """Id of a new item."""
        with self.client(user) as client:
            answer = client.post(f"rest/data/{klass}", json=fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def mail(self, sender: str, subject: str) -> None:
        """Somebody's mail arrives, or what says to be theirs."""
        mail = f"From: {sender}@example.com\nTo: tracker@example.com\nSubject: {subject}\n\nok\n"
        command = [str(TOOLS / "roundup-mailgw"), str(self.home / "tracker")]
        subprocess.run(command, input=mail, text=True, capture_output=True, timeout=60, check=True)
        _hand_over(self.home)

    def edit(self, user: str, klass: str, item: str, **fields: object) -> httpx2.Response:
        """The tracker's answer to an edit."""
        with self.client(user) as client:
            etag = client.get(f"rest/data/{klass}/{item}").json()["data"]["@etag"]
            return client.put(f"rest/data/{klass}/{item}", json=fields, headers={"If-Match": etag})


@contextmanager
def served() -> Iterator[Tracker]:
    """The tracker of the page, with `PEOPLE` as users besides driftwarden's own."""
    # Not under pytest's own directory, which other users may not enter.
    home = Path(tempfile.mkdtemp(prefix="driftwarden-roundup-"))
    server = None
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        _set_up(home, port)
        server = _serve(home, port)
        tracker = Tracker(f"http://127.0.0.1:{port}/tk/", home)
        _introduce(tracker)
        yield tracker
    finally:
        if server:
            server.terminate()
            server.wait(timeout=10)
        shutil.rmtree(home)


def _set_up(home: Path, port: str) -> None:
    install, initialise, *_ = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    _run(install.replace("8917", port), home)
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        file = home / block.split("# ", 1)[1].split(":", 1)[0]
        with file.open("a") as stream:
            stream.write("\n" + block)
    config = home / "tracker" / "config.ini"
    text = re.sub(r"(?m)^(password_pbkdf2_default_rounds) = .*$", r"\1 = 1000", config.read_text())
    # Mail goes to a file.
    config.write_text(re.sub(r"(?ms)^(\[mail\].*?)^#?debug = *$", rf"\1debug = {home}/mail", text))
    (home / "mail").touch()
    _run(initialise, home)


def _introduce(tracker: Tracker) -> None:
    """People as users: an answer of the server takes a hundredth of what another `roundup-admin` takes to start."""
    with tracker.client("admin", ADMIN_PASSWORD) as admin:
        for name, roles in PEOPLE.items():
            fields = {"username": name, "password": name, "roles": roles, "address": f"{name}@example.com"}
            answer = admin.post("rest/data/user", json=fields)
            assert answer.status_code == 201, answer.text


def _run(script: str, home: Path) -> None:
    env = {"PATH": f"{TOOLS}:/usr/bin:/bin", "ADMIN_PASSWORD": ADMIN_PASSWORD, "BOT_PASSWORD": BOT_PASSWORD}
    command = ["bash", "-euc", script]
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _hand_over(home: Path) -> bool:
    """Give the tracker to the server's user, who must be able to write next to what root wrote; False: there is one."""
    if os.geteuid() != 0:
        return False
    for path in (home, *home.rglob("*")):
        with suppress(FileNotFoundError):  # what the server itself has just removed
            os.chown(path, NOBODY, NOBODY)
    return True


def _serve(home: Path, port: str) -> "subprocess.Popen[bytes]":
    who: list[str] = []
    if _hand_over(home):
        who = ["-u", str(NOBODY), "-g", str(NOBODY)]
    command = [str(TOOLS / "roundup-server"), *who, "-n", "127.0.0.1", "-p", port, "tk=tracker"]
    log = (home / "server.log").open("wb")
    with log:
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                return server
        time.sleep(0.05)
    server.kill()
    raise RuntimeError(f"roundup-server did not start:\n{(home / 'server.log').read_text()}")
