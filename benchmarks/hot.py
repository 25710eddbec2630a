"""What a look costs the disk at a resource that is changed every few minutes, for a week.

One queue, set to something else by hand every five minutes. The line judges its calls once; then a store is given what
each of so many looks would keep of it, each one call further: the verdict, and the document of the look. Measured is
what the tables grow by for each look, and what the same would take whole. Prints a Markdown table and, last, one line
of JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from verdicts import BEGIN, Load, made, stories

from agent.document import finding as shown
from agent.model import Candidate, Change, Finding, JudgedChange, Test, Verdict
from agent.store import ScanCommit, Seen, Store, connect
from agent.store.codec import encode

EVERY = timedelta(minutes=5)
VERDICT = Verdict("unauthorised", (Test("actor", "pass", "dana: IAM user"), Test("ticket", "fail", "no reference")))


def main() -> None:
    """Runs all of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=2016, help="in the look-back: a week of five minutes")
    options.add_argument("--looks", type=int, default=60)
    given = options.parse_args()
    whole, took = {"verdict": 0, "document": 0}, 0.0
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/store.db") as store:
        sizes = []
        for number, story in enumerate(looks(made(1_000, 10), given.calls, given.looks)):
            document = json.dumps({"changes": shown(story)["changes"], "findings": [shown(story)]}).encode()
            began = time.process_time()
            keep(store, number, story, document)
            took += time.process_time() - began
            sizes.append(size(store))
            whole["verdict"] += len(encode(story))
            whole["document"] += len(zlib.compress(document))
    figures: dict[str, float] = {"calls": given.calls, "looks": given.looks, "CPU ms": took / given.looks * 1000}
    print("| of each look | whole, bytes | kept, bytes | ratio |\n|---|--:|--:|--:|")
    for name, total in whole.items():
        kept = (sizes[-1][name] - sizes[0][name]) / (given.looks - 1)
        figures[name] = kept
        figures[f"{name} ratio"] = total / given.looks / kept
        print(f"| {name} | {total / given.looks:,.0f} | {kept:,.0f} | {figures[f'{name} ratio']:,.0f} |")
    figures["file"] = (sizes[-1]["file"] - sizes[0]["file"]) / (given.looks - 1)
    print(f"| the store's file | | {figures['file']:,.0f} | |")
    print(json.dumps(figures))


def looks(load: Load, calls: int, count: int) -> Iterator[Finding]:
    """The finding as each look judges it; the newest of the last calls explain it best."""
    story = next(one for one in stories(load) if one.changes)
    call = story.changes[0].change
    every = [JudgedChange(nth(call, number), VERDICT) for number in range(calls + count)]
    for number in range(count):
        its = tuple(every[number : number + calls])
        behind = tuple(Candidate(item.change, 0.3, "sets the attribute") for item in its[-20:][::-1])
        yield replace(story, changes=its, candidates=behind, verdict=VERDICT)


def nth(call: Change, number: int) -> Change:
    """The same call again, later."""
    event = uuid.UUID(int=random.Random(number).getrandbits(128))
    return replace(call, event_ids=(str(event),), time=BEGIN + number * EVERY)


def keep(store: Store, number: int, story: Finding, document: bytes) -> None:
    """A look ends."""
    at = story.changes[-1].change.time
    store.scans.begin(f"r{number}", at, "", "", kind="trail")
    seen = (Seen(story),)
    store.scans.commit(ScanCommit(f"r{number}", at, "violations", document, seen=seen, kind="trail"))


def size(store: Store) -> dict[str, int]:
    """Bytes of what grows; of a piece also what names it. The file grows by whole pages, and holds the ledger too."""
    kept = {
        "file": "page_count * page_size FROM pragma_page_count, pragma_page_size",
        "verdict": "(SELECT sum(length(body)) FROM verdicts) + (SELECT sum(length(body) + 140) FROM pieces)",
        "document": "(SELECT sum(length(document)) FROM scans) + (SELECT sum(length(body) + 140) FROM document_pieces)",
    }
    with store.database.read() as connection:
        return {name: connection.exec_driver_sql(f"SELECT {what}").scalar_one() for name, what in kept.items()}


if __name__ == "__main__":
    main()
