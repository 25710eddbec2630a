"""A cycle, from a change made by hand to a closed ticket, cut into stages that can be begun as often as wanted.

Hides how an installation is put back to where a stage begins: the folder is copied from what it was then; the cloud and
what was recorded of it stay as they are, because a scan only reads them.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from company import CONFIG, Company
from forks import Ended, Forks
from invariants import Truth, faults
from queued import Events, envelope

EXTRA = """
[backup]
dir = "backups"
keep = 3

[report]
dir = "reports"
"""
FORM = ("--why", "Orders were lost", "--incident", "INC-1", "--done", "Raised the time-out", "--told", "the on-call")
WHO = {"ASIADANAEMERGENCY0": "dana"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One run, what it begins from, and what is done after it died."""

    name: str
    what: str
    arguments: tuple[str, ...]
    before: Path
    truth: Truth
    again: tuple[tuple[str, ...], ...]
    """Runs that bring all to rest afterwards."""
    queued: bool = False
    """Its changes wait in the queue."""


@dataclass(slots=True)
class Cycle:
    """A company whose cycle is run in forks."""

    company: Company
    forks: Forks
    kept: Path
    queue: Events
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.company.folder

    def run(self, what: str, *arguments: str, how: str = "", at: int = 0) -> Ended:
        return self.forks.run(self.company.config, what, *arguments, how=how, at=at)

    def well(self, what: str, *arguments: str) -> Ended:
        """A run that nothing happens to."""
        ended = self.run(what, *arguments)
        assert (ended.signal, ended.code) == (0, 0), (what, ended)
        return ended

    def keep(self, name: str) -> Path:
        """Keeps the installation as it is now."""
        return Path(shutil.copytree(self.folder, self.kept / name, symlinks=True))

    def put_back(self, stage: Stage) -> None:
        """The installation is as it was when the stage began."""
        shutil.rmtree(self.folder)
        shutil.copytree(stage.before, self.folder, symlinks=True)
        if stage.queued:
            sqs, name = self.queue.sqs, self.queue.url.rpartition("/")[2]
            sqs.delete_queue(QueueUrl=self.queue.url)  # with the messages that somebody had taken and not deleted
            sqs.create_queue(QueueName=name)
            self.queue.send(
                [envelope(one) for one in self.company.recorder.records if one["eventID"] in stage.truth.calls]
            )

    def died(self, stage: Stage, how: str, at: int) -> tuple[Ended, list[str]]:
        """The stage with a fault, and what is wrong once all was brought to rest."""
        self.put_back(stage)
        ended = self.run(stage.what, *stage.arguments, how=how, at=at)
        wrong = [f"{ended.said[-300:]}"] if how in ("kill", "torn") and ended.code else []
        for again in stage.again:
            after = self.run(*again)
            if after.signal or after.code:
                wrong.append(f"{' '.join(again)} afterwards: {after.said[-300:]}")
        return ended, [*wrong, *faults(self.folder, stage.truth)]

    def writes(self, stage: Stage) -> int:
        """How many writes there are in it."""
        self.put_back(stage)
        ended = self.well(stage.what, *stage.arguments)
        for again in stage.again:
            self.run(*again)
        assert faults(self.folder, stage.truth) == []
        return ended.writes


def truth_of(company: Company) -> Truth:
    """What was done by hand so far."""
    calls = {}
    for record in company.recorder.records:
        if not record.get("readOnly"):
            key = record["userIdentity"].get("accessKeyId", "")
            calls[record["eventID"]] = WHO.get(key, key)
    return Truth(calls)


def key_of(folder: Path, actor: str) -> str:
    """The case of somebody's calls."""
    for file in (folder / "tickets" / "cases").glob("*.yaml"):
        if actor in file.read_text(encoding="utf-8"):
            return next(line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("case:"))[6:]
    raise AssertionError(f"{actor} has no ticket")


def built(company: Company, forks: Forks, kept: Path, queue: Events) -> Cycle:
    """All stages: two people change things, one of them in an emergency, which is answered for."""
    cycle = Cycle(company, forks, kept, queue)
    stages = cycle.stages
    company.configure(CONFIG + EXTRA)
    forks.run(company.config, "warm")
    new = cycle.keep("new")
    company.emergency_calls(2)
    iam = company.client("erin", "iam")
    for number in range(3):
        iam.tag_role(RoleName="worker", Tags=[{"Key": f"k{number}", "Value": "v"}])
    company.write_trail()
    truth = truth_of(company)
    changed = cycle.keep("changed")
    for name in ("trail", "whole"):
        stages[name] = Stage(name, name, (), changed, truth, ((name,),))
    for name in ("driftwarden.db", "driftwarden.key"):
        (company.folder / name).unlink()
    stages["begin"] = Stage("begin", "whole", (), cycle.keep("begin"), truth, (("whole",),))

    shutil.rmtree(company.folder)
    shutil.copytree(new, company.folder)
    company.configure((CONFIG + EXTRA).replace('source = "trail"', f'source = "eventbridge:{queue.url}"'))
    stages["events"] = Stage("events", "events", (), cycle.keep("queued"), truth, (("events",),), queued=True)

    cycle.put_back(stages["trail"])
    cycle.well("trail")
    filed = cycle.keep("filed")
    for job in ("backup", "report", "prune"):
        stages[job] = Stage(job, job, (), filed, truth, ((job,),))
    key = key_of(cycle.folder, "dana")
    form = ("breakglass", "document", key, *FORM, "--way-back", "codify", "--key", company.key("dana"))
    stages["document"] = Stage("document", "say", form, filed, truth, (("open",),))

    cycle.well("say", *form)
    cycle.well("open")
    cycle.well("say", "breakglass", "review", key, "--accept", "--reason", "as asked", "--key", company.key("sam"))
    company.codify(62)
    closed = replace(truth, closed=frozenset({"dana"}))
    stages["close"] = Stage("close", "whole", (), cycle.keep("reviewed"), closed, (("whole",),))
    return cycle


def points(writes: int, most: int) -> Sequence[int]:
    """At most so many of them, evenly, the first among them."""
    step = max(1, -(-writes // most))
    return range(1, writes + 1, step)
