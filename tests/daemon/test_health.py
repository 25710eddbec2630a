"""`/healthz` and `/readyz`: every check by itself, each made to fail by what it is for; and what a server bears."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.config import Config, ConfigError, load
from agent.daemon.health import Health, address
from agent.daemon.health_http import LONGEST, MOST
from agent.store import ScanCommit, Store, connect
from agent.vitals import Vitals

STARTED = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
LEADER = Vitals(STARTED, "leader", 1, ticked=1.0, stored=2.0)


class Daemon:
    """What `Health` asks of a daemon: its vitals, which a test sets."""

    def __init__(self, folder: Path, every: float = 0.1) -> None:
        self.every = every
        file = folder / "driftwarden.toml"
        file.write_text('[[account]]\nid = "123456789012"\n[daemon]\nlisten = "127.0.0.1:0"\n')
        self.config: Config = load(file)
        self.store: Store = connect(self.config.store_url())
        self.vitals = LEADER
        self.health = self.another()

    def another(self, listen: str = "127.0.0.1:0") -> Health:
        config = msgspec.structs.replace(self.config, daemon=msgspec.structs.replace(self.config.daemon, listen=listen))
        return Health(config, self.store, lambda: self.vitals, every=self.every)

    def scanned(self, run: str, at: datetime) -> None:
        """A scan of the whole estate ended."""
        self.store.scans.begin(run, at, "", "")
        assert self.store.scans.commit(ScanCommit(run, at, "clean", b"{}"))

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of an answer."""
        assert self.health.listening is not None
        connection = http.client.HTTPConnection(*self.health.listening, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def wrong(self) -> dict[str, str]:
        """Name of each check that fails → why."""
        status, _, body = self.ask("/readyz", Accept="application/json")
        told: dict[str, Any] = json.loads(body)
        wrong = {check["name"]: check["why"] for check in told["checks"] if not check["ok"]}
        assert (status, told["ready"]) == ((503, False) if wrong else (200, True))
        return wrong

    def until(self, so: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """What is wrong once `so` holds of it: the store is looked at by a thread of its own."""
        deadline = time.monotonic() + 60
        while not so(wrong := self.wrong()):
            assert time.monotonic() < deadline, wrong
            time.sleep(0.02)
        return wrong


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One that leads and whose estate was scanned."""
    made = Daemon(tmp_path)
    made.store.leadership.take("here", STARTED)
    made.scanned("first", datetime.now(UTC))
    made.health.start()
    yield made
    made.health.stop()
    made.store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One for clients that leave it as it was."""
    made = Daemon(tmp_path_factory.mktemp("served"), every=60.0)
    made.health.start()
    yield made
    made.health.stop()
    made.store.close()


@pytest.fixture
def ready(daemon: Daemon) -> Daemon:
    """The same once it is ready."""
    daemon.until(lambda wrong: not wrong)
    return daemon


# --- what it is ready for ------------------------------------------------------------------------------------


def test_a_daemon_that_is_well_says_so(ready: Daemon) -> None:
    status, headers, body = ready.ask("/readyz")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert body.decode().splitlines()[0] == "ready"
    names = [line.split()[1] for line in body.decode().splitlines()[1:]]
    assert names == ["loop:", "store:", "schema:", "leader:", "scan:", "ledger:", "clock:", "configuration:"]
    assert ready.ask("/healthz")[0] == 200
    status, headers, body = ready.ask("/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"driftwarden_ledger_intact 1.0\n" in body


def test_without_a_scan_it_is_not_ready(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.health.start()
    assert daemon.until(lambda wrong: set(wrong) == {"scan", "ledger"}) == {
        "scan": "no scan of the whole estate has ended yet",
        "ledger": "it has no event yet",
    }
    daemon.scanned("first", datetime.now(UTC))
    daemon.until(lambda wrong: not wrong)
    daemon.health.stop()
    daemon.store.close()


@pytest.mark.parametrize(
    ("vitals", "name", "why"),
    [
        (replace(LEADER, ticked=31.0), "loop", "it came round 31 s ago"),
        (replace(LEADER, stored=61.0), "store", "it took no write for 61 s"),
        (replace(LEADER, role="starting", fence=0), "leader", "this daemon is starting"),
        (replace(LEADER, role="stopping"), "leader", "this daemon is stopping"),
        (replace(LEADER, fence=0), "leader", "this daemon leads, with fence 0"),
        (replace(LEADER, role="standby", stuck="run `kill -KILL 7`"), "leader", "run `kill -KILL 7`"),
    ],
    ids=["loop", "store", "starting", "stopping", "no fence", "stuck"],
)
def test_what_is_wrong_with_the_daemon_is_named(ready: Daemon, vitals: Vitals, name: str, why: str) -> None:
    ready.vitals = vitals
    assert ready.wrong() == {name: why}
    status, _, body = ready.ask("/readyz")
    assert (status, f"FAILED {name}: {why}" in body.decode()) == (503, True)
    assert ready.ask("/healthz")[0] == (503 if name == "loop" else 200)


def test_a_daemon_that_waits_is_ready_and_needs_no_write(ready: Daemon) -> None:
    ready.vitals = replace(LEADER, role="standby", fence=0, stored=9_999.0)
    assert ready.wrong() == {}
    assert b"leader: this daemon waits; here leads, with fence 1" in ready.ask("/readyz")[2]


def test_a_reload_that_failed_is_told_and_it_stays_ready(ready: Daemon) -> None:
    ready.vitals = replace(LEADER, reload_error="driftwarden.toml:3: \x1b[2Jno such key")
    assert ready.wrong() == {}
    body = ready.ask("/readyz")[2].decode()
    assert "driftwarden.toml:3:" in body and "\x1b" not in body


def test_a_scan_is_overdue_after_two_intervals(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.health.start()
    daemon.scanned("old", datetime.now(UTC) - timedelta(hours=12, minutes=1))
    daemon.until(lambda wrong: set(wrong) == {"scan"} and "the second since should have by" in wrong["scan"])
    daemon.scanned("newer", datetime.now(UTC) - timedelta(hours=11, minutes=59))
    daemon.until(lambda wrong: not wrong)
    daemon.health.stop()
    daemon.store.close()


def test_a_store_of_another_schema_is_not_ready(ready: Daemon) -> None:
    with ready.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE driftwarden SET version = 99")
    assert "is version 99, this driftwarden knows" in ready.until(lambda wrong: "schema" in wrong)["schema"]


def test_a_store_that_cannot_be_read_is_not_ready_and_says_why(ready: Daemon) -> None:
    with ready.store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO elsewhere")
    assert "no such table: outbox" in ready.until(lambda wrong: "store" in wrong)["store"]
    with ready.store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO outbox")
    ready.until(lambda wrong: not wrong)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("UPDATE events SET body = '{}' WHERE seq = (SELECT max(seq) FROM events)", "does not match its hash"),
        ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", "was the store replaced?"),
        ("UPDATE events SET hash = 'ab' WHERE seq = (SELECT max(seq) FROM events)", "is another one than before"),
    ],
    ids=["edited", "cut off", "another hash"],
)
def test_a_ledger_that_was_touched_is_not_ready(ready: Daemon, edit: str, why: str) -> None:
    with ready.store.database.write() as connection:
        for act in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER events_{act}")
        connection.exec_driver_sql(edit)
    assert why in ready.until(lambda wrong: "ledger" in wrong)["ledger"]
    assert b"driftwarden_ledger_intact 0.0\n" in ready.ask("/metrics")[2]


def test_a_ledger_edited_while_the_daemon_was_off_is_seen_at_its_start(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    for number in range(5):
        daemon.scanned(f"run-{number}", datetime.now(UTC))
    with daemon.store.database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER events_update")
        connection.exec_driver_sql("UPDATE events SET kind = 'scan.began' WHERE seq = 3")
    daemon.health.start()
    assert "event 3 " in daemon.until(lambda wrong: set(wrong) == {"ledger"})["ledger"]
    daemon.health.stop()
    daemon.store.close()


def test_a_ledger_that_grows_stays_intact(ready: Daemon) -> None:
    for number in range(3):
        ready.store.ledger.append("clock.jump", {"seconds": number}, datetime.now(UTC))
        end = ready.store.ledger.head().seq
        deadline = time.monotonic() + 60
        while f"up to {end}\n".encode() not in ready.ask("/readyz")[2]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert ready.wrong() == {}


def test_a_clock_before_the_newest_event_is_not_sane(ready: Daemon) -> None:
    ready.store.ledger.append("clock.jump", {}, datetime.now(UTC) + timedelta(hours=1))
    assert "before the newest event of the ledger" in ready.until(lambda wrong: "clock" in wrong)["clock"]


# --- where it listens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("", None),
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("127.8.9.1:0", ("127.8.9.1", 0)),
        ("localhost:80", ("127.0.0.1", 80)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_addresses_on_loopback(listen: str, found: tuple[str, int] | None) -> None:
    assert address(listen) == found


@pytest.mark.parametrize(
    ("listen", "why"),
    [
        ("0.0.0.0:9464", "is not on loopback"),
        ("[::]:9464", "is not on loopback"),
        ("192.168.1.5:9464", "put a reverse proxy"),
        ("[::ffff:127.0.0.1]:1", "is not on loopback"),
        ("metrics.example:9464", "is no address"),
        ("9464", "write an address of this machine's loopback, such as 127.0.0.1:9464"),
        ("127.0.0.1", "is no address"),
        ("127.0.0.1:99999", "has no port that there is"),
        ("::1:9464", "is no address"),
        ("127.0.0.1:80\n\x1b[2J", "is no address"),
    ],
)
def test_anything_else_is_refused_with_what_would_be_right(listen: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        address(listen)
    assert why in str(caught.value)
    assert "[daemon] listen" in str(caught.value) and str(caught.value).isprintable()


def test_an_address_that_is_taken_is_had_when_it_is_free(ready: Daemon) -> None:
    assert ready.health.listening is not None
    port = ready.health.listening[1]
    standby = ready.another(f"127.0.0.1:{port}")
    standby.start()
    assert standby.listening is None and f"port {port}: Address already in use" in standby.error
    ready.health.stop()
    deadline = time.monotonic() + 60
    while standby.listening is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert standby.error == ""
    ready.health = standby
    assert ready.ask("/healthz")[0] == 200


def test_no_address_is_no_server_and_no_thread(daemon: Daemon) -> None:
    silent = daemon.another("")
    silent.start()
    assert (silent.listening, silent.error) == (None, "")
    silent.stop()


# --- clients -------------------------------------------------------------------------------------------------


def raw(served: Daemon, sent: bytes) -> bytes:
    """What comes back for these bytes; nothing where the connection was reset."""
    assert served.health.listening is not None
    with socket.create_connection(served.health.listening, timeout=20) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        found = b""
        with contextlib.suppress(OSError):
            while more := connection.recv(65_536):
                found += more
        return found


def test_a_head_has_no_body(served: Daemon) -> None:
    status, headers, body = served.ask("/healthz", "HEAD")
    assert (status, body) == (200, b"") and int(headers["Content-Length"]) > 0
    assert (headers["Cache-Control"], headers["Connection"]) == ("no-store", "close")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(served: Daemon, method: str) -> None:
    status, headers, body = served.ask("/metrics", method)
    assert (status, headers["Allow"], body) == (405, "GET, HEAD", b"405 Method Not Allowed: only GET and HEAD\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/healthz%00"])
def test_other_paths_are_not_there(served: Daemon, path: str) -> None:
    assert served.ask(path)[0] == 404


def test_a_query_is_no_part_of_the_path(served: Daemon) -> None:
    assert served.ask("/healthz?verbose=1")[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:9464", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:9464", 200),
        ("attacker.example", 421),
        ("127.0.0.1.attacker.example:9464", 421),
        ("localhost.attacker.example", 421),
        ("192.168.1.5:9464", 421),
        ("127.0.0.1 attacker", 421),
        ("", 421),
    ],
)
def test_a_name_that_a_page_made_lead_here_is_refused(served: Daemon, host: str, status: int) -> None:
    assert served.ask("/metrics", Host=host)[0] == status


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET http://127.0.0.1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * LONGEST + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000,
    ],
    ids=lambda sent: repr(sent[:24]),
)
def test_what_is_no_request_is_answered_as_such(served: Daemon, sent: bytes) -> None:
    # A huge one may be cut off while it is still being sent, and then nothing comes back.
    answered = raw(served, sent)
    assert answered.startswith(b"HTTP/1.1 400 ") or (len(sent) > LONGEST and not answered)
    assert served.ask("/healthz")[0] == 200


def test_without_a_host_only_the_old_protocol_is_answered(served: Daemon) -> None:
    assert raw(served, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert raw(served, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_clients_that_never_ask_keep_nobody_out(served: Daemon) -> None:
    """Three times as many as may be connected, each half-way through its request: the oldest go."""
    assert served.health.listening is not None
    idle = []
    for _ in range(3 * MOST):
        with contextlib.suppress(OSError):
            connection = socket.create_connection(served.health.listening, timeout=20)
            idle.append(connection)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
    assert served.ask("/healthz")[0] == 200
    assert served.health._server is not None
    assert len(served.health._server._open) <= MOST
    for connection in idle:
        connection.close()


def test_a_slow_client_has_only_so_long(served: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.daemon.health_http.PATIENCE", 0.2)
    assert raw(served, b"GET /healthz HTTP/1.1\r\nHost: 127") == b""


def test_stop_frees_the_address_and_both_may_be_called_twice(daemon: Daemon) -> None:
    here = daemon.health.listening
    assert here is not None
    daemon.health.start()
    assert daemon.health.listening == here
    daemon.health.stop()
    daemon.health.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(here, timeout=20)
    daemon.health.start()
    daemon.until(lambda wrong: not wrong)
