"""A small estate with a daemon that follows its queue: what is changed by hand becomes a ticket, whatever happens.

Hides configuration, delivery, and what is waited for.
"""

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import small_estate
from daemon_process import Daemon, daemons, wait_for
from injected import free_port
from invariants import Truth, faults
from queued import Events, envelope, events
from small_estate import CONFIG

from agent.demo.recorder import Recorder

LIMITS = (
    "beat=0.2, silent=1.5, settle=0.2, look=0.5, outbox=0.3, retry=0.5, longest_retry=2.0, "
    "events_retry=0.2, longest_events_retry=1.0, stagger=0.1, ending=1.0"
)
TEXT = """
[daemon]
socket = ""
listen = "127.0.0.1:{port}"
grace = "1s"

[schedule]
scan = "{scan}"
trail = "{trail}"
jitter = "0s"
reevaluate = ""
remind = ""
report = ""
prune = ""
"""
MADE = "by-hand-"
PATIENCE = 200.0
"""Seconds after which what is waited for is taken never to come: scans of a busy machine take long."""


def soon(what: Callable[[], Any], name: str) -> Any:
    """What `what` gives as soon as it gives something."""
    return wait_for(what, name, PATIENCE)


def said(daemon: Daemon, event: str, text: str = "", times: int = 1, **fields: Any) -> dict[str, Any]:
    """The last such line of a daemon's log, with the text in what it says, once there are so many."""

    def found() -> list[dict[str, Any]]:
        lines = [one for one in daemon.logged(event, **fields) if text in one.get("said", one.get("error", ""))]
        assert len(lines) >= times or daemon.process.poll() is None, daemon.log_file.read_text()
        return lines if len(lines) >= times else []

    last: dict[str, Any] = soon(found, f"{event} {text} {fields} in {daemon.log_file.read_text()[-3000:]}")[-1]
    return last


def stopped(daemon: Daemon, folder: Path) -> None:
    """It is stopped, between two writes: in the middle of one it keeps SQLite's lock, and nobody else can lead."""
    while True:
        daemon.signal(signal.SIGSTOP)
        with closing(sqlite3.connect(folder / "driftwarden.db", timeout=3, isolation_level=None)) as raw:
            try:
                raw.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                daemon.signal(signal.SIGCONT)
            else:
                raw.execute("ROLLBACK")
                return


@dataclass
class Living:
    """The estate, its daemons, and what was done to it."""

    events: Events
    start: Callable[[], Daemon]
    port: int
    done: dict[str, str] = field(default_factory=dict)
    """Event → who."""

    @property
    def folder(self) -> Path:
        return self.events.estate.folder

    def change(self, who: str, *, told: bool = True) -> None:
        """Somebody makes a queue by hand, once each: a case of its own."""
        estate = self.events.estate
        before = len(estate.recorder.records)
        estate.client(who, "sqs").create_queue(QueueName=f"{MADE}{who}")
        self.done |= {one["eventID"]: who for one in estate.recorder.records[before:] if not one.get("readOnly")}
        if told:
            self.events.deliver()

    def filed(self, count: int) -> None:
        """Waits until there are so many tickets, and nothing is on its way."""
        tickets = self.events.estate
        soon(lambda: sum(MADE in one.read_text() for one in tickets.tickets) >= count, f"ticket {count}")
        soon(lambda: self.events.left() == 0, "an empty queue")

    def wrong(self, *, blind: bool = False) -> list[str]:
        """What does not hold once no daemon runs any more."""
        # The queue that it follows is declared nowhere.
        own = self.events.url.rpartition("/")[2]
        return faults(self.folder, Truth(dict(self.done), blind=blind, beside=frozenset({own})))


@contextmanager
def living(
    folder: Path,
    cloud: tuple[Recorder, dict[str, str]],
    *,
    name: str,
    scan: str = "",
    trail: str = "",
    limits: str = LIMITS,
    more: dict[str, str] | None = None,
    through: str = "",
    **attributes: str,
) -> Iterator[Living]:
    """A daemon's estate in an empty folder, without what others made by hand in its cloud."""
    estate = small_estate.estate(folder, *cloud)
    with estate.recorder.paused():
        sqs = estate.client("ops", "sqs")
        for url in sqs.list_queues().get("QueueUrls", ()):
            if not url.endswith("/orders"):
                sqs.delete_queue(QueueUrl=url)
    made = events(estate, name, **attributes)
    # A trail in which nothing at all happens is one that is not read.
    made.send([envelope(estate.recorder.records[-1])])
    port = free_port()
    url = made.url.replace(estate.recorder.upstream, through) if through else made.url
    text = CONFIG.replace('source = "trail"', f'source = "eventbridge:{url}"')
    estate.configure(text + TEXT.format(port=port, scan=scan, trail=trail))
    variables: dict[str, Any] = {**estate.variables, **(more or {})}
    with daemons(estate.config, limits, variables) as start:
        yield Living(made, start, port)
