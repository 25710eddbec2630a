"""What a daemon costs that has nothing to do: memory, and processor time, beside what doing without one would cost.

Hides how the resources get into the store: log groups, which are quick to make, and one scan of the daemon's own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lab

from agent.child import scan_in_child
from agent.config import aws_environment

sys.path.append(str(Path(__file__).parents[1] / "scripts"))

import long_run_daemon as daemons
import long_run_estate as estates

MEMORY = 120_000
"""kB of resident memory that the daemon itself may have."""
SHARE = 0.01
"""Of a core."""
TRAIL = 300.0
"""Seconds between two looks at the trail, as configuration has it by itself."""


def _measured(folder: Path, resources: int, seconds: float) -> dict[str, Any]:
    with lab.moto(folder) as upstream, estates.recorded(upstream, 1) as recorder:
        sizes = estates.Sizes(queues=5, logs=resources - 20, roles=5, groups=5, exempt=5)
        estate = estates.make(folder / "estate", recorder, sizes)
        estate.client("sts", "ASIA0000000000000000").get_caller_identity()
        estate.recorder.deliver(estates.BUCKET)
        estates.configure(estate, 'report = ""\nbackup = ""\nprune = ""\n', "7d", 0)
        text = estate.config.read_text().replace('listen = "127.0.0.1:0"\n', 'listen = "127.0.0.1:19464"\n')
        estate.config.write_text(text)
        daemon = daemons.Daemon(estate.config, estate.variables)
        try:
            found = _watched(daemon, seconds)
        finally:
            daemon.end(60)
            daemon.close()
        return {**found, "scan_cpu": _scan(estate)}


def _scan(estate: estates.Estate) -> float:
    """Seconds of processor time of one scan of everything, nothing of it kept."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with aws_environment(estate.variables):
        scan_in_child(estate.config, dry_run=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _watched(daemon: daemons.Daemon, seconds: float) -> dict[str, Any]:
    while not daemon.logged("job ended", job="scan"):
        if daemon.process.poll() is not None:
            raise lab.LabError(f"the daemon ended:\n{daemon.log_file.read_text()}")
        time.sleep(0.5)
        daemon.look()
    pid, worker = daemon.process.pid, daemon.events_pid()
    assert worker is not None
    while len(daemons.children(pid)) > 2:
        time.sleep(0.5)  # what the scan brought is filed
    began = time.monotonic()
    own, before = daemons.cpu_alone(pid), daemons.cpu_alone(worker)
    all_before = daemons.cpu(pid) + before
    workers = {worker: before}  # it begins anew every 45 minutes
    held: dict[str, list[daemons.Sample]] = {"daemon": [], "events": []}
    while time.monotonic() - began < seconds:
        daemon.look()
        worker = daemon.events_pid() or worker
        for name, one in (("daemon", pid), ("events", worker)):
            if found := daemons.sample(one):
                held[name].append(found)
        with contextlib.suppress(OSError):
            workers[worker] = daemons.cpu_alone(worker)
        time.sleep(2)
    passed = time.monotonic() - began
    jobs = [one["job"] for one in daemon.logged("job begun")]
    # What a worker took that has ended is among what the daemon's children took.
    alive = workers[worker] if daemons.sample(worker) else 0.0
    its, alone = sum(workers.values()) - before, daemons.cpu_alone(pid) - own
    return {
        "seconds": round(passed),
        "daemon": _row(held["daemon"], alone / passed),
        "events": _row(held["events"], its / passed),
        "children_cpu": daemons.cpu(pid) + alive - all_before - alone - its,
        "jobs": {job: jobs.count(job) for job in sorted(set(jobs))},
    }


def _row(samples: Sequence[daemons.Sample], share: float) -> dict[str, float]:
    return {
        "rss": max(one.rss for one in samples),
        "pss": max(one.pss for one in samples),
        "files": samples[-1].files,
        "threads": samples[-1].threads,
        "share": share,
    }


def main(arguments: Sequence[str]) -> int:
    """Measures, prints a table and a line of JSON; the exit code."""
    parser = argparse.ArgumentParser(prog="daemon.py idle")
    parser.add_argument("--resources", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=330.0, help="330: one look at the trail is among them")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="driftwarden-idle-") as name:
        found = _measured(Path(name), options.resources, options.seconds)
    print("| process | RSS MB | PSS MB | files | threads | % of a core |")
    print("|---|---|---|---|---|---|")
    for process in ("daemon", "events"):
        one = found[process]
        print(
            f"| {process} | {one['rss'] / 1000:.1f} | {one['pss'] / 1000:.1f} | {one['files']} | {one['threads']} | "
            f"{one['share'] * 100:.2f} |"
        )
    print(
        f"\njobs begun meanwhile: {found['jobs']}; {found['children_cpu']:.1f} s of processor time in their processes"
    )
    share = sum(found[process]["share"] for process in ("daemon", "events")) + found["children_cpu"] / found["seconds"]
    instead = found["scan_cpu"] / TRAIL
    print(f"all of it: {share * 100:.2f} % of a core; a scan of everything every five minutes instead takes")
    print(f"{instead * 100:.2f} %, {instead / share:.1f} × as much, and hears of a change minutes later")
    print(json.dumps(found))
    if options.out:
        options.out.write_text(json.dumps(found))
    return int(found["daemon"]["rss"] > MEMORY or share > SHARE)
