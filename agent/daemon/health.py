"""Is it alive, is it ready, and what does it count: `/healthz`, `/readyz` and `/metrics` on loopback.

Hides how that is known without asking the store while somebody waits for an answer: a thread of its own reads it every
few seconds, and the end of the ledger with it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address

import msgspec
from sqlalchemy import select

from agent.clean import clean
from agent.config import Config, ConfigError
from agent.daemon.health_http import Answer, Server
from agent.daemon.metrics import Metrics
from agent.daemon.metrics_catalogue import CONTENT_TYPE
from agent.store import Event, Head, Leader, Store, StoreError, schema
from agent.store.ledger import canonical, hash_after
from agent.vitals import Vitals

EVERY = 20.0
"""Seconds between two looks at the store: each is a dozen queries, half of what an idle daemon costs."""
STILL = 30.0
"""Seconds after which a loop that did not come round is taken for stuck: it does so every 5."""
STALE = 60.0
"""Seconds after which a store that took no write, or was not read, is taken for gone."""
SLACK = timedelta(minutes=5)
"""How far the wall clock may stand before the newest event of the ledger."""

_PARTING = 2.0  # seconds that a look may take to end; what waits for the store's lock is not waited for
_AT_ONCE = 1_000
_FIRST = 200  # events looked at when the daemon has just started
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so."""

    name: str
    ok: bool
    why: str
    """What was found, or what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the last look at the store found, besides the metrics."""

    version: int | None = None
    leader: Leader | None = None
    end: Event | None = None
    """Newest event of the ledger."""
    broken: str = ""
    """What is wrong with the ledger's end; empty: nothing."""
    error: str = "it was not read yet"


def address(listen: str) -> tuple[str, int] | None:
    """Host and port of `[daemon] listen`; None for the empty text. Raises ConfigError for what is not on loopback."""
    if not listen:
        return None
    match = _LISTEN.fullmatch(listen)
    host = (match[1] or match[2]) if match else ""
    host = "127.0.0.1" if host == "localhost" else host
    right = "write an address of this machine's loopback, such as 127.0.0.1:9464 or [::1]:9464; empty for none"
    try:
        inside = ip_address(host).is_loopback
    except ValueError:
        raise ConfigError(f"[daemon] listen: '{clean(listen)}' is no address; {right}") from None
    if match is None or int(match[3]) > 65_535:
        raise ConfigError(f"[daemon] listen: '{clean(listen)}' has no port that there is; {right}")
    if not inside:
        raise ConfigError(
            f"[daemon] listen: '{clean(listen)}' is not on loopback, and everybody who reaches it would read it; "
            f"{right}. For other machines, put a reverse proxy that asks who they are in front of it"
        )
    return host, int(match[3])


class Health:
    """Health of one daemon, from `start` to `stop`."""

    def __init__(self, config: Config, store: Store, vitals: Callable[[], Vitals], *, every: float = EVERY) -> None:
        """Nothing runs yet. `vitals` is called by several threads; the store is looked at `every` so many seconds.

        Raises ConfigError: `[daemon] listen`.
        """
        self.error = ""
        """Why nobody can reach it; empty: it listens, or is not meant to."""
        self.listening: tuple[str, int] | None = None
        """Address it listens on."""
        self._wanted = address(config.daemon.listen)
        self._store = store
        self._vitals = vitals
        self._metrics = Metrics(config, store, vitals)
        self._seen = _Seen()
        self._server: Server | None = None
        self._every = every
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listens, and looks at the store from now on.

        An address that is taken (by the leader that this daemon waits for) is tried again at each look; see `error`.
        After `stop` it may be started again.
        """
        if self._wanted is None or self._thread is not None:
            return
        self._stopped = threading.Event()
        self._listen()
        self._thread = threading.Thread(target=self._watch, args=(self._stopped,), name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listens no more; a look that is under way ends by itself. Twice does no harm."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_PARTING)
        if self._server is not None:
            self._server.stop()
        self._server, self._thread, self.listening = None, None, None

    def lead(self, fenced: Store) -> None:
        """We lead: what is counted is written down through this store, which takes nothing once another leads."""
        self._metrics.lead(fenced)

    def use(self, config: Config) -> None:
        """From now on by this configuration; the address stays until the next start."""
        self._metrics.use(config)

    def checks(self) -> tuple[Check, ...]:
        """What makes it ready, each by itself, as of the last look."""
        vitals, seen, now = self._vitals(), self._seen, datetime.now(UTC)
        return (
            _loop(vitals),
            self._check_store(vitals, seen),
            _schema(seen),
            _leader(vitals, seen),
            self._check_scan(now),
            Check("ledger", not seen.broken and seen.end is not None, seen.broken or _end_of(seen)),
            _clock(seen, now),
            _reload(vitals),
        )

    def answer(self, path: str, accept: str) -> Answer:
        """What is answered to a request for a path."""
        if path == "/metrics":
            return Answer(HTTPStatus.OK, self._metrics.text(), CONTENT_TYPE)
        if path == "/healthz":
            return _told((_loop(self._vitals()),), accept, "alive")
        if path == "/readyz":
            return _told(self.checks(), accept, "ready")
        return Answer(HTTPStatus.NOT_FOUND, b"404 Not Found: there are /healthz, /readyz and /metrics\n")

    def _listen(self) -> None:
        if self._wanted is None or self._server is not None:
            return
        server = Server(*self._wanted, self.answer)
        try:
            self.listening = server.start()
        except OSError as error:
            host, port = self._wanted
            self.error = f"[daemon] listen: {host} port {port}: {error.strerror}; it is tried again"
        else:
            self._server, self.error = server, ""

    def _watch(self, stopped: threading.Event) -> None:
        while True:
            self._look()
            if stopped.wait(self._every):
                return
            self._listen()

    def _look(self) -> None:
        """Reads the store; what cannot be read is told and tried again."""
        last = self._seen
        try:
            self._metrics.look(datetime.now(UTC))
            end, broken = self._ledger_end(last)
            with self._store.database.read() as connection:
                version: int | None = connection.scalar(select(schema.marker.c.version))
            self._seen = _Seen(version, self._store.leadership.seen(), end, broken, "")
        except (StoreError, msgspec.MsgspecError, ValueError) as error:
            self._seen = _Seen(last.version, last.leader, last.end, last.broken, clean(error) or type(error).__name__)
        else:
            self._metrics.ledger(not broken)

    def _ledger_end(self, last: _Seen) -> tuple[Event | None, str]:
        """The newest event, and what is wrong with the events up to it that are new since the last look.

        What was wrong once stays so until the daemon is started anew: somebody must look at it.
        """
        if last.broken:
            return last.end, last.broken
        head = self._store.ledger.head()
        if last.end is not None and head.seq < last.end.seq:
            return last.end, f"the ledger ends at event {head.seq}, it had {last.end.seq}: was the store replaced?"
        first = last.end.seq - 1 if last.end is not None else max(head.seq - _FIRST, 0)
        events = self._store.ledger.events(after=max(first - 1, 0), limit=_AT_ONCE)
        kept = Head(last.end.seq, last.end.hash) if last.end is not None else None
        return (events[-1] if events else None), _fault(events, kept)

    def _check_store(self, vitals: Vitals, seen: _Seen) -> Check:
        age = self._metrics.age
        if seen.error:
            return Check("store", False, seen.error)
        if age > STALE:
            return Check("store", False, f"it was last read {age:.0f} s ago")
        if vitals.role == "leader" and vitals.stored > STALE:
            return Check("store", False, f"it took no write for {vitals.stored:.0f} s")
        return Check("store", True, "it is read and written" if vitals.role == "leader" else "it is read")

    def _check_scan(self, now: datetime) -> Check:
        last, overdue = self._metrics.last_scan, self._metrics.overdue(now)
        if last is None:
            return Check("scan", False, "no scan of the whole estate has ended yet")
        told = f"the last scan of the whole estate ended at {last:%FT%TZ}"
        if overdue is not None and now > overdue:
            return Check("scan", False, f"{told}; the second since should have by {overdue:%FT%TZ}")
        return Check("scan", True, told)


def _loop(vitals: Vitals) -> Check:
    still = vitals.ticked > STILL
    return Check("loop", not still, f"it came round {vitals.ticked:.0f} s ago")


def _reload(vitals: Vitals) -> Check:
    """Never what makes it not ready: the configuration before it is in use."""
    old = f"the newest is not in use: {clean(vitals.reload_error)}" if vitals.reload_error else "the newest is in use"
    return Check("configuration", True, old)


def _schema(seen: _Seen) -> Check:
    right = f"version {schema.VERSION}"
    if seen.version == schema.VERSION:
        return Check("schema", True, right)
    has = f"version {seen.version}" if seen.version is not None else "of no version that is known yet"
    return Check("schema", False, f"the store's schema is {has}, this driftwarden knows {right}")


def _leader(vitals: Vitals, seen: _Seen) -> Check:
    if vitals.role == "leader":
        return Check("leader", vitals.fence > 0, f"this daemon leads, with fence {vitals.fence}")
    if vitals.role == "standby":
        if vitals.stuck:
            return Check("leader", False, clean(vitals.stuck, 600))
        if seen.leader is None:
            return Check("leader", False, "this daemon waits, and nobody leads")
        return Check(
            "leader", True, f"this daemon waits; {clean(seen.leader.owner)} leads, with fence {seen.leader.fence}"
        )
    return Check("leader", False, f"this daemon is {vitals.role}")


def _clock(seen: _Seen, now: datetime) -> Check:
    if seen.end is not None and seen.end.at - now > SLACK:
        behind = (seen.end.at - now).total_seconds()
        return Check("clock", False, f"it stands {behind:.0f} s before the newest event of the ledger: set it right")
    return Check("clock", True, f"{now:%FT%TZ}")


def _end_of(seen: _Seen) -> str:
    return f"its newest events match their hashes, up to {seen.end.seq}" if seen.end else "it has no event yet"


def _fault(events: tuple[Event, ...], kept: Head | None) -> str:
    """What is wrong with events that follow each other; the first of them only says what comes before the second."""
    last: Head | None = Head() if events and events[0].seq == 1 else None
    for event in events:
        if kept is not None and event.seq == kept.seq and event.hash != kept.hash:
            return f"event {event.seq} of the ledger is another one than before"
        if last is not None and event.seq != last.seq + 1:
            return f"event {event.seq} of the ledger stands where event {last.seq + 1} should"
        if last is not None and event.hash != _hash(last, event):
            return f"event {event.seq} of the ledger does not match its hash; run `driftwarden db verify`"
        last = Head(event.seq, event.hash)
    return ""


def _hash(last: Head, event: Event) -> str:
    """What the event's hash must be; empty where it has no canonical form."""
    try:
        return hash_after(last, event.at, event.kind, canonical(event.body))
    except TypeError:
        return ""


def _told(checks: tuple[Check, ...], accept: str, word: str) -> Answer:
    """The checks as text, or as JSON for who accepts that."""
    well = all(check.ok for check in checks)
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    if "application/json" in accept:
        body = {word: well, "checks": [asdict(check) for check in checks]}
        return Answer(status, json.dumps(body).encode() + b"\n", "application/json")
    lines = [f"{'ok    ' if check.ok else 'FAILED'} {check.name}: {check.why}" for check in checks]
    return Answer(status, "\n".join([word if well else f"not {word}", *lines, ""]).encode())
