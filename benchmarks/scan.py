"""Our scan against `terraform plan -refresh-only`: wall time, API calls, CPU and memory on the same estates, in one go.

    python benchmarks/scan.py [--sizes 100,1000,5000] [--delay-ms 30] [--repeats 3] [--quick] [--out FILE]

Needs the terraform binary; `DRIFTWARDEN_TF_PLUGIN_DIR` names a local mirror of its providers. README.md says what is
measured and how. Exit code 1 where a target is missed or a tool said something untrue about the untouched estate.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lab
import measure
from measure import Run

CALLS_RATIO = 3.0
WALL_RATIO = 5.0
TARGET_SIZE = 1000
MEMORY_MB = 250.0
MEMORY_SIZE = 5000
"""Targets: so many times fewer calls and less wall time at 1,000 resources, at most so much memory at 5,000."""

CONFIG = f"""\
[[stack]]
name = "benchmark"
dir = "estate"

[[account]]
id = "{lab.ACCOUNT}"
regions = ["{lab.REGION}"]

[estate]
complete = true

[trail]
source = "logs"
lookback = "1h"

[tickets.register]
path = "tickets"
"""


@dataclass(frozen=True)
class Row:
    """One way to look at one estate; medians over the repeats."""

    resources: int
    what: str
    wall: float
    cpu: float
    peak: float
    calls: int
    proxy_cpu: float
    said_changed: int
    """Resources it called changed in an estate that nobody touched."""
    operations: Mapping[str, int]


class Bench:
    """One applied estate behind a warm proxy, looked at by both tools."""

    def __init__(self, folder: Path, resources: int, proxy: lab.Proxy, delay_ms: float, repeats: int) -> None:
        self._folder = folder
        self._resources = resources
        self._proxy = proxy
        self._delay_ms = delay_ms
        self._repeats = repeats
        self._variables = lab.variables(proxy.url, folder / "bytecode")
        (folder / "logs").mkdir()
        (folder / "tickets").mkdir()
        (folder / "driftwarden.toml").write_text(CONFIG)
        with gzip.open(folder / "logs" / "one.json.gz", "wt") as log:
            json.dump({"Records": [_record()]}, log)

    def rows(self) -> list[Row]:
        """Warm up, so that every answer is in the proxy; then measure."""
        self._proxy.begin(0)
        self._scan(fresh=True)
        self._refresh_only(10)
        ways: list[tuple[str, Callable[[], tuple[Run, int]]]] = [
            ("driftwarden scan, first", lambda: self._scan(fresh=True)),
            ("driftwarden scan, again", lambda: self._scan(fresh=False)),
            ("terraform plan -refresh-only", lambda: self._refresh_only(10)),
            ("terraform … -parallelism=50", lambda: self._refresh_only(50)),
        ]
        found: dict[str, list[tuple[Run, int, Mapping[str, Any]]]] = {what: [] for what, _ in ways}
        for _ in range(self._repeats):
            for what, look in ways:
                self._proxy.begin(self._delay_ms)
                run, changed = look()
                stats = self._proxy.stats()
                if stats["missed"]:
                    raise lab.LabError(f"{what}: {stats['missed']} answers were not in the proxy")
                found[what].append((run, changed, stats))
        return [self._row(what, runs) for what, runs in found.items()]

    def _row(self, what: str, runs: Sequence[tuple[Run, int, Mapping[str, Any]]]) -> Row:
        stats = runs[-1][2]
        return Row(
            self._resources,
            what,
            wall=statistics.median(run.wall for run, _, _ in runs),
            cpu=statistics.median(run.cpu for run, _, _ in runs),
            peak=statistics.median(run.peak for run, _, _ in runs),
            calls=round(statistics.median(stats["calls"] for _, _, stats in runs)),
            proxy_cpu=statistics.median(stats["cpu_s"] for _, _, stats in runs),
            said_changed=runs[-1][1],
            operations=stats["operations"],
        )

    def _scan(self, *, fresh: bool) -> tuple[Run, int]:
        if fresh:
            shutil.rmtree(self._folder / ".driftwarden-cache", ignore_errors=True)
            for kept in self._folder.glob("driftwarden.[dk]*"):
                kept.unlink()
        command = [str(Path(sys.executable).with_name("driftwarden")), "scan", "--output", "json"]
        run = measure.run(command, self._folder, self._variables)
        if run.code:
            raise lab.LabError(f"driftwarden scan: exit code {run.code}\n{run.output[-2000:]}\n{run.errors[-2000:]}")
        document = json.loads(run.output)
        coverage = document["coverage"]
        if not self._resources == coverage["declared"] == coverage["compared"]:
            raise lab.LabError(f"of {self._resources} resources {coverage['compared']} were compared")
        return run, len(document["drifts"])

    def _refresh_only(self, parallelism: int) -> tuple[Run, int]:
        command = [lab.terraform(), "plan", "-refresh-only", "-input=false", "-lock=false", "-no-color"]
        run = measure.run([*command, f"-parallelism={parallelism}"], self._folder / "estate", self._variables)
        if run.code:
            raise lab.LabError(f"terraform plan: exit code {run.code}\n{run.errors[-2000:]}")
        return run, len(re.findall(r"^  # .* has (?:changed|been deleted)$", run.output, re.MULTILINE))


def _record() -> dict[str, Any]:
    """A call that changes nothing: reading the trail is not what is compared."""
    return {
        "eventVersion": "1.11",
        "eventID": "00000000-0000-4000-8000-000000000001",
        "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "sqs.amazonaws.com",
        "eventName": "ListQueues",
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "readOnly": True,
        "awsRegion": lab.REGION,
        "recipientAccountId": lab.ACCOUNT,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15.0",
        "userIdentity": {"type": "IAMUser", "userName": "dana", "accountId": lab.ACCOUNT},
    }


def table(rows: Sequence[Row]) -> str:
    """The rows for a terminal, and as Markdown."""
    lines = [
        "| resources | what | wall s | API calls | CPU s | peak MB | proxy CPU s | called changed |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.resources:,} | {row.what} | {row.wall:.1f} | {row.calls:,} | {row.cpu:.1f} | {row.peak:.0f} "
        f"| {row.proxy_cpu:.1f} | {row.said_changed:,} |"
        for row in rows
    ]
    return "\n".join(lines)


def ratios(rows: Sequence[Row]) -> tuple[str, bool]:
    """How many times more terraform takes than our first scan, against the targets → text, and whether all are met."""
    lines = []
    met = True
    for size in dict.fromkeys(row.resources for row in rows):
        ours, again, theirs, wide = [row for row in rows if row.resources == size]
        calls, wall, memory = theirs.calls / ours.calls, theirs.wall / ours.wall, theirs.peak / ours.peak
        line = f"{size:,} resources: {calls:.1f} × fewer calls, {wall:.1f} × less wall time"
        line += f" ({theirs.wall / again.wall:.1f} × from the second scan on; {wide.wall / ours.wall:.1f} × against"
        line += f" -parallelism=50), {theirs.cpu / ours.cpu:.1f} × less CPU, {memory:.1f} × less memory"
        if size == TARGET_SIZE:
            kept = calls >= CALLS_RATIO and wall >= WALL_RATIO
            met = met and kept
            line += f"; target ≥ {CALLS_RATIO:g} × and ≥ {WALL_RATIO:g} ×: {'met' if kept else 'MISSED'}"
        if size == MEMORY_SIZE:
            kept = max(ours.peak, again.peak) <= MEMORY_MB
            met = met and kept
            line += f"; target ≤ {MEMORY_MB:g} MB: {'met' if kept else 'MISSED'}"
        lines.append(line)
    return "\n".join(lines), met


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000,5000", help="resources of each estate, multiples of 100")
    parser.add_argument("--delay-ms", type=float, default=30, help="added to every answer (default 30)")
    parser.add_argument("--repeats", type=int, default=3, help="measured runs of each kind; medians are shown")
    parser.add_argument("--quick", action="store_true", help="only 100 resources, once")
    parser.add_argument("--out", type=Path, help="write all figures, with calls by operation, as JSON")
    given = parser.parse_args()
    if given.quick:
        given.sizes, given.repeats = "100", 1
    given.sizes = [int(size) for size in given.sizes.split(",")]
    return given


def main() -> int:
    """The whole benchmark; gives the exit code."""
    given = _arguments()
    # Ended from outside, it still stops its servers and removes its folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows: list[Row] = []
    for size in given.sizes:
        folder = Path(tempfile.mkdtemp(prefix="driftwarden-benchmark-"))
        try:
            with lab.moto(folder) as cloud, lab.proxy(cloud, folder) as proxy:
                took = lab.apply(folder / "estate", size, cloud)
                print(f"applied {size:,} resources in {took:.0f} s", file=sys.stderr)
                rows += Bench(folder, size, proxy, given.delay_ms, given.repeats).rows()
        finally:
            shutil.rmtree(folder)
        print(table(rows[-4:]), file=sys.stderr)
    told, met = ratios(rows)
    load = os.getloadavg()[1]
    print(
        f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}, ", end=""
    )
    print(f"{given.delay_ms:g} ms per call, median of {given.repeats}\n\n{table(rows)}\n\n{told}")
    if given.out:
        given.out.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0 if met and not any(row.said_changed for row in rows if row.what.startswith("driftwarden")) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except lab.LabError as problem:
        sys.exit(f"benchmark: {problem}")
