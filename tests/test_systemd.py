"""The units of `systemd/`: systemd takes them, they are as closed as they say, and driftwarden works inside.

Where PID 1 is not systemd no unit can be started. So systemd's own tools judge the files, and `under_unit.py` runs the
real commands behind the same filters and mounts.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
from under_unit import allowed, settings

from agent import cli, config
from agent.tables import DaemonConfig

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "systemd"
SERVICES = ("driftwarden", "driftwarden-scan", "driftwarden-report")
TIMERS = ("driftwarden-scan", "driftwarden-report")
BINARY = "/bin/driftwarden"
NEWER = {"restart-steps.conf": 254}
"""Drop-in → the first systemd that knows what it says."""
EXPOSURE = 15
"""Tenths, as `--threshold` takes it."""

ANALYZE = shutil.which("systemd-analyze")
analyzed = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run(
        [ANALYZE, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60, env=os.environ
    )


def version() -> int:
    return int(analyze("--version").stdout.split()[1])


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they are installed, with a command that is there, and every drop-in that this systemd knows."""
    folder = tmp_path / "system"
    shutil.copytree(UNITS, folder, ignore=shutil.ignore_patterns("drop-ins"))
    for unit in folder.glob("*.service"):
        unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    (folder / "driftwarden.service.d").mkdir()
    for file in (UNITS / "drop-ins").glob("*.conf"):
        if NEWER.get(file.name, 0) <= version():
            shutil.copy(file, folder / "driftwarden.service.d")
    return folder


def units(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.service"), *folder.glob("*.timer")])


# --- what systemd says ---------------------------------------------------------------------------------------


@analyzed
def test_systemd_takes_the_units_and_what_may_be_added(installed: Path) -> None:
    said = analyze("verify", "--man=no", *units(installed))
    assert (said.returncode, said.stderr) == (0, "")
    # It does notice a mistake, in a unit and in what is added to it.
    (installed / "driftwarden.service.d" / "wrong.conf").write_text("[Service]\nLoadCredentials=a:/b\n")
    assert "'LoadCredentials' in section" in analyze("verify", "--man=no", *units(installed)).stderr


@analyzed
def test_no_service_is_more_exposed_than_it_may_be(installed: Path) -> None:
    for name in SERVICES:
        said = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", installed / f"{name}.service")
        assert said.returncode == 0, said.stdout[-200:]
    open_ = installed / "driftwarden-open.service"
    text = (installed / "driftwarden.service").read_text()
    open_.write_text(text.replace("SystemCallFilter", "#").replace("ProtectSystem=strict", "ProtectSystem=no"))
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", open_).returncode != 0


@analyzed
@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_says_when(name: str) -> None:
    (when,) = re.findall(r"^OnCalendar=(.+)$", (UNITS / f"{name}.timer").read_text(), flags=re.MULTILINE)
    assert analyze("calendar", when).returncode == 0


# --- what they say of driftwarden ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_a_command_that_there_is(name: str) -> None:
    (line,) = settings(UNITS / f"{name}.service")["ExecStart"]
    binary, *words = line.split()
    assert binary.endswith(BINARY)
    command: click.Command = cli.main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no {' '.join(line.split()[1:])}"
        command, words = found, words[1:]
    context = command.make_context(command.name, words)
    assert "/etc/driftwarden/driftwarden.toml" in {str(value) for value in context.params.values()}


CONFINED = "# --- What it may reach."


def test_all_services_are_confined_alike() -> None:
    texts = [(UNITS / f"{name}.service").read_text() for name in SERVICES]
    parts = {text.partition(CONFINED)[2].partition("\n")[2].split("\n\n")[0].rstrip() for text in texts}
    assert len(parts) == 1
    assert "ProtectSystem=strict" in parts.pop()


def test_people_can_be_told_apart_on_the_socket() -> None:
    """In a user namespace the daemon would see nobody else's user id, in a closed /proc not who logged in."""
    daemon = settings(UNITS / "driftwarden.service")
    assert not {"PrivateUsers", "ProtectProc"} & set(daemon)
    assert daemon["RuntimeDirectoryMode"] == ["0755"]
    # Kept over restarts, it would be below /run/private, where nobody gets.
    assert "RuntimeDirectoryPreserve" not in daemon


def test_the_daemon_is_stopped_later_than_it_stops_itself() -> None:
    daemon = settings(UNITS / "driftwarden.service")
    (stop,) = daemon["TimeoutStopSec"]
    assert int(stop.removesuffix("s")) >= int(DaemonConfig().grace.removesuffix("s")) + 30
    assert daemon["KillMode"] == ["mixed"]
    assert daemon["NotifyAccess"] == ["main"]


def toml_of_the_install_page() -> str:
    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), flags=re.DOTALL)
    return str(block)


def test_the_configuration_of_the_install_page_writes_where_the_daemon_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    named = re.findall(r"\$\{cred:([a-z-]+)\}", toml_of_the_install_page())
    assert named
    credentials = (UNITS / "drop-ins" / "credentials.conf").read_text()
    for name in named:
        assert f"LoadCredential={name}:" in credentials
        (tmp_path / name).write_text("s3cret\n")
    file = tmp_path / "driftwarden.toml"
    file.write_text(toml_of_the_install_page())
    loaded = config.load(file)
    own = ("/var/lib/driftwarden/", "/var/cache/driftwarden")
    written = (loaded.store.url.removeprefix("sqlite:///"), loaded.store.key, loaded.store.cache, loaded.report.dir)
    assert [path for path in (*written, loaded.backup.dir) if not path.startswith(own)] == []
    assert loaded.daemon.socket.startswith("/run/driftwarden/")
    condition = f"ConditionPathExists=!{loaded.daemon.socket}\n"
    assert all(condition in (UNITS / f"{name}.service").read_text() for name in TIMERS)


# --- what works inside ---------------------------------------------------------------------------------------

INSIDE = """
import os, resource, socket, sqlite3, struct, subprocess, sys, threading
from pathlib import Path

# Libraries with code of their own: under MemoryDenyWriteExecute none of them may make code at run time.
import re2, regex, msgspec, isal.igzip, cel, psycopg, watchdog.observers
from cryptography.hazmat.primitives.asymmetric import ed25519
from sqlalchemy import create_engine, text

here = Path(sys.argv[1])
assert re2.search("a(b+)", "abb")[1] == "bb" and regex.findall(r"\\X", "e\\u0301")
assert msgspec.json.decode(b'{"a": 1}', type=dict[str, int]) == {"a": 1}
assert isal.igzip.decompress(isal.igzip.compress(b"log")) == b"log"
assert cel.evaluate("1 + 1 == 2")
key = ed25519.Ed25519PrivateKey.generate()
key.public_key().verify(key.sign(b"x"), b"x")
with create_engine(f"sqlite:///{here}/store.db").begin() as store:
    store.execute(text("create table t (a int)"))

seen = threading.Event()
handler = type("Seen", (watchdog.events.FileSystemEventHandler,), {"on_created": lambda self, event: seen.set()})()
observer = watchdog.observers.Observer()
observer.schedule(handler, str(here))
observer.start()
(here / "made").write_text("x")
assert seen.wait(30)
observer.stop()

with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
    server.bind(str(here / "control.sock"))
    server.listen()
    client.connect(str(here / "control.sock"))
    peer = server.accept()[0].getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    assert struct.unpack("3i", peer)[:2] == (os.getpid(), os.getuid())

def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, **more).stdout

run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(here / "key"))
signed = run("ssh-keygen", "-Y", "sign", "-f", str(here / "key"), "-n", "file", input="text")
assert "BEGIN SSH SIGNATURE" in signed
git = ("git", "-C", str(here), "-c", "user.name=x", "-c", "user.email=x@example.com")
run(*git, "init", "-q", "code")
(here / "code" / "main.tf").write_text("")
run(*git, "-C", "code", "add", ".")
run(*git, "-C", "code", "commit", "-q", "-m", "x")
run(*git, "clone", "-q", "--bare", str(here / "code"), "mirror")
assert "main.tf" in run(*git, "-C", "mirror", "ls-tree", "HEAD")
ssh = subprocess.run(["ssh", "-oBatchMode=yes", "-p1", "127.0.0.1"], capture_output=True, text=True)
assert "refused" in ssh.stderr, ssh.stderr

def refused(what, *kinds):
    try:
        what()
    except kinds or OSError:
        return
    raise AssertionError(what)

refused(lambda: Path("/etc/made").write_text("x"))
refused(lambda: Path(here.parent / "made").write_text("x"))
refused(lambda: __import__("mmap").mmap(-1, 4096, prot=7))
refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
refused(lambda: os.chmod(here / "made", 0o4755))
refused(lambda: os.chroot(here))
refused(lambda: os.nice(1))
refused(lambda: open("/proc/meminfo"))
assert os.umask(0) == 0o077 and resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
print("works")
"""


def confinement(unit: str, *writable: Path) -> list[str]:
    """The command line to put before one that shall run as the unit does; skips where this machine cannot."""
    if os.geteuid() != 0:
        pytest.skip("mounts and capabilities take root")
    if ANALYZE is None:
        pytest.skip("systemd-analyze is not on this machine")
    folders = ":".join(map(str, writable))
    return [sys.executable, str(Path(__file__).with_name("under_unit.py")), str(UNITS / unit), folders]


def test_what_driftwarden_is_made_of_works_under_the_unit(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "HOME"} | {"TMPDIR": str(inside)}
    done = subprocess.run(
        [*confinement("driftwarden.service", inside), sys.executable, "-c", INSIDE, str(inside)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (0, "works\n"), done.stderr


DAEMON = """
[trail]
source = "trail"

[store]
url = "sqlite:///state/driftwarden.db"
key = "state/driftwarden.key"
cache = "cache"

[daemon]
socket = "run/control.sock"
listen = ""

[schedule]
scan = ""
trail = ""
reevaluate = ""
remind = ""
report = ""
"""


def test_the_daemon_works_under_the_unit(tmp_path: Path) -> None:
    """It says that it is ready, is spoken to by others, reloads as ExecReload asks, and ends in order."""
    for name in ("state", "cache", "run", "tmp", "trail"):
        (tmp_path / name).mkdir()
    (tmp_path / "driftwarden.toml").write_text(DAEMON)
    own = [tmp_path / name for name in ("state", "cache", "run", "tmp")]
    command = [*confinement("driftwarden.service", *own), sys.executable, "-c", "from agent.cli import main; main()"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, (tmp_path / "log").open("wb") as log:
        # A path of 108 bytes is the longest there is: https://man7.org/linux/man-pages/man7/unix.7.html
        systemd.bind(f"\0driftwarden-{os.getpid()}")
        systemd.settimeout(120)
        environment = {**os.environ, "NOTIFY_SOCKET": f"@driftwarden-{os.getpid()}", "WATCHDOG_USEC": "90000000"}
        daemon = subprocess.Popen(
            [*command, "daemon", "--config", str(tmp_path / "driftwarden.toml")],
            env=environment | {"TMPDIR": str(tmp_path / "tmp"), "AWS_EC2_METADATA_DISABLED": "true"},
            stderr=log,
        )
        try:
            wait_for(systemd, b"READY=1")
            assert (tmp_path / "run" / "control.sock").stat().st_mode & 0o777 == 0o666
            assert (tmp_path / "state" / "driftwarden.db").stat().st_mode & 0o077 == 0
            daemon.send_signal(signal.SIGHUP)
            wait_for(systemd, b"RELOADING=1")
            wait_for(systemd, b"READY=1")
            wait_for(systemd, b"WATCHDOG=1")
            daemon.terminate()
            wait_for(systemd, b"STOPPING=1")
            assert daemon.wait(timeout=120) == 0
        except TimeoutError:
            pytest.fail((tmp_path / "log").read_text()[-3000:])
        finally:
            daemon.kill()
            daemon.wait()


def wait_for(systemd: socket.socket, said: bytes) -> None:
    """Raises TimeoutError where it is never said."""
    while said not in systemd.recv(4096).split(b"\n"):
        pass


@analyzed
def test_the_filter_leaves_out_what_needs_a_capability() -> None:
    left = allowed(settings(UNITS / "driftwarden.service")["SystemCallFilter"])
    assert {"read", "execve", "fsync", "flock", "inotify_add_watch", "prlimit64"} <= left
    assert not {"chroot", "mount", "setuid", "bpf", "ptrace", "nice", "setrlimit", "chown"} & left


def test_a_unit_takes_back_what_an_empty_setting_says(tmp_path: Path) -> None:
    unit = tmp_path / "a.service"
    unit.write_text("[Unit]\nA=0\n[Service]\nA=1\nA=2\nB=1\nB=\nB=2\n# A=3\nC=\n")
    read: Mapping[str, list[str]] = settings(unit)
    assert read == {"A": ["1", "2"], "B": ["2"], "C": []}
