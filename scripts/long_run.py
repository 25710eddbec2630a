"""The long run: a real daemon under a mixed load, and at the end exactly the cases that there must be.

    python scripts/long_run.py [--minutes 30] [--seed 1] [--out FILE] [--folder FOLDER]

moto with the recorder before it is the cloud. Stories (`long_run_stories`) are told one after the other; what they do
arrives by EventBridge and SQS, and in the trail's bucket, some of it twice, late, out of order, or in the bucket alone.
The schedule is that of 30 days, pressed into the run: 120 scans of everything, 30 backups, 4 weekly reports. The daemon
is looked at every few seconds, gets SIGHUP once, and SIGTERM at the end. Exit code 1 where anything is not as it must
be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import lab
import long_run_daemon as daemons
import long_run_estate as estates
from long_run_cast import Teller, Truth, Wait, World
from long_run_daemon import Daemon, Sample
from long_run_delivery import Delivery
from long_run_estate import Estate, Sizes
from long_run_stories import STORIES, Story, reviewed
from long_run_truth import Known, differences

from agent.demo.recorder import Recorder
from agent.store import connect

DAYS = 30
"""Days whose schedule is pressed into a run."""
FLAT = {"rss": 20_000.0, "files": 8.0, "threads": 4.0}
"""By how much the median of the last third may lie above that of the first: kB, number, number."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Shape:
    """How long a run is, and how dense."""

    seconds: float
    pace: float
    """Seconds between two stories."""
    schedule: str
    seed: int = 1
    patience: float = 900.0
    """Seconds that what a story waits for may take, and the end of it all."""
    lost: float = 0.06
    """Share of the events that EventBridge loses: the bucket has them."""
    each_once: bool = False
    """Every story is told once, in a random order, rather than by its weight; not the one that a process more at the
    socket is needed for, and what asks for scans is changed code alone."""

    @property
    def stories(self) -> int:
        """How many are told."""
        return len(STORIES) - 1 if self.each_once else int(self.seconds / self.pace)

    @property
    def sizes(self) -> Sizes:
        """An estate that is large enough for them."""
        n = self.stories
        # Where 30 % of an account, and 50, change within an hour nothing is believed any more. Log groups are quick to
        # read: they are there to be many.
        logs = int(n * 0.25) if n < 50 else n * 4
        return Sizes(queues=int(n * 0.8) + 12, logs=logs + 8, roles=int(n * 0.1) + 6, groups=int(n * 0.12) + 6)


def long(minutes: float, seed: int) -> Shape:
    """A run of many minutes: 30 days' schedule, as often as in those."""
    length = minutes * 60

    def every(times: float) -> str:
        return f"{max(1, round(length / times))}s"

    schedule = {
        **{"scan": every(4 * DAYS), "trail": every(6 * DAYS), "reevaluate": every(DAYS), "remind": every(2 * DAYS)},
        **{"report": every(4), "backup": every(DAYS), "prune": every(DAYS)},
    }
    return Shape(length, 6.0, _written(schedule), seed)


def short(seed: int) -> Shape:
    """Nearly every story once, within a minute."""
    never = dict.fromkeys(("trail", "reevaluate", "remind", "report", "backup", "prune"), "")
    # The first scan, those that changed code asks for, and the last: how many does not depend on how fast a machine is.
    return Shape(25.0, 1.0, _written({"scan": "1d", **never}), seed, 300.0, lost=0.0, each_once=True)


def _written(schedule: dict[str, str]) -> str:
    return "".join(f'{job} = "{when}"\n' for job, when in schedule.items())


@dataclass
class Result:
    """What came of a run."""

    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)


class Run:
    """One long run, over a cloud that is up."""

    def __init__(self, shape: Shape, estate: Estate, say: Say) -> None:
        self._shape, self._estate, self._say = shape, estate, say
        self._random = Random(shape.seed)
        self._store = connect(estate.store)
        self._known = Known(self._store, estate.recorder)
        self._world = World(estate, self._known, self._random)
        self._delivery = Delivery(estate, self._random, shape.lost)
        self._told: deque[tuple[Truth, Iterator[Wait], Wait, float]] = deque()
        self._filed: dict[str, float] = {}
        self._daemon = Daemon(estate.config, estate.variables)
        self._looked = 0.0
        self._kept = (estate.folder / "samples.jsonl").open("w", buffering=1, encoding="utf-8")
        self.result = Result()

    def run(self) -> Result:
        """All of it. The daemon is gone afterwards, whatever happens."""
        try:
            self._until(lambda: bool(self._daemon.said("READY")), "READY")
            self._until(lambda: bool(self._daemon.logged("job ended", job="scan")), "the first scan")
            began = time.monotonic()
            self._tell(began)
            self._finish()
            self._compare()
            self._end()
            self._figures(time.monotonic() - began)
        finally:
            self._daemon.close()
            self._store.close()
            self._kept.close()
        return self.result

    def _tell(self, began: float) -> None:
        """Stories at their pace, and SIGHUP in between."""
        order = [story for story in STORIES if story is not reviewed]
        self._random.shuffle(order)
        number, hung_up = 0, False
        while number < self._shape.stories:
            passed = time.monotonic() - began
            if number <= passed / self._shape.pace:
                self._begin(order[number] if self._shape.each_once else self._choose())
                number += 1
            if not hung_up and passed > self._shape.seconds * 0.2:
                hung_up = True
                self._daemon.process.send_signal(signal.SIGHUP)
            self._step()

    def _choose(self) -> Story:
        fit = {story: weight for story, (weight, takes) in STORIES.items() if self._world.left(*takes)}
        return self._random.choices(list(fit), list(fit.values()))[0]

    def _begin(self, story: Story) -> None:
        truth = Truth(story.__name__, next(self._world.numbers))
        self.result.truths.append(truth)
        steps = story(Teller(self._world, story.__name__, truth))
        self._told.append((truth, steps, lambda: True, time.monotonic()))

    def _finish(self) -> None:
        """Every story to its end, every event worked off, and one more scan of everything."""
        self._until(lambda: all(truth.asleep for truth, *_ in self._told), "the end of the stories")
        self._delivery.step(last=True)
        self._until(lambda: not self._delivery.left(), "an empty queue")
        if 'trail = ""' not in self._shape.schedule:
            drained = estates.now()
            self._until(lambda: self._settled("trail", drained), "a look at the trail")
        for _ in range(4):
            self._look_at_all()
            self._looked = 0.0
            for _ in range(3):
                self._step()
            if not self._told:
                break
        self._until(lambda: not self._told, "the end of the last stories")
        self._until(lambda: not self._store.outbox.unsent(), "an empty outbox")

    def _look_at_all(self) -> None:
        since = estates.now()
        if self._shape.each_once:
            self._estate.applied()
        else:
            self._estate.scan()
        self._until(lambda: self._settled("scan", since), "a last scan of everything")

    def _settled(self, job: str, since: Any) -> bool:
        known = self._store.jobs.all().get(job)
        return bool(
            known and known.began_at and known.ended_at and known.began_at > since and known.ended_at > known.began_at
        )

    def _compare(self) -> None:
        self._known.look()
        tickets = sorted((self._estate.folder / "tickets" / "cases").glob("*.yaml"))
        kept = self._store.scans.document(None)
        if kept is None:
            self.result.wrong.append("no scan of everything is kept")
            return
        document = json.loads(kept)
        told = [
            {**vars(truth), "events": [*self._known.events(truth.keys), *truth.events]} for truth in self.result.truths
        ]
        (self._estate.folder / "truth.json").write_text(json.dumps(told, indent=1))
        (self._estate.folder / "last-scan.json").write_bytes(kept)
        self.result.wrong += differences(self.result.truths, self._known, document, tickets)

    def _end(self) -> None:
        """SIGTERM, and what was told and logged until then."""
        code = self._daemon.end(60)
        self._daemon.look()
        wrong = self.result.wrong
        if code != 0:
            wrong.append(f"it ended with {code} after SIGTERM")
        for name, least in (("READY", 2), ("STATUS", 3), ("WATCHDOG", 3), ("RELOADING", 1), ("STOPPING", 1)):
            if len(self._daemon.said(name)) < least:
                wrong.append(f"systemd was told {name} {len(self._daemon.said(name))} times")
        if self._daemon.starved() > daemons.WATCHDOG / 2:
            wrong.append(f"the watchdog was not fed for {self._daemon.starved():.0f} s")
        bad = [one for one in self._daemon.log if one["level"] in ("error", "critical")]
        wrong += [f"logged: {json.dumps(one)[:600]}" for one in bad]

    # --- one round -----------------------------------------------------------------------------------------------

    def _until(self, done: Callable[[], bool], what: str) -> None:
        """Steps until it is so. Raises LabError where it does not come to it."""
        deadline = time.monotonic() + self._shape.patience
        while not done():
            if self._daemon.process.poll() is not None:
                raise lab.LabError(f"the daemon ended with {self._daemon.process.returncode}")
            if time.monotonic() > deadline:
                self._say(f"waited {self._shape.patience:.0f} s for {what} in vain")
                self.result.wrong.append(f"{what} did not come")
                return
            self._step()

    def _step(self) -> None:
        now = time.monotonic()
        self._delivery.step()
        if now - self._looked > 1.5:
            self._looked = now
            self._known.look()
            self._daemon.look()
            self._watch()
        for _ in range(len(self._told)):
            self._advance(*self._told.popleft())
        time.sleep(0.2)

    def _advance(self, truth: Truth, steps: Iterator[Wait], wait: Wait, since: float) -> None:
        if not wait():
            if time.monotonic() - since > self._shape.patience:
                self.result.wrong.append(f"{truth.name}: what it waited for did not come")
            else:
                self._told.append((truth, steps, wait, since))
            return
        try:
            following = next(steps, None)
        except RuntimeError as error:
            self.result.wrong.append(f"{truth.name}: {error}")
            return
        if following is not None:
            self._told.append((truth, steps, following, time.monotonic()))

    def _watch(self) -> None:
        """When cases were filed, and what the daemon holds."""
        with contextlib.suppress(FileNotFoundError):
            for path in (self._estate.folder / "tickets" / "cases").iterdir():
                if path.name not in self._filed and path.suffix == ".yaml":
                    self._filed[path.name] = path.stat().st_mtime
        for pid in filter(None, (self._daemon.process.pid, self._daemon.events_pid())):
            if found := daemons.sample(pid):
                self.result.samples.append(found)
                self._kept.write(json.dumps(asdict(found)) + "\n")

    def _figures(self, seconds: float) -> None:
        result, log = self.result, self._daemon.log
        jobs: dict[str, list[float]] = {}
        for one in self._daemon.logged("job ended"):
            jobs.setdefault(one["job"], []).append(one["seconds"])
        result.figures = {
            "seconds": round(seconds),
            "stories": len(result.truths),
            "calls": len(self._known.events([key for truth in result.truths for key in truth.keys])),
            "cases": len(self._known.cases),
            "watchdog_starved": round(self._daemon.starved(), 1),
            "jobs": {job: {"runs": len(its), "longest": max(its)} for job, its in sorted(jobs.items())},
            "event_batches": len([one for one in log if one["event"] == "events"]),
            "processes": _held(result, self._daemon.process.pid),
        }
        worst = result.figures["processes"].get("daemon", {})
        for what, most in FLAT.items():
            if worst.get(what, {}).get("grew", 0.0) > most:
                result.wrong.append(f"the daemon's {what} grew by {worst[what]['grew']} between first and last third")


def _held(result: Result, parent: int) -> dict[str, Any]:
    """Of the daemon, and of the event path's process that lived longest: median of both thirds, and slopes."""
    found: dict[str, Any] = {}
    pids = sorted({one.pid for one in result.samples}, key=lambda pid: sum(s.pid == pid for s in result.samples))
    for name, pid in (("daemon", parent), ("events", next((pid for pid in reversed(pids) if pid != parent), 0))):
        its = [one for one in result.samples if one.pid == pid]
        third = len(its) // 3
        if not third:
            continue
        found[name] = {
            what: {
                "first": _median(its[:third], what),
                "last": _median(its[-third:], what),
                "grew": _median(its[-third:], what) - _median(its[:third], what),
                "most": max(getattr(one, what) for one in its),
                "an_hour": round(daemons.slope(its[third:], what), 1),
            }
            for what in ("rss", "pss", "files", "threads")
        }
    return found


def _median(samples: list[Sample], what: str) -> float:
    values = sorted(getattr(one, what) for one in samples)
    return float(values[len(values) // 2])


def lived(shape: Shape, folder: Path, upstream: str, say: Say) -> Result:
    """A whole run in a folder, over a moto that is empty."""
    with Recorder(upstream, estates.ACCOUNT, lookup_rate=None, seed=shape.seed) as recorder:
        estate = estates.make(folder, recorder, shape.sizes)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        estates.configure(estate, shape.schedule, "1d", port)
        # A trail in which nothing at all happens is one that is not read.
        estate.client("sts", "ASIA0000000000000000").get_caller_identity()
        recorder.deliver(estates.BUCKET)
        say(f"{len(estate.queues)} queues and more are declared and there; the daemon starts in {folder}")
        return Run(shape, estate, say).run()


def _stop(_number: int, _frame: object) -> None:
    sys.exit("stopped")


def main(arguments: Sequence[str]) -> int:
    """Runs, prints the figures and whatever is wrong; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30.0, help="how long stories are told")
    parser.add_argument("--short", action="store_true", help="nearly every story once, within a minute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where estate, store and log stay; else they are removed")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)  # the daemon and moto go too
    shape = short(options.seed) if options.short else long(options.minutes, options.seed)
    with tempfile.TemporaryDirectory(prefix="driftwarden-long-run-") as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        with lab.moto(Path(name)) as upstream:
            result = lived(shape, folder / "estate", upstream, lambda said: print(said, flush=True))
    print(json.dumps(result.figures, indent=1))
    for one in result.wrong:
        print(f"WRONG: {one}")
    print(f"{len(result.wrong)} differences" if result.wrong else "exactly the cases that there must be")
    if options.out:
        options.out.write_text(json.dumps({**result.figures, "wrong": result.wrong}))
    return int(bool(result.wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
