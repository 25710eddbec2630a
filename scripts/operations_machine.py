"""A machine for the trial of the operations pages: mounts, users, services, a small estate and its cloud.

Hides that it is this machine: in a mount namespace of its own every path that the pages name may be written and nothing
stays, and what systemd would do is done here. Takes root and a Linux with overlay file systems.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "events")]

from queued import envelope  # noqa: E402  of the tests, which are no package
from small_estate import ACCOUNT, CODE, OURS, REGION, bucket, cloud, queue, role, state  # noqa: E402  of the tests too

PATIENCE = 300.0
"""Seconds after which what the trial waits for is taken never to come."""
OVERLAID = ("etc", "opt", "root", "run", "srv", "usr/lib", "usr/local", "var/cache", "var/lib")
PEOPLE = {"dana": 21001, "kim": 21002, "erik": 21003}
SERVICE = 61184
"""Of the range that systemd takes for DynamicUser."""
ETC, LIB = Path("/etc/driftwarden"), Path("/var/lib/driftwarden")
JOURNAL = Path("/run/driftwarden-journal")
EXECUTABLES = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

VARIABLES = {
    "AWS_ACCESS_KEY_ID": OURS,
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}

CONFIG = """\
[estate]
name = "trial"
complete = true

[[stack]]
name = "shop"
dir = "shop"
environment = "production"

[[account]]
id = "123456789012"

[trail]
source = "eventbridge:{queue}"

[identities]
file = "people.yaml"

[authority]
signers = "allowed_signers"

[authority.roles]
admin = ["dana", "kim"]
approver = ["kim", "erik"]
reviewer = ["kim", "erik"]
documenter = ["dana"]

[tickets]
mode = "file"

[tickets.register]
path = "/srv/tickets"

[store]
url = "sqlite:////var/lib/driftwarden/driftwarden.db"
key = "/var/lib/driftwarden/driftwarden.key"
cache = "/var/cache/driftwarden"

[report]
dir = "/var/lib/driftwarden/reports"
to = ["platform@acme.example"]

[smtp]
host = "127.0.0.1"
port = {mail}
security = "none"
sender = "driftwarden@acme.example"

[backup]
dir = "/var/lib/driftwarden/backups"

[schedule]
jitter = "0m"
trail = "1m"

[daemon]
socket = "/run/driftwarden/control.sock"
"""


def mounted() -> None:
    """This process and its children see a machine whose changes are gone with them. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000):
        raise OSError(ctypes.get_errno(), "a mount namespace takes root")
    _done("mount", "--make-rprivate", "/")
    _done("mount", "-t", "tmpfs", "-o", "size=4g", "none", "/mnt")
    for name in OVERLAID:
        upper, work = Path("/mnt", name, "upper"), Path("/mnt", name, "work")
        upper.mkdir(parents=True)
        work.mkdir()
        shutil.copystat(Path("/", name), upper)
        options = f"lowerdir=/{name},upperdir={upper},workdir={work}"
        _done("mount", "-t", "overlay", "-o", options, "overlay", f"/{name}")
    # An interpreter that lies below root's home could not be started by the service.
    Path.home().chmod(0o755)
    with Path("/etc/passwd").open("a") as users:
        for name, number in {**PEOPLE, "driftwarden": SERVICE}.items():
            users.write(f"{name}:x:{number}:{number}::/mnt/home/{name}:/bin/bash\n")


def _done(*words: str) -> None:
    subprocess.run(words, check=True)


class Cloud:
    """Moto with the small estate, what it recorded, and the queue in which that arrives."""

    def __init__(self, undone: ExitStack, variables: dict[str, str], start: Callable[[], str]) -> None:
        self.recorder, self.variables = undone.enter_context(cloud(start(), variables))
        self._sent = len(self.recorder.records)
        self.url = self.client("ops", "sqs", past=True).create_queue(QueueName="driftwarden-events")["QueueUrl"]

    def client(self, who: str, service: str, *, past: bool = False) -> Any:
        """A client of the IAM user `who`; `past`: nothing records its calls."""
        import boto3

        from agent.demo.recorder import iam_user

        key = f"AKIA{who.upper():X<16}"
        self.recorder.know(key, iam_user(who, ACCOUNT))
        endpoint = self.recorder.upstream if past else self.recorder.endpoint
        session: Any = boto3.Session(key, "secret", region_name=REGION)
        return session.client(service, endpoint_url=endpoint)

    def set_timeout(self, seconds: int, who: str = "dana") -> None:
        """Somebody changes the queue by hand, and EventBridge tells of it."""
        url = f"{self.recorder.upstream}/{ACCOUNT}/orders"
        self.client(who, "sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
        self.deliver()

    def deliver(self) -> None:
        """What was recorded since the last time arrives in the queue."""
        records = self.recorder.records[self._sent :]
        self._sent += len(records)
        sqs = self.client("ops", "sqs", past=True)
        for record in records:
            if not record.get("readOnly"):
                sqs.send_message(QueueUrl=self.url, MessageBody=envelope(record))


class Service:
    """driftwarden.service, as systemd would run it: user, environment, notify socket, journal."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self.processes: list[subprocess.Popen[bytes]] = []
        self.told: list[str] = []
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(f"\0driftwarden-trial-{os.getpid()}")
        threading.Thread(target=self._listen, daemon=True).start()

    def environment(self) -> dict[str, str]:
        return {
            **self._variables,
            "PATH": EXECUTABLES,
            "HOME": str(LIB),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",
            "CREDENTIALS_DIRECTORY": "/run/credentials/driftwarden.service",
            "RUNTIME_DIRECTORY": "/run/driftwarden",
        }

    def start(self, *, ready: bool = True) -> None:
        """Starts it; `ready`: waits until it says so, and raises RuntimeError with its journal where it ends."""
        folders = (LIB, Path("/var/cache/driftwarden"), Path("/run/driftwarden"))
        for folder, mode in zip(folders, (0o700, 0o700, 0o755), strict=True):
            folder.mkdir(exist_ok=True)
            os.chown(folder, SERVICE, SERVICE)
            folder.chmod(mode)
        credentials = Path("/run/credentials/driftwarden.service")
        shutil.copytree("/etc/driftwarden/credentials", credentials, dirs_exist_ok=True)
        _done("chown", "-R", f"{SERVICE}:{SERVICE}", str(credentials))
        said = len(self.told)
        address = self._notify.getsockname().decode().replace("\0", "@")
        environment = {**self.environment(), "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "90000000"}
        with JOURNAL.open("ab") as journal:
            command = [
                str(Path("/", "opt", "driftwarden", "bin", "driftwarden")),
                "daemon",
                "--config",
                str(ETC / "driftwarden.toml"),
            ]
            process = subprocess.Popen(
                [*self.as_service(), *command], env=environment, cwd=LIB, stdin=subprocess.DEVNULL, stderr=journal
            )
        self.processes.append(process)
        if ready:
            wait_for(lambda: self._ready(process, said), "the daemon's READY=1")

    def _ready(self, process: subprocess.Popen[bytes], said: int) -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the daemon ended with {process.returncode}:\n{JOURNAL.read_text()[-3000:]}")
        return any("READY=1" in one for one in self.told[said:])

    @staticmethod
    def as_service() -> list[str]:
        """What to put before a command that shall run as the service does."""
        powers = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        return ["setpriv", f"--reuid={SERVICE}", f"--regid={SERVICE}", "--clear-groups", *powers]

    @property
    def main(self) -> subprocess.Popen[bytes]:
        return self.processes[-1]

    def stop(self) -> None:
        """As `systemctl stop`: in order. Raises RuntimeError where it did not end with 0."""
        self.main.send_signal(signal.SIGTERM)
        if code := self.main.wait(PATIENCE):
            raise RuntimeError(f"the daemon ended with {code}:\n{JOURNAL.read_text()[-3000:]}")

    def restart(self) -> None:
        """As `systemctl restart`."""
        self.stop()
        self.start()

    def close(self) -> None:
        """All of them are gone."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()

    def _listen(self) -> None:
        while message := self._notify.recv(65536):
            self.told.append(message.decode())


@contextmanager
def moto(port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A moto server and its address."""
    log = Path("/mnt", f"moto-{time.monotonic_ns()}.log")
    with log.open("wb") as sink:
        words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(words, stdout=sink, stderr=sink)
    try:
        found = wait_for(lambda: re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text()), "moto")
        yield server, found[1]
    finally:
        server.send_signal(signal.SIGCONT)
        server.kill()
        server.wait()


def configured(cloud_: Cloud, mail: int, folder: Path) -> None:
    """The estate's configuration, code, state, people and their keys lie where the install page puts them."""
    (ETC / "shop").mkdir(parents=True)
    (ETC / "shop" / "main.tf").write_text(CODE)
    (ETC / "shop" / "terraform.tfstate").write_text(json.dumps(state(queue(), role(), bucket())))
    people, signers = "people:\n", ""
    for name in PEOPLE:
        people += f"  - {{id: {name}, users: [{name}], principals: ['arn:aws:iam::{ACCOUNT}:user/{name}']}}\n"
        key = folder / name / "id_ed25519"
        _done("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        shutil.chown(key, name)
        signers += f"{name} {key.with_suffix('.pub').read_text()}"
    (ETC / "people.yaml").write_text(people)
    (ETC / "allowed_signers").write_text(signers)
    (ETC / "driftwarden.toml").write_text(CONFIG.format(queue=cloud_.url, mail=mail))
    tickets = Path("/srv/tickets")
    tickets.mkdir()
    os.chown(tickets, SERVICE, SERVICE)


def wait_for(what: Callable[[], Any], name: str) -> Any:
    """What `what` gives as soon as it gives something. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{name} did not come within {PATIENCE:.0f} s")


def user(name: str) -> list[str]:
    """What to put before a command that somebody shall type."""
    entry = pwd.getpwnam(name)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def metric(name: str) -> float:
    """What /metrics says of it; -1: nothing."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:9464/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, ConnectionError):
        return -1.0
    return next((float(line.split()[-1]) for line in lines if line.startswith(name) and line[len(name)] in " {"), -1.0)


def ready() -> str:
    """What /readyz says."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:9464/readyz", timeout=30) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return refused.read().decode()


def post() -> int:
    """Port of a mail server that takes everything."""
    from aiosmtpd.controller import Controller

    class Takes:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
            Path("/mnt/mail.eml").write_bytes(envelope.content)
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    Controller(Takes(), hostname="127.0.0.1", port=port).start()
    return port


def pip_variables() -> dict[str, str]:
    """Where pip finds packages on this machine."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name == "SSL_CERT_FILE"}


def next_release(wheel: Path, folder: Path) -> None:
    """The wheel, and the same as if it were version 0.2.0, where the pages have them."""
    shutil.copy(wheel, folder)
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(folder / "driftwarden-0.2.0-py3-none-any.whl", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if ".dist-info/" in name:
                text = text.replace(b"driftwarden-0.1.0", b"driftwarden-0.2.0").replace(
                    b"\nVersion: 0.1.0", b"\nVersion: 0.2.0"
                )
            new.writestr(name.replace("driftwarden-0.1.0", "driftwarden-0.2.0"), text)
