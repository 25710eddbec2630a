"""CloudTrail files, read: events a second of one core, of two, and memory over a long stream.

Everything is measured in one run, by turns: gunzip alone (the limit, with zlib and with isal), `json` into dicts with
the same filter, the pipeline up to the target of each write, and `Reader.sift`, which is all the product does to a
file. Prints a Markdown table and, last, one line of JSON. `--peer-python` names an interpreter that has trailscraper.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import measure
import trail_files

from agent import resources
from agent.trail import classify, decode, identity
from agent.trail.counts import Seen, events_of
from agent.trail.entries import Reader, more_than_reads
from agent.trail.source import Blob
from agent.trail.targets import Targets

EACH = (500, 5000)  # records a file
KEY = b"k" * 32
_READ = re.compile("Get|List|Describe|Head|Lookup|Search|BatchGet")
_PEER = """
import datetime, sys, time
from trailscraper.record_sources.local_directory_record_source import LocalDirectoryRecordSource
from trailscraper.cloudtrail import filter_records
start, end = (datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc) for year in (2000, 2100))
began = time.process_time()
found = list(LocalDirectoryRecordSource(sys.argv[1]).load_from_dir(start, end))
print(time.process_time() - began, len(found))
"""

Work = Callable[[bytes], Any]


def main() -> None:
    """Runs all of it, or one long stream (`--stream-of N`, the process that is measured from outside)."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=50_000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--stream", type=int, default=10_000_000)
    options.add_argument("--alone", action="store_true", help="one core only")
    options.add_argument("--stream-of", type=int, default=0, help=argparse.SUPPRESS)
    options.add_argument("--peer-python", default="", help="an interpreter that has trailscraper")
    given = options.parse_args()
    if given.stream_of:
        stream_of(given.stream_of)
        return
    records = trail_files.Records()
    figures: dict[str, Any] = {"records": records.distinct, "real": records.real}
    print("| what | records a file | µs an event | events/s | of gunzip (isal) |\n|---|--:|--:|--:|--:|")
    for each in EACH:
        files = trail_files.packed(records.stream(), max(1, given.events // each), each)
        figures[str(each)] = one_core(files, each, given.rounds)
        figures[str(each)] |= peer(files, each, given.peer_python)
        if not given.alone:
            figures[f"{each}, both cores"] = both_cores(files, each, given.rounds)
    if given.stream:
        figures["stream"] = long_stream(given.stream)
    print(json.dumps(figures))


def one_core(files: Sequence[bytes], each: int, rounds: int) -> dict[str, float]:
    """µs of CPU an event, by what is done: for each file its best turn, summed."""
    contenders = works()
    best: dict[tuple[str, int], float] = {}
    for _ in range(rounds):
        for name, make in contenders.items():
            work = make()
            for number, data in enumerate(files):
                began = time.process_time()
                work(data)
                spent = time.process_time() - began
                best[name, number] = min(spent, best.get((name, number), spent))
    events = len(files) * each
    found = {name: sum(best[name, n] for n in range(len(files))) / events * 1e6 for name in contenders}
    limit = found.get("gunzip (isal)")
    for name, cost in found.items():
        share = f"{100 * limit / cost:.0f} %" if limit else "?"
        print(f"| {name} | {each:,} | {cost:.2f} | {1e6 / cost:,.0f} | {share} |", flush=True)
    found["bytes packed"] = sum(map(len, files)) / events
    found["bytes plain"] = sum(len(zlib.decompress(data, 31)) for data in files) / events
    return found


def works() -> dict[str, Callable[[], Work]]:
    """Name → what makes the work: whatever it remembers begins anew with each turn."""
    found: dict[str, Callable[[], Work]] = {"gunzip (zlib)": lambda: lambda data: zlib.decompress(data, 31)}
    try:
        isal = importlib.import_module("isal.isal_zlib")
        found["gunzip (isal)"] = lambda: lambda data: isal.decompress(data, 31)
    except ImportError:
        print("(isal is not installed: its limit is not measured, and zlib unpacks for us)\n", file=sys.stderr)
    found["zlib, json, filter"] = lambda: stdlib
    found["ours: decoded"] = lambda: decoded
    found["ours: to the target"] = to_the_target
    found["ours: entries (all the product does)"] = lambda: sifted(reader())
    return found


def stdlib(data: bytes) -> int:
    """What a script would do: every record a dict, successful writes kept."""
    found = [
        record
        for record in json.loads(zlib.decompress(data, 31))["Records"]
        if not record.get("readOnly") and not _READ.match(record["eventName"]) and "errorCode" not in record
    ]
    return len(found)


def decoded(data: bytes) -> int:
    """gunzip and decoding alone."""
    return sum(len(batch) for batch in decode.batches(Blob("file", data)) if isinstance(batch, list))


def to_the_target() -> Work:
    """Decode, filter, de-duplicate, classify on both axes, find the target: with the product's own functions."""
    targets, seen = Targets(resources.load(), KEY), Seen()

    def work(data: bytes) -> int:
        found = 0
        for batch in decode.batches(Blob("file", data)):
            if not isinstance(batch, list):
                continue
            seen.fresh(events_of(batch))
            for record in more_than_reads(batch):
                sort = classify.sort(record)
                if sort not in ("change", "failed") or classify.is_noise(record):
                    continue
                classify.client(record, identity.of(record))
                if sort == "change":
                    found += len(targets.of(record.source or "", classify.name(record), decode.document(record)))
        return found

    return work


def reader() -> Reader:
    """As a scan makes it."""
    return Reader(resources.load(), seal_key=KEY)


def sifted(of: Reader) -> Work:
    """Everything: entries with excerpts, references and digests, and the counts."""
    return lambda data: of.sift(Blob("file", data))


def both_cores(files: Sequence[bytes], each: int, rounds: int) -> dict[str, float]:
    """How much less wall time `sift_all` takes than `sift` of each."""
    blobs = [Blob(f"file {number}", data) for number, data in enumerate(files)]

    def alone() -> None:
        one = reader()
        for blob in blobs:
            one.sift(blob)

    def together() -> None:
        for _ in reader().sift_all(blobs, reader, 2):
            pass

    blobs *= max(1, 300_000 // (len(files) * each))  # processes take a second to start
    walls = [(_wall(alone), _wall(together)) for _ in range(rounds)]
    one, two = min(wall for wall, _ in walls), min(wall for _, wall in walls)
    cost = two / len(blobs) / each * 1e6
    gain = f"{one / two:.2f} × one core"
    print(f"| ours, both cores (wall) | {each:,} | {cost:.2f} | {1e6 / cost:,.0f} | {gain} |", flush=True)
    return {"wall": cost, "gain": one / two}


def _wall(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def peer(files: Sequence[bytes], each: int, python: str) -> dict[str, float]:
    """trailscraper reading the same files from a folder, in its own interpreter."""
    if not python:
        return {}
    with tempfile.TemporaryDirectory() as place:
        for number, data in enumerate(files):
            stamp = f"{trail_files.START:%Y%m%dT%H%MZ}"
            (Path(place) / f"111122223333_CloudTrail_eu-west-1_{stamp}_{number:016d}.json.gz").write_bytes(
                _palatable(data)
            )
        done = subprocess.run([python, "-c", _PEER, place], check=True, capture_output=True, text=True)
    spent, records = done.stdout.split()
    cost = float(spent) / int(records) * 1e6
    print(f"| trailscraper: its records | {each:,} | {cost:.2f} | {1e6 / cost:,.0f} | |", flush=True)
    return {"trailscraper": cost}


def _palatable(data: bytes) -> bytes:
    """trailscraper raises on `resources` that are null."""
    return gzip.compress(zlib.decompress(data, 31).replace(b'"resources":null', b'"resources":[]'), 6)


def long_stream(events: int) -> dict[str, float]:
    """A process that reads so many events, made as it goes: its memory after a tenth of them, and at its peak."""
    with tempfile.TemporaryDirectory() as place:
        run = measure.run([sys.executable, __file__, "--stream-of", str(events)], Path(place), os.environ)
    if run.code:
        sys.exit(run.errors[-2000:])
    early, late, entries = map(int, run.output.split())
    held = {"peak MB": run.peak, "MB after a tenth": early / 1e6, "MB at the end": late / 1e6}
    print(f"\n{events:,} events: " + ", ".join(f"{size:.0f} {what}" for what, size in held.items()))
    return {"events": events, "entries": entries} | held


def stream_of(events: int) -> None:
    """Reads the stream; prints its resident memory after a tenth, at the end, and the number of entries."""
    one = reader()
    early, entries = 0, 0
    for number, data in enumerate(_made_as_it_goes(events)):
        entries += len(one.sift(Blob(f"file {number}", data)).entries)
        one.tallies()
        if number == events // EACH[0] // 10:
            early = _resident()
    print(early, _resident(), entries)


def _made_as_it_goes(events: int) -> Iterator[bytes]:
    """Files of which every id is new; the rest repeats, so that making them takes little of the time."""
    records = trail_files.Records().stream()
    split = (re.split(r'(?<="eventID":")[^"]*', text, maxsplit=1) for text in records)
    texts = list(itertools.islice((parts for parts in split if len(parts) == 2), 20 * EACH[0]))
    number = 0
    for start in range(0, events, EACH[0]):
        fresh = []
        for before, after in texts[start % len(texts) : start % len(texts) + EACH[0]]:
            number += 1
            fresh.append(f"{before}{number:08x}-0000-4000-8000-000000000000{after}")
        yield trail_files.plain(fresh)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
