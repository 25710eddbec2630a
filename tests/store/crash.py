"""Ends scans in child processes that are killed on the way, and says what each left behind.

Run as `crash.py URL statement STEP` (killed before the nth SQL statement, n growing by STEP) or `crash.py URL SYSCALL
STEP` (killed by strace on entering the nth such system call). A process of its own, so that it forks without threads.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import event
from story import LEASE, NOW, case, finding, key, reading, seen, ticket

from agent.model import CaseKey, Close, FindingId, Held, Open, Update
from agent.store import ScanCommit, Store, UnitSpec, connect

MANY = 30


def ending(number: int, last: int) -> ScanCommit:
    """A scan's end that writes to every table; `last` is the number of the last one that succeeded."""
    name, before = f"n{number}", f"n{last}"
    return ScanCommit(
        f"r{number}",
        NOW,
        "violations",
        b"{}" * 5000,
        seen=seen(*(finding(f"{name}-{n}") for n in range(MANY)), inputs=ticket(name)),
        closed=(FindingId(f"F-{before}-0"),),
        accepted=tuple(reading(f"{name}-{n}") for n in range(MANY)),
        forgotten=(key(f"{before}-0"),),
        actions=(
            Open(case(name)),
            Update(case(name), "more"),
            Close(case(before), "gone"),
            Held((case(f"{name}-held"),), "a flood"),
        ),
        events=(("note", {"run": f"r{number}"}),),
    )


def prepare(url: str, number: int) -> None:
    with connect(url) as store:
        store.scans.begin(f"r{number}", NOW, "", "")
        store.units.add(f"r{number}", [UnitSpec("live", "sqs"), UnitSpec("join", "join")])
        unit = store.units.claim(f"r{number}", "a", NOW, LEASE)
        assert unit
        store.units.finish(unit, b"answer")


def end(store: Store, number: int, last: int) -> None:
    join = store.units.claim(f"r{number}", "a", NOW, LEASE)
    assert join
    assert store.scans.commit(ending(number, last), join)


def left(url: str, number: int, last: int) -> dict[str, Any]:
    """Which traces of the scan's end are there, which are not, and whether the store as a whole is sound."""
    name, before = f"n{number}", f"n{last}"
    with connect(url) as store:
        found, accepted = store.findings.open(), store.readings.accepted()
        states = {entry.case.key: entry.case.state for entry in store.cases.listed()}
        queued = Counter(entry.dedup_key.partition("/")[0] for entry in store.outbox.unsent())
        events = Counter(event.kind for event in store.ledger.events(limit=10**6) if event.body["run"] == f"r{number}")
        units = {unit.kind: (unit.state, result) for unit, result in store.units.results(f"r{number}")}
        traces = {f"finding {n}": FindingId(f"F-{name}-{n}") in found for n in range(MANY)}
        traces |= {f"verdict {n}": bool(store.findings.judgements(FindingId(f"F-{name}-{n}"))) for n in (0, MANY - 1)}
        traces |= {f"reading {n}": key(f"{name}-{n}") in accepted for n in range(MANY)}
        traces |= {f"queued {n}": queued[f"r{number}"] > n for n in range(4)}
        traces |= {f"verdict.reached {n}": events["verdict.reached"] > n for n in range(MANY)}
        traces |= {kind: events[kind] > 0 for kind in ("case.opened", "case.held", "note", "scan.ended")}
        traces |= {
            "document": store.scans.document(f"r{number}") is not None,
            "finding closed": FindingId(f"F-{before}-0") not in found,
            "reading forgotten": key(f"{before}-0") not in accepted,
            "case opened": states.get(CaseKey(f"C-{name}")) == "open",
            "case closed": states[CaseKey(f"C-{before}")] == "closed",
            "join done": units["join"][0] == "done",
            "results dropped": units["live"] == ("done", None),
        }
        with store.database.read() as connection:
            check = "ok"
            if connection.dialect.name == "sqlite":
                check = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
        sound = check == "ok" and not store.ledger.verify().faults
    return {
        "there": sorted(name for name, is_there in traces.items() if is_there),
        "missing": sorted(name for name, is_there in traces.items() if not is_there),
        "sound": sound,
    }


def before_statement(url: str, number: int, last: int, nth: int) -> int:
    """Exit status of a child that is killed before its nth statement, if it gets there."""

    def body() -> None:
        with connect(url) as store:
            statements = iter(range(nth))

            def die(*_: object) -> None:
                if next(statements, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            event.listen(store.database.engine, "before_cursor_execute", die)
            event.listen(store.database.engine, "commit", die)
            end(store, number, last)

    child = forked(body)
    return os.waitpid(child, 0)[1]


def on_call(url: str, number: int, last: int, nth: int, call: str) -> int:
    """Exit status of a child that is killed on entering its nth call, if it gets there."""
    ready, go = os.pipe()

    def body() -> None:
        with connect(url) as store:
            os.read(ready, 1)
            end(store, number, last)

    child = forked(body)
    inject = f"inject={call}:signal=SIGKILL:when={nth}"
    command = ["strace", "-f", "-p", str(child), "-e", f"trace={call}", "-e", inject]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as tracer:
        assert tracer.stderr
        said = tracer.stderr.readline()
        if "attached" not in said:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise SystemExit(f"strace: {said}")
        os.write(go, b"!")
        tracer.stderr.read()
    os.close(ready)
    os.close(go)
    return os.waitpid(child, 0)[1]


def forked(body: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - a child must never return into its parent's code
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    return child


def sweep(url: str, how: str, step: int) -> Iterator[dict[str, Any]]:
    """One outcome per place a scan's end was killed at; the last is of a scan that came to its end."""
    prepare(url, 1)
    with connect(url) as store:
        end(store, 1, 0)
    last = 1
    for number, nth in enumerate(range(1, 400, step), start=2):
        prepare(url, number)
        kill = before_statement if how == "statement" else partial(on_call, call=how)
        status = kill(url, number, last, nth)
        outcome = left(url, number, last)
        yield {"nth": nth, "status": status, **outcome}
        if not outcome["missing"]:
            last = number
        if status == 0:
            return
    raise SystemExit("no scan ever came to its end")


if __name__ == "__main__":
    for outcome in sweep(sys.argv[1], sys.argv[2], int(sys.argv[3])):
        sys.stdout.write(json.dumps(outcome) + "\n")
