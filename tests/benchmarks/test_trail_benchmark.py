"""The trail's benchmark runs, and what it says adds up; nothing here says how fast anything is."""

import json
import os
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "trail.py"


def run(*options: str) -> list[str]:
    """Lines it prints; without the datasets."""
    variables = {name: value for name, value in os.environ.items() if name != "DRIFTWARDEN_CLOUDTRAIL_DATA"}
    variables["PYTHONPATH"] = str(BENCHMARK.parents[1])
    command = [sys.executable, str(BENCHMARK), *options]
    done = subprocess.run(command, env=variables, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_it_measures_ours_beside_the_limit_and_json() -> None:
    *table, last = run("--events", "500", "--rounds", "1", "--stream", "0", "--alone")
    figures = json.loads(last)
    assert figures["real"] is False
    found = figures["500"]
    assert {"gunzip (zlib)", "zlib, json, filter", "ours: to the target", "ours: decoded"} <= found.keys()
    assert all(cost > 0 for cost in found.values())
    assert len(table) >= 2 * len([name for name in found if not name.startswith("bytes")])


def test_a_stream_gives_as_many_entries_as_it_has_writes() -> None:
    (line,) = run("--stream-of", "2000")
    early, late, entries = map(int, line.split())
    assert 0 < early <= late * 2
    assert 100 < entries < 300
